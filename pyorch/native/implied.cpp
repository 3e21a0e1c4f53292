#include "implied.hpp"

#include <cmath>
#include <limits>

#include "elementary.hpp"

namespace pyorch {

namespace {

constexpr int iterations = 24;
constexpr double below_one = 0.999999999, above_one = 1.000000001;
constexpr double deviation_maximum = 64.0, sqrt_2pi = 2.5066282746310002, fraction_minimum = 1e-280;

// σ√T at which a call `distance` above the forward is worth `target`, in 0..1.
double deviation(double distance, double target) {
    const double inflection = std::sqrt(2.0 * distance);
    const double central = 0.5 - inverse_sqrt_2pi * mills_ratio(inflection);
    const bool low_side = target < central, high_side = target >= 0.5;
    double s = low_side ? inflection : inflection + sqrt_2pi * (target - central);
    const double wanted = logarithm(high_side ? 1.0 - target : target);
    double low = 0.0, high = deviation_maximum;
    for (int i = 0; i < iterations; ++i) {
        const double d1 = 0.5 * s - distance / s;
        const double density = inverse_sqrt_2pi * exponential(-0.5 * d1 * d1);
        const double tail1 = density * mills_ratio(absolute(d1));
        const double tail2 = density * mills_ratio(absolute(d1 - s));
        const double price = (d1 > 0 ? 1.0 - tail1 : tail1) - tail2;
        const double rest = (d1 > 0 ? tail1 : 1.0 - tail1) + tail2;
        (price < target ? low : high) = s;
        // A price that rounding left at 0 has no logarithm: the bracket is halved instead.
        const bool usable = (high_side ? rest : price) > 0;
        const double seen = usable ? (high_side ? rest : price) : 1.0;
        const double level = logarithm(seen);
        const double square = s * s;
        const double slope = density / (seen * (2.0 * s));  // |d level / d s²|
        double stepped;
        if (low_side) {
            const double reciprocal = 1.0 / square + (level - wanted) / (slope * square * square);
            stepped = std::sqrt(1.0 / (reciprocal > 0 ? reciprocal : 1.0));
        } else if (high_side) {
            const double moved = square + (level - wanted) / slope;
            stepped = std::sqrt(moved > 0 ? moved : 0.0);
        } else {
            stepped = s + (target - price) / density;
        }
        // A little slack: at the root rounding decides on which side of it a price is seen.
        const bool inside = usable && stepped > 0 && stepped >= low * below_one && stepped <= high * above_one;
        const double following = inside ? stepped : 0.5 * (low + high);
        const bool ended = absolute(following - s) <= 1e-15 * s + 4e-16;
        s = following;
        if (ended) break;
    }
    return s;
}

}  // namespace

double implied_volatility(double value, double log_moneyness, double ratio, double years, bool put) {
    const double x = log_moneyness;
    const double outside = x > 0 ? (put ? value - (ratio - 1.0) : value) : (put ? value : value - (1.0 - ratio)) / ratio;
    if (!(outside > fraction_minimum && outside < 1)) return std::numeric_limits<double>::quiet_NaN();
    return deviation(absolute(x), outside) / std::sqrt(years);
}

}  // namespace pyorch
