// Arrays of events and inputs as Python hands them over: int64 [rows, 8], see pyorch.contract.events.event_words.
#pragma once

#include <nanobind/ndarray.h>

#include <span>

#include "event.hpp"
#include "inputs.hpp"

namespace pyorch {

using EventWords = nanobind::ndarray<const std::int64_t, nanobind::shape<-1, 8>, nanobind::c_contig, nanobind::device::cpu>;

inline std::span<const Event> as_events(const EventWords& words) {
    return {reinterpret_cast<const Event*>(words.data()), words.shape(0)};
}

// The same for rows of pyorch.trading.inputs.INPUT_DTYPE.
using Inputs = EventWords;
inline std::span<const Input> as_inputs(const Inputs& words) {
    return {reinterpret_cast<const Input*>(words.data()), words.shape(0)};
}

}  // namespace pyorch
