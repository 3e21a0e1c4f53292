"""Fair values of a run's options at every tick, from the journal alone.

The same arithmetic as `pyorch.trading.pricing`, over arrays: used to mark simulated fills, where values
are wanted at many thousands of ticks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyorch.app.journal import Journal
from pyorch.trading.pricing import PPM, SQRT_HALF, VOLATILITY_MAXIMUM, VOLATILITY_MINIMUM
from pyorch.trading.pricing import YEAR_SECONDS as YEAR_S
from pyorch.trading.records import RecordArray

FloatArray = NDArray[np.float64]

_erfc = np.frompyfunc(math.erfc, 1, 1)


def forward_usd(journal: Journal, ticks: RecordArray) -> FloatArray:
    """[n] forward of the underlying in USD."""
    tick_usd = float(journal.run.tape["instruments"][0]["tick_size"])
    forward: FloatArray = ticks["forward_half_ticks"].astype(np.float64) * (tick_usd / 2)
    return forward


def fair_values(journal: Journal, ticks: RecordArray) -> FloatArray:
    """[n, options] theoretical values in BTC, without any rule.

    Args:
        journal: the run: its options and its surface.
        ticks: [n] of `TICK_DTYPE`, with a forward above 0.
    """
    keys = ("forward_half_ticks", "minutes", "atm_volatility_ppm", "skew_ppm")
    states = np.stack([ticks[key].astype(np.int64) for key in keys], axis=1)
    _, first, back = np.unique(states, axis=0, return_index=True, return_inverse=True)
    some = ticks[first]
    forward = forward_usd(journal, some)
    atm_ppm, skew_ppm, curvature_ppm = journal.run.surface_ppm
    values = np.empty((len(some), len(journal.run.options)))
    for column, option in enumerate(journal.run.options):
        base = (some["atm_volatility_ppm"] - atm_ppm[0] + atm_ppm[option.expiry]) / PPM
        skew = (some["skew_ppm"] - skew_ppm[0] + skew_ppm[option.expiry]) / PPM
        curvature = curvature_ppm[option.expiry] / PPM
        seconds = option.expiry_s - 60 * some["minutes"]
        years = np.maximum(seconds, 1) / YEAR_S
        log_moneyness = np.log(option.strike_usd / forward)
        y = log_moneyness / np.sqrt(years)
        sigma = base + y * (skew + y * curvature)
        sigma = np.clip(sigma, VOLATILITY_MINIMUM, VOLATILITY_MAXIMUM)
        value = _call(option.strike_usd / forward, log_moneyness, years, sigma)
        if option.right == "put":
            value = np.maximum(value - 1.0 + option.strike_usd / forward, 0.0)
        values[:, column] = np.where(seconds > 0, np.maximum(value, 0.0), 0.0)
    spread: FloatArray = values[np.ravel(back)]
    return spread


def _call(
    ratio: FloatArray, log_moneyness: FloatArray, years: FloatArray, sigma: FloatArray
) -> FloatArray:
    deviation = sigma * np.sqrt(years)
    d1 = 0.5 * deviation - log_moneyness / deviation
    value: FloatArray = _normal(d1) - ratio * _normal(d1 - deviation)
    return value


def _normal(x: FloatArray) -> FloatArray:
    probability: FloatArray = 0.5 * _erfc(-x * SQRT_HALF).astype(np.float64)
    return probability
