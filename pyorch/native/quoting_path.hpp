// From a tick's scores to journal records and FIX bytes: policy, pricing, quoting, risk, encoding.
// pyorch.trading.twin.QuotingPathTwin defines it; everything but the stage durations is equal.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "inputs.hpp"
#include "own_decision.hpp"
#include "pricing.hpp"
#include "quoting.hpp"
#include "quoting_output.hpp"
#include "quoting_settings.hpp"
#include "ring_clock.hpp"
#include "risk.hpp"
#include "stated_answer.hpp"
#include "tick_engine.hpp"
#include "venue_session.hpp"

namespace pyorch {

struct TickInput {
    std::int64_t row, local_ns, sequence, forward_half_ticks;
    const std::int32_t* features;
    const std::int64_t* logits;
    const std::int64_t* scores;
    bool data_valid;
    Answer answer;
};

// Raw clock readings of the stages before this one.
struct Stamps {
    std::uint64_t start, book, features, engine;
};

class QuotingPath {
   public:
    explicit QuotingPath(const QuotingSettings& s)
        : settings_(s), surface_(s.surface_ppm, s.expiries_s, s.origin_ns), policy_(s.rules, s.fair_shift),
          pricer_(s.strikes_usd, s.expiries_s, s.rights, s.half_tick_usd, s.kernel),
          gate_(s.limits, quote_kernels(s.kernel.c_str())),
          reference_(pricer_, surface_, s.limits.reference_interval_ns, s.limits.reference_age_ns),
          venues_(s.venues()), quoter_(s.terms, s.inventory, gate_, venues_.size()), output_(s, pricer_.options()) {
        noted.reserve(64);
        await_venues();
        update_down();
        clock_scale();  // measured here, not at the first tick
        s.check(pricer_.options());
    }

    DecisionPair* decisions = nullptr;  // a card that decides on the same events
    std::atomic<bool> killed{false};  // set by any thread: withdraw everything, quote nothing
    // What the path found by itself (kill flag, full rings, engines), as inputs; until somebody takes them. One that
    // is full keeps no more: whoever keeps a log stops at `noted_full`.
    std::vector<Input> noted;
    bool noted_full() const { return noted.size() + 4 > noted.capacity(); }  // as many as a tick may find

    void surface(std::int64_t atm_ppm, std::int64_t skew_ppm, std::int64_t local_ns) {
        surface_.apply(atm_ppm, skew_ppm, local_ns, minutes_at(local_ns));
    }

    // Instrument 0 traded.
    void trade(std::int64_t price_ticks, std::int64_t local_ns) { reference_.trade(price_ticks, local_ns); }

