// The native LSTM engine: any shape and format of the contract, bit-exact, no allocation after construction.
//
// A tick is split in two: `step` does what needs the new vector (x·W, the tail, the head), `prepare` does what
// can be known before the next one (R·h + b; for a sliding window the advance of every window begun since).
// Everything that `prepare` computes is derived from the state and never saved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "aligned.hpp"
#include "lstm_fused.hpp"
#include "lstm_kernels.hpp"
#include "lstm_model.hpp"
#include "lstm_scores.hpp"

namespace pyorch {

// Values between layers: integers, and the packed forms that SIMD kernels read.
struct Values {
    Aligned<std::int32_t> raw;
    Aligned<std::uint8_t> low, high;
    Aligned<std::int16_t> words;
    Activations packed();
};

// One run of the layers from a zero state: a stateful stream, or one of the windows begun at earlier ticks.
struct Lane {
    struct Layer {
        Values hidden;
        Aligned<std::int32_t> cell;
        Aligned<std::int32_t> ready;         // R·h + b, 32-bit path
        Aligned<std::int64_t> ready_wide;    // the same, 64-bit path
    };
    std::vector<Layer> layers;
    Aligned<FusedLane> fused;  // the state of a small model in the fused kernel, instead of `layers`
};

// A layer with its weights in the order of the chosen kernel.
struct PreparedLayer {
    LayerModel model;
    bool simd_product = false;
    bool simd_tail = false;
    Packing packing;  // of its output
    Matrix kernel, recurrent;
    Aligned<char> kernel_data, recurrent_data;
    Aligned<std::int32_t> bias;         // aligned, offsets of the byte form folded in
    Aligned<std::int64_t> bias_wide;    // aligned
    Tail tail;
    std::vector<Aligned<std::int32_t>> tables;
    Aligned<SymmetricTable> symmetric;  // gates, candidate
    Conversion conversion;  // dense, where the accumulator leaves room for the rounding addend
};

// A tick in parts, for measurements: the call alone; x into the kernels' form; x·W + (R·h + b); tables, c and h; dense
// layers with their conversion; probabilities with calibration; R·h + b; and all of the LSTM layers (without the answer).
enum class Part { call, pack, input, tail, dense, scores, recurrent, lstm };

class LstmEngine {
public:
    // simd: "auto" (the best that this processor has), "avx512vnni", "avx2", "neon", "scalar".
    // Throws std::invalid_argument for a name that is unknown or not available here, or formats beyond 32 bits.
    LstmEngine(const LstmModel& model, const std::string& simd);

    // The implementations that this processor runs, best first; "scalar" is always the last.
    static std::vector<std::string> available();

    // One tick: `features` values in the input format (the caller's duty). Answers in logits() and scores().
    void step(const std::int32_t* features) {
        if (fast_.kernels == nullptr) return step_any(features);
        if (!prepared_) fast_.kernels->recurrent(*fast_.model, *fast_.lane);
        fast_.kernels->step(*fast_.model, *fast_.lane, *fast_.buffers, features);
        prepared_ = false;
        ++steps_;
    }
    // What can be known before the next tick. `step` does it first if it was left out.
    void prepare() {
        if (prepared_) return;
        if (fast_.kernels == nullptr) return prepare_any();
        prepared_ = true;
        fast_.kernels->recurrent(*fast_.model, *fast_.lane);
    }
    // Many ticks [n][F], each prepared, the last one too: logits and scores [n][outputs].
    void run(const std::int32_t* features, std::int64_t n, std::int64_t* logits, std::int64_t* scores);
    // A window from zero state; answers in logits() and scores(), the stream's state stays.
    void window(const std::int32_t* features, int length);
    // One part of a tick of every layer, on whatever the buffers hold: for measurements, a reset must follow.
    void run_part(Part part, const std::int32_t* features);
    // Zero state, no vectors.
    void reset();

