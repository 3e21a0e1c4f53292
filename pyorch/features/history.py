"""Book states at the end of each message, by the readable book: what batch features start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import Flag, Kind, Side
from pyorch.contract.fixed import IntArray
from pyorch.features.arithmetic import PRICE_LIMIT, QUANTITY_LIMIT
from pyorch.market.book import Book
from pyorch.market.tape import Tape

BOOK_KINDS = (Kind.DEPTH, Kind.SNAPSHOT)


@dataclass(frozen=True, slots=True)
class BookHistory:
    """One instrument's book after each of its messages that may change it.

    Attributes:
        rows: [n] row of the tape: last rows of DEPTH and SNAPSHOT messages, and RESET rows.
        quotable: [n] the book is valid and two-sided.
        ticks, lots: [n, 2, levels] price and quantity of the best levels (clamped), zero where there
            are fewer.
        depth: [n, 2] levels a side, at most ``levels``.
    """

    rows: IntArray
    quotable: NDArray[np.bool_]
    ticks: IntArray
    lots: IntArray
    depth: IntArray

    @property
    def mid(self) -> IntArray:
        """[n] bid + ask, in half-ticks."""
        return self.ticks[:, 0, 0] + self.ticks[:, 1, 0]


def book_history(tape: Tape, instrument: int, levels: int) -> BookHistory:
    """Apply the rows of one instrument to `pyorch.market.book.Book` and note its best levels."""
    events = tape.events
    own = events["instrument"] == instrument
    last = (events["flags"] & Flag.LAST) > 0
    ends = own & ((np.isin(events["kind"], BOOK_KINDS) & last) | (events["kind"] == Kind.RESET))
    rows = np.flatnonzero(ends)
    quotable = np.zeros(len(rows), dtype=bool)
    best = np.zeros((len(rows), 2, levels, 2), dtype=np.int64)
    depth = np.zeros((len(rows), 2), dtype=np.int64)
    book = Book()
    changes = np.flatnonzero(own & np.isin(events["kind"], [*BOOK_KINDS, Kind.RESET]))
    at = 0
    for row, event in zip(changes.tolist(), events[changes].tolist(), strict=True):
        book.apply(event)
        if at == len(rows) or row != rows[at]:
            continue
        quotable[at] = book.valid and book.two_sided
        if quotable[at]:
            for side in (Side.BID, Side.ASK):
                found = book.levels(side, levels)
                best[at, side, : len(found)] = found
                depth[at, side] = len(found)
        at += 1
    return BookHistory(
        rows,
        quotable,
        np.clip(best[..., 0], -PRICE_LIMIT, PRICE_LIMIT),
        np.clip(best[..., 1], 0, QUANTITY_LIMIT),
        depth,
    )
