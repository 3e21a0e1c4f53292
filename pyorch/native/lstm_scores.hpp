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

    void softmax(int n, const std::int32_t* logits, std::int64_t* scores, const Segment* segments) const;
    static std::int32_t calibrated(const Segment* segments, std::int32_t p) {
        const std::int32_t k = std::min(p >> 11, 15);
        return segments[k].left + ((segments[k].rise * (p - (k << 11))) >> 11);
    }

    std::vector<HeadModel> heads_;
    std::vector<std::uint16_t> exp_, sigmoid_;
    std::vector<Segment> segments_;
    int exp_shift_ = 0, sigmoid_shift_ = 0;
};

}  // namespace pyorch
