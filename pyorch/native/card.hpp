// A device that answers ticks beside the processor: asked in two halves, so that a shadow runs while it computes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lstm_engine.hpp"
#include "tick_engine.hpp"

namespace pyorch {

// A stream's state: of a stateful model h and c of each layer, of a windowed one its vectors, oldest first.
struct StreamState {
    std::vector<std::int32_t> values;
    int vectors = 0;
    std::int64_t steps = 0;

    // Room for every state of a model.
    explicit StreamState(const LstmModel& model) {
        std::size_t room = 0;
        for (const LayerModel& layer : model.layers)
            if (layer.lstm) room += 2 * static_cast<std::size_t>(layer.units);
        if (model.windowed) room = static_cast<std::size_t>(model.window - 1) * model.features();
        values.assign(room, 0);
    }
    void clear() {
        std::fill(values.begin(), values.end(), 0);
        vectors = 0;
        steps = 0;
    }
    // The number of steps is bookkeeping of the host; a card need not know it.
    bool same(const StreamState& other) const { return vectors == other.vectors && values == other.values; }
};

inline void read_stream(LstmEngine& engine, StreamState& state) {
    state.clear();
    state.steps = engine.steps();
    auto to = state.values.begin();
    if (engine.windowed()) {
        state.vectors = engine.vectors();
        for (int k = 0; k < state.vectors; ++k) to = std::copy_n(engine.vector(k), engine.features(), to);
        return;
    }
    for (int layer = 0; layer < engine.lstm_layers(); ++layer) {
        to = std::copy_n(engine.hidden(layer), engine.units(layer), to);
        to = std::copy_n(engine.cell(layer), engine.units(layer), to);
    }
}

inline void load_stream(LstmEngine& engine, const StreamState& state) {
    engine.reset();
    const std::int32_t* from = state.values.data();
    for (int k = 0; k < state.vectors; ++k) engine.feed(from + static_cast<std::ptrdiff_t>(k) * engine.features());
    for (int layer = 0; !engine.windowed() && layer < engine.lstm_layers(); ++layer) {
        engine.load_layer(layer, from, from + engine.units(layer));
        from += 2 * engine.units(layer);
    }
    engine.set_steps(state.steps);
}

class Card : public TickEngine {
   public:
    enum class Poll { waiting, answered, failed };
    enum class Pulse { alive, silent, stranger };

    // A tick: handed over here, answered when `poll` says so; `failed`: the bus refuses.
    virtual bool begin(const std::int32_t* features) = 0;
    virtual Poll poll() = 0;

    // All below between ticks. `connect`: forget what was under way, take the lock; false: the bus refuses.
    virtual bool connect() = 0;
    // Zero state before the next tick.
    virtual bool clear() = 0;
    // Answered: nothing is under way, the state can be read.
    virtual Poll settled() = 0;
    virtual bool read_state(StreamState& state) = 0;
    // Taken over before the next tick.
    virtual bool load_state(const StreamState& state) = 0;
    // Who it is, and how many ticks it has answered.
    virtual Pulse pulse(std::uint32_t& steps) = 0;
};

}  // namespace pyorch
