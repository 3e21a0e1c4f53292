"""What a feature path in fabric gives for every tick, the decision word, and the registers of its policy.

`docs/wire_events.md` states both in words; their fabric: `firmware/rtl/decision_word.sv`, `policy_rules.sv`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import DataError

VERSION = 1
HEAD_BEATS = 7
MAXIMUM_OUTPUTS = 16
MAXIMUM_RULES = 16
COMMON, RULE, CONDITION, CALIBRATION = range(4)
"""Sections of a policy set; bits 15 to 12 of a register's address."""


class EventRegister(IntEnum):
    """Byte offsets of `firmware/rtl/event_registers.sv`; docs/wire_events.md says what each is."""

    IDENTITY = 0x000
    VERSION = 0x004
    FORMAT = 0x008
    POLICY_FORMAT = 0x010
    IMAGE_WORDS = 0x018
    POLICY_WORDS = 0x01C
    COMMAND = 0x024
    STATUS = 0x028
    ERRORS = 0x02C
    STALE = 0x030
    STALE_NS = 0x034
    LOAD_ADDRESS = 0x080
    LOAD_DATA = 0x084
    LOAD_COUNT = 0x088
    LOAD_CRC = 0x08C
    LOAD_FORMAT = 0x090
    LOAD_MODEL = 0x098
    LOAD_START = 0x0A0
    LOAD_COMMIT = 0x0A4
    POLICY_ADDRESS = 0x100
    POLICY_DATA = 0x104
    POLICY_COUNT = 0x108
    POLICY_CRC = 0x10C
    POLICY_START = 0x110
    POLICY_COMMIT = 0x114
    COUNTERS = 0x180
    RECORD = 0x200
    RECORD_FEATURES = 0x280
    RECORD_LOGITS = 0x2C0


SWAP_WEIGHTS, SWAP_POLICY, FREEZE = 1, 2, 4
"""Bits of COMMAND."""

DECISION_DTYPE = np.dtype(
    [
        ("void", "?"),  # no tick: the book became void; the rest but kind, number and times says nothing
        ("kind", "u1"),
        ("instrument", "u1"),
        ("number", "<u4"),
        ("stale", "?"),
        ("first", "?"),  # of its segment: carried state, dwell and warm-up began anew
        ("book_valid", "?"),
        ("model_valid", "?"),
        ("warm", "?"),
        ("policy_set", "u1"),
        ("weight_set", "u1"),
        ("fired", "<u2"),
        ("active", "<u2"),
        ("extra_down_bp100", "<i4"),
        ("extra_up_bp100", "<i4"),
        ("size_down_percent", "u1"),
        ("size_up_percent", "u1"),
        ("forecast_bp100", "<i4"),
        ("local_ns", "<i8"),
        ("cycle", "<i8"),  # when its first beat was offered
        ("cycles", "<u2"),  # since the last beat of its event was taken; 65535: or more
        ("model_digest", "<u8"),
        ("policy_digest", "<u8"),
        ("scores", "<i4", (MAXIMUM_OUTPUTS,)),
    ]
)  # fmt: skip

Decisions = NDArray[np.void]


