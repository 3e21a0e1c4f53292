// The universe's options on the volatility surface; pyorch.trading.pricing defines it: same operations, same order,
// hence the same doubles (compile with -ffp-contract=off, never -ffast-math).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "black76.hpp"
#include "surface.hpp"

namespace pyorch {

struct OptionValue {
    double value_btc = 0, volatility = 0, delta = 0, gamma = 0, vega = 0, theta = 0;
    double premium_adjusted_delta = 0, coin_delta = 0, vanna = 0, volga = 0, charm = 0;
};

// Options lie by expiry, then strike, then right: calls (and puts) of one strike share the arithmetic.
class Pricer {
   public:
    // kernel: as chain_kernel names them; empty: the widest. Throws std::invalid_argument.
    Pricer(const std::vector<std::int64_t>& strikes_usd, std::vector<std::int64_t> expiries_s, int rights,
           double half_tick_usd, const std::string& kernel = "");

    std::size_t expiries() const { return expiries_s_.size(); }
    std::size_t options() const { return expiries_s_.size() * per_expiry_; }
    bool expired(std::size_t option, std::int64_t minutes) const {
        return expiries_s_[option / per_expiry_] - 60 * minutes <= 0;
    }
    std::int64_t expiry_of(std::size_t option) const { return static_cast<std::int64_t>(option / per_expiry_); }
    bool is_put(std::size_t option) const { return rights_ == 2 && option % 2 == 1; }

    // All values and Greeks anew; those of expired options become 0.
    void price(const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes);

    double value_btc(std::size_t option) const { return rows_[value_at_[option]]; }
    double premium_adjusted_delta(std::size_t option) const {
        return rows_[value_at_[option] + (call_premium_adjusted_delta - call_value) * padded_];
    }
    double gamma(std::size_t option) const { return of_strike(option, gamma_row); }
    double vega(std::size_t option) const { return of_strike(option, vega_row); }
    OptionValue value(std::size_t option) const;

   private:
    double of_strike(std::size_t option, int row) const {
        const int value = is_put(option) ? put_value : call_value;
        return rows_[value_at_[option] + static_cast<std::size_t>(row - value) * padded_];
    }

    std::vector<double> strikes_, log_strikes_;  // [padded]: the last strike fills up
    std::vector<std::int64_t> expiries_s_;
    int rights_;
    double half_tick_usd_;
    ChainKernel kernel_;
    std::size_t padded_, per_expiry_;
    std::vector<double> moneyness_, ratio_;  // [padded]
    std::vector<double> volatility_;         // [expiry][padded]
    std::vector<double> rows_;               // [expiry][chain_rows][padded]
    std::vector<std::size_t> value_at_;      // [option] index into rows_ of its value
};

}  // namespace pyorch
