"""What could still be filled: every quote that a venue holds, or may hold once a message arrives.

The definition of `native/exposure.hpp`. A quote sent replaces the option's quote at the venue, but until the
venue says so both may trade: the old one before the message arrives, the new one after. So the most that
can be filled is their sum. `Exposures` keeps a generation for each message on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GENERATIONS = 4
"""Generations kept apart; a further one is added to the last, which then ends with the newest message."""


@dataclass(slots=True)
class Generation:
    """Lots that one message put, or will put, into the venue's book."""

    sequence: int
    bid_lots: int
    ask_lots: int


@dataclass(slots=True)
class Exposures:
    """Per option the generations, oldest first.

    Args:
        venues: per option its venue.
        acknowledged: False: nobody answers, a message counts as taken in when it is sent.
    """

    venues: tuple[int, ...]
    acknowledged: bool = False
    generations: list[list[Generation]] = field(default_factory=list)
    orders: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """(option, side) → (price in ticks, lots) of an order of ours that rests beside the quotes."""

    def __post_init__(self) -> None:
        self.generations = [[] for _ in self.venues]

    def open_lots(self, option: int) -> tuple[int, int]:
        """Lots that could be bought and sold in the worst case."""
        kept = self.generations[option]
        bid, ask = self.order_lots(option, 0), self.order_lots(option, 1)
        return bid + sum(g.bid_lots for g in kept), ask + sum(g.ask_lots for g in kept)

    def order_lots(self, option: int, side: int) -> int:
        """Lots of our order that rests on a side beside the quotes."""
        return self.orders.get((option, side), (0, 0))[1]

    def place(self, option: int, sequence: int, bid_lots: int, ask_lots: int) -> None:
        """A quote goes out."""
        kept = self.generations[option]
        if not self.acknowledged:
            kept.clear()
            if bid_lots + ask_lots == 0:
                return
        if len(kept) == GENERATIONS:
            kept[-1].sequence = sequence
            kept[-1].bid_lots += bid_lots
            kept[-1].ask_lots += ask_lots
        else:
            kept.append(Generation(sequence, bid_lots, ask_lots))

    def taken_in(self, venue: int, sequence: int) -> None:
        """The venue has taken in a message: what its quotes replaced is gone."""
        for option, kept in enumerate(self.generations):
            if self.venues[option] == venue and any(g.sequence == sequence for g in kept):
                self._drop(option, sequence - 1)

    def rejected(self, option: int, sequence: int) -> None:
        """The venue refused the entry and holds no quote of the option."""
        self._drop(option, sequence)

    def cancelled(self, venue: int, sequence: int) -> None:
        """The venue holds nothing that was sent up to ``sequence``."""
        for option in range(len(self.generations)):
            if self.venues[option] == venue:
                self._drop(option, sequence)

    def filled(self, option: int, sequence: int, side: int, lots: int) -> bool:
        """A quote traded; whether any was known of."""
        for kept in self.generations[option]:
            if kept.sequence >= sequence:
                if side == 0:
                    kept.bid_lots = max(0, kept.bid_lots - lots)
                else:
                    kept.ask_lots = max(0, kept.ask_lots - lots)
                return True
        return False

    def forget(self) -> None:
        """Nobody answers, and everything was cancelled."""
        for kept in self.generations:
            kept.clear()

    def _drop(self, option: int, up_to: int) -> None:
        self.generations[option] = [g for g in self.generations[option] if g.sequence > up_to]
