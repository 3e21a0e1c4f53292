"""Carriers as a line brings them: right frames of events, and every way in which one can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyorch.market.datagram import (
    ETHERNET_BYTES,
    FCS_BYTES,
    IP_BYTES,
    LONGEST,
    PAYLOAD_AT,
    Listener,
    Verdict,
    ethernet_frame,
    judge,
    ones_sum,
    sealed,
)
from pyorch.market.wire import Beats

PREAMBLE = bytes([0x55] * 7 + [0xD5])
FAULTS = tuple(verdict for verdict in Verdict if verdict != Verdict.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What the PHY shows from one rise of its data-valid to the next fall.

    Attributes:
        data: preamble, start delimiter and frame; errors: the byte at which the PHY tells of one, or -1.
    """

    data: bytes
    error_at: int = -1

    @property
    def frame(self) -> bytes:
        """The bytes behind the start delimiter; none without one."""
        return self.data[self.data.index(0xD5) + 1 :] if self.started else b""

    @property
    def started(self) -> bool:
        """Whether there is a start delimiter behind nothing but preamble."""
        return self.data.lstrip(b"\x55")[:1] == b"\xd5"

    def judged(self, listener: Listener) -> tuple[Verdict, Beats]:
        """By the definition."""
        return judge(self.frame, listener, started=self.started, bad_symbol=self.error_at >= 0)

    def gmii(self) -> Any:
        """For a source of `cocotbext.eth`."""
        from cocotbext.eth import GmiiFrame

        errors = [int(at == self.error_at) for at in range(len(self.data))]
        return GmiiFrame(self.data, errors)


def carrier(frame: bytes, rng: np.random.Generator | None = None) -> Carrier:
    """A frame behind a preamble, which a PHY may have shortened."""
    return Carrier(PREAMBLE[0 if rng is None else int(rng.integers(7)) :] + frame)


def with_fault(
    beats: Beats, listener: Listener, fault: Verdict, rng: np.random.Generator
) -> Carrier:
    """A carrier of the frame with this fault and none that comes before it in `judge`."""
    checksum = fault == Verdict.BAD_CHECKSUM or bool(rng.integers(2))
    right = ethernet_frame(beats, listener, checksum=checksum)
    if fault == Verdict.NO_START:
        return Carrier(bytes([0x55] * 5 + [0x5A]) + right)
    whole = carrier(right, rng)
    if fault == Verdict.BAD_SYMBOL:
        return Carrier(whole.data, int(rng.integers(len(whole.data))))
    if fault == Verdict.BAD_FCS:
        spoilt = bytearray(whole.data)
        spoilt[-1 - int(rng.integers(len(right)))] ^= 1 << int(rng.integers(8))
        return Carrier(bytes(spoilt))
    if fault == Verdict.OVERSIZE:
        return carrier(sealed(right[:-FCS_BYTES].ljust(LONGEST - FCS_BYTES + 1, b"\0")))
    if fault == Verdict.TRUNCATED and rng.random() < 0.5:
        return carrier(right[: int(rng.integers(64))])
    return carrier(sealed(bytes(_changed(bytearray(right[:-FCS_BYTES]), len(beats), fault, rng))))


def _changed(content: bytearray, beats: int, fault: Verdict, rng: np.random.Generator) -> bytearray:
    """Headers with the fault, their checksums right again unless they are the fault."""
    bit = 1 << int(rng.integers(8))
    length = 8 + 8 * beats
    match fault:
        case Verdict.OTHER_MAC:
            content[int(rng.integers(6))] ^= bit
        case Verdict.OTHER_TYPE:
            content[12 + int(rng.integers(2))] ^= bit
        case Verdict.BAD_HEADER:
            if rng.random() < 0.5:
                content[ETHERNET_BYTES] ^= bit
            else:
                content[16:18] = int(rng.integers(28)).to_bytes(2, "big")
        case Verdict.FRAGMENT:
            content[20:22] = (1 << int(rng.integers(14))).to_bytes(2, "big")
        case Verdict.OTHER_PROTOCOL:
            content[23] ^= bit
        case Verdict.OTHER_ADDRESS:
            content[30 + int(rng.integers(4))] ^= bit
        case Verdict.OTHER_PORT:
            content[36 + int(rng.integers(2))] ^= bit
        case Verdict.BAD_LENGTH:
            other = [length + 1, length - 8, 8, 7, length ^ 0x8000][int(rng.integers(5))]
            content[38:40] = other.to_bytes(2, "big")
            if rng.random() < 0.5 and 8 <= other != length - 8:
                content[16:18] = (20 + other).to_bytes(2, "big")
        case Verdict.TRUNCATED:
            more = 8 * int(rng.integers(1, 4)) + max(0, 64 - len(content)) // 8 * 8
            content[16:18] = (20 + length + more).to_bytes(2, "big")
            content[38:40] = (length + more).to_bytes(2, "big")
        case _:
            pass
    header = content[ETHERNET_BYTES : ETHERNET_BYTES + IP_BYTES]
    header[10:12] = b"\0\0"
    header[10:12] = (ones_sum(bytes(header)) ^ 0xFFFF).to_bytes(2, "big")
    if fault == Verdict.HEADER_CHECKSUM:
        header[10 + int(rng.integers(2))] ^= bit
    content[ETHERNET_BYTES : ETHERNET_BYTES + IP_BYTES] = header
    if fault == Verdict.BAD_CHECKSUM:
        content[PAYLOAD_AT + int(rng.integers(8 * beats))] ^= bit
    return content


def random_beats(rng: np.random.Generator, most: int) -> Beats:
    """A payload of any content."""
    return rng.integers(0, 1 << 64, int(rng.integers(1, most + 1)), dtype=np.uint64)


def expected(
    carriers: Sequence[Carrier], listener: Listener
) -> tuple[list[Verdict], list[list[int]]]:
    """Verdicts of all, payloads of those accepted."""
    judged = [one.judged(listener) for one in carriers]
    return [v for v, _ in judged], [b.tolist() for v, b in judged if v == Verdict.ACCEPTED]
