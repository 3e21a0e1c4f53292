// Time as the tick thread's failover sees it: the machine's own, a simulated card's, or one that only its owner moves.
#pragma once

#include <cstdint>

#include "ring_clock.hpp"

namespace pyorch {

class TickClock {
   public:
    virtual ~TickClock() = default;
    virtual std::int64_t now_ns() = 0;
    // Called once between ticks: where time does not pass by itself, that of the market passes here.
    virtual void between_ticks() {}
};

// The core's cycle counter.
class CoreClock final : public TickClock {
   public:
    CoreClock() { clock_scale(); }  // measured here, not at the first tick
    std::int64_t now_ns() override {
        return static_cast<std::int64_t>((static_cast<unsigned __int128>(clock_cycles()) * clock_scale()) >> 24);
    }
};

// A simulated fabric's cycles (sim/shim.cpp), and so many of them from tick to tick.
class SimulatedClock final : public TickClock {
   public:
    using Cycles = std::uint64_t (*)(void*);
    using Run = void (*)(void*, std::uint64_t);
    SimulatedClock(std::uintptr_t fabric, std::uintptr_t cycles, std::uintptr_t run, double cycle_ns, std::uint64_t gap)
        : fabric_(reinterpret_cast<void*>(fabric)), cycles_(reinterpret_cast<Cycles>(cycles)),
          run_(reinterpret_cast<Run>(run)), cycle_ns_(cycle_ns), gap_(gap) {}
    std::int64_t now_ns() override {
        return static_cast<std::int64_t>(static_cast<double>(cycles_(fabric_)) * cycle_ns_);
    }
    void between_ticks() override { run_(fabric_, gap_); }

   private:
    void* fabric_;
    Cycles cycles_;
    Run run_;
    double cycle_ns_;
    std::uint64_t gap_;
};

// Moves when it is told to, and by `gap_ns` between ticks.
class ManualClock final : public TickClock {
   public:
    explicit ManualClock(std::int64_t gap_ns) : gap_ns_(gap_ns) {}
    std::int64_t now_ns() override { return now_ns_; }
    void between_ticks() override { now_ns_ += gap_ns_; }
    void advance(std::int64_t ns) { now_ns_ += ns; }

   private:
    std::int64_t gap_ns_, now_ns_ = 0;
};

}  // namespace pyorch
