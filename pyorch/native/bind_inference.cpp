// Python bindings of pyorch.inference's native stages.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "lstm_engine.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using pyorch::LstmEngine;
using Input = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Vectors = nb::ndarray<const std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Result = nb::ndarray<nb::numpy, T>;
template <typename T>
using Pair = std::tuple<Result<T>, Result<T>>;

template <typename T>
Result<T> copied(const T* source, std::vector<std::size_t> shape) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    T* data = new T[count];
    std::copy_n(source, count, data);
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Result<T>(data, shape.size(), shape.data(), owner);
}

void check_length(std::size_t actual, int expected) {
    if (actual != static_cast<std::size_t>(expected)) {
        throw nb::value_error("another number of values than the model takes");
    }
}

// Logits and scores.
Pair<std::int64_t> outputs(const LstmEngine& engine) {
    const std::vector<std::size_t> shape{static_cast<std::size_t>(engine.outputs())};
    return {copied(engine.logits(), shape), copied(engine.scores(), shape)};
}

// Every tick of [n][F] from the present state: logits and scores [n][O].
Pair<std::int64_t> run(LstmEngine& engine, const Vectors& features, bool one_by_one) {
    check_length(features.shape(1), engine.features());
    const std::size_t n = features.shape(0), width = static_cast<std::size_t>(engine.outputs());
    std::vector<std::int64_t> logits(n * width), scores(n * width);
    {
        nb::gil_scoped_release unlocked;
        if (!one_by_one) engine.run(features.data(), static_cast<std::int64_t>(n), logits.data(), scores.data());
        for (std::size_t t = 0; one_by_one && t < n; ++t) {
            engine.step(features.data() + t * features.shape(1));
            engine.prepare();
            std::copy_n(engine.logits(), width, logits.data() + t * width);
            std::copy_n(engine.scores(), width, scores.data() + t * width);
        }
    }
    return {copied(logits.data(), {n, width}), copied(scores.data(), {n, width})};
}

using Clock = std::chrono::steady_clock;

std::int64_t elapsed_ns(Clock::time_point since) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
}

// Nanoseconds of every step alone (preparation done before, outside), of all ticks back to back, and in one call.
std::tuple<Result<std::int64_t>, std::int64_t, std::int64_t> time_ticks(LstmEngine& engine, const Vectors& features) {
    check_length(features.shape(1), engine.features());
    const std::size_t n = features.shape(0);
    const std::size_t width = static_cast<std::size_t>(engine.outputs());
    std::vector<std::int64_t> steps(n), logits(n * width), scores(n * width);
    std::int64_t together = 0, run = 0;
    {
        nb::gil_scoped_release unlocked;
        for (std::size_t t = 0; t < n; ++t) {
            engine.prepare();
            const Clock::time_point start = Clock::now();
            engine.step(features.data() + t * features.shape(1));
            steps[t] = elapsed_ns(start);
        }
        engine.prepare();
        Clock::time_point start = Clock::now();
        for (std::size_t t = 0; t < n; ++t) {
            engine.step(features.data() + t * features.shape(1));
            engine.prepare();
        }
        together = elapsed_ns(start);
        start = Clock::now();
        engine.run(features.data(), static_cast<std::int64_t>(n), logits.data(), scores.data());
        run = elapsed_ns(start);
    }
    return {copied(steps.data(), {n}), together, run};
}

// Nanoseconds of one part of a tick, once for every vector of [n][F], back to back. The stream starts anew after it.
std::int64_t time_part(LstmEngine& engine, pyorch::Part part, const Vectors& features) {
    check_length(features.shape(1), engine.features());
    nb::gil_scoped_release unlocked;
    engine.prepare();
    const Clock::time_point start = Clock::now();
    for (std::size_t t = 0; t < features.shape(0); ++t) engine.run_part(part, features.data() + t * features.shape(1));
    const std::int64_t elapsed = elapsed_ns(start);
    engine.reset();
    return elapsed;
}

// Nanoseconds of each of `runs` passes of dot-product instructions over so many bytes of weights, and nothing else.
Result<std::int64_t> time_floor(const LstmEngine& engine, std::size_t weight_bytes, std::size_t runs) {
    std::vector<std::int64_t> times;
    if (engine.kernels() != nullptr && engine.kernels()->stream != nullptr) {
        constexpr std::size_t block = 16 * 64;
        const std::size_t bytes = (weight_bytes + block - 1) / block * block;
        std::vector<char> weights(bytes + 64, 1);
        const auto odd = reinterpret_cast<std::uintptr_t>(weights.data()) % 64;
        const char* start = weights.data() + (64 - odd) % 64;
        for (std::size_t run = 0; run < runs; ++run) {
            const Clock::time_point since = Clock::now();
            engine.kernels()->stream(start, static_cast<std::int64_t>(bytes / 64));
            times.push_back(elapsed_ns(since));
        }
    }
    return copied(times.data(), {times.size()});
}

}  // namespace

