"""A tape: market events in receive order with their instruments, stored as Parquet.

Columns are the fields of `EVENT_DTYPE`; the file's metadata holds one JSON object under ``pyorch.tape``
(format version, name, instruments, counts, the events' digest, and a digest of these). A reader refuses a
file of which either does not hold.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pyorch.contract.digest import canonical_json, digest_of, write_atomically
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind, Side

METADATA_KEY = b"pyorch.tape"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Market events of one session.

    Attributes:
        events: rows of `EVENT_DTYPE` in receive order; ``local_ns`` never decreases; read-only.
        instruments: what ``events["instrument"]`` indexes.
        name: what a report calls it.
        counts: what ingestion or the simulator counted.

    Raises:
        DataError: the rows contradict this description.
    """

    events: EventArray
    instruments: tuple[Instrument, ...]
    name: str
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.events, self.instruments, self.name)
        self.events.flags.writeable = False

    def digest(self) -> str:
        """SHA-256, in hex, of the instruments and every byte of the events."""
        whole = hashlib.sha256(canonical_json([asdict(one) for one in self.instruments]))
        whole.update(np.ascontiguousarray(self.events).data.cast("B") if len(self.events) else b"")
        return whole.hexdigest()

    @property
    def duration_s(self) -> float:
        """Seconds between the first and the last row."""
        if len(self.events) == 0:
            return 0.0
        local_ns = self.events["local_ns"]
        return int(local_ns[-1] - local_ns[0]) / 1e9


def merge_tapes(first: Tape, second: Tape) -> Tape:
    """One tape of two, in the order of local time; of equal times the first's rows come first.

    The second's instruments follow the first's; its counts get the prefix ``second_``.

    Raises:
        DataError: they do not overlap in local time.
    """
    if len(first.events) and len(second.events):
        edges = [
            (int(one["local_ns"][0]), int(one["local_ns"][-1]))
            for one in (first.events, second.events)
        ]
        apart_ns = max(start for start, _ in edges) - min(end for _, end in edges)
        if apart_ns > 0:
            raise DataError(
                f"{first.name} and {second.name} do not overlap in local time: {apart_ns / 1e9:,.0f} s lie "
                "between them; give tapes of the same minutes"
            )
    more = second.events.copy()
    more["instrument"] += len(first.instruments)
    events = np.concatenate([first.events, more])
    return Tape(
        events[np.argsort(events["local_ns"], kind="stable")],
        first.instruments + second.instruments,
        first.name,
        first.counts | {f"second_{key}": count for key, count in second.counts.items()},
    )


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    name: str
    instruments: list[Instrument]
    counts: dict[str, int]
    digest: str
    header_digest: str


def write_tape(path: Path, tape: Tape) -> None:
    """Write a tape whole or not at all, as Parquet compressed with zstd.

    Raises:
        UsageError: the path cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    header = {
        "version": FORMAT_VERSION,
        "name": tape.name,
        "instruments": [asdict(one) for one in tape.instruments],
        "counts": tape.counts,
        "digest": tape.digest(),
    }
    header["header_digest"] = digest_of(header)
    columns = {name: np.ascontiguousarray(tape.events[name]) for name in EVENT_DTYPE.names or ()}
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: canonical_json(header)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; choose another place"
        ) from error


def read_tape(path: Path) -> Tape:
    """Read a tape and check it against its digest.

    Raises:
        DataError: there is no such file, or it is truncated, garbled, foreign or of another version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(
            f"{path}: no such tape; write one with `pyorch ingest` or `pyorch simulate-market`"
        )
    try:
        table = pq.read_table(path, memory_map=False)
        names, text = table.column_names, (table.schema.metadata or {}).get(METADATA_KEY)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path}: not a readable Parquet file, or cut short ({path.stat().st_size:,} bytes): "
            f"{_first_line(error)}; write it again with `pyorch ingest`"
        ) from error
    if text is None:
        raise DataError(
            f"{path}: a Parquet file, but not a tape: its metadata has no {METADATA_KEY.decode()!r}; "
            "write tapes with `pyorch ingest`"
        )
    header = _header(path, text)
    if tuple(names) != EVENT_DTYPE.names:
        raise DataError(f"{path}: columns {names}, a tape has {list(EVENT_DTYPE.names or ())}")
    try:
        tape = Tape(_events(table), tuple(header.instruments), header.name, header.counts)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if tape.digest() != header.digest:
        raise DataError(
            f"{path}: its {len(tape.events):,} events have digest {tape.digest()[:16]}, its metadata "
            f"says {header.digest[:16]}: the file was damaged or edited; write it again"
        )
    return tape


def _header(path: Path, text: bytes) -> _Header:
    try:
        plain = msgspec.json.decode(text, type=dict[str, Any])
        if plain.get("version") != FORMAT_VERSION:
            raise DataError(
                f"{path}: tape format {plain.get('version')}, this program reads {FORMAT_VERSION}; "
                "ingest it again"
            )
        header = msgspec.convert(plain, _Header)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(
            f"{path}: the tape's metadata cannot be read: {_first_line(error)}; write it again"
        ) from error
    if digest_of({k: v for k, v in plain.items() if k != "header_digest"}) != header.header_digest:
        raise DataError(f"{path}: the tape's metadata was damaged or edited; write it again")
    return header


def _events(table: Any) -> EventArray:
    events = np.zeros(table.num_rows, EVENT_DTYPE)
    for name in EVENT_DTYPE.names or ():
        column = table.column(name)
        if column.null_count:
            raise DataError(f"column {name} lacks {column.null_count:,} values")
        values = column.to_numpy()
        if values.dtype != EVENT_DTYPE[name]:
            raise DataError(f"column {name} is {values.dtype}, a tape's {EVENT_DTYPE[name]}")
        events[name] = values
    return events


def _check(events: EventArray, instruments: tuple[Instrument, ...], name: str) -> None:
    if events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise DataError(f"tape {name}: rows of {events.dtype}, not of EVENT_DTYPE")
    if not instruments:
        raise DataError(f"tape {name}: no instrument is named; at least one is needed")
    if len(events) == 0:
        return
    for column, limit in (
        ("instrument", len(instruments)),
        ("kind", len(Kind)),
        ("side", len(Side)),
    ):
        largest = int(events[column].max())
        if largest >= limit:
            row = int(np.argmax(events[column] >= limit))
            raise DataError(
                f"tape {name}: row {row:,} has {column} {largest}, the limit is {limit - 1}"
            )
    backwards = np.flatnonzero(np.diff(events["local_ns"]) < 0)
    if len(backwards):
        raise DataError(
            f"tape {name}: local time runs backwards {len(backwards):,} times, first at row "
            f"{int(backwards[0]) + 1:,}; a tape is in receive order"
        )
    if not events["flags"][-1] & Flag.LAST:
        raise DataError(
            f"tape {name}: the last row does not end its message: the tape is cut short"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
