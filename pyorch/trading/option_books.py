"""Prices of others in options, from the books that a venue's feed brings, with what we show taken off.

A venue's book holds our own quotes too. What we show is what we sent last; it is taken off for a while after
it was replaced, since a book comes later than our messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyorch import _native
from pyorch.contract.events import EventArray, Side, event_words
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.fix.codec import FixCodec
from pyorch.trading.fix.decode import decode

LINGERS_NS = 500_000_000
"""A level of ours may still stand in a book so long after it was replaced."""
LEVELS = 16
"""Of a side, looked through for one that is not ours."""


@dataclass(slots=True)
class _Shown:
    price_ticks: int
    lots: int
    until_ns: int = NEVER


class OptionBooks:
    """Books of the options that a feed brings.

    Args:
        options: per instrument of the feed its number in the universe.
        codec: of our messages.
    """

    def __init__(self, options: Sequence[int], codec: FixCodec) -> None:
        self._price, self._size = codec.price, codec.size
        self._books = {option: (index, _native.Book()) for index, option in enumerate(options)}
        self._marks = {option: b"\x01299=%d\x01" % option for option in options}
        self._quoted: dict[tuple[int, int], list[_Shown]] = {}
        self._ordered: dict[tuple[int, int], list[_Shown]] = {}

    def hear(self, events: EventArray) -> None:
        """Rows of the feed, in order."""
        if len(events):
            words = event_words(events)
            for index, book in self._books.values():
                book.apply_all(words, index)

    def sent(self, message: bytes, now_ns: int) -> None:
        """A message of ours leaves: what it shows in these options."""
        withdraws = b"\x0135=Z\x01" in message[:40]
        about = [option for option, mark in self._marks.items() if mark in message]
        is_order = b"\x0135=D\x01" in message[:40] or b"\x0135=F\x01" in message[:40]
        if not (withdraws or about or is_order):
            return
        found = decode(message, self._price, self._size)
        if withdraws:
            for place in (*self._quoted, *self._ordered):
                self._show(self._quoted, place, 0, 0, now_ns)
                self._show(self._ordered, place, 0, 0, now_ns)
        for option, quote in found.entries:
            if option in self._books:
                self._show(self._quoted, (option, 0), quote.bid_ticks, quote.bid_lots, now_ns)
                self._show(self._quoted, (option, 1), quote.ask_ticks, quote.ask_lots, now_ns)
        if found.order is not None and found.order[0] in self._books:
            option, side, price, lots, rests = found.order
            for one in (0, 1):  # an order takes the place of the option's other one
                self._show(self._ordered, (option, one), 0, 0, now_ns)
            if found.kind == "D" and rests:
                self._show(self._ordered, (option, side), price, lots, now_ns)

    def best(self, option: int, now_ns: int) -> tuple[int, int, int, int]:
        """Best bid of others, its lots, best ask and its lots; 0 lots: there is none, or the book is void."""
        if option not in self._books:
            return 0, 0, 0, 0
        book = self._books[option][1]
        if not book.valid:
            return 0, 0, 0, 0
        bid, bid_lots = self._best(book, option, Side.BID, now_ns)
        ask, ask_lots = self._best(book, option, Side.ASK, now_ns)
        return bid, bid_lots, ask, ask_lots

    def _best(self, book: _native.Book, option: int, side: int, now_ns: int) -> tuple[int, int]:
        ours: dict[int, int] = {}
        for shown in (self._quoted, self._ordered):
            for one in shown.get((option, int(side)), ()):
                if one.until_ns > now_ns:
                    ours[one.price_ticks] = ours.get(one.price_ticks, 0) + one.lots
        for price, lots in book.levels(int(side), LEVELS):
            if lots > ours.get(price, 0):
                return price, lots - ours.get(price, 0)
        return 0, 0

    def _show(
        self,
        shown: dict[tuple[int, int], list[_Shown]],
        place: tuple[int, int],
        price: int,
        lots: int,
        now_ns: int,
    ) -> None:
        kept = [one for one in shown.get(place, ()) if one.until_ns > now_ns]
        for one in kept:
            one.until_ns = min(one.until_ns, now_ns + LINGERS_NS)
        if lots:
            kept = [one for one in kept if one.price_ticks != price]
            kept.append(_Shown(price, lots))
        shown[place] = kept
