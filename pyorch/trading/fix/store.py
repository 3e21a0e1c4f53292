"""A session's records on disk: appended, checksummed and chained like the run log's blocks.

A record is in the file whole, or it ends the file: what a kill cut off is dropped when the store is opened
again, and the session goes on from the record before it. Opening rewrites nothing but that torn end.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Protocol

from pyorch.contract.errors import DataError
from pyorch.trading.fix.message import Message, read_message
from pyorch.trading.fix.session_terms import Record, RecordKind, SessionState
from pyorch.trading.log import DiskFile, blocks_of, make_block

_HEAD = struct.Struct("<QQ")


class Store(Protocol):
    """Where records go."""

    records: list[Record]

    def keep(self, record: Record) -> None:
        """It outlives the process when this returns."""


class MemoryStore:
    """Records in memory, for tests and sessions that begin anew each time."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def keep(self, record: Record) -> None:
        """At the end."""
        self.records.append(record)


class DiskStore:
    """Records in a file.

    Args:
        durable: a record survives a loss of power, not only the end of the process.

    Attributes:
        records: those that were found when it was opened; lost: bytes of a torn end.

    Raises:
        DataError: the file is no store.
        EnvironmentMissingError: it cannot be made or written.
    """

    def __init__(self, path: Path, durable: bool = False) -> None:
        self._durable = durable
        data = path.read_bytes() if path.exists() else b""
        self.records: list[Record] = []
        self._number, self._before, size = 0, 0, 0
        for kind, number, payload, end in blocks_of(data):
            sequence, local_ns = _HEAD.unpack_from(payload)
            self.records.append(Record(RecordKind(kind), sequence, local_ns, payload[_HEAD.size :]))
            self._number, size = number, end
            self._before = struct.unpack_from("<I", data, end - len(payload) - 4)[0]
        self.lost = len(data) - size
        if data and not self.records and len(data) > 4096:
            raise DataError(
                f"{path}: {len(data):,} bytes without a good first record; this is no session store, or "
                "its beginning is damaged: agree on sequence numbers with the other side, then move it away"
            )
        self._file = DiskFile(path, at=size if path.exists() else None)

    def keep(self, record: Record) -> None:
        """Write it whole."""
        self._number += 1
        payload = _HEAD.pack(record.number, record.local_ns) + record.raw
        block, self._before = make_block(record.kind, self._number, self._before, payload)
        self._file.write(block)
        if self._durable:
            self._file.sync()

    def close(self) -> None:
        """No more is written."""
        self._file.close()


def state_of(records: list[Record]) -> SessionState:
    """Where a session stands after its records."""
    state = SessionState()
    for record in records:
        state.take(record)
    return state


def taken_messages(records: list[Record]) -> list[Message]:
    """What the application was given, in order; it makes its own state again from them."""
    return [read_message(one.raw) for one in records if one.kind is RecordKind.TAKEN and one.raw]
