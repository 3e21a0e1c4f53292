// Fair values and adjustments → two-sided quotes, throttled; pyorch.trading.quoting defines it. All options pass through the
// kernels of quote_columns.hpp; the code here takes those whose quote changes, and those that the kernels leave to it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fair_shift.hpp"
#include "policy.hpp"
#include "pricing.hpp"
#include "quote_columns.hpp"
#include "quote_protection.hpp"
#include "quote_terms.hpp"
#include "reference_value.hpp"
#include "risk.hpp"

namespace pyorch {

// Decides which options to quote anew: withdrawn, wider and new ones at once, the others no faster than the throttle.
class Quoter {
   public:
    static constexpr std::size_t maximum_entries = 16;  // of a message

    // venues: how many.
    Quoter(Terms terms, const InventorySkew& skew, const RiskGate& gate, std::size_t venues)
        : down(venues, 0), next_sequence(venues, 1), terms_(terms), skew_(skew), live_(gate.positions_lots.size()),
          own_nano_(live_.size()), shown_ticks_{own_nano_, own_nano_}, shown_lots_{own_nano_, own_nano_},
          ticks_{own_nano_, own_nano_}, look_(live_.size()), protections_(live_.size(), venues), left_(live_.size()),
          placed_(venues, 0) {
        for (std::size_t option = 0; option < live_.size(); ++option) position(gate, option);
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
        for (std::size_t option = 0; option < live_.size(); ++option)
            if (!(shown(option) == Quote{})) return true;
        return false;
    }

    Quote shown(std::size_t option) const {
        return {shown_ticks_[0][option], shown_ticks_[1][option], shown_lots_[0][option], shown_lots_[1][option]};
    }

    // What the collar is around, where it is known.
    static std::int64_t around(std::size_t option, const RiskGate& gate, const ReferenceValues& reference) {
        if (reference.used()) return reference.known() ? reference.nano(option) : 0;
        return static_cast<std::int64_t>(gate.lot.below[option]);
    }

    // venue < 0: all of them.
    void withdraw(RiskGate& gate, int venue) {
        for (std::size_t option = 0; option < live_.size(); ++option)
            if (venue < 0 || gate.exposures.venue(option) == static_cast<std::uint32_t>(venue)) {
                show(option, {});
                live_[option].protection = {};
            }
        if (!gate.exposures.acknowledged()) gate.exposures.forget();
        pending_ = false;
    }
    void rejected(std::size_t option, std::int64_t sequence) {
        Live& live = live_[option];
        if (live.sequence != sequence) return;
        show(option, {});
        live.protection = {};
        live.refused = true;
    }
    // What is held of an option is another than thought.
    void position(const RiskGate& gate, std::size_t option) {
        own_nano_[option] = skew_.own_nano(gate.positions_lots[option]);
        skew_fits_ &= std::abs(own_nano_[option]) < columns_reach;
    }
    void filled(const RiskGate& gate, std::size_t option, int side, std::int64_t lots, std::int64_t sequence) {
        position(gate, option);
        if (live_[option].sequence != sequence) return;
        Quote quote = shown(option);
        const std::int64_t left = std::max<std::int64_t>(0, quote.lots(side) - lots);
        if (left == 0)
            quote.leave_out(side);
        else
            (side == 0 ? quote.bid_lots : quote.ask_lots) = left;
        show(option, quote);
    }

    // rules: the policy's, for those of limited reach.
    void update(const Pricer& pricer, std::int64_t minutes, const Adjustment& adjustment,
                const std::vector<Rule>& rules, std::int64_t local_ns, const ReferenceValues& reference,
                RiskGate& gate) {
        pending_ = false;
        refused_ = 0;
        wanted_.clear();
        wanted_for_ = {};
        sent_.clear();
        std::fill(placed_.begin(), placed_.end(), 0);
        pricer.integers(gate.lot);
        inventory_bp100_ = skew_.underlying_bp100(gate.sum());
        const std::int64_t underlying_bp100 = adjustment.forecast_bp100 + inventory_bp100_;
        protections_.refresh(pricer, minutes, adjustment, rules, terms_, {widen_bp100, size_cap_lots}, down, gate);
        const bool reducing = !gate.within(shown_lots_) && reduce(gate);
        look_at_all(underlying_bp100, reference, gate);
        for (std::size_t option = 0; option < live_.size(); ++option) {
            const std::int64_t look = look_[option];
            if (look == look_nothing && !reducing) continue;
            if (look == look_unknown) {
                const Refusal stands =
                    pricer.expired(option, minutes)
                        ? Refusal::none
                        : gate.judge(option, shown(option), !reference.used() || reference.known(),
                                     around(option, gate, reference), terms_.tick_nano);
                if (stands != Refusal::none) {
                    gate.count(stands);
                    ++refused_;
                    pending_ = true;
                    want(static_cast<std::uint32_t>(option), Reason::withdraw, {}, unprotected_);
                    continue;
                }
            }
            if (reducing && !(left_[option] == shown(option))) {
                want(static_cast<std::uint32_t>(option), Reason::reduce, left_[option], live_[option].protection);
                pending_ = true;
                continue;
            }
            consider(static_cast<std::uint32_t>(option), quote_of(option, pricer, underlying_bp100, gate), local_ns);
        }
        for (const Reason reason : priority) {
            if (wanted_for_[static_cast<std::size_t>(reason)] == 0) continue;
            for (Candidate& candidate : wanted_)
                if (candidate.sent.reason == reason) send(candidate, local_ns, reference, gate);
        }
    }

