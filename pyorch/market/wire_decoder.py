"""What a receiver makes of beats: the definition that the native decoder and the fabric's equal.

Beat by beat, nothing is believed: an event out of order, a foreign header, a cut frame give counts and
RESET rows, never a wrong row. After a RESET an instrument has no book until its next snapshot
(`pyorch.market.book`), and features and state begin anew.

A *stale* event is one that came late: its delay (local minus exchange time) exceeds the least delay of
its instrument in the present and the last bucket of 2^33 ns (8.6 s) by more than a limit. The least
follows the drift between the two clocks; it uses the past alone. Stale rows are true and applied;
what is computed from them is marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.wire import HEADER_BEATS, VERSION

DELAY_BUCKET_BITS = 33
_DEPTH, _RESET, _NONE = int(Kind.DEPTH), int(Kind.RESET), int(Side.NONE)
_FIRST, _LAST = int(Flag.FIRST), int(Flag.LAST)


@dataclass(slots=True)
class WireCounts:
    """What a decoder met."""

    events: int = 0
    """Taken."""
    duplicates: int = 0
    """With a number that has passed: dropped."""
    gaps: int = 0
    """Times that numbers were missing: every instrument is reset."""
    lost: int = 0
    """Numbers that were missing, modulo 2^32."""
    sessions: int = 0
    """Times that a sender began anew, the first one among them: every instrument is reset."""
    malformed: int = 0
    """Headers or rows of no known form: dropped up to the end of the frame."""
    truncated: int = 0
    """Frames that ended within an event."""
    stale: int = 0
    """Taken, and late."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Rows as a receiver sees them.

    Attributes:
        events: rows of `EVENT_DTYPE` in normal form, RESET rows of the decoder among them.
        numbers: uint32 [n], of the event that a row came with.
        stale: bool [n].
    """

    events: EventArray
    numbers: NDArray[np.uint32]
    stale: NDArray[np.bool_]


class _Delay:
    """Least delay of one instrument, causally."""

    def __init__(self) -> None:
        self.bucket: int | None = None
        self.current = 0
        self.before: int | None = None

    def late_by(self, local_ns: int, exchange_ns: int) -> int:
        """How much longer this event took than the quickest one; modulo 2^64, as in hardware."""
        delay, bucket = _signed(local_ns - exchange_ns, 64), local_ns >> DELAY_BUCKET_BITS
        if bucket != self.bucket:
            follows = self.bucket is not None and bucket == self.bucket + 1
            self.before = self.current if follows else None
            self.bucket, self.current = bucket, delay
        self.current = min(self.current, delay)
        least = self.current if self.before is None else min(self.current, self.before)
        return _signed(delay - least, 64)


class WireDecoder:
    """Decodes beats in any portions; its state lasts.

    Args:
        instruments: events of others are malformed.
        stale_ns: limit beyond which an event is stale; None: none is.
    """

    def __init__(self, instruments: int = 1, stale_ns: int | None = None) -> None:
        self.instruments, self.stale_ns = instruments, stale_ns
        self.counts = WireCounts()
        self._delays = [_Delay() for _ in range(instruments)]
        self._expected: int | None = None
        self._session: int | None = None
        self._dropping = False  # up to the end of the frame
        self._header: list[int] = []
        self._rows_left = 0  # of the event under way
        self._accepted = self._stale = self._first = False
        self._price: int | None = None  # of a wide row whose second beat has not come
        self._out: list[tuple[int, ...]] = []

    def push(self, beats: Iterable[int], ends: Iterable[bool]) -> Decoded:
        """Take beats; returns the rows that are complete with them."""
        for beat, last in zip(np.asarray(beats).tolist(), np.asarray(ends).tolist(), strict=True):
            self._beat(beat, last)
        events = np.array([row[:12] for row in self._out], dtype=EVENT_DTYPE)
        numbers = np.array([row[12] for row in self._out], dtype=np.uint32)
        stale = np.array([row[13] for row in self._out], dtype=bool)
        self._out.clear()
        return Decoded(events, numbers, stale)

    def count_table(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self.counts)

    def _beat(self, beat: int, last: bool) -> None:
        if self._dropping:
            self._dropping = not last
            return
        if self._rows_left == 0:
            self._take_header(beat)
        else:
            self._take_row(beat)
        if self._dropping:
            self._dropping = not last
        elif last and (self._header or self._rows_left):
            self.counts.truncated += 1
            if self._rows_left and self._accepted:
                self._reset(self._instrument)
            self._header, self._rows_left, self._price = [], 0, None

    # ---- header
    def _take_header(self, beat: int) -> None:
        if not self._header and not self._plausible(beat):
            self.counts.malformed += 1
            self._dropping = True
            return
        self._header.append(beat)
        if len(self._header) == HEADER_BEATS + (self._header[0] & 15 == _DEPTH):
            self._begin()

    def _plausible(self, beat: int) -> bool:
        known = beat >> 28 & 15 == VERSION and not beat >> 3 & 1 and not beat >> 7 & 1
        return known and beat >> 16 & 255 > 0 and beat >> 8 & 255 < self.instruments

    def _begin(self) -> None:
        """The header is complete."""
        word, self._local_ns, self._exchange_ns, self._sequence, *rest = (
            self._header[0], *(_signed(beat, 64) for beat in self._header[1:]),
        )  # fmt: skip
        self._before = rest[0] if rest else -1
        self._kind, self._instrument = word & 15, word >> 8 & 255
        self._first, self._ends, self._wide = bool(word & 16), bool(word & 32), bool(word & 64)
        self._rows_left, self._number = word >> 16 & 255, word >> 32
        self._header = []
        self._accepted = self._admit(word >> 24 & 15)
        self._stale = self._accepted and self._late()

    def _admit(self, session: int) -> bool:
        ahead = 0 if self._expected is None else (self._number - self._expected) & 0xFFFFFFFF
        if session != self._session:
            self.counts.sessions += 1
        elif ahead >= 1 << 31:
            self.counts.duplicates += 1
            return False
        elif ahead:
            self.counts.gaps += 1
            self.counts.lost = (self.counts.lost + ahead) & 0xFFFFFFFF
        if session != self._session or ahead:
            for instrument in range(self.instruments):
                self._reset(instrument)
        self._session, self._expected = session, (self._number + 1) & 0xFFFFFFFF
        self.counts.events += 1
        return True

    def _late(self) -> bool:
        if self.stale_ns is None or self._exchange_ns < 0:
            return False
        late = self._delays[self._instrument].late_by(self._local_ns, self._exchange_ns)
        self.counts.stale += late > self.stale_ns
        return late > self.stale_ns

    # ---- rows
    def _take_row(self, beat: int) -> None:
        if self._wide and self._price is None:
            self._price = _signed(beat, 64)
            return
        price = _signed(beat, 32) if self._price is None else self._price
        quantity = _signed(beat >> 32, 30) if self._price is None else _signed(beat, 62)
        side, self._price = beat >> 62, None
        self._rows_left -= 1
        if not self._accepted:
            return
        if side > _NONE:
            self.counts.malformed += 1
            self._reset(self._instrument)
            self._dropping, self._rows_left = True, 0
            return
        flags = _FIRST * self._first | _LAST * (self._ends and self._rows_left == 0)
        self._first = False
        self._out.append((
            self._local_ns, self._exchange_ns, -1, self._sequence, self._before, price, quantity,
            self._kind, side, flags, self._instrument, 0, self._number, self._stale,
        ))  # fmt: skip

    def _reset(self, instrument: int) -> None:
        self._out.append((
            self._local_ns, -1, -1, -1, -1, 0, 0, _RESET, _NONE, _FIRST | _LAST, instrument, 0,
            self._number, False,
        ))  # fmt: skip


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)
