"""Fair values and adjustments → two-sided quotes, throttled; the definition of `native/quoting.hpp`.

Everything after one named rounding is integer: a theoretical value becomes an integer number of
1e-9 BTC, downwards for bids and upwards for asks, and prices are rounded outward to the option's tick.
Basis points are of the underlying: 1 bp of one bitcoin is 0.0001 BTC, whatever the option's delta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pyorch.trading.fair_shift import NANO_PER_BP100, InventorySkew, delta_ppm, shift_nano
from pyorch.trading.inputs import LimitName
from pyorch.trading.policy import Adjustment, ArmedRule, Effect, effect_of
from pyorch.trading.pricing import OptionValue
from pyorch.trading.records import Reason
from pyorch.trading.risk import NO_QUOTE, Greeks, Quote, RiskGate

PRIORITY = (
    Reason.WITHDRAW,
    Reason.REDUCE,
    Reason.WIDEN,
    Reason.MOVE,
    Reason.NARROW,
    Reason.FIRST,
)
"""The order in which message credit and notional are given out: what takes risk away goes first."""
MAXIMUM_ENTRIES = 16
"""Quotes that a message may hold."""
GAMMA_MOVE = 0.01
"""Gamma is limited as the change of delta for 1 % of the underlying."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How quotes are made; the configuration's values as integers."""

    tick_nano: int
    coarse_tick_factor: int
    coarse_from_nano: int
    base_half_spread_bp100: int
    minimum_half_spread_ticks: int
    size_lots: int
    minimum_size_lots: int
    minimum_change_ticks: int
    minimum_interval_ns: int

    @property
    def base_nano(self) -> int:
        """Half spread without any rule, in 1e-9 BTC."""
        return max(
            self.base_half_spread_bp100 * NANO_PER_BP100,
            self.minimum_half_spread_ticks * self.tick_nano,
        )


class Protection(NamedTuple):
    """The adjustment as it applies to one option."""

    bid_bp100: int = 0
    ask_bp100: int = 0
    bid_percent: int = 100
    ask_percent: int = 100

    @classmethod
    def of(cls, adjustment: Adjustment | Effect, is_put: bool) -> Protection:
        """A fall hurts who bids for calls and who offers puts; a rise the others."""
        down = adjustment.extra_down_bp100, adjustment.size_down_percent
        up = adjustment.extra_up_bp100, adjustment.size_up_percent
        bid, ask = (up, down) if is_put else (down, up)
        return cls(bid[0], ask[0], bid[1], ask[1])

    def grew_from(self, old: Protection) -> bool:
        """Whether either side is protected more than before."""
        return (
            self.bid_bp100 > old.bid_bp100
            or self.ask_bp100 > old.ask_bp100
            or self.bid_percent < old.bid_percent
            or self.ask_percent < old.ask_percent
        )