   private:
    // What the venue was told last, beside the shown quote.
    struct Live {
        Guard protection;
        std::int64_t sent_ns = 0, sequence = 0;
        bool refused = false;
    };
    struct Candidate {
        Sent sent;
        const Guard* protection;
    };
    void want(std::uint32_t option, Reason reason, const Quote& quote, const Guard& protection) {
        wanted_.push_back({{option, reason, quote}, &protection});
        ++wanted_for_[static_cast<std::size_t>(reason)];
    }

    void show(std::size_t option, const Quote& quote) {
        shown_ticks_[0][option] = quote.bid_ticks;
        shown_ticks_[1][option] = quote.ask_ticks;
        shown_lots_[0][option] = quote.bid_lots;
        shown_lots_[1][option] = quote.ask_lots;
    }

    // Which options need a closer look, and the new quotes' prices.
    void look_at_all(std::int64_t underlying_bp100, const ReferenceValues& reference, const RiskGate& gate) {
        const bool other = reference.used();
        const LotIntegers& lot = gate.lot;
        const LotIntegers& around = other ? reference.lot() : lot;
        const auto fits = [](std::int64_t value) { return value < columns_reach && value > -columns_reach; };
        const std::int64_t collar = gate.limits().price_collar_ticks, coarse = terms_.coarse_tick_factor;
        if (!lot.exact || !around.exact || (other && !reference.known()) || !fits(underlying_bp100) ||
            !fits(terms_.base_nano) || !fits(terms_.coarse_from_nano) || collar > columns_reach / terms_.tick_nano ||
            coarse > columns_reach / terms_.tick_nano || !skew_fits_) {
            std::fill_n(look_.data(), look_.size(), look_unknown);
            return;
        }
        const auto& orders = gate.exposures.order_lots();
        const auto real = [](std::int64_t value) { return static_cast<double>(value); };
        gate.columns().quotes({
            .options = live_.size(),
            .below = lot.below.data(),
            .above = lot.above.data(),
            .delta = lot.greeks[0].data(),
            .own_nano = own_nano_.data(),
            .quotable = protections_.quotable(),
            .extra = {protections_.extra(0), protections_.extra(1)},
            .lots = {protections_.lots(0), protections_.lots(1)},
            .any_extra = protections_.any_extra(),
            .shown_ticks = {shown_ticks_[0].data(), shown_ticks_[1].data()},
            .shown_lots = {shown_lots_[0].data(), shown_lots_[1].data()},
            .orders = {orders[0].data(), orders[1].data()},
            .around = around.below.data(),
            .around_delta = around.greeks[0].data(),
            .around_bp100 = other ? real(reference.moved_bp100()) : 0.0,
            .underlying_bp100 = real(underlying_bp100),
            .tick = real(terms_.tick_nano),
            .coarse_tick = real(terms_.tick_nano * coarse),
            .coarse_factor = real(coarse),
            .coarse_from = real(terms_.coarse_from_nano),
            .base = real(terms_.base_nano),
            .collar = real(collar * terms_.tick_nano),
            .ticks = {ticks_[0].data(), ticks_[1].data()},
            .look = look_.data(),
        });
    }

