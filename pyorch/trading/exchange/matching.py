"""A limit order book of one option: price first, then time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

BID, ASK = 0, 1
Level = deque["Order"]


@dataclass(slots=True, eq=False)
class Order:
    """An order that rests.

    Attributes:
        owner: 0 is the desk, others are other makers.
        sequence: of the desk's message that brought it.
        quote: whether it came in a mass quote, which the next one replaces.
    """

    side: int
    price_ticks: int
    lots: int
    owner: int
    sequence: int = 0
    quote: bool = True


@dataclass(slots=True)
class OptionBook:
    """Both sides, each price with its queue; who came first is first served."""

    levels: tuple[dict[int, Level], dict[int, Level]] = field(default_factory=lambda: ({}, {}))

    def best(self, side: int) -> int | None:
        """Best price of a side in ticks."""
        prices = self.levels[side]
        if not prices:
            return None
        return max(prices) if side == BID else min(prices)

    def best_of_others(self, side: int, owner: int) -> tuple[int, int]:
        """Best price of a side that not only ``owner`` shows, and the others' lots there; 0, 0: none."""
        shown = {
            price: sum(order.lots for order in level if order.owner != owner)
            for price, level in self.levels[side].items()
        }
        prices = [price for price, lots in shown.items() if lots > 0]
        if not prices:
            return 0, 0
        best = max(prices) if side == BID else min(prices)
        return best, shown[best]

    def add(self, order: Order) -> None:
        """At the end of its price's queue."""
        self.levels[order.side].setdefault(order.price_ticks, deque()).append(order)

    def remove(self, order: Order) -> None:
        """Take an order out; one that is no longer there is left alone."""
        level = self.levels[order.side].get(order.price_ticks)
        if level is not None and order in level:
            level.remove(order)
            if not level:
                del self.levels[order.side][order.price_ticks]

    def cut(self, order: Order, lots: int) -> None:
        """Make an order smaller; it keeps its place."""
        order.lots = lots

    def ahead(self, order: Order) -> int:
        """Lots that trade before the order at its price."""
        lots = 0
        for other in self.levels[order.side].get(order.price_ticks, ()):
            if other is order:
                return lots
            lots += other.lots
        raise LookupError("the order does not rest here")

    def take(self, side: int, limit_ticks: int, lots: int) -> Iterator[tuple[Order, int]]:
        """Trade against what rests on ``side``, at ``limit_ticks`` or better for the taker."""
        while lots > 0:
            price = self.best(side)
            if price is None or (price < limit_ticks if side == BID else price > limit_ticks):
                return
            level = self.levels[side][price]
            order = level[0]
            traded = min(lots, order.lots)
            lots -= traded
            order.lots -= traded
            if order.lots == 0:
                level.popleft()
                if not level:
                    del self.levels[side][price]
            yield order, traded
