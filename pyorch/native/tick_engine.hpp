// What the tick loop asks of an engine: the native LSTM, or a card's client.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lstm_engine.hpp"

namespace pyorch {

// Who gave an answer, and what stands behind it; the numbers are those of pyorch.trading.records.
enum class AnsweredBy : std::uint8_t { sole, card, shadow, arbiter };
enum class Assurance : std::uint8_t { sole, checked, shadowed, alone, unverified };

struct Answer {
    AnsweredBy by = AnsweredBy::sole;
    Assurance assurance = Assurance::sole;
    bool late = false;
    bool inexact = false;
    std::uint32_t ns = 0;  // from the features to the answer

    // Whether quotes should be wider for it.
    bool cautious() const { return late || inexact || assurance == Assurance::unverified; }
};

class TickEngine {
   public:
    virtual ~TickEngine() = default;
    virtual int features() const = 0;
    virtual int outputs() const = 0;
    // One tick; false: the engine did not answer, and must not be asked again.
    virtual bool step(const std::int32_t* features) = 0;
    // What can be known before the next tick.
    virtual void prepare() = 0;
    virtual bool reset() = 0;
    virtual const std::int64_t* logits() const = 0;
    virtual const std::int64_t* scores() const = 0;
    // About the answer of the last tick.
    virtual Answer answer() const { return {}; }
};

// The native LSTM engine, which must outlive it.
class LstmTickEngine final : public TickEngine {
   public:
    explicit LstmTickEngine(LstmEngine& engine) : engine_(engine) {}
    int features() const override { return engine_.features(); }
    int outputs() const override { return engine_.outputs(); }
    bool step(const std::int32_t* features) override {
        engine_.step(features);
        return true;
    }
    void prepare() override { engine_.prepare(); }
    bool reset() override {
        engine_.reset();
        return true;
    }
    const std::int64_t* logits() const override { return engine_.logits(); }
    const std::int64_t* scores() const override { return engine_.scores(); }

   private:
    LstmEngine& engine_;
};

// Answers made beforehand, one a tick: a signal that is known, or another tick's. After the last one it fails.
class TableTickEngine final : public TickEngine {
   public:
    // scores: [ticks, outputs].
    TableTickEngine(int features, int outputs, std::vector<std::int64_t> scores)
        : features_(features), outputs_(outputs), scores_(std::move(scores)) {
        if (outputs < 1 || scores_.size() % static_cast<std::size_t>(outputs) != 0)
            throw std::invalid_argument("a table of answers has a whole number of ticks");
    }
    int features() const override { return features_; }
    int outputs() const override { return outputs_; }
    bool step(const std::int32_t*) override {
        at_ = next_;
        next_ += static_cast<std::size_t>(outputs_);
        return next_ <= scores_.size();
    }
    void prepare() override {}
    bool reset() override { return true; }
    const std::int64_t* logits() const override { return scores_.data() + at_; }
    const std::int64_t* scores() const override { return scores_.data() + at_; }

   private:
    int features_, outputs_;
    std::vector<std::int64_t> scores_;
    std::size_t at_ = 0, next_ = 0;
};

}  // namespace pyorch
