// Python bindings of pyorch.market's native stages.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "book.hpp"
#include "event_array.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using pyorch::Book;
using pyorch::Side;

Side side_of(int side) {
    if (side != 0 && side != 1) throw nb::value_error("side is 0 (bid) or 1 (ask)");
    return static_cast<Side>(side);
}

void apply_all(Book& book, const pyorch::EventWords& words, int instrument) {
    nb::gil_scoped_release release;
    for (const auto& event : pyorch::as_events(words))
        if (event.instrument == instrument) book.apply(event);
}

constexpr std::size_t trace_columns = 6;

auto trace(Book& book, const pyorch::EventWords& words, int instrument) {
    const auto events = pyorch::as_events(words);
    auto* rows = new std::int64_t[events.size() * trace_columns];
    nb::capsule owner(rows, [](void* p) noexcept { delete[] static_cast<std::int64_t*>(p); });
    {
        nb::gil_scoped_release release;
        std::int64_t* out = rows;
        for (const auto& event : events) {
            if (event.instrument == instrument) book.apply(event);
            for (const Side side : {Side::bid, Side::ask}) {
                const bool any = book.depth(side) > 0;
                *out++ = any ? book.level(side, 0).price_ticks : 0;
                *out++ = any ? book.level(side, 0).quantity_lots : 0;
            }
            *out++ = book.valid();
            *out++ = book.sequence();
        }
    }
    return nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>>(rows, {events.size(), trace_columns}, owner);
}

std::map<std::string, std::int64_t> counts(const Book& book) {
    const auto& c = book.counts();
    return {{"messages", c.messages}, {"gaps", c.gaps},     {"crosses", c.crosses},    {"stale", c.stale},
            {"dropped", c.dropped},   {"resets", c.resets}, {"discarded", c.discarded}};
}

std::vector<std::pair<std::int64_t, std::int64_t>> levels(const Book& book, int side, int n) {
    std::vector<std::pair<std::int64_t, std::int64_t>> result;
    const Side which = side_of(side);
    for (int k = 0; k < n && k < book.depth(which); ++k) {
        const auto& level = book.level(which, k);
        result.emplace_back(level.price_ticks, level.quantity_lots);
    }
    return result;
}

}  // namespace

void bind_market(nb::module_& module) {
    nb::class_<Book>(module, "Book", "Level-2 book with venue sequence rules; twin of pyorch.market.book.Book.")
        .def(nb::init<int>(), "capacity"_a = Book::default_capacity)
        .def("apply_all", &apply_all, "words"_a, "instrument"_a = 0,
             "Apply the rows of one instrument; ``words`` is `event_words(events)`.")
        .def("trace", &trace, "words"_a, "instrument"_a = 0,
             "Apply the rows of one instrument; int64 [rows, 6] after each row of the array: best bid ticks and "
             "lots, best ask ticks and lots (0 where empty), valid, sequence.")
        .def("levels", &levels, "side"_a, "n"_a, "Up to n (price_ticks, quantity_lots), best first.")
        .def("depth", [](const Book& book, int side) { return book.depth(side_of(side)); }, "side"_a, "Levels of a side.")
        .def_prop_ro("valid", &Book::valid, "After a snapshot, until a gap, reset or cross.")
        .def_prop_ro("two_sided", &Book::two_sided, "Both sides hold a level.")
        .def_prop_ro("sequence", &Book::sequence, "Update id of the book's state; -1 where there is none.")
        .def_prop_ro("counts", &counts, "Messages applied, gaps, crosses, stale, dropped, resets, discarded levels.");
}
