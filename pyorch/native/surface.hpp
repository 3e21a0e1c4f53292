// The volatility surface, an SVI slice an expiry; pyorch.trading.surface defines it, double for double.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pyorch {

struct SurfaceSlice {
    double level = 0, slope = 0, tilt = 0, centre = 0, round = 0;

    // Variance a year at y = ln(K/F) / sqrt(years).
    double variance(double y) const {
        const double z = y - centre;
        return level + slope * (tilt * z + std::sqrt(z * z + round * round));
    }
    double volatility(double y) const {
        double v = variance(y);
        v = v > 0.0001 ? v : 0.0001;
        return std::sqrt(v < 25.0 ? v : 25.0);
    }
    // Gatheral's g: negative where butterflies have a negative price.
    double density(double years, double y) const;
};

// Parameters in the order of pyorch.trading.surface.PARAMETERS, not in 1e-6.
SurfaceSlice slice_of(const std::array<double, 5>& parameters);

// Slices of living expiries in rising order.
bool free_of_arbitrage(const SurfaceSlice* slices, const double* years, std::size_t expiries);

class Surface {
   public:
    static constexpr std::size_t parameters = 5;
    using ParametersPpm = std::array<std::vector<std::int64_t>, parameters>;  // [parameter][expiry]

    Surface() = default;
    // Throws std::invalid_argument: not one value of each for every expiry.
    Surface(ParametersPpm parameters_ppm, std::vector<std::int64_t> expiries_s, std::int64_t as_of_ns);

    // A row states the first expiry's parameters; the others keep their distance to it. A row that would make
    // arbitrage is not taken.
    void apply(std::int64_t atm, std::int64_t skew, std::int64_t local_ns, std::int64_t minutes);
    bool stale(std::int64_t local_ns, std::int64_t maximum_age_ns) const {
        return version_ + refused_ > 0 && local_ns - as_of_ns_ > maximum_age_ns;
    }

    std::int64_t atm_ppm() const { return ppm_[0][0]; }
    std::int64_t skew_ppm() const { return ppm_[1][0]; }
    std::uint32_t version() const { return version_; }
    std::uint32_t refused() const { return refused_; }
    std::size_t expiries() const { return expiries_s_.size(); }
    const SurfaceSlice& slice(std::size_t expiry) const { return slices_[expiry]; }

   private:
    ParametersPpm ppm_;
    std::vector<std::int64_t> expiries_s_;
    std::vector<SurfaceSlice> slices_, tried_;
    std::vector<double> years_;
    std::int64_t as_of_ns_ = 0;
    std::uint32_t version_ = 0, refused_ = 0;
};

}  // namespace pyorch