void bind_inference(nb::module_& module) {
    nb::enum_<pyorch::Part>(module, "LstmPart", "A part of a tick, for `LstmEngine.time_part`.")
        .value("call", pyorch::Part::call, "nothing: what a measurement costs by itself")
        .value("pack", pyorch::Part::pack, "x into the form that the kernels read")
        .value("input", pyorch::Part::input, "x·W + (R·h + b)")
        .value("tail", pyorch::Part::tail, "tables, c and h")
        .value("dense", pyorch::Part::dense, "dense layers and their conversion")
        .value("scores", pyorch::Part::scores, "probabilities and calibration")
        .value("recurrent", pyorch::Part::recurrent, "R·h + b")
        .value("lstm", pyorch::Part::lstm, "pack, input, tail and recurrent");
    nb::class_<LstmEngine>(module, "LstmEngine",
                           "The LSTM in SIMD or scalar integers; see pyorch.inference.cpu for the checked form.")
        .def(
            "__init__",
            [](LstmEngine* self, const Input& flat, const std::string& simd) {
                new (self) LstmEngine(pyorch::LstmModel::read(flat.data(), flat.shape(0)), simd);
            },
            "flat"_a, "simd"_a = "auto")
        .def_static("available", &LstmEngine::available, "Implementations of this processor, best first.")
        .def(
            "step",
            [](LstmEngine& self, const Vector& features) {
                check_length(features.shape(0), self.features());
                self.step(features.data());
                return outputs(self);
            },
            "features"_a, "One tick [F]: logits and scores, each [O].")
        .def("prepare", &LstmEngine::prepare, "What can be known before the next tick.")
        .def("run", &run, "features"_a, "one_by_one"_a = false,
             "Ticks [n, F], one after the other: logits and scores, each [n, O]; together, or each as it comes in a stream.")
        .def("time_ticks", &time_ticks, "features"_a,
             "Ticks [n, F], timed: ns of each step with the preparation done before it, then, of the same ticks "
             "again, ns of all steps and preparations back to back, and of the same in one call of `run`. A clock "
             "reading is included in each.")
        .def("time_part", &time_part, "part"_a, "features"_a,
             "Vectors [n, F]: ns of one part of a tick n times back to back; the stream starts anew after it.")
        .def("time_floor", &time_floor, "weight_bytes"_a, "runs"_a,
             "ns of each pass of one dot-product instruction for every 64 bytes of weights, rounded up to 1,024 "
             "bytes, a clock reading included: what no kernel can beat that reads its weights for every tick. Empty where "
             "the path has no such instruction.")
        .def(
            "window",
            [](LstmEngine& self, const Vectors& features) {
                check_length(features.shape(1), self.features());
                self.window(features.data(), static_cast<int>(features.shape(0)));
                return outputs(self);
            },
            "features"_a, "A window [t, F] from zero state.")
        .def("reset", &LstmEngine::reset, "Zero state, no vectors.")
        .def(
            "feed",
            [](LstmEngine& self, const Vector& features) {
                check_length(features.shape(0), self.features());
                self.feed(features.data());
            },
            "features"_a, "A vector before the next tick, without an answer.")
        .def(
            "layer_state",
            [](LstmEngine& self, int layer) -> Pair<std::int32_t> {
                const std::vector<std::size_t> shape{static_cast<std::size_t>(self.units(layer))};
                return {copied(self.hidden(layer), shape), copied(self.cell(layer), shape)};
            },
            "layer"_a, "h and c of a layer of a stateful model.")
        .def(
            "load_layer",
            [](LstmEngine& self, int layer, const Vector& hidden, const Vector& cell) {
                check_length(hidden.shape(0), self.units(layer));
                check_length(cell.shape(0), self.units(layer));
                self.load_layer(layer, hidden.data(), cell.data());
            },
            "layer"_a, "hidden"_a, "cell"_a)
        .def(
            "vectors",
            [](LstmEngine& self) {
                self.prepare();
                const std::size_t n = static_cast<std::size_t>(self.vectors());
                const std::size_t width = static_cast<std::size_t>(self.features());
                std::vector<std::int32_t> all(n * width);
                for (std::size_t k = 0; k < n; ++k) {
                    std::copy_n(self.vector(static_cast<int>(k)), width, all.data() + k * width);
                }
                return copied(all.data(), {n, width});
            },
            "The last min(steps, T - 1) vectors of a windowed model.")
        .def_prop_rw("steps", &LstmEngine::steps, &LstmEngine::set_steps, "Ticks since the last reset.")
        .def_prop_ro("simd", [](const LstmEngine& self) { return std::string(self.simd()); })
        .def_prop_ro("fused", [](const LstmEngine& self) { return std::string(self.fused()); },
                     "How the fused kernel of small models looks tables up: `lines` or `permutes`; empty where it is not used.")
        .def_prop_ro("simd_layers", &LstmEngine::simd_layers, "Layers that run in SIMD altogether.");
}
