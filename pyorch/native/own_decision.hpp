// The loop's decision of a tick in the words of a card that decides, and a tick record's columns about rules and who answered.
#pragma once

#include <cstdint>
#include <vector>

#include "decision_pair.hpp"
#include "journal.hpp"
#include "policy.hpp"

namespace pyorch {

// `record` has the tick's flags and scores already. Rules of caution are none that a card has.
inline OwnDecision own_decision(const std::vector<Rule>& rules, const Adjustment& found, const TickRecord& record, bool first,
                                int outputs) {
    std::uint32_t shared = 0xFFFF;
    for (std::size_t r = 0; r < rules.size(); ++r)
        if (rules[r].caution) shared &= ~(std::uint32_t{1} << r);
    const Effect effect = effect_of(rules, found.active & shared, 0);
    const auto at = [](std::int64_t value, int place) { return static_cast<std::uint64_t>(value) << place; };
    OwnDecision own;
    own.tick = record.tick;
    own.row = record.row;
    own.effect = at(effect.extra_down_bp100, 0) | at(effect.extra_up_bp100, 20) | at(effect.size_down_percent, 40) |
                 at(effect.size_up_percent, 47) | at((record.flags & tick_book_valid) != 0, 54) |
                 at((record.flags & tick_model_valid) != 0, 55) | at((record.flags & tick_warm) != 0, 56) | at(first, 57);
    own.rules = (found.fired & shared) | at(found.active & shared, 16) | at(found.forecast_bp100, 32);
    own.outputs = outputs;
    for (int k = 0; k < outputs; ++k) own.scores[k] = record.scores[k];
    return own;
}

inline void say(TickRecord& record, const Adjustment& adjustment) {
    record.fired = adjustment.fired;
    record.active = adjustment.active;
    record.extra_down_bp100 = adjustment.extra_down_bp100;
    record.extra_up_bp100 = adjustment.extra_up_bp100;
    record.size_down_percent = adjustment.size_down_percent;
    record.size_up_percent = adjustment.size_up_percent;
    record.forecast_bp100 = adjustment.forecast_bp100;
}

inline void say(TickRecord& record, const Answer& answer) {
    record.answered_by = static_cast<std::uint8_t>(answer.by);
    record.assurance = static_cast<std::uint8_t>(answer.assurance);
    record.late = answer.late;
    record.inexact = answer.inexact;
    record.answer_ns = answer.ns;
}

}  // namespace pyorch
