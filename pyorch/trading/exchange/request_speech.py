"""Requests for quotes over FIX 4.4: R, S, AJ and the last look as 8, both ends' words.

A session of its own carries them (TargetCompID `REQUESTS`), in the plain dialect
`pyorch.trading.fix.dialects.otc`; what is asked and accepted is told by `pyorch.trading.exchange.reports`.
"""

from __future__ import annotations

from pyorch.trading.exchange.market import Exchange
from pyorch.trading.fix.codec import FixCodec, sending_time
from pyorch.trading.fix.message import Field, Message, timestamp_ns
from pyorch.trading.fix.session_terms import SECOND_NS
from pyorch.trading.inputs import InputArray, InputKind

REQUESTS = "REQUESTS"
"""CompID of those who ask for quotes."""
ASKED = (InputKind.REQUEST, InputKind.ACCEPTANCE)
"""What they say."""


def quote_body(
    request: int, option: int, side: int, price: int, until_ns: int, codec: FixCodec
) -> list[Field]:
    """A quote (S) on request: a bid for who sells to us (side 0), an offer for who buys."""
    number = b"%d" % request
    until = sending_time(until_ns)[:-3] + b"%09d" % (until_ns % SECOND_NS)
    body: list[Field] = [(131, number), (117, number), (55, codec.symbols[option].encode())]
    return [*body, (132 + side, codec.price.text(price)), (62, until)]


def look_body(request: int, deal: bool) -> list[Field]:
    """The last look: a report (8) that the deal is done, or refused."""
    number = b"%d" % request
    body: list[Field] = [(37, number), (17, number), (150, b"F" if deal else b"8")]
    body += [(39, b"2" if deal else b"8"), (55, b"NONE"), (54, b"1")]
    return [*body, (151, b"0"), (14, b"0"), (6, b"0")]


class Askers:
    """Those who ask, at their end of the session.

    Args:
        codec: of the session.
    """

    def __init__(self, exchange: Exchange, codec: FixCodec) -> None:
        self._exchange, self._codec = exchange, codec
        self._options: dict[int, int] = {}

    def told(self, row: InputArray) -> InputArray:
        """A row that leaves; an acceptance gets the option that its request was about."""
        number = int(row["sequence"][0])
        if row["kind"][0] == InputKind.REQUEST:
            self._options[number] = int(row["option"][0])
            return row
        row = row.copy()
        row["option"] = self._options[number]
        return row

    def hear(self, message: Message, now_ns: int) -> None:
        """The desk answers (S), or looks last (8)."""
        if message.kind == "8":
            self._exchange.confirm(message.number(37) or 0, message.get(39) == b"2", now_ns)
            return
        request = message.number(131) or 0
        side = 0 if message.get(132) is not None else 1
        price = (message.get(132 + side) or b"0").replace(b".", b"")
        until_ns = timestamp_ns(message.get(62) or b"") or 0
        ticks = int(price) // self._codec.price.units
        self._exchange.respond(request, self._options[request], side, ticks, until_ns, now_ns)
