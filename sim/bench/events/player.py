"""Decoder and book of the fabric, Verilated: whole tapes through them, and what the definitions say."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import EventArray, Flag, Kind, Side
from pyorch.contract.fabric import rtl_folder
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import Frames
from sim.bench.events.running import Bench, Running, Table

HERE = Path(__file__).parent
SOURCES = (
    *(rtl_folder() / name for name in ("event_decoder.sv", "first_set.sv", "book_side.sv", "price_book.sv")),
    HERE / "event_book_bench.sv",
)  # fmt: skip
COLUMNS = ("kind", "side", "instrument", "stale", "number", "local_ns", "price_ticks", "quantity_lots",
           "valid", "bids", "asks", "cycles")  # fmt: skip
"""Of a record, before the levels; ``cycles``: since the last beat that was taken."""
COUNTS = ("messages", "gaps", "crosses", "stale", "dropped", "resets", "outside", "escapes", "thin")
STALE_NS = 3_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of the pair."""

    instruments: int = 1
    window_bits: int = 14
    levels: int = 10


def bench_of(shape: Shape) -> Bench:
    """The pair of a shape."""
    parameters = {
        "INSTRUMENTS": shape.instruments, "WINDOW_BITS": shape.window_bits, "LEVELS": shape.levels,
    }  # fmt: skip
    defines = (f"WINDOW_BITS={shape.window_bits}", f"LEVELS={shape.levels}")
    columns = len(COLUMNS) + 4 * shape.levels
    return Bench("event_book_bench", "player.cpp", columns, SOURCES, parameters, defines)


class Player(Running):
    """A running pair; `close` it."""

    def __init__(self, shape: Shape) -> None:
        bench = bench_of(shape)
        path = bench.library()
        super().__init__(path, path.parent, bench.columns)
        self.shape = shape
        self.library.player_counts.argtypes = [ctypes.c_void_p, ctypes.c_void_p]

    def play(self, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0) -> Table:
        """Records of all that comes out: int64 [n, 12 + 4 levels]: `COLUMNS`, then the levels."""
        room = len(frames.beats) + 64 + frames.events * (1 + self.shape.instruments)
        return self.records(frames, room, gap, idle, stall)

    def counts(self) -> dict[str, int]:
        """Of the book, by name."""
        counts = np.zeros(len(COUNTS), np.uint32)
        self.library.player_counts(self.handle, counts.ctypes.data)
        return dict(zip(COUNTS, counts.tolist(), strict=True))


def defined(
    events: EventArray, numbers: NDArray[np.uint32], stale: NDArray[np.bool_], shape: Shape
) -> tuple[Table, dict[str, int]]:
    """What must come out of the rows of a `pyorch.market.wire_decoder.Decoded`, and the book's counts.

    The table is that of `Player.play`, ``cycles`` 0.
    """
    book = WindowBook(shape.window_bits, shape.levels)
    table = np.zeros((len(events), len(COLUMNS) + 4 * shape.levels), np.int64)
    shown = np.zeros(3 + 4 * shape.levels, np.int64)
    count = 0
    for row, number, mark in zip(events.tolist(), numbers.tolist(), stale.tolist(), strict=True):
        local, _, _, _, _, price, quantity, kind, side, flags, instrument, _ = row
        own = instrument == 0
        if own:
            book.apply(row)
        message = own and kind in (Kind.DEPTH, Kind.SNAPSHOT)
        if not book.valid:  # within a snapshot nothing is shown
            shown[:] = 0
        if message and not flags & Flag.LAST:
            continue
        if message and book.valid:
            shown[0] = 1
            for place, which in enumerate((Side.BID, Side.ASK)):
                found = book.best_levels(which)
                shown[1 + place] = len(found)
                at = 3 + 2 * shape.levels * place
                shown[at : at + 2 * shape.levels] = 0
                shown[at : at + 2 * len(found)] = np.array(found, np.int64).reshape(-1)
        table[count, :8] = (kind, side, instrument, mark, number, local, price, quantity)
        table[count, 8:11] = shown[:3]
        table[count, len(COLUMNS) :] = shown[3:]
        count += 1
    names = book.count_table()
    counts = {name: names[name] for name in COUNTS if name in names}
    window = book.window_counts
    return table[:count], counts | {
        "outside": window.outside, "escapes": window.escapes, "thin": window.thin,
    }  # fmt: skip
