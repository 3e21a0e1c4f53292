// Construction of the fused kernel's data: whether a model fits, and everything in the kernel's order.
#include "lstm_fused.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace pyorch {
namespace {

bool fits_words(const Fixed& format) { return format.width <= (format.is_signed ? 16 : 15); }

std::int64_t largest_of(const std::vector<std::int64_t>& values) {
    std::int64_t largest = 0;
    for (const std::int64_t value : values) largest = std::max(largest, std::abs(value));
    return largest;
}

bool fits_bits(const std::vector<std::int64_t>& values, int up, int bits) {
    const std::int64_t end = std::int64_t{1} << (bits - 1);
    return std::all_of(values.begin(), values.end(), [&](std::int64_t value) {
        return (value << up) >= -end && (value << up) < end;
    });
}

// The column of W, R and b that stands in sum `at`: see lstm_fused.hpp. -1: a dead unit's.
int column_at(int at, int units) {
    const int vector = at / 16, quarter = at % 16 / 4, place = at % 4;
    int gate, unit;
    if (vector < 4) {
        gate = place % 2;
        unit = 8 * quarter + 2 * vector + place / 2;
    } else {
        gate = vector / 2;
        unit = 8 * quarter + 4 * (vector % 2) + place;
    }
    return unit < units ? gate * units + unit : -1;
}

}  // namespace

std::unique_ptr<FusedPlan> FusedPlan::of(const LstmModel& model) {
    if (model.layers.size() != 2 || !model.layers[0].lstm || model.layers[1].lstm) return nullptr;
    for (const bool bytes : {true, false}) {
        auto plan = std::make_unique<FusedPlan>();
        plan->model.hidden_bytes = bytes;
        if (!plan->place_layer(model.layers[0]) || !plan->place_dense(model.layers[1])) continue;
        plan->place_heads(model);
        plan->kernels = fused_kernels(plan->look_up_, plan->model);
        return plan->kernels != nullptr ? std::move(plan) : nullptr;
    }
    return nullptr;
}

