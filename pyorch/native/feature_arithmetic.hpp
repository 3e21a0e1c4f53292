// What streaming features are made of: logarithms, windows of time, moving averages.
//
// Twins: pyorch/features/arithmetic.py and pyorch/features/batch.py.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace pyorch {

// The tables and limits of pyorch.features.arithmetic, handed over by Python: one source.
struct FeatureArithmetic {
    std::array<std::int16_t, 256> log2_table{};
    std::vector<std::int32_t> micro_table;

    static constexpr std::int64_t price_limit = std::int64_t{1} << 40;
    static constexpr std::int64_t quantity_limit = (std::int64_t{1} << 40) - 1;
    static constexpr std::int64_t spread_limit = std::int64_t{1} << 20;
    static constexpr std::int64_t move_limit = std::int64_t{1} << 20;
    static constexpr std::int64_t log_limit = (std::int64_t{1} << 52) - 1;
    static constexpr std::int64_t basis_limit = std::int64_t{1} << 40;
    static constexpr std::int64_t surface_limit = std::int64_t{1} << 30;
    static constexpr int average_fraction = 8;

    std::int64_t log2(std::int64_t value) const {
        const auto clamped = static_cast<std::uint64_t>(std::clamp<std::int64_t>(value, 1, log_limit));
        const int position = 63 - std::countl_zero(clamped);
        const std::uint64_t mantissa = (clamped << (63 - position)) >> 55;  // the leading one and 8 bits
        return (static_cast<std::int64_t>(position) << 8) + log2_table[mantissa & 255];
    }

    std::int64_t soft_log(std::int64_t value, std::int64_t knee) const {
        const std::int64_t clamped = std::clamp(value, -log_limit, log_limit);
        const std::int64_t size = log2((std::int64_t{1} << knee) + (clamped < 0 ? -clamped : clamped)) - (knee << 8);
        return clamped < 0 ? -size : clamped > 0 ? size : 0;
    }

    std::int64_t micro_offset(std::int64_t spread, std::int64_t bid_lots, std::int64_t ask_lots) const {
        const std::int64_t ratio = log2(bid_lots) - log2(ask_lots);
        const auto last = static_cast<std::int64_t>(micro_table.size()) - 1;
        const std::int64_t share = micro_table[static_cast<std::size_t>(std::min(ratio < 0 ? -ratio : ratio, last))];
        return (spread * (ratio < 0 ? -share : share)) >> 7;
    }

    static std::int64_t price(std::int64_t ticks) { return std::clamp(ticks, -price_limit, price_limit); }
    static std::int64_t surface(std::int64_t ppm) { return std::clamp(ppm, -surface_limit, surface_limit); }
    static std::int64_t quantity(std::int64_t lots) { return std::clamp<std::int64_t>(lots, 0, quantity_limit); }
};

// Sum over the bucket of now and the seven before it. Unsigned: a sum that wraps differs back rightly.
class WindowSum {
public:
    void clear(std::int64_t bucket) {
        ring_.fill(0);
        total_ = 0;
        bucket_ = bucket;
    }
    std::int64_t at(std::int64_t bucket) {
        if (bucket - bucket_ >= 8) clear(bucket);
        while (bucket_ < bucket) {
            auto& slot = ring_[static_cast<std::size_t>(++bucket_ & 7)];
            total_ -= slot;
            slot = 0;
        }
        return static_cast<std::int64_t>(total_);
    }
    void add(std::int64_t bucket, std::int64_t value) {
        at(bucket);
        ring_[static_cast<std::size_t>(bucket & 7)] += static_cast<std::uint64_t>(value);
        total_ += static_cast<std::uint64_t>(value);
    }

private:
    std::array<std::uint64_t, 8> ring_{};
    std::uint64_t total_ = 0;
    std::int64_t bucket_ = 0;
};

// Moving average of a held value, sampled at the edges between buckets.
class EdgeAverage {
public:
    void begin(std::int64_t bucket, std::int64_t value) {
        bucket_ = bucket;
        held_ = average_ = value * (1 << FeatureArithmetic::average_fraction);
    }
    void advance(std::int64_t bucket, int shift) {
        std::int64_t steps = bucket - bucket_;
        bucket_ = bucket;
        for (std::int64_t change; steps > 0 && (change = (held_ - average_) >> shift) != 0; --steps) average_ += change;
    }
    void hold(std::int64_t value) { held_ = value * (1 << FeatureArithmetic::average_fraction); }
    std::int64_t average() const { return average_; }
    std::int64_t held() const { return held_ >> FeatureArithmetic::average_fraction; }

private:
    std::int64_t average_ = 0;
    std::int64_t held_ = 0;
    std::int64_t bucket_ = 0;
};

}  // namespace pyorch
