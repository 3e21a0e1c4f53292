"""The same events on a Kafka topic: for machines that record, research or show, never on the tick's path.

A record is a whole message of market events: its rows as they are (`EVENT_DTYPE`, 64 bytes each). Headers:
``session`` (16 random bytes in hex, one writer from start to end) and ``number`` (of the record in its
session, decimal, from 0). Before the first record, and again every `INTRODUCED` records, stands one with the
header ``instruments``: its value is what the events' ``instrument`` indexes, in JSON. All records are in one
partition, so that their order stays. The writer asks for idempotence and every replica's word.

A reader that finds numbers missing, another session, or bytes that are no rows, counts it and RESETs every
instrument, as readers of a ring do; numbers that it has had are skipped and counted.
"""

from __future__ import annotations

import secrets
import tomllib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pyorch.contract.errors import DataError, DeviceError, EnvironmentMissingError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind, Side
from pyorch.market.feeds.feed_rows import reset_rows

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, Producer

Headers = list[tuple[str, str | bytes | None]]
PARTITION = 0
INTRODUCED = 10_000
"""Records after which the instruments are said again, for readers whose topic has lost the first ones."""
FLUSH_S = 30.0
WRITES: dict[str, object] = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}
READS: dict[str, object] = {
    "enable.auto.commit": False, "auto.offset.reset": "earliest", "group.id": "pyorch",
}  # fmt: skip
"""A group's name is wanted by the library; offsets are never committed, partitions are assigned by hand."""


