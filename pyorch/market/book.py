"""Level-2 order book with venue sequence rules: the definition that `pyorch/native/book.hpp` equals.

Rows are applied in receive order. A book is *valid* from the last row of a snapshot until a sequence
gap, a `Kind.RESET` row or a crossed book; an invalid book is empty and drops diffs until the next
snapshot. Best-quote rows never change a book: their stream has a delay of its own.

A diff carries the range of update ids that it covers. Sources: "How to manage a local order book
correctly", Binance API documentation for coin-margined, USD-margined and spot markets. Futures chain by
``pu`` (the previous diff's ``u``), spot by ``U == previous u + 1``. A diff whose ``u`` the book already
contains is stale and ignored. The first diff after a snapshot may begin before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side

DEFAULT_CAPACITY = 8192
"""Levels kept on each side; beyond it the levels farthest from the best are discarded and counted."""

TRACE_COLUMNS = ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots", "valid", "sequence")

_FIELD = {name: position for position, name in enumerate(EVENT_DTYPE.names or ())}
_FIRST, _SEQUENCE, _PREVIOUS = (
    _FIELD["first_sequence"],
    _FIELD["sequence"],
    _FIELD["previous_sequence"],
)
_PRICE, _QUANTITY = _FIELD["price_ticks"], _FIELD["quantity_lots"]
_KIND, _SIDE, _FLAGS, _INSTRUMENT = (
    _FIELD["kind"],
    _FIELD["side"],
    _FIELD["flags"],
    _FIELD["instrument"],
)

# Plain integers: members of an enumeration cost more than the rest of a row.
_DEPTH, _SNAPSHOT, _RESET, _NONE = (
    int(Kind.DEPTH),
    int(Kind.SNAPSHOT),
    int(Kind.RESET),
    int(Side.NONE),
)
_FIRST_ROW, _LAST_ROW = int(Flag.FIRST), int(Flag.LAST)


@dataclass(slots=True)
class BookCounts:
    """What a book met."""

    messages: int = 0
    """DEPTH and SNAPSHOT messages that were applied."""
    gaps: int = 0
    """DEPTH messages that did not continue the sequence."""
    crosses: int = 0
    """Messages after which the best bid was not below the best ask."""
    stale: int = 0
    """DEPTH messages that the book already contained."""
    dropped: int = 0
    """DEPTH messages while there was no valid book."""
    resets: int = 0
    """RESET rows."""
    discarded: int = 0
    """Levels beyond the capacity."""


class _SideLevels:
    """One side: keys in ascending order (ticks for bids, minus ticks for asks), so the best is last."""

    def __init__(self, sign: int, capacity: int) -> None:
        self.sign, self.capacity = sign, capacity
        self.keys: list[int] = []
        self.lots: dict[int, int] = {}

    def set(self, price_ticks: int, quantity_lots: int) -> bool:
        """Give a level its total quantity; True where a level beyond the capacity was discarded."""
        key = self.sign * price_ticks
        known = key in self.lots
        if quantity_lots <= 0:
            if known:
                del self.lots[key]
                del self.keys[bisect_left(self.keys, key)]
            return False
        if known:
            self.lots[key] = quantity_lots
            return False
        full = len(self.keys) == self.capacity
        if full:
            if key < self.keys[0]:
                return True
            del self.lots[self.keys.pop(0)]
        self.keys.insert(bisect_left(self.keys, key), key)
        self.lots[key] = quantity_lots
        return full

    def best(self) -> tuple[int, int]:
        """Ticks and lots of the best level; zeros where there is none."""
        if not self.keys:
            return 0, 0
        key = self.keys[-1]
        return self.sign * key, self.lots[key]

    def clear(self) -> None:
        """Remove all levels."""
        self.keys.clear()
        self.lots.clear()


class Book:
    """Price levels of one instrument."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("a book needs a capacity of at least one level a side")
        self._sides = (_SideLevels(1, capacity), _SideLevels(-1, capacity))
        self._valid = False
        self._synchronising = False
        self._admitted = False
        self._open: int | None = None  # kind of the message whose LAST row has not come
        self._sequence = -1
        self.counts = BookCounts()

    @property
    def valid(self) -> bool:
        """After a snapshot, until a gap, reset or cross."""
        return self._valid

    @property
    def two_sided(self) -> bool:
        """Both sides hold a level."""
        return bool(self._sides[0].keys and self._sides[1].keys)

    @property
    def sequence(self) -> int:
        """Update id of the book's state; -1 where there is none."""
        return self._sequence

    def depth(self, side: Side) -> int:
        """Levels of a side."""
        return len(self._sides[side].keys)

    def levels(self, side: Side, n: int) -> list[tuple[int, int]]:
        """Up to ``n`` pairs (price_ticks, quantity_lots), best first."""
        one = self._sides[side]
        return [(one.sign * key, one.lots[key]) for key in one.keys[: -n - 1 : -1]]

    def best(self, side: Side) -> tuple[int, int]:
        """Ticks and lots of the best level; zeros where there is none."""
        return self._sides[side].best()

    def apply(self, row: Sequence[int]) -> None:
        """Apply one row of this book's instrument, its fields in the order of `EVENT_DTYPE`.

        A row of an event array works; rows of ``events.tolist()`` are much faster.
        """
        kind = row[_KIND]
        if kind == _DEPTH:
            if row[_FLAGS] & _FIRST_ROW or self._open != _DEPTH:
                self._open = _DEPTH
                self._admitted = self._admit(row)
            if self._admitted:
                self._set(row)
            if row[_FLAGS] & _LAST_ROW:
                self._open = None
                if self._admitted:
                    self._finish()
                self._admitted = False
        elif kind == _SNAPSHOT:
            if row[_FLAGS] & _FIRST_ROW or self._open != _SNAPSHOT:
                self._void()
                self._sequence = int(row[_SEQUENCE])
                self._open = _SNAPSHOT
            self._set(row)
            if row[_FLAGS] & _LAST_ROW:
                self._open = None
                self._synchronising = True
                self._valid = True
                self._finish()
        elif kind == _RESET:
            self.counts.resets += 1
            self._open = None
            self._void()

    def apply_all(self, events: EventArray, instrument: int = 0) -> None:
        """Apply the rows of one instrument."""
        for row in _rows(events):
            if row[_INSTRUMENT] == instrument:
                self.apply(row)

    def trace(self, events: EventArray, instrument: int = 0) -> NDArray[np.int64]:
        """Apply the rows of one instrument; int64 [rows, 6], `TRACE_COLUMNS`, after each row."""
        bids, asks = self._sides
        result = []
        for row in _rows(events):
            if row[_INSTRUMENT] == instrument:
                self.apply(row)
            result.append((*bids.best(), *asks.best(), self._valid, self._sequence))
        return np.array(result, dtype=np.int64).reshape(-1, len(TRACE_COLUMNS))

    def _set(self, row: Sequence[int]) -> None:
        side = row[_SIDE]
        if side != _NONE:
            discarded = self._sides[side].set(int(row[_PRICE]), int(row[_QUANTITY]))
            self.counts.discarded += discarded

    def _admit(self, row: Sequence[int]) -> bool:
        if not self._valid:
            self.counts.dropped += 1
            return False
        sequence = int(row[_SEQUENCE])
        if sequence < 0:  # a stream without sequences
            return True
        if sequence <= self._sequence:
            self.counts.stale += 1
            return False
        first, previous = int(row[_FIRST]), int(row[_PREVIOUS])
        if not continues(self._sequence, first, previous, self._synchronising):
            self.counts.gaps += 1
            self._void()
            return False
        self._sequence = sequence
        self._synchronising = False
        return True

    def _finish(self) -> None:
        self.counts.messages += 1
        if self.two_sided and self._sides[0].keys[-1] >= -self._sides[1].keys[-1]:
            self.counts.crosses += 1
            self._void()

    def _void(self) -> None:
        for side in self._sides:
            side.clear()
        self._valid = False
        self._sequence = -1

    def count_table(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self.counts)


def continues(at: int, first: int, previous: int, after_snapshot: bool) -> bool:
    """Whether a diff continues a book at update id ``at``; -1 stands for an id that is not known.

    Args:
        at: update id of the book; smaller than the diff's last one.
        first: first update id of the diff (``U``).
        previous: last update id of the diff before it (``pu``), which decides where it is known.
        after_snapshot: the diff is the first one after a snapshot, so it may begin before ``at``.
    """
    before = previous if previous >= 0 else first - 1 if first >= 0 else -1
    if at < 0 or before < 0:
        return True
    return before == at or (after_snapshot and before < at)


def _rows(events: EventArray) -> Iterable[Sequence[int]]:
    rows: list[Sequence[int]] = events.tolist()
    return rows