    void tick(const TickInput& in, const Stamps& stamps) {
        watch_flag(in.row, in.local_ns);
        if (settings_.stop_when_full) watch_rings(in.row, in.local_ns);
        TickRecord& record = full() ? unrecorded_ : output_.begin();
        start_record(record, in.row, in.local_ns, in.sequence);
        record.forward_half_ticks = in.forward_half_ticks;
        for (int i = 0; i < settings_.features; ++i) record.features[i] = static_cast<std::int16_t>(in.features[i]);
        for (int i = 0; i < settings_.outputs; ++i) {
            record.logits[i] = static_cast<std::int32_t>(in.logits[i]);
            record.scores[i] = static_cast<std::int32_t>(in.scores[i]);
        }
        const bool warm = since_reset_ >= settings_.warm_up_ticks;
        bool model_valid = true;
        for (const int output : settings_.probability_outputs)
            model_valid &= in.scores[output] >= 0 && in.scores[output] <= 32768;
        const bool data_valid = in.data_valid && in.forward_half_ticks > 0;
        const bool stale = surface_.stale(in.local_ns, settings_.maximum_surface_age_ns);
        watch_sessions(record);
        const bool session_down = std::all_of(quoter_.down.begin(), quoter_.down.end(), [](auto d) { return d != 0; });
        record.flags |= (data_valid ? tick_book_valid : 0u) | (model_valid ? tick_model_valid : 0u) |
                       (warm ? tick_warm : 0u) | (stopped_ ? tick_killed : 0u) | (stale ? tick_surface_stale : 0u) |
                       (paused_ ? tick_paused : 0u) | (gate_.frozen(in.local_ns) ? tick_frozen : 0u) |
                       (model_off_ ? tick_model_off : 0u) | (session_down ? tick_session_down : 0u);
        Answer answer = answer_of(in);
        Adjustment adjustment;
        if (data_valid && model_valid && warm && !model_off_)
            adjustment = policy_.decide(in.scores, in.local_ns, answer.cautious());
        if (decisions) {
            if (model_off_) decisions->stand_aside();
            answer = decisions->settle(own_decision(policy_.rules(), adjustment, record, since_reset_ == 0, settings_.outputs));
            // deciding once more changes nothing but what caution adds
            if (answer.cautious() && data_valid && model_valid && warm && !model_off_)
                adjustment = policy_.decide(in.scores, in.local_ns, true);
        }
        if (!warm) adjustment.extra_down_bp100 = adjustment.extra_up_bp100 = settings_.cold_bp100;
        say(record, answer);
        say(record, adjustment);
        const std::uint64_t after_policy = clock_cycles();
        std::uint64_t after_pricing = after_policy;

        const Refusal refusal =
            gate_.admit(in.local_ns, {stopped_, paused_, full(), session_down, !data_valid, stale,
                                      !model_valid && !model_off_, !warm && settings_.cold_bp100 == 0});
        if (refusal != Refusal::none) {
            record.flags |= tick_blocked;
            if (quoter_.live()) cancel(record, -1);
        } else {
            const bool moved = in.forward_half_ticks != priced_forward_ || record.minutes != priced_minutes_ ||
                               surface_.version() != priced_surface_ || !priced_;
            const bool adjusted = !adjustment.same_effect(quoted_adjustment_);
            if (moved) {
                pricer_.price(surface_, in.forward_half_ticks, record.minutes);
                priced_ = true;
                priced_forward_ = in.forward_half_ticks;
                priced_minutes_ = record.minutes;
                priced_surface_ = surface_.version();
            }
            if (moved || adjusted) record.flags |= tick_priced;
            const bool judged_anew =
                reference_.used() && reference_.refresh(in.local_ns, record.minutes, surface_);
            // Without a change or a waiting quote the update would send nothing: skipping it is exact.
            const bool update = moved || adjusted || judged_anew || dirty_ || quoter_.pending();
            if (update) {
                quoted_adjustment_ = adjustment;
                dirty_ = false;
                for (std::size_t v = 0; v < venues_.size(); ++v) quoter_.next_sequence[v] = venues_[v].sequence + 1;
                quoter_.update(pricer_, record.minutes, adjustment, policy_.rules(), in.local_ns, reference_, gate_);
                record.refused = quoter_.refused();
            }
            record.inventory_bp100 = static_cast<std::int32_t>(quoter_.inventory_bp100());
            after_pricing = clock_cycles();
            if (update && !quoter_.sent().empty())
                output_.mass_quotes(record, quoter_.sent(), pricer_, gate_.exposures, venues_);
            if (quoter_.pending()) record.flags |= tick_pending;
            if (record.refused > 0) record.flags |= tick_blocked;
        }
        const std::uint64_t end = clock_cycles();
        record.book_ns = clock_ns(stamps.start, stamps.book);
        record.features_ns = clock_ns(stamps.book, stamps.features);
        record.engine_ns = clock_ns(stamps.features, stamps.engine);
        record.policy_ns = clock_ns(stamps.engine, after_policy);
        record.pricing_ns = clock_ns(after_policy, after_pricing);
        record.encode_ns = clock_ns(after_pricing, end);
        record.total_ns = clock_ns(stamps.start, end);
        ++tick_;
        ++since_reset_;
        if (!full()) output_.publish();
    }

