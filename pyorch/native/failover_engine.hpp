// The tick loop's own failover: a card and, beside it on the tick thread, the native engine as its hot shadow.
//
// A tick goes to the card; the shadow runs it while the card computes; the answers are compared. Late, silent, broken
// or wrong: the same tick is answered by the shadow, with the same bits. States, comparisons and the way back are those
// of docs/failover.md; what needs time (states, heartbeats, opening) comes in small pieces between ticks. No
// allocation, lock or system call after construction.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "card.hpp"
#include "failover_log.hpp"
#include "failover_terms.hpp"
#include "ring.hpp"
#include "tick_clock.hpp"

namespace pyorch {

// Vectors [n][F] from zero state and their logits [n][O]: what an opened card must answer before it is listened to.
struct GoldenSequence {
    std::vector<std::int32_t> features;
    std::vector<std::int64_t> logits;
};

class FailoverEngine final : public TickEngine {
   public:
    // Everything must outlive it. The card is connected here, and healthy: who opened it replayed its golden vectors.
    // Throws std::invalid_argument for terms that exclude each other and engines of different shapes.
    FailoverEngine(Card& card, LstmEngine& shadow, LstmEngine& arbiter, TickClock& clock, const LstmModel& model,
                   const FailoverTerms& terms, GoldenSequence golden)
        : card_(card), shadow_(shadow), clock_(clock), terms_(terms), golden_(std::move(golden)),
          log_(arbiter, kept_rounds * terms.checkpoint_ticks), theirs_(model), ours_(model), records_(kept_records) {
        terms_.check();
        const auto vectors = golden_.features.size() / static_cast<std::size_t>(card.features());
        if (card.features() != shadow.features() || card.outputs() != shadow.outputs() ||
            shadow.features() != arbiter.features() || shadow.outputs() != arbiter.outputs() ||
            golden_.logits.size() != vectors * static_cast<std::size_t>(card.outputs()) || vectors == 0)
            throw std::invalid_argument("card, shadow, arbiter and golden vectors differ in features or outputs");
        logits_ = shadow_.logits();
        scores_ = shadow_.scores();
        felt_ns_ = clock_.now_ns();
        if (!card_.connect() || card_.pulse(counted_) != Card::Pulse::alive || !card_.clear()) befall(Incident::error);
        reset();
    }

    int features() const override { return shadow_.features(); }
    int outputs() const override { return shadow_.outputs(); }
    const std::int64_t* logits() const override { return logits_; }
    const std::int64_t* scores() const override { return scores_; }
    Answer answer() const override { return answer_; }

    // Always true: there is always an answer.
    bool step(const std::int32_t* features) override {
        const std::int64_t begin = clock_.now_ns();
        if (log_.full()) take(log_.replay(log_.length() / 2));  // nobody prepared for long
        log_.add(features);
        const bool asked = running() && !outstanding_ && ask(features, begin);
        if (!asked || state_ != CardState::healthy || log_.newest() - level_ >= terms_.every) catch_up();
        const bool came = asked && await(begin);
        if (!came) catch_up();
        choose(came);
        const std::int64_t ns = clock_.now_ns() - begin;
        answer_.ns = static_cast<std::uint32_t>(std::clamp<std::int64_t>(ns, 0, 0xFFFFFFFF));
        answer_.late = ns > terms_.deadline_ns;
        log_.say(FailoverLog::used, log_.newest(), logits_);
        ++counts_.ticks;
        counts_.late_answers += answer_.late;
        counts_.cautious += answer_.cautious();
        return true;
    }

    void prepare() override {
        clock_.between_ticks();
        shadow_.prepare();
        card_.prepare();
        const std::int64_t now = clock_.now_ns();
        if (outstanding_) look_for_late(now);
        if (!running() || outstanding_) {
            catch_up();
            take(log_.replay(replayed_between_ticks));
        }
        if (running() && !outstanding_ && now >= felt_ns_ + terms_.heartbeat_ns) feel(now);
        if (running() && !outstanding_ && (log_.length() >= terms_.checkpoint_ticks || clean_ >= terms_.probation_ticks))
            checkpoint();
        if (state_ == CardState::failed && now >= retry_at_ns_) retry(now);
        else if (state_ == CardState::opening) open(now);
    }

