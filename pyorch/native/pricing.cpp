#include "pricing.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "elementary.hpp"
#include "fair_shift.hpp"

namespace pyorch {

Pricer::Pricer(const std::vector<std::int64_t>& strikes_usd, std::vector<std::int64_t> expiries_s, int rights,
               double half_tick_usd, const std::string& kernel)
    : expiries_s_(std::move(expiries_s)), rights_(rights), half_tick_usd_(half_tick_usd),
      kernel_(chain_kernel(kernel.c_str())), columns_(quote_kernels(kernel.c_str())) {
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
    for (std::size_t option = 0; option < options(); ++option) {
        const std::size_t expiry = option / per_expiry_, strike = option % per_expiry_ / static_cast<std::size_t>(rights);
        const std::size_t row = expiry * chain_rows + (is_put(option) ? put_value : call_value);
        places_.push_back({static_cast<std::uint32_t>(expiry), static_cast<std::uint32_t>(row * padded_ + strike),
                           static_cast<std::uint32_t>(expiry * padded_ + strike)});
    }
}

void Pricer::price(const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes) {
    const double forward = static_cast<double>(forward_half_ticks) * half_tick_usd_;
    forward_ = forward;
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

void Pricer::integers(LotIntegers& lot) const {
    lot.exact = true;
    for (std::size_t expiry = 0; expiry < expiries_s_.size(); ++expiry) {
        const std::size_t first = expiry * per_expiry_;
        lot.exact &= columns_->integers(
            {rows_.data() + expiry * chain_rows * padded_, padded_, padded_, rights_, forward_, lot.below.data() + first,
             lot.above.data() + first,
             {lot.greeks[0].data() + first, lot.greeks[1].data() + first, lot.greeks[2].data() + first}});
    }
    if (lot.exact) return;
    for (std::size_t option = 0; option < options(); ++option) {
        const OptionValue v = value(option);
        lot.below[option] = std::floor(v.value_btc * 1e9);
        lot.above[option] = std::ceil(v.value_btc * 1e9);
        lot.greeks[0][option] = delta_ppm(v.premium_adjusted_delta);
        lot.greeks[1][option] = static_cast<std::int64_t>(std::floor(v.gamma * forward_ * 0.01 * 1e6 + 0.5));
        lot.greeks[2][option] = static_cast<std::int64_t>(std::floor(v.vega * 1e7 + 0.5));
    }
}

}  // namespace pyorch
