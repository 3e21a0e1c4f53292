// The risk gate; pyorch.trading.risk defines it: the same checks in the same order, failing closed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace pyorch {

inline constexpr std::int64_t nano = 1'000'000'000;

struct Quote {
    std::int64_t bid_ticks = 0, ask_ticks = 0, bid_lots = 0, ask_lots = 0;
    bool operator==(const Quote&) const = default;
    std::int64_t lots() const { return bid_lots + ask_lots; }
};

// Indices of the counters: pyorch.trading.records.Refusal.
enum class Refusal : int {
    killed = 0, invalid_data, stale_surface, invalid_model, warming_up, price_collar, position_limit, notional_limit, message_rate,
    none
};

struct Limits {
    std::int64_t price_collar_ticks = 1, position_limit_lots = 1, notional_limit_lots = 1;
    std::int64_t quotes_per_second = 1, quotes_burst = 1;
    std::vector<std::int64_t> positions_lots;
};

class RiskGate {
   public:
    explicit RiskGate(Limits limits) : limits_(std::move(limits)) {}

    const std::array<std::int64_t, 9>& counts() const { return counts_; }
    std::int64_t quoted_lots = 0;  // bids and asks of all live quotes together

    Refusal admit(bool killed, bool data_valid, bool surface_fresh, bool model_valid, bool warm) {
        if (killed) return count(Refusal::killed);
        if (!data_valid) return count(Refusal::invalid_data);
        if (!surface_fresh) return count(Refusal::stale_surface);
        if (!model_valid) return count(Refusal::invalid_model);
        if (!warm) return count(Refusal::warming_up);
        return Refusal::none;
    }

    Refusal check(std::size_t option, const Quote& quote, const Quote& live, std::int64_t value_nano,
                  std::int64_t tick_nano) {
        const std::int64_t collar = limits_.price_collar_ticks * tick_nano;
        if ((quote.bid_lots > 0 && std::abs(quote.bid_ticks * tick_nano - value_nano) > collar) ||
            (quote.ask_lots > 0 && std::abs(quote.ask_ticks * tick_nano - value_nano) > collar))
            return count(Refusal::price_collar);
        const std::int64_t position = limits_.positions_lots[option];
        if (position + quote.bid_lots > limits_.position_limit_lots ||
            quote.ask_lots - position > limits_.position_limit_lots)
            return count(Refusal::position_limit);
        if (quoted_lots - live.lots() + quote.lots() > limits_.notional_limit_lots)
            return count(Refusal::notional_limit);
        return Refusal::none;
    }

    bool take_credit(std::int64_t local_ns) {
        const std::int64_t rate = limits_.quotes_per_second, full = limits_.quotes_burst * nano;
        if (credit_nano_ < 0) {
            credit_nano_ = full;
        } else {
            const std::int64_t elapsed_ns =
                std::min(std::max<std::int64_t>(local_ns - credit_ns_, 0), full / rate + 1);
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
    Refusal count(Refusal refusal) {
        ++counts_[static_cast<std::size_t>(refusal)];
        return refusal;
    }

    Limits limits_;
    std::array<std::int64_t, 9> counts_{};
    std::int64_t credit_nano_ = -1, credit_ns_ = 0;
};

}  // namespace pyorch
