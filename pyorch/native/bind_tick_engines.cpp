// Python bindings of what answers the tick loop: the native engine, a card's client, both as a pair.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "fabric_client.hpp"
#include "failover_engine.hpp"
#include "quoting_drain.hpp"
#include "software_card.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using pyorch::FailoverEngine;

namespace {

using Model = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Vectors = nb::ndarray<const std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Logits = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using SimulatedClient = pyorch::FabricClient<pyorch::FaultyBus<pyorch::SimulatedBus>>;
using SoftwareClient = pyorch::FabricClient<pyorch::FaultyBus<pyorch::SoftwareCard>>;
using MappedClient = pyorch::FabricClient<pyorch::MappedBus>;
using Plan = std::vector<std::pair<std::int64_t, int>>;

pyorch::LstmModel read_model(const Model& model) { return pyorch::LstmModel::read(model.data(), model.size()); }

std::vector<pyorch::PlannedFault> planned(const Plan& plan) {
    std::vector<pyorch::PlannedFault> faults;
    for (const auto& [doorbell, fault] : plan) {
        if (fault < 0 || fault > static_cast<int>(pyorch::Fault::silent)) throw nb::value_error("no such fault");
        faults.push_back({doorbell, static_cast<pyorch::Fault>(fault)});
    }
    return faults;
}

void bind_clocks(nb::module_& module) {
    nb::class_<pyorch::TickClock>(module, "TickClock", "Time as the tick thread's failover sees it.")
        .def_prop_ro("now_ns", &pyorch::TickClock::now_ns);
    nb::class_<pyorch::CoreClock, pyorch::TickClock>(module, "CoreClock", "The core's cycle counter.").def(nb::init<>());
    nb::class_<pyorch::SimulatedClock, pyorch::TickClock>(module, "SimulatedClock", "A simulated fabric's cycles.")
        .def(nb::init<std::uintptr_t, std::uintptr_t, std::uintptr_t, double, std::uint64_t>(), "fabric"_a, "cycles"_a,
             "run"_a, "cycle_ns"_a, "gap_cycles"_a, "Addresses as SimulatedFabricClient's; cycles from tick to tick.");
    nb::class_<pyorch::ManualClock, pyorch::TickClock>(module, "ManualClock", "Moves when it is told to.")
        .def(nb::init<std::int64_t>(), "gap_ns"_a, "gap_ns: passes between two ticks.")
        .def("advance", &pyorch::ManualClock::advance, "ns"_a);
}

void bind_clients(nb::module_& module) {
    nb::class_<pyorch::TickEngine>(module, "TickEngine", "What the tick loop asks of an engine.");
    nb::class_<pyorch::LstmTickEngine, pyorch::TickEngine>(module, "LstmTickEngine", "The native LSTM in the tick loop.")
        .def(nb::init<pyorch::LstmEngine&>(), "engine"_a, nb::keep_alive<1, 2>());
    nb::class_<pyorch::TableTickEngine, pyorch::TickEngine>(module, "TableTickEngine",
                                                            "Answers made beforehand, one a tick.")
        .def(
            "__init__",
            [](pyorch::TableTickEngine* self, int features, const Logits& scores) {
                const int outputs = static_cast<int>(scores.shape(1));
                new (self) pyorch::TableTickEngine(features, outputs,
                                                   {scores.data(), scores.data() + scores.size()});
            },
            "features"_a, "scores"_a, "scores: int64 [ticks, outputs]; logits are the same.");
    nb::class_<pyorch::Card, pyorch::TickEngine>(module, "Card", "A device beside the processor that answers ticks.");
    nb::class_<SimulatedClient, pyorch::Card>(module, "SimulatedFabricClient", "A simulated fabric's mailbox.")
        .def(
            "__init__",
            [](SimulatedClient* self, const Model& model, std::uintptr_t fabric, std::uintptr_t write,
               std::uintptr_t read, int input_lane, int output_lane, int polls, std::uint64_t format_digest,
               std::uint64_t model_digest, pyorch::TickClock& clock, const Plan& faults, std::int64_t slow_ns,
               int failing_resets) {
                new (self) SimulatedClient({pyorch::SimulatedBus(fabric, write, read), clock, planned(faults), slow_ns,
                                            failing_resets},
                                           read_model(model), input_lane, output_lane, polls, format_digest, model_digest);
            },
            nb::kw_only(), "model"_a, "fabric"_a, "write"_a, "read"_a, "input_lane"_a, "output_lane"_a, "polls"_a,
            "format_digest"_a, "model_digest"_a, "clock"_a, "faults"_a, "slow_ns"_a, "failing_resets"_a,
            nb::keep_alive<1, 11>(),
            "fabric, write, read: addresses of the simulation and of its functions. digests: their first 64 bits. "
            "faults: (doorbell, fault) as in sim.native_faults.")
        .def_prop_ro("struck", [](SimulatedClient& c) { return c.bus().struck(); }, "Faults that have struck.");
    nb::class_<SoftwareClient, pyorch::Card>(module, "SoftwareCard", "A card in software that fails on command, and its client.")
        .def(
            "__init__",
            [](SoftwareClient* self, const Model& model, const Model& broken, pyorch::ManualClock& clock,
               std::int64_t access_ns, std::int64_t tick_ns, const Plan& faults, std::int64_t slow_ns, int failing_resets) {
                constexpr std::uint64_t format = 0x0123456789abcdef, digest = 0xfedcba9876543210;
                pyorch::SoftwareCard card(read_model(model), read_model(broken), clock, access_ns, tick_ns, format, digest);
                new (self) SoftwareClient({std::move(card), clock, planned(faults), slow_ns, failing_resets},
                                          read_model(model), 16, 32, 1 << 20, format, digest);
            },
            nb::kw_only(), "model"_a, "broken"_a, "clock"_a, "access_ns"_a, "tick_ns"_a, "faults"_a, "slow_ns"_a,
            "failing_resets"_a, nb::keep_alive<1, 4>(),
            "broken: what the fault `weight` turns the model into. access_ns: of a register.")
        .def_prop_ro("struck", [](SoftwareClient& c) { return c.bus().struck(); }, "Faults that have struck.");
    nb::class_<MappedClient, pyorch::Card>(module, "MappedFabricClient", "A card's mailbox.")
        .def(
            "__init__",
            [](MappedClient* self, const Model& model, std::uintptr_t base, int input_lane, int output_lane, int polls,
               std::uint64_t format_digest, std::uint64_t model_digest) {
                new (self) MappedClient(pyorch::MappedBus(base), read_model(model), input_lane, output_lane, polls,
                                        format_digest, model_digest);
            },
            nb::kw_only(), "model"_a, "base"_a, "input_lane"_a, "output_lane"_a, "polls"_a, "format_digest"_a,
            "model_digest"_a, "base: address at which the registers are mapped.");
}

std::map<std::string, std::int64_t> counts_of(const FailoverEngine& engine) {
    const pyorch::FailoverCounts& c = engine.counts();
    std::map<std::string, std::int64_t> found{
        {"ticks", c.ticks}, {"by_card", c.by_card}, {"by_shadow", c.by_shadow}, {"by_arbiter", c.by_arbiter},
        {"compared", c.compared}, {"late_answers", c.late_answers}, {"cautious", c.cautious},
        {"hand_overs", c.hand_overs}, {"wrong_used", c.wrong_used}, {"shadow_repaired", c.shadow_repaired},
        {"checkpoints", c.checkpoints}, {"arbitrated", c.arbitrated}, {"incidents_lost", c.incidents_lost}};
    const char* names[] = {"opened", "clean", "late", "hung", "error", "wrong", "identity", "stuck", "silent", "retry"};
    for (int k = 0; k < 10; ++k) found[names[k]] = c.incidents[k];
    return found;
}

// (logits, scores, by, assurance, late, ns) of one tick, which is then prepared for the next.
auto step(FailoverEngine& engine, const Vector& features) {
    if (static_cast<int>(features.size()) != engine.features())
        throw nb::value_error("another number of values than the model takes");
    engine.step(features.data());
    const auto answer = engine.answer();
    std::vector<std::int64_t> logits(engine.logits(), engine.logits() + engine.outputs());
    std::vector<std::int64_t> scores(engine.scores(), engine.scores() + engine.outputs());
    engine.prepare();
    return std::tuple{std::move(logits), std::move(scores), static_cast<int>(answer.by),
                      static_cast<int>(answer.assurance), answer.late, answer.ns};
}

// Many ticks [n][F], each prepared: logits [n][O], by, assurance, late, ns [n].
auto run(FailoverEngine& engine, const Vectors& features) {
    if (static_cast<int>(features.shape(1)) != engine.features())
        throw nb::value_error("another number of values than the model takes");
    const std::size_t n = features.shape(0), outputs = static_cast<std::size_t>(engine.outputs());
    std::vector<std::int64_t> logits(n * outputs), answers(4 * n);
    {
        nb::gil_scoped_release unlocked;
        for (std::size_t t = 0; t < n; ++t) {
            engine.step(features.data() + t * features.shape(1));
            std::copy_n(engine.logits(), outputs, logits.data() + t * outputs);
            const auto answer = engine.answer();
            const std::int64_t about[] = {static_cast<std::int64_t>(answer.by), static_cast<std::int64_t>(answer.assurance),
                                          answer.late, answer.ns};
            std::copy_n(about, 4, answers.data() + 4 * t);
            engine.prepare();
        }
    }
    const auto array = [](std::vector<std::int64_t>&& from, std::size_t rows, std::size_t columns) {
        auto* kept = new std::vector<std::int64_t>(std::move(from));
        nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
        return nb::ndarray<nb::numpy, std::int64_t>(kept->data(), {rows, columns}, owner);
    };
    return std::pair{array(std::move(logits), n, outputs), array(std::move(answers), n, 4)};
}

void bind_failover(nb::module_& module) {
    module.def("state_after", [](int state, int incident) {
        if (state < 0 || state > 3 || incident < 0 || incident > 9) throw nb::value_error("no such state or incident");
        return pyorch::state_after(static_cast<pyorch::CardState>(state), static_cast<pyorch::Incident>(incident));
    }, "state"_a, "incident"_a, "The next state of a card, or -1: it cannot befall it. Numbers in the order of the enumerations.");
    nb::class_<FailoverEngine, pyorch::TickEngine>(module, "FailoverEngine", "A card with the native engine as its hot shadow.")
        .def(
            "__init__",
            [](FailoverEngine* self, pyorch::Card& card, pyorch::LstmEngine& shadow, pyorch::LstmEngine& arbiter,
               pyorch::TickClock& clock, const Model& model, const Vectors& golden_features, const Logits& golden_logits,
               std::int64_t deadline_ns, std::int64_t patience_ns, std::int64_t hung_ns, std::int64_t heartbeat_ns,
               std::int64_t retry_ns, std::int64_t most_retry_ns, int every, int checkpoint_ticks, int probation_ticks) {
                const pyorch::FailoverTerms terms{deadline_ns, patience_ns, hung_ns, heartbeat_ns, retry_ns,
                                                  most_retry_ns, every, checkpoint_ticks, probation_ticks};
                new (self) FailoverEngine(
                    card, shadow, arbiter, clock, read_model(model), terms,
                    {{golden_features.data(), golden_features.data() + golden_features.size()},
                     {golden_logits.data(), golden_logits.data() + golden_logits.size()}});
            },
            nb::kw_only(), "card"_a, "shadow"_a, "arbiter"_a, "clock"_a, "model"_a, "golden_features"_a,
            "golden_logits"_a, "deadline_ns"_a, "patience_ns"_a, "hung_ns"_a, "heartbeat_ns"_a, "retry_ns"_a,
            "most_retry_ns"_a, "every"_a, "checkpoint_ticks"_a, "probation_ticks"_a, nb::keep_alive<1, 2>(),
            nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>(),
            "Times in ns of the clock; docs/failover.md says what each is.")
        .def("step", &step, "features"_a, "One tick and what follows it, for callers without a tick loop: (logits, scores, by, "
             "assurance, late, ns).")
        .def("run", &run, "features"_a, "Many ticks [n, F]: logits [n, O], and (by, assurance, late, ns) of each [n, 4].")
        .def("reset", &FailoverEngine::reset, "Zero state before the next tick.")
        .def_prop_ro("state", [](const FailoverEngine& e) { return static_cast<int>(e.state()); }, "Of the card; valid between ticks.")
        .def_prop_ro("counts", &counts_of, "Valid between ticks.")
        .def("drain", [](FailoverEngine& e) { return pyorch::take(e.records(), e.records().readable()); },
             "Incidents so far, oldest first, as bytes of pyorch.inference.failover.native.INCIDENT_DTYPE.");
}

}  // namespace

void bind_tick_engines(nb::module_& module) {
    bind_clocks(module);
    bind_clients(module);
    bind_failover(module);
}
