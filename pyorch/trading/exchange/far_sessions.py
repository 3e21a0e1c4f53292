"""The desk's ends of sessions over TCP: one to each venue, one to those who ask for quotes.

Each lives on the event loop of `pyorch.trading.exchange.far.FarExchange` and is called there alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pyorch.trading.exchange.reports import read_report
from pyorch.trading.fix.codec import FixCodec
from pyorch.trading.fix.dialects import Dialect, protection_reset
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Field, Message, read_message
from pyorch.trading.fix.session_terms import SECOND_NS, SessionSettings
from pyorch.trading.fix.store import DiskStore
from pyorch.trading.fix.transport import Initiator
from pyorch.trading.inputs import InputArray, InputKind, make_input

REPORTS = frozenset({"b", "8", "9", "MR"})
"""What a venue says."""
ASKS = frozenset({"R", "AJ"})
"""What those say who ask for quotes."""
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class VenueAddress:
    """Where a session listens."""

    host: str
    port: int


class FarSession:
    """A session at the desk's end; what the other end says becomes inputs of the desk.

    Args:
        number: of the venue in the inputs; says: message types that the other end may send.
        heard: takes the inputs.

    Attributes:
        logons: how often it came up; unsent: messages that met a session that was down, or were too old to
            be sent again; rejects: of our messages, by the other end's session.
    """

    def __init__(
        self,
        number: int,
        codec: FixCodec,
        dialect: Dialect,
        address: VenueAddress,
        store: DiskStore,
        clock: Callable[[], int],
        heard: Callable[[InputArray], None],
        says: frozenset[str] = REPORTS,
    ) -> None:
        self.number, self.codec, self.dialect, self.store = number, codec, dialect, store
        self.address = address
        self._clock, self._heard = clock, heard
        self.logons = self.unsent = 0
        self.rejects: list[str] = []
        settings = SessionSettings(
            b"FIX.4.4",
            codec.sender,
            codec.target,
            initiator=True,
            heartbeat_s=5,
            resend_limit_ns=0,
            gap_patience_ns=SECOND_NS,
            supported=says,
            logon_fields=dialect.logon_fields,
        )
        self.initiator = Initiator(settings, self, store, pauses_s=PAUSES_S, book=dialect.book)

    @property
    def link(self) -> Link:
        """The session at work."""
        return self.initiator.link

    def say(self, kind: str, body: list[Field]) -> None:
        """A message leaves under the session's number; one that meets a session that is down never does."""
        if not self.link.session.up:
            self.unsent += 1
            return
        self.link.now_ns = time.time_ns()
        self.link.send(kind, self.dialect.dress(kind, body))

    def watch(self) -> None:
        """Look after the session."""

    def logged_on(self, link: Link) -> None:
        """The session is up."""
        self.logons += 1

    def hear(self, message: Message, link: Link) -> None:
        """A message in sequence."""
        if message.kind in ("3", "j"):
            self.rejects.append((message.get(58) or b"").decode("latin-1"))
        elif message.kind != "MR":
            self._heard(read_report(message, self.number, self.codec, self._clock()))

    def lapsed(self, message: Message, link: Link) -> None:
        """A message that the other end has missed, and that is not sent again."""
        self.unsent += 1


class FarVenue(FarSession):
    """One venue's session."""

    _was_up = False

    def submit(self, message: bytes) -> None:
        """A message of the desk leaves."""
        found = read_message(message)
        self.say(
            found.kind, [one for one in found.fields if not self.dialect.book.is_outer(one[0])]
        )

    def ask_status(self) -> None:
        """What is open there, before anything is quoted."""
        if self.link.session.up:
            self.say("AF", [(584, b"S%d" % self.link.session.state.next_out), (585, b"7")])

    def reset_protection(self) -> None:
        """Quotes are to be taken again."""
        if self.link.session.up:
            request = f"M{self.link.session.state.next_out}"
            group = dict(self.dialect.quote_fields).get(9019, b"").decode()
            self.say("MZ", protection_reset(request, group))

    def watch(self) -> None:
        """Say that the session broke, once."""
        up = self.link.session.up
        if self._was_up and not up:
            self._heard(make_input(InputKind.DISCONNECTED, self._clock(), venue=self.number))
        self._was_up = up

    def logged_on(self, link: Link) -> None:
        """The session is up: nothing is quoted before the venue has said what it has taken in."""
        super().logged_on(link)
        if self._was_up:  # it broke and came back between two looks
            self._heard(make_input(InputKind.DISCONNECTED, self._clock(), venue=self.number))
        self._was_up = True
        self.ask_status()

    def lapsed(self, message: Message, link: Link) -> None:
        """A question is asked anew; of quotes and orders the venue says that it has not taken them in."""
        super().lapsed(message, link)
        if message.kind == "AF":
            self.ask_status()
