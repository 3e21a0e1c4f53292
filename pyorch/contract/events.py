"""Market events: one row a level change, best-quote side, trade, snapshot level or clock tick.

A message of a venue becomes one or more rows; its last row carries ``Flag.LAST``. Prices are integer
ticks, quantities integer lots, times integer nanoseconds. ``local_ns`` is the receiver's clock and the
only one that decisions use; ``exchange_ns`` serves labels and analysis. The same 64-byte layout is read
by the native code (`pyorch/native/event.hpp`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Kind(IntEnum):
    """What a row says."""

    DEPTH = 0
    """A level's new total quantity (0 removes the level). Side NONE: a message without levels."""
    SNAPSHOT = 1
    """One level of a full book; the first row of the message carries ``Flag.FIRST``."""
    BEST = 2
    """Best price and quantity of one side, from the venue's own best-quote stream."""
    TRADE = 3
    """A trade; ``side`` is the aggressor's."""
    TIMER = 4
    """Local clock tick: windows of time expire also in silence."""
    MARK = 5
    """Mark price (ticks); ``quantity_lots`` is the funding rate in 1e-8."""
    RESET = 6
    """The book is void until the next snapshot (gap, reconnect, halt)."""
    SURFACE = 7
    """The volatility surface moved: ``price_ticks`` is the at-the-money volatility in 1e-6,
    ``quantity_lots`` the skew (d volatility / d log-moneyness at sqrt(year)) in 1e-6."""
    INDEX = 8
    """What an instrument is settled on: ``price_ticks`` the index in 1e-4 of its currency,
    ``quantity_lots`` the underlying (forward) price in 1e-4; 0 where the venue gives none."""
    IMPLIED = 9
    """An option's implied volatility: ``price_ticks`` the volatility in 1e-6, ``quantity_lots`` the price
    that it belongs to in 1e-8. Side BID, ASK, or NONE for the venue's mark; 0 where there is none."""
    GREEKS = 10
    """An option's Greeks by the venue, in 1e-8 of the venue's units, three rows a message, as
    ``price_ticks`` and ``quantity_lots``: delta and gamma; vega and theta; rho and 0."""


class Side(IntEnum):
    """Side of the book, or of the aggressor."""

    BID = 0
    ASK = 1
    NONE = 2


class Flag(IntFlag):
    """Marks of a row."""

    NOTHING = 0
    LAST = 1
    """Last row of its message."""
    FIRST = 2
    """First row of its message."""


EVENT_DTYPE = np.dtype(
    [
        ("local_ns", "<i8"),
        ("exchange_ns", "<i8"),
        ("first_sequence", "<i8"),  # Binance U; -1 where the stream has none
        ("sequence", "<i8"),  # Binance u, lastUpdateId, or trade id
        ("previous_sequence", "<i8"),  # Binance pu; -1 where the stream has none
        ("price_ticks", "<i8"),
        ("quantity_lots", "<i8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "u1"),
        ("instrument", "u1"),  # index into the tape's instruments; 0 is the one that is quoted on
        ("reserved", "<u4"),
    ]
)
assert EVENT_DTYPE.itemsize == 64

EventArray = NDArray[Any]
"""Structured array of `EVENT_DTYPE`, in receive order."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument of a tape, with what turns its integers into money."""

    symbol: str
    venue: str
    """``binance-coinm``, ``binance-usdm``, ``binance-spot``, ``simulated``."""
    tick_size: str
    """Quote currency a price tick, as a decimal string."""
    lot_size: str
    """Contracts or base currency a lot, as a decimal string."""
    contract_usd: float = 0.0
    """USD a contract for inverse contracts; 0 for linear ones and spot, whose lots are base currency."""

    def lots_for_btc(self, btc: float, price_ticks: float) -> float:
        """How many lots trade ``btc`` of the base currency at a price of ``price_ticks`` ticks."""
        if self.contract_usd > 0:
            return (
                btc * price_ticks * float(self.tick_size) / self.contract_usd / float(self.lot_size)
            )
        return btc / float(self.lot_size)


def event_words(events: EventArray) -> NDArray[np.int64]:
    """The same memory as int64 [rows, 8]: how native code receives events.

    Raises:
        TypeError: the array is not of `EVENT_DTYPE`, which only a programming error brings about.
    """
    if events.dtype != EVENT_DTYPE:
        raise TypeError(f"events are rows of EVENT_DTYPE, not of {events.dtype}")
    return np.ascontiguousarray(events).view(np.int64).reshape(-1, EVENT_DTYPE.itemsize // 8)
