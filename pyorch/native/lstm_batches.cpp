// Many ticks in one call.
#include <algorithm>

#include "lstm_engine.hpp"

namespace pyorch {

// Where x·W of every LSTM layer is that of bytes in one plane, and everything else of it in SIMD.
void LstmEngine::prepare_batches() {
    if (model_.windowed || fused_ || kernels_ == nullptr || kernels_->product_of_rows == nullptr) return;
    int most_bytes = model_.features(), most_sums = 0;
    for (std::size_t l = 0; l < lstm_count_; ++l) {
        const PreparedLayer& layer = layers_[l];
        if (!layer.simd_product || !layer.simd_tail || !layer.kernel.bytes || layer.kernel.split) return;
        most_bytes = std::max(most_bytes, layer.model.units);
        most_sums = std::max(most_sums, layer.model.columns());
    }
    row_bytes_ = most_bytes + 128;  // kernels read and write behind the last one
    row_sums_ = (most_sums + 15) / 16 * 16;
    for (Aligned<std::uint8_t>& rows : rows_) rows = Aligned<std::uint8_t>(static_cast<std::size_t>(batch * row_bytes_));
    batch_sums_ = Aligned<std::int32_t>(static_cast<std::size_t>(batch * row_sums_));
}

void LstmEngine::run(const std::int32_t* features, std::int64_t n, std::int64_t* logits, std::int64_t* scores) {
    if (fast_.kernels != nullptr) {
        prepare();
        fast_.kernels->run(*fast_.model, *fast_.lane, *fast_.buffers, features, n, logits, scores);
        steps_ += n;
        return;
    }
    if (batch_sums_.size() > 0 && n > 1) return run_batches(features, n, logits, scores);
    const int width = outputs();
    for (std::int64_t t = 0; t < n; ++t, features += model_.features(), logits += width, scores += width) {
        step_any(features);
        prepare_any();
        std::copy_n(this->logits(), width, logits);
        std::copy_n(this->scores(), width, scores);
    }
}

// Layer by layer for some ticks at once: x·W reads its weights once for all of them; R·h reads its own to and fro.
void LstmEngine::run_batches(const std::int32_t* features, std::int64_t n, std::int64_t* logits, std::int64_t* scores) {
    Lane& lane = lanes_[oldest_];
    const int width = outputs();
    for (std::int64_t done = 0; done < n; done += batch) {
        const int count = static_cast<int>(std::min<std::int64_t>(batch, n - done));
        for (int t = 0; t < count; ++t, features += model_.features()) {
            kernels_->pack(input_packing_, model_.features(), features, {rows_[0].data() + t * row_bytes_, nullptr, nullptr});
        }
        for (std::size_t l = 0; l < lstm_count_; ++l) {
            PreparedLayer& layer = layers_[l];
            Lane::Layer& state = lane.layers[l];
            const bool last = l + 1 == lstm_count_;
            const std::uint8_t* in = rows_[l % 2].data();
            std::uint8_t* out = rows_[(l + 1) % 2].data();
            kernels_->product_of_rows(layer.kernel, in, row_bytes_, count, layer.bias.data(), batch_sums_.data(), row_sums_);
            Matrix recurrent = layer.recurrent;
            const Activations own = state.hidden.packed();
            Activations before = own;
            for (int t = 0; t < count; ++t, recurrent.backwards = !recurrent.backwards) {
                kernels_->product(recurrent, before, batch_sums_.data() + t * row_sums_, gates_.data());
                // the next layer takes h of all the ticks, the answer that of each
                const Activations next = {last ? own.low : out + t * row_bytes_, own.high, own.words};
                kernels_->tail(layer.tail, gates_.data(), state.cell.data(), state.hidden.raw.data(), next);
                before = next;
                if (!last) continue;
                answer(lane);
                logits = std::copy_n(this->logits(), width, logits);
                scores = std::copy_n(this->scores(), width, scores);
            }
            if (!last) std::copy_n(before.low, layer.model.units, own.low);
        }
    }
    prepared_ = false;
    steps_ += n;
    prepare_any();
}

}  // namespace pyorch
