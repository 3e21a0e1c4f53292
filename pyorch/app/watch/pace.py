"""A simulated market at the speed of a real one: the desk's loop waits for the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from pyorch.trading.desk_activity import Hands
from pyorch.trading.inputs import InputArray

STEP_NS = 20_000_000
"""The market never runs ahead of the wall clock by more than this."""


class Pace:
    """Seconds of market a second of wall clock; a desk's activity that only waits.

    Args:
        speed: 1: as fast as a real one; first_ns: of the market.
        now_s, sleep_s: the wall clock.

    Attributes:
        speed: may be changed from any thread.
    """

    def __init__(
        self,
        speed: float,
        first_ns: int,
        now_s: Callable[[], float] = time.monotonic,
        sleep_s: Callable[[float], None] = time.sleep,
    ) -> None:
        self.speed, self._first_ns, self._due_ns = speed, first_ns, first_ns
        self._now_s, self._sleep_s = now_s, sleep_s
        self._began_s: float | None = None

    def due_ns(self) -> int:
        """The next look at the clock."""
        return self._due_ns

    def act(self, hands: Hands) -> None:
        """Wait until the wall clock is where the market is."""
        now_s = self._now_s()
        if self._began_s is None:
            self._began_s = now_s
        ahead_s = (hands.now_ns - self._first_ns) * 1e-9 / self.speed - (now_s - self._began_s)
        if ahead_s > 0:
            self._sleep_s(ahead_s)
        self._due_ns = max(self._due_ns, hands.now_ns) + STEP_NS

    def hear(self, row: InputArray, hands: Hands) -> None:
        """Nothing to do."""

    def leave(self, hands: Hands) -> None:
        """Nothing to do."""