    void prepare() { output_.prepare(); }  // between two ticks

    // The book became invalid: withdraw everything, forget dwell and warm-up.
    void invalidate(std::int64_t row, std::int64_t local_ns, std::int64_t sequence) {
        if (decisions) decisions->became_void(tick_, row);
        if (quoter_.live()) cancel_between(row, local_ns, sequence, 0);
        policy_.reset();
        since_reset_ = 0;
    }

    // Takes in what a venue or an operator said.
    void take(const Input& in) {
        check(in);
        dirty_ |= in.kind < InputKind::engine;
        bool withdraw = false;
        int only = -1;
        const int side = static_cast<int>(in.side);
        switch (in.kind) {
            case InputKind::acknowledged:
                venues_[in.venue].heard(in.sequence, in.local_ns);
                gate_.exposures.taken_in(in.venue, in.sequence);
                break;
            case InputKind::cancelled:
            case InputKind::protection:
                venues_[in.venue].heard(in.sequence, in.local_ns);
                gate_.exposures.cancelled(in.venue, in.sequence);
                withdraw = in.kind == InputKind::protection;
                if (withdraw) gate_.freeze(in.local_ns);
                break;
            case InputKind::rejected:
                gate_.exposures.rejected(in.option, in.sequence);
                quoter_.rejected(in.option, in.sequence);
                break;
            case InputKind::filled: {
                const bool was = gate_.frozen(in.local_ns);
                // An order's fill (value 1) leaves the quotes as they are.
                const std::int64_t of = in.value == 0 ? in.sequence : INT64_MAX;
                gate_.filled(in.option, side, in.lots, of, in.local_ns);
                quoter_.filled(gate_, in.option, side, in.lots, of);
                withdraw = gate_.frozen(in.local_ns) && !was;
                break;
            }
            case InputKind::own_order: gate_.exposures.order(in.option, side, in.price_ticks, in.lots); break;
            case InputKind::disconnected:
                venues_[in.venue].connected = false;
                quoter_.withdraw(gate_, static_cast<int>(in.venue));
                break;
            case InputKind::connected:
                // Messages that it has not taken in may still arrive: a withdrawal follows them.
                if (in.sequence < venues_[in.venue].sequence) only = static_cast<int>(in.venue);
                withdraw = only >= 0;
                venues_[in.venue].connect(in.sequence);
                gate_.exposures.cancelled(in.venue, in.sequence);
                quoter_.withdraw(gate_, static_cast<int>(in.venue));
                break;
            case InputKind::sequence:
                venues_[in.venue].sequence = std::max(venues_[in.venue].sequence, in.sequence);
                break;
            case InputKind::position:
                gate_.positions_lots[in.option] = in.value;
                quoter_.position(gate_, in.option);
                break;
            case InputKind::kill:
            case InputKind::rearm:
                stopped_ = withdraw = in.kind == InputKind::kill;
                by_flag_ = false;
                await_venues();
                break;
            case InputKind::pause:
            case InputKind::resume: paused_ = withdraw = in.kind == InputKind::pause; break;
            case InputKind::model_off:
            case InputKind::model_on: model_off_ = in.kind == InputKind::model_off; break;
            case InputKind::widen: quoter_.widen_bp100 = in.value; break;
            case InputKind::size_cap: quoter_.size_cap_lots = in.value; break;
            case InputKind::limit: gate_.bounds[in.option] = in.value; break;
            case InputKind::reset_protection: gate_.frozen_ns = -1; break;
            case InputKind::journal_full:
            case InputKind::journal_ready: withdraw = in.kind == InputKind::journal_full; break;
            case InputKind::order_rejected:
            case InputKind::request:
            case InputKind::acceptance: break;
            case InputKind::engine:
            case InputKind::deadline_miss: answers_.take(in); return;
        }
        const bool stops_for_journal = in.kind == InputKind::journal_full;
        if (withdraw) cancel_between(in.row, in.local_ns, 0, stops_for_journal ? tick_journal_full : 0u, only);
        if (stops_for_journal || in.kind == InputKind::journal_ready)
            (in.value == of_rings ? rings_full_ : log_full_) = stops_for_journal;
        update_down();
    }

