// Python bindings of a card that decides on market events, with the tick loop as its shadow.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "decision_pair.hpp"
#include "quoting_drain.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using pyorch::DecisionPair;
using pyorch::SimulatedEventCard;

namespace {

std::vector<pyorch::PlannedEventFault> planned(const std::vector<std::pair<std::int64_t, int>>& plan) {
    std::vector<pyorch::PlannedEventFault> faults;
    for (const auto& [frame, fault] : plan) {
        if (fault < 0 || fault > static_cast<int>(pyorch::EventFault::flip)) throw nb::value_error("no such fault");
        faults.push_back({frame, static_cast<pyorch::EventFault>(fault)});
    }
    return faults;
}

template <typename Function>
Function at(std::uintptr_t address) {
    return reinterpret_cast<Function>(address);
}

std::map<std::string, std::int64_t> counts_of(const DecisionPair& pair) {
    const pyorch::FailoverCounts& c = pair.counts();
    std::map<std::string, std::int64_t> found{
        {"ticks", c.ticks},       {"by_card", c.by_card},       {"by_shadow", c.by_shadow},
        {"compared", c.compared}, {"hand_overs", c.hand_overs}, {"cautious", c.cautious},
        {"incidents_lost", c.incidents_lost}};
    const char* names[] = {"opened", "clean", "late", "hung", "error", "wrong", "identity", "stuck", "silent", "retry"};
    for (int k = 0; k < 10; ++k) found[names[k]] = c.incidents[k];
    return found;
}

}  // namespace

void bind_decision_pair(nb::module_& module) {
    nb::class_<pyorch::EventCard>(module, "EventCard", "A card that takes market events and gives decision words.");
    nb::class_<SimulatedEventCard, pyorch::EventCard>(module, "SimulatedEventCard", "A Verilated feature path.")
        .def(
            "__init__",
            [](SimulatedEventCard* self, std::uintptr_t path, std::uintptr_t offer, std::uintptr_t take,
               std::uintptr_t reset, std::uintptr_t read, std::uint64_t format_digest, pyorch::TickClock& clock,
               const std::vector<std::pair<std::int64_t, int>>& faults, std::int64_t slow_ns) {
                using C = SimulatedEventCard;
                new (self) C({reinterpret_cast<void*>(path), at<C::Offer>(offer), at<C::Take>(take), at<C::Reset>(reset),
                              at<C::Read>(read)},
                             format_digest, clock, planned(faults), slow_ns);
            },
            nb::kw_only(), "path"_a, "offer"_a, "take"_a, "reset"_a, "read"_a, "format_digest"_a, "clock"_a, "faults"_a,
            "slow_ns"_a, nb::keep_alive<1, 8>(),
            "path and functions: addresses. faults: (frame, fault) as in sim.event_faults. The digest: its first 64 bits.")
        .def_prop_ro("struck", &SimulatedEventCard::struck, "Faults that have struck.");
    nb::class_<DecisionPair>(module, "DecisionPair", "A card that decides, and the tick loop as its shadow in lockstep.")
        .def(
            "__init__",
            [](DecisionPair* self, pyorch::EventCard& card, pyorch::TickClock& clock, std::uint64_t model_digest,
               std::uint64_t policy_digest, int instruments, std::int64_t deadline_ns, std::int64_t patience_ns,
               std::int64_t hung_ns, std::int64_t retry_ns, std::int64_t most_retry_ns, int probation_ticks) {
                pyorch::FailoverTerms terms;
                terms.deadline_ns = deadline_ns;
                terms.patience_ns = patience_ns;
                terms.hung_ns = hung_ns;
                terms.retry_ns = retry_ns;
                terms.most_retry_ns = most_retry_ns;
                terms.probation_ticks = probation_ticks;
                new (self) DecisionPair(card, clock, terms, {model_digest, policy_digest}, instruments, 1 << 16);
            },
            nb::kw_only(), "card"_a, "clock"_a, "model_digest"_a, "policy_digest"_a, "instruments"_a, "deadline_ns"_a,
            "patience_ns"_a, "hung_ns"_a, "retry_ns"_a, "most_retry_ns"_a, "probation_ticks"_a, nb::keep_alive<1, 2>(),
            nb::keep_alive<1, 3>(), "Times in ns of the clock; docs/failover.md says what each is.")
        .def_prop_ro("state", [](const DecisionPair& p) { return static_cast<int>(p.state()); }, "Of the card; of a finished loop.")
        .def_prop_ro("counts", &counts_of, "Of a finished loop.")
        .def("drain", [](DecisionPair& p) { return pyorch::take(p.records(), p.records().readable()); },
             "Decisions so far as bytes of pyorch.trading.decisions.DECISION_RECORD_DTYPE.")
        .def("drain_incidents", [](DecisionPair& p) { return pyorch::take(p.incidents(), p.incidents().readable()); },
             "As bytes of pyorch.inference.failover.native.INCIDENT_DTYPE.");
}
