"""Full books with long queues: random orders, withdrawals and takers of others, and a desk among them."""

from __future__ import annotations

from random import Random

from pyorch.trading.exchange.matching import ASK, BID, Order
from pyorch.trading.exchange.recording import RecordedBook, Recording
from pyorch.trading.exchange.settings import VenueProtection, VenueSettings
from pyorch.trading.exchange.venue import DESK, Venue
from pyorch.trading.fix.decode import Decoded
from pyorch.trading.risk import Quote

MID = 1000
DEPTH = 4
"""Others' prices lie so many ticks or less from the spread's edges."""
NO_PROTECTION = VenueProtection(interval_ms=1, lots=10**9)


class RandomFlow:
    """A venue of several options and what comes to it, drawn from a seed.

    Args:
        withdraw_share: of others' steps that withdraw an order from anywhere in a queue.
        beside: whether orders of ours come beside the quotes, which may rest at a price of theirs.
    """

    def __init__(self, seed: int, options: int, withdraw_share: float, beside: bool) -> None:
        self.recording = Recording()
        settings = VenueSettings(
            name="V", reject_share=0.0, entries_burst=10**9, protection=NO_PROTECTION
        )
        self.venue = Venue(settings, 0, options, seed, lambda number, now_ns, row: None)
        self.venue.books = [
            RecordedBook(option=option, recording=self.recording) for option in range(options)
        ]
        self._random = Random(seed)
        self._others: list[list[Order]] = [[] for _ in range(options)]
        self._withdraw_share = withdraw_share
        self._beside = beside
        self._sequence = 0

    def run(self, steps: int) -> Recording:
        """So many things happen, one after another."""
        for now_ns in range(steps):
            option = self._random.randrange(len(self.venue.books))
            share = self._random.random()
            if share < 0.15:
                self._quote(option, now_ns)
            elif share < 0.2 and self._beside:
                self._order(option, now_ns)
            elif share < 0.45:
                side = self._random.choice((BID, ASK))
                sign = 1 if side == BID else -1
                limit = MID - sign * self._random.randint(1, DEPTH + 1)
                self.venue.trade(option, side, limit, self._random.randint(1, 30), "random", now_ns)
            elif share < 0.45 + 0.55 * self._withdraw_share:
                self._withdraw(option)
            else:
                self._add(option)
        return self.recording

    def _price(self, side: int) -> int:
        away = self._random.randint(1, DEPTH)
        return MID - away if side == BID else MID + away

    def _quote(self, option: int, now_ns: int) -> None:
        """Anew, smaller at the same prices, or withdrawn."""
        self._sequence += 1
        draw = self._random
        old = self.venue.quotes[option]
        bid, ask = old
        if (
            bid is not None
            and ask is not None
            and min(bid.lots, ask.lots) > 1
            and draw.random() < 0.4
        ):
            quote = Quote(
                bid.price_ticks,
                ask.price_ticks,
                draw.randint(1, bid.lots),
                draw.randint(1, ask.lots),
            )
        elif draw.random() < 0.1:
            quote = Quote(0, 0, 0, 0)
        else:
            quote = Quote(
                self._price(BID), self._price(ASK), draw.randint(1, 20), draw.randint(1, 20)
            )
        self.venue.receive(Decoded("i", "V", self._sequence, ((option, quote),)), now_ns)

    def _order(self, option: int, now_ns: int) -> None:
        self._sequence += 1
        side = self._random.choice((BID, ASK))
        order = (option, side, self._price(side), self._random.randint(1, 10), True)
        kind = "D" if self._random.random() < 0.8 else "F"
        self.venue.receive(Decoded(kind, "V", self._sequence, order=order), now_ns)

    def _add(self, option: int) -> None:
        side = self._random.choice((BID, ASK))
        order = Order(side, self._price(side), self._random.randint(1, 20), DESK + 1)
        self._others[option].append(order)
        self.venue.books[option].add(order)

    def _withdraw(self, option: int) -> None:
        mine = self._others[option] = [one for one in self._others[option] if one.lots > 0]
        if mine:
            self.venue.books[option].remove(mine.pop(self._random.randrange(len(mine))))
