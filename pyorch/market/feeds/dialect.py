"""What a venue's adapter is: a `Dialect`, and what it hears in a venue's messages.

A dialect knows one venue's texts and nothing else: no socket, no clock, no state of a session. What is to be
done with what it hears is decided by `pyorch.market.feeds.live.Feed`, the same for all venues.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from pyorch.contract.events import Instrument, Kind, Side

BID, ASK, NONE = int(Side.BID), int(Side.ASK), int(Side.NONE)
"""Sides as plain integers."""
BEST, TRADE, MARK = int(Kind.BEST), int(Kind.TRADE), int(Kind.MARK)
INDEX, IMPLIED, GREEKS = int(Kind.INDEX), int(Kind.IMPLIED), int(Kind.GREEKS)
"""Kinds of what is said, likewise."""
ABSENT = msgspec.Raw(b"null")
"""A part of a message that is not there."""


class SpoiltError(Exception):
    """A message of a known instrument holds a value that cannot be used; its text says which."""

    def __init__(self, instrument: int, of_book: bool, why: str) -> None:
        super().__init__(why)
        self.instrument, self.of_book = instrument, of_book


@dataclass(frozen=True, slots=True)
class Levels:
    """A book message: every level of a snapshot, or the levels that a diff changes (0 removes)."""

    instrument: int
    snapshot: bool
    exchange_ns: int
    first: int
    """First update id of a diff, -1 where the venue gives none."""
    sequence: int
    previous: int
    """Update id that the venue says came before, -1 where it says none."""
    sides: Sequence[int]
    price_ticks: Sequence[int]
    quantity_lots: Sequence[int]


@dataclass(frozen=True, slots=True)
class Said:
    """A message that needs no order: trade, best quote, mark, index, volatility, Greeks."""

    instrument: int
    kind: int
    exchange_ns: int
    sequence: int
    sides: Sequence[int]
    price_ticks: Sequence[int]
    quantity_lots: Sequence[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """The venue asks for a sign of life; this is it."""

    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue confirms a subscription."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue refuses what was asked for."""

    why: str


@dataclass(frozen=True, slots=True)
class Other:
    """A message that carries nothing for us, or is of an instrument that was not asked for."""

    foreign: bool = False


Heard = Levels | Said | Answer | Accepted | Refused | Other


@dataclass(frozen=True, slots=True)
class Ask:
    """How a new snapshot is asked for: texts to send, or an address to fetch by HTTP."""

    texts: Sequence[str] = ()
    path: str = ""


class Dialect(Protocol):
    """A venue's texts.

    Attributes:
        venue: as in `Instrument.venue`.
        url: the websocket's address.
        rest: address before the path of `Ask`; empty where the venue sends snapshots on the websocket.
        instruments: what is subscribed to; an index into it is the instrument of an event.
        overlaps: the first diff after a snapshot may begin before it (else it follows it exactly).
    """

    venue: str
    url: str
    rest: str
    instruments: tuple[Instrument, ...]
    overlaps: bool

    def opening(self) -> Sequence[str]:
        """Texts to send when a connection is open; the last subscription brings `Accepted`."""
        ...

    def hear(self, text: bytes) -> Iterable[Heard]:
        """What a text says.

        Raises:
            SpoiltError: of a known instrument, with a value off its grid or out of range.
            ValueError, msgspec.MsgspecError: not a message of this venue.
        """
        ...

    def snapshot(self, text: bytes, instrument: int) -> Levels:
        """A snapshot that was fetched by HTTP; raises as `hear`."""
        ...

    def ask(self, instrument: int) -> Ask:
        """What brings a new snapshot of an instrument; nothing where one comes by itself."""
        ...

    def probe(self) -> str:
        """A text that the venue answers, sent into silence."""
        ...


class Names(dict[str, int]):
    """Symbol → index of the instrument."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        super().__init__((one.symbol, index) for index, one in enumerate(instruments))


def milliseconds(stamp: int) -> int:
    """A venue's time in ms, in ns; -1 stays."""
    return stamp * 1_000_000 if stamp >= 0 else -1


def microseconds(stamp: int) -> int:
    """A venue's time in us, in ns; -1 stays."""
    return stamp * 1_000 if stamp >= 0 else -1
