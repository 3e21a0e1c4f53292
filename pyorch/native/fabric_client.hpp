// The fabric's mailbox from C++: a tick is a few register writes, a doorbell, and reads until the answer is there.
//
// No Python, no allocation after construction. docs/fabric.md describes the mailbox; the offsets come from
// firmware/registers.toml. The bus is a template argument: mapped registers of a card, or a simulation's functions.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "fabric_registers.hpp"
#include "lstm_model.hpp"
#include "lstm_scores.hpp"
#include "tick_engine.hpp"

namespace pyorch {

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

   private:
    void* fabric_;
    Write write_;
    Read read_;
};

template <class Bus>
class FabricClient final : public TickEngine {
   public:
    // Lanes as in the fabric's register LANES; `polls`: reads after which an answer counts as missing.
    FabricClient(Bus bus, const LstmModel& model, int input_lane, int output_lane, int polls)
        : bus_(bus), input_lane_(input_lane), output_lane_(output_lane), polls_(polls), features_(model.features()),
          outputs_(model.outputs()), scorer_(model), words_((features_ * input_lane + 63) / 64 * 2),
          answer_((outputs_ * output_lane + 63) / 64 * 2), raw_(outputs_), logits_(outputs_), scores_(outputs_) {
        if ((input_lane != 8 && input_lane != 16) || (output_lane != 16 && output_lane != 32))
            throw std::invalid_argument("lanes of 8 or 16 bits in, of 16 or 32 bits out");
    }

    int features() const override { return features_; }
    int outputs() const override { return outputs_; }

    bool step(const std::int32_t* features) override {
        namespace r = fabric_registers;
        for (auto& word : words_) word = 0;
        const std::uint32_t mask = (1u << input_lane_) - 1;
        for (int k = 0; k < features_; ++k) {
            const int bit = k * input_lane_;
            words_[bit / 32] |= (static_cast<std::uint32_t>(features[k]) & mask) << (bit % 32);
        }
        for (std::size_t k = 0; k < words_.size(); ++k)
            if (!bus_.write(r::mailbox_features + 4 * static_cast<std::uint32_t>(k), words_[k])) return false;
        ++sequence_;
        if (!bus_.write(r::mailbox_doorbell, sequence_)) return false;
        std::uint32_t seen = sequence_ - 1;
        for (int poll = 0; seen != sequence_; ++poll)
            if (poll == polls_ || !bus_.read(r::mailbox_sequence, seen)) return false;
        for (std::size_t k = 0; k < answer_.size(); ++k)
            if (!bus_.read(r::mailbox_answer + 4 * static_cast<std::uint32_t>(k), answer_[k])) return false;
        for (int k = 0; k < outputs_; ++k) {
            const int bit = k * output_lane_;
            const std::uint32_t lane = answer_[bit / 32] >> (bit % 32);
            raw_[k] = output_lane_ == 16 ? static_cast<std::int16_t>(lane) : static_cast<std::int32_t>(lane);
            logits_[k] = raw_[k];
        }
        scorer_(raw_.data(), scores_.data());
        return true;
    }
    void prepare() override {}  // the card does it by itself

    bool reset() override {
        namespace r = fabric_registers;
        if (!bus_.write(r::command, r::command_clear_mask)) return false;
        std::uint32_t status = r::status_pending_mask;
        for (int poll = 0; status & r::status_pending_mask; ++poll)
            if (poll == polls_ || !bus_.read(r::status, status)) return false;
        return true;
    }
    const std::int64_t* logits() const override { return logits_.data(); }
    const std::int64_t* scores() const override { return scores_.data(); }

   private:
    Bus bus_;
    int input_lane_, output_lane_, polls_, features_, outputs_;
    Scorer scorer_;
    std::vector<std::uint32_t> words_, answer_;
    std::vector<std::int32_t> raw_;
    std::vector<std::int64_t> logits_, scores_;
    std::uint32_t sequence_ = 0;
};

}  // namespace pyorch
