// Journal records from the rings to Python.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <tuple>

#include "quoting_path.hpp"

namespace pyorch {

template <typename T>
nanobind::bytes take(Ring<T>& ring, std::size_t count) {
    // The bytes object is filled before anybody else can see it.
    nanobind::bytes result(nullptr, count * sizeof(T));
    ring.read(reinterpret_cast<T*>(const_cast<char*>(result.c_str())), count);
    return result;
}

// Whole ticks with their quotes and FIX bytes: a tick's record is published after both.
inline std::tuple<nanobind::bytes, nanobind::bytes, nanobind::bytes> drain(QuotingPath& path, std::size_t limit) {
    QuotingOutput& output = path.output();
    auto& ticks = output.tick_ring();
    const std::size_t count = std::min(ticks.readable(), limit);
    std::size_t quotes = 0, fix = 0;
    for (std::size_t i = 0; i < count; ++i) {
        quotes += ticks.peek(i).quotes;
        fix += ticks.peek(i).fix_bytes;
    }
    nanobind::bytes quote_bytes = take(output.quote_ring(), quotes);
    nanobind::bytes fix_bytes = take(output.fix_ring(), fix);
    return {take(ticks, count), quote_bytes, fix_bytes};
}

}  // namespace pyorch
