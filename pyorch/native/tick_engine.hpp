// What the tick loop asks of an engine: the native LSTM, or a card's client.
#pragma once

#include <cstdint>

#include "lstm_engine.hpp"

namespace pyorch {

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

}  // namespace pyorch