    Quote quote_of(std::size_t option, const Pricer& pricer, std::int64_t underlying_bp100, const RiskGate& gate) const {
        const std::int64_t lots[] = {protections_.lots(0)[option], protections_.lots(1)[option]};
        if (look_[option] != look_unknown) {
            const std::int64_t bid = ticks_[0][option], ask = ticks_[1][option];
            return {bid, ask, bid == 0 ? 0 : lots[0], ask == 0 ? 0 : lots[1]};
        }
        if (!protections_.quotable()[option]) return {};
        std::int64_t shifted = own_nano_[option];
        if (underlying_bp100 != 0) shifted += shift_nano(underlying_bp100, gate.lot.greeks[0][option]);
        Quote quote = make_quote(terms_, pricer.value_btc(option), protections_.guard(option), shifted);
        quote.bid_lots = std::min(quote.bid_lots, lots[0]);
        quote.ask_lots = std::min(quote.ask_lots, lots[1]);
        return quote;
    }

    void consider(std::uint32_t option, const Quote& quote, std::int64_t local_ns) {
        const Live& live = live_[option];
        const Quote standing = shown(option);
        const Guard& protection = protections_.guard(option);
        if (quote == standing) return;
        Reason reason = Reason::move;
        if (quote == Quote{}) {
            reason = Reason::withdraw;
        } else if (standing == Quote{}) {
            if (live.refused && local_ns - live.sent_ns < terms_.minimum_interval_ns) {
                pending_ = true;
                return;
            }
            reason = Reason::first;
        } else if (protection.grew_from(live.protection)) {
            reason = Reason::widen;
        } else {
            const bool narrows = !(protection == live.protection);
            const bool small = std::abs(quote.bid_ticks - standing.bid_ticks) < terms_.minimum_change_ticks &&
                               std::abs(quote.ask_ticks - standing.ask_ticks) < terms_.minimum_change_ticks &&
                               quote.bid_lots == standing.bid_lots && quote.ask_lots == standing.ask_lots;
            if (small && !narrows) return;
            if (local_ns - live.sent_ns < terms_.minimum_interval_ns) {
                pending_ = true;
                return;
            }
            if (narrows) reason = Reason::narrow;
        }
        want(option, reason, quote, protection);
    }

    // What must go so that the worst case of the live quotes is within all limits; whether anything must.
    bool reduce(const RiskGate& gate) {
        const auto& positions = gate.positions_lots;
        const auto orders = [&](std::size_t option, int side) { return gate.exposures.order_lots(option, side); };
        std::array<std::array<std::int64_t, 2>, 3> worst{};
        std::int64_t total = 0;
        bool reduced = false;
        for (std::size_t option = 0; option < live_.size(); ++option) {
            Quote& quote = left_[option] = shown(option);
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
                const std::int64_t each = gate.lot.greeks[m][option], held = each * positions[option];
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
                    const std::int64_t each = gate.lot.greeks[m][option], held = each * positions[option];
                    const int side = (each > 0) != upward;
                    bound += (upward ? held : -held) +
                             std::abs(each) * (left_[option].lots(side) + orders(option, side));
                }
                for (std::size_t option = 0; option < live_.size() && bound > gate.bounds[limit_delta + m]; ++option) {
                    const std::int64_t each = gate.lot.greeks[m][option];
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

    void send(Candidate& candidate, std::int64_t local_ns, const ReferenceValues& reference, RiskGate& gate) {
        Sent& sent = candidate.sent;
        if (sent.reason != Reason::withdraw && sent.reason != Reason::reduce) {
            const bool known = !reference.used() || reference.known();
            if (gate.check(sent.option, sent.quote, known, around(sent.option, gate, reference), terms_.tick_nano) !=
                Refusal::none) {
                ++refused_;
                pending_ = true;  // room may come, or another reference
                if (sent.quote.lots() == 0) {
                    sent.quote = {};
                    sent.reason = Reason::withdraw;
                }
                if (sent.quote == shown(sent.option)) return;
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
        show(sent.option, sent.quote);
        live_[sent.option] = {*candidate.protection, local_ns, sequence, false};
        sent_.push_back(sent);
    }

    Terms terms_;
    InventorySkew skew_;
    bool skew_fits_ = true;
    std::vector<Live> live_;
    Integers own_nano_;
    std::array<Integers, 2> shown_ticks_, shown_lots_, ticks_;  // [bid, ask]; ticks_: of the new quotes
    Integers look_;
    Protections protections_;
    std::vector<Quote> left_;
    static constexpr Guard unprotected_{};
    std::vector<Candidate> wanted_;
    std::array<std::size_t, 7> wanted_for_{};  // per reason
    std::int64_t inventory_bp100_ = 0;
    std::vector<Sent> sent_;
    std::vector<std::int64_t> placed_;  // per venue, quotes of this update
    std::uint32_t refused_ = 0;
    bool pending_ = false;
};

}  // namespace pyorch
