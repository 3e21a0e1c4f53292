// Python bindings of the shared ring of market events.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <utility>

#include "event_array.hpp"
#include "feed_ring.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using pyorch::Event;
using pyorch::FeedRingReader;
using pyorch::FeedRingWriter;
using Words = nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>>;

void write_rows(FeedRingWriter& writer, const pyorch::EventWords& words) {
    nb::gil_scoped_release release;
    writer.write(pyorch::as_events(words));
}

std::pair<Words, bool> read_rows(FeedRingReader& reader, std::size_t most) {
    most = std::min<std::size_t>(most, reader.behind() + 1);  // no more memory than there is to read
    auto* rows = new Event[std::max<std::size_t>(most, 1)];
    nb::capsule owner(rows, [](void* p) noexcept { delete[] static_cast<Event*>(p); });
    std::size_t count = 0;
    bool broken = false;
    {
        nb::gil_scoped_release release;
        count = reader.read({rows, most}, broken);
    }
    return {Words(reinterpret_cast<std::int64_t*>(rows), {count, 8}, owner), broken};
}

}  // namespace

void bind_feed_ring(nb::module_& module) {
    nb::class_<FeedRingWriter>(module, "FeedRingWriter", "The one writer of a ring of events in a file (shared memory).")
        .def(nb::init<const std::string&, std::uint64_t, const std::string&>(), "path"_a, "capacity"_a, "description"_a)
        .def("write", &write_rows, "words"_a, "Append rows; ``words`` is `event_words(events)`.")
        .def_prop_ro("published", &FeedRingWriter::published, "Records since the ring was made.")
        .def_prop_ro("wanted", &FeedRingWriter::wanted, "How often readers have asked for snapshots.");
    nb::class_<FeedRingReader>(module, "FeedRingReader", "One of any number of readers of a ring of events.")
        .def(nb::init<const std::string&, bool>(), "path"_a, "oldest"_a = false)
        .def("read", &read_rows, "most"_a,
             "Up to ``most`` rows as int64 [rows, 8], and whether records are missing before the first of them.")
        .def("want_snapshots", &FeedRingReader::want_snapshots, "Ask the writer for a snapshot of every book.")
        .def_prop_ro("capacity", &FeedRingReader::capacity, "Slots.")
        .def_prop_ro("description", &FeedRingReader::description, "JSON that the writer gave.")
        .def_prop_ro("published", &FeedRingReader::published, "Records since the ring was made.")
        .def_prop_ro("writers", &FeedRingReader::writers, "How many writers the ring has had.")
        .def_prop_ro("next", &FeedRingReader::next, "Number of the record that is read next.")
        .def_prop_ro("lost", &FeedRingReader::lost, "Records that the writer overwrote before they were read.")
        .def_prop_ro("discarded", &FeedRingReader::discarded, "Copies thrown away since the writer wrote there meanwhile.");
}
