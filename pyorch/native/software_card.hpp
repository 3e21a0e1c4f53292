// A card's registers in software, in time that only its accesses move: what drives the failover where no card, no
// simulation and no scheduler should be in the way. It has the mailbox, the state and the identity of docs/fabric.md.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "card.hpp"
#include "fabric_registers.hpp"
#include "faulty_bus.hpp"
#include "lstm_engine.hpp"
#include "tick_clock.hpp"

namespace pyorch {

class SoftwareCard {
   public:
    // Latencies of an access and of a tick; digests as FabricClient's; the broken model: what `weight` turns it into.
    SoftwareCard(const LstmModel& model, const LstmModel& broken, ManualClock& clock, std::int64_t access_ns,
                 std::int64_t tick_ns, std::uint64_t format_digest, std::uint64_t model_digest)
        : whole_(std::make_unique<LstmEngine>(model, "auto")), broken_(std::make_unique<LstmEngine>(broken, "auto")),
          engine_(whole_.get()), clock_(&clock), access_ns_(access_ns), tick_ns_(tick_ns), format_(format_digest),
          model_(model_digest), state_(model), staged_(model), features_(model.features()), words_(128), vector_(features_) {}

    bool write(std::uint32_t offset, std::uint32_t value) {
        namespace r = fabric_registers;
        clock_->advance(access_ns_);
        if (offset >= r::mailbox_features && offset < r::mailbox_answer) {
            words_[(offset - r::mailbox_features) / 4] = value;
        } else if (offset == r::mailbox_doorbell) {
            tick(value);
        } else if (offset == r::command) {
            if (value & r::command_reset_mask) reset();
            if (value & r::command_clear_mask) engine_->reset();
            if (value & r::command_load_mask) load_stream(*engine_, staged_);
        } else if (offset == r::window_fill) {
            staged_.vectors = static_cast<int>(value);
        } else if (offset == r::state_address) {
            at_ = place(value);
        } else if (offset == r::state_data) {
            staged_.values.at(at_++) = static_cast<std::int32_t>(value);
        }
        return true;
    }

    bool read(std::uint32_t offset, std::uint32_t& value) {
        namespace r = fabric_registers;
        clock_->advance(access_ns_);
        value = 0;
        if (offset == r::mailbox_sequence) value = clock_->now_ns() >= ready_ns_ ? sequence_ : sequence_ - 1;
        else if (offset >= r::mailbox_answer) value = static_cast<std::uint32_t>(engine_->logits()[(offset - r::mailbox_answer) / 4]);
        else if (offset == r::status) value = clock_->now_ns() >= ready_ns_ ? r::status_idle_mask : 0;
        else if (offset == r::identity) value = r::identity_value;
        else if (offset == r::format_digest_0) value = static_cast<std::uint32_t>(format_ >> 32);
        else if (offset == r::format_digest_1) value = static_cast<std::uint32_t>(format_);
        else if (offset == r::set_0_model_0) value = static_cast<std::uint32_t>(model_ >> 32);
        else if (offset == r::set_0_model_1) value = static_cast<std::uint32_t>(model_);
        else if (offset == r::steps) value = steps_;
        else if (offset == r::window_fill) value = static_cast<std::uint32_t>(engine_->vectors());
        else if (offset == r::state_address) value = 0;
        else if (offset == r::state_data) {
            read_stream(*engine_, state_);
            value = static_cast<std::uint32_t>(state_.values.at(at_));
        }
        return true;
    }

    bool flip(Fault fault) {
        read_stream(*engine_, state_);
        if (fault == Fault::weight) {
            engine_ = broken_.get();
        } else if (fault == Fault::state && !state_.values.empty() && (!engine_->windowed() || state_.vectors > 0)) {
            state_.values[engine_->windowed() ? (state_.vectors - 1) * features_ : 0] ^= 8;
        } else {
            return false;
        }
        load_stream(*engine_, state_);
        engine_->prepare();
        return true;
    }

   private:
    void tick(std::uint32_t sequence) {
        for (int k = 0; k < features_; ++k)
            vector_[k] = static_cast<std::int16_t>(words_[k / 2] >> (16 * (k % 2)));
        engine_->step(vector_.data());
        engine_->prepare();
        ++steps_;
        sequence_ = sequence;
        ready_ns_ = clock_->now_ns() + tick_ns_;
    }
    void reset() {
        engine_ = whole_.get();
        engine_->reset();
        steps_ = 0;
        ready_ns_ = 0;
    }
    // Element of the stream's values: layers one after the other, h before c; of a window slot after slot.
    std::size_t place(std::uint32_t address) const {
        namespace r = fabric_registers;
        const std::size_t unit = address & r::state_address_unit_mask;
        if (engine_->windowed()) return (address & r::state_address_slot_mask) / 4096 * features_ + unit;
        std::size_t at = unit;
        const int layer = static_cast<int>((address & r::state_address_layer_mask) >> 28);
        for (int before = 0; before < layer; ++before) at += 2 * static_cast<std::size_t>(engine_->units(before));
        return at + (address & r::state_address_cell_mask ? engine_->units(layer) : 0);
    }

    std::unique_ptr<LstmEngine> whole_, broken_;
    LstmEngine* engine_;
    ManualClock* clock_;
    std::int64_t access_ns_, tick_ns_, ready_ns_ = 0;
    std::uint64_t format_, model_;
    StreamState state_, staged_;
    int features_;
    std::vector<std::uint32_t> words_;
    std::vector<std::int32_t> vector_;
    std::size_t at_ = 0;
    std::uint32_t sequence_ = 0, steps_ = 0;
};

}  // namespace pyorch
