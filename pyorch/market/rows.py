"""Messages that are appended one by one and become one event array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag

CHUNK_ROWS = 1 << 16

_HEADER = (
    "local_ns",
    "exchange_ns",
    "first_sequence",
    "sequence",
    "previous_sequence",
    "kind",
    "instrument",
)


class RowBuffer:
    """Collects messages column by column; finished chunks are arrays of 64 bytes a row."""

    def __init__(self) -> None:
        self._chunks: list[EventArray] = []
        self._headers: list[tuple[int, ...]] = []
        self._sizes: list[int] = []
        self._sides: list[int] = []
        self._price_ticks: list[int] = []
        self._quantity_lots: list[int] = []

    def add(
        self,
        stamp: tuple[int, int, int, int, int],
        kind: int,
        instrument: int,
        sides: Sequence[int],
        price_ticks: Sequence[int],
        quantity_lots: Sequence[int],
    ) -> None:
        """Append a message, a row for each of its ``sides``.

        Args:
            stamp: local and exchange time in ns; first, last and previous sequence.
            kind: a `Kind`.
            instrument: index of the instrument.
            sides: a `Side` a row, at least one.
            price_ticks: as many.
            quantity_lots: as many.
        """
        self._headers.append((*stamp, kind, instrument))
        self._sizes.append(len(sides))
        self._sides += sides
        self._price_ticks += price_ticks
        self._quantity_lots += quantity_lots
        if len(self._sides) >= CHUNK_ROWS:
            self._flush()

    def array(self) -> EventArray:
        """All rows so far, in the order they were added."""
        self._flush()
        return np.concatenate(self._chunks)

    def _flush(self) -> None:
        sizes: NDArray[np.int64] = np.array(self._sizes, dtype=np.int64)
        rows = np.zeros(len(self._sides), EVENT_DTYPE)
        header = np.array(self._headers, dtype=np.int64).reshape(-1, len(_HEADER))
        for column, name in enumerate(_HEADER):
            rows[name] = np.repeat(header[:, column], sizes)
        rows["side"] = self._sides
        rows["price_ticks"] = self._price_ticks
        rows["quantity_lots"] = self._quantity_lots
        ends = np.cumsum(sizes)
        rows["flags"][ends - sizes] |= int(Flag.FIRST)
        rows["flags"][ends - 1] |= int(Flag.LAST)
        self._chunks.append(rows)
        for one in (self._sizes, self._sides, self._price_ticks, self._quantity_lots):
            one.clear()
        self._headers.clear()
