"""Fair values of a run's options at every tick, from the journal alone.

Priced as `pyorch.trading.pricing` does, over ticks instead of options: used to mark simulated fills,
where values are wanted at many thousands of ticks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch.app.journal import Journal
from pyorch.trading.black76 import black76
from pyorch.trading.elementary import logarithm
from pyorch.trading.records import RecordArray
from pyorch.trading.surface import PPM, YEAR_SECONDS, slice_of, volatility

FloatArray = NDArray[np.float64]


def forward_usd(journal: Journal, ticks: RecordArray) -> FloatArray:
    """[n] forward of the underlying in USD."""
    tick_usd = float(journal.run.tape["instruments"][0]["tick_size"])
    forward: FloatArray = ticks["forward_half_ticks"].astype(np.float64) * (tick_usd / 2)
    return forward


def fair_values(journal: Journal, ticks: RecordArray) -> FloatArray:
    """[n, options] theoretical values in BTC, without any rule.

    Args:
        journal: the run: its options and its surface.
        ticks: [n] of `TICK_DTYPE`; where one has no forward (a withdrawal between ticks), values are NaN.
    """
    keys = ("forward_half_ticks", "minutes", "atm_volatility_ppm", "skew_ppm")
    states = np.stack([ticks[key].astype(np.int64) for key in keys], axis=1)
    _, first, back = np.unique(states, axis=0, return_index=True, return_inverse=True)
    some = ticks[first]
    known = some["forward_half_ticks"] > 0
    forward = np.where(known, forward_usd(journal, some), 1.0)
    atm_ppm, skew_ppm, *shape_ppm = journal.run.surface_ppm
    values = np.empty((len(some), len(journal.run.options)))
    for column, option in enumerate(journal.run.options):
        base = (some["atm_volatility_ppm"] - atm_ppm[0] + atm_ppm[option.expiry]) / PPM
        skew = (some["skew_ppm"] - skew_ppm[0] + skew_ppm[option.expiry]) / PPM
        shape = (values_ppm[option.expiry] / PPM for values_ppm in shape_ppm)
        seconds = option.expiry_s - 60 * some["minutes"]
        years = np.maximum(seconds, 1) / YEAR_SECONDS
        moneyness = logarithm(float(option.strike_usd)) - logarithm(forward)
        sigma = volatility(slice_of(base, skew, *shape), moneyness / np.sqrt(years))
        chain = black76(moneyness, option.strike_usd / forward, sigma, years, forward)
        value = chain.put_value if option.right == "put" else chain.call_value
        values[:, column] = np.where(seconds > 0, value, 0.0)
    values[~known] = np.nan
    spread: FloatArray = values[np.ravel(back)]
    return spread
