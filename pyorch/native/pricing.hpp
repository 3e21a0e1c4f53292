// The universe's options on the volatility surface; pyorch.trading.pricing defines it: same operations, same order,
// hence the same doubles (compile with -ffp-contract=off, never -ffast-math).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "black76.hpp"
#include "quote_columns.hpp"
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
        return has_expired(places_[option].expiry, minutes);
    }
    bool has_expired(std::size_t expiry, std::int64_t minutes) const { return expiries_s_[expiry] - 60 * minutes <= 0; }
    std::int64_t expiry_of(std::size_t option) const { return places_[option].expiry; }
    std::size_t options_an_expiry() const { return per_expiry_; }
    bool is_put(std::size_t option) const { return rights_ == 2 && option % 2 == 1; }

    // All values and Greeks anew; those of expired options become 0.
    void price(const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes);

    double value_btc(std::size_t option) const { return rows_[places_[option].value]; }
    OptionValue value(std::size_t option) const;
    // What was priced last, in the integers of one lot.
    void integers(LotIntegers& lot) const;

   private:
    // Of an option: its expiry, and indices into rows_ and volatility_.
    struct Place {
        std::uint32_t expiry, value, volatility;
    };

    std::vector<double> strikes_, log_strikes_;  // [padded]: the last strike fills up
    std::vector<std::int64_t> expiries_s_;
    int rights_;
    double half_tick_usd_, forward_ = 1.0;
    ChainKernel kernel_;
    const QuoteKernels* columns_;
    std::size_t padded_, per_expiry_;
    std::vector<double> moneyness_, ratio_;  // [padded]
    std::vector<double> volatility_;         // [expiry][padded]
    std::vector<double> rows_;               // [expiry][chain_rows][padded]
    std::vector<Place> places_;              // [option]
};

inline OptionValue Pricer::value(std::size_t option) const {
    const int put = is_put(option) ? 1 : 0;
    const Place& place = places_[option];
    const double* const rows = rows_.data() + place.value - static_cast<std::size_t>(call_value + put) * padded_;
    const auto at = [&](int row) { return rows[static_cast<std::size_t>(row) * padded_]; };
    return {at(call_value + put),
            volatility_[place.volatility],
            at(call_delta + put),
            at(gamma_row),
            at(vega_row),
            at(theta_row),
            at(call_premium_adjusted_delta + put),
            at(call_coin_delta + put),
            at(vanna_row),
            at(volga_row),
            at(charm_row)};
}

}  // namespace pyorch
