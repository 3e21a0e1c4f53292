// The states of a card beside its shadow, what can befall it, and what it is allowed: docs/failover.md. The table is
// pyorch.inference.failover.states' (compared in the tests).
#pragma once

#include <cstdint>
#include <stdexcept>

namespace pyorch {

enum class CardState : std::uint8_t { opening, probation, healthy, failed };
enum class Incident : std::uint8_t { opened, clean, late, hung, error, wrong, identity, stuck, silent, retry };

// The next state, or -1: such an incident cannot befall a card in this state.
constexpr int state_after(CardState state, Incident incident) {
    const auto is = [](CardState s) { return static_cast<int>(s); };
    switch (incident) {
        case Incident::opened: return state == CardState::opening ? is(CardState::probation) : -1;
        case Incident::retry: return state == CardState::failed ? is(CardState::opening) : -1;
        case Incident::clean: return state == CardState::probation ? is(CardState::healthy) : -1;
        case Incident::late:
            return state == CardState::probation || state == CardState::healthy ? is(CardState::probation) : -1;
        case Incident::error:
        case Incident::hung: return state != CardState::failed ? is(CardState::failed) : -1;
        default: break;
    }
    return state == CardState::probation || state == CardState::healthy ? is(CardState::failed) : -1;
}

// Twin of pyorch.inference.failover.settings.FailoverSettings in mode `passive`, times in ns.
struct FailoverTerms {
    std::int64_t deadline_ns = 1'000'000, patience_ns = 500'000, hung_ns = 20'000'000;
    std::int64_t heartbeat_ns = 100'000'000, retry_ns = 1'000'000'000, most_retry_ns = 60'000'000'000;
    int every = 1, checkpoint_ticks = 64, probation_ticks = 256;

    void check() const {
        if (every < 1 || every > checkpoint_ticks || probation_ticks < 1)
            throw std::invalid_argument("every lies between 1 and checkpoint_ticks, probation_ticks above 0");
        if (patience_ns <= 0 || deadline_ns <= patience_ns || hung_ns <= deadline_ns)
            throw std::invalid_argument("patience_ns, deadline_ns, hung_ns must rise, above 0");
    }
};

struct FailoverCounts {
    std::int64_t ticks = 0, by_card = 0, by_shadow = 0, by_arbiter = 0, compared = 0, late_answers = 0, cautious = 0;
    std::int64_t hand_overs = 0, wrong_used = 0, shadow_repaired = 0, checkpoints = 0, arbitrated = 0, incidents_lost = 0;
    std::int64_t incidents[10]{};  // by Incident
};

// `shadow`: the card is right, the shadow had gone wrong and was given the right state.
struct IncidentRecord {
    std::int64_t sequence, at_ns;
    std::uint8_t incident, state, shadow, unused[5];
};
static_assert(sizeof(IncidentRecord) == 24);

}  // namespace pyorch
