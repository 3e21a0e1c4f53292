"""What the options are worth to everybody else: by the market as it was, without the desk's delays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.errors import DataError
from pyorch.contract.events import Kind
from pyorch.contract.fixed import IntArray
from pyorch.features.history import book_history
from pyorch.market.tape import Tape
from pyorch.trading.native import native_settings
from pyorch.trading.plan import MINUTE_NS, QuotingPlan

FloatArray = NDArray[np.float64]


class FairValues:
    """Values in time, earlier by ``lead_ns`` than the desk receives the market.

    Attributes:
        times_ns: [n] when the mid or the surface changed.
    """

    def __init__(self, plan: QuotingPlan, tape: Tape, lead_ns: int) -> None:
        history = book_history(tape, 0, 1)
        rows = history.rows[history.quotable]
        mids = history.mid[history.quotable]
        if not len(rows):
            raise DataError(f"tape {tape.name}: instrument 0 never has a valid book")
        changed = np.concatenate([[True], mids[1:] != mids[:-1]])
        rows, mids = rows[changed], mids[changed]
        surfaces = np.flatnonzero(tape.events["kind"] == Kind.SURFACE)
        every = np.union1d(rows, surfaces)
        every = every[every >= rows[0]]
        self.times_ns: IntArray = tape.events["local_ns"][every].astype(np.int64) - lead_ns
        self._mids = mids[np.searchsorted(rows, every, side="right") - 1]
        self._surface_rows = surfaces
        self._events, self._every = tape.events, every
        self._origin_ns, self._plan = plan.origin_ns, plan
        self._pricer = _native.Pricer(native_settings(plan))
        self._expiry = np.array([option.expiry for option in plan.universe.options])
        self._seconds = np.array(plan.universe.expiries_s)
        self._rewind()

    def _rewind(self) -> None:
        plan = self._plan
        self._surface = _native.Surface(
            [list(values) for values in plan.surface_ppm], list(plan.universe.expiries_s)
        )
        self._surfaces_taken = 0
        self._at = -1
        self._values: FloatArray = np.empty(0)
        self._deltas: FloatArray = np.empty(0)

    def index_at(self, now_ns: int) -> int:
        """The change in force at a time; -1 before the first."""
        return int(np.searchsorted(self.times_ns, now_ns, side="right")) - 1

    def values(self, index: int) -> FloatArray:
        """[options] in BTC after a change; NaN for expired options. Cheap when indices rise."""
        if index == self._at:
            return self._values
        if index < self._at:
            self._rewind()
        row = int(self._every[index])
        minutes = int(self._events["local_ns"][row] - self._origin_ns) // MINUTE_NS
        while (
            self._surfaces_taken < len(self._surface_rows)
            and self._surface_rows[self._surfaces_taken] <= row
        ):
            event = self._events[self._surface_rows[self._surfaces_taken]]
            self._surface.apply(
                int(event["price_ticks"]),
                int(event["quantity_lots"]),
                int(event["local_ns"]),
                minutes,
            )
            self._surfaces_taken += 1
        self._pricer.price(self._surface, int(self._mids[index]), minutes)
        table = self._pricer.values()
        expired = self._seconds[self._expiry] - 60 * minutes <= 0
        self._values = np.where(expired, np.nan, table[:, 0])
        self._deltas = np.asarray(table[:, 6])
        self._at = index
        return self._values

    def deltas(self, index: int) -> FloatArray:
        """[options] premium-adjusted deltas after a change."""
        self.values(index)
        return self._deltas

    def mid_half_ticks(self, index: int) -> int:
        """The underlying's mid after a change."""
        return int(self._mids[index])
