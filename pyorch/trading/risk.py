"""The risk gate: ordered checks between a quote and the wire; the definition of `native/risk.hpp`.

It fails closed: what is not allowed is withdrawn, not left standing. Checks of a tick (kill, pause, journal,
sessions, data, age of the surface, model, warm-up, protection) withdraw everything. Checks of a quote: an
independent fair value's collar and own interest on the other side withdraw the option; then the *worst case*,
in which everything that could be filled on the bad side is filled, for the option's position and for the
portfolio's delta, gamma and vega, leaves out the side that would exceed a limit; then the lots quoted
altogether, and message credit, for which a quote waits. Withdrawals are always let through. Each refusal
is counted by reason.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from pyorch.trading.exposure import Exposures
from pyorch.trading.inputs import LimitName
from pyorch.trading.records import Refusal

NANO = 1_000_000_000
UNLIMITED = 1 << 60
PROTECTED_FILLS = 256
"""Fills within the protection's interval that are kept; more freeze by themselves."""


class Quote(NamedTuple):
    """Prices in option ticks, sizes in lots; a side without a quote is 0 at 0."""

    bid_ticks: int = 0
    ask_ticks: int = 0
    bid_lots: int = 0
    ask_lots: int = 0

    def without(self, side: int) -> Quote:
        """The quote with side 0 (bid) or 1 (ask) left out."""
        if side == 0:
            return Quote(0, self.ask_ticks, 0, self.ask_lots)
        return Quote(self.bid_ticks, 0, self.bid_lots, 0)


NO_QUOTE = Quote()


