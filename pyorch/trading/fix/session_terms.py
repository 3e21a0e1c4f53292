"""What a FIX session is set to, what it keeps, and what it asks of whoever drives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from pyorch.trading.fix.message import Field, Message

SECOND_NS = 1_000_000_000


def no_fields(now_ns: int) -> list[Field]:
    """A logon as the standard has it."""
    return []


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Both ends of a session, from one of them.

    Attributes:
        begin_string: ``FIX.4.2`` or ``FIX.4.4``.
        sender, target: ours, and the other side's CompID.
        initiator: we connect and log on first.
        heartbeat_s: HeartBtInt of an initiator; an acceptor takes the initiator's.
        reset_on_logon: each logon begins with number 1 on both sides; of an initiator: it asks for it.
        resend_limit_ns: application messages that were sent so long ago are never sent again; a gap fill
            takes their place.
        sending_time_limit_ns: how far SendingTime may be from our clock.
        logon_timeout_ns, logout_timeout_ns: how long an answer may take before the connection is closed.
        gap_patience_ns: without progress for so long, missing messages are asked for again.
        supported: application messages that are taken; others get a business reject.
        logon_fields: fields beside the standard's in an initiator's logon, of a dialect; told the time.
    """

    begin_string: bytes
    sender: str
    target: str
    initiator: bool
    heartbeat_s: int = 30
    reset_on_logon: bool = False
    resend_limit_ns: int = 60 * SECOND_NS
    sending_time_limit_ns: int = 120 * SECOND_NS
    logon_timeout_ns: int = 10 * SECOND_NS
    logout_timeout_ns: int = 2 * SECOND_NS
    gap_patience_ns: int = 5 * SECOND_NS
    supported: frozenset[str] = frozenset()
    logon_fields: Callable[[int], list[Field]] = no_fields


class RecordKind(IntEnum):
    """What a record of a session's store says."""

    SENT = 1
    """An application message, kept before it leaves; ``number`` is its MsgSeqNum."""
    NUMBERED = 2
    """A number that an administrative message has used up."""
    TAKEN = 3
    """A message was taken in; ``number`` is the next one expected. With bytes, if the application gets it."""
    RESET = 4
    """Both sides begin with number 1."""


@dataclass(frozen=True, slots=True)
class Record:
    """What has to be on the disk before anything else happens."""

    kind: RecordKind
    number: int
    local_ns: int
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Keep:
    """Write a record, before what follows is done."""

    record: Record


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the other side."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message for the application, in sequence, once."""

    message: Message


@dataclass(frozen=True, slots=True)
class LoggedOn:
    """The session is up."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The other side asked for this application message again, but it is too old to be sent."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection, and why."""

    why: str


Output = Keep | Send | Deliver | LoggedOn | Lapsed | Close


@dataclass(frozen=True, slots=True)
class Kept:
    """An application message that may be sent again."""

    sent_ns: int
    raw: bytes


@dataclass(slots=True)
class SessionState:
    """What outlives a connection, and with a store the process.

    Attributes:
        next_out, next_in: MsgSeqNum of our next message, and of the other side's.
        kept: our application messages, by number.
    """

    next_out: int = 1
    next_in: int = 1
    kept: dict[int, Kept] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """What a record says has happened."""
        match record.kind:
            case RecordKind.SENT:
                self.kept[record.number] = Kept(record.local_ns, record.raw)
                self.next_out = record.number + 1
            case RecordKind.NUMBERED:
                self.next_out = record.number + 1
            case RecordKind.TAKEN:
                self.next_in = record.number
            case RecordKind.RESET:
                self.next_out = self.next_in = 1
                self.kept.clear()


@dataclass(slots=True)
class SessionCounts:
    """What a session has met.

    Attributes:
        garbled: messages that were ignored, as the standard asks; why: of the last of them.
        rejected: session rejects that we sent; refused: that we got.
        duplicates: messages with PossDupFlag that were known; gaps: resend requests of ours.
        resent: application messages sent again; lapsed: that were too old for it.
    """

    garbled: int = 0
    why: str = ""
    rejected: int = 0
    refused: int = 0
    duplicates: int = 0
    gaps: int = 0
    resent: int = 0
    lapsed: int = 0
