// A card that takes market events and gives decision words (docs/wire_events.md), and one in simulation that fails on command.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tick_clock.hpp"

namespace pyorch {

// A decision word as it came; twin of pyorch.contract.decision.decode_decisions.
struct DecisionWord {
    static constexpr int head_beats = 7, maximum_beats = head_beats + 8, version = 1;

    std::uint64_t beats[maximum_beats]{};
    int size = 0;

    bool whole() const {
        return size >= head_beats && size == head_beats + (outputs() + 1) / 2 && outputs() <= 16 && bits(0, 60, 4) == version;
    }
    int outputs() const { return static_cast<int>(bits(1, 48, 8)); }
    bool is_void() const { return outputs() == 0; }
    std::uint32_t number() const { return static_cast<std::uint32_t>(beats[1]); }
    bool first() const { return bits(0, 57, 1) != 0; }
    std::uint64_t model_digest() const { return beats[5]; }
    std::uint64_t policy_digest() const { return beats[6]; }
    // Of beat 0 all that decides: extra spread, sizes, the three validities, first; beat 2: rules and forecast.
    std::uint64_t effect() const { return beats[0] & ((std::uint64_t{1} << 58) - 1); }
    std::uint64_t rules() const { return beats[2]; }
    std::int32_t score(int k) const { return static_cast<std::int32_t>(beats[head_beats + k / 2] >> (32 * (k % 2))); }
    std::uint64_t bits(int beat, int place, int width) const {
        return beats[beat] >> place & ((std::uint64_t{1} << width) - 1);
    }
};

class EventCard {
   public:
    enum class Poll { waiting, answered, failed };

    virtual ~EventCard() = default;
    // Forget everything: no session, no book, the built-in policy. False: it does not come up, or is another path.
    virtual bool connect() = 0;
    // One frame; false: the bus refuses.
    virtual bool offer(const std::uint64_t* beats, std::size_t size) = 0;
    // The next decision word, if it is there.
    virtual Poll take(DecisionWord& word) = 0;
};

// The numbers are those of sim.event_faults. kill: every access fails until a reset; hang: no word comes until a reset;
// slow: some words come so much later; answer: one bit of one word; identity: another model's digest until a reset; lose,
// twice, flip: a frame is lost, sent twice, or one bit of its last beat turned.
enum class EventFault : std::uint8_t { kill, hang, slow, answer, identity, lose, twice, flip };

struct PlannedEventFault {
    std::int64_t frame;  // strikes at this one, counted from 1
    EventFault fault;
};

// A Verilated feature path (sim/bench/events/decision_player.cpp).
class SimulatedEventCard final : public EventCard {
   public:
    using Offer = int (*)(void*, const std::uint64_t*, std::uint64_t);
    using Take = int (*)(void*, std::uint64_t*, std::uint64_t);
    using Reset = void (*)(void*);
    using Read = std::uint32_t (*)(void*, std::uint32_t);
    struct Functions {
        void* path;
        Offer offer;
        Take take;
        Reset reset;
        Read read;
    };
    // `format`: of its weight images, the first 64 bits.
    SimulatedEventCard(Functions functions, std::uint64_t format, TickClock& clock, std::vector<PlannedEventFault> plan,
                       std::int64_t slow_ns)
        : f_(functions), format_(format), clock_(clock), plan_(std::move(plan)), slow_ns_(slow_ns), spoilt_(most_beats) {
        std::sort(plan_.begin(), plan_.end(), [](const auto& a, const auto& b) { return a.frame < b.frame; });
    }

    bool connect() override {
        f_.reset(f_.path);
        gone_ = hung_ = stranger_ = corrupt_ = has_late_ = false;
        slow_words_ = 0;
        return f_.read(f_.path, identity) == identity_value &&
               f_.read(f_.path, format) == static_cast<std::uint32_t>(format_ >> 32) &&
               f_.read(f_.path, format + 4) == static_cast<std::uint32_t>(format_);
    }
    bool offer(const std::uint64_t* beats, std::size_t size) override {
        ++frames_;
        bool lost = false, doubled = false, turned = false;
        for (; next_ < plan_.size() && plan_[next_].frame <= frames_; ++next_) {
            switch (plan_[next_].fault) {
                case EventFault::kill: gone_ = true; break;
                case EventFault::hang: hung_ = true; break;
                case EventFault::slow: slow_words_ = slow_in_a_row; break;
                case EventFault::answer: corrupt_ = true; break;
                case EventFault::identity: stranger_ = true; break;
                case EventFault::lose: lost = true; break;
                case EventFault::twice: doubled = true; break;
                case EventFault::flip: turned = true; break;
            }
        }
        if (gone_ || size > most_beats) return false;
        if (lost) return true;
        if (turned) {
            std::copy_n(beats, size, spoilt_.begin());
            spoilt_[size - 1] ^= std::uint64_t{1} << 34;
            beats = spoilt_.data();
        }
        for (int times = doubled ? 2 : 1; times > 0; --times)
            if (f_.offer(f_.path, beats, size) != 0) return false;
        return true;
    }
    Poll take(DecisionWord& word) override {
        if (gone_) return Poll::failed;
        if (!has_late_) {
            const int size = f_.take(f_.path, late_.beats, DecisionWord::maximum_beats);
            if (size < 0) return Poll::failed;
            if (size == 0 || hung_) return Poll::waiting;
            late_.size = size;
            has_late_ = true;
            visible_ns_ = slow_words_ > 0 ? clock_.now_ns() + slow_ns_ : 0;
            slow_words_ -= slow_words_ > 0;
        } else if (clock_.now_ns() < visible_ns_) {
            f_.take(f_.path, nullptr, 0);  // time passes
        }
        if (clock_.now_ns() < visible_ns_) return Poll::waiting;
        has_late_ = false;
        word = late_;
        if (corrupt_) word.beats[0] ^= 1;
        corrupt_ = false;
        if (stranger_) word.beats[5] ^= 1;
        return Poll::answered;
    }
    std::size_t struck() const { return next_; }

   private:
    static constexpr std::uint32_t identity = 0x000, format = 0x008, identity_value = 0x50594556;
    static constexpr int slow_in_a_row = 4;
    static constexpr std::size_t most_beats = 184;

    Functions f_;
    std::uint64_t format_;
    TickClock& clock_;
    std::vector<PlannedEventFault> plan_;
    std::int64_t slow_ns_, frames_ = 0, visible_ns_ = 0;
    std::vector<std::uint64_t> spoilt_;
    std::size_t next_ = 0;
    int slow_words_ = 0;
    DecisionWord late_;
    bool gone_ = false, hung_ = false, stranger_ = false, corrupt_ = false, has_late_ = false;
};

}  // namespace pyorch
