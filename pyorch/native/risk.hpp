// The risk gate; pyorch.trading.risk defines it: the same checks in the same order, failing closed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "exposure.hpp"
#include "inputs.hpp"
#include "quote_columns.hpp"

namespace pyorch {

inline constexpr std::int64_t nano = 1'000'000'000;

struct Quote {
    std::int64_t bid_ticks = 0, ask_ticks = 0, bid_lots = 0, ask_lots = 0;
    bool operator==(const Quote&) const = default;
    std::int64_t lots() const { return bid_lots + ask_lots; }
    std::int64_t lots(int side) const { return side == 0 ? bid_lots : ask_lots; }
    void leave_out(int side) { (side == 0 ? bid_ticks : ask_ticks) = (side == 0 ? bid_lots : ask_lots) = 0; }
};

// Indices of the counters: pyorch.trading.records.Refusal.
enum class Refusal : int {
    killed = 0, paused, journal_full, session_down, invalid_data, stale_surface, invalid_model, warming_up,
    protected_, price_collar, self_cross, position_limit, delta_limit, gamma_limit, vega_limit, notional_limit,
    message_rate, none
};
inline constexpr std::size_t refusals = static_cast<std::size_t>(Refusal::none);

struct Protection {
    std::int64_t interval_ns = 0, lots = 0, delta = 0, reset_after_ns = 0;
};

struct Limits {
    std::int64_t price_collar_ticks = 1;
    std::array<std::int64_t, limit_names> bounds{1, 1, 1, 1, 1};
    std::int64_t quotes_per_second = 1, quotes_burst = 1;
    std::vector<std::int64_t> positions_lots;
    std::vector<std::uint32_t> venues;  // per option
    bool acknowledged = false;
    std::int64_t acknowledge_ns = 0, reference_interval_ns = 0, reference_age_ns = 0;
    Protection protection;
};

class RiskGate {
   public:
    // columns: null: the widest that this processor runs.
    explicit RiskGate(Limits limits, const QuoteKernels* columns = nullptr)
        : limits_(std::move(limits)), columns_(columns == nullptr ? quote_kernels() : columns), bounds(limits_.bounds),
          positions_lots(limits_.positions_lots), exposures(limits_.venues, limits_.acknowledged),
          lot(positions_lots.size()), refill_ns_(limits_.quotes_burst * nano / std::max<std::int64_t>(limits_.quotes_per_second, 1) + 1) {}

   private:
    Limits limits_;
    const QuoteKernels* columns_;

   public:
    std::array<std::int64_t, limit_names> bounds;
    Integers positions_lots;
    Exposures exposures;
    LotIntegers lot;  // of the last update
    std::int64_t frozen_ns = -1;

    Refusal count(Refusal refusal) {
        ++counts_[static_cast<std::size_t>(refusal)];
        return refusal;
    }
    const std::array<std::int64_t, refusals>& counts() const { return counts_; }
    const Limits& limits() const { return limits_; }

    // refused: whether each refusal before `protected_` holds, in that order.
    Refusal admit(std::int64_t local_ns, const std::array<bool, 8>& refused) {
        const bool is_frozen = frozen(local_ns);
        for (std::size_t k = 0; k < refused.size(); ++k)
            if (refused[k]) return count(static_cast<Refusal>(k));
        return is_frozen ? count(Refusal::protected_) : Refusal::none;
    }

    bool frozen(std::int64_t local_ns) {
        const std::int64_t after = limits_.protection.reset_after_ns;
        if (frozen_ns >= 0 && after > 0 && local_ns - frozen_ns >= after) frozen_ns = -1;
        return frozen_ns >= 0;
    }

