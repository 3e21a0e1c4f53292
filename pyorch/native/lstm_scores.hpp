// What follows the logits: softmax and sigmoid by frozen tables, then the calibration map. All integers.
// Twin: pyorch.inference.reference.scores_of.
#pragma once

#include <cstdint>

#include "lstm_model.hpp"

namespace pyorch {

inline std::int64_t calibrated(const std::int64_t* knots, std::int64_t p) {
    const std::int64_t segment = p >> 11 < 15 ? p >> 11 : 15;
    const std::int64_t left = knots[segment];
    return left + (((knots[segment + 1] - left) * (p - (segment << 11))) >> 11);
}

inline void scores_of(const LstmModel& model, const std::int64_t* logits, std::int64_t* scores) {
    const std::int64_t* knots = model.calibration.data();
    for (const HeadModel& head : model.heads) {
        const int n = head.outputs;
        if (head.kind == HeadModel::Kind::softmax) {
            const std::int64_t last = static_cast<std::int64_t>(model.exp_table.size()) - 1;
            std::int64_t highest = logits[0];
            for (int k = 1; k < n; ++k) highest = logits[k] > highest ? logits[k] : highest;
            std::int64_t sum = 0;
            for (int k = 0; k < n; ++k) {
                const std::int64_t below = (highest - logits[k]) >> model.exp_shift;
                scores[k] = model.exp_table[below < last ? below : last];
                sum += scores[k];
            }
            // e < 2**16, so e << 15 and the sum of fewer than 2**16 of them fit unsigned 32 bits: a cheap division
            for (int k = 0; k < n; ++k) {
                const auto p = (static_cast<std::uint32_t>(scores[k]) << 15) / static_cast<std::uint32_t>(sum);
                scores[k] = calibrated(knots + 17 * k, p);
            }
        } else if (head.kind == HeadModel::Kind::sigmoid) {
            const std::int64_t size = static_cast<std::int64_t>(model.sigmoid_table.size());
            for (int k = 0; k < n; ++k) {
                const std::int64_t index = (logits[k] >> model.sigmoid_shift) + size / 2;
                const std::int64_t p = model.sigmoid_table[index < 0 ? 0 : index >= size ? size - 1 : index];
                scores[k] = calibrated(knots + 17 * k, p);
            }
        } else {
            for (int k = 0; k < n; ++k) scores[k] = logits[k];
        }
        logits += n;
        scores += n;
        knots += 17 * n;
    }
}

}  // namespace pyorch
