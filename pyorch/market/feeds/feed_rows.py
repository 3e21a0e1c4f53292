"""Rows of 64 bytes from one message at a time, as a live feed makes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side

_ROW = struct.Struct("<7q4BI")
assert _ROW.size == EVENT_DTYPE.itemsize

_FIRST, _LAST, _NONE = int(Flag.FIRST), int(Flag.LAST), int(Side.NONE)


def reset_rows(instruments: int, local_ns: int) -> EventArray:
    """A RESET of each instrument: what a reader says when it has missed something."""
    rows = np.zeros(instruments, EVENT_DTYPE)
    rows["local_ns"] = local_ns
    for name in ("exchange_ns", "first_sequence", "sequence", "previous_sequence"):
        rows[name] = -1
    rows["kind"], rows["side"] = Kind.RESET, Side.NONE
    rows["flags"] = Flag.FIRST | Flag.LAST
    rows["instrument"] = np.arange(instruments)
    return rows


def pack_message(
    stamp: tuple[int, int, int, int, int],
    kind: int,
    instrument: int,
    sides: Sequence[int],
    price_ticks: Sequence[int],
    quantity_lots: Sequence[int],
) -> bytes:
    """A message as rows of `EVENT_DTYPE`: one a side, or a single one of side NONE where there is none.

    Args:
        stamp: local and exchange time in ns; first, last and previous sequence.
        kind: a `Kind`.
        instrument: index of the instrument.
        sides: a `Side` a row.
        price_ticks: as many.
        quantity_lots: as many.

    Raises:
        ValueError: a value does not fit 64 bits.
    """
    count = len(sides)
    try:
        if count == 0:
            return _ROW.pack(*stamp, 0, 0, kind, _NONE, _FIRST | _LAST, instrument, 0)
        if count == 1:
            return _ROW.pack(
                *stamp,
                price_ticks[0],
                quantity_lots[0],
                kind,
                sides[0],
                _FIRST | _LAST,
                instrument,
                0,
            )
        rows, last = bytearray(64 * count), count - 1
        for k in range(count):
            flags = _FIRST if k == 0 else _LAST if k == last else 0
            _ROW.pack_into(
                rows,
                64 * k,
                *stamp,
                price_ticks[k],
                quantity_lots[k],
                kind,
                sides[k],
                flags,
                instrument,
                0,
            )
        return bytes(rows)
    except struct.error as error:
        raise ValueError(f"a value does not fit 64 bits: {error}") from error
