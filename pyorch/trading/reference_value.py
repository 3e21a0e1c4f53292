"""Independent fair values for the price collar; the definition of `native/reference_value.hpp`.

Quotes follow the mid of instrument 0's book and the newest surface. The collar measures them against values
from elsewhere: the last trade of instrument 0, another message stream, on the surface as it was an interval
earlier, priced once an interval and carried in between by delta. A book gone wrong or a surface
that jumps finds its quotes outside the collar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pyorch.trading.fair_shift import delta_ppm, shift_nano, towards_zero
from pyorch.trading.pricing import OptionValue, Universe, value_options
from pyorch.trading.surface import Surface

BP100_ONE = 1_000_000
"""1 in bp × 100."""


@dataclass(slots=True)
class ReferenceValues:
    """Values of all options by the last trade.

    Args:
        surface: as it is before the first row.
        interval_ns: how often they are priced anew.
        maximum_age_ns: without a trade for longer there are none; 0: however old.
    """

    universe: Universe
    surface: Surface
    interval_ns: int
    maximum_age_ns: int
    _trade_ticks: int = 0
    _trade_ns: int = 0
    _priced_ticks: int = 0
    _priced_ns: int = 0
    _values: list[OptionValue] = field(default_factory=list)

    def trade(self, price_ticks: int, local_ns: int) -> None:
        """Instrument 0 traded."""
        self._trade_ticks, self._trade_ns = price_ticks, local_ns

    def values_nano(self, local_ns: int, minutes: int, surface: Surface) -> list[int | None]:
        """Per option its value in 1e-9 BTC; None where there is none."""
        count = len(self.universe.options)
        old = 0 < self.maximum_age_ns < local_ns - self._trade_ns
        if self._trade_ticks <= 0 or old:
            return [None] * count
        if not self._values or local_ns - self._priced_ns >= self.interval_ns:
            forward = 2 * self._trade_ticks
            self._values = value_options(self.universe, self.surface, forward, minutes)
            self._priced_ticks, self._priced_ns = self._trade_ticks, local_ns
            self.surface = Surface(surface.parameters_ppm, surface.expiries_s)
        moved = (self._trade_ticks - self._priced_ticks) * BP100_ONE
        bp100 = towards_zero(moved, self._priced_ticks)
        return [
            math.floor(v.value_btc * 1e9) + shift_nano(bp100, delta_ppm(v.premium_adjusted_delta))
            for v in self._values
        ]
