// What follows the logits: softmax and sigmoid by frozen tables, then the calibration map. All integers.
// Twin: pyorch.inference.reference.scores_of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lstm_model.hpp"

namespace pyorch {

class Scorer {
public:
    Scorer() = default;
    // Throws std::invalid_argument for table or calibration values beyond what the arithmetic below takes.
    explicit Scorer(const LstmModel& model);

    // Logits [outputs] -> scores [outputs]; the formats' limit of 32 bits a value makes both int32.
    void operator()(const std::int32_t* logits, std::int64_t* scores) const;

private:
    struct Segment {
        std::int32_t left, rise;
    };
    struct Part {
        HeadModel::Kind kind;
        int outputs;
        std::size_t first_table;    // sigmoid: of fused_
        std::size_t first_segment;  // softmax: of segments_
    };

    void softmax(int n, const std::int32_t* logits, std::int64_t* scores, const Segment* segments) const;
    static std::int32_t calibrated(const Segment* segments, std::int32_t p) {
        const std::int32_t k = std::min(p >> 11, 15);
        return segments[k].left + ((segments[k].rise * (p - (k << 11))) >> 11);
    }

    std::vector<Part> parts_;
    std::vector<std::uint16_t> exp_;
    std::vector<std::int32_t> fused_;  // per sigmoid output: the calibrated probability of every table entry
    std::vector<Segment> segments_;
    std::int32_t sigmoid_last_ = 0;
    int exp_shift_ = 0, sigmoid_shift_ = 0;
};

}  // namespace pyorch