    const std::int64_t* logits() const { return fused_ ? buffers_.data()->logits : logits_.data(); }
    const std::int64_t* scores() const { return fused_ ? buffers_.data()->scores : scores_.data(); }
    int features() const { return model_.features(); }
    int outputs() const { return model_.outputs(); }
    bool windowed() const { return model_.windowed; }
    int window_length() const { return model_.window; }
    int lstm_layers() const { return static_cast<int>(lstm_count_); }
    int units(int layer) const { return layers_[layer].model.units; }
    std::int64_t steps() const { return steps_; }
    // "avx512vnni", ..., "scalar"
    const char* simd() const { return kernels_ ? kernels_->name : "scalar"; }
    // The kernels in use; nullptr for the scalar path.
    const Kernels* kernels() const { return kernels_; }
    // Layers that run in SIMD altogether: the others take 64-bit scalar arithmetic for their formats.
    int simd_layers() const;
    // How the fused kernel of small models looks tables up: "lines" or "permutes"; "" where it is not used.
    const char* fused() const { return !fused_ ? "" : fused_->lines() ? "lines" : "permutes"; }

    // State of a stateful model: h and c of a layer, `units` values each.
    const std::int32_t* hidden(int layer);
    const std::int32_t* cell(int layer);
    void load_layer(int layer, const std::int32_t* hidden, const std::int32_t* cell);
    // State of a windowed model: the last min(steps, T - 1) vectors, oldest first.
    int vectors() const { return alive_; }
    const std::int32_t* vector(int k) const;
    // A vector that comes before the next tick, without an answer.
    void feed(const std::int32_t* features);
    void set_steps(std::int64_t steps) { steps_ = steps; }

private:
    void step_any(const std::int32_t* features);
    void run_batches(const std::int32_t* features, std::int64_t n, std::int64_t* logits, std::int64_t* scores);
    void prepare_batches();
    void prepare_any();
    void prepare_layer(std::size_t index);
    void prepare_tail(PreparedLayer& layer);
    void prepare_compact(PreparedLayer& layer, int hidden_drop);
    bool plain_tail(std::size_t index) const;
    Packing packing_of(const Fixed& format, const std::vector<const Matrix*>& consumers) const;
    Lane make_lane() const;
    void clear(Lane& lane);
    void ready(Lane& lane, std::size_t index);
    void take(const std::int32_t* features);
    void advance(Lane& lane);
    void input_product(PreparedLayer& layer, Lane::Layer& state, Values& in);
    void tail(PreparedLayer& layer, Lane::Layer& state);
    Values& dense_layers(Values& in);
    void answer(Lane& lane);
    void scalar_tail(PreparedLayer& layer, Lane::Layer& state, const std::int32_t* gates,
                     const std::int64_t* wide);
    void dense(PreparedLayer& layer, Values& in, Values& out);

    LstmModel model_;
    const Kernels* kernels_ = nullptr;
    std::vector<PreparedLayer> layers_;
    std::size_t lstm_count_ = 0;
    Packing input_packing_;
    bool keeps_input_ = false;  // as integers: for a 64-bit layer or a window's history
    Values input_;
    std::vector<Values> dense_out_;
    std::vector<Lane> lanes_;
    Lane scratch_;
    int oldest_ = 0;
    int alive_ = 0;       // windowed: windows begun at earlier ticks
    bool prepared_ = true;
    std::int64_t steps_ = 0;
    std::int64_t fed_ = 0;  // vectors written to history_
    std::unique_ptr<FusedPlan> fused_;
    Aligned<FusedBuffers> buffers_;
    // A stateful model in the fused kernel: a tick without a detour.
    struct Fast {
        const FusedKernels* kernels = nullptr;
        const FusedModel* model = nullptr;
        FusedLane* lane = nullptr;
        FusedBuffers* buffers = nullptr;
    } fast_;
    // Many ticks in one call: x·W of so many of them at once. Rows of vectors and of h in bytes, and of x·W + b.
    static constexpr int batch = 8;
    Aligned<std::uint8_t> rows_[2];
    std::int64_t row_bytes_ = 0, row_sums_ = 0;
    Aligned<std::int32_t> batch_sums_;
    Aligned<std::int32_t> gates_;
    Aligned<std::int64_t> gates_wide_;
    Aligned<std::int32_t> history_;  // windowed: the last T - 1 vectors, a ring beside the lanes'
    Scorer scorer_;
    Aligned<std::int64_t> logits_;  // padded to whole vectors
    std::vector<std::int64_t> scores_;
};

}  // namespace pyorch
