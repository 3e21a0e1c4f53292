"""The simulated market's own book: what traders do to it in one step, and the changes that result."""

from __future__ import annotations

from random import Random

from pyorch.market.simulated_regimes import ASK, BID, Hidden, pick

START_TICKS = 618_000
REACH_TICKS = 700
"""Levels farther than this from the best are taken away."""

DISTANCES = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    12,
    15,
    18,
    22,
    27,
    33,
    40,
    50,
    62,
    80,
    105,
    140,
    190,
    260,
    380,
)
NEAR_TICKS = 40
"""Within this distance of the best, levels behind it are small."""
NEAR_LOTS = (1, 1, 1, 3, 4, 8, 15, 25, 35, 50, 63, 75, 90, 150, 230)
LEVEL_LOTS = (1, 1, 1, 3, 4, 8, 15, 25, 35, 50, 63, 75, 90, 150, 230, 391, 412, 490, 769, 1279)
MOVE_TICKS = (1, 2, 4, 7, 10, 13, 15, 16, 18, 21, 25, 30, 35, 44, 54, 80)
JUMP_TICKS = (10, 14, 18, 24, 30, 36)
FLICKER_TICKS, FLICKER_LOTS = (2, 3, 4, 5, 6, 7), (1, 2, 3, 5)
GAP_TICKS = (1, 2, 3, 5, 8, 11)
"""Extra spread that some moves leave for a moment."""


