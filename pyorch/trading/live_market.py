"""Rings of live feeds as one market: rows in order of arrival, timers in silence, a surface from tickers.

The underlying's rows are passed on as they are; of the options' feed the venue's mark volatilities become
SURFACE rows, its books are kept beside (`pyorch.trading.option_books`). The rows lie in one array that does
not move, so that the native steps read it as it grows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.clock import DEFAULT_PERIOD_NS
from pyorch.market.feeds.ring import FeedRingReader
from pyorch.trading.option_books import OptionBooks
from pyorch.trading.surface import YEAR_SECONDS

MOST_ROWS = 4096
"""Of the underlying, taken in at once."""
MINIMUM_OPTIONS = 3
_PPM = 1_000_000
_WHOLE = int(Flag.FIRST | Flag.LAST)


@dataclass(frozen=True, slots=True)
class TickerOption:
    """An option whose ticker is heard, by its index in the feed; its expiry in the market's time."""

    strike_usd: float
    expiry_ns: int


class TickerSurface:
    """At-the-money volatility and skew of one expiry from the venue's mark volatilities.

    Its options are the feed's first ones.

    A parabola in y = ln(K/F) / √years through the options' volatilities, F being the underlying price that
    the venue names with them. There is a new one when every option has been heard anew.

    Raises:
        UsageError: fewer than three options, or several expiries.
    """

    def __init__(self, options: Sequence[TickerOption]) -> None:
        if len(options) < MINIMUM_OPTIONS or len({one.expiry_ns for one in options}) != 1:
            raise UsageError(
                f"{len(options)} options for a surface: it takes {MINIMUM_OPTIONS} or more of one expiry"
            )
        self._options = options
        self._forwards = [0.0] * len(options)
        self._volatilities = [0.0] * len(options)
        self._new: set[int] = set()

    def hear(self, events: EventArray) -> None:
        """Rows of the options' feed, whole messages."""
        for row in events[np.isin(events["kind"], (Kind.INDEX, Kind.IMPLIED))]:
            at = int(row["instrument"])
            if at >= len(self._options):
                continue
            if row["kind"] == Kind.INDEX:
                self._forwards[at] = int(row["quantity_lots"]) / 10_000
            elif row["side"] == Side.NONE and row["price_ticks"] > 0 and self._forwards[at] > 0:
                self._volatilities[at] = int(row["price_ticks"]) / _PPM
                self._new.add(at)

    def take(self, now_ns: int) -> tuple[int, int] | None:
        """Volatility and skew in 1e-6, once; None: not every option has been heard anew."""
        left_ns = self._options[0].expiry_ns - now_ns
        if len(self._new) < len(self._options) or left_ns <= 0:
            return None
        self._new.clear()
        root_years = math.sqrt(left_ns * 1e-9 / YEAR_SECONDS)
        y = [
            math.log(one.strike_usd / forward) / root_years
            for one, forward in zip(self._options, self._forwards, strict=True)
        ]
        _, skew, volatility = np.polyfit(y, self._volatilities, 2)
        return round(float(volatility) * _PPM), round(float(skew) * _PPM)


class LiveMarket:
    """What a live desk's steps read.

    Args:
        underlying: instrument 0; options: of the tickers that ``surface`` is made from, and of ``books``.
        first_ns: no row is earlier.
        shift_ns: the receivers' clock is so much later than the market's (0 but for replayed days).
        capacity: rows of the whole run; when they are used up the run ends.

    Attributes:
        events: [capacity] rows; filled: how many of them there are; surfaces: rows made of tickers.
        books: of the options.
    """

    def __init__(
        self,
        underlying: FeedRingReader,
        options: FeedRingReader,
        surface: TickerSurface,
        books: OptionBooks,
        first_ns: int,
        shift_ns: int,
        capacity: int,
        period_ns: int = DEFAULT_PERIOD_NS,
    ) -> None:
        self.events = np.zeros(capacity, EVENT_DTYPE)
        self.filled = self.surfaces = 0
        self._underlying, self._options = underlying, options
        self._surface, self.books = surface, books
        self._shift_ns, self._period_ns = shift_ns, period_ns
        self._local_ns = first_ns
        self._is_whole = True

    @property
    def full(self) -> bool:
        """No more rows can be taken."""
        return self.filled + 1 >= len(self.events)

    @property
    def lost(self) -> int:
        """Rows that the rings' writers overwrote before they were read."""
        return self._underlying.lost + self._options.lost

    def gather(self, now_ns: int) -> int:
        """Take in what has come, by the market's clock; how many rows that made."""
        before = self.filled
        rows = self._underlying.read(min(MOST_ROWS, len(self.events) - self.filled - 1))
        if len(rows):
            part = self.events[self.filled : self.filled + len(rows)]
            part[:] = rows
            times = np.maximum.accumulate(part["local_ns"] - self._shift_ns)
            part["local_ns"] = np.maximum(times, self._local_ns)
            self._local_ns = int(part["local_ns"][-1])
            self._is_whole = bool(part["flags"][-1] & int(Flag.LAST))
            self.filled += len(rows)
        beside = self._options.read()
        self._surface.hear(beside)
        self.books.hear(beside)
        if self._is_whole:
            found = None if self.full else self._surface.take(now_ns)
            if found is not None:
                self.surfaces += 1
                self._add(Kind.SURFACE, max(now_ns, self._local_ns), *found)
            while self.filled and now_ns - self._local_ns > self._period_ns and not self.full:
                self._add(Kind.TIMER, self._local_ns + self._period_ns)
        return self.filled - before

    def _add(self, kind: Kind, local_ns: int, price_ticks: int = 0, quantity_lots: int = 0) -> None:
        row = self.events[self.filled : self.filled + 1]
        row["kind"], row["side"], row["flags"] = kind, Side.NONE, _WHOLE
        for name in ("exchange_ns", "first_sequence", "sequence", "previous_sequence"):
            row[name] = -1
        row["price_ticks"], row["quantity_lots"] = price_ticks, quantity_lots
        row["local_ns"] = self._local_ns = local_ns
        self.filled += 1
