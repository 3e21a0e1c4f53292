"""The simulated exchange behind FIX sessions: a desk's counterparty that is spoken to in FIX alone.

Each venue, and those who ask for quotes, has a session with both ends: the desk's (initiator) and the
venue's (acceptor), each with numbers, records and dictionary checks of its own, in the market's time. What
the desk writes goes out as a session's message, is read on the other side and given to the exchange; reports
come back as messages and are read into inputs (`pyorch.trading.exchange.reports`). The exchange's own delays
hold, so that a run is the same as without sessions, bit for bit.

When the venue's session breaks, the connection is cut; when it is up again, both ends log on, and the desk
asks for open orders (OrderMassStatus) before anything is quoted there. Kill and withdrawal take the second
route, not the sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pyorch.contract.errors import DataError
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.reports import read_report, report_message
from pyorch.trading.exchange.request_speech import (
    ASKED,
    REQUESTS,
    Askers,
    look_body,
    quote_body,
)
from pyorch.trading.fix.codec import SOH, FixCodec
from pyorch.trading.fix.dialects import Dialect, deribit, otc
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Field, Message, read_message, write_message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import SECOND_NS, SessionSettings
from pyorch.trading.fix.store import MemoryStore
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind
from pyorch.trading.plan import QuotingPlan

DESK_SAYS = frozenset({"i", "Z", "D", "F", "S", "AF", "8"})
VENUE_SAYS = frozenset({"b", "8", "9", "R", "AJ"})
SIMULATED = ("simulated", "simulated", "desk")
"""User, secret and protection group of the simulated venues' dialect."""


@dataclass(slots=True)
class Wire:
    """Bytes on their way between the ends of a session: (to the venue, bytes)."""

    bytes_: deque[tuple[bool, bytes]] = field(default_factory=deque)
    is_open: bool = False


