// A model as the engines take it: formats, weights and tables as raw integers, read from one flat array.
//
// The layout of the array is written by pyorch/inference/flat.py; both carry the same version number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace pyorch {

// Twin of pyorch.contract.fixed.FixedFormat.
struct Fixed {
    int width = 1;
    int integer = 1;
    bool is_signed = true;
    bool round = true;     // RND, else TRN
    bool saturate = true;  // SAT, else WRAP

    int fraction() const { return width - integer; }
    std::int64_t minimum() const { return is_signed ? -(std::int64_t{1} << (width - 1)) : 0; }
    std::int64_t maximum() const { return (std::int64_t{1} << (is_signed ? width - 1 : width)) - 1; }

    // Raw integers with `from` fractional bits, shifted to this format's binary point and rounded.
    std::int64_t align(std::int64_t raw, int from) const {
        const int drop = from - fraction();
        if (drop > 0) return (raw + (round ? std::int64_t{1} << (drop - 1) : 0)) >> drop;
        return raw << -drop;
    }
    std::int64_t convert(std::int64_t raw, int from) const {
        std::int64_t value = align(raw, from);
        if (saturate) return value < minimum() ? minimum() : value > maximum() ? maximum() : value;
        if (width >= 64) return value;
        value &= (std::int64_t{1} << width) - 1;
        return value > maximum() ? value - (std::int64_t{1} << width) : value;
    }
};

struct ActivationRule {
    bool sigmoid = true;    // else tanh
    bool hard = false;      // else a table
    bool truncate = false;  // index towards zero (stock hls4ml), else floor
    int index_bits = 0;
    std::int64_t slope = 0;
    int slope_fraction = 0;
};

struct LayerModel {
    bool lstm = true;  // else dense
    int inputs = 0;
    int units = 0;
    Fixed input, kernel, bias, accumulator;
    Fixed recurrent, table, cell, hidden;  // dense: `hidden` is the output format
    bool relu = false;
    ActivationRule gate, activation;
    std::vector<std::int64_t> kernel_weights, recurrent_weights, bias_weights, gate_table, cell_table;

    int columns() const { return lstm ? 4 * units : units; }
};

struct HeadModel {
    enum class Kind { softmax, sigmoid, linear };
    Kind kind = Kind::linear;
    int outputs = 0;
};

struct LstmModel {
    static constexpr std::int64_t version = 1;

    bool windowed = false;
    int window = 0;
    std::vector<LayerModel> layers;
    std::vector<HeadModel> heads;
    int exp_shift = 0;
    int sigmoid_shift = 0;
    std::vector<std::int64_t> exp_table, sigmoid_table, calibration;

    int features() const { return layers.front().inputs; }
    int outputs() const { return layers.back().units; }

    // Throws std::invalid_argument when the array is not such a model or ends early.
    static LstmModel read(const std::int64_t* data, std::size_t size);
};

}  // namespace pyorch
