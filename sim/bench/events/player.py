"""Decoder and book of the fabric, Verilated: whole tapes through them, and what the definitions say."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.events import EventArray, Flag, Kind, Side
from pyorch.contract.exclusive import exclusively
from pyorch.contract.fabric import rtl_folder
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import Frames
from sim.verilator import LIBRARY, WARNINGS, Top, cache_folder, compile_verilog, find_verilator

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
Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of the pair."""

    instruments: int = 1
    window_bits: int = 14
    levels: int = 10


def library_of(shape: Shape) -> Path:
    """The pair as a shared library, from the cache or compiled now.

    Raises:
        EnvironmentMissingError: no Verilator, g++ or make.
        BuildError: Verilator or the compiler refuses.
    """
    tool, shim = find_verilator(), HERE / "player.cpp"
    settings = (shape.instruments, shape.window_bits, shape.levels)
    key = digest_of([*(digest_of_file(path) for path in (*SOURCES, shim)), *settings, tool.digest])
    folder = cache_folder() / f"events-{key[:24]}"
    top = Top(
        "event_book_bench", shim, {}, (f"WINDOW_BITS={shape.window_bits}", f"LEVELS={shape.levels}")
    )
    parameters = [
        f"-G{name}={value}"
        for name, value in zip(("INSTRUMENTS", "WINDOW_BITS", "LEVELS"), settings, strict=True)
    ]
    with exclusively(folder / "lock"):
        if not (folder / LIBRARY).is_file():
            arguments = [*WARNINGS, *parameters, *map(str, SOURCES)]
            compile_verilog(arguments, folder, top, tool, folder, folder.parent)
    return folder / LIBRARY


class Player:
    """A running pair; `close` it."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._library = library = ctypes.CDLL(str(library_of(shape)))
        library.player_new.restype = ctypes.c_void_p
        library.player_delete.argtypes = library.player_cycles.argtypes = [ctypes.c_void_p]
        library.player_counts.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        library.player_cycles.restype = library.player_play.restype = ctypes.c_int64
        library.player_play.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_double, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64,
        ]  # fmt: skip
        self._handle = library.player_new()

    def close(self) -> None:
        """End it."""
        self._library.player_delete(self._handle)

    @property
    def cycles(self) -> int:
        """Since it began."""
        return int(self._library.player_cycles(self._handle))

    def play(self, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0) -> Table:
        """Records of all that comes out: int64 [n, 12 + 4 levels]: `COLUMNS`, then the levels.

        Args:
            gap: cycles between frames.
            idle, stall: shares of cycles in which nothing is offered, or taken.
        """
        beats, ends = np.ascontiguousarray(frames.beats), frames.ends.astype(np.uint8)
        room = len(beats) + 64 + frames.events * (1 + self.shape.instruments)
        rows = np.zeros((room, len(COLUMNS) + 4 * self.shape.levels), np.int64)
        count = self._library.player_play(
            self._handle, beats.ctypes.data, ends.ctypes.data, len(beats), gap, idle, stall,
            rows.ctypes.data, len(rows),
        )  # fmt: skip
        if count < 0:
            raise AssertionError(
                f"more than {len(rows):,} records came out of {len(beats):,} beats"
            )
        return rows[:count]

    def counts(self) -> dict[str, int]:
        """Of the book, by name."""
        counts = np.zeros(len(COUNTS), np.uint32)
        self._library.player_counts(self._handle, counts.ctypes.data)
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