class Greeks(NamedTuple):
    """A lot's share in the portfolio's limits, in integers."""

    delta: int = 0
    """Premium-adjusted, 1e-6."""
    gamma: int = 0
    """Change of delta for 1 % of the underlying, 1e-6."""
    vega: int = 0
    """1e-9 BTC a volatility point."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Market-maker protection of our own: too many fills in a short time withdraw everything.

    Attributes:
        interval_ns: 0: off.
        lots, delta: what fills within the interval may reach: lots of both sides, and the size of their
            net delta in lots × 1e-6.
        reset_after_ns: quoting begins again by itself after it; 0: only when an operator says so.
    """

    interval_ns: int = 0
    lots: int = UNLIMITED
    delta: int = UNLIMITED
    reset_after_ns: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The configuration's limits, with the positions that the run begins with.

    Attributes:
        positions_lots: per option, signed.
        delta, gamma, vega: of the portfolio in the worst case, lots × the units of `Greeks`.
        venues: per option its venue; empty: all at venue 0.
        acknowledged: whether venues answer.
        acknowledge_ns: a venue that is silent for longer is down; 0: however long.
        reference_interval_ns: how often independent fair values are priced; 0: the collar is around the
            quote's own fair value.
        reference_age_ns: an independent fair value from an older trade is none; 0: however old.
    """

    price_collar_ticks: int
    position_limit_lots: int
    notional_limit_lots: int
    quotes_per_second: int
    quotes_burst: int
    positions_lots: tuple[int, ...]
    delta: int = UNLIMITED
    gamma: int = UNLIMITED
    vega: int = UNLIMITED
    venues: tuple[int, ...] = ()
    acknowledged: bool = False
    acknowledge_ns: int = 0
    reference_interval_ns: int = 0
    reference_age_ns: int = 0
    protection: Protection = Protection()

    @property
    def venue_of(self) -> tuple[int, ...]:
        """Per option its venue."""
        return self.venues or (0,) * len(self.positions_lots)


@dataclass(slots=True)
class RiskGate:
    """The checks with their counters.

    Attributes:
        counts: per `Refusal`, how often.
        bounds: per `LimitName` the limit in force.
        positions_lots: what is held now.
        exposures: what could still be filled.
        greeks: per option, of the last pricing.
        frozen_ns: when market-maker protection acted; -1: it has not.
    """

    limits: Limits
    counts: list[int] = field(default_factory=lambda: [0] * len(Refusal))
    bounds: list[int] = field(default_factory=list)
    positions_lots: list[int] = field(default_factory=list)
    exposures: Exposures = field(init=False)
    greeks: list[Greeks] = field(default_factory=list)
    frozen_ns: int = -1
    _sums: list[int] = field(default_factory=list)
    _fills: deque[tuple[int, int, int]] = field(default_factory=deque)
    _credit_nano: int = -1
    _credit_ns: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self.bounds = [
            limits.position_limit_lots,
            limits.delta,
            limits.gamma,
            limits.vega,
            limits.notional_limit_lots,
        ]
        self.positions_lots = list(limits.positions_lots)
        self.exposures = Exposures(limits.venue_of, limits.acknowledged)
        self.greeks = [Greeks()] * len(limits.positions_lots)

    def admit(self, local_ns: int, *refused: bool) -> Refusal | None:
        """Whether this tick may quote at all; counted where not.

        Args:
            refused: whether each `Refusal` before ``PROTECTED`` holds, in that order.
        """
        frozen = self.frozen(local_ns)
        for refusal, holds in zip(Refusal, (*refused, frozen), strict=False):
            if holds:
                self.counts[refusal] += 1
                return refusal
        return None

    def frozen(self, local_ns: int) -> bool:
        """Whether market-maker protection keeps quotes away."""
        after = self.limits.protection.reset_after_ns
        if self.frozen_ns >= 0 and after > 0 and local_ns - self.frozen_ns >= after:
            self.frozen_ns = -1
        return self.frozen_ns >= 0

    def begin(self, greeks: list[Greeks]) -> None:
        """A round of checks and quotes on new Greeks: sums the worst case anew."""
        self.greeks = greeks
        shares = [self._share(option) for option in range(len(greeks))]
        self._sums = [sum(column) for column in zip(*shares, strict=True)]

    def worst(self, name: LimitName) -> tuple[int, int]:
        """How far below and above zero delta, gamma or vega could come, both counted positive."""
        at = 2 * (name - LimitName.DELTA)
        return self._sums[at], self._sums[at + 1]

    @property
    def open_lots(self) -> int:
        """Everything that could still be filled."""
        return self._sums[-1]

    def _share(self, option: int) -> list[int]:
        """What an option adds to the worst cases (below and above, each Greek) and to the open lots."""
        bid, ask = self.exposures.open_lots(option)
        share = []
        for each in self.greeks[option]:
            held = each * self.positions_lots[option]
            share.append(bid * max(-each, 0) + ask * max(each, 0) - held)
            share.append(bid * max(each, 0) + ask * max(-each, 0) + held)
        return [*share, bid + ask]

    def place(self, option: int, sequence: int, quote: Quote) -> None:
        """A quote goes out."""
        before = self._share(option)
        self.exposures.place(option, sequence, quote.bid_lots, quote.ask_lots)
        after = self._share(option)
        self._sums = [s + a - b for s, a, b in zip(self._sums, after, before, strict=True)]

    def outside(self, quote: Quote, reference_nano: int | None, tick_nano: int) -> bool:
        """Whether a price is too far from an independent fair value, or there is none to judge it by."""
        collar = self.limits.price_collar_ticks * tick_nano
        return any(
            lots > 0
            and (reference_nano is None or abs(ticks * tick_nano - reference_nano) > collar)
            for ticks, lots in (
                (quote.bid_ticks, quote.bid_lots),
                (quote.ask_ticks, quote.ask_lots),
            )
        )

    def judge(
        self, option: int, quote: Quote, reference_nano: int | None, tick_nano: int
    ) -> Refusal | None:
        """Why a quote that stands may not stay; not counted."""
        if self.outside(quote, reference_nano, tick_nano):
            return Refusal.PRICE_COLLAR
        return Refusal.SELF_CROSS if self._crosses(option, quote) else None

    def check(
        self, option: int, quote: Quote, reference_nano: int | None, tick_nano: int
    ) -> tuple[Quote, Refusal | None]:
        """What of ``quote`` may go out, and why not all of it; counted.

        Args:
            reference_nano: independent fair value in 1e-9 BTC; None: there is none.
        """
        if self.outside(quote, reference_nano, tick_nano):
            return self._refuse(NO_QUOTE, Refusal.PRICE_COLLAR)
        if self._crosses(option, quote):
            return self._refuse(NO_QUOTE, Refusal.SELF_CROSS)
        allowed, reason = quote, None
        for side in (0, 1):
            refusal = self._side(option, allowed, side)
            if refusal is not None:
                allowed, reason = self._refuse(allowed.without(side), refusal)
        added = sum(self._added(option, allowed))
        if added > 0 and self.open_lots + added > self.bounds[LimitName.NOTIONAL]:
            return self._refuse(NO_QUOTE, Refusal.NOTIONAL_LIMIT)
        return allowed, reason

    def _crosses(self, option: int, quote: Quote) -> bool:
        """Whether the quote would trade with an order of ours, or with itself."""
        orders = self.exposures.orders
        own_bid, bid_lots = orders.get((option, 0), (0, 0))
        own_ask, ask_lots = orders.get((option, 1), (0, 0))
        return (
            (quote.bid_lots > 0 and ask_lots > 0 and quote.bid_ticks >= own_ask)
            or (quote.ask_lots > 0 and bid_lots > 0 and quote.ask_ticks <= own_bid)
            or (quote.bid_lots > 0 and quote.ask_lots > 0 and quote.bid_ticks >= quote.ask_ticks)
        )

    def _added(self, option: int, quote: Quote) -> tuple[int, int]:
        """By how much a quote raises what could be filled."""
        if self.limits.acknowledged:
            return quote.bid_lots, quote.ask_lots
        kept = self.exposures.generations[option]
        return (
            quote.bid_lots - sum(g.bid_lots for g in kept),
            quote.ask_lots - sum(g.ask_lots for g in kept),
        )

    def _side(self, option: int, quote: Quote, side: int) -> Refusal | None:
        """The first limit that the side's lots would exceed."""
        if (quote.bid_lots, quote.ask_lots)[side] == 0:
            return None
        added = self._added(option, quote)[side]
        return None if added <= 0 else self._worst_with(option, side, added)

    def check_order(self, option: int, side: int, lots: int) -> Refusal | None:
        """Whether an order beside the quotes keeps the worst case within all limits; not counted."""
        self.begin(self.greeks)
        refusal = self._worst_with(option, side, lots)
        if refusal is None and self.open_lots + lots > self.bounds[LimitName.NOTIONAL]:
            return Refusal.NOTIONAL_LIMIT
        return refusal

    def _worst_with(self, option: int, side: int, added: int) -> Refusal | None:
        position = self.positions_lots[option] * (1, -1)[side]
        if position + self.exposures.open_lots(option)[side] + added > self.bounds[0]:
            return Refusal.POSITION_LIMIT
        for name in (LimitName.DELTA, LimitName.GAMMA, LimitName.VEGA):
            each = self.greeks[option][name - LimitName.DELTA]
            raises = (each > 0) == (side == 0)
            if each != 0 and self.worst(name)[raises] + added * abs(each) > self.bounds[name]:
                return Refusal(Refusal.POSITION_LIMIT + name)
        return None

    def _refuse(self, quote: Quote, refusal: Refusal) -> tuple[Quote, Refusal]:
        self.counts[refusal] += 1
        return quote, refusal

    def filled(self, option: int, side: int, lots: int, sequence: int, local_ns: int) -> None:
        """Our bid (side 0) or ask (1) traded."""
        signed = lots if side == 0 else -lots
        self.positions_lots[option] += signed
        self.exposures.filled(option, sequence, side, lots)
        protection, fills = self.limits.protection, self._fills
        if protection.interval_ns == 0:
            return
        fills.append((local_ns, lots, signed * self.greeks[option].delta))
        while fills[0][0] <= local_ns - protection.interval_ns:
            fills.popleft()
        total, net = sum(f[1] for f in fills), sum(f[2] for f in fills)
        full = len(fills) == PROTECTED_FILLS
        if full or total >= protection.lots or abs(net) >= protection.delta:
            self.freeze(local_ns)

    def freeze(self, local_ns: int) -> None:
        """Market-maker protection acts, ours or a venue's."""
        self.frozen_ns = local_ns
        self._fills.clear()

    def take_credit(self, local_ns: int) -> bool:
        """Spend one quote's message credit; False (and counted) when there is none."""
        rate, full = self.limits.quotes_per_second, self.limits.quotes_burst * NANO
        if self._credit_nano < 0:
            self._credit_nano = full
        else:
            elapsed_ns = min(max(local_ns - self._credit_ns, 0), full // rate + 1)
            self._credit_nano = min(full, self._credit_nano + elapsed_ns * rate)
        self._credit_ns = local_ns
        if self._credit_nano < NANO:
            self.counts[Refusal.MESSAGE_RATE] += 1
            return False
        self._credit_nano -= NANO
        return True