class VenueRoute:
    """One venue's session, both ends.

    Attributes:
        heard: inputs that the desk was told; unsent: messages that met a closed session; logons: how often
            the session came up.
    """

    def __init__(
        self,
        number: int,
        exchange: Exchange,
        codec: FixCodec,
        dialect: Dialect,
        now_ns: int,
        holds_orders: bool = True,
    ) -> None:
        self.number, self.codec, self.dialect = number, codec, dialect
        self.exchange, self._holds_orders = exchange, holds_orders
        self.heard: list[InputArray] = []
        self.unsent = self.logons = 0
        self._kinds: dict[int, str] = {}
        self._askers = Askers(exchange, codec)
        self._reports = 0
        self._wire = Wire()
        self._tick_ns = now_ns
        self._status: InputArray | None = None
        ends = {}
        for initiator in (True, False):
            us, them = codec.sender, codec.target
            settings = SessionSettings(
                b"FIX.4.4",
                us if initiator else them,
                them if initiator else us,
                initiator,
                supported=VENUE_SAYS if initiator else DESK_SAYS,
                logon_fields=dialect.logon_fields,
            )
            ends[initiator] = Link(
                Session(settings, book=dialect.book), MemoryStore(), _End(self, initiator),
                self._writer(initiator), self._hang_up,
            )  # fmt: skip
        self.desk, self.venue = ends[True], ends[False]

    def submit(self, message: bytes, now_ns: int) -> None:
        """A message of the desk leaves, under the session's number."""
        found = read_message(message)
        body = [one for one in found.fields if not self.dialect.book.is_outer(one[0])]
        self._say(self.desk, found.kind, self.dialect.dress(found.kind, body), now_ns)

    def answer(self, kind: str, body: list[Field], now_ns: int) -> None:
        """An answer to a request for a quote leaves."""
        self._say(self.desk, kind, body, now_ns)

    def report(self, row: InputArray, now_ns: int) -> None:
        """A report arrives at the desk."""
        kind = row["kind"][0]
        if kind == InputKind.DISCONNECTED:
            self._cut()
            self.heard.append(row)
            return
        if kind == InputKind.CONNECTED:
            self._status = row
            if not self._wire.is_open:
                self.connect(now_ns)
            else:
                self.desk.now_ns = now_ns
                self.ask_status()
                self._pump(now_ns)
            return
        if kind in ASKED:
            row = self._askers.told(row)
        self._reports += 1
        self._say(self.venue, *report_message(row, self._kinds, self.codec, self._reports), now_ns)

    def tick(self, now_ns: int) -> None:
        """Time passes: heartbeats, second by second."""
        while self._tick_ns + SECOND_NS <= now_ns:
            self._tick_ns += SECOND_NS
            if self._wire.is_open:
                for link in (self.desk, self.venue):
                    link.tick(self._tick_ns)
                self._pump(self._tick_ns)

    def logged_on(self) -> None:
        """The desk's end is up."""
        self.logons += 1
        if self._holds_orders:
            self.ask_status()

    def ask_status(self) -> None:
        """What is open there, before anything is quoted."""
        request = b"S%d" % self.desk.session.state.next_out
        self.desk.send("AF", [(584, request), (585, b"7")])

    def hear_at_venue(self, message: Message) -> None:
        """The venue's application."""
        if message.kind == "AF":
            assert self._status is not None
            self._reports += 1
            kind, body = report_message(self._status, self._kinds, self.codec, self._reports)
            request = (584, message.get(584) or b"")
            self.venue.send(kind, [*body, request, (911, b"0"), (912, b"Y")])
        elif message.kind in ("S", "8"):
            self._askers.hear(message, self.venue.now_ns)
        else:
            raw = as_the_desk_wrote(message, self.dialect, self.codec, self._kinds)
            self.exchange.submit(raw, self.venue.now_ns)

    def hear_at_desk(self, message: Message) -> None:
        """The desk's application."""
        if message.kind in ("3", "j"):
            text = (message.get(58) or b"").decode("latin-1")
            raise DataError(
                f"venue {self.codec.target} rejected message {message.get(45)!r} of the desk: {text}"
            )
        self.heard.append(read_report(message, self.number, self.codec, self.desk.now_ns))

    def _say(self, link: Link, kind: str, body: list[Field], now_ns: int) -> None:
        if not link.session.up:
            self.unsent += 1
            return
        link.now_ns = now_ns
        link.send(kind, body)
        self._pump(now_ns)

    def _writer(self, to_venue: bool) -> Callable[[bytes], None]:
        return lambda data: self._wire.bytes_.append((to_venue, data))

    def connect(self, now_ns: int) -> None:
        """Both ends see a connection, and log on."""
        self._wire.is_open = True
        self.venue.connected(now_ns)
        self.desk.connected(now_ns)
        self._pump(now_ns)

    def _cut(self) -> None:
        self._wire.is_open = False
        self._wire.bytes_.clear()
        self.desk.disconnected()
        self.venue.disconnected()

    def _hang_up(self, why: str) -> None:
        raise DataError(f"the session with venue {self.codec.target} ended by itself: {why}")

    def _pump(self, now_ns: int) -> None:
        """Until both have nothing more to say."""
        while self._wire.bytes_:
            to_venue, data = self._wire.bytes_.popleft()
            (self.venue if to_venue else self.desk).receive(data, now_ns)


def as_the_desk_wrote(
    message: Message, dialect: Dialect, codec: FixCodec, kinds: dict[int, str]
) -> bytes:
    """A message with the desk's own number again, which QuoteID or ClOrdID hold.

    Args:
        kinds: takes its type, by that number, for `pyorch.trading.exchange.reports.report_message`.
    """
    added = {tag for tag, _ in dialect.quote_fields}
    body = [
        one for one in message.fields if not dialect.book.is_outer(one[0]) and one[0] not in added
    ]
    name = message.get(117) or (message.get(11) or b"").split(b"-")[1]
    option = (message.get(11) or b"").split(b"-")[0].decode()
    kinds[int(name)] = f"{message.kind} {option}"
    head = [(35, message.kind.encode()), (49, codec.sender.encode())]
    head += [(56, codec.target.encode()), (34, name), (52, message.get(52) or b"")]
    return write_message(b"FIX.4.4", [*head, *body])