    bool reset() override {
        catch_up();
        if (compare() && unchecked_) take(log_.replay(log_.length()));
        log_.reset();
        shadow_.reset();
        if (running() && !outstanding_ && !card_.clear()) befall(Incident::error);
        return true;
    }

    CardState state() const { return state_; }
    const FailoverCounts& counts() const { return counts_; }
    Ring<IncidentRecord>& records() { return records_; }

   private:
    static constexpr int kept_rounds = 4;              // checkpoints that the log has room for
    static constexpr int replayed_between_ticks = 4;   // a lag of the arbiter goes away by three each tick
    static constexpr int looks_between_ticks = 16, least_looks = 64;
    static constexpr std::size_t kept_records = 1 << 12;

    bool running() const { return state_ == CardState::healthy || state_ == CardState::probation; }

    // ---- a tick
    bool ask(const std::int32_t* features, std::int64_t begin) {
        if (!card_.begin(features)) {
            befall(Incident::error);
            return false;
        }
        asked_ns_ = begin;
        ++stepped_;
        return true;
    }

    // Whether the card's answer is there in time.
    bool await(std::int64_t begin) {
        const std::int64_t until = begin + terms_.patience_ns;
        for (;;) {
            const bool over = clock_.now_ns() >= until;  // before the look: a thread that lost its core looks once more
            const Card::Poll answer = card_.poll();
            if (answer == Card::Poll::answered) {
                log_.say(FailoverLog::card, log_.newest(), card_.logits());
                return true;
            }
            if (answer == Card::Poll::failed) {
                befall(Incident::error);
                return false;
            }
            if (over) break;
            pause_core();
        }
        outstanding_ = true;
        looked_ = 0;
        outstanding_tick_ = log_.newest();
        befall(Incident::late);
        return false;
    }

    // The shadow runs the ticks that it has not run yet, and its answers are compared with the card's.
    void catch_up() {
        for (; level_ < log_.newest(); ++level_) {
            shadow_.step(log_.vector(level_ + 1));
            if (level_ + 1 < log_.newest()) shadow_.prepare();
            log_.say(FailoverLog::shadow, level_ + 1, shadow_.logits());
            if (!log_.has(FailoverLog::card, level_ + 1)) unchecked_ = true;
        }
    }

    // Compares what both have said since the last time; false: they differ and the arbiter has decided.
    bool compare() {
        bool accord = true;
        for (; compared_ < log_.newest(); ++compared_) {
            counts_.compared += log_.has(FailoverLog::card, compared_ + 1);
            accord = accord && log_.in_accord(compared_ + 1);
        }
        if (!accord) arbitrate();
        return accord;
    }

    void choose(bool came) {
        const bool level = level_ == log_.newest(), was_healthy = state_ == CardState::healthy;
        const bool accord = !level || compare();
        AnsweredBy by = came && was_healthy ? AnsweredBy::card : AnsweredBy::shadow;
        if (!accord) {
            const std::int64_t* right = log_.arbiter().logits();
            const bool card_right = came && was_healthy && running() && log_.same(card_.logits(), right);
            const bool shadow_right = log_.same(shadow_.logits(), right);
            by = card_right ? AnsweredBy::card : shadow_right ? AnsweredBy::shadow : AnsweredBy::arbiter;
        }
        const bool checked = !accord || (came && level);
        const bool unverified = log_.length() > 2 * terms_.checkpoint_ticks;
        answer_.assurance = checked                     ? Assurance::checked
                            : unverified                ? Assurance::unverified
                            : by == AnsweredBy::card ? Assurance::shadowed
                                                        : Assurance::alone;
        if (came && level && accord && state_ == CardState::probation) ++clean_;
        logits_ = by == AnsweredBy::card ? card_.logits() : by == AnsweredBy::shadow ? shadow_.logits() : log_.arbiter().logits();
        scores_ = by == AnsweredBy::card ? card_.scores() : by == AnsweredBy::shadow ? shadow_.scores() : log_.arbiter().scores();
        counts_.hand_overs += counts_.ticks > 0 && by != answer_.by;
        (by == AnsweredBy::card ? counts_.by_card : by == AnsweredBy::shadow ? counts_.by_shadow : counts_.by_arbiter) += 1;
        answer_.by = by;
    }

