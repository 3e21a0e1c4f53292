"""How long to wait before the next attempt."""

from __future__ import annotations

from random import Random


class BackOff:
    """Waits that double from the least to the most, each between half of it and all of it, by a seed."""

    def __init__(self, least_ns: int, most_ns: int, seed: int) -> None:
        self._least_ns, self._most_ns = least_ns, most_ns
        self._random = Random(seed)
        self._attempts = 0

    def next_ns(self) -> int:
        """The wait before the next attempt."""
        whole = min(self._least_ns << min(self._attempts, 40), self._most_ns)
        self._attempts += 1
        return whole // 2 + self._random.randrange(whole // 2 + 1)

    def forget(self) -> None:
        """The last attempt was a success."""
        self._attempts = 0