bool FusedPlan::place_layer(const LayerModel& layer) {
    const Fixed &table = layer.table, &cell = layer.cell, &hidden = layer.hidden;
    if (layer.units > fused_units || layer.inputs > fused_features || layer.input.width > 8) return false;
    if (layer.gate.hard || layer.activation.hard || layer.gate.truncate || layer.activation.truncate) return false;
    if (!layer.gate.sigmoid || layer.activation.sigmoid || layer.accumulator.width > 32) return false;
    if (!fits_words(cell) || !fits_words(hidden) || !cell.saturate || !hidden.saturate || !hidden.round) return false;
    model.features = layer.inputs;
    model.groups = (layer.inputs + 3) / 4;
    if (model.hidden_bytes && (hidden.width > 8 || !hidden.is_signed)) return false;
    model.input_flip = Constant::of(layer.input.is_signed ? static_cast<std::int32_t>(0x80808080) : 0);

    // Binary points: W scaled up so that x·W has at least the words' fraction, R so that R·h has the accumulator's.
    const int fraction = layer.accumulator.fraction();
    const int product = layer.input.fraction() + layer.kernel.fraction();
    const int kernel_up = std::max(0, word_fraction(true) - product);
    const int recurrent_up = fraction - hidden.fraction() - layer.recurrent.fraction();
    const int ready_shift = fraction - product - kernel_up, sum_shift = product + kernel_up - word_fraction(true);
    if (kernel_up > 7 || recurrent_up < 0 || recurrent_up > 15 || ready_shift < 0 || ready_shift > 31) return false;
    if (sum_shift > 31 || !fits_bits(layer.kernel_weights, kernel_up, 8)) return false;
    model.ready_shift = Constant::of(ready_shift);
    model.sum_shift = Constant::of(sum_shift);
    if (!fits_bits(layer.recurrent_weights, recurrent_up, model.hidden_bytes ? 8 : 16)) return false;

    const int columns = layer.columns(), group = model.hidden_bytes ? 4 : 2;
    const int input_offset = layer.input.is_signed ? 128 : 0, hidden_offset = 128;
    kernel_ = Aligned<std::int8_t>(static_cast<std::size_t>(model.groups) * 4 * fused_columns);
    recurrent_ = Aligned<char>(static_cast<std::size_t>(fused_units) * fused_columns * (model.hidden_bytes ? 1 : 2));
    bias_ = Aligned<std::int32_t>(fused_columns);
    auto* recurrent_words = reinterpret_cast<std::int16_t*>(recurrent_.data());
    for (int at = 0; at < fused_columns; ++at) {
        const int column = column_at(at, layer.units);
        if (column < 0) continue;
        std::int64_t bias = layer.bias_weights[static_cast<std::size_t>(column)] << (fraction - layer.bias.fraction());
        std::int64_t reach = std::abs(bias);
        for (int k = 0; k < layer.inputs; ++k) {
            const std::int64_t weight = layer.kernel_weights[static_cast<std::size_t>(k) * columns + column] << kernel_up;
            kernel_.data()[(k / 4 * fused_columns + at) * 4 + k % 4] = static_cast<std::int8_t>(weight);
            bias -= (input_offset * weight) << ready_shift;
            reach += (std::abs(weight) * 256) << ready_shift;
        }
        for (int k = 0; k < layer.units; ++k) {
            const std::int64_t weight = layer.recurrent_weights[static_cast<std::size_t>(k) * columns + column] << recurrent_up;
            const int place = (k / group * fused_columns + at) * group + k % group;
            if (model.hidden_bytes) {
                recurrent_.data()[place] = static_cast<char>(weight);
                bias -= hidden_offset * weight;
            } else {
                recurrent_words[place] = static_cast<std::int16_t>(weight);
            }
            reach += std::abs(weight) << hidden.width;
        }
        // nothing may wrap: R·h + b is shifted before x·W joins it
        if (reach > 2147483647) return false;
        bias_.data()[at] = static_cast<std::int32_t>(bias);
    }
    model.kernel = kernel_.data();
    model.recurrent = recurrent_.data();
    model.bias = bias_.data();

    if (!place_tables(layer, model.gate, model.candidate, look_up_)) return false;
    const int forget_up = std::max(0, table.fraction() - cell.fraction());
    const int candidate_up = std::max(0, cell.fraction() - table.fraction());
    const std::int64_t gate = largest_of(layer.gate_table), candidate = largest_of(layer.cell_table);
    if (forget_up > 15 || candidate_up > 15 || (gate << forget_up) > 32767 || (candidate << candidate_up) > 32767) return false;
    if (*std::min_element(layer.gate_table.begin(), layer.gate_table.end()) < 0) return false;
    model.forget_up = Constant::of(forget_up << 16);
    model.candidate_up = Constant::words(candidate_up);
    const int cell_drop = std::max(cell.fraction(), table.fraction()) + table.fraction() - cell.fraction();
    if (cell_drop < 1 || cell_drop > 30) return false;
    const int cell_addend = cell.round ? 1 << (cell_drop - 1) : 0;
    if ((gate << forget_up) * 32768 + gate * (candidate << candidate_up) + cell_addend > 2147483647) return false;
    model.cell_drop = Constant::of(cell_drop);
    model.cell_addend = Constant::of(cell_addend);
    model.cell_minimum = Constant::words(static_cast<int>(cell.minimum()));
    model.cell_maximum = Constant::words(static_cast<int>(cell.maximum()));
    const int squash_up = word_fraction(false) - cell.fraction();
    if (squash_up < 0 || squash_up > 15) return false;
    model.squash_up = Constant::words(squash_up);
    model.squash_minimum = Constant::words(-(32768 >> squash_up));
    model.squash_maximum = Constant::words(32767 >> squash_up);
    const int drop = 2 * table.fraction() - hidden.fraction();
    if (drop < 1 || drop > 30) return false;
    const int up = drop <= 15 ? 15 - drop : 1;  // of the product: o takes what it has room for, tanh(c) the rest
    int output_up = up;
    while (output_up > 0 && (gate << output_up) > 32767) --output_up;
    if ((gate << output_up) > 32767 || (candidate << (up - output_up)) > 32767) return false;
    model.output_up = Constant::words(output_up);
    model.squashed_up = Constant::words(up - output_up);
    model.output_high = drop > 15;
    model.output_round = Constant::words(1 << (30 - drop));
    const std::int64_t furthest = (gate * candidate + (std::int64_t{1} << (drop - 1))) >> drop;
    model.hidden_minimum = Constant::words(static_cast<int>(hidden.minimum()));
    model.hidden_maximum = Constant::words(static_cast<int>(hidden.maximum()));
    model.plain = !model.output_high && up == output_up && sum_shift == 0 && forget_up == 0 && candidate_up == 0 &&
                  squash_up == 1 && cell.minimum() == -32768 && cell.maximum() == 32767 &&
                  furthest <= hidden.maximum() && -furthest >= hidden.minimum();
    return true;
}

