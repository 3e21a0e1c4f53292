// Inverse Black-76 and the parametric surface; pyorch.trading.pricing defines it: same operations, same order,
// same libm, hence the same doubles (compile with -ffp-contract=off, never -ffast-math).
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace pyorch {

struct OptionValue {
    double value_btc = 0, volatility = 0, delta = 0, gamma = 0, vega = 0, theta = 0;
};

struct Surface {
    std::vector<std::int64_t> atm_ppm, skew_ppm, curvature_ppm;
    std::uint32_t version = 0;

    // A row states the first expiry's parameters; the others keep their distance to it.
    void apply(std::int64_t atm, std::int64_t skew) {
        const std::int64_t atm_move = atm - atm_ppm[0], skew_move = skew - skew_ppm[0];
        for (auto& value : atm_ppm) value += atm_move;
        for (auto& value : skew_ppm) value += skew_move;
        ++version;
    }
};

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.7071067811865476); }

// Options lie by expiry, then strike, then right: calls (and puts) of one strike share the arithmetic.
class Pricer {
   public:
    Pricer(std::vector<std::int64_t> strikes_usd, std::vector<std::int64_t> expiries_s, int rights,
           double half_tick_usd)
        : expiries_s_(std::move(expiries_s)), rights_(rights), half_tick_usd_(half_tick_usd) {
        if (expiries_s_.empty() || strikes_usd.empty() || rights < 1 || rights > 2)
            throw std::invalid_argument("a universe has expiries, strikes and one or two rights");
        for (const std::int64_t strike : strikes_usd) {
            strikes_.push_back(static_cast<double>(strike));
            log_strikes_.push_back(std::log(static_cast<double>(strike)));
        }
        values_.resize(expiries_s_.size() * strikes_.size() * static_cast<std::size_t>(rights));
    }

    const std::vector<OptionValue>& values() const { return values_; }
    bool expired(std::size_t option, std::int64_t minutes) const {
        return expiries_s_[option / (strikes_.size() * static_cast<std::size_t>(rights_))] - 60 * minutes <= 0;
    }
    bool is_put(std::size_t option) const { return rights_ == 2 && option % 2 == 1; }

    void price(const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes) {
        const double forward = static_cast<double>(forward_half_ticks) * half_tick_usd_;
        const double log_forward = std::log(forward);
        OptionValue* out = values_.data();
        for (std::size_t expiry = 0; expiry < expiries_s_.size(); ++expiry) {
            const std::int64_t seconds = expiries_s_[expiry] - 60 * minutes;
            if (seconds <= 0) {
                for (std::size_t i = 0; i < strikes_.size() * static_cast<std::size_t>(rights_); ++i) *out++ = {};
                continue;
            }
            const double years = static_cast<double>(seconds) / 31536000.0;
            const double root = std::sqrt(years);
            const double atm = static_cast<double>(surface.atm_ppm[expiry]) / 1000000.0;
            const double skew = static_cast<double>(surface.skew_ppm[expiry]) / 1000000.0;
            const double curvature = static_cast<double>(surface.curvature_ppm[expiry]) / 1000000.0;
            for (std::size_t strike = 0; strike < strikes_.size(); ++strike) {
                const double moneyness = log_strikes_[strike] - log_forward;
                const double y = moneyness / root;
                double sigma = atm + y * (skew + y * curvature);
                sigma = sigma < 0.01 ? 0.01 : sigma;
                sigma = sigma > 5.0 ? 5.0 : sigma;
                const double ratio = strikes_[strike] / forward;
                const double deviation = sigma * root;
                const double d1 = 0.5 * deviation - moneyness / deviation;
                const double n1 = normal_cdf(d1);
                const double call = n1 - ratio * normal_cdf(d1 - deviation);
                const double density = 0.3989422804014327 * std::exp(-0.5 * d1 * d1);
                const double gamma = density / deviation / forward;
                const double vega = density * root;
                const double theta = -(0.5 * density * sigma) / (root * 365.0);
                *out++ = {call > 0.0 ? call : 0.0, sigma, n1, gamma, vega, theta};
                if (rights_ == 2) {
                    const double put = (call - 1.0) + ratio;
                    *out++ = {put > 0.0 ? put : 0.0, sigma, n1 - 1.0, gamma, vega, theta};
                }
            }
        }
    }

   private:
    std::vector<double> strikes_, log_strikes_;
    std::vector<std::int64_t> expiries_s_;
    int rights_;
    double half_tick_usd_;
    std::vector<OptionValue> values_;
};

}  // namespace pyorch
