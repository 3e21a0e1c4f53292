// The fabric's mailbox from C++: a tick is a few register writes, a doorbell, and reads until the answer is there.
//
// No Python, no allocation after construction. docs/fabric.md describes the mailbox; the offsets come from
// firmware/registers.toml. The bus is a template argument: mapped registers of a card, or a simulation's functions.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "card.hpp"
#include "fabric_registers.hpp"
#include "faulty_bus.hpp"
#include "lstm_model.hpp"
#include "lstm_scores.hpp"

namespace pyorch {

namespace r = fabric_registers;

// Registers of a card, mapped by the driver.
class MappedBus {
   public:
    explicit MappedBus(std::uintptr_t base) : base_(reinterpret_cast<volatile std::uint32_t*>(base)) {}
    bool write(std::uint32_t offset, std::uint32_t value) {
        base_[offset / 4] = value;
        return true;
    }
    bool read(std::uint32_t offset, std::uint32_t& value) {
        value = base_[offset / 4];
        return true;
    }

   private:
    volatile std::uint32_t* base_;
};

// `fabric_write` and `fabric_read` of a simulated fabric (sim/shim.cpp).
class SimulatedBus {
   public:
    using Write = int (*)(void*, std::uint32_t, std::uint32_t);
    using Read = int (*)(void*, std::uint32_t, std::uint32_t*);
    SimulatedBus(std::uintptr_t fabric, std::uintptr_t write, std::uintptr_t read)
        : fabric_(reinterpret_cast<void*>(fabric)), write_(reinterpret_cast<Write>(write)),
          read_(reinterpret_cast<Read>(read)) {}
    bool write(std::uint32_t offset, std::uint32_t value) { return write_(fabric_, offset, value) == 0; }
    bool read(std::uint32_t offset, std::uint32_t& value) { return read_(fabric_, offset, &value) == 0; }
    bool flip(Fault) { return false; }  // nothing inside it can be broken from here

   private:
    void* fabric_;
    Write write_;
    Read read_;
};

template <class Bus>
class FabricClient final : public Card {
   public:
    // Lanes as in the fabric's register LANES; `polls`: reads after which `step` takes an answer for missing. Digests:
    // the first 64 bits of the format's and of the model's, which `pulse` looks for.
    FabricClient(Bus bus, const LstmModel& model, int input_lane, int output_lane, int polls,
                 std::uint64_t format_digest = 0, std::uint64_t model_digest = 0)
        : bus_(std::move(bus)), input_lane_(input_lane), output_lane_(output_lane), polls_(polls), features_(model.features()),
          outputs_(model.outputs()), windowed_(model.windowed), window_(model.window), format_digest_(format_digest),
          model_digest_(model_digest), scorer_(model), words_((features_ * input_lane + 63) / 64 * 2),
          answer_((outputs_ * output_lane + 63) / 64 * 2), raw_(outputs_), logits_(outputs_), scores_(outputs_) {
        if ((input_lane != 8 && input_lane != 16) || (output_lane != 16 && output_lane != 32))
            throw std::invalid_argument("lanes of 8 or 16 bits in, of 16 or 32 bits out");
        for (const LayerModel& layer : model.layers)
            if (layer.lstm) units_.push_back(layer.units);
    }

    int features() const override { return features_; }
    int outputs() const override { return outputs_; }

    bool begin(const std::int32_t* features) override {
        for (auto& word : words_) word = 0;
        const std::uint32_t mask = (1u << input_lane_) - 1;
        for (int k = 0; k < features_; ++k) {
            const int bit = k * input_lane_;
            words_[bit / 32] |= (static_cast<std::uint32_t>(features[k]) & mask) << (bit % 32);
        }
        for (std::size_t k = 0; k < words_.size(); ++k)
            if (!bus_.write(r::mailbox_features + 4 * static_cast<std::uint32_t>(k), words_[k])) return false;
        return bus_.write(r::mailbox_doorbell, ++sequence_);
    }
    Poll poll() override {
        std::uint32_t seen = 0;
        if (!bus_.read(r::mailbox_sequence, seen)) return Poll::failed;
        if (seen != sequence_) return Poll::waiting;
        for (std::size_t k = 0; k < answer_.size(); ++k)
            if (!bus_.read(r::mailbox_answer + 4 * static_cast<std::uint32_t>(k), answer_[k])) return Poll::failed;
        for (int k = 0; k < outputs_; ++k) {
            const int bit = k * output_lane_;
            const std::uint32_t lane = answer_[bit / 32] >> (bit % 32);
            raw_[k] = output_lane_ == 16 ? static_cast<std::int16_t>(lane) : static_cast<std::int32_t>(lane);
            logits_[k] = raw_[k];
        }
        scorer_(raw_.data(), scores_.data());
        return Poll::answered;
    }
    bool step(const std::int32_t* features) override {
        if (!begin(features)) return false;
        Poll answer = Poll::waiting;
        for (int look = 0; answer == Poll::waiting && look < polls_; ++look) answer = poll();
        return answer == Poll::answered;
    }
    void prepare() override {}  // the card does it by itself

