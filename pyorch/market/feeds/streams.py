"""How old each stream is, and how the venue's clock stands to ours."""

from __future__ import annotations

from dataclasses import dataclass

from pyorch.market.feeds.clock_alignment import ClockAlignment


@dataclass(slots=True)
class Stream:
    """What was last heard of one instrument's book, trades or ticker; times in ns, -1: never."""

    messages: int = 0
    local_ns: int = -1
    exchange_ns: int = -1
    delay_ns: int = -1
    """Of the last message, above the least delay of the recent past."""


class StreamTable:
    """Age and delay of each stream of a connection, by instrument and name."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, str], Stream] = {}
        self.alignment = ClockAlignment()

    def heard(self, instrument: int, name: str, local_ns: int, exchange_ns: int) -> None:
        """A message came; ``exchange_ns`` is -1 where it has no time."""
        stream = self._streams.setdefault((instrument, name), Stream())
        stream.messages += 1
        stream.local_ns = local_ns
        if exchange_ns >= 0:
            stream.exchange_ns = exchange_ns
            stream.delay_ns = self.alignment.heard(local_ns, exchange_ns)

    def __getitem__(self, key: tuple[int, str]) -> Stream:
        """The stream of an instrument, by name: ``book``, ``trades``, ``ticker``."""
        return self._streams.get(key, Stream())

    def stale(self, now_ns: int, limits_ns: dict[str, int]) -> list[tuple[int, str, int]]:
        """Streams that were silent for longer than their limit: instrument, name, age in ns."""
        return [
            (instrument, name, now_ns - stream.local_ns)
            for (instrument, name), stream in sorted(self._streams.items())
            if name in limits_ns and now_ns - stream.local_ns > limits_ns[name]
        ]

    def ages_ns(self, now_ns: int) -> dict[tuple[int, str], int]:
        """Time since each stream was last heard."""
        return {key: now_ns - stream.local_ns for key, stream in sorted(self._streams.items())}
