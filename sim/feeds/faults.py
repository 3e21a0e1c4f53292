"""Faults of a connection, seeded: messages lost, doubled, swapped, spoilt, late; connections that die or
only seem alive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random


class Break(Enum):
    """What happens to the connection."""

    NONE = "none"
    CLOSED = "closed"
    """Closed by the venue."""
    MUTE = "mute"
    """Half-closed: it stays open, and nothing comes any more."""


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Probabilities a message."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    garbage: float = 0.0
    stall: float = 0.0
    """The message and all after it come late."""
    close: float = 0.0
    mute: float = 0.0


class Faults:
    """Decides what becomes of each message; the same seed decides the same."""

    def __init__(self, rates: FaultRates, seed: int) -> None:
        self.rates = rates
        self._random = Random(seed)
        self._held: bytes | None = None
        self.counts = dict.fromkeys(
            ("dropped", "duplicated", "reordered", "garbage", "stalls", "closed", "muted"), 0
        )

    def connected(self) -> None:
        """A new connection: nothing is held back."""
        self._held = None

    def passed(self, text: bytes) -> list[bytes]:
        """What arrives instead of a message."""
        draw, rates = self._random.random(), self.rates
        arrives = [text]
        if draw < rates.drop:
            self.counts["dropped"] += 1
            arrives = []
        elif draw < rates.drop + rates.duplicate:
            self.counts["duplicated"] += 1
            arrives = [text, text]
        elif draw < rates.drop + rates.duplicate + rates.garbage:
            self.counts["garbage"] += 1
            arrives = [self._garbage(text)]
        elif (
            draw < rates.drop + rates.duplicate + rates.garbage + rates.reorder
            and self._held is None
        ):
            self.counts["reordered"] += 1
            self._held = text
            return []
        if self._held is not None and arrives:
            arrives, self._held = [*arrives, self._held], None
        return arrives

    def stall_ns(self) -> int:
        """By how much the next message is late; mostly 0."""
        if self._random.random() >= self.rates.stall:
            return 0
        self.counts["stalls"] += 1
        return self._random.randrange(100_000_000, 8_000_000_000)

    def breaks(self) -> Break:
        """Whether the connection dies before the next message."""
        draw = self._random.random()
        if draw < self.rates.close:
            self.counts["closed"] += 1
            return Break.CLOSED
        if draw < self.rates.close + self.rates.mute:
            self.counts["muted"] += 1
            return Break.MUTE
        return Break.NONE

    def _garbage(self, text: bytes) -> bytes:
        """No message any more: cut short, or bytes of any kind."""
        if self._random.random() < 0.5:
            return text[: self._random.randrange(len(text))]
        return self._random.randbytes(self._random.randrange(1, 200))