    // Worst cases of so many lots to buy and to sell of each option, with the orders beside them.
    Sums worst_of(const std::array<Integers, 2>& lots) const {
        const auto& orders = exposures.order_lots();
        return columns_->sums({positions_lots.size(),
                               {lot.greeks[0].data(), lot.greeks[1].data(), lot.greeks[2].data()},
                               positions_lots.data(),
                               {lots[0].data(), lots[1].data()},
                               {orders[0].data(), orders[1].data()},
                               bounds[limit_position]});
    }
    // The sums that `check` and `place` keep up within one update; positions times delta.
    std::int64_t sum() {
        const Sums sums = worst_of(exposures.quoted());
        worst_ = sums.worst;
        open_lots_ = sums.lots;
        return sums.held;
    }
    // Whether quotes of so many lots, with the orders beside them, are within all limits.
    bool within(const std::array<Integers, 2>& lots) const {
        const Sums sums = worst_of(lots);
        bool within = !sums.over && sums.lots <= bounds[limit_notional];
        for (std::size_t m = 0; m < 3; ++m)
            within &= std::max(sums.worst[m][0], sums.worst[m][1]) <= bounds[limit_delta + m];
        return within;
    }
    const QuoteKernels& columns() const { return *columns_; }

    // Whether a price is too far from an independent fair value, or there is none to judge it by.
    bool outside(const Quote& quote, bool reference_known, std::int64_t reference_nano, std::int64_t tick_nano) const {
        const std::int64_t collar = limits_.price_collar_ticks * tick_nano;
        const auto off = [&](std::int64_t ticks, std::int64_t lots) {
            return lots > 0 && (!reference_known || std::abs(ticks * tick_nano - reference_nano) > collar);
        };
        return off(quote.bid_ticks, quote.bid_lots) || off(quote.ask_ticks, quote.ask_lots);
    }

    // Whether it would trade with an order of ours, or with itself.
    bool crosses(std::size_t option, const Quote& q) const {
        return (q.bid_lots > 0 && exposures.order_lots(option, 1) > 0 &&
                q.bid_ticks >= exposures.order_ticks(option, 1)) ||
               (q.ask_lots > 0 && exposures.order_lots(option, 0) > 0 &&
                q.ask_ticks <= exposures.order_ticks(option, 0)) ||
               (q.bid_lots > 0 && q.ask_lots > 0 && q.bid_ticks >= q.ask_ticks);
    }

    // Why a quote that stands may not stay; none: it may.
    Refusal judge(std::size_t option, const Quote& quote, bool reference_known, std::int64_t reference_nano,
                  std::int64_t tick_nano) const {
        if (outside(quote, reference_known, reference_nano, tick_nano)) return Refusal::price_collar;
        return crosses(option, quote) ? Refusal::self_cross : Refusal::none;
    }

    // What of the quote may go out is left in it.
    Refusal check(std::size_t option, Quote& quote, bool reference_known, std::int64_t reference_nano,
                  std::int64_t tick_nano) {
        if (outside(quote, reference_known, reference_nano, tick_nano)) return refuse(quote, Refusal::price_collar);
        if (crosses(option, quote)) return refuse(quote, Refusal::self_cross);
        Refusal reason = Refusal::none;
        for (const int side : {0, 1}) {
            const Refusal refusal = check_side(option, quote, side);
            if (refusal == Refusal::none) continue;
            quote.leave_out(side);
            reason = count(refusal);
        }
        const std::int64_t more = added(option, quote, 0) + added(option, quote, 1);
        if (more > 0 && open_lots_ + more > bounds[limit_notional]) return refuse(quote, Refusal::notional_limit);
        return reason;
    }

    // Whether an order beside the quotes keeps the worst case within all limits; after `sum`.
    Refusal check_order(std::size_t option, int side, std::int64_t lots) const {
        const Refusal refusal = worst_with(option, side, lots);
        if (refusal != Refusal::none) return refusal;
        return open_lots_ + lots > bounds[limit_notional] ? Refusal::notional_limit : Refusal::none;
    }

