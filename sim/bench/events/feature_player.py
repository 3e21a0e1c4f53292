"""Decoder, book and features of the fabric, Verilated: tapes through them, and what the definitions say."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.emit.features import SOURCES as BLOCKS
from hls.emit.features import plan_features, tables
from hls.emit.features_text import market_features
from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.events import EventArray, Kind, event_words
from pyorch.contract.exclusive import exclusively
from pyorch.contract.fabric import rtl_folder
from pyorch.contract.schema import FeatureSchema
from pyorch.features.streaming import open_stream
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import Frames
from sim.verilator import LIBRARY, WARNINGS, Top, cache_folder, compile_verilog, find_verilator

HERE = Path(__file__).parent
SOURCES = (
    *(rtl_folder() / name for name in ("event_decoder.sv", "book_side.sv", "price_book.sv", *BLOCKS)),
    HERE / "event_features_bench.sv",
)  # fmt: skip
COLUMNS = ("kind", "number", "stale", "first", "now", "cycles")
"""Of a record, before the features; ``cycles``: since the last beat that was taken."""
TOP = "event_features_bench"
Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureShape:
    """What is compiled."""

    schema: FeatureSchema
    lanes: int = 2
    instruments: int = 1
    window_bits: int = 14
    levels: int = 10


def library_of(shape: FeatureShape) -> Path:
    """Decoder, book and features as a shared library, its tables beside; from the cache or compiled now.

    Raises:
        EnvironmentMissingError: no Verilator, g++ or make.
        BuildError: Verilator or the compiler refuses.
    """
    tool, shim = find_verilator(), HERE / "feature_player.cpp"
    schema = shape.schema
    texts = {"market_features.sv": market_features(plan_features(schema, shape.lanes)), **tables()}
    width, count = schema.format.width, len(schema.features)
    parameters = {
        "INSTRUMENTS": shape.instruments, "WINDOW_BITS": shape.window_bits, "LEVELS": shape.levels,
        "FEATURE_BITS": count * width,
    }  # fmt: skip
    files = [digest_of_file(path) for path in (*SOURCES, shim, HERE / "play.hpp")]
    folder = cache_folder() / f"features-{digest_of([files, texts, parameters, tool.digest])[:24]}"
    top = Top(TOP, shim, {}, (f"FEATURES={count}", f"WIDTH={width}"))
    with exclusively(folder / "lock"):
        if not (folder / LIBRARY).is_file():
            for name, text in texts.items():
                (folder / name).write_text(text)
            arguments = [*WARNINGS, *(f"-G{name}={value}" for name, value in parameters.items())]
            arguments += [*map(str, SOURCES), "market_features.sv"]
            compile_verilog(arguments, folder, top, tool, folder, folder.parent)
    return folder / LIBRARY


class FeaturePlayer:
    """A running path; `close` it."""

    def __init__(self, shape: FeatureShape) -> None:
        self.shape = shape
        path = library_of(shape)
        self._library = library = ctypes.CDLL(str(path))
        library.player_new.restype = ctypes.c_void_p
        library.player_new.argtypes = [ctypes.c_char_p]
        library.player_delete.argtypes = library.player_cycles.argtypes = [ctypes.c_void_p]
        library.player_cycles.restype = library.player_play.restype = ctypes.c_int64
        library.player_play.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_double, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64,
        ]  # fmt: skip
        self._handle = library.player_new(str(path.parent).encode())

    def close(self) -> None:
        """End it."""
        self._library.player_delete(self._handle)

    @property
    def cycles(self) -> int:
        """Since it began."""
        return int(self._library.player_cycles(self._handle))

    def play(self, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0) -> Table:
        """The ticks: int64 [n, 6 + features]: `COLUMNS`, then the features.

        Args:
            gap: cycles between frames.
            idle, stall: shares of cycles in which nothing is offered, or taken.
        """
        beats, ends = np.ascontiguousarray(frames.beats), frames.ends.astype(np.uint8)
        rows = np.zeros((len(beats) + 64, len(COLUMNS) + len(self.shape.schema.features)), np.int64)
        count = self._library.player_play(
            self._handle, beats.ctypes.data, ends.ctypes.data, len(beats), gap, idle, stall,
            rows.ctypes.data, len(rows),
        )  # fmt: skip
        if count < 0:
            raise AssertionError(f"more than {len(rows):,} ticks came out of {len(beats):,} beats")
        return rows[:count]


def defined(
    events: EventArray, numbers: NDArray[np.uint32], stale: NDArray[np.bool_], shape: FeatureShape
) -> Table:
    """The ticks that must come out of the rows of a `pyorch.market.wire_decoder.Decoded`; ``cycles`` 0.

    They are those of `pyorch.features.streaming` on the full book, where the row that ends a message after
    which the fabric's book, within a window of prices, is void and the full one may not be is a RESET.
    """
    book, events = WindowBook(shape.window_bits, shape.levels), events.copy()
    for at, row in enumerate(events.tolist()):
        if row[10] != 0 or row[7] not in (Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET):
            continue
        counts = book.window_counts
        before = counts.escapes + counts.thin
        book.apply(row)
        if counts.escapes + counts.thin != before:
            events["kind"][at] = Kind.RESET
    found: dict[str, Any] = open_stream(shape.schema).run(event_words(events), 1, 1)
    made: NDArray[np.int64] = found["row"]
    ticks = np.zeros((len(made), len(COLUMNS) + len(shape.schema.features)), np.int64)
    ticks[:, 0], ticks[:, 1], ticks[:, 2] = events["kind"][made], numbers[made], stale[made]
    ticks[found["segments"], 3] = 1
    ticks[:, 4], ticks[:, len(COLUMNS) :] = found["local_ns"], found["features"]
    return ticks
