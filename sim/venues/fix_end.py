"""The other ends of a desk's FIX sessions over TCP, in front of the simulated exchange."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.over_fix import as_the_desk_wrote
from pyorch.trading.exchange.reports import report_message
from pyorch.trading.exchange.request_speech import Askers
from pyorch.trading.fix.codec import FixCodec
from pyorch.trading.fix.dialects import Dialect, otc
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Field, Message
from pyorch.trading.fix.session_terms import SECOND_NS, SessionSettings
from pyorch.trading.fix.transport import Acceptor
from pyorch.trading.inputs import InputArray, InputKind

DESK_SAYS = frozenset({"i", "Z", "D", "F", "AF", "MZ"})
DESK_ANSWERS = frozenset({"S", "8"})


class FarEnd:
    """One session.

    Args:
        says: message types that the desk may send; now_ns: the market's time.

    Attributes:
        acceptor: where it listens.
    """

    def __init__(
        self,
        exchange: Exchange,
        codec: FixCodec,
        dialect: Dialect,
        now_ns: Callable[[], int],
        says: frozenset[str],
    ) -> None:
        self.exchange, self.codec, self.dialect = exchange, codec, dialect
        self._now_ns = now_ns
        self._kinds: dict[int, str] = {}
        self._reports = 0
        settings = SessionSettings(
            b"FIX.4.4",
            codec.target,
            codec.sender,
            initiator=False,
            resend_limit_ns=86_400 * SECOND_NS,
            gap_patience_ns=SECOND_NS,
            supported=says,
        )
        self.acceptor = Acceptor(settings, self, book=dialect.book)

    @property
    def link(self) -> Link:
        """The session at work."""
        return self.acceptor.link

    def say(self, row: InputArray, more: tuple[Field, ...] = ()) -> None:
        """A report leaves."""
        self._reports += 1
        self.link.now_ns = time.time_ns()
        said, body = report_message(row, self._kinds, self.codec, self._reports)
        self.link.send(said, [*body, *more])

    def logged_on(self, link: Link) -> None:
        """The desk is there."""

    def hear(self, message: Message, link: Link) -> None:
        """The desk speaks."""
        raise NotImplementedError

    def lapsed(self, message: Message, link: Link) -> None:
        """Reports never lapse within a day."""


class VenueEnd(FarEnd):
    """A venue's.

    Attributes:
        waiting: fills that happened while nobody was there.
    """

    def __init__(
        self,
        number: int,
        exchange: Exchange,
        codec: FixCodec,
        dialect: Dialect,
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(exchange, codec, dialect, now_ns, DESK_SAYS)
        self.number = number
        self._asked: deque[bytes] = deque()
        self.waiting: deque[InputArray] = deque()
        self._was_up = False

    def watch(self) -> None:
        """An outage ends the session and admits none; cancel on disconnect where one is gone."""
        self.acceptor.admits = not self.exchange.venues[self.number].out
        if self.link.session.up and not self.acceptor.admits:
            self.acceptor.drop()
        up = self.link.session.up
        if self._was_up and not up:
            self._asked.clear()
            self.exchange.break_session(self.number, self._now_ns())
        self._was_up = up

    def report(self, row: InputArray) -> None:
        """A report of the exchange leaves; of those without a session only fills are kept."""
        kind = row["kind"][0]
        if kind == InputKind.DISCONNECTED:
            return  # the desk sees it by itself
        if not self.link.session.up:
            if kind == InputKind.FILLED:
                self.waiting.append(row)
            return
        if kind != InputKind.CONNECTED:
            self.say(row)
        elif self._asked:  # otherwise of a session that is gone
            self.say(row, ((584, self._asked.popleft()), (911, b"0"), (912, b"Y")))

    def logged_on(self, link: Link) -> None:
        """The desk is there: what happened meanwhile comes first."""
        self._was_up = True
        while self.waiting:
            self.say(self.waiting.popleft())

    def hear(self, message: Message, link: Link) -> None:
        """The desk speaks."""
        if message.kind == "AF":
            self._asked.append(message.get(584) or b"")
            self.exchange.greet(self.number, self._now_ns())
        elif message.kind == "MZ":
            self.exchange.reset_protection()
            request = message.get(20114) or b""
            link.send("MR", [(20114, request), (20117, b"0")])
        elif message.kind not in ("3", "j"):
            raw = as_the_desk_wrote(message, self.dialect, self.codec, self._kinds)
            self.exchange.submit(raw, self._now_ns())


class AskersEnd(FarEnd):
    """That of those who ask for quotes; who asks while nobody is there gets no answer."""

    def __init__(self, exchange: Exchange, codec: FixCodec, now_ns: Callable[[], int]) -> None:
        super().__init__(exchange, codec, otc(), now_ns, DESK_ANSWERS)
        self._askers = Askers(exchange, codec)

    def report(self, row: InputArray) -> None:
        """A request or an acceptance leaves."""
        row = self._askers.told(row)
        if self.link.session.up:
            self.say(row)

    def hear(self, message: Message, link: Link) -> None:
        """The desk answers."""
        if message.kind not in ("3", "j"):
            self._askers.hear(message, self._now_ns())
