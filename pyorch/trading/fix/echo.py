"""The application of `pyorch fix-acceptor`: says again what it is told."""

from __future__ import annotations

from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Message
from pyorch.trading.fix.session_speech import reversed_route

ECHOED = frozenset({"D", "d", "C"})
"""NewOrderSingle, SecurityDefinition, Email."""


class Echo:
    """Sends each message back with its body's fields by rising tag, once for each ClOrdID.

    A message with PossResend whose ClOrdID was heard since the logon is ignored.
    """

    def __init__(self) -> None:
        self._heard: set[bytes] = set()

    def logged_on(self, link: Link) -> None:
        """The numbers begin anew, and so does what was heard."""
        self._heard.clear()

    def hear(self, message: Message, link: Link) -> None:
        """Say it again."""
        order = message.get(11)
        known = order is not None and order in self._heard
        if order is not None:
            self._heard.add(order)
        if message.kind not in ECHOED or (message.flag(97) and known) or not link.session.up:
            return
        book = link.session.book
        body = [one for one in message.fields if not book.is_outer(one[0])]
        header = reversed_route(message)
        if message.flag(97):
            header.append((97, b"Y"))
        fields = [one for unit in book.units(body, message.kind) for one in unit]
        link.send(message.kind, fields, header)

    def lapsed(self, message: Message, link: Link) -> None:
        """An echo that is too old is not missed."""
