"""Time as failover sees it: injected, so that tests do not depend on a scheduler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Nanoseconds, and waiting."""

    def now_ns(self) -> int:
        """Monotonic time."""
        ...

    def wait(self, done: Callable[[], bool], until_ns: int) -> bool:
        """Wait until ``done()``, at most until ``until_ns``; returns the last ``done()``."""
        ...

    def notify(self) -> None:
        """Something that `wait` waits for may have happened."""
        ...


class MonotonicClock:
    """The machine's clock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def now_ns(self) -> int:
        """Monotonic time."""
        return time.monotonic_ns()

    def wait(self, done: Callable[[], bool], until_ns: int) -> bool:
        """Wait without holding the interpreter."""
        with self._changed:
            while not done():
                left_ns = until_ns - time.monotonic_ns()
                if left_ns <= 0:
                    return False
                self._changed.wait(left_ns / 1e9)
            return True

    def notify(self) -> None:
        """Wake who waits."""
        with self._changed:
            self._changed.notify_all()
