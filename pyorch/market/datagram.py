"""Market events in UDP datagrams: how a sender makes an Ethernet frame, and what a receiver makes of any.

`docs/udp.md` states both in words; `firmware/rtl/datagram_check.sv` and the blocks in it are the fabric's
receiver. A payload is the beats of one frame of `pyorch.market.wire`, little-endian.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import AddressValueError, IPv4Address

import numpy as np

from pyorch.contract.errors import UsageError
from pyorch.market.wire import FRAME_BEATS, Beats

SHORTEST, LONGEST = 64, 1518
"""Bytes of an Ethernet frame, check sequence included."""
ETHERNET_BYTES, IP_BYTES, UDP_BYTES, FCS_BYTES = 14, 20, 8, 4
PAYLOAD_AT = ETHERNET_BYTES + IP_BYTES + UDP_BYTES
IPV4, UDP = 0x0800, 17
PREAMBLE_BYTES = 8
"""Before a frame, the start delimiter included."""
GAP_BYTES = 12
"""Between two frames, at least."""


class Verdict(IntEnum):
    """What becomes of a carrier on the line; the first that holds, in the order of `judge`."""

    ACCEPTED = 0
    NO_START = 1
    """No start delimiter behind the preamble."""
    BAD_SYMBOL = 2
    """The PHY told of an error."""
    TRUNCATED = 3
    """Shorter than 64 bytes, than its headers say, or not of whole bytes."""
    OVERSIZE = 4
    """Longer than 1,518 bytes."""
    BAD_FCS = 5
    OTHER_MAC = 6
    OTHER_TYPE = 7
    """Not IPv4; a VLAN tag is one, too."""
    BAD_HEADER = 8
    """IPv4: version, options, or a length below that of the headers."""
    FRAGMENT = 9
    OTHER_PROTOCOL = 10
    OTHER_ADDRESS = 11
    HEADER_CHECKSUM = 12
    OTHER_PORT = 13
    BAD_LENGTH = 14
    """UDP: contradicts IPv4's, or the payload is none or not of whole beats."""
    BAD_CHECKSUM = 15
    """UDP: wrong, and not 0."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What one line listens to.

    Attributes:
        address: IPv4; a multicast group, or our own address.
        mac: our own, for a unicast address.
    """

    address: int
    port: int
    mac: int = 0

    @property
    def destination_mac(self) -> int:
        """Where frames for it go: the group's address (RFC 1112), or our own."""
        if self.address >> 28 == 0xE:
            return 0x01005E << 24 | self.address & 0x7FFFFF
        return self.mac

    @classmethod
    def parse(cls, text: str, mac: int = 0) -> Listener:
        """From ``ADDRESS:PORT``.

        Raises:
            UsageError: not an IPv4 address, or a port outside 1…65535.
        """
        address, _, port = text.partition(":")
        try:
            listener = cls(int(IPv4Address(address)), int(port), mac)
        except (AddressValueError, ValueError):
            listener = cls(0, 0)
        if not 0 < listener.port < 1 << 16:
            raise UsageError(
                f"{text!r} is no address to listen to; give ADDRESS:PORT, as 239.1.1.1:30001"
            )
        return listener


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, as IPv4 and UDP have it (RFC 1071)."""
    total = sum(
        int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ethernet_frame(
    beats: Beats,
    to: Listener,
    *,
    source: int = 0x0A000001,
    source_mac: int = 0x020000000001,
    checksum: bool = True,
) -> bytes:
    """A frame of events as an Ethernet frame: from the destination to the check sequence, padded.

    Raises:
        UsageError: no beat, or more than a datagram holds.
    """
    if not 0 < len(beats) <= FRAME_BEATS:
        raise UsageError(f"{len(beats)} beats in a datagram: give 1…{FRAME_BEATS}")
    payload = np.ascontiguousarray(beats).astype("<u8").tobytes()
    length = UDP_BYTES + len(payload)
    header = bytearray(IP_BYTES)
    header[0], header[6], header[8], header[9] = 0x45, 0x40, 64, UDP
    header[2:4] = (IP_BYTES + length).to_bytes(2, "big")
    header[12:20] = source.to_bytes(4, "big") + to.address.to_bytes(4, "big")
    header[10:12] = (ones_sum(bytes(header)) ^ 0xFFFF).to_bytes(2, "big")
    datagram = bytearray(to.port.to_bytes(2, "big") * 2 + length.to_bytes(2, "big") + b"\0\0")
    datagram += payload
    if checksum:
        found = ones_sum(_pseudo_header(bytes(header), length) + bytes(datagram)) ^ 0xFFFF
        datagram[6:8] = (found or 0xFFFF).to_bytes(2, "big")
    macs = to.destination_mac.to_bytes(6, "big") + source_mac.to_bytes(6, "big")
    return sealed(macs + IPV4.to_bytes(2, "big") + bytes(header) + bytes(datagram))


def sealed(content: bytes) -> bytes:
    """Padded to the least length, and the check sequence behind it."""
    content = content.ljust(SHORTEST - FCS_BYTES, b"\0")
    return content + zlib.crc32(content).to_bytes(4, "little")


def _pseudo_header(header: bytes, length: int) -> bytes:
    return header[12:20] + bytes([0, UDP]) + length.to_bytes(2, "big")


def judge(
    frame: bytes,
    listener: Listener,
    *,
    started: bool = True,
    bad_symbol: bool = False,
    half: bool = False,
) -> tuple[Verdict, Beats]:
    """What becomes of a carrier, and the beats of its payload if it is accepted.

    Args:
        frame: the bytes behind the start delimiter.
        started: there was one. bad_symbol: the PHY told of an error. half: a nibble was left over.
    """
    found = _fault(frame, listener, started, bad_symbol, half)
    if found is not None:
        return found, np.zeros(0, np.uint64)
    length = int.from_bytes(frame[38:40], "big") - UDP_BYTES
    payload = frame[PAYLOAD_AT : PAYLOAD_AT + length]
    return Verdict.ACCEPTED, np.frombuffer(payload, "<u8").astype(np.uint64)


def _fault(
    frame: bytes, listener: Listener, started: bool, bad_symbol: bool, half: bool
) -> Verdict | None:
    """The first fault, in the order in which the fabric finds it."""
    if not started:
        return Verdict.NO_START
    if bad_symbol:
        return Verdict.BAD_SYMBOL
    if len(frame) < SHORTEST or half:
        return Verdict.TRUNCATED
    if len(frame) > LONGEST:
        return Verdict.OVERSIZE
    if zlib.crc32(frame[:-FCS_BYTES]) != int.from_bytes(frame[-FCS_BYTES:], "little"):
        return Verdict.BAD_FCS
    header = frame[ETHERNET_BYTES : ETHERNET_BYTES + IP_BYTES]
    datagram = frame[ETHERNET_BYTES + IP_BYTES :]
    total, length = int.from_bytes(header[2:4], "big"), int.from_bytes(datagram[4:6], "big")
    for wrong, verdict in (
        (int.from_bytes(frame[:6], "big") != listener.destination_mac, Verdict.OTHER_MAC),
        (int.from_bytes(frame[12:14], "big") != IPV4, Verdict.OTHER_TYPE),
        (header[0] != 0x45 or total < IP_BYTES + UDP_BYTES, Verdict.BAD_HEADER),
        (int.from_bytes(header[6:8], "big") & 0x3FFF, Verdict.FRAGMENT),
        (header[9] != UDP, Verdict.OTHER_PROTOCOL),
        (int.from_bytes(header[16:20], "big") != listener.address, Verdict.OTHER_ADDRESS),
        (ones_sum(header) != 0xFFFF, Verdict.HEADER_CHECKSUM),
        (int.from_bytes(datagram[2:4], "big") != listener.port, Verdict.OTHER_PORT),
        (length + IP_BYTES != total or length % 8 or length < 2 * UDP_BYTES, Verdict.BAD_LENGTH),
        (length > len(datagram) - FCS_BYTES, Verdict.TRUNCATED),
    ):
        if wrong:
            return verdict
    summed = ones_sum(_pseudo_header(header, length) + datagram[:length])
    if datagram[6:8] != b"\0\0" and summed != 0xFFFF:
        return Verdict.BAD_CHECKSUM
    return None