def kafka_settings(brokers: str, file: Path | None = None) -> dict[str, object]:
    """librdkafka's settings: the brokers, and those of a TOML file (users and passwords belong there).

    Raises:
        UsageError: the file cannot be read, or is no flat table.
    """
    settings: dict[str, object] = {}
    if file is not None:
        try:
            settings = tomllib.loads(file.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{file}: no settings of Kafka: {error}") from error
        nested = [key for key, value in settings.items() if isinstance(value, (dict, list))]
        if nested:
            raise UsageError(
                f'{file}: {nested[0]} is a table; keys are librdkafka\'s, in quotes: "sasl.username" = "..."'
            )
    return settings | {"bootstrap.servers": brokers}


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise EnvironmentMissingError(
            "topics need the extra `kafka`: pip install 'pyorch[kafka]'"
        ) from error
    return confluent_kafka


def whole_messages(events: EventArray) -> list[EventArray]:
    """Rows cut behind each last row of a message; rows of a message without its end are the last piece."""
    ends = np.flatnonzero(events["flags"] & int(Flag.LAST)) + 1
    return [piece for piece in np.split(events, ends) if len(piece)]


class TopicWriter:
    """Writes events to a topic; they are sent on the library's own threads.

    Args:
        settings: librdkafka's, with ``bootstrap.servers``.
        instruments: what the events' ``instrument`` indexes.

    Attributes:
        records: written so far, without introductions.
    """

    def __init__(
        self, settings: Mapping[str, object], topic: str, instruments: Sequence[Instrument]
    ) -> None:
        kafka = _library()
        self.topic, self.records = topic, 0
        self._introduction = msgspec.json.encode(list(instruments))
        self._session = secrets.token_hex(16).encode()
        self._failed: list[str] = []
        self._full = BufferError
        try:
            self._producer: Producer = kafka.Producer(WRITES | dict(settings))
        except kafka.KafkaException as error:
            raise UsageError(f"Kafka refuses the settings: {error}") from error

    def write(self, events: EventArray) -> None:
        """Append whole messages.

        Raises:
            UsageError: the last message has no end.
            DeviceError: an earlier record was not delivered.
        """
        for rows in whole_messages(events):
            if not int(rows["flags"][-1]) & int(Flag.LAST):
                raise UsageError("a message without its last row; give whole messages")
            if self.records % INTRODUCED == 0:
                self._send(self._introduction, [("instruments", b"1")])
            self._send(rows.tobytes(), [])
            self.records += 1
        self._producer.poll(0)
        self._raise_failed()

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Until everything is delivered.

        Raises:
            DeviceError: it is not, in time or at all.
        """
        left = self._producer.flush(timeout_s)
        self._raise_failed()
        if left:
            raise DeviceError(
                f"{left:,} records of {self.topic} are not delivered after {timeout_s:g} s; are the "
                "brokers there?"
            )

    def _send(self, value: bytes, headers: Headers) -> None:
        known: Headers = [("session", self._session), ("number", b"%d" % self.records)]
        while True:
            try:
                self._producer.produce(
                    self.topic, value, partition=PARTITION, headers=known + headers,
                    on_delivery=self._delivered,
                )  # fmt: skip
                return
            except BufferError:  # the library's queue is full: let it send
                self._producer.poll(0.1)

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _raise_failed(self) -> None:
        if self._failed:
            raise DeviceError(
                f"{len(self._failed):,} records of {self.topic} were not delivered: {self._failed[0]}"
            )


class TopicReader:
    """Reads events from a topic, from its oldest record on.

    Attributes:
        instruments: of the session that is read; empty before the first introduction.
        counts: records, rows, lost (records), again, unreadable, sessions.
    """

    def __init__(self, settings: Mapping[str, object], topic: str) -> None:
        kafka = _library()
        self.topic = topic
        self.instruments: tuple[Instrument, ...] = ()
        self.counts: Counter[str] = Counter()
        self._end = kafka.KafkaError._PARTITION_EOF
        self._session, self._next = b"", 0
        self._local_ns = 0
        self._pieces: deque[EventArray] = deque()
        try:
            self._consumer: Consumer = kafka.Consumer(
                READS | dict(settings) | {"enable.partition.eof": True}
            )
        except kafka.KafkaException as error:
            raise UsageError(f"Kafka refuses the settings: {error}") from error
        self._consumer.assign([kafka.TopicPartition(topic, PARTITION, kafka.OFFSET_BEGINNING)])

    def read(self, timeout_s: float = 1.0, most: int = 4096) -> tuple[EventArray, bool]:
        """Rows of the next records, and whether the topic's present end was reached.

        Raises:
            DeviceError: the brokers answer with an error.
            DataError: another session has other instruments; a tape has one list of them.
        """
        ended = False
        for message in self._consumer.consume(most, timeout_s):
            fault = message.error()
            if fault is None:
                self._take(message)
            elif fault.code() == self._end:
                ended = True
            else:
                raise DeviceError(f"{self.topic} cannot be read: {fault.str()}")
        rows = list(self._pieces)
        self._pieces.clear()
        return np.concatenate([np.zeros(0, EVENT_DTYPE), *rows]), ended

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        found: Any = message.headers() or []
        headers: dict[str, bytes] = dict(found)
        value = message.value() or b""
        try:
            session, number = headers["session"], int(headers["number"])
            introduction = (
                msgspec.json.decode(value, type=list[Instrument])
                if "instruments" in headers
                else None
            )
        except (KeyError, ValueError, TypeError, msgspec.MsgspecError):
            self._break("unreadable")
            return
        if introduction is not None:
            self._introduce(tuple(introduction), session, number)
            return
        if session != self._session:
            self.counts["lost"] += 1  # nobody has said what its instruments are
            return
        if number < self._next:
            self.counts["again"] += 1
            return
        if number > self._next:
            self._break("lost", number - self._next)
        self._next = number + 1
        rows = _rows_of(value, len(self.instruments))
        if rows is None:
            self._break("unreadable")
            return
        self.counts["records"] += 1
        self.counts["rows"] += len(rows)
        self._local_ns = max(self._local_ns, int(rows["local_ns"][-1]))
        self._pieces.append(rows)

    def _introduce(self, instruments: tuple[Instrument, ...], session: bytes, number: int) -> None:
        if self.instruments and instruments != self.instruments:
            raise DataError(
                f"{self.topic}: another session has {len(instruments)} other instruments; give each list of "
                "instruments a topic of its own"
            )
        if session == self._session:
            return
        self.instruments = instruments
        if self._session:
            self._break("sessions")
        else:
            self.counts["sessions"] += 1
        self._session, self._next = session, number

    def _break(self, why: str, count: int = 1) -> None:
        """Count, and say to whoever follows the books that they are void."""
        self.counts[why] += count
        if self.instruments:
            self._pieces.append(reset_rows(len(self.instruments), self._local_ns))


def _rows_of(value: bytes, instruments: int) -> EventArray | None:
    """A record's rows; None: it has none, or what no writer writes."""
    if not value or len(value) % EVENT_DTYPE.itemsize:
        return None
    rows = np.frombuffer(value, EVENT_DTYPE)
    good = (
        (rows["kind"] <= max(Kind))
        & (rows["side"] <= max(Side))
        & (rows["instrument"] < instruments)
    )
    flags = rows["flags"]
    whole = flags[0] & int(Flag.FIRST) and (flags & int(Flag.LAST)).nonzero()[0].tolist() == [
        len(rows) - 1
    ]
    return rows if bool(good.all()) and whole else None