bool FusedPlan::place_dense(const LayerModel& layer) {
    const int fraction = layer.accumulator.fraction(), drop = fraction - layer.hidden.fraction();
    const int up = fraction - layer.input.fraction() - layer.kernel.fraction();
    if (layer.units > fused_outputs || layer.accumulator.width > 30 || !layer.hidden.saturate) return false;
    if (drop < 0 || drop > 29 || up < 0 || up > 15) return false;
    if (!fits_bits(layer.kernel_weights, up, model.hidden_bytes ? 8 : 16)) return false;
    const int group = model.hidden_bytes ? 4 : 2;
    dense_ = Aligned<char>(static_cast<std::size_t>(fused_units) * fused_outputs * (model.hidden_bytes ? 1 : 2));
    auto* dense_words = reinterpret_cast<std::int16_t*>(dense_.data());
    for (int j = 0; j < layer.units; ++j) {
        std::int64_t bias = layer.bias_weights[static_cast<std::size_t>(j)] << (fraction - layer.bias.fraction());
        if (layer.hidden.round && drop > 0) bias += std::int64_t{1} << (drop - 1);
        for (int k = 0; k < layer.inputs; ++k) {
            const std::int64_t weight = layer.kernel_weights[static_cast<std::size_t>(k) * layer.units + j] << up;
            const int of = k / group;  // the group of h; four groups a quarter
            const int place = ((of / 4 * 4 + j % 4) * 16 + j / 4 * 4 + of % 4) * group + k % group;
            if (model.hidden_bytes) {
                dense_.data()[place] = static_cast<char>(weight);
                bias -= 128 * weight;
            } else {
                dense_words[place] = static_cast<std::int16_t>(weight);
            }
        }
        // modulo 2**32, as the sums that it joins
        model.dense_bias.lanes[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(bias));
    }
    model.outputs = layer.units;
    model.dense = dense_.data();
    model.logit_drop = Constant::of(drop);
    // relu before the conversion or after it: rounding does not cross zero
    const std::int64_t lowest = layer.relu ? std::max<std::int64_t>(layer.hidden.minimum(), 0) : layer.hidden.minimum();
    model.logit_minimum = Constant::of(static_cast<int>(lowest));
    model.logit_maximum = Constant::of(static_cast<int>(layer.hidden.maximum()));
    return true;
}

