// Independent fair values for the price collar; pyorch.trading.reference_value defines it.
#pragma once

#include <cstdint>
#include <utility>

#include "fair_shift.hpp"
#include "pricing.hpp"
#include "surface.hpp"

namespace pyorch {

class ReferenceValues {
   public:
    ReferenceValues(Pricer pricer, const Surface& surface, std::int64_t interval_ns, std::int64_t maximum_age_ns)
        : pricer_(std::move(pricer)), surface_(surface), interval_ns_(interval_ns), maximum_age_ns_(maximum_age_ns),
          lot_(pricer_.options()) {}

    bool used() const { return interval_ns_ > 0; }

    void trade(std::int64_t price_ticks, std::int64_t local_ns) {
        trade_ticks_ = price_ticks;
        trade_ns_ = local_ns;
    }

    // At every tick that may quote; whether any value is another than before.
    bool refresh(std::int64_t local_ns, std::int64_t minutes, const Surface& surface) {
        const bool old = maximum_age_ns_ > 0 && local_ns - trade_ns_ > maximum_age_ns_;
        const bool was_known = std::exchange(known_, trade_ticks_ > 0 && !old);
        const std::int64_t before_bp100 = moved_bp100_;
        if (!known_) return was_known;
        bool changed = !was_known;
        if (!priced_ || local_ns - priced_ns_ >= interval_ns_) {
            pricer_.price(surface_, 2 * trade_ticks_, minutes);
            pricer_.integers(lot_);
            priced_ = true;
            priced_ticks_ = trade_ticks_;
            priced_ns_ = local_ns;
            surface_ = surface;  // of the same size: nothing is allocated
            changed = true;
        }
        moved_bp100_ = (trade_ticks_ - priced_ticks_) * 1'000'000 / priced_ticks_;
        return changed || moved_bp100_ != before_bp100;
    }
    bool known() const { return known_; }
    std::int64_t nano(std::size_t option) const {
        return static_cast<std::int64_t>(lot_.below[option]) + shift_nano(moved_bp100_, lot_.greeks[0][option]);
    }
    // The values before the underlying moved by so much.
    const LotIntegers& lot() const { return lot_; }
    std::int64_t moved_bp100() const { return moved_bp100_; }

   private:
    Pricer pricer_;
    Surface surface_;
    std::int64_t interval_ns_, maximum_age_ns_;
    LotIntegers lot_;
    std::int64_t trade_ticks_ = 0, trade_ns_ = 0, priced_ticks_ = 0, priced_ns_ = 0, moved_bp100_ = 0;
    bool known_ = false, priced_ = false;
};

}  // namespace pyorch
