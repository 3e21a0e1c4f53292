#include "lstm_engine.hpp"

#include <algorithm>
#include <cstddef>

namespace pyorch {

Activations Values::packed() { return {low.data(), high.data(), words.data()}; }

int LstmEngine::simd_layers() const {
    if (fused_) return static_cast<int>(layers_.size());
    return static_cast<int>(std::count_if(layers_.begin(), layers_.end(), [](const PreparedLayer& layer) {
        return layer.simd_product && (layer.simd_tail || !layer.model.lstm);
    }));
}

const std::int32_t* LstmEngine::hidden(int layer) {
    Lane& lane = lanes_[oldest_];
    std::int32_t* values = lane.layers[layer].hidden.raw.data();
    if (fused_) std::copy_n(lane.fused.data()->hidden, units(layer), values);
    if (layers_[layer].tail.compact.plain) {
        const std::uint8_t* bytes = lane.layers[layer].hidden.low.data();
        for (int u = 0; u < units(layer); ++u) values[u] = bytes[u] - layers_[layer].packing.low_offset;
    }
    return values;
}

const std::int32_t* LstmEngine::cell(int layer) {
    Lane& lane = lanes_[oldest_];
    std::int32_t* values = lane.layers[layer].cell.data();
    if (fused_) std::copy_n(lane.fused.data()->cell, units(layer), values);
    if (!layers_[layer].tail.compact.plain) return values;
    const auto* words = reinterpret_cast<const std::int16_t*>(values);
    return std::copy_n(words, units(layer), gates_.data()) - units(layer);
}

void LstmEngine::clear(Lane& lane) {
    if (fused_) {
        *lane.fused.data() = FusedLane{};
        std::fill_n(lane.fused.data()->bytes, fused_units, std::uint8_t{128});
        fused_->kernels->recurrent(fused_->model, *lane.fused.data());
        return;
    }
    for (std::size_t l = 0; l < lstm_count_; ++l) {
        Lane::Layer& state = lane.layers[l];
        PreparedLayer& layer = layers_[l];
        const int units = layer.model.units;
        std::fill_n(state.hidden.raw.data(), units, 0);
        std::fill_n(state.cell.data(), state.cell.size(), 0);
        if (kernels_) kernels_->pack(layer.packing, units, state.hidden.raw.data(), state.hidden.packed());
        ready(lane, l);
    }
}

// R·h + b of one layer.
void LstmEngine::ready(Lane& lane, std::size_t index) {
    if (fused_) return fused_->kernels->recurrent(fused_->model, *lane.fused.data());
    PreparedLayer& layer = layers_[index];
    Lane::Layer& state = lane.layers[index];
    if (layer.simd_product) {
        kernels_->product(layer.recurrent, state.hidden.packed(), layer.bias.data(), state.ready.data());
        return;
    }
    const LayerModel& m = layer.model;
    const int columns = m.columns();
    const int shift = m.accumulator.fraction() - m.hidden.fraction() - m.recurrent.fraction();
    std::int64_t* out = state.ready_wide.data();
    std::fill_n(out, columns, 0);
    for (int k = 0; k < m.units; ++k) {
        const std::int64_t value = state.hidden.raw.data()[k];
        const std::int64_t* row = m.recurrent_weights.data() + static_cast<std::size_t>(k) * columns;
        for (int j = 0; j < columns; ++j) out[j] += value * row[j];
    }
    for (int j = 0; j < columns; ++j) out[j] = (out[j] << shift) + layer.bias_wide.data()[j];
}

namespace {

// x·W + start of one layer, 64-bit path.
void wide_product(const LayerModel& m, const std::int32_t* values, const std::int64_t* start,
                  std::int64_t* out) {
    const int columns = m.columns();
    const int shift = m.accumulator.fraction() - m.input.fraction() - m.kernel.fraction();
    std::fill_n(out, columns, 0);
    for (int k = 0; k < m.inputs; ++k) {
        const std::int64_t value = values[k];
        const std::int64_t* row = m.kernel_weights.data() + static_cast<std::size_t>(k) * columns;
        for (int j = 0; j < columns; ++j) out[j] += value * row[j];
    }
    for (int j = 0; j < columns; ++j) out[j] = (out[j] << shift) + start[j];
}

std::int64_t activated(const ActivationRule& rule, const std::vector<std::int64_t>& table, const Fixed& form,
                       std::int64_t value, int fraction) {
    if (rule.hard) {
        int finest = fraction + rule.slope_fraction;
        std::int64_t line = value * rule.slope;
        if (rule.sigmoid) {
            ++finest;
            line = line * 2 + (std::int64_t{1} << (finest - 1));
        }
        const std::int64_t one = std::int64_t{1} << form.fraction();
        const std::int64_t lowest = rule.sigmoid ? 0 : std::max(-one, form.minimum());
        const std::int64_t highest = std::min(one, form.maximum());
        return std::min(std::max(form.align(line, finest), lowest), highest);
    }
    const int shift = fraction + (rule.sigmoid ? 4 : 3) - rule.index_bits;
    std::int64_t index;
    if (shift < 0) {
        index = value << -shift;
    } else if (rule.truncate && value < 0) {
        index = -((-value) >> shift);
    } else {
        index = value >> shift;
    }
    const std::int64_t size = static_cast<std::int64_t>(table.size());
    index = std::min(std::max(index + size / 2, std::int64_t{0}), size - 1);
    return table[static_cast<std::size_t>(index)];
}

}  // namespace

// The tail in 64 bits, from 32-bit or 64-bit gates.
void LstmEngine::scalar_tail(PreparedLayer& layer, Lane::Layer& state, const std::int32_t* gates,
                             const std::int64_t* wide) {
    const LayerModel& m = layer.model;
    const int units = m.units, fraction = m.accumulator.fraction();
    const int kept = m.table.fraction() + m.cell.fraction(), added = 2 * m.table.fraction();
    const int finest = std::max(kept, added);
    for (int u = 0; u < units; ++u) {
        const auto gate = [&](int block) {
            const int j = block * units + u;
            const std::int64_t a = wide ? wide[j] : gates[j];
            return block == 2 ? activated(m.activation, m.cell_table, m.table, a, fraction)
                              : activated(m.gate, m.gate_table, m.table, a, fraction);
        };
        const std::int64_t c = state.cell.data()[u];
        const std::int64_t sum = ((gate(1) * c) << (finest - kept)) + ((gate(0) * gate(2)) << (finest - added));
        const std::int64_t next = m.cell.convert(sum, finest);
        state.cell.data()[u] = static_cast<std::int32_t>(next);
        const std::int64_t t = activated(m.activation, m.cell_table, m.table, next, m.cell.fraction());
        state.hidden.raw.data()[u] = static_cast<std::int32_t>(m.hidden.convert(gate(3) * t, added));
    }
    if (kernels_) kernels_->pack(layer.packing, units, state.hidden.raw.data(), state.hidden.packed());
}

void LstmEngine::take(const std::int32_t* features) {
    if (keeps_input_) std::copy_n(features, model_.features(), input_.raw.data());
    if (fused_) return fused_->kernels->pack(fused_->model, *buffers_.data(), features);
    if (kernels_) kernels_->pack(input_packing_, model_.features(), features, input_.packed());
}

// x·W + (R·h + b) of one layer, into the gates.
void LstmEngine::input_product(PreparedLayer& layer, Lane::Layer& state, Values& in) {
    if (layer.simd_product) {
        kernels_->product(layer.kernel, in.packed(), state.ready.data(), gates_.data());
    } else {
        wide_product(layer.model, in.raw.data(), state.ready_wide.data(), gates_wide_.data());
    }
}

// c and h of one layer from its gates.
void LstmEngine::tail(PreparedLayer& layer, Lane::Layer& state) {
    if (!layer.simd_product) {
        scalar_tail(layer, state, nullptr, gates_wide_.data());
    } else if (layer.simd_tail) {
        kernels_->tail(layer.tail, gates_.data(), state.cell.data(), state.hidden.raw.data(), state.hidden.packed());
    } else {
        scalar_tail(layer, state, gates_.data(), nullptr);
    }
}

// Every LSTM layer by one step, from the vector taken; R·h + b must be ready.
void LstmEngine::advance(Lane& lane) {
    if (fused_) return fused_->kernels->advance(fused_->model, *lane.fused.data(), *buffers_.data());
    Values* in = &input_;
    for (std::size_t l = 0; l < lstm_count_; ++l) {
        input_product(layers_[l], lane.layers[l], *in);
        tail(layers_[l], lane.layers[l]);
        in = &lane.layers[l].hidden;
    }
}

void LstmEngine::dense(PreparedLayer& layer, Values& in, Values& out) {
    const LayerModel& m = layer.model;
    const int fraction = m.accumulator.fraction();
    if (layer.simd_product) {
        kernels_->product(layer.kernel, in.packed(), layer.bias.data(), gates_.data());
        if (layer.conversion.usable && kernels_->convert != nullptr) {
            kernels_->convert(layer.conversion, m.units, gates_.data(), out.raw.data(), logits_.data());
            if (layer.packing.used()) kernels_->pack(layer.packing, m.units, out.raw.data(), out.packed());
            return;
        }
        for (int j = 0; j < m.units; ++j) gates_wide_.data()[j] = gates_.data()[j];
    } else {
        wide_product(m, in.raw.data(), layer.bias_wide.data(), gates_wide_.data());
    }
    for (int j = 0; j < m.units; ++j) {
        std::int64_t a = gates_wide_.data()[j];
        if (m.relu && a < 0) a = 0;
        out.raw.data()[j] = static_cast<std::int32_t>(m.hidden.convert(a, fraction));
        logits_.data()[j] = out.raw.data()[j];
    }
    if (kernels_) kernels_->pack(layer.packing, m.units, out.raw.data(), out.packed());
}

Values& LstmEngine::dense_layers(Values& in) {
    Values* values = &in;
    for (std::size_t l = lstm_count_; l < layers_.size(); ++l) {
        Values& out = dense_out_[l - lstm_count_];
        dense(layers_[l], *values, out);
        values = &out;
    }
    return *values;
}

void LstmEngine::answer(Lane& lane) {
    if (fused_) return fused_->kernels->answer(fused_->model, *lane.fused.data(), *buffers_.data());
    const Values& last = dense_layers(lane.layers.back().hidden);
    if (layers_.size() == lstm_count_) {
        for (std::size_t k = 0; k < scores_.size(); ++k) logits_.data()[k] = last.raw.data()[k];
    }
    scorer_(last.raw.data(), scores_.data());
}

void LstmEngine::run_part(Part part, const std::int32_t* features) {
    Lane& lane = lanes_[oldest_];
    if (part == Part::call) return;
    if (part == Part::pack) return take(features);
    if (part == Part::lstm) {
        take(features);
        advance(lane);
    }
    if (part == Part::recurrent || part == Part::lstm) {
        for (std::size_t l = 0; l < lstm_count_; ++l) ready(lane, l);
    } else if (fused_) {
        const FusedKernels& kernels = *fused_->kernels;
        FusedLane& state = *lane.fused.data();
        FusedBuffers& buffers = *buffers_.data();
        if (part == Part::input) kernels.input(fused_->model, state, buffers);
        if (part == Part::tail) kernels.tail(fused_->model, state, buffers);
        if (part == Part::dense) kernels.dense(fused_->model, state, buffers);
        if (part == Part::scores) kernels.scores(fused_->model, buffers);
    } else {
        Values* in = &input_;
        for (std::size_t l = 0; l < lstm_count_; ++l) {
            if (part == Part::input) input_product(layers_[l], lane.layers[l], *in);
            if (part == Part::tail) tail(layers_[l], lane.layers[l]);
            in = &lane.layers[l].hidden;
        }
        if (part == Part::dense) dense_layers(*in);
        if (part == Part::scores) {
            const Values& last = layers_.size() > lstm_count_ ? dense_out_.back() : *in;
            scorer_(last.raw.data(), scores_.data());
        }
    }
}

void LstmEngine::step_any(const std::int32_t* features) {
    if (!prepared_) prepare_any();
    take(features);
    advance(lanes_[oldest_]);
    answer(lanes_[oldest_]);
    prepared_ = false;
    ++steps_;
}

void LstmEngine::feed(const std::int32_t* features) {
    if (!prepared_) prepare();
    take(features);
    advance(lanes_[oldest_]);
    prepared_ = false;
    ++steps_;
    prepare();
}

void LstmEngine::prepare_any() {
    if (prepared_) return;
    prepared_ = true;
    for (std::size_t l = 0; l < lstm_count_; ++l) ready(lanes_[oldest_], l);
    if (!model_.windowed) return;
    const int length = model_.window;
    // the windows begun at later ticks, and the one that begins with this vector
    for (int k = 1; k <= alive_; ++k) {
        Lane& lane = lanes_[(oldest_ + k) % length];
        advance(lane);
        for (std::size_t l = 0; l < lstm_count_; ++l) ready(lane, l);
    }
    if (length > 1) {
        const int n = model_.features();
        std::copy_n(input_.raw.data(), n, history_.data() + (fed_++ % (length - 1)) * n);
    }
    if (++alive_ == length) {
        clear(lanes_[oldest_]);
        oldest_ = (oldest_ + 1) % length;
        --alive_;
    }
}

const std::int32_t* LstmEngine::vector(int k) const {
    const int length = model_.window;
    return history_.data() + ((fed_ - alive_ + k) % (length - 1)) * model_.features();
}

void LstmEngine::window(const std::int32_t* features, int length) {
    prepare();  // it reads the vector taken last, which the window overwrites
    clear(scratch_);
    for (int t = 0; t < length; ++t) {
        take(features + static_cast<std::size_t>(t) * model_.features());
        advance(scratch_);
        if (t + 1 < length) {
            for (std::size_t l = 0; l < lstm_count_; ++l) ready(scratch_, l);
        }
    }
    answer(scratch_);
}

void LstmEngine::reset() {
    for (Lane& lane : lanes_) clear(lane);
    oldest_ = alive_ = 0;
    steps_ = fed_ = 0;
    prepared_ = true;
}

void LstmEngine::load_layer(int layer, const std::int32_t* hidden, const std::int32_t* cell) {
    const auto index = static_cast<std::size_t>(layer);
    Lane::Layer& state = lanes_[oldest_].layers[index];
    const int n = layers_[index].model.units;
    std::copy_n(hidden, n, state.hidden.raw.data());
    if (layers_[index].tail.compact.plain) {
        std::copy_n(cell, n, reinterpret_cast<std::int16_t*>(state.cell.data()));
    } else {
        std::copy_n(cell, n, state.cell.data());
    }
    if (fused_) {
        FusedLane& fused = *lanes_[oldest_].fused.data();
        fused = FusedLane{};
        for (int u = 0; u < n; ++u) {
            fused.hidden[u] = static_cast<std::int16_t>(hidden[u]);
            fused.cell[u] = static_cast<std::int16_t>(cell[u]);
            fused.bytes[u] = static_cast<std::uint8_t>(hidden[u] + 128);
        }
    } else if (kernels_) kernels_->pack(layers_[index].packing, n, state.hidden.raw.data(), state.hidden.packed());
    ready(lanes_[oldest_], index);
}

}  // namespace pyorch