void FusedPlan::place_heads(const LstmModel& whole) {
    const std::vector<HeadModel>& heads = whole.heads;
    const int exp_shift = std::min(whole.exp_shift, 31), sigmoid_shift = std::min(whole.sigmoid_shift, 31);
    const auto entries = static_cast<std::int32_t>(whole.sigmoid_table.size()), middle = entries / 2;
    const auto exp_entries = static_cast<std::int32_t>(whole.exp_table.size());
    // how far the clamped logits reach into the tables
    const std::int64_t lowest = model.logit_minimum.lanes[0], highest = model.logit_maximum.lanes[0];
    const std::int64_t below = lowest >> sigmoid_shift, above = highest >> sigmoid_shift, deepest = (highest - lowest) >> exp_shift;
    std::size_t sigmoids = 0;
    while (sigmoids + 1 < heads.size() && heads[sigmoids + 1].kind == HeadModel::Kind::sigmoid) ++sigmoids;
    int sigmoid_outputs = 0;
    for (std::size_t h = 1; h <= sigmoids; ++h) sigmoid_outputs += heads[h].outputs;
    model.standard = model.features == standard_features && !heads.empty() && heads[0].kind == HeadModel::Kind::softmax &&
                     heads[0].outputs == 3 && sigmoid_outputs == standard_sigmoids &&
                     std::all_of(heads.begin() + static_cast<std::ptrdiff_t>(sigmoids) + 1, heads.end(),
                                 [](const HeadModel& head) { return head.kind == HeadModel::Kind::linear; }) &&
                     above - below < longest_score_table && deepest < longest_score_table;
    const std::int64_t from = model.standard ? below : -middle, past = model.standard ? above + 1 : entries - middle;
    const std::int32_t length = static_cast<std::int32_t>(past - from);
    sigmoid_table_ = Aligned<std::int32_t>(static_cast<std::size_t>(length) * whole.outputs());
    segments_ = Aligned<FusedSegment>(17 * fused_outputs);
    const std::int32_t exp_length = model.standard ? static_cast<std::int32_t>(deepest) + 1 : exp_entries;
    exp_ = Aligned<std::uint16_t>(static_cast<std::size_t>(exp_length));
    for (std::int32_t k = 0; k < exp_length; ++k) {
        exp_.data()[k] = static_cast<std::uint16_t>(whole.exp_table[static_cast<std::size_t>(std::min(k, exp_entries - 1))]);
    }
    std::iota(model.rotation.lanes, model.rotation.lanes + fused_outputs, 0);
    std::int32_t output = 0, first = 0;
    for (const HeadModel& head : whole.heads) {
        if (head.kind == HeadModel::Kind::softmax) {
            model.softmax[model.softmaxes++] = {output, head.outputs};
            for (int k = 0; k < head.outputs && head.outputs <= 3; ++k) {
                model.rotation.lanes[output + k] = output + (k + 1) % head.outputs;
                model.softmax_lanes = static_cast<std::uint16_t>(model.softmax_lanes | 1 << (output + k));
            }
        }
        if (head.kind == HeadModel::Kind::sigmoid) {
            Run* last = model.sigmoid_runs > 0 ? &model.sigmoid_run[model.sigmoid_runs - 1] : nullptr;
            if (last != nullptr && last->first + last->size == output) {
                last->size += head.outputs;
            } else {
                model.sigmoid_run[model.sigmoid_runs++] = {output, head.outputs};
            }
        }
        for (int k = 0; k < head.outputs; ++k, ++output) {
            const std::int64_t* knots = whole.calibration.data() + 17 * output;
            FusedSegment* line = segments_.data() + 17 * output;
            for (std::int64_t at = 0; at < 17; ++at) {
                // the last piece is the point 1.0 alone
                const std::int64_t rise = at < 16 ? knots[at + 1] - knots[at] : 0;
                const std::int64_t start = (knots[at] << 11) - rise * (at << 11);
                line[at] = {static_cast<std::int32_t>(rise), static_cast<std::int32_t>(static_cast<std::uint32_t>(start))};
            }
            if (head.kind != HeadModel::Kind::sigmoid) continue;
            model.sigmoid_first.lanes[output] = first - (model.standard ? static_cast<std::int32_t>(from) : 0);
            for (std::int64_t at = from; at < past; ++at) {
                const std::int64_t entry = std::min<std::int64_t>(std::max<std::int64_t>(at + middle, 0), entries - 1);
                const std::int64_t p = whole.sigmoid_table[static_cast<std::size_t>(entry)];
                const std::int64_t piece = std::min<std::int64_t>(p >> 11, 15);
                const std::int64_t rise = knots[piece + 1] - knots[piece];
                sigmoid_table_.data()[first++] = static_cast<std::int32_t>(knots[piece] + ((rise * (p - (piece << 11))) >> 11));
            }
        }
    }
    model.sigmoid_shift = Constant::of(sigmoid_shift);
    model.sigmoid_middle = Constant::of(middle);
    model.sigmoid_last = Constant::of(entries - 1);
    model.sigmoid_table = sigmoid_table_.data();
    model.exp_table = exp_.data();
    model.exp_last = Constant::of(exp_entries - 1);
    model.exp_shift = Constant::of(exp_shift);
    model.segments = segments_.data();
}

}  // namespace pyorch
