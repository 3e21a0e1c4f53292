// A card that decides on market events, and the tick loop as its shadow in lockstep: docs/failover.md, "A card that decides".
//
// Every row goes to the card before the loop takes it; the loop's own decision is held against the card's word. Equal and
// in time: the card has answered. Late, broken or another one: the loop's decision stands, and a record says so. No
// allocation, lock or system call after construction.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "event.hpp"
#include "event_card.hpp"
#include "failover_terms.hpp"
#include "ring.hpp"
#include "tick_clock.hpp"
#include "tick_engine.hpp"
#include "wire.hpp"

namespace pyorch {

// What became of a decision; the numbers are those of pyorch.trading.decisions.
enum class Verdict : std::uint8_t {
    agreed, agreed_late, differs, missing, card_void, unexpected, stranger, aside,
};

// The loop's decision in the words of the wire, or that its book became void.
struct OwnDecision {
    std::int64_t tick = 0, row = 0;
    bool is_void = false;
    std::uint64_t effect = 0, rules = 0;  // as DecisionWord's
    int outputs = 0;
    std::int32_t scores[16]{};

    bool first() const { return effect >> 57 & 1; }
};

struct DecisionRecord {
    std::int64_t tick, row;  // of the loop's decision; row -1: there was none
    std::uint32_t number, ns;
    std::uint8_t verdict, state, answered_by, beats;
    std::uint32_t unused;
    std::uint64_t word[DecisionWord::maximum_beats];
};
static_assert(sizeof(DecisionRecord) == 152);

class DecisionPair {
   public:
    struct Digests {
        std::uint64_t model, policy;
    };
    // The card and the clock must outlive it. Throws std::invalid_argument for terms that exclude each other.
    DecisionPair(EventCard& card, TickClock& clock, const FailoverTerms& terms, Digests digests, int instruments,
                 std::size_t ring)
        : card_(card), clock_(clock), terms_(terms), digests_(digests), instruments_(instruments),
          expected_(most_expected), incidents_(kept_incidents), records_(ring) {
        terms_.check();
        message_.reserve(most_rows);
        beats_.reserve(4 * most_rows);
        ends_.reserve(4 * most_rows);
        state_ = CardState::opening;
        connect();
    }

    std::atomic<bool> abandoned{false};  // nobody reads the records any more

    // A row of the market, before the loop takes it.
    void feed(const Event& event) {
        if (event.instrument >= instruments_ || event.kind > Kind::surface || !listens()) return;
        if (message_.size() == most_rows) return befall(Incident::error);
        if (message_.empty()) began_ns_ = clock_.now_ns();
        message_.push_back(event);
        if (!(event.flags & flag_last)) return;
        beats_.clear();
        ends_.clear();
        try {
            number_ += static_cast<std::uint32_t>(encoder_.encode(message_, beats_, ends_));
        } catch (const std::out_of_range&) {
            message_.clear();
            return befall(Incident::error);
        }
        message_.clear();
        for (std::size_t at = 0; at < beats_.size() && listens();) {
            std::size_t end = at;
            while (!ends_[end]) ++end;
            if (!card_.offer(beats_.data() + at, end + 1 - at)) befall(Incident::error);
            at = end + 1;
        }
    }

    // The loop decided on the newest message: what stands behind the decision.
    Answer settle(const OwnDecision& own) {
        const Answer answer = answer_of(own);
        ++counts_.ticks;
        (answer.by == AnsweredBy::card ? counts_.by_card : counts_.by_shadow) += 1;
        counts_.cautious += answer.cautious();
        counts_.hand_overs += answer.by != answered_by_;
        answered_by_ = answer.by;
        return answer;
    }

    // The loop's book became void with the newest message.
    void became_void(std::int64_t tick, std::int64_t row) {
        if (!listens() || !in_step_) return;
        OwnDecision own;
        own.is_void = true;
        own.tick = tick;
        own.row = row;
        expect(own);
    }

    // The loop does not decide by its policy (an operator's order): from here to its next segment nothing is compared.
    void stand_aside() {
        in_step_ = false;
        drop(Verdict::aside);
    }

    // Between ticks.
    void prepare() {
        clock_.between_ticks();
        const std::int64_t now = clock_.now_ns();
        for (int looks = 0; listens() && looks < looks_between_ticks && look() != Outcome::waiting;) ++looks;
        if (listens() && waiting_ > 0) {
            looked_ += looks_between_ticks;
            const bool old = now >= oldest().begin_ns + terms_.hung_ns && looked_ >= least_looks;
            if (old || waiting_ + 2 >= most_expected) befall(Incident::hung);
        }
        if (state_ == CardState::failed && now >= retry_at_ns_) {
            befall(Incident::retry);
            connect();
        }
    }

