#include "pricing.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "elementary.hpp"

namespace pyorch {

Pricer::Pricer(const std::vector<std::int64_t>& strikes_usd, std::vector<std::int64_t> expiries_s, int rights,
               double half_tick_usd, const std::string& kernel)
    : expiries_s_(std::move(expiries_s)), rights_(rights), half_tick_usd_(half_tick_usd),
      kernel_(chain_kernel(kernel.c_str())) {
    if (expiries_s_.empty() || strikes_usd.empty() || rights < 1 || rights > 2)
        throw std::invalid_argument("a universe has expiries, strikes and one or two rights");
    if (kernel_ == nullptr) throw std::invalid_argument("no kernel " + kernel + " on this processor");
    padded_ = (strikes_usd.size() + chain_block - 1) / chain_block * chain_block;
    per_expiry_ = strikes_usd.size() * static_cast<std::size_t>(rights);
    for (std::size_t i = 0; i < padded_; ++i) {
        strikes_.push_back(static_cast<double>(strikes_usd[std::min(i, strikes_usd.size() - 1)]));
        log_strikes_.push_back(logarithm(strikes_.back()));
    }
    moneyness_.resize(padded_);
    ratio_.resize(padded_);
    volatility_.resize(expiries_s_.size() * padded_);
    rows_.resize(expiries_s_.size() * chain_rows * padded_);
    for (std::size_t option = 0; option < options(); ++option)
        value_at_.push_back((option / per_expiry_ * chain_rows + (is_put(option) ? put_value : call_value)) * padded_ +
                            option % per_expiry_ / static_cast<std::size_t>(rights));
}

void Pricer::price(const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes) {
    const double forward = static_cast<double>(forward_half_ticks) * half_tick_usd_;
    const double log_forward = logarithm(forward);
    for (std::size_t i = 0; i < padded_; ++i) {
        moneyness_[i] = log_strikes_[i] - log_forward;
        ratio_[i] = strikes_[i] / forward;
    }
    for (std::size_t expiry = 0; expiry < expiries_s_.size(); ++expiry) {
        double* const volatility = volatility_.data() + expiry * padded_;
        double* const rows = rows_.data() + expiry * chain_rows * padded_;
        const std::int64_t seconds = expiries_s_[expiry] - 60 * minutes;
        if (seconds <= 0) {
            std::fill_n(volatility, padded_, 0.0);
            std::fill_n(rows, chain_rows * padded_, 0.0);
            continue;
        }
        const double years = static_cast<double>(seconds) / 31536000.0;
        const double root = std::sqrt(years);
        const SurfaceSlice slice = surface.slice(expiry);
        for (std::size_t i = 0; i < padded_; ++i) volatility[i] = slice.volatility(moneyness_[i] / root);
        kernel_({moneyness_.data(), ratio_.data(), volatility, padded_, years, forward, rows, padded_});
    }
}

OptionValue Pricer::value(std::size_t option) const {
    const int put = is_put(option) ? 1 : 0;
    const std::size_t first = value_at_[option] - static_cast<std::size_t>(call_value + put) * padded_;
    const std::size_t strike = option % per_expiry_ / static_cast<std::size_t>(rights_);
    const auto at = [&](int row) { return rows_[first + static_cast<std::size_t>(row) * padded_]; };
    return {at(call_value + put),
            volatility_[option / per_expiry_ * padded_ + strike],
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