def make_quote(
    terms: Terms, value_btc: float, protection: Protection, shifted_nano: int = 0
) -> Quote:
    """The quote around a theoretical value.

    A rule with extra spread moves a price by at least one tick (never to nothing); a bid below one tick
    is left out; sizes are cut downwards, to no less than the minimum. ``shifted_nano`` moves both sides.
    """
    value = value_btc * 1e9
    below, above = math.floor(value) + shifted_nano, math.ceil(value) + shifted_nano

    def bid(extra: int) -> int:
        raw = below - terms.base_nano - extra
        step = terms.coarse_tick_factor if raw >= terms.coarse_from_nano else 1
        return raw // (terms.tick_nano * step) * step

    def ask(extra: int) -> int:
        raw = above + terms.base_nano + extra
        step = terms.coarse_tick_factor if raw >= terms.coarse_from_nano else 1
        return -(-raw // (terms.tick_nano * step)) * step

    bid_ticks, ask_ticks = bid(0), max(ask(0), 1)
    if protection.bid_bp100 > 0:
        bid_ticks = min(bid_ticks - 1, bid(protection.bid_bp100 * NANO_PER_BP100))
    if protection.ask_bp100 > 0:
        ask_ticks = max(ask_ticks + 1, ask(protection.ask_bp100 * NANO_PER_BP100))
    ask_ticks = max(ask_ticks, bid_ticks + 1)
    bid_lots = max(terms.minimum_size_lots, terms.size_lots * protection.bid_percent // 100)
    ask_lots = max(terms.minimum_size_lots, terms.size_lots * protection.ask_percent // 100)
    if bid_ticks < 1:
        bid_ticks = bid_lots = 0
    return Quote(bid_ticks, ask_ticks, bid_lots, ask_lots)


class Sent(NamedTuple):
    """A quote that goes out."""

    option: int
    reason: Reason
    quote: Quote


@dataclass(slots=True)
class _Live:
    """What the venue holds of us for one option."""

    quote: Quote = NO_QUOTE
    protection: Protection = Protection()
    sent_ns: int = 0
    sequence: int = 0
    refused: bool = False
    """The venue refused the last quote."""


class Quoter:
    """Decides which options to quote anew; only changed quotes are sent.

    Withdrawn, wider and new quotes go at once; others wait for ``minimum_interval_ns`` since the option's
    last quote, and price moves below ``minimum_change_ticks`` are left. Quotes are sent in the order of
    `PRIORITY`.

    Args:
        rules, expiries: the policy's rules and each option's expiry, for rules of limited reach.

    Attributes:
        inventory_bp100: the portfolio's skew of the underlying at the last update.
        pending: a changed quote waits for its interval, for message credit or for a limit.
        widen_bp100, size_cap_lots: an operator's; 0 none.
        down: per venue whether its session is down.
        next_sequence: per venue the number of the next message.
    """

    def __init__(
        self,
        terms: Terms,
        puts: tuple[bool, ...],
        gate: RiskGate,
        skew: InventorySkew,
        rules: tuple[ArmedRule, ...] = (),
        expiries: tuple[int, ...] = (),
    ) -> None:
        self.terms = terms
        self.rules = rules
        self.expiries = expiries
        self.skew = skew
        self.inventory_bp100 = 0
        self.puts = puts
        self.gate = gate
        self.pending = False
        self.refused = 0
        self.widen_bp100 = self.size_cap_lots = 0
        self.venues = gate.limits.venue_of
        self.down = [False] * (max(self.venues) + 1)
        self.next_sequence = [1] * len(self.down)
        self._placed = [0] * len(self.down)
        self._live = [_Live() for _ in puts]

    @property
    def live(self) -> bool:
        """Whether the venues hold any quote of us, as far as we know."""
        return any(live.quote != NO_QUOTE for live in self._live)

    def shown(self, option: int) -> Quote:
        """What the venue holds of an option, as far as we know."""
        return self._live[option].quote

    def withdraw(self, venue: int | None = None) -> None:
        """The venue (None: every one) was told to cancel everything, or is known to hold nothing."""
        for option, live in enumerate(self._live):
            if venue is None or self.venues[option] == venue:
                live.quote, live.protection = NO_QUOTE, Protection()
        if not self.gate.limits.acknowledged:
            self.gate.exposures.forget()
        self.pending = False

    def rejected(self, option: int, sequence: int) -> None:
        """The venue refused a quote and holds none of the option; it is tried again after the interval."""
        live = self._live[option]
        if live.sequence == sequence:
            live.quote, live.protection, live.refused = NO_QUOTE, Protection(), True

    def filled(self, option: int, side: int, lots: int, sequence: int) -> None:
        """A quote traded: the venue shows less of it."""
        live = self._live[option]
        if live.sequence != sequence:
            return
        left = max(0, (live.quote.bid_lots, live.quote.ask_lots)[side] - lots)
        if left == 0:
            live.quote = live.quote.without(side)
        elif side == 0:
            live.quote = live.quote._replace(bid_lots=left)
        else:
            live.quote = live.quote._replace(ask_lots=left)

    def _protection(self, adjustment: Adjustment, option: int) -> Protection:
        if not adjustment.limited:
            return Protection.of(adjustment, self.puts[option])
        effect = effect_of(self.rules, adjustment.active, self.expiries[option])
        return Protection.of(effect, self.puts[option])

    def update(
        self,
        values: list[OptionValue],
        expired: list[bool],
        adjustment: Adjustment,
        local_ns: int,
        forward_usd: float = 1.0,
        reference_nano: list[int | None] | None = None,
    ) -> list[Sent]:
        """The quotes to send at this tick, by priority, then in option order.

        Args:
            forward_usd: of the values, for gamma.
            reference_nano: per option an independent fair value in 1e-9 BTC; None: the values themselves.
        """
        terms, gate = self.terms, self.gate
        self.pending, self.refused = False, 0
        self._placed = [0] * len(self.down)
        gate.begin([greeks_of(value, forward_usd) for value in values])
        deltas = [each.delta for each in gate.greeks]
        self.inventory_bp100 = self.skew.underlying_bp100(deltas, gate.positions_lots)
        underlying_bp100 = adjustment.forecast_bp100 + self.inventory_bp100
        reduced = self._reduced()
        around = reference_nano
        if around is None:
            around = [math.floor(value.value_btc * 1e9) for value in values]
        wanted: list[tuple[int, Reason, Quote, Protection]] = []
        for option, live in enumerate(self._live):
            stands = gate.judge(option, live.quote, around[option], terms.tick_nano)
            if stands is not None and not expired[option]:
                gate.counts[stands] += 1
                self.refused += 1
                self.pending = True
                wanted.append((option, Reason.WITHDRAW, NO_QUOTE, Protection()))
                continue
            if option in reduced:
                wanted.append((option, Reason.REDUCE, reduced[option], live.protection))
                self.pending = True
                continue
            protection = self._protection(adjustment, option)
            if self.widen_bp100 > 0:
                protection = protection._replace(
                    bid_bp100=max(protection.bid_bp100, self.widen_bp100),
                    ask_bp100=max(protection.ask_bp100, self.widen_bp100),
                )
            quote = NO_QUOTE
            down = self.down[self.venues[option]]
            if not expired[option] and not down:
                shifted = shift_nano(underlying_bp100, deltas[option])
                shifted += self.skew.own_nano(gate.positions_lots[option])
                quote = make_quote(terms, values[option].value_btc, protection, shifted)
                if self.size_cap_lots > 0:
                    quote = quote._replace(
                        bid_lots=min(quote.bid_lots, self.size_cap_lots),
                        ask_lots=min(quote.ask_lots, self.size_cap_lots),
                    )
            if quote == live.quote:
                continue
            if quote == NO_QUOTE:
                wanted.append((option, Reason.WITHDRAW, quote, protection))
            elif live.quote == NO_QUOTE:
                if live.refused and local_ns - live.sent_ns < terms.minimum_interval_ns:
                    self.pending = True
                    continue
                wanted.append((option, Reason.FIRST, quote, protection))
            elif protection.grew_from(live.protection):
                wanted.append((option, Reason.WIDEN, quote, protection))
            else:
                narrows = protection != live.protection
                small = (
                    abs(quote.bid_ticks - live.quote.bid_ticks) < terms.minimum_change_ticks
                    and abs(quote.ask_ticks - live.quote.ask_ticks) < terms.minimum_change_ticks
                    and quote[2:] == live.quote[2:]
                )
                if small and not narrows:
                    continue
                if local_ns - live.sent_ns < terms.minimum_interval_ns:
                    self.pending = True
                    continue
                reason = Reason.NARROW if narrows else Reason.MOVE
                wanted.append((option, reason, quote, protection))
        sent: list[Sent] = []
        for option, reason, quote, protection in sorted(
            wanted, key=lambda one: PRIORITY.index(one[1])
        ):
            live = self._live[option]
            if reason not in (Reason.WITHDRAW, Reason.REDUCE):
                quote, refusal = gate.check(option, quote, around[option], terms.tick_nano)
                if refusal is not None:
                    self.refused += 1
                    self.pending = True  # room may come, or another reference
                    if quote.bid_lots + quote.ask_lots == 0:
                        quote, reason = NO_QUOTE, Reason.WITHDRAW
                    if quote == live.quote:
                        continue
                if reason != Reason.WITHDRAW and not gate.take_credit(local_ns):
                    self.refused += 1
                    self.pending = True
                    continue
            self._send(option, quote, protection, local_ns)
            sent.append(Sent(option, reason, quote))
        return sent

    def _send(self, option: int, quote: Quote, protection: Protection, local_ns: int) -> None:
        venue, live = self.venues[option], self._live[option]
        sequence = self.next_sequence[venue] + self._placed[venue] // MAXIMUM_ENTRIES
        self._placed[venue] += 1
        self.gate.place(option, sequence, quote)
        live.quote, live.protection, live.sent_ns = quote, protection, local_ns
        live.sequence, live.refused = sequence, False

    def _reduced(self) -> dict[int, Quote]:
        """Live quotes that must shrink so that the worst case is within all limits: what is left of them.

        Orders of ours that rest beside them count, and stay.
        """
        gate = self.gate
        orders = [
            (gate.exposures.order_lots(option, 0), gate.exposures.order_lots(option, 1))
            for option in range(len(self._live))
        ]
        quotes = [live.quote for live in self._live]
        positions = gate.positions_lots
        for option, quote in enumerate(quotes):
            for side, shown in ((0, quote.bid_lots), (1, quote.ask_lots)):
                own = positions[option] if side == 0 else -positions[option]
                if (
                    shown > 0
                    and own + shown + orders[option][side] > gate.bounds[LimitName.POSITION]
                ):
                    quotes[option] = quotes[option].without(side)
        for name in (LimitName.DELTA, LimitName.GAMMA, LimitName.VEGA):
            each = [greeks[name - LimitName.DELTA] for greeks in gate.greeks]
            held = sum(e * p for e, p in zip(each, positions, strict=True))
            for upward in (False, True):
                # Bids of positive and asks of negative Greeks add upward; the others downward.
                sides = [int((e > 0) != upward) for e in each]
                lots = [quote[2 + side] for quote, side in zip(quotes, sides, strict=True)]
                beside = [pair[side] for pair, side in zip(orders, sides, strict=True)]
                bound = (held if upward else -held) + sum(
                    abs(e) * (n + o) for e, n, o in zip(each, lots, beside, strict=True)
                )
                for option, (e, n) in enumerate(zip(each, lots, strict=True)):
                    if bound <= gate.bounds[name]:
                        break
                    if e != 0 and n > 0:
                        bound -= abs(e) * n
                        quotes[option] = quotes[option].without(sides[option])
        total = sum(q.bid_lots + q.ask_lots + sum(o) for q, o in zip(quotes, orders, strict=True))
        for option, quote in enumerate(quotes):
            if total <= gate.bounds[LimitName.NOTIONAL]:
                break
            total -= quote.bid_lots + quote.ask_lots
            quotes[option] = NO_QUOTE
        return {
            option: quote
            for option, (quote, live) in enumerate(zip(quotes, self._live, strict=True))
            if quote != live.quote
        }


def greeks_of(value: OptionValue, forward_usd: float) -> Greeks:
    """A lot's Greeks in the gate's integers, rounded to the nearest."""
    return Greeks(
        delta_ppm(value.premium_adjusted_delta),
        math.floor(value.gamma * forward_usd * GAMMA_MOVE * 1e6 + 0.5),
        math.floor(value.vega * 1e7 + 0.5),
    )
