// The quoting policy in integers; pyorch.trading.policy defines it.
#pragma once

#include <cstdint>
#include <vector>

#include "fair_shift.hpp"

namespace pyorch {

inline constexpr std::int64_t all_expiries = 1 << 16;

struct Rule {
    bool armed = false, endangered_down = false, both_sides = true;
    std::vector<int> outputs;
    std::vector<std::int64_t> thresholds, releases;
    std::int32_t widen_bp100 = 0, size_percent = 100;
    std::int64_t dwell_ns = 0;
    std::int64_t reach = all_expiries;  // so many expiries, the nearest first
    bool caution = false;               // fires where the answer is inexact, unverified or late
};

// What acting rules do to the quotes of an expiry.
struct Effect {
    std::int32_t extra_down_bp100 = 0, extra_up_bp100 = 0, size_down_percent = 100, size_up_percent = 100;
};

// The largest addition and deepest cut of the rules in `active` that reach the expiry.
inline Effect effect_of(const std::vector<Rule>& rules, std::uint32_t active, std::int64_t expiry) {
    Effect result;
    for (std::size_t r = 0; r < rules.size(); ++r) {
        const Rule& rule = rules[r];
        if ((active >> r & 1) == 0 || expiry >= rule.reach) continue;
        if (rule.both_sides || rule.endangered_down) {
            if (rule.widen_bp100 > result.extra_down_bp100) result.extra_down_bp100 = rule.widen_bp100;
            if (rule.size_percent < result.size_down_percent) result.size_down_percent = rule.size_percent;
        }
        if (rule.both_sides || !rule.endangered_down) {
            if (rule.widen_bp100 > result.extra_up_bp100) result.extra_up_bp100 = rule.widen_bp100;
            if (rule.size_percent < result.size_up_percent) result.size_up_percent = rule.size_percent;
        }
    }
    return result;
}

// The nearest expiry's effect, and what caused it.
struct Adjustment : Effect {
    std::uint32_t fired = 0, active = 0;
    std::int32_t forecast_bp100 = 0;
    std::uint32_t limited = 0;  // of the acting rules those that do not reach all expiries

    // Whether the quotes come out the same; which rules caused it does not matter.
    bool same_effect(const Adjustment& o) const {
        return extra_down_bp100 == o.extra_down_bp100 && extra_up_bp100 == o.extra_up_bp100 &&
               size_down_percent == o.size_down_percent && size_up_percent == o.size_up_percent &&
               forecast_bp100 == o.forecast_bp100 && limited == o.limited;
    }
};

class Policy {
   public:
    Policy(std::vector<Rule> rules, const FairShift& shift)
        : rules_(std::move(rules)), shift_(shift), until_ns_(rules_.size(), 0) {
        for (std::size_t r = 0; r < rules_.size(); ++r)
            limited_ |= static_cast<std::uint32_t>(rules_[r].reach < all_expiries) << r;
    }

    const std::vector<Rule>& rules() const { return rules_; }

    void reset() {
        for (auto& until : until_ns_) until = 0;
        forecast_bp100_ = 0;
    }

    Adjustment decide(const std::int64_t* scores, std::int64_t local_ns, bool cautious = false) {
        Adjustment result;
        for (std::size_t r = 0; r < rules_.size(); ++r) {
            const Rule& rule = rules_[r];
            if (!rule.armed) continue;
            bool fires = cautious || !rule.caution, releases = fires;
            for (std::size_t k = 0; k < rule.outputs.size(); ++k) {
                const std::int64_t score = scores[rule.outputs[k]];
                fires &= score >= rule.thresholds[k];
                releases &= score >= rule.releases[k];
            }
            const bool acting = local_ns < until_ns_[r];
            if (fires || (acting && releases)) until_ns_[r] = local_ns + rule.dwell_ns;
            result.fired |= static_cast<std::uint32_t>(fires) << r;
            result.active |= static_cast<std::uint32_t>(fires || acting) << r;
        }
        static_cast<Effect&>(result) = effect_of(rules_, result.active, 0);
        result.limited = result.active & limited_;
        forecast_bp100_ = shift_.next_bp100(forecast_bp100_, scores);
        result.forecast_bp100 = static_cast<std::int32_t>(forecast_bp100_);
        return result;
    }

   private:
    std::vector<Rule> rules_;
    FairShift shift_;
    std::int64_t forecast_bp100_ = 0;
    std::vector<std::int64_t> until_ns_;
    std::uint32_t limited_ = 0;
};

}  // namespace pyorch
