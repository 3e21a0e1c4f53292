"""The risk gate: ordered checks between a quote and the wire; the definition of `native/risk.hpp`.

It fails closed: what is not allowed is withdrawn, not left standing. Checks of a tick (kill flag, data,
age of the surface, model, warm-up) withdraw everything; checks of a quote (collar, position, notional)
withdraw that option; a quote without message credit waits. Withdrawals are always let through. Each
refusal is counted by reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pyorch.trading.records import Refusal

NANO = 1_000_000_000


class Quote(NamedTuple):
    """Prices in option ticks, sizes in lots; a side without a quote is 0 at 0."""

    bid_ticks: int = 0
    ask_ticks: int = 0
    bid_lots: int = 0
    ask_lots: int = 0


NO_QUOTE = Quote()


@dataclass(frozen=True, slots=True)
class Limits:
    """The configuration's limits, with the positions that count against them."""

    price_collar_ticks: int
    position_limit_lots: int
    notional_limit_lots: int
    quotes_per_second: int
    quotes_burst: int
    positions_lots: tuple[int, ...]
    """Per option, signed; held for the run."""


@dataclass(slots=True)
class RiskGate:
    """The checks with their counters.

    Attributes:
        counts: per `Refusal`, how often.
        quoted_lots: bids and asks of all live quotes together.
    """

    limits: Limits
    counts: list[int] = field(default_factory=lambda: [0] * len(Refusal))
    quoted_lots: int = 0
    _credit_nano: int = -1
    _credit_ns: int = 0

    def admit(
        self, killed: bool, data_valid: bool, surface_fresh: bool, model_valid: bool, warm: bool
    ) -> Refusal | None:
        """Whether this tick may quote at all; counted where not."""
        for refusal, refused in (
            (Refusal.KILLED, killed),
            (Refusal.INVALID_DATA, not data_valid),
            (Refusal.STALE_SURFACE, not surface_fresh),
            (Refusal.INVALID_MODEL, not model_valid),
            (Refusal.WARMING_UP, not warm),
        ):
            if refused:
                self.counts[refusal] += 1
                return refusal
        return None

    def check(
        self, option: int, quote: Quote, live: Quote, value_nano: int, tick_nano: int
    ) -> Refusal | None:
        """Whether ``quote`` may replace ``live``; counted where not.

        Args:
            value_nano: theoretical value in 1e-9 BTC, rounded down.
        """
        limits = self.limits
        collar = limits.price_collar_ticks * tick_nano
        position = limits.positions_lots[option]
        lots = self.quoted_lots - live.bid_lots - live.ask_lots + quote.bid_lots + quote.ask_lots
        refusal = None
        if (quote.bid_lots > 0 and abs(quote.bid_ticks * tick_nano - value_nano) > collar) or (
            quote.ask_lots > 0 and abs(quote.ask_ticks * tick_nano - value_nano) > collar
        ):
            refusal = Refusal.PRICE_COLLAR
        elif (
            position + quote.bid_lots > limits.position_limit_lots
            or quote.ask_lots - position > limits.position_limit_lots
        ):
            refusal = Refusal.POSITION_LIMIT
        elif lots > limits.notional_limit_lots:
            refusal = Refusal.NOTIONAL_LIMIT
        if refusal is not None:
            self.counts[refusal] += 1
        return refusal

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
