// Fair values and adjustments → two-sided quotes, throttled; pyorch.trading.quoting defines it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "fair_shift.hpp"
#include "policy.hpp"
#include "pricing.hpp"
#include "reference_value.hpp"
#include "risk.hpp"

namespace pyorch {

struct Terms {
    std::int64_t tick_nano = 1, coarse_tick_factor = 1, coarse_from_nano = 0, base_nano = 0;
    std::int64_t size_lots = 1, minimum_size_lots = 1, minimum_change_ticks = 1, minimum_interval_ns = 0;
};

// The adjustment as it applies to one option.
struct Guard {
    std::int64_t bid_bp100 = 0, ask_bp100 = 0, bid_percent = 100, ask_percent = 100;
    bool operator==(const Guard&) const = default;

    static Guard of(const Effect& a, bool is_put) {
        return is_put ? Guard{a.extra_up_bp100, a.extra_down_bp100, a.size_up_percent, a.size_down_percent}
                      : Guard{a.extra_down_bp100, a.extra_up_bp100, a.size_down_percent, a.size_up_percent};
    }
    bool grew_from(const Guard& old) const {
        return bid_bp100 > old.bid_bp100 || ask_bp100 > old.ask_bp100 || bid_percent < old.bid_percent ||
               ask_percent < old.ask_percent;
    }
};

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    const std::int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

inline Quote make_quote(const Terms& terms, double value_btc, const Guard& protection, std::int64_t shifted) {
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

enum class Reason : std::uint32_t { first = 1, widen = 2, narrow = 3, move = 4, withdraw = 5, reduce = 6 };

struct Sent {
    std::uint32_t option;
    Reason reason;
    Quote quote;
};

// In this order message credit and notional are given out: what takes risk away goes first.
inline constexpr Reason priority[] = {Reason::withdraw, Reason::reduce, Reason::widen,
                                      Reason::move,     Reason::narrow, Reason::first};

// A lot's Greeks in the gate's integers.
inline Greeks greeks_of(const Pricer& pricer, std::size_t option, double forward_usd) {
    return {delta_ppm(pricer.premium_adjusted_delta(option)),
            static_cast<std::int64_t>(std::floor(pricer.gamma(option) * forward_usd * 0.01 * 1e6 + 0.5)),
            static_cast<std::int64_t>(std::floor(pricer.vega(option) * 1e7 + 0.5))};
}

// Decides which options to quote anew: withdrawn, wider and new ones at once, the others no faster than the throttle.
class Quoter {
   public:
    static constexpr std::size_t maximum_entries = 16;  // of a message

    // venues: how many.
    Quoter(Terms terms, const InventorySkew& skew, const RiskGate& gate, std::size_t venues)
        : down(venues, 0), next_sequence(venues, 1), terms_(terms), skew_(skew), live_(gate.positions_lots.size()),
          left_(live_.size()), placed_(venues, 0) {
        own_nano_.reserve(live_.size());
        for (const std::int64_t position : gate.positions_lots) own_nano_.push_back(skew_.own_nano(position));
        wanted_.reserve(live_.size());
        sent_.reserve(live_.size());
    }

    std::int64_t widen_bp100 = 0, size_cap_lots = 0;  // an operator's; 0 none
    std::vector<std::uint8_t> down;                   // per venue
    std::vector<std::int64_t> next_sequence;          // per venue

    bool pending() const { return pending_; }
    std::uint32_t refused() const { return refused_; }
    std::int64_t inventory_bp100() const { return inventory_bp100_; }
    const std::vector<Sent>& sent() const { return sent_; }
    bool live() const {
        return std::any_of(live_.begin(), live_.end(), [](const Live& live) { return !(live.quote == Quote{}); });
    }

    const Quote& shown(std::size_t option) const { return live_[option].quote; }

    // What the collar is around, where it is known.
    static std::int64_t around(std::size_t option, const Pricer& pricer, const ReferenceValues& reference) {
        if (reference.used()) return reference.known() ? reference.nano(option) : 0;
        return static_cast<std::int64_t>(std::floor(pricer.value_btc(option) * 1e9));
    }

    // venue < 0: all of them.
    void withdraw(RiskGate& gate, int venue) {
        for (std::size_t option = 0; option < live_.size(); ++option)
            if (venue < 0 || gate.exposures.venue(option) == static_cast<std::uint32_t>(venue)) {
                live_[option].quote = {};
                live_[option].protection = {};
            }
        if (!gate.exposures.acknowledged()) gate.exposures.forget();
        pending_ = false;
    }
    void rejected(std::size_t option, std::int64_t sequence) {
        Live& live = live_[option];
        if (live.sequence != sequence) return;
        live.quote = {};
        live.protection = {};
        live.refused = true;
    }
    // What is held of an option is another than thought.
    void position(const RiskGate& gate, std::size_t option) {
        own_nano_[option] = skew_.own_nano(gate.positions_lots[option]);
    }
    void filled(const RiskGate& gate, std::size_t option, int side, std::int64_t lots, std::int64_t sequence) {
        position(gate, option);
        Live& live = live_[option];
        if (live.sequence != sequence) return;
        const std::int64_t left = std::max<std::int64_t>(0, live.quote.lots(side) - lots);
        if (left == 0)
            live.quote.leave_out(side);
        else
            (side == 0 ? live.quote.bid_lots : live.quote.ask_lots) = left;
    }

    // rules: the policy's, for those of limited reach.
    void update(const Pricer& pricer, std::int64_t minutes, const Adjustment& adjustment,
                const std::vector<Rule>& rules, std::int64_t local_ns, double forward_usd,
                const ReferenceValues& reference, RiskGate& gate) {
        pending_ = false;
        refused_ = 0;
        wanted_.clear();
        sent_.clear();
        std::fill(placed_.begin(), placed_.end(), 0);
        std::int64_t held = 0;
        for (std::size_t option = 0; option < live_.size(); ++option) {
            gate.greeks[option] = greeks_of(pricer, option, forward_usd);
            held += gate.greeks[option][0] * gate.positions_lots[option];
        }
        gate.sum();
        inventory_bp100_ = skew_.underlying_bp100(held);
        const std::int64_t underlying_bp100 = adjustment.forecast_bp100 + inventory_bp100_;
        const bool reducing = reduce(gate);
        for (std::size_t option = 0; option < live_.size(); ++option) {
            const Live& live = live_[option];
            const Refusal stands =
                pricer.expired(option, minutes)
                    ? Refusal::none
                    : gate.judge(option, live.quote, !reference.used() || reference.known(),
                                 around(option, pricer, reference), terms_.tick_nano);
            if (stands != Refusal::none) {
                gate.count(stands);
                ++refused_;
                pending_ = true;
                wanted_.push_back({{static_cast<std::uint32_t>(option), Reason::withdraw, {}}, {}});
                continue;
            }
            if (reducing && !(left_[option] == live.quote)) {
                wanted_.push_back({{static_cast<std::uint32_t>(option), Reason::reduce, left_[option]}, live.protection});
                pending_ = true;
                continue;
            }
            consider(static_cast<std::uint32_t>(option), pricer, minutes, adjustment, rules, underlying_bp100, local_ns,
                     gate);
        }
        for (const Reason reason : priority)
            for (Candidate& candidate : wanted_)
                if (candidate.sent.reason == reason) send(candidate, pricer, local_ns, reference, gate);
    }

   private:
    struct Live {
        Quote quote;
        Guard protection;
        std::int64_t sent_ns = 0, sequence = 0;
        bool refused = false;
    };
    struct Candidate {
        Sent sent;
        Guard protection;
    };

    void consider(std::uint32_t option, const Pricer& pricer, std::int64_t minutes, const Adjustment& adjustment,
                  const std::vector<Rule>& rules, std::int64_t underlying_bp100, std::int64_t local_ns,
                  const RiskGate& gate) {
        const Live& live = live_[option];
        const Effect effect = adjustment.limited == 0 ? static_cast<const Effect&>(adjustment)
                                                      : effect_of(rules, adjustment.active, pricer.expiry_of(option));
        Guard protection = Guard::of(effect, pricer.is_put(option));
        protection.bid_bp100 = std::max(protection.bid_bp100, widen_bp100);
        protection.ask_bp100 = std::max(protection.ask_bp100, widen_bp100);
        Quote quote;
        if (!pricer.expired(option, minutes) && !down[gate.exposures.venue(option)]) {
            std::int64_t shifted = own_nano_[option];
            if (underlying_bp100 != 0) shifted += shift_nano(underlying_bp100, gate.greeks[option][0]);
            quote = make_quote(terms_, pricer.value_btc(option), protection, shifted);
            if (size_cap_lots > 0) {
                quote.bid_lots = std::min(quote.bid_lots, size_cap_lots);
                quote.ask_lots = std::min(quote.ask_lots, size_cap_lots);
            }
        }
        if (quote == live.quote) return;
        Reason reason = Reason::move;
        if (quote == Quote{}) {
            reason = Reason::withdraw;
        } else if (live.quote == Quote{}) {
            if (live.refused && local_ns - live.sent_ns < terms_.minimum_interval_ns) {
                pending_ = true;
                return;
            }
            reason = Reason::first;
        } else if (protection.grew_from(live.protection)) {
            reason = Reason::widen;
        } else {
            const bool narrows = !(protection == live.protection);
            const bool small = std::abs(quote.bid_ticks - live.quote.bid_ticks) < terms_.minimum_change_ticks &&
                               std::abs(quote.ask_ticks - live.quote.ask_ticks) < terms_.minimum_change_ticks &&
                               quote.bid_lots == live.quote.bid_lots && quote.ask_lots == live.quote.ask_lots;
            if (small && !narrows) return;
            if (local_ns - live.sent_ns < terms_.minimum_interval_ns) {
                pending_ = true;
                return;
            }
            if (narrows) reason = Reason::narrow;
        }
        wanted_.push_back({{option, reason, quote}, protection});
    }

    // What must go so that the worst case of the live quotes is within all limits; whether anything must.
    bool reduce(const RiskGate& gate) {
        const auto& positions = gate.positions_lots;
        const auto orders = [&](std::size_t option, int side) { return gate.exposures.order_lots(option, side); };
        std::array<std::array<std::int64_t, 2>, 3> worst{};
        std::int64_t total = 0;
        bool reduced = false;
        for (std::size_t option = 0; option < live_.size(); ++option) {
            Quote& quote = left_[option] = live_[option].quote;
            for (const int side : {0, 1}) {
                const std::int64_t held = side == 0 ? positions[option] : -positions[option];
                if (quote.lots(side) > 0 && held + quote.lots(side) + orders(option, side) > gate.bounds[limit_position]) {
                    quote.leave_out(side);
                    reduced = true;
                }
            }
            const std::int64_t bid = quote.bid_lots + orders(option, 0), ask = quote.ask_lots + orders(option, 1);
            total += bid + ask;
            for (std::size_t m = 0; m < 3; ++m) {
                const std::int64_t each = gate.greeks[option][m], held = each * positions[option];
                worst[m][0] += std::abs(each) * (each < 0 ? bid : ask) - held;
                worst[m][1] += std::abs(each) * (each > 0 ? bid : ask) + held;
            }
        }
        for (std::size_t m = 0; m < 3; ++m)
            for (const bool upward : {false, true}) {
                std::int64_t bound = worst[m][upward];
                if (bound <= gate.bounds[limit_delta + m]) continue;
                // A side left out for another measure no longer counts: the sum anew.
                bound = 0;
                for (std::size_t option = 0; option < live_.size(); ++option) {
                    const std::int64_t each = gate.greeks[option][m], held = each * positions[option];
                    const int side = (each > 0) != upward;
                    bound += (upward ? held : -held) +
                             std::abs(each) * (left_[option].lots(side) + orders(option, side));
                }
                for (std::size_t option = 0; option < live_.size() && bound > gate.bounds[limit_delta + m]; ++option) {
                    const std::int64_t each = gate.greeks[option][m];
                    const int side = (each > 0) != upward;
                    const std::int64_t lots = left_[option].lots(side);
                    if (each == 0 || lots == 0) continue;
                    bound -= std::abs(each) * lots;
                    total -= lots;
                    left_[option].leave_out(side);
                    reduced = true;
                }
            }
        for (std::size_t option = 0; option < live_.size() && total > gate.bounds[limit_notional]; ++option) {
            total -= left_[option].lots();
            left_[option] = {};
            reduced = true;
        }
        return reduced;
    }

    void send(Candidate& candidate, const Pricer& pricer, std::int64_t local_ns, const ReferenceValues& reference,
              RiskGate& gate) {
        Sent& sent = candidate.sent;
        Live& live = live_[sent.option];
        if (sent.reason != Reason::withdraw && sent.reason != Reason::reduce) {
            const bool known = !reference.used() || reference.known();
            if (gate.check(sent.option, sent.quote, known, around(sent.option, pricer, reference), terms_.tick_nano) !=
                Refusal::none) {
                ++refused_;
                pending_ = true;  // room may come, or another reference
                if (sent.quote.lots() == 0) {
                    sent.quote = {};
                    sent.reason = Reason::withdraw;
                }
                if (sent.quote == live.quote) return;
            }
            if (sent.reason != Reason::withdraw && !gate.take_credit(local_ns)) {
                ++refused_;
                pending_ = true;
                return;
            }
        }
        const std::uint32_t venue = gate.exposures.venue(sent.option);
        const std::int64_t sequence = next_sequence[venue] + placed_[venue]++ / static_cast<std::int64_t>(maximum_entries);
        gate.place(sent.option, sequence, sent.quote);
        live = {sent.quote, candidate.protection, local_ns, sequence, false};
        sent_.push_back(sent);
    }

    Terms terms_;
    InventorySkew skew_;
    std::vector<std::int64_t> own_nano_;
    std::vector<Live> live_;
    std::vector<Quote> left_;
    std::vector<Candidate> wanted_;
    std::int64_t inventory_bp100_ = 0;
    std::vector<Sent> sent_;
    std::vector<std::int64_t> placed_;  // per venue, quotes of this update
    std::uint32_t refused_ = 0;
    bool pending_ = false;
};

}  // namespace pyorch
