"""A desk whose market comes while it runs: rows from rings, reports from far away, time from the clock.

Steps, log, controls and recovery are `pyorch.trading.desk.Desk`'s; only what happens next is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pyorch.trading.controls import Order
from pyorch.trading.desk import BLOCK_ROWS, Desk
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.exchange.far import FarExchange
from pyorch.trading.inputs import InputKind
from pyorch.trading.live_market import LiveMarket

IDLE_S = 0.0002
"""Pause when nothing has come."""
LEAVER = "pyorch run"
"""Who withdraws at a run's end; the next run does not wait for a person to take that back."""
LEAVES_NS = 1_000_000_000
"""Quotes are withdrawn so long before the end, so that the last reports come in time."""
WRITE_NS = 500_000_000
"""What was taken in goes into the log at least so often, with or without a message."""


class LiveDesk(Desk):
    """One run, for a time, or until the market's array is full; quotes are withdrawn a while before.

    Args:
        market: with its first rows.
        clock: the market's.
        end_ns: of the run, in the market's time.

    The others are `Desk`'s; the tape's rows are the market's.
    """

    exchange: FarExchange

    def __init__(
        self,
        *args: Any,
        market: LiveMarket,
        clock: Callable[[], int],
        end_ns: int,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.market, self._clock = market, clock
        self._began_ns = clock()
        self._end_ns = end_ns
        self._written_ns = 0
        self._leaving = False

    def stop(self) -> None:
        """From any thread: withdraw, then end."""
        self._end_ns = min(self._end_ns, self._clock() + LEAVES_NS)

    @property
    def done_share(self) -> float:
        """How much of the time has passed."""
        return (self.now_ns - self._began_ns) / max(1, self._end_ns - self._began_ns)

    def _goes_on(self) -> bool:
        return self.now_ns < self._end_ns and not self.market.full

    def step(self) -> None:
        """What has come by now, up to the first message."""
        now_ns = self._clock()
        came = self.market.gather(now_ns)
        self.now_ns = max(self.now_ns, now_ns)
        if not self._leaving and now_ns >= self._end_ns - LEAVES_NS:
            self._leaving = True
            self.order(Order(InputKind.PAUSE, LEAVER, "the run ends"))
            for activity in self.activities:
                activity.leave(self)
        self._take_orders()
        self._reset_protection()
        reports = self.exchange.advance(self.now_ns)
        for at in range(len(reports)):
            self._take(reports[at : at + 1].copy())
        wrote = self._advance(NEVER, self.market.filled)
        if not wrote and not self._stalled and self._is_due():
            self._write()
            self._written_ns = self.now_ns
        self._act()
        self._propose_hedge()
        self._send_written()
        self._catch_up()
        if not (came or len(reports) or wrote):
            time.sleep(IDLE_S)

    def _is_due(self) -> bool:
        rows = self.steps.row - self._logged_row
        late = self.now_ns - self._written_ns >= WRITE_NS
        return rows >= BLOCK_ROWS or (late and bool(rows or self._inputs))
