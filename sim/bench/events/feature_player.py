"""Decoder, book and features of the fabric, Verilated: tapes through them, and what the definitions say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.emit.features import SOURCES as BLOCKS
from hls.emit.features import plan_features, tables
from hls.emit.features_text import market_features
from pyorch.contract.events import EventArray, Kind, event_words
from pyorch.contract.fabric import rtl_folder
from pyorch.contract.schema import FeatureSchema
from pyorch.features.streaming import open_stream
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import Frames
from sim.bench.events.running import Bench, Running, Table

HERE = Path(__file__).parent
SOURCES = (
    *(rtl_folder() / name for name in ("event_decoder.sv", "book_side.sv", "price_book.sv", *BLOCKS)),
    HERE / "event_book_bench.sv",
    HERE / "event_features_bench.sv",
)  # fmt: skip
COLUMNS = ("kind", "number", "stale", "first", "now", "cycles")
"""Of a record, before the features; ``cycles``: since the last beat that was taken."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureShape:
    """What is compiled."""

    schema: FeatureSchema
    lanes: int = 2
    instruments: int = 1
    window_bits: int = 14
    levels: int = 10


def bench_of(shape: FeatureShape) -> Bench:
    """Decoder, book and features of a shape."""
    width, count = shape.schema.format.width, len(shape.schema.features)
    parameters = {
        "INSTRUMENTS": shape.instruments, "WINDOW_BITS": shape.window_bits, "LEVELS": shape.levels,
        "FEATURE_BITS": count * width,
    }  # fmt: skip
    module = market_features(plan_features(shape.schema, shape.lanes))
    return Bench(
        "event_features_bench", "feature_player.cpp", len(COLUMNS) + count, SOURCES, parameters,
        (f"FEATURES={count}", f"WIDTH={width}"), {"market_features.sv": module, **tables()},
    )  # fmt: skip


class FeaturePlayer(Running):
    """A running path; `close` it."""

    def __init__(self, shape: FeatureShape) -> None:
        bench = bench_of(shape)
        path = bench.library()
        super().__init__(path, path.parent, bench.columns)

    def play(self, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0) -> Table:
        """The ticks: int64 [n, 6 + features]: `COLUMNS`, then the features."""
        return self.records(frames, len(frames.beats) + 64, gap, idle, stall)


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