    // Why an order of ours beside the quotes may not go out; none: it may.
    Refusal check_order(std::size_t option, int side, std::int64_t price_ticks, std::int64_t lots,
                        std::int64_t local_ns) {
        if (option >= pricer_.options() || side < 0 || side > 1 || lots < 1 || lots > maximum_lots)
            throw std::invalid_argument("an order's option, side or lots are out of range");
        if (stopped_ || killed.load(std::memory_order_relaxed)) return Refusal::killed;
        if (paused_) return Refusal::paused;
        if (full()) return Refusal::journal_full;
        if (quoter_.down[gate_.exposures.venue(option)]) return Refusal::session_down;
        if (gate_.frozen(local_ns)) return Refusal::protected_;
        if (!priced_) return Refusal::invalid_data;
        Quote quote;
        (side == 0 ? quote.bid_ticks : quote.ask_ticks) = price_ticks;
        (side == 0 ? quote.bid_lots : quote.ask_lots) = lots;
        if (gate_.outside(quote, !reference_.used() || reference_.known(),
                          Quoter::around(option, gate_, reference_), settings_.terms.tick_nano))
            return Refusal::price_collar;
        const Quote shown = quoter_.shown(option);
        if (shown.lots(1 - side) > 0 && (side == 0 ? price_ticks >= shown.ask_ticks : price_ticks <= shown.bid_ticks))
            return Refusal::self_cross;
        gate_.sum();
        return gate_.check_order(option, side, lots);
    }

    std::int64_t ticks() const { return tick_; }
    // Of the last message at a venue.
    std::int64_t sequence(std::size_t venue) const { return venues_[venue].sequence; }
    int features() const { return settings_.features; }
    int outputs() const { return settings_.outputs; }
    const RiskGate& gate() const { return gate_; }
    const Pricer& pricer() const { return pricer_; }
    const Quoter& quoter() const { return quoter_; }
    std::uint32_t surfaces_refused() const { return surface_.refused(); }
    QuotingOutput& output() { return output_; }

   private:
    static constexpr std::int64_t of_rings = 1;  // value of a journal input: the rings are full, not the log

    bool full() const { return rings_full_ || log_full_; }

