// Where fair value is quoted from: forecast and inventory, in integers; pyorch.trading.fair_shift defines it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace pyorch {

struct FairShift {
    int up = 0, down = 0;
    std::int64_t move_bp100 = 0, deadband = 0, maximum_bp100 = 0, step_bp100 = 0;
    bool armed = false;

    std::int64_t next_bp100(std::int64_t current, const std::int64_t* scores) const {
        std::int64_t raw = 0;
        const std::int64_t edge = armed ? scores[up] - scores[down] : 0;
        if (armed && std::abs(edge) >= deadband)
            raw = std::clamp(move_bp100 * edge / 32768, -maximum_bp100, maximum_bp100);
        return raw != 0 && std::abs(raw - current) < step_bp100 ? current : raw;
    }
};

struct InventorySkew {
    std::int64_t delta_skew_bp100 = 0, delta_scale_lots = 1, position_skew_bp100 = 0, position_scale_lots = 1;

    // held: sum of position (lots) times delta (1e-6).
    std::int64_t underlying_bp100(std::int64_t held) const {
        const std::int64_t scale = delta_scale_lots * 1'000'000;
        return -(delta_skew_bp100 * std::clamp(held, -scale, scale) / scale);
    }
    std::int64_t own_nano(std::int64_t position_lots) const {
        const std::int64_t scale = position_scale_lots;
        return -(position_skew_bp100 * 1000 * std::clamp(position_lots, -scale, scale) / scale);
    }
};

inline std::int64_t delta_ppm(double delta) { return static_cast<std::int64_t>(std::floor(delta * 1e6 + 0.5)); }
inline std::int64_t shift_nano(std::int64_t underlying_bp100, std::int64_t delta) {
    return underlying_bp100 * delta * 1000 / 1'000'000;
}

}  // namespace pyorch
