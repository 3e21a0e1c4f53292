// Python bindings of the tick loop.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <mutex>
#include <thread>
#include <utility>

#include "event_array.hpp"
#include "quoting_drain.hpp"
#include "tick_loop.hpp"
#include "tick_steps.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using pyorch::TickLoop;

void bind_tick_engines(nb::module_& module);
void bind_decision_pair(nb::module_& module);

void bind_tick_loop(nb::module_& module) {
    bind_tick_engines(module);
    bind_decision_pair(module);
    nb::class_<TickLoop>(module, "TickLoop", "Events to FIX bytes on one native thread; see pyorch.trading.loop.")
        .def(
            "__init__",
            [](TickLoop* self, const pyorch::QuotingSettings& settings, pyorch::FeatureStream& stream,
               pyorch::TickEngine& engine, const pyorch::EventWords& events, int passes, int cpu, bool guarded,
               pyorch::DecisionPair* decisions) {
                new (self) TickLoop(settings, stream, engine, pyorch::as_events(events), passes, cpu, guarded, decisions);
            },
            "settings"_a, "stream"_a, "engine"_a, "events"_a, "passes"_a = 1, "cpu"_a = -1, "guarded"_a = false,
            "decisions"_a = nb::none(), nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>(),
            nb::keep_alive<1, 9>(),
            "decisions: a card that decides on the same events. guarded: any system call of the tick thread ends the process with SIGSYS.")
        .def("start", &TickLoop::start, "Start the tick thread, once.")
        .def("stop", &TickLoop::stop, "Ask the tick thread to end before its next event.")
        .def("join", &TickLoop::join, nb::call_guard<nb::gil_scoped_release>(), "Wait for the tick thread's end.")
        .def("abandon", &TickLoop::abandon,
             "Nobody will read: full rings are overwritten and no longer hold the tick thread back.")
        .def("kill", [](TickLoop& loop, bool up) { loop.path().killed.store(up); }, "up"_a = true,
             "Raise or lower the kill flag; it is read at every tick.")
        .def("drain", [](TickLoop& loop, std::size_t limit) { return pyorch::drain(loop.path(), limit); },
             "limit"_a = static_cast<std::size_t>(-1), "(ticks, quotes, FIX) as bytes: whole ticks recorded so far.")
        .def_prop_ro("done", &TickLoop::done)
        .def_prop_ro("engine_failed", &TickLoop::engine_failed, "The engine did not answer, and the loop ended there.")
        .def_prop_ro("ticks", [](TickLoop& loop) { return loop.path().ticks(); }, "Valid when done.")
        .def_prop_ro("events", &TickLoop::events, "Rows taken; valid when done.")
        .def_prop_ro("duration_ns", &TickLoop::duration_ns, "First event to last byte; valid when done.")
        .def_prop_ro("surfaces_refused", [](TickLoop& loop) { return loop.path().surfaces_refused(); }, "Valid when done.")
        .def_prop_ro("refusals", [](TickLoop& loop) { return loop.path().gate().counts(); }, "Valid when done.")
        .def_prop_ro("ring_waits", &TickLoop::ring_waits, "How often a full ring held the tick thread back.")
        .def_prop_ro("involuntary_switches", &TickLoop::involuntary_switches, "0 in a guarded loop, which cannot ask.")
        .def_prop_ro("counted", &TickLoop::counted, "Whether the counting library is preloaded.")
        .def_prop_ro("allocations", &TickLoop::allocations, "Allocations and releases of the tick thread.")
        .def_prop_ro("locks", &TickLoop::locks, "Lock operations of the tick thread.");
    using pyorch::DeskSteps;
    nb::class_<DeskSteps>(module, "DeskSteps", "A desk's steps on the caller's thread; see pyorch.trading.desk.")
        .def(
            "__init__",
            [](DeskSteps* self, const pyorch::QuotingSettings& settings, pyorch::FeatureStream& stream,
               pyorch::TickEngine& engine, const pyorch::EventWords& events) {
                new (self) DeskSteps(settings, stream, engine, pyorch::as_events(events));
            },
            "settings"_a, "stream"_a, "engine"_a, "events"_a, nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(),
            nb::keep_alive<1, 5>())
        .def("advance", &DeskSteps::advance, "until_ns"_a, "until_row"_a = static_cast<std::size_t>(-1), "stop"_a = true,
             nb::call_guard<nb::gil_scoped_release>(),
             "Take rows received before until_ns, numbered below until_row; with stop, up to the first message.")
        .def("take", [](DeskSteps& desk, const pyorch::Inputs& rows) {
                 for (const pyorch::Input& input : pyorch::as_inputs(rows)) desk.take(input);
             }, "inputs"_a, "Take in rows of pyorch.trading.inputs.INPUT_DTYPE.")
        .def("kill", [](DeskSteps& desk, bool up) { desk.path().killed.store(up); }, "up"_a = true,
             "Raise or lower the kill flag, from any thread; it is read at every tick.")
        .def("drain", [](DeskSteps& desk) { return pyorch::drain(desk.path(), static_cast<std::size_t>(-1)); },
             "(ticks, quotes, FIX) as bytes: whole ticks recorded since the last call.")
        .def("check_order", [](DeskSteps& desk, std::size_t option, int side, std::int64_t price_ticks,
                               std::int64_t lots, std::int64_t local_ns) {
                 return static_cast<int>(desk.path().check_order(option, side, price_ticks, lots, local_ns));
             }, "option"_a, "side"_a, "price_ticks"_a, "lots"_a, "local_ns"_a,
             "records.Refusal of an order beside the quotes, or the number of refusals: it may go out.")
        .def("abandon", [](DeskSteps& desk) { desk.path().output().abandoned.store(true); },
             "Nobody will read: full rings are overwritten and no longer hold the steps back.")
        .def("take_noted", [](DeskSteps& desk) {
                 auto& noted = desk.path().noted;
                 nb::bytes rows(noted.data(), noted.size() * sizeof(pyorch::Input));
                 noted.clear();
                 return rows;
             }, "Rows of inputs.INPUT_DTYPE that the path found by itself: kill flag, full rings.")
        .def_prop_ro("row", &DeskSteps::row, "The next row of the market.")
        .def_prop_ro("done", &DeskSteps::done)
        .def_prop_ro("engine_failed", &DeskSteps::engine_failed)
        .def_prop_ro("ticks", [](DeskSteps& desk) { return desk.path().ticks(); })
        .def("sequence", [](DeskSteps& desk, std::size_t venue) { return desk.path().sequence(venue); }, "venue"_a)
        .def_prop_ro("refusals", [](DeskSteps& desk) { return desk.path().gate().counts(); })
        .def_prop_ro("positions_lots", [](DeskSteps& desk) { return desk.path().gate().positions_lots.values(); })
        .def_prop_ro("values_nano", [](DeskSteps& desk) {
                 const pyorch::Pricer& pricer = desk.path().pricer();
                 std::vector<std::int64_t> values;
                 for (std::size_t option = 0; option < pricer.options(); ++option)
                     values.push_back(static_cast<std::int64_t>(std::floor(pricer.value_btc(option) * 1e9)));
                 return values;
             }, "Per option its value in 1e-9 BTC, of the last pricing.")
        .def_prop_ro("deltas_ppm", [](DeskSteps& desk) {
                 return desk.path().gate().lot.greeks[0].values();
             }, "Per option, of the last pricing.")
        .def_prop_ro("open_lots", [](DeskSteps& desk) {
                 std::vector<std::pair<std::int64_t, std::int64_t>> open;
                 const auto& exposures = desk.path().gate().exposures;
                 for (std::size_t option = 0; option < exposures.size(); ++option)
                     open.emplace_back(exposures.open(option, 0), exposures.open(option, 1));
                 return open;
             }, "Per option what could still be bought and sold.");
    module.def("count_control", [] {
        pyorch::ThreadCounts counts;
        std::thread([&counts] {
            std::mutex mutex;
            const auto before = pyorch::thread_counts();
            for (int i = 0; i < 5; ++i) {
                const std::lock_guard<std::mutex> lock(mutex);
                ::operator delete(::operator new(1000));
            }
            const auto after = pyorch::thread_counts();
            counts = {after.allocations - before.allocations, after.locks - before.locks};
        }).join();
        return std::pair{counts.allocations, counts.locks};
    }, "Five allocations, releases and locks of a thread, as the preloaded library counts them (10, 5).");
    module.def("break_guard", [] {
        std::thread([] {
            pyorch::forbid_system_calls();
            syscall(SYS_getpid);
        }).join();
    }, "Make a system call where none is allowed: the process ends with SIGSYS. Shows that the guard works.");
}
