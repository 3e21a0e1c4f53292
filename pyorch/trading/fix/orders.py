"""Orders over a session: who sends them, and who takes them.

The client's ClOrdIDs are in its store before an order leaves, so that none is used twice. After each logon
the client is not `ready`: it asks for all open orders (OrderMassStatusRequest, FIX 4.4), then for each that
it has open and the other side has not (OrderStatusRequest; 4.2 has that alone), and waits for all answers.
Since a session hands messages on in order, an order that the other side does not know then never got there;
it is *dead* and is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Field, Message, read_message
from pyorch.trading.fix.session_terms import Record, RecordKind

OWN_TYPES = frozenset({"D", "F", "H", "AF"})
"""What a client says."""
REPORT_TYPES = frozenset({"8", "9"})
"""What it is told."""
ALL_ORDERS = b"7"
UNKNOWN = b"NONE"


class Fate(Enum):
    """What is known of an order."""

    SENT = auto()
    LIVE = auto()
    FILLED = auto()
    CANCELLED = auto()
    REJECTED = auto()
    DEAD = auto()

    @property
    def ended(self) -> bool:
        """Nothing more happens to it."""
        return self not in (Fate.SENT, Fate.LIVE)


_FATES = {
    b"0": Fate.LIVE, b"1": Fate.LIVE, b"2": Fate.FILLED, b"4": Fate.CANCELLED, b"8": Fate.REJECTED,
}  # fmt: skip


@dataclass(slots=True)
class ClientOrder:
    """An order of ours.

    Attributes:
        filled: units that traded; number: MsgSeqNum that it left with.
        asked_ns: when it was sent, or asked for.
    """

    order: bytes
    symbol: bytes
    side: bytes
    units: int
    number: int
    asked_ns: int
    fate: Fate = Fate.SENT
    filled: int = 0


class OrderClient:
    """Sends orders.

    Args:
        records: of the session's store; what was sent and told before is made again from them.
        prefix: begins each ClOrdID.

    Attributes:
        orders: by ClOrdID; ready: whether what was open before this logon is known.
    """

    def __init__(self, records: list[Record], prefix: str = "") -> None:
        self.orders: dict[bytes, ClientOrder] = {}
        self.ready = False
        self._prefix = prefix
        self._asked: set[bytes] = set()
        self._known: set[bytes] = set()
        self._numbers: dict[int, bytes] = {}
        for record in records:
            if record.kind is RecordKind.SENT:
                self._sent(read_message(record.raw), record)
            elif record.kind is RecordKind.TAKEN and record.raw:
                self._told(read_message(record.raw))
            elif record.kind is RecordKind.RESET:
                self._numbers.clear()

    def open_orders(self) -> list[ClientOrder]:
        """Those that are not at their end."""
        return [one for one in self.orders.values() if not one.fate.ended]

    def order(self, link: Link, symbol: str, side: int, units: int, price: str) -> bytes:
        """A limit order; its ClOrdID, which is on the disk before the order leaves.

        Args:
            side: 0 buys, 1 sells.
        """
        order = f"{self._prefix}{len(self.orders) + 1}".encode()
        body: list[Field] = [
            (11, order),
            (21, b"1"),
            (55, symbol.encode()),
            (54, b"%d" % (side + 1)),
            (60, sending_time(link.now_ns)),
            (38, b"%d" % units),
            (40, b"2"),
            (44, price.encode()),
        ]
        number = link.session.state.next_out
        self._note(ClientOrder(order, symbol.encode(), body[3][1], units, number, link.now_ns))
        link.send("D", body)
        return order

    def logged_on(self, link: Link) -> None:
        """Ask what became of everything that is open."""
        self._asked.clear()
        self._known.clear()
        self.ready = False
        if link.session.settings.begin_string == b"FIX.4.4":
            request = b"S%d" % link.session.state.next_out
            self._asked.add(request)
            link.send("AF", [(584, request), (585, ALL_ORDERS)])
        else:
            self._ask_for_rest(link)

    def hear(self, message: Message, link: Link) -> None:
        """A report, or a reject of a message of ours."""
        self._told(message)
        if self.ready:
            return
        request, order = message.get(584) or b"", message.get(11) or b""
        if message.kind == "8" and request in self._asked:
            self._known.add(order)
            if message.flag(912) and link.session.up:
                self._asked.discard(request)
                self._ask_for_rest(link)
        elif message.kind == "8" and (message.get(150) == b"I" or message.get(20) == b"3"):
            self._asked.discard(order)
        self.ready = not self._asked

    def chase(self, link: Link, patience_ns: int) -> None:
        """Ask for orders that nothing was heard of since they were sent or asked for."""
        for one in self.orders.values() if self.ready and link.session.up else ():
            if one.fate is Fate.SENT and link.now_ns - one.asked_ns >= patience_ns:
                self._ask_for(one, link)

    def _ask_for_rest(self, link: Link) -> None:
        """What is open here, and was not listed as open there."""
        for one in self.open_orders():
            if one.order not in self._known:
                self._asked.add(one.order)
                self._ask_for(one, link)
        self.ready = not self._asked

    def _ask_for(self, one: ClientOrder, link: Link) -> None:
        one.asked_ns = link.now_ns
        link.send("H", [(11, one.order), (55, one.symbol), (54, one.side)])

    def lapsed(self, message: Message, link: Link) -> None:
        """It did not get there, and never will; the next reconciliation says the same."""
        one = self.orders.get(message.get(11) or b"")
        if message.kind == "D" and one is not None and one.fate is Fate.SENT:
            one.fate = Fate.DEAD
        elif message.kind == "AF" and link.session.up:
            self.logged_on(link)
        elif message.kind == "H" and one is not None and not one.fate.ended and link.session.up:
            self._ask_for(one, link)

    def _note(self, one: ClientOrder) -> None:
        self.orders[one.order] = one
        self._numbers[one.number] = one.order

    def _sent(self, message: Message, record: Record) -> None:
        order = message.get(11)
        if message.kind == "D" and order is not None and order not in self.orders:
            symbol, side = message.get(55) or b"", message.get(54) or b""
            units = message.number(38) or 0
            self._note(ClientOrder(order, symbol, side, units, record.number, record.local_ns))

    def _told(self, message: Message) -> None:
        if message.kind == "3":
            refused = self.orders.get(self._numbers.get(message.number(45) or 0, b""))
            if refused is not None and message.get(372) == b"D" and refused.fate is Fate.SENT:
                refused.fate = Fate.REJECTED
            return
        one = self.orders.get(message.get(11) or b"")
        if message.kind != "8" or one is None:
            return
        unknown = message.get(37) == UNKNOWN and message.get(39) == b"8"
        fate = Fate.DEAD if unknown else _FATES.get(message.get(39) or b"", one.fate)
        if not one.fate.ended or one.fate is Fate.DEAD:
            one.fate = fate
        one.filled = max(one.filled, message.number(14) or 0)


@dataclass(slots=True)
class ServerOrder:
    """An order as the other side keeps it."""

    order: bytes
    symbol: bytes
    side: bytes
    units: int
    filled: int = 0
    cancelled: bool = False

    @property
    def status(self) -> bytes:
        """OrdStatus (39)."""
        if self.filled == self.units:
            return b"2"
        return b"4" if self.cancelled else b"1" if self.filled else b"0"


class OrderServer:
    """Takes orders, each ClOrdID once, and reports.

    Args:
        records: of the session's store; orders are made again from them.
        fills: units of an order that trade at once; told the order.

    Attributes:
        orders: by ClOrdID, in the order of their arrival; repeats: ClOrdIDs that came again.
    """

    def __init__(self, records: list[Record], fills: Callable[[ServerOrder], int]) -> None:
        self.orders: dict[bytes, ServerOrder] = {}
        self.repeats = 0
        self._fills = fills
        self._reports = 0
        for record in records:
            if record.kind is RecordKind.TAKEN and record.raw:
                self._take(read_message(record.raw))

    def logged_on(self, link: Link) -> None:
        """The client asks."""

    def hear(self, message: Message, link: Link) -> None:
        """Take it in, and report."""
        one = self._take(message)
        if not link.session.up:
            return
        if message.kind == "AF":
            self._report_all(message, link)
        elif message.kind == "H":
            self._report(link, one or unknown_order(message), b"I")
        elif one is not None:
            self._report(link, one, b"4" if message.kind == "F" else b"0")
            if message.kind == "D" and one.filled:
                self._report(link, one, b"F")

    def lapsed(self, message: Message, link: Link) -> None:
        """A report that is too old: the order's state as it is now takes its place."""
        one = self.orders.get(message.get(11) or b"")
        if message.kind == "8" and one is not None and link.session.up:
            self._report(link, one, b"I")

    def _take(self, message: Message) -> ServerOrder | None:
        order = message.get(11) or b""
        if message.kind == "D":
            if order in self.orders:
                self.repeats += 1
                return self.orders[order]
            one = ServerOrder(
                order, message.get(55) or b"", message.get(54) or b"", message.number(38) or 0
            )
            one.filled = min(one.units, self._fills(one))
            self.orders[order] = one
            return one
        if message.kind == "F":
            found = self.orders.get(message.get(41) or b"")
            if found is not None and found.filled < found.units:
                found.cancelled = True
            return found
        return self.orders.get(order)

    def _report_all(self, message: Message, link: Link) -> None:
        """Every order that is open; one report at least."""
        request = message.get(584) or b""
        found = [one for one in self.orders.values() if one.status in (b"0", b"1")]
        found = found or [unknown_order(message)]
        for at, one in enumerate(found, 1):
            last = b"Y" if at == len(found) else b"N"
            self._report(link, one, b"I", [(584, request), (911, b"%d" % len(found)), (912, last)])

    def _report(
        self, link: Link, one: ServerOrder, kind: bytes, more: list[Field] | None = None
    ) -> None:
        self._reports += 1
        known = one.order in self.orders
        status = one.status if known else b"8"
        left = one.units - one.filled if status in (b"0", b"1") else 0
        old = link.session.settings.begin_string == b"FIX.4.2"
        body: list[Field] = [
            (37, b"O-" + one.order if known else UNKNOWN),
            (17, b"%d" % self._reports),
        ]
        if old:
            body.append((20, b"3" if kind == b"I" else b"0"))
        if one.order:
            body.append((11, one.order))
        body += [
            (150, status if old else kind),
            (39, status),
            (55, one.symbol),
            (54, one.side),
            (151, b"%d" % left),
            (14, b"%d" % one.filled),
            (6, b"0"),
            *(more or []),
        ]
        link.send("8", body)


def unknown_order(message: Message) -> ServerOrder:
    """What is reported of an order that is not known."""
    symbol, side = message.get(55) or b"NONE", message.get(54) or b"1"
    return ServerOrder(message.get(11) or b"", symbol, side, 0)
