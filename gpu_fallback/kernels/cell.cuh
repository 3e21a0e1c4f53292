// The contract's arithmetic of one step, for the GPU and, word for word, for the CPU that tests it.
//
// Everything is 32-bit: `gpu_fallback/kernels/program.py` refuses models that do not stay within it, and packs
// a model into the arrays that are read here. Products are of 8-bit weights and 16-bit values, four at a time.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define PYORCH_BOTH __host__ __device__ __forceinline__
#else
#define PYORCH_BOTH inline
#endif

namespace pyorch {

constexpr int gates = 4;          // a unit's rows lie side by side, in the order i, f, g, o
constexpr int largest_layers = 5;  // LSTM and dense together

// FixedFormat.convert: (value << left + half) >> right, clipped.
struct Convert {
    std::int32_t left, half, right, lowest, highest;
};

// table_index of an activation, and where its table begins in `Program::tables`.
struct Lookup {
    std::int32_t left, right;       // binary points: value << left >> right
    std::int32_t towards_zero;      // the rule of stock hls4ml; else floor
    std::int32_t lowest, highest;   // before half of the size is added
    std::int32_t table;             // offset of the entry of index `lowest`
};

struct Layer {
    std::int32_t lstm;                     // else dense
    std::int32_t inputs, units, rows;      // rows: of the whole layer, 4 a unit or 1
    std::int32_t rounds_x, rounds_h;       // words of weights that a thread takes for x and for h
    std::int32_t weights;                  // offset of its first word in a block's weights
    std::int32_t bias;                     // offset in `Program::biases`, aligned to the accumulator
    std::int32_t shift_x, shift_h;         // binary points of the products, to the accumulator's
    std::int32_t relu;
    std::int32_t shift_fc, shift_ig;       // binary points of f*c and i*g
    Lookup gate, activation, squash;       // sums to i, f, o; sums to g; c to tanh c
    Convert cell, result;                  // result: h, or the output of a dense layer
};

// Fixed part of a packed model; the arrays follow it in this order.
struct Program {
    std::int32_t version, bytes;
    std::int32_t layers, features, outputs;
    std::int32_t blocks, threads, lanes;   // of one model; lanes share a row
    std::int32_t block_words;              // words of weights a block
    std::int32_t table_entries, bias_entries;
    std::int32_t state_values;             // h and c of all LSTM layers
    Layer layer[largest_layers];
};

PYORCH_BOTH std::int32_t clip(std::int32_t value, std::int32_t lowest, std::int32_t highest) {
    return value < lowest ? lowest : value > highest ? highest : value;
}

PYORCH_BOTH std::int32_t convert(const Convert& form, std::int32_t value) {
    return clip(((value << form.left) + form.half) >> form.right, form.lowest, form.highest);
}

PYORCH_BOTH std::int32_t look_up(const Lookup& rule, const std::int16_t* tables, std::int32_t value) {
    std::int32_t index = value << rule.left;
    if (rule.towards_zero != 0 && index < 0) index += (1 << rule.right) - 1;
    return tables[rule.table + clip(index >> rule.right, rule.lowest, rule.highest) - rule.lowest];
}

// sum + four 8-bit weights times four 16-bit values.
PYORCH_BOTH std::int32_t four_products(std::int32_t weights, std::int32_t low, std::int32_t high, std::int32_t sum) {
#ifdef __CUDA_ARCH__
    return __dp2a_hi(high, weights, __dp2a_lo(low, weights, sum));
#else
    for (int k = 0; k < 4; ++k) {
        const std::int32_t pair = k < 2 ? low : high;
        sum += static_cast<std::int16_t>(pair >> (16 * (k & 1))) * static_cast<std::int8_t>(weights >> (8 * k));
    }
    return sum;
#endif
}

// A thread's share of a row: words `lane`, `lane + lanes`, ... of its values; `weights` is its own column.
PYORCH_BOTH std::int32_t share_of_row(const std::int32_t* weights, int stride, const std::int32_t* values, int lane,
                                      int lanes, int rounds) {
    std::int32_t sum = 0;
#ifdef __CUDA_ARCH__
#pragma unroll 8
#endif
    for (int round = 0; round < rounds; ++round) {
        const std::int32_t* pairs = values + 2 * (lane + lanes * round);
        sum = four_products(weights[round * stride], pairs[0], pairs[1], sum);
    }
    return sum;
}

struct HiddenAndCell {
    std::int32_t hidden, cell;
};

PYORCH_BOTH HiddenAndCell tail(const Layer& layer, const std::int16_t* tables, std::int32_t i, std::int32_t f,
                               std::int32_t g, std::int32_t o, std::int32_t cell) {
    HiddenAndCell next;
    next.cell = convert(layer.cell, ((f * cell) << layer.shift_fc) + ((i * g) << layer.shift_ig));
    next.hidden = convert(layer.result, o * look_up(layer.squash, tables, next.cell));
    return next;
}

// The entry of a gate's table for a complete sum.
PYORCH_BOTH std::int32_t gate_entry(const Layer& layer, const std::int16_t* tables, int gate, std::int32_t sum) {
    return look_up(gate == 2 ? layer.activation : layer.gate, tables, sum);
}

PYORCH_BOTH std::int32_t dense_result(const Layer& layer, std::int32_t sum) {
    return convert(layer.result, layer.relu != 0 && sum < 0 ? 0 : sum);
}

}  // namespace pyorch
