"""Streams of events as benches play them: frames as a bad line delivers them, messages doubled and lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.book import Book
from pyorch.market.wire import Beats, Frames

FAULTS = 7


def joined(frames: Sequence[Beats]) -> Frames:
    """Frames one after the other."""
    ends = np.concatenate([np.arange(len(one)) == len(one) - 1 for one in frames])
    return Frames(np.concatenate(frames), ends, len(frames))


def spoilt(frames: Sequence[Beats], rng: np.random.Generator, share: float) -> list[Beats]:
    """A share of them lost, doubled, swapped, cut, a bit flipped, a foreign one behind, or a head behind."""
    result: list[Beats] = []
    for frame in frames:
        if rng.random() >= share:
            result.append(frame)
            continue
        what = int(rng.integers(FAULTS))  # 0: lost
        if what == 1:
            result += [frame, frame]
        elif what == 2 and result:
            result.insert(-1, frame)
        elif what == 3:
            result.append(frame[: int(rng.integers(1, len(frame) + 1))])
        elif what == 4:
            changed = frame.copy()
            changed[rng.integers(len(frame))] ^= np.uint64(1) << np.uint64(rng.integers(64))
            result.append(changed)
        elif what == 5:
            result += [frame, rng.integers(0, 2**63, rng.integers(1, 9), dtype=np.uint64)]
        elif what == 6:
            result.append(np.concatenate([frame, frame[:2]]))
    return result


def with_snapshots(events: EventArray, every: int) -> EventArray:
    """The rows with a snapshot of the book after each so many messages; some messages twice, some lost."""
    book, parts, begin = Book(), [], 0
    ends = np.flatnonzero(events["flags"] & Flag.LAST) + 1
    for number, end in enumerate(ends.tolist()):
        message = events[begin:end]
        begin = end
        if number % 97 != 50:
            parts.append(message)
        if number % 17 == 0:
            parts.append(message)
        if message["instrument"][0] == 0:
            book.apply_all(message)
        if number % every == every - 1 and book.valid:
            levels = [
                (side, *pair) for side in (Side.BID, Side.ASK) for pair in book.levels(side, 30)
            ]
            rows = np.zeros(len(levels), EVENT_DTYPE)
            rows["side"], rows["price_ticks"], rows["quantity_lots"] = np.array(levels).T
            rows["kind"], rows["local_ns"] = Kind.SNAPSHOT, message["local_ns"][-1]
            rows["sequence"] = book.sequence
            rows["flags"][0], rows["flags"][-1] = Flag.FIRST, rows["flags"][-1] | Flag.LAST
            parts.append(rows)
    return np.concatenate(parts)


def together(markets: list[EventArray]) -> EventArray:
    """Markets of one instrument each as one line, by whole messages in the order of their times."""
    parts: list[tuple[int, int, EventArray]] = []
    for number, events in enumerate(markets):
        begin = 0
        for end in (np.flatnonzero(events["flags"] & Flag.LAST) + 1).tolist():
            message = events[begin:end].copy()
            message["instrument"] = number
            parts.append((int(message["local_ns"][-1]), len(parts), message))
            begin = end
    return np.concatenate([message for _, _, message in sorted(parts, key=lambda one: one[:2])])