    CardState state() const { return state_; }
    const FailoverCounts& counts() const { return counts_; }
    Ring<IncidentRecord>& incidents() { return incidents_; }
    Ring<DecisionRecord>& records() { return records_; }

   private:
    enum class Outcome { waiting, agreed, wrong, nothing };
    struct Expected {
        OwnDecision own;
        std::uint32_t number;
        std::int64_t begin_ns;
        bool late;
    };
    static constexpr std::size_t most_rows = 1 << 14, most_expected = 256, kept_incidents = 1 << 12;
    static constexpr int looks_between_ticks = 16, least_looks = 64;

    bool listens() const { return state_ != CardState::failed; }
    Expected& oldest() { return expected_[(next_ - waiting_) % most_expected]; }

    void connect() {
        session_ = (session_ + 1) & 15;
        encoder_ = wire::Encoder(session_, 0, wire::frame_beats);
        number_ = 0;
        message_.clear();
        waiting_ = 0;
        in_step_ = newest_known_ = false;
        if (!card_.connect()) befall(Incident::error);
    }
    void expect(const OwnDecision& own) {
        if (waiting_ == most_expected) return befall(Incident::hung);
        expected_[next_ % most_expected] = {own, number_ - 1, began_ns_, false};
        ++next_;
        ++waiting_;
        newest_known_ = false;
    }

    Answer answer_of(const OwnDecision& own) {
        Answer answer{AnsweredBy::shadow, Assurance::alone, false, false, 0};
        if (!listens() || (!in_step_ && !own.first())) return answer;
        const bool was_healthy = state_ == CardState::healthy, joins = !in_step_;
        for (Outcome early = Outcome::nothing; in_step_ && early != Outcome::waiting;)
            if ((early = look()) == Outcome::wrong) answer.assurance = Assurance::unverified;
        const bool behind = waiting_ > 0;  // then nobody waits for this one
        if (!listens() || (!in_step_ && !joins)) return answer;
        in_step_ = true;
        expect(own);
        Outcome outcome = behind ? Outcome::nothing : await();
        if (joins && outcome == Outcome::waiting) {  // it has no book yet
            in_step_ = false;
            waiting_ = 0;
            return answer;
        }
        if (outcome == Outcome::waiting) {
            looked_ = 0;
            for (std::size_t k = 1; k <= waiting_; ++k) expected_[(next_ - k) % most_expected].late = true;
            befall(Incident::late);
        }
        if (outcome == Outcome::wrong) answer.assurance = Assurance::unverified;
        if (outcome == Outcome::agreed) {
            answer.assurance = Assurance::checked;
            if (was_healthy) answer.by = AnsweredBy::card;
            if (state_ == CardState::opening) befall(Incident::opened);
            if (state_ == CardState::probation && ++clean_ >= terms_.probation_ticks) befall(Incident::clean);
        }
        answer.ns = static_cast<std::uint32_t>(std::clamp<std::int64_t>(clock_.now_ns() - began_ns_, 0, 0xFFFFFFFF));
        return answer;
    }

    // agreed: the newest decision; waiting: not within its patience; wrong: the card is given up, it contradicts; nothing:
    // it is given up otherwise.
    Outcome await() {
        const std::int64_t until = clock_.now_ns() + terms_.patience_ns;
        for (;;) {
            const bool over = clock_.now_ns() >= until;  // before the look: a thread that lost its core looks once more
            const Outcome outcome = look();
            if (outcome == Outcome::wrong || !listens()) return outcome == Outcome::wrong ? outcome : Outcome::nothing;
            if (newest_known_) return Outcome::agreed;
            if (outcome == Outcome::waiting && over) return Outcome::waiting;
            if (outcome == Outcome::waiting) pause_core();
        }
    }

    // One word of the card, held against what is expected.
    Outcome look() {
        const EventCard::Poll poll = card_.take(word_);
        if (poll == EventCard::Poll::waiting) return Outcome::waiting;
        if (poll == EventCard::Poll::failed || !word_.whole()) {
            befall(Incident::error);
            return Outcome::nothing;
        }
        if (!in_step_) return Outcome::nothing;  // a segment that card and loop did not begin together
        const auto ahead = waiting_ > 0 ? static_cast<std::int32_t>(word_.number() - oldest().number) : -1;
        if (ahead < 0 && state_ == CardState::opening) return Outcome::nothing;  // from before the segment
        if (word_.model_digest() != digests_.model || word_.policy_digest() != digests_.policy)
            return fail(Incident::identity, Verdict::stranger);
        if (ahead != 0) return fail(Incident::wrong, ahead < 0 ? Verdict::unexpected : Verdict::missing);
        const Expected& one = oldest();
        ++counts_.compared;
        if (word_.is_void() && !one.own.is_void) return fail(Incident::error, Verdict::card_void);
        if (!same(one.own)) return fail(Incident::wrong, Verdict::differs);
        newest_known_ = waiting_ == 1 && !one.own.is_void;
        looked_ = 0;
        write_down(one, one.late ? Verdict::agreed_late : Verdict::agreed);
        --waiting_;
        return Outcome::agreed;
    }
    bool same(const OwnDecision& own) const {
        if (own.is_void) return word_.is_void();
        bool equal = word_.effect() == own.effect && word_.rules() == own.rules && word_.outputs() == own.outputs;
        for (int k = 0; k < own.outputs; ++k) equal = equal && word_.score(k) == own.scores[k];
        return equal;
    }

