"""Packets on the line, as `packet_receiver.sv` and `packet_transmitter.sv` read and write them.

A packet lies between two flag bytes; a flag or escape byte inside is sent as escape and the byte with bit 5
toggled. Its body is a header of five bytes (session, sequence, kind or status), a payload, and the CRC-32 of
both, all little-endian. `docs/serial.md` says it in words.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

FLAG, ESCAPE, TOGGLE = 0x7E, 0x7D, 0x20
HEADER = struct.Struct("<HHB")
CHECK = struct.Struct("<I")
BUFFER = 2048
"""Bytes of a body, and of the results of a program, that the bridge holds."""
OVERHEAD = HEADER.size + CHECK.size
FLAGS = 2


class Kind(IntEnum):
    """Kinds of requests."""

    CONNECT = 1
    RUN = 2


class Status(IntEnum):
    """What an answer says."""

    OK = 0
    DAMAGED = 1
    STRANGER = 2
    ORDER = 3
    PROGRAM = 4
    BUS = 5
    TIMEOUT = 6
    LONG_RESULT = 7


class Command(IntEnum):
    """Commands of a program."""

    WRITE = 1
    READ = 2
    FRAME = 3


@dataclass(frozen=True, slots=True)
class Packet:
    """A whole packet.

    Attributes:
        kind: of a request, or the status of an answer.
    """

    session: int
    sequence: int
    kind: int
    payload: bytes

    def encode(self) -> bytes:
        """The bytes on the line."""
        body = HEADER.pack(self.session, self.sequence, self.kind) + self.payload
        body += CHECK.pack(zlib.crc32(body))
        text = bytearray([FLAG])
        for byte in body:
            if byte in (FLAG, ESCAPE):
                text += bytes((ESCAPE, byte ^ TOGGLE))
            else:
                text.append(byte)
        text.append(FLAG)
        return bytes(text)


@dataclass(slots=True)
class Deframer:
    """Bytes of the line in, whole packets out; what is not whole is counted.

    Attributes:
        accepted: packets that came whole.
        damaged: packets with a wrong CRC, too short, or wrongly escaped.
        too_long: packets longer than ``limit`` bytes.
    """

    limit: int = BUFFER
    accepted: int = 0
    damaged: int = 0
    too_long: int = 0
    _body: bytearray = field(default_factory=bytearray)
    _some: bool = False
    _escaped: bool = False
    _broken: bool = False

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that these bytes complete."""
        found = []
        for byte in data:
            if byte == FLAG:
                packet = self._end()
                if packet is not None:
                    found.append(packet)
                continue
            self._some = True
            if byte == ESCAPE:
                self._broken |= self._escaped
                self._escaped = True
                continue
            if len(self._body) <= self.limit:  # one more than the limit marks it as too long
                self._body.append(byte ^ TOGGLE if self._escaped else byte)
            self._escaped = False
        return found

    def _end(self) -> Packet | None:
        body, some, wrong = bytes(self._body), self._some, self._escaped or self._broken
        self._body.clear()
        self._some = self._escaped = self._broken = False
        if not some:
            return None
        if len(body) > self.limit:
            self.too_long += 1
            return None
        if wrong or len(body) < OVERHEAD or zlib.crc32(body[:-4]) != CHECK.unpack(body[-4:])[0]:
            self.damaged += 1
            return None
        self.accepted += 1
        session, sequence, kind = HEADER.unpack(body[: HEADER.size])
        return Packet(session, sequence, kind, body[HEADER.size : -CHECK.size])
