"""What a live feed is told and what it wants: settings, actions, steps, and the names of its counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pyorch.contract.events import EventArray

COUNTS = (
    "messages",
    "rows",
    "snapshots",
    "diffs",
    "trades",
    "others",
    "foreign",
    "gaps",
    "stale",
    "too_old",
    "doubted",
    "crosses",
    "spoilt",
    "garbled",
    "duplicate_trades",
    "resyncs",
    "connections",
    "lost_connections",
    "refused",
    "probes",
    "out_of_order_local",
)
"""What a feed counts. ``gaps``: book messages that did not continue the book; ``stale``: that it had already;
``too_old``: snapshots that the waiting diffs do not continue; ``doubted``: books whose own id was doubted,
since too many messages in a row were stale; ``spoilt``: messages of a known instrument with a value off its
grid or out of range; ``garbled``: texts that are no message; ``foreign``: messages of instruments not asked
for."""

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Times in ns, and limits."""

    connect_ns: int = 10 * _SECOND_NS
    """For a connection to open, and for the first subscription to be confirmed."""
    silence_ns: int = 15 * _SECOND_NS
    """Without any text: a probe is sent; after as long again the connection is given up."""
    snapshot_ns: int = 5 * _SECOND_NS
    """For a snapshot that was asked for."""
    snapshot_attempts: int = 5
    """Then the connection is given up."""
    calm_ns: int = 10 * _SECOND_NS
    """A connection that held for so long has its attempts forgotten."""
    settled_ns: int = _SECOND_NS
    """A book that held for so long was helped by its snapshot: the next one is asked for at once. So there is
    at most one such request a second."""
    least_wait_ns: int = _SECOND_NS // 4
    most_wait_ns: int = 30 * _SECOND_NS
    garbled_limit: int = 8
    """Garbled texts without a good one between them: then the connection is given up."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; answer with `Feed.opened` or `Feed.closed`."""

    url: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text."""

    text: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get an address by HTTP; answer with `Feed.fetched` and the same token."""

    url: str
    instrument: int
    token: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection at once, without waiting for the other side."""

    why: str


Action = Connect | Send | Fetch | Close


@dataclass(slots=True)
class Step:
    """What a call brought: events for the ring or tape, and actions in order."""

    events: EventArray
    actions: list[Action]


class SessionState(Enum):
    """Of the connection."""

    IDLE = "idle"
    CONNECTING = "connecting"
    OPEN = "open"
    WAITING = "waiting"
