// The adjustment as it applies to each option, kept until something about it changes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "policy.hpp"
#include "pricing.hpp"
#include "quote_columns.hpp"
#include "quote_terms.hpp"
#include "risk.hpp"

namespace pyorch {

// An operator's; 0 none.
struct Orders {
    std::int64_t widen_bp100, size_cap_lots;
};

class Protections {
   public:
    Protections(std::size_t options, std::size_t venues)
        : guards_(options), quotable_(options), extra_{quotable_, quotable_}, lots_{quotable_, quotable_} {
        known_.reserve(16 + options + venues);
        now_.reserve(16 + options + venues);
    }

    const Guard& guard(std::size_t option) const { return guards_[option]; }
    const std::int64_t* quotable() const { return quotable_.data(); }  // -1, or 0 where nothing is quoted
    const std::int64_t* extra(std::size_t side) const { return extra_[side].data(); }
    const std::int64_t* lots(std::size_t side) const { return lots_[side].data(); }
    bool any_extra() const { return any_extra_; }

    // rules: the policy's, for those of limited reach; down: per venue.
    void refresh(const Pricer& pricer, std::int64_t minutes, const Adjustment& adjustment, const std::vector<Rule>& rules,
                 const Terms& terms, const Orders& orders, const std::vector<std::uint8_t>& down, const RiskGate& gate) {
        now_.clear();
        for (const std::int64_t value :
             {std::int64_t{adjustment.extra_down_bp100}, std::int64_t{adjustment.extra_up_bp100},
              std::int64_t{adjustment.size_down_percent}, std::int64_t{adjustment.size_up_percent},
              std::int64_t{adjustment.limited}, adjustment.limited == 0 ? 0 : std::int64_t{adjustment.active},
              orders.widen_bp100, orders.size_cap_lots})
            now_.push_back(value);
        for (std::size_t expiry = 0; expiry < pricer.expiries(); ++expiry)
            now_.push_back(pricer.has_expired(expiry, minutes));
        now_.insert(now_.end(), down.begin(), down.end());
        if (now_ == known_) return;
        known_.swap(now_);
        any_extra_ = false;
        for (std::size_t expiry = 0; expiry < pricer.expiries(); ++expiry) {
            const Effect effect = adjustment.limited == 0
                                      ? static_cast<const Effect&>(adjustment)
                                      : effect_of(rules, adjustment.active, static_cast<std::int64_t>(expiry));
            const OfRight rights[] = {{effect, false, terms, orders}, {effect, true, terms, orders}};
            const bool gone = pricer.has_expired(expiry, minutes);
            const std::size_t first = expiry * pricer.options_an_expiry();
            for (std::size_t option = first; option < first + pricer.options_an_expiry(); ++option) {
                const OfRight& of = rights[pricer.is_put(option)];
                guards_[option] = of.guard;
                quotable_[option] = gone || down[gate.exposures.venue(option)] ? 0 : -1;
                for (const std::size_t side : {0, 1}) {
                    extra_[side][option] = of.extra[side];
                    lots_[side][option] = of.lots[side];
                    any_extra_ |= of.extra[side] > 0;
                }
            }
        }
    }

   private:
    struct OfRight {
        Guard guard;
        std::int64_t extra[2], lots[2];  // [bid, ask]

        OfRight(const Effect& effect, bool is_put, const Terms& terms, const Orders& orders)
            : guard(Guard::of(effect, is_put)) {
            guard.bid_bp100 = std::max(guard.bid_bp100, orders.widen_bp100);
            guard.ask_bp100 = std::max(guard.ask_bp100, orders.widen_bp100);
            for (const int side : {0, 1}) {
                extra[side] = guard.extra_nano(side);
                lots[side] = guard.lots(terms, side);
                if (orders.size_cap_lots > 0) lots[side] = std::min(lots[side], orders.size_cap_lots);
            }
        }
    };

    std::vector<Guard> guards_;
    Integers quotable_;
    std::array<Integers, 2> extra_, lots_;  // [bid, ask]
    bool any_extra_ = false;
    std::vector<std::int64_t> known_, now_;
};

}  // namespace pyorch
