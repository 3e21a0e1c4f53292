// What the quoting path is told once, before it runs; pyorch.trading.plan.QuotingPlan defines it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "fix.hpp"
#include "journal.hpp"
#include "policy.hpp"
#include "quoting.hpp"
#include "risk.hpp"
#include "stated_answer.hpp"
#include "surface.hpp"

namespace pyorch {

struct QuotingSettings {
    std::vector<std::int64_t> strikes_usd, expiries_s;
    int rights = 2;
    double half_tick_usd = 1;
    Surface::ParametersPpm surface_ppm;
    std::int64_t maximum_surface_age_ns = 0;
    std::vector<Rule> rules;
    FairShift fair_shift;
    InventorySkew inventory;
    std::int32_t base_half_spread_bp100 = 0;
    Terms terms;
    Limits limits;
    FixIdentity fix;
    std::vector<std::string> targets;  // per venue, TargetCompID; empty: the identity's, one venue
    AnswerSource answers = AnswerSource::engines;
    bool stop_when_full = false;       // full rings stop quoting; otherwise they hold the tick back
    int features = 1, outputs = 1;
    std::vector<int> probability_outputs;
    std::int64_t warm_up_ticks = 0, origin_ns = 0;
    std::int32_t cold_bp100 = 0;       // extra on both sides before warm-up, without the model; 0: no quotes then
    std::string kernel;                // of pricing and quoting, as quote_kernels names them; empty: the widest
    std::size_t tick_ring = 1 << 12, quote_ring = 1 << 14, fix_ring = 1 << 22;

    std::size_t venues() const { return std::max<std::size_t>(targets.size(), 1); }

    // Throws std::invalid_argument; options: of the universe.
    void check(std::size_t options) const {
        if (features < 1 || features > maximum_features || outputs < 1 || outputs > maximum_outputs)
            throw std::invalid_argument("a journal record holds 1 to 32 features and 1 to 16 outputs");
        if (fix.symbols.size() != options || limits.positions_lots.size() != options)
            throw std::invalid_argument("one symbol and one position for each option");
        if (limits.venues.size() != options) throw std::invalid_argument("one venue for each option");
        for (const std::uint32_t venue : limits.venues)
            if (venue >= venues()) throw std::invalid_argument("an option's venue is out of range");
        if (rules.size() > 32) throw std::invalid_argument("at most 32 rules");
        for (const Rule& rule : rules) {
            if (rule.reach < 1) throw std::invalid_argument("a rule reaches the nearest expiry at least");
            if (rule.outputs.size() != rule.thresholds.size() || rule.outputs.size() != rule.releases.size())
                throw std::invalid_argument("one threshold and one release for each condition");
            for (const int output : rule.outputs)
                if (output < 0 || output >= outputs) throw std::invalid_argument("a rule's output is out of range");
        }
        if (inventory.delta_scale_lots < 1 || inventory.position_scale_lots < 1)
            throw std::invalid_argument("the scales of the inventory's skew are 1 lot or more");
        for (const int output : {fair_shift.up, fair_shift.down})
            if (output < 0 || output >= outputs) throw std::invalid_argument("a forecast's output is out of range");
        for (const int output : probability_outputs)
            if (output < 0 || output >= outputs) throw std::invalid_argument("a probability's output is out of range");
    }
};

}  // namespace pyorch
