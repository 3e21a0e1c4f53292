// Fair values and adjustments → two-sided quotes, throttled; pyorch.trading.quoting defines it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "fair_shift.hpp"
#include "policy.hpp"
#include "pricing.hpp"
#include "risk.hpp"

namespace pyorch {

struct Terms {
    std::int64_t tick_nano = 1, coarse_tick_factor = 1, coarse_from_nano = 0, base_nano = 0;
    std::int64_t size_lots = 1, minimum_size_lots = 1, minimum_change_ticks = 1, minimum_interval_ns = 0;
};

// The adjustment as it applies to one option.
struct Protection {
    std::int64_t bid_bp100 = 0, ask_bp100 = 0, bid_percent = 100, ask_percent = 100;
    bool operator==(const Protection&) const = default;

    static Protection of(const Effect& a, bool is_put) {
        return is_put ? Protection{a.extra_up_bp100, a.extra_down_bp100, a.size_up_percent, a.size_down_percent}
                      : Protection{a.extra_down_bp100, a.extra_up_bp100, a.size_down_percent, a.size_up_percent};
    }
    bool grew_from(const Protection& old) const {
        return bid_bp100 > old.bid_bp100 || ask_bp100 > old.ask_bp100 || bid_percent < old.bid_percent ||
               ask_percent < old.ask_percent;
    }
};

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    const std::int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

inline Quote make_quote(const Terms& terms, double value_btc, const Protection& protection, std::int64_t shifted) {
    const double value = value_btc * 1e9;
    const auto below = static_cast<std::int64_t>(std::floor(value)) + shifted;
    const auto above = static_cast<std::int64_t>(std::ceil(value)) + shifted;
    const auto bid = [&](std::int64_t extra) {
        const std::int64_t raw = below - terms.base_nano - extra;
        const std::int64_t step = raw >= terms.coarse_from_nano ? terms.coarse_tick_factor : 1;
        return floor_divide(raw, terms.tick_nano * step) * step;
    };
    const auto ask = [&](std::int64_t extra) {
        const std::int64_t raw = above + terms.base_nano + extra;
        const std::int64_t step = raw >= terms.coarse_from_nano ? terms.coarse_tick_factor : 1;
        return -floor_divide(-raw, terms.tick_nano * step) * step;
    };
    Quote quote{bid(0), std::max<std::int64_t>(ask(0), 1), 0, 0};
    if (protection.bid_bp100 > 0) quote.bid_ticks = std::min(quote.bid_ticks - 1, bid(protection.bid_bp100 * 1000));
    if (protection.ask_bp100 > 0) quote.ask_ticks = std::max(quote.ask_ticks + 1, ask(protection.ask_bp100 * 1000));
    quote.ask_ticks = std::max(quote.ask_ticks, quote.bid_ticks + 1);
    quote.bid_lots = std::max(terms.minimum_size_lots, terms.size_lots * protection.bid_percent / 100);
    quote.ask_lots = std::max(terms.minimum_size_lots, terms.size_lots * protection.ask_percent / 100);
    if (quote.bid_ticks < 1) quote.bid_ticks = quote.bid_lots = 0;
    return quote;
}

enum class Reason : std::uint32_t { first = 1, widen = 2, narrow = 3, move = 4, withdraw = 5 };

struct Sent {
    std::uint32_t option;
    Reason reason;
    Quote quote;
};

// In this order message credit and notional are given out: what takes risk away goes first.
inline constexpr Reason priority[] = {Reason::withdraw, Reason::widen, Reason::move, Reason::narrow, Reason::first};

// Decides which options to quote anew: withdrawn, wider and new ones at once, the others no faster than the throttle.
class Quoter {
   public:
    Quoter(Terms terms, const InventorySkew& skew, std::vector<std::int64_t> positions_lots)
        : terms_(terms), skew_(skew), positions_lots_(std::move(positions_lots)), live_(positions_lots_.size()) {
        const std::size_t options = live_.size();
        for (const std::int64_t position : positions_lots_) own_nano_.push_back(skew_.own_nano(position));
        wanted_.reserve(options);
        sent_.reserve(options);
    }

    bool pending() const { return pending_; }
    std::uint32_t refused() const { return refused_; }
    std::int64_t inventory_bp100() const { return inventory_bp100_; }
    const std::vector<Sent>& sent() const { return sent_; }

    void withdraw_all(RiskGate& gate) {
        for (auto& live : live_) live = {};
        gate.quoted_lots = 0;
        pending_ = false;
    }

