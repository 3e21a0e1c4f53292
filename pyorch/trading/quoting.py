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
from pyorch.trading.policy import Adjustment, ArmedRule, Effect, effect_of
from pyorch.trading.pricing import OptionValue
from pyorch.trading.records import Reason, Refusal
from pyorch.trading.risk import NO_QUOTE, Quote, RiskGate

PRIORITY = (Reason.WITHDRAW, Reason.WIDEN, Reason.MOVE, Reason.NARROW, Reason.FIRST)
"""The order in which message credit and notional are given out: what takes risk away goes first."""


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


class Quoter:
    """Decides which options to quote anew; only changed quotes are sent.

    Withdrawn, wider and new quotes go at once; others wait for ``minimum_interval_ns`` since the option's
    last quote, and price moves below ``minimum_change_ticks`` are left. Quotes are sent in the order of
    `PRIORITY`.

    Args:
        rules, expiries: the policy's rules and each option's expiry, for rules of limited reach.

    Attributes:
        inventory_bp100: the portfolio's skew of the underlying at the last update.
        pending: a changed quote waits for its interval, for message credit or for notional.
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
        self._live = [_Live() for _ in puts]

    @property
    def live(self) -> bool:
        """Whether the venue holds any quote of us."""
        return self.gate.quoted_lots > 0

    def withdraw_all(self) -> None:
        """The venue was told to cancel everything."""
        self._live = [_Live() for _ in self.puts]
        self.gate.quoted_lots = 0
        self.pending = False

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
    ) -> list[Sent]:
        """The quotes to send at this tick, by priority, then in option order."""
        terms, gate = self.terms, self.gate
        self.pending, self.refused = False, 0
        positions = gate.limits.positions_lots
        deltas = [delta_ppm(value.premium_adjusted_delta) for value in values]
        self.inventory_bp100 = self.skew.underlying_bp100(deltas, positions)
        underlying_bp100 = adjustment.forecast_bp100 + self.inventory_bp100
        wanted: list[tuple[int, Reason, Quote, Protection]] = []
        for option, live in enumerate(self._live):
            protection = self._protection(adjustment, option)
            quote = NO_QUOTE
            if not expired[option]:
                shifted = shift_nano(underlying_bp100, deltas[option])
                shifted += self.skew.own_nano(positions[option])
                quote = make_quote(terms, values[option].value_btc, protection, shifted)
            if quote == live.quote:
                continue
            if quote == NO_QUOTE:
                wanted.append((option, Reason.WITHDRAW, quote, protection))
            elif live.quote == NO_QUOTE:
                wanted.append((option, Reason.FIRST, quote, protection))
            elif protection.grew_from(live.protection):
                wanted.append((option, Reason.WIDEN, quote, protection))
            else:
                narrows = protection != live.protection
                small = (
                    abs(quote.bid_ticks - live.quote.bid_ticks) < terms.minimum_change_ticks
                    and abs(quote.ask_ticks - live.quote.ask_ticks) < terms.minimum_change_ticks
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
            value_nano = math.floor(values[option].value_btc * 1e9)
            if reason != Reason.WITHDRAW:
                refusal = gate.check(option, quote, live.quote, value_nano, terms.tick_nano)
                if refusal is not None:
                    self.refused += 1
                    # Room may come when other quotes shrink.
                    self.pending |= refusal is Refusal.NOTIONAL_LIMIT
                    if live.quote == NO_QUOTE:
                        continue
                    reason, quote = Reason.WITHDRAW, NO_QUOTE
                elif not gate.take_credit(local_ns):
                    self.refused += 1
                    self.pending = True
                    continue
            gate.quoted_lots += (
                quote.bid_lots + quote.ask_lots - live.quote.bid_lots - live.quote.ask_lots
            )
            live.quote, live.protection, live.sent_ns = quote, protection, local_ns
            sent.append(Sent(option, reason, quote))
        return sent