    // ---- who is right
    void arbitrate() {
        ++counts_.arbitrated;
        take(log_.replay(log_.length()));
    }

    void take(const FailoverLog::Found& found) {
        counts_.wrong_used += found.wrong_used;
        if (found.card_wrong && running()) befall(Incident::wrong);
        // What follows from the shadow's wrong state is wrong too: it is right again when the arbiter is level.
        shadow_wrong_ |= found.shadow_wrong;
        if (log_.length() > 0) return;
        unchecked_ = false;
        if (shadow_wrong_) repair();
    }

    void repair() {
        shadow_wrong_ = false;
        read_stream(log_.arbiter(), ours_);
        load_stream(shadow_, ours_);
        level_ = log_.newest();
        ++counts_.shadow_repaired;
        write_down(Incident::wrong, true);
    }

    // The states of card and shadow, bit for bit; equal ones are agreed on.
    void checkpoint() {
        catch_up();
        if (!compare() || !running()) return;
        const Card::Poll settled = card_.settled();
        if (settled == Card::Poll::waiting) {
            if (log_.length() >= 2 * terms_.checkpoint_ticks) befall(Incident::hung);
            return;
        }
        if (settled == Card::Poll::failed || !card_.read_state(theirs_)) return befall(Incident::error);
        shadow_.prepare();
        read_stream(shadow_, ours_);
        ++counts_.checkpoints;
        if (!ours_.same(theirs_)) {
            const StreamState& right = state_after_replay();
            shadow_wrong_ |= !ours_.same(right);
            if (!theirs_.same(right)) befall(Incident::wrong);
            if (shadow_wrong_) repair();
            return;
        }
        log_.agree(ours_);
        unchecked_ = false;
        if (state_ == CardState::probation && clean_ >= terms_.probation_ticks) befall(Incident::clean);
    }

    const StreamState& state_after_replay() {
        ++counts_.arbitrated;
        const FailoverLog::Found found = log_.replay(log_.length());
        counts_.wrong_used += found.wrong_used;
        read_stream(log_.arbiter(), right_);
        return right_;
    }

    // ---- between ticks
    // An answer after its patience is compared, then the card is given the present state.
    void look_for_late(std::int64_t now) {
        for (int look = 0; look < looks_between_ticks; ++look) {
            const Card::Poll answer = card_.poll();
            if (answer == Card::Poll::failed) return befall(Incident::error);
            if (answer == Card::Poll::waiting) continue;
            catch_up();
            while (log_.agreed() < outstanding_tick_ && running()) take(log_.replay(1));
            if (!log_.same(card_.logits(), log_.said(FailoverLog::used, outstanding_tick_))) return befall(Incident::wrong);
            outstanding_ = false;
            hand_state();
            return;
        }
        looked_ += looks_between_ticks;
        const bool forgotten = log_.newest() - outstanding_tick_ >= 2 * terms_.checkpoint_ticks;
        if (gone(now) || forgotten) befall(Incident::hung);
    }

    // Time alone says nothing where this thread had no core: the card was looked at often, too.
    bool gone(std::int64_t now) const { return now >= asked_ns_ + terms_.hung_ns && looked_ >= least_looks; }

    void hand_state() {
        catch_up();
        take(log_.replay(log_.length()));
        shadow_.prepare();
        read_stream(shadow_, ours_);
        if (!card_.load_state(ours_)) befall(Incident::error);
    }

