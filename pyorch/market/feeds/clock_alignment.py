"""A venue's clock against ours, by what has been seen so far and never by what comes later."""

from __future__ import annotations

BUCKET_SHIFT = 33
"""Buckets of 2^33 ns (8.6 s), as the fabric's decoder has them (`docs/wire_events.md`, count ``stale``)."""


class ClockAlignment:
    """The least difference of local and exchange time in this and the last bucket of local time.

    The least difference is the offset of the clocks plus the shortest way. It follows the drift of two
    clocks and knows the past only: aligned times of messages that have come never change.
    """

    def __init__(self) -> None:
        self._bucket = -1
        self._least: int | None = None
        self._least_before: int | None = None

    def heard(self, local_ns: int, exchange_ns: int) -> int:
        """A message came; by how much it was later than the quickest of the recent past (at least 0)."""
        bucket = local_ns >> BUCKET_SHIFT
        if bucket != self._bucket:
            follows = bucket == self._bucket + 1
            self._least_before = self._least if follows else None
            self._bucket, self._least = bucket, None
        difference = local_ns - exchange_ns
        if self._least is None or difference < self._least:
            self._least = difference
        return difference - self.offset_ns

    @property
    def known(self) -> bool:
        """Whether anything has been heard."""
        return self._least is not None

    @property
    def offset_ns(self) -> int:
        """Local minus exchange time of the quickest message; 0 before any."""
        seen = [least for least in (self._least, self._least_before) if least is not None]
        return min(seen, default=0)

    def local_of(self, exchange_ns: int) -> int:
        """Our clock at the earliest moment at which a message of that exchange time could have been here."""
        return exchange_ns + self.offset_ns
