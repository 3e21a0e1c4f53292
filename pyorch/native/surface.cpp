#include "surface.hpp"

#include <stdexcept>
#include <utility>

namespace pyorch {

namespace {

constexpr double bend_minimum = 1e-6, variance_minimum = 0.0001;
constexpr int points = 33;

double wing(const SurfaceSlice& slice, double root, double side) {
    return root * (slice.slope * (1.0 + side * slice.tilt));
}

}  // namespace

SurfaceSlice slice_of(const std::array<double, 5>& parameters) {
    const auto [a, s, c, left, right] = parameters;
    const double first = 2.0 * a * s;
    double second = 2.0 * s * s + 4.0 * a * c;
    second = second > bend_minimum ? second : bend_minimum;
    SurfaceSlice slice;
    slice.slope = (left + right) * 0.5;
    slice.tilt = (right - left) / (left + right);
    const double lean = slice.tilt - first / slice.slope;  // beyond 1: steeper than a wing, all NaN
    const double rest = std::sqrt(1.0 - lean * lean);
    slice.round = slice.slope * rest * rest * rest / second;
    slice.centre = slice.round * lean / rest;
    slice.level = a * a - slice.slope * (slice.round / rest - slice.tilt * slice.centre);
    return slice;
}

double SurfaceSlice::density(double years, double y) const {
    const double z = y - centre;
    const double length = std::sqrt(z * z + round * round);
    const double v = level + slope * (tilt * z + length);
    const double first = slope * (tilt + z / length);
    const double second = slope * round * round / (length * length * length);
    const double lever = 1.0 - y * first / (2.0 * v);
    return lever * lever - first * first * 0.25 * (1.0 / v + 0.25 * years) + 0.5 * second;
}

bool free_of_arbitrage(const SurfaceSlice* slices, const double* years, std::size_t expiries) {
    for (std::size_t expiry = 0; expiry < expiries; ++expiry) {
        const SurfaceSlice& slice = slices[expiry];
        const double root = std::sqrt(years[expiry]);
        for (const double side : {-1.0, 1.0}) {
            if (wing(slice, root, side) > 2.0) return false;
            if (expiry > 0 && wing(slice, root, side) - wing(slices[expiry - 1], std::sqrt(years[expiry - 1]), side) < 0)
                return false;
        }
        for (int k = 0; k < points; ++k) {
            const double y = k * 0.25 - 4.0, v = slice.variance(y);
            if (!(v >= variance_minimum && slice.density(years[expiry], y) >= 0.0)) return false;
            if (expiry == 0) continue;
            const double near = std::sqrt(years[expiry - 1]);
            if (!(years[expiry] * v - years[expiry - 1] * slices[expiry - 1].variance(y * root / near) >= 0.0))
                return false;
        }
    }
    return true;
}

Surface::Surface(ParametersPpm parameters_ppm, std::vector<std::int64_t> expiries_s, std::int64_t as_of_ns)
    : ppm_(std::move(parameters_ppm)), expiries_s_(std::move(expiries_s)), as_of_ns_(as_of_ns) {
    for (const auto& values : ppm_)
        if (values.size() != expiries_s_.size())
            throw std::invalid_argument("one at-the-money volatility, skew, curvature and two wings for each expiry");
    for (std::size_t expiry = 0; expiry < expiries_s_.size(); ++expiry) {
        std::array<double, parameters> values;
        for (std::size_t k = 0; k < parameters; ++k) values[k] = static_cast<double>(ppm_[k][expiry]) / 1000000.0;
        slices_.push_back(slice_of(values));
    }
    tried_.resize(slices_.size());
    years_.resize(slices_.size());
}

void Surface::apply(std::int64_t atm, std::int64_t skew, std::int64_t local_ns, std::int64_t minutes) {
    const std::int64_t moves[parameters] = {atm - ppm_[0][0], skew - ppm_[1][0], 0, 0, 0};
    std::size_t gone = 0;
    bool sound = true;
    for (std::size_t expiry = 0; expiry < slices_.size(); ++expiry) {
        std::array<double, parameters> values;
        for (std::size_t k = 0; k < parameters; ++k)
            values[k] = static_cast<double>(ppm_[k][expiry] + moves[k]) / 1000000.0;
        sound &= ppm_[0][expiry] + moves[0] > 0;
        tried_[expiry] = slice_of(values);
        const std::int64_t seconds = expiries_s_[expiry] - 60 * minutes;
        years_[expiry] = static_cast<double>(seconds) / 31536000.0;
        gone += seconds <= 0;
    }
    if (!sound || !free_of_arbitrage(tried_.data() + gone, years_.data() + gone, slices_.size() - gone)) {
        ++refused_;
        return;
    }
    for (std::size_t k = 0; k < 2; ++k)
        for (auto& value : ppm_[k]) value += moves[k];
    slices_.swap(tried_);
    ++version_;
    as_of_ns_ = local_ns;
}

}  // namespace pyorch
