// Construction of the LSTM engine: which arithmetic each layer takes, and its weights in that order.
#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

#include "lstm_engine.hpp"

namespace pyorch {
namespace {

bool runs_here(const Kernels* kernels) {
    if (kernels == nullptr) return false;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (kernels == avx512vnni_kernels()) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("bmi2");
    }
    return __builtin_cpu_supports("avx2");
#else
    return true;
#endif
}

std::vector<const Kernels*> present() {
    std::vector<const Kernels*> found;
    for (const Kernels* kernels : {avx512vnni_kernels(), avx2_kernels(), neon_kernels()}) {
        if (runs_here(kernels)) found.push_back(kernels);
    }
    return found;
}

int padded(int count, int to) { return (count + to - 1) / to * to; }

// Whether a value of the format fits signed 16-bit words.
bool fits_words(const Fixed& format) { return format.width <= (format.is_signed ? 16 : 15); }

// What a format's byte form adds to its planes.
Packing byte_form(const Fixed& format) {
    Packing packing;
    packing.bytes = true;
    packing.split = format.width > 8;
    packing.low_offset = !packing.split && format.is_signed ? 128 : 0;
    packing.high_offset = packing.split && format.is_signed ? 128 : 0;
    return packing;
}

// Weights [inputs][columns] in the kernel's order, signed bytes or words.
template <typename T>
void arrange(const std::vector<std::int64_t>& weights, int inputs, int columns, const Matrix& matrix,
             int lanes, int group, T* out) {
    const Blocks blocks = matrix.blocks;
    int first = 0;
    for (int b = 0; b < blocks.count; ++b) {
        const int size = blocks.size + (b < blocks.longer);
        for (int g = 0; g < matrix.groups; ++g) {
            for (int lane = 0; lane < size * lanes; ++lane) {
                for (int k = g * group; k < (g + 1) * group; ++k) {
                    const int j = first * lanes + lane;
                    const bool real = k < inputs && j < columns;
                    *out++ = static_cast<T>(real ? weights[static_cast<std::size_t>(k) * columns + j] : 0);
                }
            }
        }
        first += size;
    }
}

// The matrix of one product, or an empty one when the formats are not for this kernel.
Matrix arranged(const Kernels& kernels, const std::vector<std::int64_t>& weights, int inputs, int columns,
                const Fixed& values, const Fixed& form, int shift, Aligned<char>& data) {
    Matrix matrix;
    matrix.bytes = kernels.byte_group > 0 && form.is_signed && form.width <= 8 && values.width <= 16;
    if (!matrix.bytes && !(fits_words(form) && fits_words(values))) return {};
    if (shift < 0 || shift > 31) return {};
    matrix.split = matrix.bytes && values.width > 8;
    matrix.shift = shift;
    const int group = matrix.bytes ? kernels.byte_group : kernels.word_group;
    const int vectors = padded(columns, kernels.lanes) / kernels.lanes;
    matrix.blocks = blocks_of(vectors, matrix.split ? kernels.largest_split : kernels.largest_block);
    matrix.groups = padded(inputs, group) / group;
    const std::size_t count = static_cast<std::size_t>(vectors) * kernels.lanes * matrix.groups * group;
    data = Aligned<char>(count * (matrix.bytes ? 1 : 2));
    if (matrix.bytes) {
        arrange(weights, inputs, columns, matrix, kernels.lanes, group,
                reinterpret_cast<std::int8_t*>(data.data()));
    } else {
        arrange(weights, inputs, columns, matrix, kernels.lanes, group,
                reinterpret_cast<std::int16_t*>(data.data()));
    }
    matrix.data = data.data();
    return matrix;
}

// The share of a byte form's offsets in a column's sum, aligned.
std::int64_t offset_share(const std::vector<std::int64_t>& weights, int inputs, int columns, int column,
                          const Fixed& values, const Matrix& matrix) {
    if (!matrix.bytes) return 0;
    const Packing packing = byte_form(values);
    std::int64_t sum = 0;
    for (int k = 0; k < inputs; ++k) sum += weights[static_cast<std::size_t>(k) * columns + column];
    return (sum * (packing.low_offset + 256 * packing.high_offset)) << matrix.shift;
}

// Columns in the order that a SIMD tail reads: see Tail.
std::vector<int> by_units(int units, int lanes) {
    const int whole = units / lanes * lanes;
    std::vector<int> order;
    for (int u = 0; u < whole; u += lanes) {
        for (int gate = 0; gate < 4; ++gate) {
            for (int lane = 0; lane < lanes; ++lane) order.push_back(gate * units + u + lane);
        }
    }
    for (int gate = 0; gate < 4; ++gate) {
        for (int u = whole; u < units; ++u) order.push_back(gate * units + u);
    }
    return order;
}

std::vector<std::int64_t> reordered(const std::vector<std::int64_t>& weights, const std::vector<int>& order) {
    const std::size_t columns = order.size();
    std::vector<std::int64_t> result(weights.size());
    for (std::size_t at = 0; at < weights.size(); ++at) {
        result[at] = weights[at / columns * columns + static_cast<std::size_t>(order[at % columns])];
    }
    return result;
}

std::int64_t largest_of(const std::vector<std::int64_t>& values) {
    std::int64_t largest = 0;
    for (const std::int64_t value : values) largest = std::max(largest, std::abs(value));
    return largest;
}

// How values with so many fractional bits become words that index a table.
WordScale to_words(int fraction, bool sigmoid) {
    const int drop = fraction - word_fraction(sigmoid);
    return {std::max(drop, 0), std::max(-drop, 0)};
}

Values make_values(int count) {
    const std::size_t size = static_cast<std::size_t>(padded(count, 64)) + 64;
    return {Aligned<std::int32_t>(size), Aligned<std::uint8_t>(size), Aligned<std::uint8_t>(size),
            Aligned<std::int16_t>(size)};
}

}  // namespace

