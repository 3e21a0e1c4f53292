// Python bindings of pyorch.trading's native stages.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

#include "event_array.hpp"
#include "quoting_drain.hpp"
#include "quoting_path.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using pyorch::QuotingPath;
using pyorch::QuotingSettings;

namespace {

using pyorch::Inputs;
using Ints32 = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints64 = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::pair<std::vector<std::size_t>, std::vector<std::size_t>> journal_layout() {
    using T = pyorch::TickRecord;
    using Q = pyorch::QuoteRecord;
#define AT(type, field) offsetof(type, field)
    return {{AT(T, tick), AT(T, row), AT(T, local_ns), AT(T, sequence), AT(T, forward_half_ticks), AT(T, minutes),
             AT(T, flags), AT(T, fired), AT(T, active), AT(T, surface), AT(T, atm_volatility_ppm), AT(T, skew_ppm),
             AT(T, base_half_spread_bp100), AT(T, extra_down_bp100), AT(T, extra_up_bp100), AT(T, size_down_percent),
             AT(T, size_up_percent), AT(T, forecast_bp100), AT(T, inventory_bp100), AT(T, quotes), AT(T, refused), AT(T, fix_bytes), AT(T, fix_messages),
             AT(T, book_ns), AT(T, features_ns), AT(T, engine_ns), AT(T, policy_ns), AT(T, pricing_ns),
             AT(T, encode_ns), AT(T, total_ns), AT(T, features), AT(T, logits), AT(T, scores),
             AT(T, answered_by), AT(T, assurance), AT(T, late), AT(T, inexact), AT(T, answer_ns)},
            {AT(Q, tick), AT(Q, local_ns), AT(Q, option), AT(Q, reason), AT(Q, bid_ticks), AT(Q, ask_ticks),
             AT(Q, bid_lots), AT(Q, ask_lots), AT(Q, value_btc), AT(Q, volatility), AT(Q, delta), AT(Q, gamma),
             AT(Q, vega), AT(Q, theta)}};
#undef AT
}

void bind_settings(nb::module_& module) {
    nb::class_<QuotingSettings>(module, "QuotingSettings", "All that the quoting path is told, once, before it runs.")
        .def(nb::init<>())
        .def_rw("strikes_usd", &QuotingSettings::strikes_usd)
        .def_rw("expiries_s", &QuotingSettings::expiries_s)
        .def_rw("rights", &QuotingSettings::rights)
        .def_rw("half_tick_usd", &QuotingSettings::half_tick_usd)
        .def_rw("base_half_spread_bp100", &QuotingSettings::base_half_spread_bp100)
        .def_rw("features", &QuotingSettings::features)
        .def_rw("outputs", &QuotingSettings::outputs)
        .def_rw("probability_outputs", &QuotingSettings::probability_outputs)
        .def_rw("warm_up_ticks", &QuotingSettings::warm_up_ticks)
        .def_rw("cold_bp100", &QuotingSettings::cold_bp100)
        .def_rw("origin_ns", &QuotingSettings::origin_ns)
        .def_rw("kernel", &QuotingSettings::kernel)
        .def_rw("tick_ring", &QuotingSettings::tick_ring)
        .def_rw("quote_ring", &QuotingSettings::quote_ring)
        .def_rw("fix_ring", &QuotingSettings::fix_ring)
        .def("set_surface",
             [](QuotingSettings& s, pyorch::Surface::ParametersPpm parameters_ppm, std::int64_t maximum_age_ns) {
                 s.surface_ppm = std::move(parameters_ppm);
                 s.maximum_surface_age_ns = maximum_age_ns;
             },
             "parameters_ppm"_a, "maximum_age_ns"_a)
        .def("add_rule",
             [](QuotingSettings& s, bool armed, bool endangered_down, bool both_sides, std::vector<int> outputs,
                std::vector<std::int64_t> thresholds, std::vector<std::int64_t> releases, std::int32_t widen_bp100,
                std::int32_t size_percent, std::int64_t dwell_ns, std::int64_t reach, bool caution) {
                 s.rules.push_back({armed, endangered_down, both_sides, std::move(outputs), std::move(thresholds),
                                    std::move(releases), widen_bp100, size_percent, dwell_ns, reach, caution});
             },
             nb::kw_only(), "armed"_a, "endangered_down"_a, "both_sides"_a, "outputs"_a, "thresholds"_a, "releases"_a,
             "widen_bp100"_a, "size_percent"_a, "dwell_ns"_a, "reach"_a, "caution"_a)
        .def("set_fair_shift",
             [](QuotingSettings& s, int up, int down, std::int64_t move_bp100, std::int64_t deadband,
                std::int64_t maximum_bp100, std::int64_t step_bp100, bool armed) {
                 s.fair_shift = {up, down, move_bp100, deadband, maximum_bp100, step_bp100, armed};
             },
             nb::kw_only(), "up"_a, "down"_a, "move_bp100"_a, "deadband"_a, "maximum_bp100"_a, "step_bp100"_a, "armed"_a)
        .def("set_inventory",
             [](QuotingSettings& s, std::int64_t delta_skew_bp100, std::int64_t delta_scale_lots,
                std::int64_t position_skew_bp100, std::int64_t position_scale_lots) {
                 s.inventory = {delta_skew_bp100, delta_scale_lots, position_skew_bp100, position_scale_lots};
             },
             nb::kw_only(), "delta_skew_bp100"_a, "delta_scale_lots"_a, "position_skew_bp100"_a,
             "position_scale_lots"_a)
        .def("set_terms",
             [](QuotingSettings& s, std::int64_t tick_nano, std::int64_t coarse_tick_factor,
                std::int64_t coarse_from_nano, std::int64_t base_nano, std::int64_t size_lots,
                std::int64_t minimum_size_lots, std::int64_t minimum_change_ticks, std::int64_t minimum_interval_ns) {
                 s.terms = {tick_nano, coarse_tick_factor, coarse_from_nano, base_nano,
                            size_lots, minimum_size_lots, minimum_change_ticks, minimum_interval_ns};
             },
             nb::kw_only(), "tick_nano"_a, "coarse_tick_factor"_a, "coarse_from_nano"_a, "base_nano"_a, "size_lots"_a,
             "minimum_size_lots"_a, "minimum_change_ticks"_a, "minimum_interval_ns"_a)
        .def("set_limits",
             [](QuotingSettings& s, std::int64_t price_collar_ticks, std::array<std::int64_t, 5> bounds,
                std::int64_t quotes_per_second, std::int64_t quotes_burst, std::vector<std::int64_t> positions_lots,
                std::vector<std::uint32_t> venues, bool acknowledged, std::int64_t acknowledge_ns,
                std::int64_t reference_interval_ns, std::int64_t reference_age_ns,
                std::array<std::int64_t, 4> protection) {
                 s.limits = {price_collar_ticks,    bounds,           quotes_per_second, quotes_burst,
                             std::move(positions_lots), std::move(venues), acknowledged,  acknowledge_ns,
                             reference_interval_ns, reference_age_ns,
                             {protection[0], protection[1], protection[2], protection[3]}};
             },
             nb::kw_only(), "price_collar_ticks"_a, "bounds"_a, "quotes_per_second"_a, "quotes_burst"_a,
             "positions_lots"_a, "venues"_a, "acknowledged"_a, "acknowledge_ns"_a, "reference_interval_ns"_a,
             "reference_age_ns"_a, "protection"_a)
        .def_rw("targets", &QuotingSettings::targets)
        .def_prop_rw("answers", [](const QuotingSettings& s) { return static_cast<int>(s.answers); },
                     [](QuotingSettings& s, int source) {
                         if (source < 0 || source > 2) throw nb::value_error("answers come from 0 engines, 1 engines and are noted, 2 inputs");
                         s.answers = static_cast<pyorch::AnswerSource>(source);
                     }, "stated_answer.AnswerSource")
        .def_rw("stop_when_full", &QuotingSettings::stop_when_full)
        .def("set_fix",
             [](QuotingSettings& s, std::string sender, std::string target, std::string account,
                std::string underlying, std::vector<std::string> symbols, std::int64_t price_units, int price_places,
                std::int64_t size_units, int size_places) {
                 s.fix = {std::move(sender),  std::move(target),           std::move(account),       std::move(underlying),
                          std::move(symbols), {price_units, price_places}, {size_units, size_places}};
             },
             nb::kw_only(), "sender"_a, "target"_a, "account"_a, "underlying"_a, "symbols"_a, "price_units"_a,
             "price_places"_a, "size_units"_a, "size_places"_a);
}

}  // namespace

