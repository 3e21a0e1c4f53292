// From a tick's scores to journal records and FIX bytes: policy, pricing, quoting, risk, encoding.
// pyorch.trading.twin.QuotingPathTwin defines it; everything but the stage durations is equal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fix.hpp"
#include "inputs.hpp"
#include "journal.hpp"
#include "policy.hpp"
#include "pricing.hpp"
#include "quoting.hpp"
#include "ring.hpp"
#include "risk.hpp"
#include "ring_clock.hpp"
#include "tick_engine.hpp"
#include "venue_session.hpp"

namespace pyorch {

struct QuotingSettings {
    std::vector<std::int64_t> strikes_usd, expiries_s;
    int rights = 2;
    double half_tick_usd = 1;
    Surface::ParametersPpm surface_ppm;
    std::int64_t maximum_surface_age_ns = 0;
    std::vector<Rule> rules;
    FairShift fair_shift;
    InventorySkew inventory;
    std::int32_t base_half_spread_bp100 = 0;
    Terms terms;
    Limits limits;
    FixIdentity fix;
    std::vector<std::string> targets;  // per venue, TargetCompID; empty: the identity's, one venue
    bool stop_when_full = false;       // full rings stop quoting; otherwise they hold the tick back
    int features = 1, outputs = 1;
    std::vector<int> probability_outputs;
    std::int64_t warm_up_ticks = 0, origin_ns = 0;
    std::size_t tick_ring = 1 << 12, quote_ring = 1 << 14, fix_ring = 1 << 22;
};

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
          pricer_(s.strikes_usd, s.expiries_s, s.rights, s.half_tick_usd), gate_(s.limits),
          reference_(pricer_, surface_, s.limits.reference_interval_ns, s.limits.reference_age_ns),
          venues_(std::max<std::size_t>(s.targets.size(), 1)), quoter_(s.terms, s.inventory, gate_, venues_.size()),
          encoders_(encoders_of(s)), ticks_(s.tick_ring), quotes_(std::max(s.quote_ring, 2 * pricer_.options())),
          fix_(std::max(s.fix_ring, 2 * room_for_messages())), scratch_(room_for_messages()) {
        stops.reserve(64);
        clock_scale();  // measured here, not at the first tick
        const std::size_t options = pricer_.options();
        if (s.features < 1 || s.features > maximum_features || s.outputs < 1 || s.outputs > maximum_outputs)
            throw std::invalid_argument("a journal record holds 1 to 32 features and 1 to 16 outputs");
        if (s.fix.symbols.size() != options || s.limits.positions_lots.size() != options)
            throw std::invalid_argument("one symbol and one position for each option");
        if (s.limits.venues.size() != options) throw std::invalid_argument("one venue for each option");
        for (const std::uint32_t venue : s.limits.venues)
            if (venue >= venues_.size()) throw std::invalid_argument("an option's venue is out of range");
        if (s.rules.size() > 32) throw std::invalid_argument("at most 32 rules");
        for (const Rule& rule : s.rules) {
            if (rule.reach < 1) throw std::invalid_argument("a rule reaches the nearest expiry at least");
            if (rule.outputs.size() != rule.thresholds.size() || rule.outputs.size() != rule.releases.size())
                throw std::invalid_argument("one threshold and one release for each condition");
            for (const int output : rule.outputs)
                if (output < 0 || output >= s.outputs) throw std::invalid_argument("a rule's output is out of range");
        }
        if (s.inventory.delta_scale_lots < 1 || s.inventory.position_scale_lots < 1)
            throw std::invalid_argument("the scales of the inventory's skew are 1 lot or more");
        for (const int output : {s.fair_shift.up, s.fair_shift.down})
            if (output < 0 || output >= s.outputs) throw std::invalid_argument("a forecast's output is out of range");
        for (const int output : s.probability_outputs)
            if (output < 0 || output >= s.outputs) throw std::invalid_argument("a probability's output is out of range");
    }

    std::atomic<bool> killed{false};     // set by any thread: withdraw everything, quote nothing
    // When quoting stopped and began again for the journal's sake, as inputs; until somebody takes them.
    std::vector<Input> stops;
    std::atomic<bool> abandoned{false};  // nobody reads the rings any more

