"""An emitted feature path, Verilated: tapes through it to decision words, and what the CPU loop decides."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import DECISION_DTYPE, MAXIMUM_OUTPUTS, Decisions, decode_decisions
from pyorch.contract.digest import digest_of_file
from pyorch.contract.events import EventArray, Flag, Kind, event_words
from pyorch.contract.fabric import FabricManifest
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import Frames
from pyorch.market.wire_decoder import Decoded
from pyorch.trading.native import batch_of, native_settings
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import RecordArray, TickFlag
from sim.bench.events.running import Running, Table
from sim.verilator import Top, build_library

HERE = Path(__file__).parent
STAGES = ("book", "normalise", "the core's last", "conditions")
"""What ends with the pulses of the top's port ``stages``."""
CLOCKED = ("cycle", "cycles", "policy_set", "weight_set", "model_digest", "policy_digest", "stale")
"""Fields of a decision that the CPU loop does not have."""

TOP = Top(
    "events_top", HERE / "decision_player.cpp", {},
    (f"PLAY_{digest_of_file(HERE / 'play.hpp')[:16]}",),
)  # fmt: skip
"""With `play.hpp` in the key of the compiled library, which knows the shim alone."""


class Stamp(IntEnum):
    """What `DecisionPlayer.stamps` has the cycles of."""

    TAKEN = 0
    """Each beat."""
    GIVEN = 1
    """Each vector of features, to the core."""
    DECIDED = 2
    WORD = 3
    """The first beat of each word."""
    QUEUED = 4
    """Of several instruments: features that begin to wait for their turn."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came out.

    Attributes:
        words: the decisions.
        since: int64 [n, 5] cycles from the last beat taken before it to each stage and to its first beat.
    """

    words: Decisions
    since: Table


class DecisionPlayer(Running):
    """A running feature path; `close` it.

    Args:
        project: the emitted folder.
        library: another one than that of its sources, which finds its files in ``started_in``.
        patience: cycles without a decision after which none is to come.
    """

    def __init__(
        self, project: Path, *, library: Path | None = None, started_in: Path | None = None,
        patience: int | None = None,
    ) -> None:  # fmt: skip
        self.manifest = FabricManifest.load(project)
        path = library or build_library(project, self.manifest, top=TOP)
        super().__init__(path, started_in or project, 3 + len(STAGES))
        if patience is not None:
            self.library.player_patience.argtypes = [ctypes.c_void_p, ctypes.c_int64]
            self.library.player_patience(self.handle, patience)

        self.library.player_write.argtypes = [
            ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint32, ctypes.c_uint32,
        ]  # fmt: skip
        self.library.player_due.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.library.player_stamps.argtypes = [
            ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64,
        ]  # fmt: skip
        self.library.player_stamps.restype = ctypes.c_int64
        self.library.player_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        self.library.player_read.restype = ctypes.c_uint32

    def write(self, register: int, value: int, after: int = 0) -> None:
        """Write a register now, or while a stream is played, once ``after`` beats were taken."""
        self.library.player_write(self.handle, after, register, value)

    def read(self, register: int) -> int:
        """Read a register."""
        return int(self.library.player_read(self.handle, register))

    def play(
        self,
        frames: Frames,
        *,
        gap: int = 0,
        idle: float = 0.0,
        stall: float = 0.0,
        due: NDArray[np.int64] | None = None,
    ) -> Played:
        """The decisions.

        Args:
            due: of each beat the first cycle in which it may be offered, from the begin.
        """
        cycles = None if due is None else np.ascontiguousarray(due, np.int64)
        self.library.player_due(self.handle, None if cycles is None else cycles.ctypes.data)
        rows = self.records(frames, 16 * (len(frames.beats) + 64), gap, idle, stall)
        self.library.player_due(self.handle, None)
        ends = rows[:, 1].astype(bool)
        words = decode_decisions(rows[:, 0].view(np.uint64), ends)
        first = np.concatenate([[0], np.flatnonzero(ends)[:-1] + 1])
        since: Table = np.concatenate([rows[first, 3:], rows[first, 2:3]], axis=1)
        return Played(words, since)

    def stamps(self, which: Stamp) -> NDArray[np.int64]:
        """Cycles of the last `play` from its begin."""
        count = self.library.player_stamps(self.handle, which, None, 0)
        found = np.zeros(count, np.int64)
        self.library.player_stamps(self.handle, which, found.ctypes.data, count)
        return found


def pulse_ends(manifest: FabricManifest) -> list[int]:
    """Predicted cycles of those pulses after a message of levels, and of the word's first beat."""
    ends = {stage.name: stage.end for stage in manifest.stages}
    core = next(stage.begin for stage in manifest.stages if stage.name == "softmax, sigmoid")
    return [ends["book"], ends["normalise"], core, ends["conditions"], ends["policy"]]


