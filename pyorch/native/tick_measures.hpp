// What labels need of the book at each tick; its oracle stands in tests/unit/test_labels.py.
#pragma once

#include "features.hpp"

namespace pyorch {

class TickMeasures {
public:
    static constexpr std::int64_t distance_limit = std::int64_t{1} << 20;  // half-ticks

    TickMeasures(int near_levels, std::int64_t lots) : near_levels_(near_levels), lots_(lots) {}

    void update(const Book& book) {
        const std::int64_t mid = FeatureArithmetic::price(book.level(Side::bid, 0).price_ticks) +
                                 FeatureArithmetic::price(book.level(Side::ask, 0).price_ticks);
        for (const Side side : {Side::bid, Side::ask}) {
            const auto s = static_cast<std::size_t>(side);
            near_lots[s] = 0;
            for (int k = 0; k < std::min(near_levels_, book.depth(side)); ++k)
                near_lots[s] += FeatureArithmetic::quantity(book.level(side, k).quantity_lots);
            cost[s] = walk(book, side, mid);
        }
    }

    std::int64_t near_lots[2]{};  // within the best levels
    std::int64_t cost[2]{};       // half-ticks from the mid, times lots; -1: the side holds too little

private:
    std::int64_t walk(const Book& book, Side side, std::int64_t mid) const {
        std::int64_t left = lots_, sum = 0;
        for (int k = 0; k < book.depth(side) && left > 0; ++k) {
            const Level& level = book.level(side, k);
            const std::int64_t away = 2 * FeatureArithmetic::price(level.price_ticks) - mid;
            const std::int64_t distance = std::clamp<std::int64_t>(side == Side::ask ? away : -away, 0, distance_limit);
            const std::int64_t taken = std::min(left, FeatureArithmetic::quantity(level.quantity_lots));
            sum += distance * taken;
            left -= taken;
        }
        return left > 0 ? -1 : sum;
    }

    int near_levels_;
    std::int64_t lots_;
};

}  // namespace pyorch
