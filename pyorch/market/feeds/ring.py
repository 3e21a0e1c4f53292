"""A ring of market events in shared memory: one feed process writes, any number of others read.

The slots and their memory ordering are `pyorch/native/feed_ring.hpp`; here is what a reader makes of
losses: after one, every instrument is RESET and reading goes on at the next whole message, and the writer
is asked for snapshots. `NumpyRingReader` is the readable twin, for machines that keep the order of loads.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import (
    EVENT_DTYPE,
    EventArray,
    Flag,
    Instrument,
    event_words,
)
from pyorch.market.feeds.feed_rows import reset_rows

DEFAULT_CAPACITY = 1 << 16
"""Rows; 4.7 MB."""

HEADER_BYTES = 4096


class _Description(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    instruments: list[Instrument]


class FeedRing:
    """The writing side; there is one at a time, and the file stays when it ends.

    Args:
        path: of the ring; best in memory (``/dev/shm``).
        name: what a report calls the feed.
        instruments: what the events' ``instrument`` indexes.
        capacity: rows, a power of two.

    Raises:
        UsageError: another process writes into it, another ring is there, or the place cannot be written.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        instruments: Sequence[Instrument],
        capacity: int = DEFAULT_CAPACITY,
    ) -> None:
        text = msgspec.json.encode(_Description(name, list(instruments))).decode()
        try:
            self._writer = _native.FeedRingWriter(str(path), capacity, text)
        except (RuntimeError, ValueError, IndexError) as error:
            raise UsageError(f"the ring cannot be written: {error}") from error

    def write(self, events: EventArray) -> None:
        """Append rows."""
        if len(events):
            self._writer.write(event_words(events))

    @property
    def published(self) -> int:
        """Rows since the ring was made."""
        return self._writer.published

    @property
    def wanted(self) -> int:
        """How often readers have asked for snapshots."""
        return self._writer.wanted


class FeedRingReader:
    """One reader; it may end at any time.

    Args:
        path: of the ring.
        oldest: begin with what the ring still holds; else with what comes, and a snapshot of each book.
        twin: read with NumPy.

    Raises:
        DataError: there is no ring, or it is damaged.
    """

    def __init__(self, path: Path, *, oldest: bool = False, twin: bool = False) -> None:
        try:
            self._reader = _native.FeedRingReader(str(path), oldest)
            found = msgspec.json.decode(self._reader.description, type=_Description)
        except (RuntimeError, ValueError, msgspec.MsgspecError) as error:
            raise DataError(
                f"{path} cannot be read as a ring of events: {error}; is the feed running?"
            ) from error
        self.name, self.instruments = found.name, tuple(found.instruments)
        self._rows: _native.FeedRingReader | NumpyRingReader = self._reader
        if twin:
            self._rows = NumpyRingReader(path, self._reader.next)
        self._skips = True  # until a message begins
        self._local_ns = 0
        self._reader.want_snapshots()

    def read(self, most: int = 4096) -> EventArray:
        """Up to ``most`` rows, in whole messages but for the last, which goes on with the next call.

        Where rows were lost, a RESET of each instrument stands first.
        """
        words, broken = self._rows.read(most)
        events = np.asarray(words).view(EVENT_DTYPE).reshape(-1)
        if broken:
            self._skips = True
            self._reader.want_snapshots()
        if self._skips and len(events):
            begins = np.flatnonzero(events["flags"] & int(Flag.FIRST))
            self._skips = len(begins) == 0
            events = events[int(begins[0]) :] if len(begins) else events[:0]
        if len(events):
            self._local_ns = int(events["local_ns"][-1])
        return np.concatenate([self._resets(events), events]) if broken else events

    @property
    def lost(self) -> int:
        """Rows that were overwritten before they were read."""
        return self._rows.lost

    @property
    def writers(self) -> int:
        """How many writers the ring has had."""
        return self._reader.writers

    def _resets(self, events: EventArray) -> EventArray:
        local_ns = int(events["local_ns"][0]) if len(events) else self._local_ns
        return reset_rows(len(self.instruments), local_ns)


class NumpyRingReader:
    """Slots read with NumPy: sequence words, rows, sequence words again; what changed is thrown away.

    NumPy knows no fences. That is enough only where the processor keeps loads in order, as x86-64 does; the
    native reader is right everywhere.

    Raises:
        UsageError: this processor may reorder loads.
    """

    def __init__(self, path: Path, next_record: int) -> None:
        if platform.machine() not in ("x86_64", "AMD64"):
            raise UsageError(
                f"a {platform.machine()} may reorder loads, so NumPy cannot read a ring safely here; "
                "use the native reader"
            )
        words = np.memmap(path, np.uint64, mode="r")
        self._capacity = (len(words) * 8 - HEADER_BYTES) // 72
        body = words[HEADER_BYTES // 8 :]
        self._published = words[8:9]
        self._sequences = body[: self._capacity]
        self._words = body[self._capacity :].view(np.int64).reshape(-1, 8)
        self.next = next_record
        self.lost = 0

    def read(self, most: int) -> tuple[NDArray[np.int64], bool]:
        """Up to ``most`` rows, and whether records are missing before the first of them."""
        broken = False
        while True:
            records = np.arange(self.next, self.next + min(most, self._capacity), dtype=np.uint64)
            slots, whole = records % np.uint64(self._capacity), 2 * records + 2
            before = self._sequences[slots]
            rows = self._words[slots]
            after = self._sequences[slots]
            sound = (before == whole) & (after == whole)
            count = len(sound) if sound.all() else int(np.argmin(sound))
            if count or after[0] <= whole[0]:
                self.next += count
                return rows[:count], broken
            at = max(self.next + 1, int(self._published[0]) - self._capacity // 2)
            self.lost += at - self.next
            self.next, broken = at, True