std::vector<std::string> LstmEngine::available() {
    std::vector<std::string> names;
    for (const Kernels* kernels : present()) names.emplace_back(kernels->name);
    names.emplace_back("scalar");
    return names;
}

LstmEngine::LstmEngine(const LstmModel& model, const std::string& simd) : model_(model) {
    const std::vector<const Kernels*> here = present();
    if (simd == "auto") {
        kernels_ = here.empty() ? nullptr : here.front();
    } else if (simd != "scalar") {
        const auto found = std::find_if(here.begin(), here.end(), [&](const Kernels* k) { return k->name == simd; });
        if (found == here.end()) throw std::invalid_argument("no " + simd + " kernels on this processor");
        kernels_ = *found;
    }
    int widest = 0;
    for (const LayerModel& layer : model_.layers) {
        for (const Fixed& form : {layer.input, layer.hidden, layer.lstm ? layer.cell : layer.hidden}) {
            if (form.width > (form.is_signed ? 32 : 31)) {
                throw std::invalid_argument("a value of " + std::to_string(form.width) + " bits: the limit is 32");
            }
        }
        widest = std::max(widest, layer.columns());
        lstm_count_ += layer.lstm;
        layers_.emplace_back();
        layers_.back().model = layer;
    }
    gates_ = Aligned<std::int32_t>(static_cast<std::size_t>(widest) + 128);
    gates_wide_ = Aligned<std::int64_t>(static_cast<std::size_t>(widest) + 128);
    for (std::size_t l = 0; l < layers_.size(); ++l) prepare_layer(l);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        std::vector<const Matrix*> consumers;
        if (l < lstm_count_) consumers.push_back(&layers_[l].recurrent);
        if (l + 1 < layers_.size()) consumers.push_back(&layers_[l + 1].kernel);
        layers_[l].packing = packing_of(layers_[l].model.hidden, consumers);
        layers_[l].tail.packing = layers_[l].packing;
        layers_[l].tail.compact.plain = plain_tail(l);
        if (l >= lstm_count_) dense_out_.push_back(make_values(layers_[l].model.units));
    }
    input_packing_ = packing_of(model_.layers.front().input, {&layers_.front().kernel});
    input_ = make_values(model_.features());
    const int lanes = model_.windowed ? model_.window : 1;
    for (int k = 0; k < lanes; ++k) lanes_.push_back(make_lane());
    scratch_ = make_lane();
    history_ = Aligned<std::int32_t>(static_cast<std::size_t>(lanes) * model_.features());
    scorer_ = Scorer(model_);
    if (kernels_ != nullptr && kernels_ == avx512vnni_kernels()) fused_ = FusedPlan::of(model_);
    buffers_ = Aligned<FusedBuffers>(1);
    keeps_input_ = model_.windowed || (!layers_.front().simd_product && !fused_);
    logits_ = Aligned<std::int64_t>(static_cast<std::size_t>(padded(widest, 64)));
    scores_.assign(static_cast<std::size_t>(model_.outputs()), 0);
    if (fused_ && !model_.windowed) {
        fast_ = {fused_->kernels, &fused_->model, lanes_.front().fused.data(), buffers_.data()};
    }
    prepare_batches();
    reset();
}

