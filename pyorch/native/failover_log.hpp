// Ticks since the state that everybody agreed on: vectors, what each engine said, and the arbiter that replays them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "card.hpp"

namespace pyorch {

// Two engines that differ do not say who is wrong. The arbiter is an engine of its own, with its own weights and other
// kernels; its state is the agreed one, after tick `agreed()`.
class FailoverLog {
   public:
    struct Found {
        bool card_wrong = false, shadow_wrong = false;
        std::int64_t wrong_used = 0;
    };

    FailoverLog(LstmEngine& arbiter, int capacity)
        : arbiter_(arbiter), features_(arbiter.features()), outputs_(arbiter.outputs()), capacity_(capacity),
          vectors_(static_cast<std::size_t>(capacity) * features_), said_(3 * static_cast<std::size_t>(capacity) * outputs_),
          has_(3 * static_cast<std::size_t>(capacity)) {}

    enum Who { card, shadow, used };

    std::int64_t newest() const { return newest_; }
    std::int64_t agreed() const { return agreed_; }
    int length() const { return static_cast<int>(newest_ - agreed_); }
    bool full() const { return length() == capacity_; }

    void add(const std::int32_t* features) {
        ++newest_;
        std::copy_n(features, features_, vector(newest_));
        for (const Who who : {card, shadow, used}) has_[3 * slot(newest_) + who] = false;
    }
    std::int32_t* vector(std::int64_t tick) { return vectors_.data() + slot(tick) * features_; }
    bool has(Who who, std::int64_t tick) const { return has_[3 * slot(tick) + who]; }
    const std::int64_t* said(Who who, std::int64_t tick) const {
        return said_.data() + (3 * slot(tick) + who) * outputs_;
    }
    void say(Who who, std::int64_t tick, const std::int64_t* logits) {
        std::copy_n(logits, outputs_, said_.data() + (3 * slot(tick) + who) * outputs_);
        has_[3 * slot(tick) + who] = true;
    }
    bool same(const std::int64_t* one, const std::int64_t* other) const { return std::equal(one, one + outputs_, other); }
    // False: both answered this tick, and differ.
    bool in_accord(std::int64_t tick) const {
        return !has(card, tick) || !has(shadow, tick) || same(said(card, tick), said(shadow, tick));
    }

    // The arbiter runs at most so many of the ticks, and holds what was said against its own answers.
    Found replay(std::int64_t most) {
        Found found;
        for (; most > 0 && agreed_ < newest_; --most) {
            ++agreed_;
            arbiter_.step(vector(agreed_));
            arbiter_.prepare();
            const std::int64_t* right = arbiter_.logits();
            found.card_wrong |= has(card, agreed_) && !same(said(card, agreed_), right);
            found.shadow_wrong |= has(shadow, agreed_) && !same(said(shadow, agreed_), right);
            if (has(used, agreed_) && !same(said(used, agreed_), right)) ++found.wrong_used;
            say(used, agreed_, right);
        }
        return found;
    }
    // Two engines have this state after the newest tick: what led to it is forgotten.
    void agree(const StreamState& state) {
        load_stream(arbiter_, state);
        agreed_ = newest_;
    }
    void reset() {
        arbiter_.reset();
        agreed_ = newest_;
    }
    LstmEngine& arbiter() { return arbiter_; }

   private:
    std::size_t slot(std::int64_t tick) const { return static_cast<std::size_t>(tick % capacity_); }

    LstmEngine& arbiter_;
    int features_, outputs_, capacity_;
    std::vector<std::int32_t> vectors_;
    std::vector<std::int64_t> said_;
    std::vector<std::uint8_t> has_;
    std::int64_t newest_ = 0, agreed_ = 0;
};

}  // namespace pyorch
