"""The run log: one sequence of everything that a desk took in and everything that it did.

An append-only file of checksummed blocks. A block holds a stretch of the run: rows of the market, inputs
from venues and operators, tick and quote records, the bytes of the messages. A message is in the log before
it is sent. Each block names its number and the checksum of the one before, so that what is read is a
beginning of what was written: a block that is cut short, changed or out of order ends the log, and what lies
behind it is worth nothing (`read_log` says how much that is).

Block: ``magic "PYOB" | kind u4 | number u8 | payload bytes u8 | checksum before u4 | checksum u4 | payload``,
CRC-32 over everything but itself, little-endian. A `Stretch` begins with its five lengths.

`LogWriter` writes on a thread of its own: the tick path puts blocks into a queue and never waits for a disk,
but a full queue says so (`full`), and then quoting stops.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyorch.contract.errors import DataError, EnvironmentMissingError
from pyorch.contract.events import EVENT_DTYPE, EventArray
from pyorch.trading.inputs import INPUT_DTYPE, InputArray
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch

MAGIC = b"PYOB"
HEADER = struct.Struct("<4sIQQII")
LENGTHS = struct.Struct("<6Q")
BEGIN, STRETCH, TEXT, END = 1, 2, 3, 4
"""Kinds of block: what runs on what (JSON); a `Stretch`; who ordered what and why (JSON); the run's end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a run.

    Attributes:
        first_row: of the market, of ``events[0]``.
        events: rows of the market, in order.
        inputs: taken in between them; each says before which row.
        batch: what the desk did meanwhile.
    """

    first_row: int
    events: EventArray
    inputs: InputArray
    batch: JournalBatch

    def to_bytes(self) -> bytes:
        """As in the log."""
        parts = (
            self.events.tobytes(),
            self.inputs.tobytes(),
            self.batch.ticks.tobytes(),
            self.batch.quotes.tobytes(),
            self.batch.fix,
        )
        return LENGTHS.pack(self.first_row, *map(len, parts)) + b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Stretch:
        """Read it back."""
        first_row, *lengths = LENGTHS.unpack_from(data)
        ends = itertools.accumulate([LENGTHS.size, *lengths])
        events, inputs, ticks, quotes, fix = (data[a:b] for a, b in itertools.pairwise(ends))
        return cls(
            first_row,
            np.frombuffer(events, EVENT_DTYPE),
            np.frombuffer(inputs, INPUT_DTYPE),
            JournalBatch(np.frombuffer(ticks, TICK_DTYPE), np.frombuffer(quotes, QUOTE_DTYPE), fix),
        )


@dataclass(frozen=True, slots=True)
class RunLog:
    """What a log holds.

    Attributes:
        begin: what ran on what.
        stretches: in order.
        texts: of the operators' orders, in order.
        ended: the run came to its end; otherwise it was cut off.
        blocks: how many were read; size: bytes of the file that belong to them.
        lost: bytes behind the last good block.
    """

    begin: dict[str, Any]
    stretches: list[Stretch]
    texts: list[dict[str, Any]]
    ended: bool
    blocks: int
    size: int
    lost: int

    @property
    def events(self) -> EventArray:
        """All rows of the market."""
        return np.concatenate([np.zeros(0, EVENT_DTYPE), *(s.events for s in self.stretches)])

    @property
    def inputs(self) -> InputArray:
        """All inputs."""
        return np.concatenate([np.zeros(0, INPUT_DTYPE), *(s.inputs for s in self.stretches)])

    @property
    def batch(self) -> JournalBatch:
        """Everything that the desk did."""
        return JournalBatch.join([s.batch for s in self.stretches])


class LogFile(Protocol):
    """Where blocks go; `DiskFile`, or one that fails on command in tests."""

    def write(self, data: bytes) -> None:
        """At the end."""

    def sync(self) -> None:
        """What was written survives a loss of power."""

    def close(self) -> None:
        """No more is written."""


class DiskFile:
    """A file that is only appended to.

    Raises:
        EnvironmentMissingError: it cannot be made or written.
    """

    def __init__(self, path: Path, *, at: int | None = None) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb" if at is None else "r+b", buffering=0)
            if at is not None:
                self._file.truncate(at)
                self._file.seek(at)
        except OSError as error:
            raise EnvironmentMissingError(f"{path}: the log cannot be written: {error}") from error

    def write(self, data: bytes) -> None:
        """At the end, all of it."""
        view = memoryview(data)
        while len(view):
            view = view[self._file.write(view) :]

    def sync(self) -> None:
        """`os.fdatasync`."""
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Sync and close."""
        try:
            if not self._file.closed:
                self.sync()
        finally:
            self._file.close()


def make_block(kind: int, number: int, before: int, payload: bytes) -> tuple[bytes, int]:
    """A block, and its checksum."""
    head = HEADER.pack(MAGIC, kind, number, len(payload), before, 0)[:-4]
    checksum = zlib.crc32(payload, zlib.crc32(head))
    return head + struct.pack("<I", checksum) + payload, checksum


