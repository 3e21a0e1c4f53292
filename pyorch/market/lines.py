"""Two lines that carry the same frames of events: which goes on, which waits, which is dropped.

The definition; `firmware/rtl/line_arbiter.sv`, with `frame_outline.sv`, is its twin in fabric. It only
sorts and drops: what goes on is judged by the decoder (`pyorch.market.wire_decoder`) as if it had come
from one line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pyorch.market.wire import HEADER_BEATS, VERSION, Beats

QUIET_BITS = 26
_NUMBERS = 1 << 32


@dataclass(frozen=True, slots=True)
class Outline:
    """Which events a frame holds.

    Attributes:
        session: of its events, of the first number and the number that follows.
    """

    session: int
    first: int
    following: int


def outline(beats: Beats, instruments: int = 1) -> Outline | None:
    """Read from the frame's headers, as far as they are whole, ours and of one session; None: from none."""
    words, at, found = beats.tolist(), 0, None
    while at < len(words):
        word = words[at]
        known = word >> 28 & 15 == VERSION and not word >> 3 & 1 and not word >> 7 & 1
        rows = word >> 16 & 255
        if not known or rows == 0 or word >> 8 & 255 >= instruments:
            break
        header = HEADER_BEATS + (word & 15 == 0)
        if at + header > len(words):
            break
        session, number = word >> 24 & 15, word >> 32
        following = (number + 1) % _NUMBERS
        if found is None:
            found = Outline(session, number, following)
        elif session != found.session:
            break
        elif not _negative(number - found.following):
            found = Outline(session, found.first, following)
        at += header + rows * (1 + (word >> 6 & 1))
    return found


def _negative(difference: int) -> bool:
    return difference % _NUMBERS >= 1 << 31


@dataclass(slots=True)
class LineCounts:
    """What a line brought.

    Attributes:
        lost: numbers that it did not bring.
        duplicates: frames that the other line had brought before.
        late: frames of the session before.
    """

    lost: int = 0
    duplicates: int = 0
    late: int = 0


@dataclass(slots=True)
class _Line:
    on: bool
    counts: LineCounts = field(default_factory=LineCounts)
    heads: deque[tuple[Beats, Outline | None]] = field(default_factory=deque)
    last: Outline | None = None  # its session, and the number it must bring next


class LineArbiter:
    """Takes frames of each line in order; gives them on in theirs.

    Args:
        wait: how long a frame that is ahead waits for the missing one, in cycles.
        on: which lines are listened to.
        quiet: cycles without a frame after which a line that sends another session is believed.
    """

    def __init__(
        self,
        wait: int,
        instruments: int = 1,
        on: Sequence[bool] = (True, True),
        quiet: int = 1 << QUIET_BITS,
    ) -> None:
        self.wait, self.instruments, self.quiet = wait, instruments, quiet
        self.passed: list[Beats] = []
        self.filled = self.unfilled = 0
        self.lines = [_Line(one) for one in on]
        self._session: int | None = None
        self._expected = 0
        self._waits_since: int | None = None
        self._passed_at = 0

    @property
    def counts(self) -> list[LineCounts]:
        """Of each line."""
        return [line.counts for line in self.lines]

    def arrive(self, line: int, beats: Beats, cycle: int) -> None:
        """A frame is there; cycles never go back."""
        self.advance(cycle)
        if self.lines[line].on:
            self.lines[line].heads.append((beats, outline(beats, self.instruments)))
        self._settle(cycle)

    def advance(self, cycle: int) -> None:
        """Nothing came until now."""
        while self._waits_since is not None and cycle >= self._waits_since + self.wait:
            self._settle(self._waits_since + self.wait)

    def _settle(self, cycle: int) -> None:
        """Pass and drop until nothing changes any more."""
        while True:
            for line in self.lines:
                while line.heads and self._what(line, cycle) in ("late", "duplicate"):
                    self._drop(line, cycle)
            states = [self._what(line, cycle) if line.heads else "none" for line in self.lines]
            early = [k for k, state in enumerate(states) if state == "early"]
            if "ready" in states:
                ready = self.lines[states.index("ready")]
                self.filled += bool(early) and ready.heads[0][1] is not None
                self._pass(ready, cycle)
                continue
            if not early:
                self._waits_since = None
                return
            if self._waits_since is None:
                self._waits_since = cycle
            alone = len(early) == len(self.lines) or any(
                not line.on for k, line in enumerate(self.lines) if k not in early
            )
            if not alone and cycle < self._waits_since + self.wait:
                return
            self.unfilled += 1
            self._pass(self.lines[min(early, key=self._ahead)], cycle)

    def _ahead(self, line: int) -> int:
        head = self.lines[line].heads[0][1]
        assert head is not None
        return (head.first - self._expected) % _NUMBERS

    def _what(self, line: _Line, cycle: int) -> Literal["ready", "early", "duplicate", "late"]:
        """Of the line's oldest frame."""
        head = line.heads[0][1]
        if head is None or self._session is None:
            return "ready"
        if head.session != self._session:
            lags = line.last is not None and line.last.session == head.session
            return "late" if lags and cycle - self._passed_at < self.quiet else "ready"
        if not _negative(head.first - self._expected):
            return "ready" if head.first == self._expected else "early"
        beyond = head.following - self._expected
        return "duplicate" if _negative(beyond) or beyond == 0 else "ready"

    def _drop(self, line: _Line, cycle: int) -> None:
        if self._what(line, cycle) == "late":
            line.counts.late += 1
        else:
            line.counts.duplicates += 1
        self._leaves(line)

    def _pass(self, line: _Line, cycle: int) -> None:
        beats, head = line.heads[0]
        self.passed.append(beats)
        if head is not None:
            self._passed_at = cycle
            self._waits_since, self._session, self._expected = None, head.session, head.following
        self._leaves(line)

    def _leaves(self, line: _Line) -> None:
        head = line.heads.popleft()[1]
        if head is None:
            return
        if line.last is not None and line.last.session == head.session:
            gap = (head.first - line.last.following) % _NUMBERS
            line.counts.lost += 0 if _negative(gap) else gap
            if _negative(head.following - line.last.following):
                return
        line.last = head
