"""The clock of a market that is played again: as fast as ours, at another time."""

from __future__ import annotations

import time


class MarketClock:
    """Stands still until it is begun, so that a market waits for the first who listens.

    Args:
        first_ns: the market's time at the beginning.

    Attributes:
        begun: it runs; shift_ns: our clock is so much later than the market's.
    """

    def __init__(self, first_ns: int) -> None:
        self._first_ns = first_ns
        self.begun = False
        self.shift_ns = 0

    def begin(self) -> None:
        """Run from now on."""
        self.shift_ns, self.begun = time.time_ns() - self._first_ns, True

    def now_ns(self) -> int:
        """The market's time."""
        return time.time_ns() - self.shift_ns if self.begun else self._first_ns