    void place(std::size_t option, std::int64_t sequence, const Quote& quote) {
        const std::int64_t before[] = {exposures.open(option, 0), exposures.open(option, 1)};
        exposures.place(option, sequence, quote.bid_lots, quote.ask_lots);
        for (const int side : {0, 1}) {
            const std::int64_t more = exposures.open(option, side) - before[side];
            if (more == 0) continue;
            open_lots_ += more;
            for (std::size_t m = 0; m < 3; ++m) {
                const std::int64_t each = lot.greeks[m][option];
                if (each != 0) worst_[m][(each > 0) == (side == 0)] += more * std::abs(each);
            }
        }
    }

    void filled(std::size_t option, int side, std::int64_t lots, std::int64_t sequence, std::int64_t local_ns) {
        const std::int64_t change = side == 0 ? lots : -lots;
        positions_lots[option] += change;
        exposures.filled(option, sequence, side, lots);
        const Protection& protection = limits_.protection;
        if (protection.interval_ns == 0) return;
        while (fills_ > 0 && fill_[first_].local_ns <= local_ns - protection.interval_ns) {
            first_ = (first_ + 1) % fill_.size();
            --fills_;
        }
        fill_[(first_ + fills_++) % fill_.size()] = {local_ns, lots, change * lot.greeks[0][option]};
        std::int64_t total = 0, net = 0;
        for (std::size_t k = 0; k < fills_; ++k) {
            const Fill& fill = fill_[(first_ + k) % fill_.size()];
            total += fill.lots;
            net += fill.delta;
        }
        if (fills_ == fill_.size() || total >= protection.lots || std::abs(net) >= protection.delta) freeze(local_ns);
    }
    void freeze(std::int64_t local_ns) {
        frozen_ns = local_ns;
        fills_ = 0;
    }

    bool take_credit(std::int64_t local_ns) {
        const std::int64_t rate = limits_.quotes_per_second, full = limits_.quotes_burst * nano;
        if (credit_nano_ < 0) {
            credit_nano_ = full;
        } else {
            const std::int64_t elapsed_ns = std::min(std::max<std::int64_t>(local_ns - credit_ns_, 0), refill_ns_);
            credit_nano_ = std::min(full, credit_nano_ + elapsed_ns * rate);
        }
        credit_ns_ = local_ns;
        if (credit_nano_ < nano) {
            count(Refusal::message_rate);
            return false;
        }
        credit_nano_ -= nano;
        return true;
    }

   private:
    struct Fill {
        std::int64_t local_ns, lots, delta;
    };

    Refusal refuse(Quote& quote, Refusal refusal) {
        quote = {};
        return count(refusal);
    }

    std::int64_t added(std::size_t option, const Quote& quote, int side) const {
        return quote.lots(side) - (limits_.acknowledged ? 0 : exposures.quoted(option, side));
    }

    Refusal check_side(std::size_t option, const Quote& quote, int side) const {
        if (quote.lots(side) == 0) return Refusal::none;
        const std::int64_t more = added(option, quote, side);
        return more <= 0 ? Refusal::none : worst_with(option, side, more);
    }
    Refusal worst_with(std::size_t option, int side, std::int64_t more) const {
        const std::int64_t position = side == 0 ? positions_lots[option] : -positions_lots[option];
        if (position + exposures.open(option, side) + more > bounds[limit_position]) return Refusal::position_limit;
        for (std::size_t m = 0; m < 3; ++m) {
            const std::int64_t each = lot.greeks[m][option];
            if (each != 0 && worst_[m][(each > 0) == (side == 0)] + more * std::abs(each) > bounds[limit_delta + m])
                return static_cast<Refusal>(static_cast<int>(Refusal::delta_limit) + static_cast<int>(m));
        }
        return Refusal::none;
    }

    std::array<std::int64_t, refusals> counts_{};
    std::array<std::array<std::int64_t, 2>, 3> worst_{};  // [delta, gamma, vega][below, above]
    std::int64_t open_lots_ = 0;
    std::array<Fill, 256> fill_{};
    std::size_t first_ = 0, fills_ = 0;
    std::int64_t credit_nano_ = -1, credit_ns_ = 0, refill_ns_;
};

}  // namespace pyorch
