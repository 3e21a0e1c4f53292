// The whole tick of a small model in one kernel: one LSTM layer of up to 32 units with up to 64 inputs, then one dense
// layer with up to 16 outputs and its heads. Everything from the sums of the gates to h stays in registers.
//
// Plain data, shared by the construction (lstm_fused.cpp) and the kernel (lstm_fused_avx512.cpp).
//
// Columns of W and R come in vectors of sixteen sums, q = 0..3 being the 128-bit lanes:
//   vectors 0, 1: lane q holds i, f of the units 8q, 8q+1 and of 8q+2, 8q+3
//   vectors 2, 3: the same of 8q+4, 8q+5 and of 8q+6, 8q+7
//   vectors 4, 5: g of 8q..8q+3 and of 8q+4..8q+7; vectors 6, 7: o in the same order.
// Saturating packs of two such vectors to words then give (i, f) pairs and g, o in the order of the units, which is
// what one multiply-add of word pairs (f*c + i*g) and its pack want: no shuffle else.
//
// Sums are brought to the scale where the sigmoid table's range is that of a 16-bit word, so that the pack's
// saturation is the clipping of the index.
#pragma once

#include <cstdint>
#include <memory>

#include "aligned.hpp"
#include "lstm_model.hpp"
#include "lstm_tables.hpp"

namespace pyorch {

constexpr int fused_units = 32;
constexpr int fused_columns = 4 * fused_units;
constexpr int fused_features = 64;
constexpr int fused_outputs = 16;
// A model of the usual shape has so many features, a softmax of three outputs, then so many sigmoids, then linear
// outputs; its tables of the scores reach as far as its logits.
constexpr int standard_features = 16;
constexpr int standard_sigmoids = 6;
constexpr int longest_score_table = 4096;

// A straight piece of a calibration map, modulo 2**32: (start + rise * p) >> 11.
struct FusedSegment {
    std::int32_t rise, start;
};

// Outputs next to each other.
struct Run {
    std::int32_t first = 0, size = 0;
};

struct FusedModel {
    int features = 0, groups = 0;         // groups: features in fours
    bool hidden_bytes = false;            // h in bytes, offset by 128; else in words
    bool plain = false;                   // none of the lines marked * is needed
    bool standard = false;                // the usual shape: see standard_features and what follows it
    const std::int8_t* kernel = nullptr;  // [group][vector][lane][4]
    const void* recurrent = nullptr;      // [group][vector][lane][4 bytes or 2 words]
    const std::int32_t* bias = nullptr;   // [128], offsets of the byte forms folded in
    Constant input_flip{};                // signed bytes become unsigned ones
    Constant ready_shift{};               // from R·h + b to the binary point of x·W
    Constant sum_shift{};                 // * from there to words
    SymmetricTable gate, candidate;
    Constant forget_up{}, candidate_up{};  // * where binary points of tables and c differ; f is the upper word
    Constant cell_addend{}, cell_drop{};
    Constant cell_minimum{}, cell_maximum{};                  // * c narrower than a word
    Constant squash_minimum{}, squash_maximum{}, squash_up{};  // * from c to the candidate's words; plain: doubled
    Constant output_up{};       // o * 2**output_up: then a rounding multiply by tanh(c) gives h, dropping 15 bits, or
    Constant squashed_up{};     // * the same for tanh(c)
    bool output_high = false;   // * the upper words of the product (15 bits dropped) by another one
    Constant output_round{};    // *
    Constant hidden_minimum{}, hidden_maximum{};              // * where o * tanh(c) can leave h's format

    int outputs = 0;
    const void* dense = nullptr;  // [quarter of h][block of four vectors]: see dense_of
    Constant dense_bias{};        // of each output, rounding addend and offsets folded in
    Constant logit_drop{}, logit_minimum{}, logit_maximum{};

    Constant sigmoid_shift{}, sigmoid_middle{}, sigmoid_last{};
    Constant sigmoid_first{};                     // of each output: where its table begins; standard: its middle
    const std::int32_t* sigmoid_table = nullptr;  // calibrated probability of every entry, a table an output
    int sigmoid_runs = 0;
    Run sigmoid_run[fused_outputs];
    std::uint16_t softmax_lanes = 0;              // outputs of softmaxes of up to three
    Constant rotation{};                          // the next output of the same softmax, else the output itself
    int softmaxes = 0;
    Run softmax[fused_outputs];
    const std::uint16_t* exp_table = nullptr;
    Constant exp_shift{}, exp_last{};
    const FusedSegment* segments = nullptr;  // [16 outputs][17]
};

// What one stream carries; units behind the last one are dead: no weight reads them.
struct alignas(64) FusedLane {
    std::int16_t cell[fused_units];
    std::int16_t hidden[fused_units];
    std::uint8_t bytes[64];              // h in bytes
    std::int32_t ready[fused_columns];   // R·h + b, scaled to x·W
};

struct alignas(64) FusedBuffers {
    std::uint8_t input[2][fused_features];  // x in bytes, offset by 128; the second for the next of many vectors
    std::int32_t sums[fused_columns];     // between parts, when they are timed one by one
    std::uint32_t index[fused_outputs];   // of table entries
    std::int64_t logits[fused_outputs];
    std::int64_t scores[fused_outputs];
};

struct FusedKernels {
    void (*pack)(const FusedModel&, FusedBuffers&, const std::int32_t* features);
    void (*advance)(const FusedModel&, FusedLane&, const FusedBuffers&);  // from the vector packed
    void (*answer)(const FusedModel&, const FusedLane&, FusedBuffers&);
    void (*step)(const FusedModel&, FusedLane&, FusedBuffers&, const std::int32_t* features);  // the three
    void (*recurrent)(const FusedModel&, FusedLane&);
    // n ticks with all their work, R·h + b for the next included: features [n][F] -> logits and scores [n][outputs]
    void (*run)(const FusedModel&, FusedLane&, FusedBuffers&, const std::int32_t* features, std::int64_t n,
                std::int64_t* logits, std::int64_t* scores);
    // parts of the above, for measurements
    void (*input)(const FusedModel&, const FusedLane&, FusedBuffers&);
    void (*tail)(const FusedModel&, FusedLane&, const FusedBuffers&);
    void (*dense)(const FusedModel&, const FusedLane&, FusedBuffers&);
    void (*scores)(const FusedModel&, FusedBuffers&);
};

// nullptr where the program was not built for it.
const FusedKernels* fused_kernels(LookUp look_up, const FusedModel& model);

// The model in the kernel's order with the memory that it points to.
class FusedPlan {
public:
    // nullptr where the shape or the formats are not for this kernel.
    static std::unique_ptr<FusedPlan> of(const LstmModel& model);

    bool lines() const { return look_up_ == LookUp::lines; }

    FusedModel model;
    const FusedKernels* kernels = nullptr;

private:
    bool place_layer(const LayerModel& layer);
    bool place_dense(const LayerModel& layer);
    void place_heads(const LstmModel& whole);

    LookUp look_up_ = LookUp::permute_8;
    Aligned<std::int8_t> kernel_;
    Aligned<char> recurrent_, dense_;
    Aligned<std::int32_t> bias_, sigmoid_table_;
    Aligned<std::uint16_t> exp_;
    Aligned<FusedSegment> segments_;
};

}  // namespace pyorch
