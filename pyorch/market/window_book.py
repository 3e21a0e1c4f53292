"""A book of bounded memory whose best levels are those of the full book: the definition of the fabric's.

It keeps the levels whose price lies within ``2^window_bits`` ticks around the first level after it was
void, so that a level is found by its price alone. What lies outside is known to be missing:

- a level outside on the far side leaves the best levels right as long as enough lie inside. Where fewer
  than ``levels`` do and such a level was seen, the book is *thin*: void until the next snapshot;
- a level outside on the near side (better than all inside) makes it void: it has *escaped*.

So whenever it is valid its ``levels`` best ones are those of `pyorch.market.book.Book`, quantities
clamped to `QUANTITY_LIMIT`. `firmware/rtl/price_book.sv` is its twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyorch.contract.events import EVENT_DTYPE, Side
from pyorch.market.book import Book

QUANTITY_LIMIT = (1 << 40) - 1
"""As in `pyorch.features.arithmetic`."""

_FIELD = {name: position for position, name in enumerate(EVENT_DTYPE.names or ())}
_PRICE, _QUANTITY, _SIDE = _FIELD["price_ticks"], _FIELD["quantity_lots"], _FIELD["side"]


@dataclass(slots=True)
class WindowCounts:
    """What happened at the edges of the window."""

    outside: int = 0
    """Rows that set a level outside."""
    escapes: int = 0
    """Messages after which a level outside was better than those inside."""
    thin: int = 0
    """Messages after which too few levels lay inside, and others outside."""


class WindowBook(Book):
    """Levels of one instrument within a window of prices.

    Args:
        window_bits: the window has 2^window_bits ticks.
        levels: how many best levels must be right.
    """

    def __init__(self, window_bits: int, levels: int) -> None:
        self.window_bits, self.wanted = window_bits, levels
        self.window_counts = WindowCounts()
        self.base: int | None = None
        self._beyond = [False, False]
        self._escaped = False
        super().__init__(capacity=1 << window_bits)

    def best_levels(self, side: Side) -> list[tuple[int, int]]:
        """Up to ``levels`` pairs (price_ticks, quantity_lots), best first, quantities clamped."""
        found = self.levels(side, self.wanted)
        return [(ticks, min(lots, QUANTITY_LIMIT)) for ticks, lots in found]

    def _set(self, row: Sequence[int]) -> None:
        side, price = row[_SIDE], int(row[_PRICE])
        if side == Side.NONE:
            return
        if self.base is None:
            self.base = price - (1 << (self.window_bits - 1))
        offset = price - self.base
        if 0 <= offset < 1 << self.window_bits:
            super()._set(row)
        elif row[_QUANTITY] > 0:
            self.window_counts.outside += 1
            if (offset > 0) == (side == Side.BID):
                self._escaped = True
            else:
                self._beyond[side] = True

    def _finish(self) -> None:
        thin = any(self._beyond[s] and self.depth(s) < self.wanted for s in (Side.BID, Side.ASK))
        super()._finish()  # which voids a crossed book
        if self._escaped:
            self.window_counts.escapes += 1
        elif thin and self._valid:
            self.window_counts.thin += 1
        if self._escaped or thin:
            self._void()

    def _void(self) -> None:
        super()._void()
        self.base, self._beyond, self._escaped = None, [False, False], False
