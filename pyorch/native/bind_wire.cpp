// Python bindings of the wire format of market events.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "event_array.hpp"
#include "wire.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Beats = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ends = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <typename T>
Array<T> owned(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return Array<T>(kept->data(), {kept->size()}, owner);
}

std::tuple<Array<std::uint64_t>, Array<std::uint8_t>, std::size_t> encode(const pyorch::EventWords& words, unsigned session, std::uint32_t first_number, std::size_t beats_a_frame) {
    std::vector<std::uint64_t> beats;
    std::vector<std::uint8_t> ends;
    std::size_t events = 0;
    {
        nb::gil_scoped_release release;
        const auto rows = pyorch::as_events(words);
        beats.reserve(rows.size() * 3);
        ends.reserve(rows.size() * 3);
        events = pyorch::wire::Encoder(session, first_number, beats_a_frame).encode(rows, beats, ends);
    }
    return {owned(std::move(beats)), owned(std::move(ends)), events};
}

std::tuple<Array<std::int64_t>, Array<std::uint32_t>, Array<std::uint8_t>> push(pyorch::wire::Decoder& decoder, const Beats& beats,
                                                                                 const Ends& ends) {
    if (beats.shape(0) != ends.shape(0)) throw nb::value_error("as many beats as ends are needed");
    std::vector<std::int64_t> rows;
    std::vector<std::uint32_t> numbers;
    std::vector<std::uint8_t> stale;
    {
        nb::gil_scoped_release release;
        const auto take = [&](const pyorch::Event& row, std::uint32_t number, bool is_stale) {
            std::int64_t words[8];
            std::memcpy(words, &row, sizeof row);
            rows.insert(rows.end(), words, words + 8);
            numbers.push_back(number);
            stale.push_back(is_stale);
        };
        for (std::size_t k = 0; k < beats.shape(0); ++k) decoder.beat(beats.data()[k], ends.data()[k] != 0, take);
    }
    return {owned(std::move(rows)), owned(std::move(numbers)), owned(std::move(stale))};
}

std::map<std::string, std::int64_t> counts(const pyorch::wire::Decoder& decoder) {
    const auto& c = decoder.counts();
    return {{"events", c.events},     {"duplicates", c.duplicates}, {"gaps", c.gaps},           {"lost", c.lost},
            {"sessions", c.sessions}, {"malformed", c.malformed},   {"truncated", c.truncated}, {"stale", c.stale}};
}

}  // namespace

void bind_wire(nb::module_& module) {
    module.def("wire_encode", &encode, "words"_a, "session"_a = 0, "first_number"_a = 0, "beats_a_frame"_a = 0,
               "Rows as beats; twin of pyorch.market.wire.encode. Returns beats (uint64 [n]), ends (uint8 [n]) and events.");
    nb::class_<pyorch::wire::Decoder>(module, "WireDecoder", "Beats as rows; twin of pyorch.market.wire_decoder.WireDecoder.")
        .def(nb::init<int, std::optional<std::int64_t>>(), "instruments"_a = 1, "stale_ns"_a.none() = nb::none())
        .def("push", &push, "beats"_a, "ends"_a,
             "Take beats (uint64 [n]) and the marks of last ones (uint8 [n]); returns the complete rows (int64 [8 n]: "
             "`event_words`, flattened), their numbers and whether they are stale.")
        .def_prop_ro("counts", &counts, "Events, duplicates, gaps, lost, sessions, malformed, truncated, stale.");
}