    Outcome fail(Incident incident, Verdict verdict) {
        if (waiting_ > 0) {
            write_down(oldest(), verdict);
            --waiting_;
        } else {
            write_down({OwnDecision{-1, -1}, word_.number(), clock_.now_ns(), false}, verdict);
        }
        befall(incident);
        return Outcome::wrong;
    }
    // What is expected is not awaited any more.
    void drop(Verdict verdict) {
        word_.size = 0;
        for (; waiting_ > 0; --waiting_) write_down(oldest(), verdict);
    }

    void befall(Incident incident) {
        int next = state_after(state_, incident);
        // What is wrong before the card was listened to keeps it from being listened to.
        if (next < 0 && state_ == CardState::opening && incident != Incident::late) next = static_cast<int>(CardState::failed);
        if (next < 0) return;
        state_ = static_cast<CardState>(next);
        if (state_ == CardState::probation) clean_ = 0;
        if (state_ == CardState::failed) {
            drop(Verdict::missing);
            in_step_ = false;
            message_.clear();
            retry_ns_ = std::max(retry_ns_, terms_.retry_ns);
            retry_at_ns_ = clock_.now_ns() + retry_ns_;
            retry_ns_ = std::min(2 * retry_ns_, terms_.most_retry_ns);
        }
        if (incident == Incident::clean) retry_ns_ = clean_ = 0;
        ++counts_.incidents[static_cast<int>(incident)];
        if (incidents_.free() == 0) {
            ++counts_.incidents_lost;
            return;
        }
        incidents_.at(0) = {counts_.ticks, clock_.now_ns(), static_cast<std::uint8_t>(incident),
                            static_cast<std::uint8_t>(state_), 0, {}};
        incidents_.advance(1);
        incidents_.publish();
    }

    void write_down(const Expected& one, Verdict verdict) {
        records_.reserve(1, abandoned);
        DecisionRecord& record = records_.at(0);
        record = {};
        record.tick = one.own.tick;
        record.row = one.own.row;
        record.number = one.number;
        record.ns = static_cast<std::uint32_t>(std::clamp<std::int64_t>(clock_.now_ns() - one.begin_ns, 0, 0xFFFFFFFF));
        record.verdict = static_cast<std::uint8_t>(verdict);
        record.state = static_cast<std::uint8_t>(state_);
        const bool by_card = verdict == Verdict::agreed && state_ == CardState::healthy && !one.own.is_void;
        record.answered_by = static_cast<std::uint8_t>(by_card ? AnsweredBy::card : AnsweredBy::shadow);
        record.beats = static_cast<std::uint8_t>(word_.size);
        std::copy_n(word_.beats, word_.size, record.word);
        records_.advance(1);
        records_.publish();
    }

    EventCard& card_;
    TickClock& clock_;
    FailoverTerms terms_;
    Digests digests_;
    int instruments_;
    wire::Encoder encoder_{0, 0, wire::frame_beats};
    std::vector<Event> message_;
    std::vector<std::uint64_t> beats_;
    std::vector<std::uint8_t> ends_;
    std::vector<Expected> expected_;
    Ring<IncidentRecord> incidents_;
    Ring<DecisionRecord> records_;
    FailoverCounts counts_;
    DecisionWord word_;
    CardState state_ = CardState::opening;
    AnsweredBy answered_by_ = AnsweredBy::shadow;
    bool in_step_ = false;       // card and loop began the segment with the same tick
    bool newest_known_ = false;  // the newest decision was answered and agreed
    unsigned session_ = 15;
    std::uint32_t number_ = 0;   // of the next event
    std::size_t next_ = 0, waiting_ = 0;  // decisions so far; of them without an answer
    std::int64_t began_ns_ = 0, retry_at_ns_ = 0, retry_ns_ = 0;
    int clean_ = 0, looked_ = 0;
};

}  // namespace pyorch
