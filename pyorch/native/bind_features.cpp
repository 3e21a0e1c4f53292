// Python bindings of pyorch.features's native stages.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "event_array.hpp"
#include "features.hpp"
#include "tick_measures.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using pyorch::FeatureArithmetic;
using pyorch::FeatureSpec;
using pyorch::FeatureStream;

// kind, parameters, offset, multiplier, shift
using Spec = std::tuple<std::string, std::map<std::string, std::int64_t>, std::int64_t, std::int64_t, int>;

template <typename T>
nb::object as_array(std::vector<T>&& values, std::size_t columns) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    if (columns == 0) return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), {kept->size()}, owner));
    return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), {kept->size() / columns, columns}, owner));
}

void construct(FeatureStream* self, const std::vector<Spec>& features, const std::vector<std::int64_t>& log2_table,
               const std::vector<std::int64_t>& micro_table, std::int64_t minimum, std::int64_t maximum, int instruments,
               int book_capacity) {
    FeatureArithmetic arithmetic;
    if (log2_table.size() != arithmetic.log2_table.size() || micro_table.empty())
        throw nb::value_error("the log2 table has 256 entries, the micro table at least one");
    std::copy(log2_table.begin(), log2_table.end(), arithmetic.log2_table.begin());
    arithmetic.micro_table.assign(micro_table.begin(), micro_table.end());
    std::vector<FeatureSpec> specs;
    for (const auto& [kind, parameters, offset, multiplier, shift] : features)
        specs.push_back({kind, parameters, offset, multiplier, shift});
    new (self) FeatureStream(specs, std::move(arithmetic), minimum, maximum, instruments, book_capacity);
}

nb::typed<nb::dict, nb::str, nb::object> run(FeatureStream& stream, const pyorch::EventWords& words, int near_levels, std::int64_t slippage_lots) {
    const auto events = pyorch::as_events(words);
    const auto width = static_cast<std::size_t>(stream.size());
    std::vector<std::int32_t> features;
    std::vector<std::int64_t> raw, row, local_ns, segments, mid, micro, near_lots, cost;
    {
        nb::gil_scoped_release release;
        pyorch::TickMeasures measures(near_levels, slippage_lots);
        for (std::size_t k = 0; k < events.size(); ++k) {
            const auto& event = events[k];
            if (!stream.on_event(event)) continue;
            if (event.kind == pyorch::Kind::depth || event.kind == pyorch::Kind::snapshot) measures.update(stream.book(0));
            if (stream.segment_start()) segments.push_back(static_cast<std::int64_t>(row.size()));
            features.insert(features.end(), stream.features(), stream.features() + width);
            raw.insert(raw.end(), stream.raw(), stream.raw() + width);
            row.push_back(static_cast<std::int64_t>(k));
            local_ns.push_back(stream.now_ns());
            mid.push_back(stream.mid_half_ticks());
            micro.push_back(stream.micro());
            near_lots.insert(near_lots.end(), measures.near_lots, measures.near_lots + 2);
            cost.insert(cost.end(), measures.cost, measures.cost + 2);
        }
    }
    nb::dict result;
    result["features"] = as_array(std::move(features), width);
    result["raw"] = as_array(std::move(raw), width);
    result["row"] = as_array(std::move(row), 0);
    result["local_ns"] = as_array(std::move(local_ns), 0);
    result["segments"] = as_array(std::move(segments), 0);
    result["mid"] = as_array(std::move(mid), 0);
    result["micro"] = as_array(std::move(micro), 0);
    result["near_lots"] = as_array(std::move(near_lots), 2);
    result["cost"] = as_array(std::move(cost), 2);
    return nb::borrow<nb::typed<nb::dict, nb::str, nb::object>>(result);
}

std::tuple<double, std::int64_t> time_events(FeatureStream& stream, const pyorch::EventWords& words) {
    nb::gil_scoped_release release;
    std::int64_t ticks = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& event : pyorch::as_events(words)) ticks += stream.on_event(event);
    return {std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count(), ticks};
}

}  // namespace

void bind_features(nb::module_& module) {
    nb::class_<FeatureStream>(module, "FeatureStream",
                              "Streaming features with their books; twin of pyorch.features.batch.compute. "
                              "Open one with pyorch.features.streaming.open_stream.")
        .def("__init__", &construct, "features"_a, "log2_table"_a, "micro_table"_a, "minimum"_a, "maximum"_a, "instruments"_a,
             "book_capacity"_a = pyorch::Book::default_capacity)
        .def("run", &run, "words"_a, "near_levels"_a = 5, "slippage_lots"_a = 1,
             "Apply events (`event_words(events)`); a dict of arrays, one row a tick: features int32 [ticks, F], raw, row, "
             "local_ns, segments, mid (half-ticks), micro (1/256 half-tick), near_lots [ticks, 2], cost [ticks, 2].")
        .def("time_events", &time_events, "words"_a, "Apply events and keep nothing: (nanoseconds, ticks).")
        .def_prop_ro("size", &FeatureStream::size, "Features a tick.")
        .def_prop_ro("active", &FeatureStream::active, "The book of instrument 0 is valid and two-sided.");
}
