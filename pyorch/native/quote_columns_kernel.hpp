// The kernels' text: included by one translation unit for each instruction set, with LANES defined.
// Whole numbers below 2^51 are exact in a double, and adding 1.5 * 2^52 rounds to the nearest of them.
#pragma once

#include <cstring>

#include "black76.hpp"
#include "elementary.hpp"
#include "quote_columns.hpp"

namespace pyorch {
namespace {

constexpr double reach = 1125899906842624.0;  // 2^50

template <typename Vector, typename T>
inline Vector load(const T* at) {
    Vector x;
    std::memcpy(&x, at, sizeof x);
    return x;
}
template <typename Vector, typename T>
inline void store(T* at, Vector x) {
    std::memcpy(at, &x, sizeof x);
}
inline Words choose(Words mask, Words yes, Words no) { return mask ? yes : no; }
inline Words words_of(Reals whole) { return bits_of(whole + rounder) - std::bit_cast<std::int64_t>(rounder); }
inline Reals reals_of(Words x) { return from_bits(x + std::bit_cast<std::int64_t>(rounder)) - rounder; }
inline Reals nearest(Reals x) { return (x + rounder) - rounder; }
inline Reals floor_of(Reals x) {
    const Reals near = nearest(x);
    return select(near > x, near - 1.0, near);
}
inline Words beyond(Reals x) { return ~(absolute(x) < reach); }  // or not a number
inline Reals larger(Reals a, Reals b) { return select(a > b, a, b); }
inline Reals smaller(Reals a, Reals b) { return select(a < b, a, b); }
inline Words magnitude(Words x) { return choose(x < 0, -x, x); }

// The quotient rounded downward; `inverse` is 1 / divisor, rounded: the nearest whole number is right or one too large.
inline Reals floor_divide(Reals x, Reals divisor, Reals inverse) {
    const Reals near = nearest(x * inverse);
    return select(x - near * divisor < 0, near - 1.0, near);
}
// underlying_bp100 * delta * 1000 / 1'000'000, toward zero.
inline Reals shift(Reals product) {
    const Reals size = absolute(product);
    const Reals whole = floor_divide(size, size - size + 1000.0, size - size + 0.001);
    return select(product < 0, -whole, whole);
}

// a[0], b[0], a[1], b[1], ...
template <typename Vector>
inline void interleave(Vector a, Vector b, Vector& low, Vector& high) {
#if LANES == 8
    low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif LANES == 4
    low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    low = __builtin_shufflevector(a, b, 0, 2);
    high = __builtin_shufflevector(a, b, 1, 3);
#endif
}

inline bool any(Words mask) {
    std::int64_t found = 0;
    for (int lane = 0; lane < LANES; ++lane) found |= mask[lane];
    return found != 0;
}
inline std::int64_t sum(Words x) {
    std::int64_t total = 0;
    for (int lane = 0; lane < LANES; ++lane) total += x[lane];
    return total;
}

inline bool run_integers(const IntegerTask& task) {
    const auto row = [&](ChainRow one, std::size_t i) {
        return load<Reals>(task.rows + static_cast<std::size_t>(one) * task.stride + i);
    };
    Words wild = {};
    // Later strikes' columns lie behind: what a last vector writes too much, the next expiry writes anew.
    for (std::size_t i = 0; i < task.count; i += LANES) {
        const Reals gamma = row(gamma_row, i) * task.forward * 0.01 * 1e6 + 0.5, vega = row(vega_row, i) * 1e7 + 0.5;
        wild |= beyond(gamma) | beyond(vega);
        Reals below[2], above[2];
        Words delta[2];
        for (int right = 0; right < task.rights; ++right) {
            const Reals value = row(right == 0 ? call_value : put_value, i) * 1e9;
            const Reals scaled = row(right == 0 ? call_premium_adjusted_delta : put_premium_adjusted_delta, i) * 1e6 + 0.5;
            wild |= beyond(value) | beyond(scaled);
            below[right] = floor_of(value);
            above[right] = select(below[right] < value, below[right] + 1.0, below[right]);
            delta[right] = words_of(floor_of(scaled));
        }
        const auto put_down = [&](auto* out, auto call, auto put) {
            if (task.rights == 1) return store(out + i, call);
            decltype(call) low, high;
            interleave(call, put, low, high);
            store(out + 2 * i, low);
            store(out + 2 * i + LANES, high);
        };
        const Words gammas = words_of(floor_of(gamma)), vegas = words_of(floor_of(vega));
        put_down(task.below, below[0], below[task.rights - 1]);
        put_down(task.above, above[0], above[task.rights - 1]);
        put_down(task.greeks[0], delta[0], delta[task.rights - 1]);
        put_down(task.greeks[1], gammas, gammas);
        put_down(task.greeks[2], vegas, vegas);
    }
    return !any(wild);
}

inline Sums run_sums(const SumTask& task) {
    Words worst[3][2] = {}, lots = {}, held = {}, over = {};
    for (std::size_t i = 0; i < task.options; i += LANES) {
        const Words position = load<Words>(task.positions + i);
        Words open[2];
        for (int side = 0; side < 2; ++side) {
            const Words quoted = load<Words>(task.lots[side] + i);
            open[side] = quoted + load<Words>(task.orders[side] + i);
            over |= (quoted > 0) & ((side == 0 ? position : -position) + open[side] > task.position_limit);
        }
        lots += open[0] + open[1];
        for (int m = 0; m < 3; ++m) {
            const Words each = load<Words>(task.greeks[m] + i), size = magnitude(each), at_hand = each * position;
            const Words up = each > 0;
            worst[m][0] += size * choose(up, open[1], open[0]) - at_hand;
            worst[m][1] += size * choose(up, open[0], open[1]) + at_hand;
            if (m == 0) held += at_hand;
        }
    }
    Sums sums;
    for (std::size_t m = 0; m < 3; ++m) sums.worst[m] = {sum(worst[m][0]), sum(worst[m][1])};
    sums.lots = sum(lots);
    sums.held = sum(held);
    sums.over = any(over);
    return sums;
}

inline void run_quotes(const QuoteTask& task) {
    const Reals zero = {}, tick = zero + task.tick, coarse_tick = zero + task.coarse_tick;
    const Reals per_tick = 1.0 / tick, per_coarse_tick = 1.0 / coarse_tick;
    const Words none = {};
    // raw / tick downward, in steps of the coarse tick where `at` is beyond its limit.
    const auto rounded = [&](Reals raw, Words coarse) {
        const Reals whole = floor_divide(raw, select(coarse, coarse_tick, tick), select(coarse, per_coarse_tick, per_tick));
        return select(coarse, whole * task.coarse_factor, whole);
    };
    const auto bid_at = [&](Reals raw) { return rounded(raw, raw >= task.coarse_from); };
    const auto ask_at = [&](Reals raw) { return -rounded(-raw, raw >= task.coarse_from); };
    for (std::size_t i = 0; i < task.options; i += LANES) {
        const Reals moved = reals_of(load<Words>(task.delta + i)) * task.underlying_bp100;
        const Reals own = reals_of(load<Words>(task.own_nano + i));
        const Reals shifted = own + shift(moved);
        const Reals below = load<Reals>(task.below + i) + shifted, above = load<Reals>(task.above + i) + shifted;
        Words unknown = beyond(moved) | beyond(below) | beyond(above);
        Reals bid = bid_at(below - task.base), ask = larger(ask_at(above + task.base), zero + 1.0);
        if (task.any_extra) {
            const Reals outward[] = {reals_of(load<Words>(task.extra[0] + i)), reals_of(load<Words>(task.extra[1] + i))};
            bid = select(outward[0] > 0, smaller(bid - 1.0, bid_at(below - task.base - outward[0])), bid);
            ask = select(outward[1] > 0, larger(ask + 1.0, ask_at(above + task.base + outward[1])), ask);
        }
        ask = larger(ask, bid + 1.0);
        const Words quotable = load<Words>(task.quotable + i), with_bid = quotable & (bid >= 1.0);
        const Words ticks[] = {words_of(bid) & with_bid, words_of(ask) & quotable};
        const Words lots[] = {load<Words>(task.lots[0] + i) & with_bid, load<Words>(task.lots[1] + i) & quotable};
        const Reals around_moved = reals_of(load<Words>(task.around_delta + i)) * task.around_bp100;
        const Reals around = load<Reals>(task.around + i) + shift(around_moved);
        unknown |= beyond(around_moved) | beyond(around);
        Words changed = none, standing_lots[2], standing_ticks[2];
        for (int side = 0; side < 2; ++side) {
            standing_ticks[side] = load<Words>(task.shown_ticks[side] + i);
            standing_lots[side] = load<Words>(task.shown_lots[side] + i);
            changed |= (standing_ticks[side] != ticks[side]) | (standing_lots[side] != lots[side]);
            const Reals standing = reals_of(standing_ticks[side]) * tick;
            unknown |= load<Words>(task.orders[side] + i) != 0;
            unknown |= standing_ticks[side] > columns_reach;
            unknown |= beyond(standing) | ((standing_lots[side] > 0) & (absolute(standing - around) > task.collar));
            store(task.ticks[side] + i, ticks[side]);
        }
        unknown |= (standing_lots[0] > 0) & (standing_lots[1] > 0) & (standing_ticks[0] >= standing_ticks[1]);
        store(task.look + i, choose(unknown, none + look_unknown, changed & look_changed));
    }
}

}  // namespace
}  // namespace pyorch
