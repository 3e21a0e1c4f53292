"""What happened in an exchange's books, for another simulator to be fed with: others' depth, prints, ours.

One row for each thing that happened, in order, of all options together. A print is a trade of a taker with
what rested, ours or others', as a venue publishes it; a taker that reaches several orders makes several.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.matching import OptionBook, Order
from pyorch.trading.exchange.venue import DESK


class Happened(IntEnum):
    """What a row is about; the fields that it fills."""

    DEPTH = 0
    """Others' lots at a price are ``lots`` now."""
    PRINT = 1
    """A taker traded ``lots`` with what rested on ``side`` at a price; ``ours``: of them with us."""
    PLACED = 2
    """An order of ours rests: ``order`` is its number."""
    CUT = 3
    """An order of ours has ``lots`` left at its place."""
    REMOVED = 4
    """An order of ours is taken out by us or for us."""
    CAME_FORWARD = 5
    """Something of others ahead of an order of ours was taken out or cut: no trade, and yet it is nearer."""
    SHARES = 6
    """An order of ours is placed behind, or before, another one of ours at the same price."""


ROW = np.dtype(
    [
        ("option", "i4"),
        ("what", "i1"),
        ("side", "i1"),
        ("price_ticks", "i8"),
        ("lots", "i8"),
        ("ours", "i8"),
        ("order", "i8"),
    ]
)
RowArray = NDArray[np.void]


@dataclass
class Recording:
    """Rows so far; orders of ours are numbered from 1 as they are placed."""

    rows: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    orders: int = 0

    def array(self) -> RowArray:
        """[n] of `ROW`."""
        return np.array(self.rows, ROW)


@dataclass(slots=True)
class RecordedBook(OptionBook):
    """A book that writes down what happens in it."""

    option: int = 0
    recording: Recording = field(default_factory=Recording)
    _numbers: dict[int, int] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """At the end of its price's queue."""
        OptionBook.add(self, order)
        if order.owner == DESK:
            self.recording.orders += 1
            self._numbers[id(order)] = self.recording.orders
            self._say(Happened.PLACED, order.side, order.price_ticks, order.lots, order)
            level = [one for one in self._level(order) if one.owner == DESK]
            for one in level if len(level) > 1 else ():
                self._say(Happened.SHARES, one.side, one.price_ticks, one.lots, one)
        else:
            self._depth(order.side, order.price_ticks)

    def remove(self, order: Order) -> None:
        """Take an order out."""
        rested = order in self._level(order)
        self._forward(order)
        OptionBook.remove(self, order)
        if order.owner != DESK:
            self._depth(order.side, order.price_ticks)
        elif rested:
            self._say(Happened.REMOVED, order.side, order.price_ticks, 0, order)

    def cut(self, order: Order, lots: int) -> None:
        """Make an order smaller at its place."""
        self._forward(order)
        OptionBook.cut(self, order, lots)
        if order.owner == DESK:
            self._say(Happened.CUT, order.side, order.price_ticks, lots, order)
        else:
            self._depth(order.side, order.price_ticks)

    def take(self, side: int, limit_ticks: int, lots: int) -> Iterator[tuple[Order, int]]:
        """Trade against what rests."""
        for order, traded in OptionBook.take(self, side, limit_ticks, lots):
            ours = traded if order.owner == DESK else 0
            self._say(
                Happened.PRINT, side, order.price_ticks, traded, order if ours else None, ours
            )
            if not ours:
                self._depth(side, order.price_ticks)
            yield order, traded

    def _level(self, order: Order) -> Sequence[Order]:
        return self.levels[order.side].get(order.price_ticks, deque())

    def _forward(self, order: Order) -> None:
        """Note which orders of ours come forward when something of others before them goes."""
        level = list(self._level(order))
        if order.owner == DESK or order not in level:
            return
        for one in level[level.index(order) :]:
            if one.owner == DESK:
                self._say(Happened.CAME_FORWARD, one.side, one.price_ticks, one.lots, one)

    def _depth(self, side: int, price: int) -> None:
        level = self.levels[side].get(price, ())
        others = sum(one.lots for one in level if one.owner != DESK)
        self._say(Happened.DEPTH, side, price, others)

    def _say(
        self,
        what: Happened,
        side: int,
        price: int,
        lots: int,
        order: Order | None = None,
        ours: int = 0,
    ) -> None:
        number = self._numbers[id(order)] if order is not None else 0
        self.recording.rows.append((self.option, int(what), side, price, lots, ours, number))


def record(exchange: Exchange) -> Recording:
    """Have a new exchange's books written down from now on."""
    recording = Recording()
    for venue in exchange.venues:
        venue.books = [
            RecordedBook(option=option, recording=recording) for option in range(len(venue.books))
        ]
    return recording
