// The quoting path's stages by themselves, one after the other over all ticks: what `pyorch bench tick-to-quote`
// compares the path with. They are the path's own classes, without its records, rings and clock readings.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "quoting.hpp"
#include "quoting_output.hpp"
#include "quoting_settings.hpp"
#include "policy.hpp"
#include "reference_value.hpp"
#include "ring_clock.hpp"
#include "risk.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Table = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Times = nb::ndarray<std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// What two clock readings one after the other differ by at least.
std::uint32_t reading_ns() {
    std::uint32_t least = UINT32_MAX;
    for (int k = 0; k < 1000; ++k) {
        const std::uint64_t begin = pyorch::clock_cycles();
        least = std::min(least, pyorch::clock_ns(begin, pyorch::clock_cycles()));
    }
    return least;
}

// ticks: [n, 6] local_ns, forward in half-ticks, minutes, volatility, skew, last trade's price; scores: [n, outputs].
// took: [3, n] ns of policy, pricing, encoding. Returns (quotes, bytes).
std::pair<std::int64_t, std::int64_t> time_stages(const pyorch::QuotingSettings& s, const Table& ticks, const Table& scores,
                                                  const Times& took) {
    const std::size_t n = ticks.shape(0);
    if (ticks.shape(1) != 6 || scores.shape(0) != n || scores.shape(1) != static_cast<std::size_t>(s.outputs) ||
        took.shape(0) != 3 || took.shape(1) != n)
        throw std::invalid_argument("ticks are [n, 6], scores [n, outputs], took [3, n]");
    nb::gil_scoped_release release;
    pyorch::Surface surface(s.surface_ppm, s.expiries_s, s.origin_ns);
    pyorch::Policy policy(s.rules, s.fair_shift);
    pyorch::Pricer pricer(s.strikes_usd, s.expiries_s, s.rights, s.half_tick_usd);
    pyorch::RiskGate gate(s.limits);
    pyorch::ReferenceValues reference(pricer, surface, s.limits.reference_interval_ns, s.limits.reference_age_ns);
    pyorch::Quoter quoter(s.terms, s.inventory, gate, s.venues());
    pyorch::FixEncoder encoder(s.fix);
    std::vector<pyorch::Adjustment> adjustments(n);
    std::vector<pyorch::Sent> sent;
    std::vector<std::size_t> ends(n);
    sent.reserve(n * 4);
    const auto row = [&](std::size_t t) { return ticks.data() + 6 * t; };

    const std::uint32_t reading = reading_ns();
    const auto note = [&](std::size_t stage, std::size_t t, std::uint64_t begin) {
        const std::uint32_t whole = pyorch::clock_ns(begin, pyorch::clock_cycles());
        took.data()[stage * n + t] = whole - std::min(whole, reading);
    };
    for (std::size_t t = 0; t < n; ++t) {
        const std::uint64_t begin = pyorch::clock_cycles();
        adjustments[t] = policy.decide(scores.data() + t * scores.shape(1), row(t)[0]);
        note(0, t, begin);
    }

    std::int64_t forward = 0, minutes = -1, volatility = 0, skew = 0, sequence = 0;
    pyorch::Adjustment quoted;
    for (std::size_t t = 0; t < n; ++t) {
        const std::int64_t* tick = row(t);
        const bool surfaced = t == 0 || tick[3] != volatility || tick[4] != skew;
        if (surfaced) surface.apply(volatility = tick[3], skew = tick[4], tick[0], tick[2]);
        if (tick[5] > 0) reference.trade(tick[5], tick[0]);
        const std::uint64_t begin = pyorch::clock_cycles();
        bool found = false;
        if (gate.admit(tick[0], {}) == pyorch::Refusal::none) {
            const bool moved = surfaced || tick[1] != forward || tick[2] != minutes;
            if (moved) pricer.price(surface, forward = tick[1], minutes = tick[2]);
            const bool judged_anew = reference.used() && reference.refresh(tick[0], tick[2], surface);
            if (moved || judged_anew || !adjustments[t].same_effect(quoted) || quoter.pending()) {
                quoted = adjustments[t];
                std::fill(quoter.next_sequence.begin(), quoter.next_sequence.end(), ++sequence);
                quoter.update(pricer, tick[2], quoted, policy.rules(), tick[0], reference, gate);
                found = true;
            }
        }
        note(1, t, begin);
        if (found) sent.insert(sent.end(), quoter.sent().begin(), quoter.sent().end());
        ends[t] = sent.size();
    }

    std::size_t from = 0;
    std::int64_t bytes = 0;
    for (std::size_t t = 0; t < n; ++t) {
        const std::uint64_t begin = pyorch::clock_cycles();
        while (from < ends[t]) {
            const std::size_t count = std::min(ends[t] - from, pyorch::FixEncoder::maximum_entries);
            bytes += static_cast<std::int64_t>(encoder.mass_quote(++sequence, row(t)[0], &sent[from], count).size());
            from += count;
        }
        note(2, t, begin);
    }
    return {static_cast<std::int64_t>(sent.size()), bytes};
}

}  // namespace

void bind_stages(nb::module_& module) {
    module.def("time_stages", &time_stages, "settings"_a, "ticks"_a, "scores"_a, "took"_a,
               "Policy, pricing with quoting and risk, and encoding, each over all ticks by itself: ns of each tick into "
               "took [3, n], less a clock reading; (quotes, bytes) that it made. Ticks [n, 6]: local_ns, forward in half-ticks, minutes, volatility and skew in 1e-6, "
               "price of the last trade (0: none).");
}
