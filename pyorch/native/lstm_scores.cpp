#include "lstm_scores.hpp"

#include <stdexcept>

namespace pyorch {
namespace {

void check(std::int64_t value, std::int64_t highest) {
    if (value < 0 || value > highest) throw std::invalid_argument("a probability table's value is out of range");
}
std::vector<std::uint16_t> narrowed(const std::vector<std::int64_t>& table, std::int64_t highest) {
    std::vector<std::uint16_t> values;
    for (const std::int64_t value : table) {
        check(value, highest);
        values.push_back(static_cast<std::uint16_t>(value));
    }
    return values;
}

}  // namespace

Scorer::Scorer(const LstmModel& model)
    : heads_(model.heads),
      exp_(narrowed(model.exp_table, 65535)),
      sigmoid_(narrowed(model.sigmoid_table, 65535)),
      exp_shift_(model.exp_shift),
      sigmoid_shift_(model.sigmoid_shift) {
    for (const std::int64_t knot : model.calibration) check(knot, 65536);
    for (std::size_t output = 0; output * 17 < model.calibration.size(); ++output) {
        const std::int64_t* knots = model.calibration.data() + output * 17;
        for (int k = 0; k < 16; ++k) {
            segments_.push_back({static_cast<std::int32_t>(knots[k]), static_cast<std::int32_t>(knots[k + 1] - knots[k])});
        }
    }
    bool exp = false, sigmoid = false;
    for (const HeadModel& head : heads_) {
        exp = exp || head.kind == HeadModel::Kind::softmax;
        sigmoid = sigmoid || head.kind == HeadModel::Kind::sigmoid;
    }
    if ((exp && (exp_.empty() || exp_.front() == 0)) || (sigmoid && sigmoid_.empty())) {
        throw std::invalid_argument("a head's table is missing");
    }
}

void Scorer::operator()(const std::int32_t* logits, std::int64_t* scores) const {
    const Segment* segments = segments_.data();
    const auto last = static_cast<std::int32_t>(sigmoid_.size()) - 1;
    const std::int32_t middle = (last + 1) / 2;
    for (const HeadModel& head : heads_) {
        const int n = head.outputs;
        if (head.kind == HeadModel::Kind::softmax) {
            softmax(n, logits, scores, segments);
        } else if (head.kind == HeadModel::Kind::sigmoid) {
            for (int k = 0; k < n; ++k) {
                // 64 bits: a 32-bit logit with shift 0 leaves no room for the middle
                const std::int64_t index = (static_cast<std::int64_t>(logits[k]) >> sigmoid_shift_) + middle;
                const auto entry = static_cast<std::size_t>(std::min<std::int64_t>(std::max<std::int64_t>(index, 0), last));
                scores[k] = calibrated(segments + 16 * k, sigmoid_[entry]);
            }
        } else {
            for (int k = 0; k < n; ++k) scores[k] = logits[k];
        }
        logits += n;
        scores += n;
        segments += 16 * n;
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
