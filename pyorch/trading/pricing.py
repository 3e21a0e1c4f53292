"""What the quoted options are worth: `pyorch.trading.black76` on `pyorch.trading.surface`.

The definition of `pyorch/native/pricing.hpp`: native code does the same IEEE operations in the same order,
so the doubles are equal; the only rounding to integers is outward, in `pyorch.trading.quoting`.
Options are inverse (Deribit's): values are in BTC, years have 365 days, rates are 0 (Deribit knowledge base,
"Linear and inverse options").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pyorch.trading.black76 import black76
from pyorch.trading.elementary import logarithm
from pyorch.trading.surface import YEAR_SECONDS, Slice, Surface, volatility

JOURNALLED = 6
"""The first fields of an `OptionValue` are those of a quote's journal record."""


class OptionValue(NamedTuple):
    """A theoretical value with its Greeks; `pyorch.trading.black76` says which delta is which."""

    value_btc: float
    volatility: float
    delta: float
    """d(value in USD) / d(forward)."""
    gamma: float
    """d(delta) / d(forward), per USD."""
    vega: float
    """d(value in BTC) / d(volatility), volatility 1 being 100 % a year."""
    theta: float
    """d(value in BTC) / d(time), a day."""
    premium_adjusted_delta: float
    """delta − value_btc."""
    coin_delta: float
    """d(value in BTC) / d(forward), BTC per USD."""
    vanna: float
    """d(delta) / d(volatility)."""
    volga: float
    """d(vega) / d(volatility)."""
    charm: float
    """d(delta) / d(time), a day."""


EXPIRED = OptionValue(*[0.0] * len(OptionValue._fields))


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the universe."""

    symbol: str
    expiry: int
    """Index of the expiry."""
    strike_usd: int
    right: Literal["call", "put"]


@dataclass(frozen=True, slots=True)
class Universe:
    """The quoted options: by expiry, then strike, then call before put.

    Attributes:
        expiries_s: per expiry, whole seconds from the tape's first row to the expiry.
        half_tick_usd: USD a half tick of the underlying: forward = half ticks × this.
    """

    options: tuple[Option, ...]
    expiries_s: tuple[int, ...]
    half_tick_usd: float
    underlying: str


def value_options(
    universe: Universe, surface: Surface, forward_half_ticks: int, minutes: int
) -> list[OptionValue]:
    """Values of all options; of an expired one all zeros.

    Args:
        forward_half_ticks: best bid + best ask of the underlying, in ticks.
        minutes: whole minutes since the tape's first row; the tenor shrinks by them.
    """
    options = universe.options
    expiry = np.array([option.expiry for option in options])
    seconds = np.array(universe.expiries_s)[expiry] - 60 * minutes
    living = np.flatnonzero(seconds > 0)
    years = seconds[living] / YEAR_SECONDS
    forward = np.float64(forward_half_ticks * universe.half_tick_usd)
    strike = np.array([float(option.strike_usd) for option in options])[living]
    moneyness = logarithm(strike) - logarithm(forward)
    slices = np.array(surface.slices, np.float64)[expiry[living]]
    sigma = volatility(Slice(*slices.T), moneyness / np.sqrt(years))
    chain = black76(moneyness, strike / forward, sigma, years, forward)
    put = np.array([option.right == "put" for option in options])[living]
    fields = (
        np.where(put, chain.put_value, chain.call_value),
        sigma,
        np.where(put, chain.put_delta, chain.call_delta),
        chain.gamma,
        chain.vega,
        chain.theta,
        np.where(put, chain.put_premium_adjusted_delta, chain.call_premium_adjusted_delta),
        np.where(put, chain.put_coin_delta, chain.call_coin_delta),
        chain.vanna,
        chain.volga,
        chain.charm,
    )
    values = [EXPIRED] * len(options)
    for at, row in zip(living.tolist(), np.stack(fields, axis=1).tolist(), strict=True):
        values[at] = OptionValue(*row)
    return values
