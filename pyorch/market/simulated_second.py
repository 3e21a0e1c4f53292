"""The simulated market's second instrument: a linear market whose price leads by a fraction of a second."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol

from pyorch.contract.events import Instrument, Kind, Side
from pyorch.market.simulated_regimes import ASK, BID, pick

SECOND = Instrument("BTCUSDT-SIM", "simulated", "0.1", "0.001")
PERIOD_US = 100_000
LEVELS = 10
LEAD_TICKS = 14
LADDER_LOTS = (20, 50, 162, 323, 401, 700, 1_500, 3_700)
TRADE_LOTS = (1, 2, 10, 20, 60, 200, 900)
BASIS_TICKS = -60


class RowSink(Protocol):
    """Where rows go: see `pyorch.market.simulate`."""

    def receive(self, exchange_us: int, earlier_us: int = 0) -> tuple[int, int]:
        """Local and exchange time in ns of a message sent at ``exchange_us``."""
        ...

    def add(
        self,
        stamp: tuple[int, int, int, int, int],
        kind: int,
        instrument: int,
        sides: Sequence[int],
        price_ticks: Sequence[int],
        quantity_lots: Sequence[int],
    ) -> None:
        """Append a message."""
        ...


class SecondInstrument:
    """A ladder of ten levels a side around the first instrument's price plus a drifting basis."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next_us = 0
        self._sequence, self._trade_id = 9_000_000, 70_000
        self._basis, self._lead = BASIS_TICKS, 0
        self._ladder: dict[tuple[int, int], int] = {}

    def step(self, now_us: int, bid: int, ask: int, direction: int, rows: RowSink) -> None:
        """Send what is due at ``now_us``, given the first instrument's best prices in ticks."""
        if now_us < self._next_us:
            return
        draw = self._random.random
        self._next_us = now_us + PERIOD_US
        self._basis += ((BASIS_TICKS - self._basis) >> 4) + int(draw() * 5) - 2
        self._lead += (LEAD_TICKS * direction - self._lead) // 2
        if draw() < 0.3:
            self._trade(now_us, bid + self._basis, rows)
        self._quote(now_us, (bid + ask) // 2 + self._basis + self._lead, rows)

    def _quote(self, now_us: int, best_bid: int, rows: RowSink) -> None:
        ladder: dict[tuple[int, int], int] = {}
        for k in range(LEVELS):
            for side, price in ((BID, best_bid - 7 * k), (ASK, best_bid + 1 + 7 * k)):
                kept = self._ladder.get((side, price))
                fresh = kept is None or self._random.random() < 0.2
                ladder[side, price] = pick(self._random, LADDER_LOTS) if fresh else kept or 1
        kind = Kind.DEPTH if self._ladder else Kind.SNAPSHOT
        changes = [(key, 0) for key in self._ladder if key not in ladder]
        changes += [(key, lots) for key, lots in ladder.items() if self._ladder.get(key) != lots]
        self._ladder = ladder
        if not changes:
            return
        first = self._sequence + 1 if kind == Kind.DEPTH else -1
        self._sequence += len(changes)
        stamp = *rows.receive(now_us), first, self._sequence, -1
        rows.add(
            stamp,
            int(kind),
            1,
            [side for (side, _), _ in changes],
            [price for (_, price), _ in changes],
            [lots for _, lots in changes],
        )

    def _trade(self, now_us: int, price: int, rows: RowSink) -> None:
        self._trade_id += 1
        aggressor = int(Side.BID if self._random.random() < 0.5 else Side.ASK)
        lots = pick(self._random, TRADE_LOTS)
        stamp = *rows.receive(now_us), -1, self._trade_id, -1
        rows.add(stamp, int(Kind.TRADE), 1, (aggressor,), (price,), (lots,))
