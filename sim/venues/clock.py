"""The clock of a market that is played again: as fast as ours, at another time."""

from __future__ import annotations

import time


class MarketClock:
    """Begins when it is made.

    Args:
        first_ns: the market's time at the beginning.

    Attributes:
        shift_ns: our clock is so much later than the market's.
    """

    def __init__(self, first_ns: int) -> None:
        self.shift_ns = time.time_ns() - first_ns

    def now_ns(self) -> int:
        """The market's time."""
        return time.time_ns() - self.shift_ns