@dataclass
class LogWriter:
    """Writes blocks on a thread of its own.

    Args:
        file: where to; begin: what runs on what, the first block.
        capacity: blocks that may wait; more and `full` holds.
        sync_every: blocks between two syncs, besides those that somebody waits for.
        number, before: of the last block, for a log that is continued.
    """

    file: LogFile
    begin: dict[str, Any] | None
    capacity: int = 256
    sync_every: int = 64
    number: int = 0
    before: int = 0
    _queue: deque[tuple[int, bytes]] = field(default_factory=deque)
    _written: int = 0
    _synced: int = 0
    _wanted: int = 0
    _failed: BaseException | None = None
    _closing: bool = False

    def __post_init__(self) -> None:
        self._written = self._synced = self.number
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="run log", daemon=True)
        self._thread.start()
        if self.begin is not None:
            self.append(BEGIN, json.dumps(self.begin, sort_keys=True).encode())

    @property
    def full(self) -> bool:
        """No further block can be taken: stop quoting, drop nothing."""
        return len(self._queue) >= self.capacity

    def append(self, kind: int, payload: bytes) -> int:
        """Hand over a block; returns its number. Never waits.

        Raises:
            EnvironmentMissingError: writing has failed.
        """
        with self._condition:
            self._check()
            self.number += 1
            block, self.before = make_block(kind, self.number, self.before, payload)
            self._queue.append((self.number, block))
            self._condition.notify_all()
            return self.number

    def wait(self, number: int, synced: bool, timeout_s: float | None = None) -> bool:
        """Until the block is with the operating system, and survives the end of this process.

        Args:
            synced: until it is on the disk, and survives a loss of power.
            timeout_s: no longer; then False.

        Raises:
            EnvironmentMissingError: writing has failed.
        """
        with self._condition:
            if synced:
                self._wanted = max(self._wanted, number)
                self._condition.notify_all()
            self._condition.wait_for(
                lambda: self._failed or (self._synced if synced else self._written) >= number,
                timeout_s,
            )
            self._check()
            return (self._synced if synced else self._written) >= number

    def close(self, timeout_s: float | None = None) -> None:
        """Write what waits, sync, end.

        Raises:
            EnvironmentMissingError: writing has failed, or has not ended after ``timeout_s``.
        """
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EnvironmentMissingError(
                f"the run log hangs after block {self._written}; {len(self._queue)} blocks are not "
                "written: check the disk"
            )
        try:
            self.file.close()
        except Exception as error:  # the last sync may find the disk gone
            self._failed = self._failed or error
        self._check()

    def _check(self) -> None:
        if self._failed is not None:
            raise EnvironmentMissingError(
                f"the run log could not be written after block {self._written}: {self._failed}; "
                "quoting has stopped: free the disk, check it, and begin a new run"
            ) from self._failed

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # handed to whoever appends or waits
            with self._condition:
                self._failed = error
                self._condition.notify_all()

    def _step(self) -> bool:
        with self._condition:
            self._condition.wait_for(
                lambda: self._queue or self._closing or self._wanted > self._synced
            )
            waiting = list(self._queue)
            closing = self._closing
        if waiting:
            self.file.write(b"".join(block for _, block in waiting))
        with self._condition:
            for _ in waiting:
                self._queue.popleft()
            self._written = waiting[-1][0] if waiting else self._written
            due = self._wanted > self._synced or self._written - self._synced >= self.sync_every
            written = self._written
            self._condition.notify_all()
        if due or (closing and written > self._synced):
            self.file.sync()
            with self._condition:
                self._synced = written
                self._condition.notify_all()
        return not (closing and not self._queue)


def blocks_of(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """(kind, number, payload, end) of each good block from the start."""
    at, number, before = 0, 0, 0
    while at + HEADER.size <= len(data):
        magic, kind, found, length, chain, checksum = HEADER.unpack_from(data, at)
        end = at + HEADER.size + length
        if magic != MAGIC or found != number + 1 or chain != before or end > len(data):
            return
        payload = data[at + HEADER.size : end]
        if zlib.crc32(payload, zlib.crc32(data[at : at + HEADER.size - 4])) != checksum:
            return
        yield kind, found, payload, end
        at, number, before = end, found, checksum


def read_log(path: Path) -> RunLog:
    """Read a log to its last good block.

    Raises:
        DataError: there is no good first block.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the log cannot be read: {error}") from error
    return parse_log(data, str(path))


def parse_log(data: bytes, name: str = "log") -> RunLog:
    """Read a log's bytes to the last good block; see `read_log`."""
    begin: dict[str, Any] | None = None
    stretches, texts, ended, blocks, size = [], [], False, 0, 0
    for kind, number, payload, end in blocks_of(data):
        if begin is None:
            if kind != BEGIN:
                break
            begin = json.loads(payload)
        elif kind == STRETCH:
            stretches.append(Stretch.from_bytes(payload))
        elif kind == TEXT:
            texts.append(json.loads(payload))
        ended = kind == END
        blocks, size = number, end
    if begin is None:
        raise DataError(
            f"{name}: {len(data):,} bytes without a good first block; this is no run log, or nothing of "
            "it reached the disk"
        )
    return RunLog(begin, stretches, texts, ended, blocks, size, len(data) - size)
