// How a quote is made around a value, and what is said of one that is sent; pyorch.trading.quoting defines it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "policy.hpp"
#include "risk.hpp"

namespace pyorch {

struct Terms {
    std::int64_t tick_nano = 1, coarse_tick_factor = 1, coarse_from_nano = 0, base_nano = 0;
    std::int64_t size_lots = 1, minimum_size_lots = 1, minimum_change_ticks = 1, minimum_interval_ns = 0;
};

// The adjustment as it applies to one option.
struct Guard {
    std::int64_t bid_bp100 = 0, ask_bp100 = 0, bid_percent = 100, ask_percent = 100;
    bool operator==(const Guard&) const = default;

    static Guard of(const Effect& a, bool is_put) {
        return is_put ? Guard{a.extra_up_bp100, a.extra_down_bp100, a.size_up_percent, a.size_down_percent}
                      : Guard{a.extra_down_bp100, a.extra_up_bp100, a.size_down_percent, a.size_up_percent};
    }
    std::int64_t extra_nano(int side) const { return (side == 0 ? bid_bp100 : ask_bp100) * 1000; }
    std::int64_t lots(const Terms& terms, int side) const {
        return std::max(terms.minimum_size_lots, terms.size_lots * (side == 0 ? bid_percent : ask_percent) / 100);
    }
    bool grew_from(const Guard& old) const {
        return bid_bp100 > old.bid_bp100 || ask_bp100 > old.ask_bp100 || bid_percent < old.bid_percent ||
               ask_percent < old.ask_percent;
    }
};

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    const std::int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

inline Quote make_quote(const Terms& terms, double value_btc, const Guard& protection, std::int64_t shifted) {
    const double value = value_btc * 1e9;
    const auto below = static_cast<std::int64_t>(std::floor(value)) + shifted;
    const auto above = static_cast<std::int64_t>(std::ceil(value)) + shifted;
    const auto bid = [&](std::int64_t extra) {
        const std::int64_t raw = below - terms.base_nano - extra;
        const std::int64_t step = raw >= terms.coarse_from_nano ? terms.coarse_tick_factor : 1;
        return floor_divide(raw, terms.tick_nano * step) * step;
    };
    const auto ask = [&](std::int64_t extra) {
        const std::int64_t raw = above + terms.base_nano + extra;
        const std::int64_t step = raw >= terms.coarse_from_nano ? terms.coarse_tick_factor : 1;
        return -floor_divide(-raw, terms.tick_nano * step) * step;
    };
    Quote quote{bid(0), std::max<std::int64_t>(ask(0), 1), 0, 0};
    if (protection.bid_bp100 > 0) quote.bid_ticks = std::min(quote.bid_ticks - 1, bid(protection.extra_nano(0)));
    if (protection.ask_bp100 > 0) quote.ask_ticks = std::max(quote.ask_ticks + 1, ask(protection.extra_nano(1)));
    quote.ask_ticks = std::max(quote.ask_ticks, quote.bid_ticks + 1);
    quote.bid_lots = protection.lots(terms, 0);
    quote.ask_lots = protection.lots(terms, 1);
    if (quote.bid_ticks < 1) quote.bid_ticks = quote.bid_lots = 0;
    return quote;
}

enum class Reason : std::uint32_t { first = 1, widen = 2, narrow = 3, move = 4, withdraw = 5, reduce = 6 };

struct Sent {
    std::uint32_t option;
    Reason reason;
    Quote quote;
};

// In this order message credit and notional are given out: what takes risk away goes first.
inline constexpr Reason priority[] = {Reason::withdraw, Reason::reduce, Reason::widen,
                                      Reason::move,     Reason::narrow, Reason::first};

}  // namespace pyorch
