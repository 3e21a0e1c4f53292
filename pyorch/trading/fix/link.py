"""Drives a session: store, application and a way out for bytes around the state machine.

Outputs are carried out one after the other; what the application says while it is given a message comes after
them. Nothing here waits or knows a socket (`pyorch.trading.fix.transport` has those).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from pyorch.trading.fix.message import Field, Message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import (
    Close,
    Deliver,
    Keep,
    Lapsed,
    LoggedOn,
    Output,
    Send,
)
from pyorch.trading.fix.store import Store


class Application(Protocol):
    """Who speaks over a link."""

    def logged_on(self, link: Link) -> None:
        """The session is up."""

    def hear(self, message: Message, link: Link) -> None:
        """A message in sequence."""

    def lapsed(self, message: Message, link: Link) -> None:
        """A message of ours is missing over there, and too old to be sent again."""


class Link:
    """One side of a session at work.

    Args:
        write: takes bytes for the other side; hang_up: ends the connection, told why.

    Attributes:
        now_ns: of the step that is being carried out; an application that sends at a later time sets it, and
            what follows is no earlier.
    """

    def __init__(
        self,
        session: Session,
        store: Store,
        application: Application,
        write: Callable[[bytes], None],
        hang_up: Callable[[str], None],
    ) -> None:
        self.session = session
        self.application = application
        self.now_ns = 0
        self._store = store
        self._write = write
        self._hang_up = hang_up
        self._outputs: deque[Output] = deque()
        self._busy = False

    def connected(self, now_ns: int) -> None:
        """A connection stands."""
        self.now_ns = now_ns
        self._carry_out(self.session.connect(now_ns))

    def disconnected(self) -> None:
        """The connection is gone."""
        self.session.disconnect()

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes from the other side."""
        self.now_ns = now_ns
        self.session.feed(data)
        while (outputs := self.session.step(self.now_ns)) is not None:
            self._carry_out(outputs)

    def tick(self, now_ns: int) -> None:
        """Time has passed."""
        self.now_ns = now_ns
        self._carry_out(self.session.tick(now_ns))

    def send(self, kind: str, body: Iterable[Field], header: Iterable[Field] = ()) -> int:
        """An application message; its MsgSeqNum."""
        number = self.session.state.next_out
        self._carry_out(self.session.send(kind, body, self.now_ns, header))
        return number

    def logout(self, now_ns: int, text: bytes = b"") -> None:
        """Log out."""
        self.now_ns = now_ns
        self._carry_out(self.session.logout(now_ns, text))

    def _carry_out(self, outputs: list[Output]) -> None:
        self._outputs.extend(outputs)
        if self._busy:
            return  # whoever is at it goes on with them
        self._busy = True
        try:
            while self._outputs:
                self._do(self._outputs.popleft())
        finally:
            self._busy = False

    def _do(self, output: Output) -> None:
        match output:
            case Keep(record):
                self._store.keep(record)
            case Send(data):
                self._write(data)
            case Deliver(message):
                self.application.hear(message, self)
            case LoggedOn():
                self.application.logged_on(self)
            case Lapsed(message):
                self.application.lapsed(message, self)
            case Close(why):
                self._hang_up(why)