Packing LstmEngine::packing_of(const Fixed& format, const std::vector<const Matrix*>& consumers) const {
    Packing packing;
    bool words = false;
    for (const Matrix* matrix : consumers) {
        if (matrix->data == nullptr) continue;
        if (matrix->bytes) packing = byte_form(format);
        words = words || !matrix->bytes;
    }
    packing.words = words;
    return packing;
}

void LstmEngine::prepare_layer(std::size_t index) {
    PreparedLayer& layer = layers_[index];
    const LayerModel& m = layer.model;
    const int columns = m.columns(), fraction = m.accumulator.fraction();
    layer.bias_wide = Aligned<std::int64_t>(static_cast<std::size_t>(columns));
    for (int j = 0; j < columns; ++j) layer.bias_wide.data()[j] = m.bias_weights[j] << (fraction - m.bias.fraction());
    if (kernels_ == nullptr || m.accumulator.width > 32) return;
    std::vector<int> order(static_cast<std::size_t>(columns));
    std::iota(order.begin(), order.end(), 0);
    if (m.lstm && kernels_->tail != nullptr) prepare_tail(layer);
    if (layer.simd_tail) order = by_units(m.units, kernels_->lanes);
    const std::vector<std::int64_t> kernel = reordered(m.kernel_weights, order);
    const std::vector<std::int64_t> recurrent = reordered(m.recurrent_weights, order);
    layer.kernel = arranged(*kernels_, kernel, m.inputs, columns, m.input, m.kernel,
                            fraction - m.input.fraction() - m.kernel.fraction(), layer.kernel_data);
    if (m.lstm) {
        layer.recurrent = arranged(*kernels_, recurrent, m.units, columns, m.hidden, m.recurrent,
                                   fraction - m.hidden.fraction() - m.recurrent.fraction(), layer.recurrent_data);
    }
    layer.simd_product = layer.kernel.data != nullptr && (!m.lstm || layer.recurrent.data != nullptr);
    if (!layer.simd_product) {
        layer.kernel = layer.recurrent = {};
        layer.simd_tail = false;
        return;
    }
    layer.bias = Aligned<std::int32_t>(static_cast<std::size_t>(padded(columns, kernels_->lanes)));
    for (int j = 0; j < columns; ++j) {
        std::int64_t value = layer.bias_wide.data()[order[static_cast<std::size_t>(j)]];
        value -= offset_share(kernel, m.inputs, columns, j, m.input, layer.kernel);
        if (m.lstm) value -= offset_share(recurrent, m.units, columns, j, m.hidden, layer.recurrent);
        // modulo 2**32, as the sums that it joins
        layer.bias.data()[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    }
    const int drop = fraction - m.hidden.fraction();
    if (!m.lstm && m.accumulator.width <= 30 && m.hidden.saturate && drop >= 0 && drop <= 29) {
        // relu before the conversion or after it: rounding does not cross zero
        const std::int64_t lowest = m.relu ? std::max<std::int64_t>(m.hidden.minimum(), 0) : m.hidden.minimum();
        layer.conversion = {true, m.hidden.round && drop > 0 ? 1 << (drop - 1) : 0, drop, static_cast<int>(lowest),
                            static_cast<int>(m.hidden.maximum())};
    }
}

// The SIMD tail holds where table values, c and their scaled copies are signed 16-bit, gates are not negative,
// f*c + i*g stays within 32 bits, and every conversion drops bits and saturates. Otherwise: the scalar tail.
void LstmEngine::prepare_tail(PreparedLayer& layer) {
    const LayerModel& m = layer.model;
    if (m.gate.hard || m.activation.hard || m.gate.truncate != m.activation.truncate) return;
    if (!fits_words(m.cell) || !fits_words(m.hidden) || !m.cell.saturate || !m.hidden.saturate) return;
    const int table = m.table.fraction(), cell = m.cell.fraction();
    const int up_candidate = std::max(0, cell - table), up_forget = std::max(0, table - cell);
    if (up_candidate > 15 || up_forget > 15) return;
    const std::int64_t gate = largest_of(m.gate_table), candidate = largest_of(m.cell_table);
    if ((gate << up_forget) > 32767 || (candidate << up_candidate) > 32767) return;
    if (*std::min_element(m.gate_table.begin(), m.gate_table.end()) < 0) return;
    const int finest = std::max(cell, table) + table;
    const int cell_drop = finest - cell, hidden_drop = 2 * table - m.hidden.fraction();
    if (cell_drop < 1 || cell_drop > 30 || hidden_drop < 1 || hidden_drop > 30) return;
    const std::int64_t addend = m.cell.round ? std::int64_t{1} << (cell_drop - 1) : 0;
    const std::int64_t bound = (gate << up_forget) * (-m.cell.minimum()) + gate * (candidate << up_candidate) + addend;
    if (bound > 2147483647) return;
    const int fraction = m.accumulator.fraction();
    const int gate_shift = fraction + (m.gate.sigmoid ? 4 : 3) - m.gate.index_bits;
    const int candidate_shift = fraction + (m.activation.sigmoid ? 4 : 3) - m.activation.index_bits;
    const int squash_shift = cell + (m.activation.sigmoid ? 4 : 3) - m.activation.index_bits;
    for (const int shift : {gate_shift, candidate_shift}) {
        // an index is (a >> shift) + half: with shift 0 the addition needs a spare bit
        if (shift < (m.accumulator.width > 31 ? 1 : 0) || shift > 31) return;
    }
    if (squash_shift < 0 || squash_shift > 31) return;
    const auto copy = [&](const std::vector<std::int64_t>& values, int up) {
        layer.tables.emplace_back(values.size());
        std::transform(values.begin(), values.end(), layer.tables.back().data(),
                       [&](std::int64_t value) { return static_cast<std::int32_t>(value << up); });
        return layer.tables.back().data();
    };
    Tail& t = layer.tail;
    t.units = m.units;
    t.whole = m.units / kernels_->lanes * kernels_->lanes;
    t.output_gate = t.input_gate = copy(m.gate_table, 0);
    t.forget_gate = up_forget ? copy(m.gate_table, up_forget) : t.input_gate;
    t.squash = copy(m.cell_table, 0);
    t.candidate = up_candidate ? copy(m.cell_table, up_candidate) : t.squash;
    t.truncate = m.gate.truncate;
    t.gate_shift = gate_shift;
    t.gate_half = 1 << (m.gate.index_bits - 1);
    t.candidate_shift = candidate_shift;
    t.candidate_half = 1 << (m.activation.index_bits - 1);
    t.squash_shift = squash_shift;
    t.cell_addend = static_cast<int>(addend);
    t.cell_drop = cell_drop;
    t.cell_minimum = static_cast<int>(m.cell.minimum());
    t.cell_maximum = static_cast<int>(m.cell.maximum());
    t.hidden_addend = m.hidden.round ? 1 << (hidden_drop - 1) : 0;
    t.hidden_drop = hidden_drop;
    t.hidden_minimum = static_cast<int>(m.hidden.minimum());
    t.hidden_maximum = static_cast<int>(m.hidden.maximum());
    layer.simd_tail = true;
    t.compact.forget_up = up_forget;
    t.compact.candidate_up = up_candidate;
    prepare_compact(layer, hidden_drop);
}

// The tail on words, where both tables are point-symmetric and have at most 1,024 entries.
void LstmEngine::prepare_compact(PreparedLayer& layer, int hidden_drop) {
    const LayerModel& m = layer.model;
    CompactTail& compact = layer.tail.compact;
    if (layer.tail.truncate) return;
    compact.gate_scale = to_words(m.accumulator.fraction(), m.gate.sigmoid);
    compact.candidate_scale = to_words(m.accumulator.fraction(), m.activation.sigmoid);
    compact.squash_scale = to_words(m.cell.fraction(), m.activation.sigmoid);
    for (const WordScale& scale : {compact.gate_scale, compact.candidate_scale, compact.squash_scale}) {
        if (scale.drop > 15 || scale.up > 15) return;
    }
    layer.symmetric = Aligned<SymmetricTable>(2);
    SymmetricTable* tables = layer.symmetric.data();
    if (!place_tables(m, tables[0], tables[1], compact.look_up)) return;
    compact.gate = tables;
    compact.candidate = tables + 1;
    compact.output_high = hidden_drop > 15;
    compact.output_up = compact.output_high ? 1 : 15 - hidden_drop;
    compact.output_round = compact.output_high ? 1 << (30 - hidden_drop) : 0;
    compact.rounding_multiply = m.hidden.round && (largest_of(m.gate_table) << compact.output_up) <= 32767;
    if (!compact.rounding_multiply) compact.output_up = 0;
    compact.usable = true;
}

// Whether the state of a layer is c in words and h in bytes alone: see CompactTail.
bool LstmEngine::plain_tail(std::size_t index) const {
    const PreparedLayer& layer = layers_[index];
    const CompactTail& compact = layer.tail.compact;
    const Fixed &cell = layer.model.cell, &hidden = layer.model.hidden;
    if (!layer.simd_tail || !compact.usable || !compact.rounding_multiply) return false;
    if (compact.gate_scale.up > 0 || compact.candidate_scale.up > 0 || compact.squash_scale.up != 1) return false;
    if (compact.forget_up > 0 || compact.candidate_up > 0 || cell.width != 16 || !cell.is_signed) return false;
    if (hidden.width != 8 || !hidden.is_signed || layer.packing.words || !layer.packing.bytes) return false;
    return index + 1 < layers_.size() && layers_[index + 1].simd_product;
}

Lane LstmEngine::make_lane() const {
    Lane lane;
    lane.fused = Aligned<FusedLane>(1);
    for (std::size_t l = 0; l < lstm_count_; ++l) {
        const LayerModel& m = layers_[l].model;
        Lane::Layer state;
        state.hidden = make_values(m.units);
        state.cell = Aligned<std::int32_t>(static_cast<std::size_t>(padded(m.units, 32)));
        state.ready = Aligned<std::int32_t>(static_cast<std::size_t>(padded(m.columns(), 16)));
        state.ready_wide = Aligned<std::int64_t>(layers_[l].simd_product ? 0 : static_cast<std::size_t>(m.columns()));
        lane.layers.push_back(std::move(state));
    }
    return lane;
}

}  // namespace pyorch