    void surface(std::int64_t atm_ppm, std::int64_t skew_ppm, std::int64_t local_ns) {
        surface_.apply(atm_ppm, skew_ppm, local_ns, minutes_at(local_ns));
    }

    // Instrument 0 traded.
    void trade(std::int64_t price_ticks, std::int64_t local_ns) { reference_.trade(price_ticks, local_ns); }

    void tick(const TickInput& in, const Stamps& stamps) {
        if (settings_.stop_when_full) watch_rings(in.row, in.local_ns);
        if (!full_) ticks_.reserve(1, abandoned);
        TickRecord& record = full_ ? unrecorded_ : ticks_.at(0);
        start_record(record, in.row, in.local_ns, in.sequence);
        record.forward_half_ticks = in.forward_half_ticks;
        for (int i = 0; i < settings_.features; ++i) record.features[i] = static_cast<std::int16_t>(in.features[i]);
        for (int i = 0; i < settings_.outputs; ++i) {
            record.logits[i] = static_cast<std::int32_t>(in.logits[i]);
            record.scores[i] = static_cast<std::int32_t>(in.scores[i]);
        }
        record.answered_by = static_cast<std::uint8_t>(in.answer.by);
        record.assurance = static_cast<std::uint8_t>(in.answer.assurance);
        record.late = in.answer.late;
        record.inexact = in.answer.inexact;
        record.answer_ns = in.answer.ns;
        const bool warm = since_reset_ >= settings_.warm_up_ticks;
        bool model_valid = true;
        for (const int output : settings_.probability_outputs)
            model_valid &= in.scores[output] >= 0 && in.scores[output] <= 32768;
        const bool data_valid = in.data_valid && in.forward_half_ticks > 0;
        const bool stale = surface_.stale(in.local_ns, settings_.maximum_surface_age_ns);
        const bool stopped = stopped_ || killed.load(std::memory_order_relaxed);
        watch_sessions(record);
        const bool session_down = std::all_of(quoter_.down.begin(), quoter_.down.end(), [](auto d) { return d != 0; });
        record.flags |= (data_valid ? tick_book_valid : 0u) | (model_valid ? tick_model_valid : 0u) |
                       (warm ? tick_warm : 0u) | (stopped ? tick_killed : 0u) | (stale ? tick_surface_stale : 0u) |
                       (paused_ ? tick_paused : 0u) | (gate_.frozen(in.local_ns) ? tick_frozen : 0u) |
                       (model_off_ ? tick_model_off : 0u) | (session_down ? tick_session_down : 0u);
        Adjustment adjustment;
        if (data_valid && model_valid && warm && !model_off_)
            adjustment = policy_.decide(in.scores, in.local_ns, in.answer.cautious());
        record.fired = adjustment.fired;
        record.active = adjustment.active;
        record.extra_down_bp100 = adjustment.extra_down_bp100;
        record.extra_up_bp100 = adjustment.extra_up_bp100;
        record.size_down_percent = adjustment.size_down_percent;
        record.size_up_percent = adjustment.size_up_percent;
        record.forecast_bp100 = adjustment.forecast_bp100;
        const std::uint64_t after_policy = clock_cycles();
        std::uint64_t after_pricing = after_policy;

        const Refusal refusal =
            gate_.admit(in.local_ns, {stopped, paused_, full_, session_down, !data_valid, stale,
                                      !model_valid && !model_off_, !warm});
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
            // Without a change or a waiting quote the update would send nothing: skipping it is exact.
            const bool update = moved || adjusted || dirty_ || quoter_.pending();
            if (update) {
                quoted_adjustment_ = adjustment;
                dirty_ = false;
                if (reference_.used()) reference_.refresh(in.local_ns, record.minutes, surface_);
                for (std::size_t v = 0; v < venues_.size(); ++v) quoter_.next_sequence[v] = venues_[v].sequence + 1;
                quoter_.update(pricer_, record.minutes, adjustment, policy_.rules(), in.local_ns,
                               static_cast<double>(in.forward_half_ticks) * settings_.half_tick_usd, reference_, gate_);
                record.refused = quoter_.refused();
            }
            record.inventory_bp100 = static_cast<std::int32_t>(quoter_.inventory_bp100());
            after_pricing = clock_cycles();
            if (update && !quoter_.sent().empty()) encode(record);
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
        if (!full_) publish();
    }