    void check(const Input& in) const {
        const InputKind kind = in.kind;
        if (!input_is_about(in, venues_.size(), pricer_.options()))
            throw std::invalid_argument("an input's venue, option, side or limit is out of range");
        const std::int64_t most = kind == InputKind::widen ? maximum_widening_bp100
                                  : kind == InputKind::size_cap || kind == InputKind::position ? maximum_lots
                                  : kind == InputKind::limit ? maximum_limit
                                  : kind == InputKind::deadline_miss ? UINT32_MAX : INT64_MAX;
        if ((kind == InputKind::engine && !StatedAnswer::valid(in.value)) || in.value > most || in.value < (kind == InputKind::position ? -most : 0))
            throw std::invalid_argument("an input's value is out of range");
    }
    std::int64_t minutes_at(std::int64_t local_ns) const { return (local_ns - settings_.origin_ns) / 60'000'000'000; }

    void start_record(TickRecord& record, std::int64_t row, std::int64_t local_ns, std::int64_t sequence) {
        std::memset(&record, 0, sizeof record);
        record.tick = tick_;
        record.row = row;
        record.local_ns = local_ns;
        record.sequence = sequence;
        record.minutes = minutes_at(local_ns);
        record.surface = surface_.version();
        record.atm_volatility_ppm = static_cast<std::int32_t>(surface_.atm_ppm());
        record.skew_ppm = static_cast<std::int32_t>(surface_.skew_ppm());
        record.base_half_spread_bp100 = settings_.base_half_spread_bp100;
        record.size_down_percent = record.size_up_percent = 100;
    }

    // Until a venue says that it is up, and what it has taken in, nothing goes there but withdrawals.
    void await_venues() {
        if (settings_.limits.acknowledged)
            for (VenueSession& session : venues_) session.awaited = true;
    }
    void update_down() {
        for (std::size_t v = 0; v < venues_.size(); ++v) quoter_.down[v] = venues_[v].down();
    }
    void watch_sessions(TickRecord& record) {
        const std::int64_t patience = settings_.limits.acknowledge_ns;
        if (settings_.limits.acknowledged && patience > 0 && !full())
            for (std::size_t v = 0; v < venues_.size(); ++v) {
                VenueSession& session = venues_[v];
                if (session.late || session.waiting_ns == 0 || record.local_ns - session.waiting_ns <= patience) continue;
                session.late = true;
                cancel(record, static_cast<int>(v));
            }
        update_down();
    }
    void note(InputKind kind, std::int64_t row, std::int64_t local_ns, std::int64_t value) {
        const Input input{local_ns, 0, value, 0, row, kind, 0, 0, 0, 0, 0};
        take(input);
        if (noted.size() < noted.capacity()) noted.push_back(input);
    }
    // The flag's first effect is an input, so that a log replays it at this row.
    void watch_flag(std::int64_t row, std::int64_t local_ns) {
        const bool up = killed.load(std::memory_order_relaxed);
        if (up ? stopped_ : !(stopped_ && by_flag_)) return;
        note(up ? InputKind::kill : InputKind::rearm, row, local_ns, 0);
        by_flag_ = up;
    }
    Answer answer_of(const TickInput& in) {
        if (settings_.answers == AnswerSource::engines) return in.answer;
        if (settings_.answers == AnswerSource::noted) {
            if (answers_.changes(in.answer)) note(InputKind::engine, in.row, in.local_ns, StatedAnswer::value_of(in.answer));
            if (in.answer.late) note(InputKind::deadline_miss, in.row, in.local_ns, StatedAnswer::late_value_of(in.answer));
        }
        return answers_.use(in.answer.ns);
    }
    void watch_rings(std::int64_t row, std::int64_t local_ns) {
        if (rings_full_ == !output_.has_room()) return;
        note(rings_full_ ? InputKind::journal_ready : InputKind::journal_full, row, local_ns, of_rings);
    }

    // only >= 0: at that venue.
    void cancel_between(std::int64_t row, std::int64_t local_ns, std::int64_t sequence, std::uint32_t flags,
                        int only = -1) {
        if (full()) return;  // nothing is live, and nothing more can be recorded
        TickRecord& record = output_.begin();
        start_record(record, row, local_ns, sequence);
        cancel(record, only);
        record.flags |= flags;
        if (record.fix_messages > 0) output_.publish();
    }
    // Withdraws everything (only >= 0: at that venue), where a session is up.
    void cancel(TickRecord& record, int only) {
        for (std::size_t v = 0; v < venues_.size(); ++v) {
            if (!venues_[v].connected || (only >= 0 && static_cast<std::size_t>(only) != v)) continue;
            output_.cancel_all(record, v, venues_[v]);
        }
        quoter_.withdraw(gate_, only);
        priced_ = false;
        quoted_adjustment_ = {};
    }

    QuotingSettings settings_;
    Surface surface_;
    Policy policy_;
    Pricer pricer_;
    RiskGate gate_;
    ReferenceValues reference_;
    std::vector<VenueSession> venues_;
    Quoter quoter_;
    QuotingOutput output_;
    Adjustment quoted_adjustment_;
    StatedAnswer answers_;
    std::int64_t tick_ = 0, since_reset_ = 0;
    bool stopped_ = false, by_flag_ = false, paused_ = false, model_off_ = false, dirty_ = false;
    bool rings_full_ = false, log_full_ = false;
    TickRecord unrecorded_;
    std::int64_t priced_forward_ = 0, priced_minutes_ = 0;
    std::uint32_t priced_surface_ = 0;
    bool priced_ = false;
};

}  // namespace pyorch