def decode_decisions(beats: NDArray[np.uint64], ends: NDArray[np.bool_]) -> Decisions:
    """Decision words of a stream of beats; ``ends`` marks the last beat of each.

    Raises:
        DataError: a word is cut short, too long or of another version.
    """
    last = np.flatnonzero(ends)
    if len(beats) == 0:
        return np.zeros(0, DECISION_DTYPE)
    if len(last) == 0 or last[-1] != len(beats) - 1:
        raise DataError(f"{len(beats)} beats do not end with the last beat of a decision word")
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    if length.min() < HEAD_BEATS:
        raise DataError(
            f"a decision word has {length.min()} beats; its head alone has {HEAD_BEATS}"
        )
    head = beats[first[:, None] + np.arange(HEAD_BEATS)]
    outputs = _bits(head[:, 1], 48, 8)
    wrong = (length != HEAD_BEATS + (outputs + 1) // 2) | (outputs > MAXIMUM_OUTPUTS)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"decision word {at} has {length[at]} beats for {outputs[at]} outputs; it must have "
            f"{HEAD_BEATS + (outputs[at] + 1) // 2}"
        )
    version = _bits(head[:, 0], 60, 4)
    if (version != VERSION).any():
        raise DataError(f"a decision word of version {version.max()}; this program reads {VERSION}")
    words = np.zeros(len(last), DECISION_DTYPE)
    words["void"] = outputs == 0
    act = head[:, 0]
    for name, place, width in (
        ("extra_down_bp100", 0, 20), ("extra_up_bp100", 20, 20), ("size_down_percent", 40, 7),
        ("size_up_percent", 47, 7), ("book_valid", 54, 1), ("model_valid", 55, 1), ("warm", 56, 1),
        ("first", 57, 1), ("stale", 58, 1), ("policy_set", 59, 1),
    ):  # fmt: skip
        words[name] = _bits(act, place, width)
    words["number"] = _bits(head[:, 1], 0, 32)
    words["kind"], words["instrument"] = _bits(head[:, 1], 32, 3), _bits(head[:, 1], 40, 8)
    words["weight_set"] = _bits(head[:, 1], 56, 1)
    words["fired"], words["active"] = _bits(head[:, 2], 0, 16), _bits(head[:, 2], 16, 16)
    words["forecast_bp100"] = _bits(head[:, 2], 32, 32).astype(np.uint32).view(np.int32)
    words["local_ns"] = head[:, 3].view(np.int64)
    words["cycle"], words["cycles"] = _bits(head[:, 4], 0, 48), _bits(head[:, 4], 48, 16)
    words["model_digest"], words["policy_digest"] = head[:, 5], head[:, 6]
    for most in np.unique(outputs[outputs > 0]).tolist():
        chosen = np.flatnonzero(outputs == most)
        body = beats[first[chosen, None] + HEAD_BEATS + np.arange((most + 1) // 2)]
        scores = np.ascontiguousarray(body).view("<i4")[:, :most]
        padded = np.zeros((len(chosen), MAXIMUM_OUTPUTS), np.int32)
        padded[:, :most] = scores
        words["scores"][chosen] = padded
    return words


def _bits(beats: NDArray[np.uint64], place: int, width: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (
        beats >> np.uint64(place) & np.uint64((1 << width) - 1)
    ).astype(np.int64)  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class PolicyImage:
    """All registers of a policy set, in the order in which they are written.

    Attributes:
        addresses: uint16 [n]; values: uint32 [n].
    """

    addresses: NDArray[np.uint16]
    values: NDArray[np.uint32]

    def writes(self, policy_format: str) -> list[tuple[int, int]]:
        """Register writes, offset and value, that load it into the set which does not decide."""
        register = EventRegister
        found = [
            (register.LOAD_FORMAT, int(policy_format[:8], 16)),
            (register.LOAD_FORMAT + 4, int(policy_format[8:], 16)),
            (register.LOAD_MODEL, self.digest >> 32),
            (register.LOAD_MODEL + 4, self.digest & 0xFFFFFFFF),
            (register.POLICY_START, 0),
        ]
        for address, value in zip(self.addresses.tolist(), self.values.tolist(), strict=True):
            found += [(register.POLICY_ADDRESS, address), (register.POLICY_DATA, value)]
        return [*found, (register.POLICY_COMMIT, self.crc())]

    @property
    def digest(self) -> int:
        """The first 64 bits of the SHA-256 of what it decides: all but the digest's own registers."""
        keep = ~np.isin(self.addresses, (1, 2))
        pairs = np.stack([self.addresses[keep].astype("<u4"), self.values[keep]], axis=1)
        return int(digest_of_bytes(pairs.astype("<u4").tobytes())[:16], 16)

    def crc(self) -> int:
        """CRC-32 of all (address, value) pairs, little-endian, as the loader computes it."""
        pairs = np.stack([self.addresses.astype("<u4"), self.values], axis=1).astype("<u4")
        return zlib.crc32(pairs.tobytes())

    def hex(self) -> str:
        """The text for `$readmemh`: address and value a line."""
        return "".join(
            f"{address:08x}{value:08x}\n"
            for address, value in zip(self.addresses.tolist(), self.values.tolist(), strict=True)
        )