    // The book became invalid: withdraw everything, forget dwell and warm-up.
    void invalidate(std::int64_t row, std::int64_t local_ns, std::int64_t sequence) {
        if (quoter_.live()) cancel_between(row, local_ns, sequence, 0);
        policy_.reset();
        since_reset_ = 0;
    }

    // Takes in what a venue or an operator said.
    void take(const Input& in) {
        const bool has_venue = in.kind <= InputKind::connected, has_option = in.kind == InputKind::rejected ||
                               in.kind == InputKind::filled || in.kind == InputKind::own_order;
        if ((has_venue && in.venue >= venues_.size()) || (has_option && in.option >= pricer_.options()) ||
            (in.kind == InputKind::limit && in.option >= limit_names) || in.side > 1)
            throw std::invalid_argument("an input's venue, option, side or limit is out of range");
        dirty_ = true;
        bool withdraw = false;
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
                venues_[in.venue].connect();
                gate_.exposures.cancelled(in.venue, venues_[in.venue].sequence);
                quoter_.withdraw(gate_, static_cast<int>(in.venue));
                break;
            case InputKind::kill:
            case InputKind::rearm: stopped_ = withdraw = in.kind == InputKind::kill; break;
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
            case InputKind::engine:
            case InputKind::deadline_miss: break;
        }
        const bool stops_for_journal = in.kind == InputKind::journal_full;
        if (withdraw) cancel_between(in.row, in.local_ns, 0, stops_for_journal ? tick_journal_full : 0u);
        if (stops_for_journal || in.kind == InputKind::journal_ready) full_ = stops_for_journal;
        update_down();
    }

    std::int64_t ticks() const { return tick_; }
    std::int64_t messages() const { return messages_; }
    // Of the last message at a venue.
    std::int64_t sequence(std::size_t venue) const { return venues_[venue].sequence; }
    // Whether the rings surely hold another tick, and a withdrawal after it.
    bool has_room() const {
        return ticks_.free() >= 3 && quotes_.free() >= pricer_.options() && fix_.free() >= room_for_messages();
    }
    int features() const { return settings_.features; }
    int outputs() const { return settings_.outputs; }
    const RiskGate& gate() const { return gate_; }
    const Quoter& quoter() const { return quoter_; }
    std::uint32_t surfaces_refused() const { return surface_.refused(); }
    Ring<TickRecord>& tick_ring() { return ticks_; }
    Ring<QuoteRecord>& quote_ring() { return quotes_; }
    Ring<char>& fix_ring() { return fix_; }

   private:
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

    static std::vector<FixEncoder> encoders_of(const QuotingSettings& s) {
        if (s.targets.empty()) return {FixEncoder(s.fix)};
        std::vector<FixEncoder> encoders;
        for (const std::string& target : s.targets) {
            FixIdentity identity = s.fix;
            identity.target = target;
            encoders.emplace_back(identity);
        }
        return encoders;
    }
    // The most that a tick and a withdrawal write.
    std::size_t room_for_messages() const {
        std::size_t longest = 0;
        for (const FixEncoder& encoder : encoders_) longest = std::max(longest, encoder.message_bytes());
        return (pricer_.options() / FixEncoder::maximum_entries + 4 * venues_.size()) * longest;
    }

    void update_down() {
        for (std::size_t v = 0; v < venues_.size(); ++v) quoter_.down[v] = venues_[v].down();
    }
    void watch_sessions(TickRecord& record) {
        const std::int64_t patience = settings_.limits.acknowledge_ns;
        if (settings_.limits.acknowledged && patience > 0 && !full_)
            for (std::size_t v = 0; v < venues_.size(); ++v) {
                VenueSession& session = venues_[v];
                if (session.late || session.waiting_ns == 0 || record.local_ns - session.waiting_ns <= patience) continue;
                session.late = true;
                cancel(record, static_cast<int>(v));
            }
        update_down();
    }
    void watch_rings(std::int64_t row, std::int64_t local_ns) {
        if (full_ == !has_room()) return;
        const Input input{local_ns, 0, 0, 0, row, full_ ? InputKind::journal_ready : InputKind::journal_full, 0, 0, 0, 0, 0};
        take(input);
        if (stops.size() < stops.capacity()) stops.push_back(input);
    }

    void cancel_between(std::int64_t row, std::int64_t local_ns, std::int64_t sequence, std::uint32_t flags) {
        if (full_) return;  // nothing is live, and nothing more can be recorded
        ticks_.reserve(1, abandoned);
        TickRecord& record = ticks_.at(0);
        start_record(record, row, local_ns, sequence);
        cancel(record, -1);
        record.flags |= flags;
        if (record.fix_messages > 0) publish();
    }
    // Withdraws everything (only >= 0: at that venue), where a session is up.
    void cancel(TickRecord& record, int only) {
        for (std::size_t v = 0; v < venues_.size(); ++v) {
            if (!venues_[v].connected || (only >= 0 && static_cast<std::size_t>(only) != v)) continue;
            venues_[v].sent(1, record.local_ns);
            append(record, encoders_[v].cancel_all(venues_[v].sequence, record.local_ns, scratch_.data()));
            record.flags |= tick_cancelled;
        }
        quoter_.withdraw(gate_, only);
        priced_ = false;
        quoted_adjustment_ = {};
    }

    void encode(TickRecord& record) {
        const auto& sent = quoter_.sent();
        record.flags |= tick_quoted;
        record.quotes = static_cast<std::uint32_t>(sent.size());
        quotes_.reserve(sent.size(), abandoned);
        for (std::size_t i = 0; i < sent.size(); ++i) {
            const Sent& s = sent[i];
            const OptionValue v = pricer_.value(s.option);
            quotes_.at(i) = {record.tick, record.local_ns, s.option, static_cast<std::uint32_t>(s.reason),
                             static_cast<std::int32_t>(s.quote.bid_ticks), static_cast<std::int32_t>(s.quote.ask_ticks),
                             static_cast<std::int32_t>(s.quote.bid_lots), static_cast<std::int32_t>(s.quote.ask_lots),
                             v.value_btc, v.volatility, v.delta, v.gamma, v.vega, v.theta};
        }
        quotes_.advance(sent.size());
        for (std::size_t v = 0; v < venues_.size(); ++v) {
            std::array<Sent, FixEncoder::maximum_entries> part;
            std::size_t count = 0;
            std::int64_t messages = 0;
            const auto flush = [&] {
                if (count == 0) return;
                append(record, encoders_[v].mass_quote(venues_[v].sequence + ++messages, record.local_ns, part.data(),
                                                       count, scratch_.data()));
                count = 0;
            };
            for (const Sent& one : sent) {
                if (gate_.exposures.venue(one.option) != v) continue;
                part[count++] = one;
                if (count == part.size()) flush();
            }
            flush();
            if (messages > 0) venues_[v].sent(messages, record.local_ns);
        }
    }

    void append(TickRecord& record, std::size_t bytes) {
        fix_.reserve(bytes, abandoned);
        fix_.write(scratch_.data(), bytes);
        record.fix_bytes += static_cast<std::uint32_t>(bytes);
        ++record.fix_messages;
        ++messages_;
    }

    // The tick's record last: who sees it sees its quotes and bytes.
    void publish() {
        quotes_.publish();
        fix_.publish();
        ticks_.advance(1);
        ticks_.publish();
    }

    QuotingSettings settings_;
    Surface surface_;
    Policy policy_;
    Pricer pricer_;
    RiskGate gate_;
    ReferenceValues reference_;
    std::vector<VenueSession> venues_;
    Quoter quoter_;
    std::vector<FixEncoder> encoders_;
    Ring<TickRecord> ticks_;
    Ring<QuoteRecord> quotes_;
    Ring<char> fix_;
    std::vector<char> scratch_;
    Adjustment quoted_adjustment_;
    std::int64_t tick_ = 0, since_reset_ = 0, messages_ = 0;
    bool stopped_ = false, paused_ = false, model_off_ = false, full_ = false, dirty_ = false;
    TickRecord unrecorded_;
    std::int64_t priced_forward_ = 0, priced_minutes_ = 0;
    std::uint32_t priced_surface_ = 0;
    bool priced_ = false;
};

}  // namespace pyorch