class SimulatedBook:
    """Two sides of price → lots; every change is remembered until `take_changes`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._changed: dict[tuple[int, int], None] = {}
        self.bid, self.ask = START_TICKS, START_TICKS + 1
        for side in (BID, ASK):
            self._set(side, self._best(side), 900)
            for distance in range(1, REACH_TICKS):
                if random.random() < 0.17:
                    self._set(side, self._behind(side, distance), self._usual_lots(distance))

    def touch(self) -> tuple[int, int, int, int]:
        """Best bid ticks and lots, best ask ticks and lots."""
        return self.bid, self._levels[BID][self.bid], self.ask, self._levels[ASK][self.ask]

    def all_levels(self) -> tuple[list[int], list[int], list[int]]:
        """Sides, ticks and lots of all levels, best first."""
        bids, asks = self._levels
        prices = [*sorted(bids, reverse=True), *sorted(asks)]
        sides = [BID] * len(bids) + [ASK] * len(asks)
        levels = zip(sides, prices, strict=True)
        return sides, prices, [self._levels[side][price] for side, price in levels]

    def take_changes(self) -> tuple[list[int], list[int], list[int]]:
        """Sides, ticks and new lots (0: gone) of the levels that changed since the last call."""
        changed = list(self._changed)
        self._changed.clear()
        sides, prices = [side for side, _ in changed], [price for _, price in changed]
        return sides, prices, [self._levels[side].get(price, 0) for side, price in changed]

    def fill(self, side: int, lots: int) -> tuple[int, int]:
        """Trade against the best level, which keeps at least one lot; ticks and lots filled."""
        price = self._best(side)
        resting = self._levels[side][price]
        filled = min(lots, resting - 1)
        if filled > 0:
            self._set(side, price, resting - filled)
        return price, filled

    def breathe(self, hidden: Hidden) -> None:
        """One step of ordinary life: queues lean towards their targets, levels come and go."""
        draw = self._random.random
        for side in (BID, ASK):
            if draw() < 0.7:
                price = self._best(side)
                lots = self._levels[side][price]
                target = self._target(side, hidden)
                noise = (draw() - 0.5) * 0.1 * target
                speed = 0.35 if hidden.withdrawing == side else 0.22
                self._set(side, price, max(1, int(lots + (target - lots) * speed + noise)))
        if self.ask - self.bid > 1 and draw() < 0.3:
            self._close_spread(hidden)
        for _ in range(2 + int(draw() * 10)):
            self._background(BID if draw() < 0.5 else ASK)
        if draw() < 0.85:
            self._flicker(BID if draw() < 0.5 else ASK, not hidden.honest)
        if hidden.withdrawing is not None:
            self._withdraw(hidden.withdrawing)

    def move(self, direction: int, hidden: Hidden, wide: bool) -> None:
        """The best of one side is gone and the other side follows: both quotes move."""
        random = self._random
        stretch = hidden.regime.move_stretch * (3 if hidden.pushing else 2)
        ticks = pick(random, MOVE_TICKS) * stretch >> 5
        ticks = pick(random, JUMP_TICKS) if wide else max(1, ticks)
        near, far = (ASK, BID) if direction > 0 else (BID, ASK)
        old_near, old_far = self._best(near), self._best(far)
        new_near = old_near + direction * ticks
        levels = self._levels[near]
        for price in range(old_near, new_near, direction):
            if price in levels:
                self._set(near, price, 0)
        self._set_best(near, new_near)
        gap = pick(random, GAP_TICKS) if ticks > 12 and random.random() < 0.15 else 0
        self._set_best(far, new_near - direction * (1 + gap))
        share = 0.3 if wide else 0.95
        for side in (near, far):
            size = int(self._target(side, hidden) * share)
            self._set(side, self._best(side), max(5, size - int(random.random() * size * 0.15)))
        resting = self._levels[far].get(old_far, 0)
        if resting:  # the queue left behind thins out
            self._set(far, old_far, resting >> 2)
        for price in range(old_far + direction, self._best(far), direction):
            if random.random() < 0.12:
                self._set(far, price, pick(random, NEAR_LOTS))
        for side in (BID, ASK):
            self._prune(side)

    @staticmethod
    def _target(side: int, hidden: Hidden) -> float:
        """Lots that the best queue of a side is drawn to."""
        lean = hidden.lean if side == BID else -hidden.lean
        return hidden.regime.queue_lots * (1 + lean) * hidden.thinning[side]

    def _flicker(self, side: int, spoofed: bool) -> None:
        """Spoofed: a small level close behind the best appears or vanishes. Honest: it vanishes."""
        price = self._behind(side, pick(self._random, FLICKER_TICKS))
        lots = self._levels[side].get(price, 0)
        if lots in FLICKER_LOTS:
            self._set(side, price, 0)
        elif spoofed and not lots:
            self._set(side, price, pick(self._random, FLICKER_LOTS))

    def _close_spread(self, hidden: Hidden) -> None:
        """Someone improves the best quote to one tick from the other side, rather with the flow."""
        draw = self._random.random
        side = BID if draw() < 0.5 + 0.3 * hidden.direction else ASK
        self._set_best(side, self.ask - 1 if side == BID else self.bid + 1)
        self._set(side, self._best(side), max(5, int(self._target(side, hidden) * 0.5)))

    def _background(self, side: int) -> None:
        random = self._random
        distance = pick(random, DISTANCES) + int(random.random() * 6)
        price = self._behind(side, distance)
        levels = self._levels[side]
        if price in levels:
            gone = random.random() < 0.5
            self._set(side, price, 0 if gone else self._usual_lots(distance))
        elif random.random() < 0.13:
            self._set(side, price, self._usual_lots(distance))

    def _usual_lots(self, distance: int) -> int:
        return pick(self._random, NEAR_LOTS if distance < NEAR_TICKS else LEVEL_LOTS)

    def _withdraw(self, side: int) -> None:
        random = self._random
        levels = self._levels[side]
        for distance in range(1, 40):
            price = self._behind(side, distance)
            lots = levels.get(price, 0)
            if lots and random.random() < 0.18:
                self._set(side, price, lots >> 1 if lots > 20 else 0)

    def _prune(self, side: int) -> None:
        """Take away the levels that a move left too far behind; a few each time."""
        best, levels = self._best(side), self._levels[side]
        if len(levels) > 170:
            far = [price for price in levels if abs(price - best) > REACH_TICKS]
            for price in sorted(far)[:12]:
                self._set(side, price, 0)

    def _best(self, side: int) -> int:
        return self.bid if side == BID else self.ask

    def _set_best(self, side: int, price: int) -> None:
        if side == BID:
            self.bid = price
        else:
            self.ask = price

    def _behind(self, side: int, distance: int) -> int:
        return self.bid - distance if side == BID else self.ask + distance

    def _set(self, side: int, price: int, lots: int) -> None:
        levels = self._levels[side]
        if lots > 0:
            if levels.get(price) != lots:
                levels[price] = lots
                self._changed[side, price] = None
        elif levels.pop(price, 0):
            self._changed[side, price] = None