void bind_tick_loop(nb::module_& module);
void bind_pricing(nb::module_& module);

void bind_trading(nb::module_& module) {
    module.def("journal_layout", &journal_layout, "Offsets of the fields of a tick record and of a quote record.");
    bind_settings(module);
    nb::class_<QuotingPath>(module, "QuotingPath", "Policy, pricing, quoting, risk and FIX encoding, tick by tick.")
        .def(nb::init<const QuotingSettings&>(), "settings"_a)
        .def("surface", &QuotingPath::surface, "atm_ppm"_a, "skew_ppm"_a, "local_ns"_a, "Take in a SURFACE row.")
        .def("trade", &QuotingPath::trade, "price_ticks"_a, "local_ns"_a, "Take in a TRADE row of instrument 0.")
        .def("take", [](QuotingPath& p, const Inputs& rows) {
                 for (const pyorch::Input& input : pyorch::as_inputs(rows)) p.take(input);
             }, "inputs"_a, "Take in rows of pyorch.trading.inputs.INPUT_DTYPE.")
        .def_prop_ro("surfaces_refused", &QuotingPath::surfaces_refused, "SURFACE rows that would have made arbitrage.")
        .def("kill", [](QuotingPath& p, bool up) { p.killed.store(up); }, "up"_a = true,
             "Raise or lower the kill flag; it is read at every tick.")
        .def("tick",
             [](QuotingPath& p, std::int64_t row, std::int64_t local_ns, std::int64_t sequence,
                std::int64_t forward_half_ticks, Ints32 features, Ints64 logits, Ints64 scores, bool data_valid,
                std::uint8_t by, std::uint8_t assurance, bool late, bool inexact, std::uint32_t answer_ns) {
                 if (static_cast<int>(features.size()) != p.features() ||
                     static_cast<int>(logits.size()) != p.outputs() || static_cast<int>(scores.size()) != p.outputs())
                     throw nb::value_error("features, logits and scores have the settings' lengths");
                 if (!p.output().has_room()) throw std::runtime_error("the journal's rings are full: drain first");
                 const std::uint64_t now = pyorch::clock_cycles();
                 p.tick({row, local_ns, sequence, forward_half_ticks, features.data(), logits.data(), scores.data(),
                         data_valid,
                         {static_cast<pyorch::AnsweredBy>(by), static_cast<pyorch::Assurance>(assurance), late, inexact,
                          answer_ns}},
                        {now, now, now, now});
             },
             "row"_a, "local_ns"_a, "sequence"_a, "forward_half_ticks"_a, "features"_a, "logits"_a, "scores"_a,
             "data_valid"_a, "by"_a = 0, "assurance"_a = 0, "late"_a = false, "inexact"_a = false, "answer_ns"_a = 0,
             "Take in a tick. Raises RuntimeError when the rings are full: drain at least every 1,000 ticks.")
        .def("check_order", [](QuotingPath& p, std::size_t option, int side, std::int64_t price_ticks,
                               std::int64_t lots, std::int64_t local_ns) {
                 return static_cast<int>(p.check_order(option, side, price_ticks, lots, local_ns));
             }, "option"_a, "side"_a, "price_ticks"_a, "lots"_a, "local_ns"_a,
             "records.Refusal of an order beside the quotes, or the number of refusals: it may go out.")
        .def("invalidate", &QuotingPath::invalidate, "row"_a, "local_ns"_a, "sequence"_a,
             "The book became invalid: withdraw everything, forget dwell and warm-up.")
        .def_prop_ro("positions_lots", [](const QuotingPath& p) { return p.gate().positions_lots.values(); })
        .def_prop_ro("open_lots", [](const QuotingPath& p) {
                 std::vector<std::pair<std::int64_t, std::int64_t>> open;
                 for (std::size_t option = 0; option < p.gate().exposures.size(); ++option)
                     open.emplace_back(p.gate().exposures.open(option, 0), p.gate().exposures.open(option, 1));
                 return open;
             }, "Per option what could still be bought and sold.")
        .def("refusals", [](const QuotingPath& p) { return p.gate().counts(); }, "Counters of the risk gate by reason.")
        .def("drain", &pyorch::drain, "limit"_a = static_cast<std::size_t>(-1),
             "(ticks, quotes, FIX) as bytes: whole ticks recorded since the last call.");
    bind_tick_loop(module);
    bind_pricing(module);
}