    bool reset() override {
        if (!clear()) return false;
        std::uint32_t status = r::status_pending_mask;
        for (int look = 0; status & r::status_pending_mask; ++look)
            if (look == polls_ || !bus_.read(r::status, status)) return false;
        return true;
    }
    Bus& bus() { return bus_; }
    const std::int64_t* logits() const override { return logits_.data(); }
    const std::int64_t* scores() const override { return scores_.data(); }

    bool connect() override {
        return bus_.write(r::command, r::command_reset_mask) && bus_.write(r::control, r::control_enable_mask) &&
               bus_.write(r::errors, all_errors) && bus_.write(r::owner, nobody) && bus_.write(r::owner, mailbox);
    }
    bool clear() override { return bus_.write(r::command, r::command_clear_mask); }
    Poll settled() override {
        std::uint32_t status = 0;
        if (!bus_.read(r::status, status)) return Poll::failed;
        return status & r::status_idle_mask ? Poll::answered : Poll::waiting;
    }
    bool read_state(StreamState& state) override {
        state.clear();
        std::size_t at = 0;
        if (windowed_) {
            std::uint32_t fill = 0;
            if (!bus_.read(r::window_fill, fill)) return false;
            state.vectors = std::min(static_cast<int>(fill & r::window_fill_vectors_mask), window_ - 1);
            const int oldest = static_cast<int>(fill >> 16);
            for (int k = 0; k < state.vectors; ++k)
                for (int unit = 0; unit < features_; ++unit)
                    if (!element(static_cast<std::uint32_t>((oldest + k) % (window_ - 1)) << 12 | unit, state.values[at++]))
                        return false;
            return true;
        }
        for (std::size_t layer = 0; layer < units_.size(); ++layer)
            for (std::uint32_t cell = 0; cell < 2; ++cell)
                for (int unit = 0; unit < units_[layer]; ++unit)
                    if (!element(cell << 30 | static_cast<std::uint32_t>(layer) << 28 | unit, state.values[at++]))
                        return false;
        return true;
    }
    bool load_state(const StreamState& state) override {
        const std::int32_t* from = state.values.data();
        if (windowed_) {
            for (int k = 0; k < state.vectors; ++k, from += features_)
                if (!row(static_cast<std::uint32_t>(k) << 12, from, features_)) return false;
            if (!bus_.write(r::window_fill, static_cast<std::uint32_t>(state.vectors))) return false;
        } else {
            for (std::size_t layer = 0; layer < units_.size(); ++layer)
                for (std::uint32_t cell = 0; cell < 2; ++cell, from += units_[layer])
                    if (!row(cell << 30 | static_cast<std::uint32_t>(layer) << 28, from, units_[layer])) return false;
        }
        return bus_.write(r::command, r::command_load_mask);
    }
    Pulse pulse(std::uint32_t& steps) override {
        std::uint32_t status = 0;
        if (!bus_.read(r::status, status)) return Pulse::silent;
        const std::uint32_t set = status & r::status_active_set_mask ? r::set_1_model_0 : r::set_0_model_0;
        const std::pair<std::uint32_t, std::uint32_t> expected[] = {
            {r::identity, r::identity_value},
            {r::format_digest_0, static_cast<std::uint32_t>(format_digest_ >> 32)},
            {r::format_digest_1, static_cast<std::uint32_t>(format_digest_)},
            {set, static_cast<std::uint32_t>(model_digest_ >> 32)},
            {set + 4, static_cast<std::uint32_t>(model_digest_)},
        };
        for (const auto& [offset, value] : expected) {
            std::uint32_t found = 0;
            if (!bus_.read(offset, found)) return Pulse::silent;
            if (found != value) return Pulse::stranger;
        }
        return bus_.read(r::steps, steps) ? Pulse::alive : Pulse::silent;
    }

   private:
    static constexpr std::uint32_t all_errors = 0x1F, nobody = 0, mailbox = 2;

    bool element(std::uint32_t address, std::int32_t& value) {
        std::uint32_t word = 0;
        if (!bus_.write(r::state_address, address) || !bus_.read(r::state_data, word)) return false;
        value = static_cast<std::int32_t>(word);
        return true;
    }
    bool row(std::uint32_t address, const std::int32_t* values, int count) {
        if (!bus_.write(r::state_address, address)) return false;
        for (int k = 0; k < count; ++k)
            if (!bus_.write(r::state_data, static_cast<std::uint32_t>(values[k]))) return false;
        return true;
    }

    Bus bus_;
    int input_lane_, output_lane_, polls_, features_, outputs_;
    bool windowed_;
    int window_;
    std::uint64_t format_digest_, model_digest_;
    std::vector<int> units_;
    Scorer scorer_;
    std::vector<std::uint32_t> words_, answer_;
    std::vector<std::int32_t> raw_;
    std::vector<std::int64_t> logits_, scores_;
    std::uint32_t sequence_ = 0;
};

}  // namespace pyorch
