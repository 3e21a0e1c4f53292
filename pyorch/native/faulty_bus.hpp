// A bus that fails on command, between a client and a simulated card: docs/failover.md, tests, `pyorch bench failover`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "fabric_registers.hpp"
#include "tick_clock.hpp"

namespace pyorch {

// The numbers are those of sim.native_faults. kill: every access fails until the card is reset; unplug: also so many
// resets fail; hang: no answer comes any more; slow: some answers take so
// much longer; answer: one bit of one answer; state, weight: one bit
// of h, or of a recurrent weight; identity, stuck, silent: what the heartbeat reads.
enum class Fault : std::uint8_t { kill, hang, slow, weight, state, answer, unplug, identity, stuck, silent };

struct PlannedFault {
    std::int64_t doorbell;  // strikes at this one, counted from 1
    Fault fault;
};

// Bus: also `bool flip(Fault)` for weight and state; false where it cannot.
template <class Bus>
class FaultyBus {
   public:
    FaultyBus(Bus bus, TickClock& clock, std::vector<PlannedFault> plan, std::int64_t slow_ns, int failing_resets)
        : bus_(std::move(bus)), clock_(&clock), plan_(std::move(plan)), slow_ns_(slow_ns), failing_resets_(failing_resets) {
        std::sort(plan_.begin(), plan_.end(), [](const auto& a, const auto& b) { return a.doorbell < b.doorbell; });
    }

    bool write(std::uint32_t offset, std::uint32_t value) {
        namespace r = fabric_registers;
        if (offset == r::command && value == r::command_reset_mask && !reset()) return false;
        if (offset == r::mailbox_doorbell) {
            ++doorbells_;
            for (; next_ < plan_.size() && plan_[next_].doorbell <= doorbells_; ++next_) strike(plan_[next_].fault);
            visible_ns_ = hung_ ? never : slow_ticks_ > 0 ? clock_->now_ns() + slow_ns_ : 0;
            slow_ticks_ -= slow_ticks_ > 0;
        }
        return !gone_ && bus_.write(offset, value);
    }
    bool read(std::uint32_t offset, std::uint32_t& value) {
        namespace r = fabric_registers;
        if (gone_ || (silent_ && offset == r::identity) || !bus_.read(offset, value)) return false;
        if (offset == r::mailbox_sequence && clock_->now_ns() < visible_ns_) --value;
        if (offset == r::identity && stranger_) value ^= 1;
        if (offset == r::steps) value -= stuck_ ? static_cast<std::uint32_t>(doorbells_ - stuck_since_) : 0;
        if (offset == r::mailbox_answer && corrupt_) {
            value ^= 1;
            corrupt_ = false;
        }
        return true;
    }
    std::size_t struck() const { return next_; }
    Bus& inner() { return bus_; }

   private:
    static constexpr int slow_answers = 8;
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    // A card that is loaded anew is whole.
    bool reset() {
        if (gone_ && resets_left_-- > 0) return false;
        gone_ = hung_ = corrupt_ = stranger_ = stuck_ = silent_ = false;
        visible_ns_ = slow_ticks_ = 0;
        return true;
    }
    void strike(Fault fault) {
        switch (fault) {
            case Fault::unplug:
            case Fault::kill:
                gone_ = true;
                resets_left_ = fault == Fault::unplug ? failing_resets_ : 0;
                break;
            case Fault::hang: hung_ = true; break;
            case Fault::slow: slow_ticks_ = slow_answers; break;
            case Fault::answer: corrupt_ = true; break;
            case Fault::identity: stranger_ = true; break;
            case Fault::silent: silent_ = true; break;
            case Fault::stuck:
                stuck_ = true;
                stuck_since_ = doorbells_ - 1;
                break;
            default: bus_.flip(fault);
        }
    }

    Bus bus_;
    TickClock* clock_;
    std::vector<PlannedFault> plan_;
    std::size_t next_ = 0;
    std::int64_t slow_ns_, doorbells_ = 0, stuck_since_ = 0, visible_ns_ = 0, slow_ticks_ = 0;
    int failing_resets_, resets_left_ = 0;
    bool gone_ = false, hung_ = false, corrupt_ = false, stranger_ = false, stuck_ = false, silent_ = false;
};

}  // namespace pyorch
