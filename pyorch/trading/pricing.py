"""Inverse Black-76 and the volatility surface: the definition of `pyorch/native/pricing.hpp`.

An inverse option (Deribit's) is Black-76 on the future, divided by it: values are in BTC, years have 365
days, rates are 0 (Deribit knowledge base, "Linear and inverse options"; F. Black, 1976). Native code
does the same IEEE operations in the same order and calls the same libm, so the doubles are equal; the
only rounding to integers is outward, in `pyorch.trading.quoting`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

YEAR_SECONDS = 31_536_000
"""365 days."""
SQRT_HALF = 0.7071067811865476
INVERSE_SQRT_2PI = 0.3989422804014327
VOLATILITY_MINIMUM = 0.01
VOLATILITY_MAXIMUM = 5.0
PPM = 1_000_000


class OptionValue(NamedTuple):
    """A theoretical value with its Greeks."""

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


EXPIRED = OptionValue(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


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


def volatility(log_moneyness: float, years: float, atm: float, skew: float, curve: float) -> float:
    """``atm + skew y + curve y²`` at ``y = log_moneyness / √years``, kept within 1 % and 500 %."""
    y = log_moneyness / math.sqrt(years)
    sigma = atm + y * (skew + y * curve)
    return min(max(sigma, VOLATILITY_MINIMUM), VOLATILITY_MAXIMUM)


def normal_cdf(x: float) -> float:
    """The standard normal distribution function, by erfc."""
    return 0.5 * math.erfc(-x * SQRT_HALF)


def black76(
    right: Literal["call", "put"], ratio: float, log_moneyness: float, years: float, sigma: float
) -> OptionValue:
    """Value and Greeks of an inverse option.

    Args:
        ratio: strike / forward.
        log_moneyness: ln(strike / forward).
        years: time to expiry, above 0.
        sigma: volatility, above 0. ``gamma`` is returned per unit of relative move (times forward).
    """
    root = math.sqrt(years)
    deviation = sigma * root
    d1 = 0.5 * deviation - log_moneyness / deviation
    d2 = d1 - deviation
    n1 = normal_cdf(d1)
    call = n1 - ratio * normal_cdf(d2)
    density = INVERSE_SQRT_2PI * math.exp(-0.5 * d1 * d1)
    vega = density * root
    gamma = density / deviation
    theta = -(0.5 * density * sigma) / (root * 365.0)
    if right == "call":
        return OptionValue(max(call, 0.0), sigma, n1, gamma, vega, theta)
    put = (call - 1.0) + ratio
    return OptionValue(max(put, 0.0), sigma, n1 - 1.0, gamma, vega, theta)


@dataclass(slots=True)
class Surface:
    """Per expiry the three parameters in integers of 1e-6; the tape's SURFACE rows move the first two.

    A row states the first expiry's at-the-money volatility and skew; the other expiries keep their
    distance to the first.
    """

    atm_ppm: list[int]
    skew_ppm: list[int]
    curvature_ppm: list[int]
    version: int = 0
    """SURFACE rows taken in."""

    def apply(self, atm_ppm: int, skew_ppm: int) -> None:
        """Take in a SURFACE row."""
        atm_move, skew_move = atm_ppm - self.atm_ppm[0], skew_ppm - self.skew_ppm[0]
        self.atm_ppm = [value + atm_move for value in self.atm_ppm]
        self.skew_ppm = [value + skew_move for value in self.skew_ppm]
        self.version += 1


def value_options(
    universe: Universe, surface: Surface, forward_half_ticks: int, minutes: int
) -> list[OptionValue]:
    """Values of all options; of an expired one all zeros.

    Args:
        forward_half_ticks: best bid + best ask of the underlying, in ticks.
        minutes: whole minutes since the tape's first row; the tenor shrinks by them.
    """
    forward = forward_half_ticks * universe.half_tick_usd
    log_forward = math.log(forward)
    values = []
    for option in universe.options:
        seconds = universe.expiries_s[option.expiry] - 60 * minutes
        if seconds <= 0:
            values.append(EXPIRED)
            continue
        years = seconds / YEAR_SECONDS
        strike = float(option.strike_usd)
        moneyness = math.log(strike) - log_forward
        sigma = volatility(
            moneyness,
            years,
            surface.atm_ppm[option.expiry] / PPM,
            surface.skew_ppm[option.expiry] / PPM,
            surface.curvature_ppm[option.expiry] / PPM,
        )
        value = black76(option.right, strike / forward, moneyness, years, sigma)
        values.append(value._replace(gamma=value.gamma / forward))
    return values
