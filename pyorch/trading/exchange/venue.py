"""One venue: sessions, delays, refusals, protection, and the books of its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pyorch.trading.exchange.matching import ASK, BID, OptionBook, Order
from pyorch.trading.exchange.settings import VenueSettings
from pyorch.trading.fix.decode import Decoded
from pyorch.trading.inputs import InputArray, InputKind, Rejection, make_input
from pyorch.trading.risk import Quote

DESK = 0
"""Owner of our own orders."""
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of ours, as the venue books it.

    Attributes:
        side: 0 our bid, 1 our ask.
        informed: by whom: ``random``, ``stale`` or ``informed``.
        queue_lots: what traded before us at our price.
    """

    local_ns: int
    option: int
    side: int
    price_ticks: int
    lots: int
    sequence: int
    by: str
    queue_lots: int


class Venue:
    """The venue's state, moved by whoever keeps the time (`pyorch.trading.exchange.market.Exchange`).

    Args:
        number: index of the venue; report: called with each report and when it was sent.

    Attributes:
        out: it is down by itself, whoever wants to log on; connected: a session is up.
        positions_lots: per option what the venue has booked for us.
        last_sequence: of our last message taken in; duplicates: messages that came twice.
    """

    def __init__(
        self,
        settings: VenueSettings,
        number: int,
        options: int,
        seed: int,
        report: Callable[[int, int, InputArray], None],
    ) -> None:
        self.settings = settings
        self.number = number
        self.random = Random(seed)
        self.books = [OptionBook() for _ in range(options)]
        self.quotes: list[tuple[Order | None, Order | None]] = [(None, None)] * options
        self.orders: dict[int, Order] = {}
        self.connected, self.out = True, False
        self.locked = False
        self.protected = False
        self.last_sequence = 0
        self.duplicates = self.dropped = 0
        self.positions_lots = [0] * options
        self.fills: list[Fill] = []
        self.rejects: dict[str, int] = {}
        self._report = report
        self._credit = float(settings.entries_burst)
        self._credit_ns = 0
        self._recent: list[tuple[int, int]] = []

    def live_orders(self) -> list[tuple[int, Order]]:
        """(option, order) of everything of ours that rests, quotes first."""
        quotes = [(k, one) for k, pair in enumerate(self.quotes) for one in pair if one is not None]
        return [(k, order) for k, order in (*quotes, *self.orders.items()) if order.lots > 0]

    def receive(self, message: Decoded, now_ns: int) -> None:
        """A message of ours arrives."""
        if not self.connected or self.locked:
            self.dropped += 1
            return
        if message.sequence <= self.last_sequence:
            self.duplicates += 1
            return
        self.last_sequence = message.sequence
        if message.kind == "Z":
            self.cancel_all()
            self._say(InputKind.CANCELLED, now_ns, sequence=message.sequence)
            return
        if message.kind == "i":
            for option, quote in message.entries:
                self._quote(option, quote, message.sequence, now_ns)
        elif message.order is not None:
            self.order(message, now_ns)
        self._say(InputKind.ACKNOWLEDGED, now_ns, sequence=message.sequence)

    def cancel_all(self) -> None:
        """Nothing of ours rests any more."""
        for option, pair in enumerate(self.quotes):
            for order in pair:
                if order is not None:
                    self.books[option].remove(order)
            self.quotes[option] = (None, None)
        for option, order in list(self.orders.items()):
            self.books[option].remove(order)
            del self.orders[option]

    def cut(self, now_ns: int) -> None:
        """The session breaks: cancel on disconnect."""
        if self.connected:
            self.connected = False
            self.cancel_all()
            self._say(InputKind.DISCONNECTED, now_ns)

    def join(self, now_ns: int) -> None:
        """The session is up again."""
        if not self.connected:
            self.connected = True
            self._say_up(now_ns)

    def logon(self, now_ns: int) -> None:
        """A desk begins: nothing that another one left is kept."""
        self.cancel_all()
        self._say_up(now_ns)

    def withdraw(self, now_ns: int) -> None:
        """By the second route: everything is cancelled, the session stays open."""
        self.cancel_all()
        self._say(InputKind.CANCELLED, now_ns, sequence=self.last_sequence)

    def kill(self, now_ns: int) -> None:
        """By the second route: everything is cancelled, and the session's messages are dropped."""
        self.locked = True
        self.withdraw(now_ns)

    def unlock(self, now_ns: int) -> None:
        """Re-armed: messages are taken in again."""
        self.locked = False
        self._say_up(now_ns)

    def reset_protection(self) -> None:
        """The desk asks for quotes to be taken again."""
        self.protected = False
        self._recent.clear()

    def trade(self, option: int, side: int, limit: int, lots: int, by: str, now_ns: int) -> int:
        """A taker hits what rests on ``side``; returns the lots that it got of us."""
        ours, ahead = 0, 0
        for order, traded in self.books[option].take(side, limit, lots):
            if order.owner != DESK:
                ahead += traded
                continue
            ours += traded
            signed = traded if side == BID else -traded
            self.positions_lots[option] += signed
            self.fills.append(
                Fill(now_ns, option, side, order.price_ticks, traded, order.sequence, by, ahead)
            )
            self._say(
                InputKind.FILLED,
                now_ns,
                option=option,
                side=side,
                price_ticks=order.price_ticks,
                lots=traded,
                sequence=order.sequence,
                value=int(not order.quote),
            )
            if order.quote:
                self._protect(traded, now_ns)
        return ours

    def _say_up(self, now_ns: int) -> None:
        """Once messages are taken in; with what has been."""
        if self.connected and not self.locked:
            self._say(InputKind.CONNECTED, now_ns, sequence=self.last_sequence)

    def _say(self, kind: InputKind, now_ns: int, **fields: int) -> None:
        row = make_input(kind, 0, venue=self.number, **fields)
        self._report(self.number, now_ns, row)

    def _reject(
        self, why: Rejection, option: int, sequence: int, now_ns: int, quote: bool = True
    ) -> None:
        self.rejects[why.name.lower()] = self.rejects.get(why.name.lower(), 0) + 1
        kind = InputKind.REJECTED if quote else InputKind.ORDER_REJECTED
        self._say(kind, now_ns, option=option, sequence=sequence, value=int(why))

    def _quote(self, option: int, quote: Quote, sequence: int, now_ns: int) -> None:
        """Replace the option's quote; a refused entry leaves none."""
        book = self.books[option]
        old = self.quotes[option]
        self.quotes[option] = (None, None)
        why = self._refusal(option, quote, now_ns)
        keeps: list[Order | None] = []
        for side, price, lots in (
            (BID, quote.bid_ticks, quote.bid_lots),
            (ASK, quote.ask_ticks, quote.ask_lots),
        ):
            order = old[side]
            wanted = why is None and lots > 0
            if order is not None and wanted and order.price_ticks == price and lots <= order.lots:
                order.sequence = sequence
                book.cut(order, lots)  # smaller at its price: keeps its place
                keeps.append(order)
                continue
            if order is not None:
                book.remove(order)
            keeps.append(Order(side, price, lots, DESK, sequence) if wanted else None)
            if keeps[-1] is not None:
                book.add(keeps[-1])
        self.quotes[option] = (keeps[0], keeps[1])
        if why is not None:
            self._reject(why, option, sequence, now_ns)

    def _refusal(self, option: int, quote: Quote, now_ns: int) -> Rejection | None:
        if quote.bid_lots + quote.ask_lots == 0:
            return None  # a withdrawal is always taken in
        if self.protected:
            return Rejection.PROTECTED
        if not self._credit_for_entry(now_ns):
            return Rejection.RATE
        if self.random.random() < self.settings.reject_share:
            return Rejection.CHANCE
        return None if self._is_passive(option, quote) else Rejection.CROSSED

    def _is_passive(self, option: int, quote: Quote) -> bool:
        """Whether neither side would trade at once with others."""
        book = self.books[option]
        mine = self.quotes[option]
        for side, price, lots in (
            (BID, quote.bid_ticks, quote.bid_lots),
            (ASK, quote.ask_ticks, quote.ask_lots),
        ):
            others = [
                p
                for p, level in book.levels[1 - side].items()
                if any(order.owner != DESK and order not in mine for order in level)
            ]
            if lots > 0 and others:
                if side == BID and price >= min(others):
                    return False
                if side == ASK and price <= max(others):
                    return False
        return True

    def _credit_for_entry(self, now_ns: int) -> bool:
        elapsed = (now_ns - self._credit_ns) / NANO
        full = float(self.settings.entries_burst)
        self._credit = min(full, self._credit + elapsed * self.settings.entries_per_s)
        self._credit_ns = now_ns
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    def order(self, message: Decoded, now_ns: int) -> None:
        """One order of ours an option beside the quotes: it trades what it can, and rests if it may."""
        assert message.order is not None
        option, side, price, lots, rests = message.order
        old = self.orders.pop(option, None)
        if old is not None:
            self.books[option].remove(old)
        if message.kind == "F":
            return
        mine = self.quotes[option][1 - side]
        if mine is not None and (
            mine.price_ticks <= price if side == BID else mine.price_ticks >= price
        ):
            self._reject(Rejection.CROSSED, option, message.sequence, now_ns, quote=False)
            return
        for order, traded in self.books[option].take(1 - side, price, lots):
            lots -= traded
            self._book_own(option, side, order.price_ticks, traded, message.sequence, now_ns)
        if lots > 0 and rests:
            self.orders[option] = Order(side, price, lots, DESK, message.sequence, quote=False)
            self.books[option].add(self.orders[option])

    def deal(self, option: int, side: int, price: int, lots: int, now_ns: int) -> None:
        """A trade beside the book: a request of a counterparty that we answered and confirmed."""
        self._book_own(option, side, price, lots, 0, now_ns, "request")

    def _book_own(
        self,
        option: int,
        side: int,
        price: int,
        lots: int,
        sequence: int,
        now_ns: int,
        by: str = "own order",
    ) -> None:
        self.positions_lots[option] += lots if side == BID else -lots
        self.fills.append(Fill(now_ns, option, side, price, lots, sequence, by, 0))
        self._say(
            InputKind.FILLED, now_ns, option=option, side=side, price_ticks=price, lots=lots,
            sequence=sequence, value=1,
        )  # fmt: skip

    def _protect(self, lots: int, now_ns: int) -> None:
        rule = self.settings.protection
        self._recent = [
            one for one in self._recent if one[0] > now_ns - rule.interval_ms * 1_000_000
        ]
        self._recent.append((now_ns, lots))
        if not self.protected and sum(one[1] for one in self._recent) >= rule.lots:
            self.protected = True
            self.cancel_all()
            self._say(InputKind.PROTECTION, now_ns, sequence=self.last_sequence)
