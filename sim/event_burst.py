"""Where the cycles of a feature path go, from an event's last beat to its decision: idle, and in a burst.

A line brings a beat a cycle; messages come when they were received, at a stated clock. What waits for the
path waits on the line, so nothing can be lost: the wait is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.decision import Decisions
from pyorch.contract.errors import DataError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.book import Book
from pyorch.market.wire import Frames, encode
from sim.bench.events.decision_player import DecisionPlayer, Stamp

STEPS = ("wait on the line", "decoder, book, features", "core, scores, conditions", "policy")
"""What lies between arrival, last beat taken, vector given, decision, first beat of the word."""
SETTLED_CYCLES = 4096
"""Between the snapshot that a burst begins with, when it is taken, and its first message."""
ROW_CYCLES = 2
"""A row takes the book so many."""
SILENCE_CYCLES = 2000
"""Longer silences are shortened to it: by then a path is idle, and where it is not, waits come out longer."""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Cycles of decisions.

    Attributes:
        name: what was played.
        events: of them so many; seconds: in which they were received.
        steps: int64 [decisions, 4], as `STEPS`.
        lost: events that the path did not count.
    """

    name: str
    events: int
    seconds: float
    steps: NDArray[np.int64]
    lost: int

    @property
    def whole(self) -> NDArray[np.int64]:
        """From the last beat on the line to the first beat of each decision."""
        total: NDArray[np.int64] = self.steps.sum(axis=1)
        return total

    def at(self, quantile: float) -> list[int]:
        """The steps of the decision at a quantile of the whole, and the whole."""
        order = np.argsort(self.whole, kind="stable")
        one = order[int(quantile * (len(order) - 1))]
        return [*self.steps[one].tolist(), int(self.whole[one])]


def busiest(events: EventArray, messages: int) -> EventArray:
    """The stretch of so many messages that took the least time, after a snapshot of the book before it.

    Raises:
        DataError: there are fewer, or the book was never valid before one.
    """
    ends = np.flatnonzero(events["flags"] & Flag.LAST)
    if len(ends) <= messages:
        raise DataError(f"{len(ends):,} messages; a burst of {messages:,} needs more")
    times = events["local_ns"][ends]
    spans = times[messages:] - times[:-messages]
    book = Book()
    for at in np.argsort(spans, kind="stable").tolist():
        begin = int(ends[at]) + 1
        book = Book()
        own = events[:begin][events["instrument"][:begin] == 0]
        book.apply_all(own[np.isin(own["kind"], (Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET))])
        if book.valid and book.two_sided:
            burst = events[begin : int(ends[at + messages]) + 1]
            return np.concatenate([snapshot_of(book, int(burst["local_ns"][0])), burst])
    raise DataError("the book of instrument 0 is valid before no message")


def snapshot_of(book: Book, local_ns: int) -> EventArray:
    """The book as one message, received then."""
    levels = [(side, *pair) for side in (Side.BID, Side.ASK) for pair in book.levels(side, 1000)]
    rows = np.zeros(len(levels), EVENT_DTYPE)
    rows["side"], rows["price_ticks"], rows["quantity_lots"] = np.array(levels).T
    rows["kind"], rows["local_ns"], rows["sequence"] = Kind.SNAPSHOT, local_ns, book.sequence
    rows["exchange_ns"] = rows["first_sequence"] = rows["previous_sequence"] = -1
    rows["flags"][0] = Flag.FIRST
    rows["flags"][-1] |= Flag.LAST
    return rows


def arrivals(frames: Frames, received_ns: NDArray[np.int64], mhz: float) -> NDArray[np.int64]:
    """Cycle in which the line brings each beat: a beat a cycle, a frame not before it was received.

    What follows the snapshot at the begin comes when the path is done with that.

    Args:
        received_ns: of each frame.
    """
    sizes = np.diff(np.flatnonzero(frames.ends), prepend=-1)
    passed = np.round(np.diff(received_ns, prepend=received_ns[0]) * (mhz / 1000)).astype(np.int64)
    due = np.cumsum(np.minimum(passed, SILENCE_CYCLES))
    opening = opening_frames(frames)
    due[opening:] += SETTLED_CYCLES + ROW_CYCLES * int(sizes[:opening].sum())
    begins = np.zeros(len(due), np.int64)
    free = 0
    for k, (first, size) in enumerate(zip(due.tolist(), sizes.tolist(), strict=True)):
        begins[k] = max(free, first)
        free = int(begins[k]) + size
    within = np.concatenate([np.arange(size) for size in sizes])
    return (within + np.repeat(begins, sizes)).astype(np.int64)


def opening_frames(frames: Frames) -> int:
    """How many frames the snapshot at the begin takes."""
    ends = np.flatnonzero(frames.ends)
    begins = np.concatenate([[0], ends[:-1] + 1])
    return int(np.argmax(frames.beats[begins] & np.uint64(15) != np.uint64(Kind.SNAPSHOT)))


def play_burst(
    player: DecisionPlayer, name: str, rows: EventArray, mhz: float
) -> tuple[Waterfall, Decisions, Frames]:
    """Messages as they were received, the first one a snapshot; with the decisions.

    The snapshot's own decision is among the words, and not in the waterfall: it is not of the burst.
    """
    frames = encode(rows)
    ends = np.flatnonzero(frames.ends)
    received = frames.beats[np.concatenate([[0], ends[:-1] + 1]) + 1].view(np.int64)
    due = arrivals(frames, received, mhz)
    before = player.read(COUNTED)
    words = player.play(frames, due=due).words
    lost = frames.events - (player.read(COUNTED) - before & 0xFFFFFFFF)
    seconds = (int(received[-1]) - int(received[0])) / 1e9
    steps = steps_of(player, words, due[ends], ends)
    steps = steps[words["number"][~words["void"]] >= opening_frames(frames)]
    return Waterfall(name, frames.events, seconds, steps, lost), words, frames


COUNTED = 0x180
"""Register: events so far."""


def steps_of(
    player: DecisionPlayer, words: Decisions, arrived: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Cycles of each decision, as `STEPS`; of the last play, whose events have the numbers 0, 1, ...

    Args:
        arrived: of each event the cycle in which the line brings its last beat; ends: that beat.
    """
    made = ~words["void"]
    number = words["number"][made].astype(np.int64)
    at = np.stack(
        [
            arrived[number],
            player.stamps(Stamp.TAKEN)[ends[number]],
            player.stamps(Stamp.GIVEN),
            player.stamps(Stamp.DECIDED),
            player.stamps(Stamp.WORD)[made],
        ],
        axis=1,
    )
    steps: NDArray[np.int64] = np.diff(at, axis=1)
    return steps