    // rules: the policy's, for those of limited reach.
    void update(const Pricer& pricer, std::int64_t minutes, const Adjustment& adjustment,
                const std::vector<Rule>& rules, std::int64_t local_ns, RiskGate& gate) {
        pending_ = false;
        refused_ = 0;
        wanted_.clear();
        sent_.clear();
        std::int64_t held = 0;
        for (std::size_t option = 0; option < live_.size(); ++option)
            if (positions_lots_[option] != 0)
                held += delta_ppm(pricer.premium_adjusted_delta(option)) * positions_lots_[option];
        inventory_bp100_ = skew_.underlying_bp100(held);
        const std::int64_t underlying_bp100 = adjustment.forecast_bp100 + inventory_bp100_;
        for (std::size_t option = 0; option < live_.size(); ++option) {
            const Live& live = live_[option];
            const Effect effect = adjustment.limited == 0
                                      ? static_cast<const Effect&>(adjustment)
                                      : effect_of(rules, adjustment.active, pricer.expiry_of(option));
            const Protection protection = Protection::of(effect, pricer.is_put(option));
            Quote quote;
            if (!pricer.expired(option, minutes)) {
                std::int64_t shifted = own_nano_[option];
                if (underlying_bp100 != 0)
                    shifted += shift_nano(underlying_bp100, delta_ppm(pricer.premium_adjusted_delta(option)));
                quote = make_quote(terms_, pricer.value_btc(option), protection, shifted);
            }
            if (quote == live.quote) continue;
            const Candidate candidate{{static_cast<std::uint32_t>(option), Reason::move, quote}, protection};
            if (quote == Quote{}) {
                wanted_.push_back(candidate);
                wanted_.back().sent.reason = Reason::withdraw;
            } else if (live.quote == Quote{}) {
                wanted_.push_back(candidate);
                wanted_.back().sent.reason = Reason::first;
            } else if (protection.grew_from(live.protection)) {
                wanted_.push_back(candidate);
                wanted_.back().sent.reason = Reason::widen;
            } else {
                const bool narrows = !(protection == live.protection);
                const bool small =
                    std::abs(quote.bid_ticks - live.quote.bid_ticks) < terms_.minimum_change_ticks &&
                    std::abs(quote.ask_ticks - live.quote.ask_ticks) < terms_.minimum_change_ticks;
                if (small && !narrows) continue;
                if (local_ns - live.sent_ns < terms_.minimum_interval_ns) {
                    pending_ = true;
                    continue;
                }
                wanted_.push_back(candidate);
                if (narrows) wanted_.back().sent.reason = Reason::narrow;
            }
        }
        for (const Reason reason : priority)
            for (Candidate& candidate : wanted_)
                if (candidate.sent.reason == reason) send(candidate, pricer, local_ns, gate);
    }

   private:
    struct Live {
        Quote quote;
        Protection protection;
        std::int64_t sent_ns = 0;
    };
    struct Candidate {
        Sent sent;
        Protection protection;
    };

    void send(Candidate& candidate, const Pricer& pricer, std::int64_t local_ns, RiskGate& gate) {
        Sent& sent = candidate.sent;
        Live& live = live_[sent.option];
        if (sent.reason != Reason::withdraw) {
            const auto value_nano = static_cast<std::int64_t>(std::floor(pricer.value_btc(sent.option) * 1e9));
            const Refusal refusal = gate.check(sent.option, sent.quote, live.quote, value_nano, terms_.tick_nano);
            if (refusal != Refusal::none) {
                ++refused_;
                pending_ |= refusal == Refusal::notional_limit;  // room may come when other quotes shrink
                if (live.quote == Quote{}) return;
                sent.reason = Reason::withdraw;
                sent.quote = {};
            } else if (!gate.take_credit(local_ns)) {
                ++refused_;
                pending_ = true;
                return;
            }
        }
        gate.quoted_lots += sent.quote.lots() - live.quote.lots();
        live = {sent.quote, candidate.protection, local_ns};
        sent_.push_back(sent);
    }

    Terms terms_;
    InventorySkew skew_;
    std::vector<std::int64_t> positions_lots_, own_nano_;
    std::vector<Live> live_;
    std::vector<Candidate> wanted_;
    std::int64_t inventory_bp100_ = 0;
    std::vector<Sent> sent_;
    std::uint32_t refused_ = 0;
    bool pending_ = false;
};

}  // namespace pyorch
