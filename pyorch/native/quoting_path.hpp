// From a tick's scores to journal records and FIX bytes: policy, pricing, quoting, risk, encoding.
// pyorch.trading.twin.QuotingPathTwin defines it; everything but the stage durations is equal.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "fix.hpp"
#include "journal.hpp"
#include "policy.hpp"
#include "pricing.hpp"
#include "quoting.hpp"
#include "ring.hpp"
#include "risk.hpp"
#include "ring_clock.hpp"

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
          quoter_(s.terms, s.inventory, s.limits.positions_lots), encoder_(s.fix), ticks_(s.tick_ring),
          quotes_(std::max(s.quote_ring, 2 * pricer_.options())),
          fix_(std::max(s.fix_ring, 4 * (pricer_.options() / 16 + 2) * encoder_.message_bytes())),
          scratch_(encoder_.message_bytes()) {
        clock_scale();  // measured here, not at the first tick
        const std::size_t options = pricer_.options();
        if (s.features < 1 || s.features > maximum_features || s.outputs < 1 || s.outputs > maximum_outputs)
            throw std::invalid_argument("a journal record holds 1 to 32 features and 1 to 16 outputs");
        if (s.fix.symbols.size() != options || s.limits.positions_lots.size() != options)
            throw std::invalid_argument("one symbol and one position for each option");
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
    std::atomic<bool> abandoned{false};  // nobody reads the rings any more

    void surface(std::int64_t atm_ppm, std::int64_t skew_ppm, std::int64_t local_ns) {
        surface_.apply(atm_ppm, skew_ppm, local_ns, minutes_at(local_ns));
    }

    void tick(const TickInput& in, const Stamps& stamps) {
        ticks_.reserve(1, abandoned);
        TickRecord& record = ticks_.at(0);
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
        const bool stopped = killed.load(std::memory_order_relaxed);
        record.flags = (data_valid ? tick_book_valid : 0u) | (model_valid ? tick_model_valid : 0u) |
                       (warm ? tick_warm : 0u) | (stopped ? tick_killed : 0u) | (stale ? tick_surface_stale : 0u);
        Adjustment adjustment;
        if (data_valid && model_valid && warm) adjustment = policy_.decide(in.scores, in.local_ns);
        record.fired = adjustment.fired;
        record.active = adjustment.active;
        record.extra_down_bp100 = adjustment.extra_down_bp100;
        record.extra_up_bp100 = adjustment.extra_up_bp100;
        record.size_down_percent = adjustment.size_down_percent;
        record.size_up_percent = adjustment.size_up_percent;
        record.forecast_bp100 = adjustment.forecast_bp100;
        const std::uint64_t after_policy = clock_cycles();
        std::uint64_t after_pricing = after_policy;

        if (gate_.admit(stopped, data_valid, !stale, model_valid, warm) != Refusal::none) {
            record.flags |= tick_blocked;
            if (gate_.quoted_lots > 0) cancel_all(record);
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
            const bool update = moved || adjusted || quoter_.pending();
            if (update) {
                quoted_adjustment_ = adjustment;
                quoter_.update(pricer_, record.minutes, adjustment, policy_.rules(), in.local_ns, gate_);
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
        publish();
    }

    // The book became invalid: withdraw everything, forget dwell and warm-up.
    void invalidate(std::int64_t row, std::int64_t local_ns, std::int64_t sequence) {
        if (gate_.quoted_lots > 0) {
            ticks_.reserve(1, abandoned);
            TickRecord& record = ticks_.at(0);
            start_record(record, row, local_ns, sequence);
            cancel_all(record);
            publish();
        }
        policy_.reset();
        since_reset_ = 0;
    }

    std::int64_t ticks() const { return tick_; }
    // Whether the rings surely hold another tick; for callers that produce and consume on one thread.
    bool has_room() const {
        const std::size_t options = pricer_.options();
        return ticks_.free() >= 1 && quotes_.free() >= options &&
               fix_.free() >= (options / FixEncoder::maximum_entries + 1) * encoder_.message_bytes();
    }
    int features() const { return settings_.features; }
    int outputs() const { return settings_.outputs; }
    const RiskGate& gate() const { return gate_; }
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

    void cancel_all(TickRecord& record) {
        record.flags |= tick_cancelled;
        append(record, encoder_.cancel_all(++sequence_, record.local_ns, scratch_.data()));
        quoter_.withdraw_all(gate_);
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
        for (std::size_t at = 0; at < sent.size(); at += FixEncoder::maximum_entries) {
            const std::size_t count = std::min(FixEncoder::maximum_entries, sent.size() - at);
            append(record, encoder_.mass_quote(++sequence_, record.local_ns, sent.data() + at, count, scratch_.data()));
        }
    }

    void append(TickRecord& record, std::size_t bytes) {
        fix_.reserve(bytes, abandoned);
        fix_.write(scratch_.data(), bytes);
        record.fix_bytes += static_cast<std::uint32_t>(bytes);
        ++record.fix_messages;
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
    Quoter quoter_;
    FixEncoder encoder_;
    Ring<TickRecord> ticks_;
    Ring<QuoteRecord> quotes_;
    Ring<char> fix_;
    std::vector<char> scratch_;
    Adjustment quoted_adjustment_;
    std::int64_t tick_ = 0, since_reset_ = 0, sequence_ = 0;
    std::int64_t priced_forward_ = 0, priced_minutes_ = 0;
    std::uint32_t priced_surface_ = 0;
    bool priced_ = false;
};

}  // namespace pyorch
