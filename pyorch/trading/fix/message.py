"""FIX messages as fields, and a byte stream cut into messages.

Framing follows the FIX 4.4 specification, volume 2, "Message Integrity": a message begins with BeginString
and BodyLength and ends with CheckSum; one whose length, checksum or first three fields are wrong is
*garbled*: it is ignored, not counted as received, and found again as a gap. Its end is the first CheckSum at
or behind where BodyLength says, so that a length that is too large takes the next message with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyorch.trading.fix.codec import SOH

Field = tuple[int, bytes]

MAXIMUM_BODY_BYTES = 65_536
"""A BodyLength beyond it is taken as garbled."""
MAXIMUM_OPENING_BYTES = 32
_BEGIN = b"8=FIX"
_OPENING = re.compile(rb"8=(FIX[^\x01]{1,12})\x019=(\d{1,9})\x01")
_TAG = re.compile(rb"-?\d{1,9}")
_CHECKSUM = re.compile(rb"\d{3}")
_TIMESTAMP = re.compile(rb"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")
DATA_OF_LENGTH = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622,
}  # fmt: skip
"""Fields with the length of the next one, whose value may hold any byte."""
_LENGTH = re.compile(rb"\x01(?:%b)=" % b"|".join(b"%d" % tag for tag in DATA_OF_LENGTH))


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose length and checksum are right.

    Attributes:
        raw: its bytes; fields: (tag, value) in order, from BeginString to CheckSum.
    """

    raw: bytes
    fields: tuple[Field, ...]

    def get(self, tag: int) -> bytes | None:
        """The first value of a field; None: it is not there."""
        for found, value in self.fields:
            if found == tag:
                return value
        return None

    def number(self, tag: int) -> int | None:
        """The first value as a whole number; None: it is not there or is none."""
        value = self.get(tag)
        return int(value) if value is not None and re.fullmatch(rb"-?\d{1,18}", value) else None

    def flag(self, tag: int) -> bool:
        """Whether a Boolean field is Y."""
        return self.get(tag) == b"Y"

    @property
    def kind(self) -> str:
        """MsgType."""
        return self.fields[2][1].decode("latin-1")

    @property
    def begin_string(self) -> bytes:
        """The protocol's version."""
        return self.fields[0][1]


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that are no message, and why."""

    raw: bytes
    why: str


@dataclass(slots=True)
class Framer:
    """Cuts a stream; what is not a whole message yet waits."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """Bytes as they arrive."""
        self._buffer += data

    def clear(self) -> None:
        """The connection is another one."""
        self._buffer.clear()

    def next(self) -> Message | Garbled | None:
        """The next message; None: more bytes are needed."""
        start = self._buffer.find(_BEGIN)
        if start != 0:
            if start < 0 and len(self._buffer) < len(_BEGIN):
                return None
            # The last bytes may be the beginning of a message.
            return self._drop(
                start if start > 0 else len(self._buffer) - len(_BEGIN) + 1, "no message"
            )
        opening = _OPENING.match(self._buffer)
        if opening is None:
            if len(self._buffer) < MAXIMUM_OPENING_BYTES and self._buffer.count(SOH) < 2:
                return None
            return self._skip("BodyLength is not the second field")
        body = opening.end()
        length = int(opening[2])
        if length > MAXIMUM_BODY_BYTES:
            return self._skip(f"BodyLength {length} is beyond {MAXIMUM_BODY_BYTES}")
        mark = self._buffer.find(b"\x0110=", body + length - 1)
        end = self._buffer.find(SOH, mark + 4) if mark >= 0 else -1
        if end < 0:
            if len(self._buffer) > body + length + MAXIMUM_BODY_BYTES:
                return self._skip("there is no CheckSum")
            return None
        raw = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if mark + 1 != body + length:
            return Garbled(raw, f"BodyLength is {length}, not {mark + 1 - body}")
        checksum = raw[mark + 4 : -1]
        if not _CHECKSUM.fullmatch(checksum) or int(checksum) != sum(raw[: mark + 1]) & 0xFF:
            return Garbled(raw, f"CheckSum is {checksum!r}, not {sum(raw[: mark + 1]) & 0xFF:03d}")
        fields = parse_fields(raw)
        if fields is None:
            return Garbled(raw, "a field is not tag=value")
        if fields[2][0] != 35 or not fields[2][1]:
            return Garbled(raw, "MsgType is not the third field")
        return Message(raw, fields)

    def _skip(self, why: str) -> Garbled:
        following = self._buffer.find(_BEGIN, 1)
        return self._drop(following if following > 0 else len(self._buffer) - len(_BEGIN) + 1, why)

    def _drop(self, count: int, why: str) -> Garbled:
        count = max(count, 1)
        raw = bytes(self._buffer[:count])
        del self._buffer[:count]
        return Garbled(raw, why)


def parse_fields(raw: bytes) -> tuple[Field, ...] | None:
    """The fields of a message; None: one is not ``tag=value``."""
    if not _LENGTH.search(raw):
        return _plain_fields(raw)
    fields: list[Field] = []
    at, expected, size = 0, 0, 0
    while at < len(raw):
        equals = raw.find(b"=", at)
        end = raw.find(SOH, at)
        if equals < 0 or end < 0 or equals > end or not _TAG.fullmatch(raw, at, equals):
            return None
        tag = int(raw[at:equals])
        if tag == expected and raw[equals + 1 + size : equals + 2 + size] == SOH:
            end = equals + 1 + size  # data, which may hold any byte
        value = raw[equals + 1 : end]
        expected = 0
        if tag in DATA_OF_LENGTH and value.isdigit() and len(value) < 6:
            expected, size = DATA_OF_LENGTH[tag], int(value)
        fields.append((tag, value))
        at = end + 1
    return tuple(fields) if len(fields) >= 4 else None


def _plain_fields(raw: bytes) -> tuple[Field, ...] | None:
    """Without data fields a separator ends a field."""
    fields: list[Field] = []
    for part in raw[:-1].split(SOH):
        tag, equals, value = part.partition(b"=")
        if not equals or not (tag.isdigit() or _TAG.fullmatch(tag)) or len(tag) > 9:
            return None
        fields.append((int(tag), value))
    return tuple(fields) if len(fields) >= 4 else None


def read_message(raw: bytes) -> Message:
    """A stored message, which was right when it was written."""
    fields = parse_fields(raw)
    assert fields is not None
    return Message(raw, fields)


def write_message(begin_string: bytes, fields: Iterable[Field]) -> bytes:
    """The bytes of a message, from MsgType on; lengths and checksum are added."""
    body = b"".join(b"%d=%b\x01" % one for one in fields)
    head = b"8=%b\x019=%d\x01" % (begin_string, len(body)) + body
    return head + b"10=%03d\x01" % (sum(head) & 0xFF)


def timestamp_ns(text: bytes) -> int | None:
    """A UTCTimestamp as nanoseconds since 1970; None: it is none."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[part]) for part in range(1, 7))
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    if second > 60:
        return None
    leap = second - min(second, 59)
    fraction = int((match[7] or b"0").ljust(9, b"0"))
    return (int(moment.timestamp()) + leap) * 1_000_000_000 + fraction