class _End:
    """The application at one end of a route."""

    def __init__(self, route: VenueRoute, desk: bool) -> None:
        self._route, self._desk = route, desk

    def logged_on(self, link: Link) -> None:
        if self._desk:
            self._route.logged_on()

    def hear(self, message: Message, link: Link) -> None:
        if self._desk:
            self._route.hear_at_desk(message)
        else:
            self._route.hear_at_venue(message)

    def lapsed(self, message: Message, link: Link) -> None:
        self._route.unsent += 1


class OverFix:
    """A desk's `pyorch.trading.desk_settings.Counterparty` over sessions.

    Attributes:
        routes: per venue; requests: of those who ask for quotes.
    """

    def __init__(self, exchange: Exchange, plan: QuotingPlan, first_ns: int) -> None:
        self.exchange = exchange
        self._plan = plan
        self.routes = [
            VenueRoute(number, exchange, plan.codec_of(number), deribit(*SIMULATED), first_ns)
            for number in range(len(exchange.venues))
        ]
        asked = replace(plan.codec, target=REQUESTS)
        self.requests = VenueRoute(0, exchange, asked, otc(), first_ns, holds_orders=False)
        self._number = {route.codec.target: route for route in self.routes}

    def logon(self, now_ns: int) -> None:
        """A desk begins; the sessions log on when the venues say that they are up."""
        self.exchange.logon(now_ns)
        self.requests.connect(now_ns)

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""
        at = message.index(b"\x0156=") + 4
        target = message[at : message.index(SOH, at)].decode()
        self._number[target].submit(message, sent_ns)

    def next_ns(self) -> int:
        """When something happens next."""
        return self.exchange.next_ns()

    def advance(self, until_ns: int) -> InputArray:
        """Let time pass; the reports that arrived, as the sessions told them."""
        rows = self.exchange.advance(until_ns)
        heard: list[InputArray] = []
        for at in range(len(rows)):
            row = rows[at : at + 1].copy()
            asked = row["kind"][0] in ASKED
            route = self.requests if asked else self.routes[int(row["venue"][0])]
            now_ns = int(row["local_ns"][0])
            route.tick(now_ns)
            route.report(row, now_ns)
            heard += route.heard
            route.heard.clear()
        for route in (*self.routes, self.requests):
            route.tick(until_ns)
        return np.concatenate(heard) if heard else np.zeros(0, INPUT_DTYPE)

    def kill(self, now_ns: int) -> int:
        """The second route: no session is in it."""
        return self.exchange.kill(now_ns)

    def withdraw(self, now_ns: int) -> int:
        """The second route."""
        return self.exchange.withdraw(now_ns)

    def rearm(self, now_ns: int) -> None:
        """Sessions begin anew."""
        self.exchange.rearm(now_ns)

    def best(self, option: int, now_ns: int) -> tuple[int, int, int, int]:
        """Market data, which comes another way."""
        return self.exchange.best(option, now_ns)

    def respond(
        self, request: int, option: int, side: int, price: int, until_ns: int, now_ns: int
    ) -> None:
        """Our answer to a request for a quote leaves."""
        body = quote_body(request, option, side, price, until_ns, self._plan.codec)
        self.requests.answer("S", body, now_ns)

    def confirm(self, request: int, deal: bool, now_ns: int) -> None:
        """Our last look leaves."""
        self.requests.answer("8", look_body(request, deal), now_ns)

    def reset_protection(self) -> None:
        """Quotes are taken again."""
        self.exchange.reset_protection()

    def figures(self) -> list[dict[str, Any]]:
        """Per session: messages numbered on both sides, logons, messages that met a closed session."""
        return [
            {
                "name": route.codec.target,
                "sent": route.desk.session.state.next_out - 1,
                "heard": route.desk.session.state.next_in - 1,
                "logons": route.logons,
                "unsent": route.unsent,
            }
            for route in (*self.routes, self.requests)
        ]