def fabric_rows(
    events: EventArray, manifest: FabricManifest
) -> tuple[EventArray, NDArray[np.int64]]:
    """Rows as the CPU loop must see them, and those at which the book became void.

    Where the fabric's book, within a window, is void and the full one may not be, the row is a RESET.
    """
    path = manifest.events
    assert path is not None
    book, events = WindowBook(path.window_bits, path.levels), events.copy()
    active, voids = False, []
    for at, row in enumerate(events.tolist()):
        if row[10] != 0 or row[7] not in (Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET):
            continue
        counts = book.window_counts
        before = counts.escapes + counts.thin
        book.apply(row)
        if counts.escapes + counts.thin != before:
            events["kind"][at] = Kind.RESET
        if row[9] & Flag.LAST or events["kind"][at] == Kind.RESET:
            quotable = book.valid and book.two_sided
            if active and not quotable:
                voids.append(at)
            active = quotable
    return events, np.array(voids, np.int64)


def journal(bundle: Bundle, plan: QuotingPlan, rows: EventArray) -> RecordArray:
    """Tick records of the CPU loop; withdrawals between ticks are among them."""
    schema = bundle.schema
    assert schema is not None
    loop = _native.TickLoop(
        native_settings(plan), open_stream(schema),
        _native.LstmTickEngine(native_engine(bundle, "auto")), event_words(rows), 1, -1, False,
    )  # fmt: skip
    loop.start()
    parts = []
    while True:
        finished = loop.done
        ticks = batch_of(*loop.drain()).ticks
        if len(ticks):
            parts.append(ticks)
        elif finished:
            break
    loop.join()
    return np.concatenate(parts)


def decided(
    bundle: Bundle,
    plan: QuotingPlan,
    manifest: FabricManifest,
    events: EventArray,
    numbers: NDArray[np.uint32],
) -> tuple[Decisions, RecordArray]:
    """What must come out of the rows of a `pyorch.market.wire_decoder.Decoded`: the CPU loop's decisions.

    Fields of `CLOCKED` are 0. Also the loop's records of the ticks, in the same order.
    """
    rows, voids = fabric_rows(events, manifest)
    ticks = journal(bundle, plan, rows)
    ticks = ticks[~np.isin(ticks["row"], voids)]  # withdrawals between ticks
    words = np.zeros(len(ticks) + len(voids), DECISION_DTYPE)
    at = np.concatenate([ticks["row"], voids])
    order = np.argsort(at, kind="stable")
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    made, void = inverse[: len(ticks)], inverse[len(ticks) :]
    where = at[order]
    words["kind"], words["number"] = events["kind"][where], numbers[where]
    words["local_ns"] = events["local_ns"][where]
    words["void"][void] = True
    words["size_down_percent"][void] = words["size_up_percent"][void] = 100
    for name in (
        "fired", "active", "extra_down_bp100", "extra_up_bp100", "size_down_percent",
        "size_up_percent", "forecast_bp100",
    ):  # fmt: skip
        words[name][made] = ticks[name]
    for name, flag in (
        ("book_valid", TickFlag.BOOK_VALID), ("model_valid", TickFlag.MODEL_VALID),
        ("warm", TickFlag.WARM),
    ):  # fmt: skip
        words[name][made] = (ticks["flags"] & flag) != 0
    scores = ticks["scores"].copy()
    scores[:, len(bundle.spec.outputs) :] = 0
    words["scores"][made, :MAXIMUM_OUTPUTS] = scores
    first = np.ones(len(words), bool)
    first[1:] = words["void"][:-1]
    words["first"] = first & ~words["void"]
    return words, ticks


def decided_alone(
    bundle: Bundle, plan: QuotingPlan, manifest: FabricManifest, line: Decoded, instrument: int
) -> tuple[Decisions, RecordArray]:
    """`decided` by a CPU loop of one instrument's own, of a line that carries several."""
    rows = line.events.copy()
    rows["instrument"] = np.where(line.events["instrument"] == instrument, 0, 1)
    words, ticks = decided(bundle, plan, manifest, rows, line.numbers)
    words["instrument"] = instrument
    return words, ticks


def differences(words: Decisions, expected: Decisions) -> str:
    """The first difference in words; empty: none."""
    if len(words) != len(expected):
        return f"{len(words)} decisions instead of {len(expected)}"
    names = [n for n in DECISION_DTYPE.names or () if n not in CLOCKED]
    for name in names:
        apart = words[name] != expected[name]
        if apart.any():
            at = int(np.flatnonzero(apart.reshape(len(words), -1).any(1))[0])
            found = {n: (words[n][at].tolist(), expected[n][at].tolist()) for n in names}
            return f"decision {at}: {name}; found, expected: {json.dumps(found)}"
    return ""
