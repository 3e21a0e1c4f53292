#include "lstm_scores.hpp"

#include <stdexcept>

namespace pyorch {
namespace {

// Probability tables are unsigned 16-bit, calibration knots lie in 0..65536.
void check(std::int64_t value) {
    if (value < 0 || value > 65536) throw std::invalid_argument("a probability table's value is out of range");
}

std::vector<std::uint16_t> narrowed(const std::vector<std::int64_t>& table) {
    std::vector<std::uint16_t> values;
    for (const std::int64_t value : table) {
        check(value + 1);
        values.push_back(static_cast<std::uint16_t>(value));
    }
    return values;
}

}  // namespace

Scorer::Scorer(const LstmModel& model)
    : exp_(narrowed(model.exp_table)),
      sigmoid_last_(static_cast<std::int32_t>(model.sigmoid_table.size()) - 1),
      exp_shift_(model.exp_shift),
      sigmoid_shift_(model.sigmoid_shift) {
    const std::vector<std::uint16_t> sigmoid = narrowed(model.sigmoid_table);
    const std::int64_t* knots = model.calibration.data();
    for (const HeadModel& head : model.heads) {
        parts_.push_back({head.kind, head.outputs, fused_.size(), segments_.size()});
        const bool softmax = head.kind == HeadModel::Kind::softmax;
        if (softmax ? exp_.empty() || exp_.front() == 0 : head.kind == HeadModel::Kind::sigmoid && sigmoid.empty()) {
            throw std::invalid_argument("a head's table is missing");
        }
        for (int output = 0; output < head.outputs; ++output, knots += 17) {
            std::vector<Segment> map;
            for (int k = 0; k < 16; ++k) {
                check(knots[k]);
                check(knots[k + 1]);
                map.push_back({static_cast<std::int32_t>(knots[k]), static_cast<std::int32_t>(knots[k + 1] - knots[k])});
            }
            if (softmax) segments_.insert(segments_.end(), map.begin(), map.end());
            if (head.kind != HeadModel::Kind::sigmoid) continue;
            for (const std::uint16_t p : sigmoid) fused_.push_back(calibrated(map.data(), p));
        }
    }
}

void Scorer::operator()(const std::int32_t* logits, std::int64_t* scores) const {
    const std::int32_t last = sigmoid_last_, middle = (last + 1) / 2, shift = sigmoid_shift_;
    for (const Part& part : parts_) {
        const int n = part.outputs;
        if (part.kind == HeadModel::Kind::softmax) {
            softmax(n, logits, scores, segments_.data() + part.first_segment);
        } else if (part.kind == HeadModel::Kind::sigmoid) {
            const std::int32_t* table = fused_.data() + part.first_table;
            for (int k = 0; k < n; ++k, table += last + 1) {
                // 64 bits: a 32-bit logit with shift 0 leaves no room for the middle
                const std::int64_t index = (static_cast<std::int64_t>(logits[k]) >> shift) + middle;
                scores[k] = table[std::min<std::int64_t>(std::max<std::int64_t>(index, 0), last)];
            }
        } else {
            for (int k = 0; k < n; ++k) scores[k] = logits[k];
        }
        logits += n;
        scores += n;
    }
}

void Scorer::softmax(int n, const std::int32_t* logits, std::int64_t* scores, const Segment* segments) const {
    const auto last = static_cast<std::int64_t>(exp_.size()) - 1;
    std::int64_t highest = logits[0];
    for (int k = 1; k < n; ++k) highest = std::max<std::int64_t>(highest, logits[k]);
    std::uint32_t sum = 0;
    for (int k = 0; k < n; ++k) {
        const std::uint32_t e = exp_[static_cast<std::size_t>(std::min((highest - logits[k]) >> exp_shift_, last))];
        scores[k] = e;
        sum += e;
    }
    // e < 2**16, so e << 15 fits unsigned 32 bits, as does the sum of up to 2**16 of them: a cheap division
    for (int k = 0; k < n; ++k) {
        const std::uint32_t p = (static_cast<std::uint32_t>(scores[k]) << 15) / sum;
        scores[k] = calibrated(segments + 16 * k, static_cast<std::int32_t>(p));
    }
}

}  // namespace pyorch
