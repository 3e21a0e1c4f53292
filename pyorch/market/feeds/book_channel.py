"""The order of one instrument's book messages: what may be passed on, what waits, when a snapshot is
needed."""

from __future__ import annotations

from enum import Enum

from pyorch.market.book import continues
from pyorch.market.feeds.dialect import Levels

STALE_LIMIT = 16
"""Messages in a row that the book has already: after so many it is the book's own id that is doubted."""

WAITING_LIMIT = 10_000
"""Diffs that wait for a snapshot; older ones are forgotten (the snapshot will hold them, or be too old)."""


class Verdict(Enum):
    """What became of a message."""

    TAKEN = "taken"
    WAITING = "waiting"
    STALE = "stale"
    GAP = "gap"
    TOO_OLD = "too_old"
    DOUBTED = "doubted"


class BookChannel:
    """Admits the book messages of one instrument in the venue's order.

    Diffs that come before a snapshot wait; those that it contains are dropped; the rest follow it, if the
    first of them continues it. A diff that the book has already is stale; anything else that does not
    continue the book is a gap.
    """

    def __init__(self, overlaps: bool) -> None:
        self._overlaps = overlaps
        self.synchronised = False
        self.sequence = -1
        self._after_snapshot = False
        self._stale = 0
        self._waiting: list[Levels] = []

    def void(self, last: Levels | None = None) -> None:
        """Forget the book; ``last``, a diff that did not continue it, waits for the next snapshot."""
        self.synchronised, self.sequence, self._stale = False, -1, 0
        self._waiting = [] if last is None else [last]

    def take(self, message: Levels) -> tuple[Verdict, list[Levels]]:
        """What became of a message, and what is passed on because of it, in order."""
        return self._snapshot(message) if message.snapshot else self._diff(message)

    def _diff(self, diff: Levels) -> tuple[Verdict, list[Levels]]:
        if not self.synchronised:
            self._waiting.append(diff)
            if len(self._waiting) > WAITING_LIMIT:
                del self._waiting[: WAITING_LIMIT // 2]
            return Verdict.WAITING, []
        if diff.sequence <= self.sequence:
            return self._stale_message(), []
        if not self._follows(diff, self.sequence, self._after_snapshot):
            return Verdict.GAP, []
        self.sequence, self._after_snapshot, self._stale = diff.sequence, False, 0
        return Verdict.TAKEN, [diff]

    def _snapshot(self, snapshot: Levels) -> tuple[Verdict, list[Levels]]:
        if self.synchronised and snapshot.sequence <= self.sequence:
            return self._stale_message(), []
        newer = [diff for diff in self._waiting if diff.sequence > snapshot.sequence]
        if newer and not self._follows(newer[0], snapshot.sequence, True):
            return Verdict.TOO_OLD, []
        self.synchronised, self._after_snapshot, self._stale = True, True, 0
        self.sequence, self._waiting = snapshot.sequence, []
        passed = [snapshot]
        for diff in newer:
            verdict, more = self._diff(diff)
            passed += more
            if verdict is Verdict.GAP:
                return Verdict.GAP, passed
        return Verdict.TAKEN, passed

    def _follows(self, diff: Levels, at: int, after_snapshot: bool) -> bool:
        return continues(at, diff.first, diff.previous, after_snapshot and self._overlaps)

    def _stale_message(self) -> Verdict:
        self._stale += 1
        return Verdict.DOUBTED if self._stale >= STALE_LIMIT else Verdict.STALE