    void feel(std::int64_t now) {
        std::uint32_t steps = 0;
        felt_ns_ = now;
        switch (card_.pulse(steps)) {
            case Card::Pulse::silent: return befall(Incident::silent);
            case Card::Pulse::stranger: return befall(Incident::identity);
            case Card::Pulse::alive: break;
        }
        if (steps != static_cast<std::uint32_t>(counted_ + stepped_)) return befall(Incident::stuck);
        counted_ = steps;
        stepped_ = 0;
    }

    void retry(std::int64_t now) {
        befall(Incident::retry);
        asked_ns_ = now;
        golden_at_ = -1;
        looked_ = 0;
        golden_asked_ = false;
        if (!card_.connect()) befall(Incident::error);
    }

    // One piece of opening: until the card is settled, then a golden vector, at the end the present state.
    void open(std::int64_t now) {
        Card::Poll answer = Card::Poll::waiting;
        for (int look = 0; look < looks_between_ticks && answer == Card::Poll::waiting; ++look)
            answer = golden_asked_ ? card_.poll() : card_.settled();
        if (answer == Card::Poll::failed) return befall(Incident::error);
        if (answer == Card::Poll::waiting) {
            looked_ += looks_between_ticks;
            if (gone(now)) befall(Incident::hung);
            return;
        }
        looked_ = 0;
        if (golden_asked_ && !log_.same(card_.logits(), golden_.logits.data() + golden_at_ * outputs()))
            return befall(Incident::error);
        if (++golden_at_ * features() < static_cast<std::int64_t>(golden_.features.size())) {
            golden_asked_ = true;
            asked_ns_ = now;
            if (!card_.begin(golden_.features.data() + golden_at_ * features())) befall(Incident::error);
            return;
        }
        if (card_.pulse(counted_) != Card::Pulse::alive) return befall(Incident::error);
        stepped_ = 0;
        felt_ns_ = now;
        hand_state();
        if (state_ == CardState::opening) befall(Incident::opened);
    }

    void befall(Incident incident) {
        const int next = state_after(state_, incident);
        if (next < 0) return;
        state_ = static_cast<CardState>(next);
        if (state_ == CardState::probation) clean_ = 0;
        if (state_ == CardState::failed) {
            outstanding_ = false;
            retry_ns_ = std::max(retry_ns_, terms_.retry_ns);
            retry_at_ns_ = clock_.now_ns() + retry_ns_;
            retry_ns_ = std::min(2 * retry_ns_, terms_.most_retry_ns);
        }
        if (incident == Incident::clean) retry_ns_ = clean_ = 0;
        ++counts_.incidents[static_cast<int>(incident)];
        write_down(incident, false);
    }

    void write_down(Incident incident, bool shadow) {
        if (records_.free() == 0) {
            ++counts_.incidents_lost;
            return;
        }
        records_.at(0) = {log_.newest(), clock_.now_ns(), static_cast<std::uint8_t>(incident),
                          static_cast<std::uint8_t>(state_), shadow, {}};
        records_.advance(1);
        records_.publish();
    }

    Card& card_;
    LstmEngine& shadow_;
    TickClock& clock_;
    FailoverTerms terms_;
    GoldenSequence golden_;
    FailoverLog log_;
    StreamState theirs_, ours_, right_ = ours_;
    Ring<IncidentRecord> records_;
    FailoverCounts counts_;
    Answer answer_;
    const std::int64_t* logits_ = nullptr;
    const std::int64_t* scores_ = nullptr;
    CardState state_ = CardState::healthy;
    bool outstanding_ = false;   // the card was given a tick and has not answered it
    bool unchecked_ = false;     // the log has ticks that only the shadow has answered
    bool shadow_wrong_ = false;
    bool golden_asked_ = false;
    std::int64_t outstanding_tick_ = 0, level_ = 0, compared_ = 0, golden_at_ = -1;
    std::int64_t asked_ns_ = 0, felt_ns_ = 0, retry_at_ns_ = 0, retry_ns_ = 0, stepped_ = 0;
    std::uint32_t counted_ = 0;
    int clean_ = 0, looked_ = 0;
};

}  // namespace pyorch
