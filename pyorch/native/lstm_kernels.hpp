// What the SIMD kernels of the LSTM engine share: plain data, no code that a compiler might emit once with
// one instruction set and use from another.
//
// A kernel multiplies a row of activations by a matrix of weights, exactly, modulo 2**32: the bundle's
// accumulator is proven to hold the sum in 32 bits, so what wraps on the way comes back.
//
// Activations come in two forms:
//   bytes: value = low - low_offset (width <= 8), or 256 * (high - high_offset) + low (width <= 16), for
//          vpdpbusd, which takes unsigned by signed bytes. The offsets' share, offset * (sum of a column's
//          weights), is a constant that the engine folds into the bias;
//   words: signed 16 bits, for vpdpwssd, vpmaddwd and smlal.
// pmaddubsw is never used: it saturates.
#pragma once

#include <cstdint>

#include "lstm_tables.hpp"

namespace pyorch {

struct Activations {
    std::uint8_t* low = nullptr;
    std::uint8_t* high = nullptr;
    std::int16_t* words = nullptr;
};

// How values of one format are brought into the forms that their consumers read.
struct Packing {
    bool bytes = false;
    bool split = false;  // bytes: two planes
    bool words = false;
    int low_offset = 0;
    int high_offset = 0;

    bool used() const { return bytes || words; }
};

// Blocks of a matrix: as few as `largest` allows, as even as can be; the first `longer` have one vector more.
struct Blocks {
    int count = 0, size = 0, longer = 0;

    int first(int block) const { return block * size + (block < longer ? block : longer); }
};
static inline Blocks blocks_of(int vectors, int largest) {
    const int count = (vectors + largest - 1) / largest;
    return {count, vectors / count, vectors % count};
}

// Weights in the order in which a kernel reads them:
// [block][group of inputs][vector of the block][lane = output][input within the group]
struct Matrix {
    bool bytes = false;  // else words
    bool split = false;
    Blocks blocks;    // of vectors: outputs, padded, over lanes
    int groups = 0;   // inputs, padded, over the group's size
    int shift = 0;    // from the product's binary point to the accumulator's
    // From the last weight to the first: a matrix larger than a cache, read to and fro, leaves there what is read first.
    bool backwards = false;
    const void* data = nullptr;
};

// From a binary point to words whose 16 bits are the range of a table: so many bits dropped, or, of a value clamped to what
// stays in range, so many shifted in. Saturation to a word is then the clipping of the index.
struct WordScale {
    int drop = 0, up = 0;
};

// The tail with both tables symmetric (lstm_tables.hpp), for register permutes, where a gather of sixteen values takes thirty
// cycles. Where h is rounded and o * 2**output_up fits 16 bits, one rounding multiply gives h, or, of more than 15 bits
// dropped, one of the upper words of the product; otherwise it takes the full product.
//
// Plain: nothing is scaled but o, c is a 16-bit word with the table's fraction, h is a byte: the state is then c in words and h
// in bytes alone, which `cell` and `packed` hold, and `hidden` is not written.
struct CompactTail {
    bool usable = false, plain = false;
    LookUp look_up = LookUp::permute_8;
    const SymmetricTable* gate = nullptr;
    const SymmetricTable* candidate = nullptr;
    WordScale gate_scale, candidate_scale, squash_scale;
    int forget_up = 0, candidate_up = 0, output_up = 0;
    bool rounding_multiply = false, output_high = false;
    int output_round = 0;
};

// f*c + i*g and o*tanh(c) with table values and c in signed 16 bits, so that one multiply-add of word pairs
// does both products. Tables are int32 copies, scaled where binary points differ.
//
// Sums come ordered for whole vectors: for every `lanes` units the vectors i, f, g, o, then what is left of the
// units in four short runs; so no padding, and every load is a vector that was stored as one.
struct Tail {
    int units = 0;
    int whole = 0;  // units in whole vectors
    const std::int32_t* input_gate = nullptr;
    const std::int32_t* forget_gate = nullptr;
    const std::int32_t* candidate = nullptr;
    const std::int32_t* output_gate = nullptr;
    const std::int32_t* squash = nullptr;
    bool truncate = false;
    int gate_shift = 0, gate_half = 0;
    int candidate_shift = 0, candidate_half = 0;
    int squash_shift = 0;
    int cell_addend = 0, cell_drop = 0, cell_minimum = 0, cell_maximum = 0;
    int hidden_addend = 0, hidden_drop = 0, hidden_minimum = 0, hidden_maximum = 0;
    Packing packing;
    CompactTail compact;
};

// A dense layer's one conversion, in 32 bits.
struct Conversion {
    bool usable = false;
    int addend = 0, drop = 0, minimum = 0, maximum = 0;
};

struct Kernels {
    const char* name;
    int lanes;            // outputs a vector
    int byte_group;       // inputs a lane of the byte form; 0: no byte form
    int word_group;       // the same of the word form
    int largest_block;    // vectors a block: one plane or words
    int largest_split;    // vectors a block: two planes
    // out[j] = start[j] + (sum_k value[k] * weight[k][j] << shift), for all padded outputs
    void (*product)(const Matrix&, const Activations&, const std::int32_t* start, std::int32_t* out);
    // gates [4 * units], ordered as said at Tail, and cell [units] -> cell, hidden, and hidden packed; reads and writes up to 31 values
    // behind the last unit
    void (*tail)(const Tail&, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                 const Activations& packed);  // null: the engine's own scalar tail
    // sums -> values, also widened to 64 bits; reads and writes whole vectors
    void (*convert)(const Conversion&, int count, const std::int32_t* sums, std::int32_t* values,
                    std::int64_t* wide);  // null: the engine's own loop
    void (*pack)(const Packing&, int count, const std::int32_t* values, const Activations& packed);
    // What no kernel that reads its weights for every tick can beat, for measurements: a dot-product instruction for every vector of weights, nothing
    // else. nullptr: not written for this instruction set.
    void (*stream)(const char* weights, std::int64_t vectors) = nullptr;
    // The product of many rows of bytes in one plane, `stride` apart, into rows of out, `columns` apart: weights are
    // read once for all. nullptr: not written for this instruction set.
    void (*product_of_rows)(const Matrix&, const std::uint8_t* values, std::int64_t stride, int rows,
                            const std::int32_t* start, std::int32_t* out, std::int64_t columns) = nullptr;
};

// Null where the program was not built for it; the engine asks the processor as well.
const Kernels* avx512vnni_kernels();
const Kernels* avx2_kernels();
const Kernels* neon_kernels();

}  // namespace pyorch
