"""Implied volatility: from an option's price back to the volatility of Black-76.

The definition of `pyorch/native/implied.cpp`, double for double. The price is reduced to the
out-of-the-money call of the same distance; the deviation s = σ√T is then found by Newton's method on a
function of the price that is almost linear: below the inflection of the price in s (at s² = 2|x|) on
ln(price) over 1 / s², above it on the price, near its upper end on ln(1 − price) over s² (the branches are
those of P. Jäckel, "By implication", 2006), bracketed by the values seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyorch.trading.black76 import INVERSE_SQRT_2PI
from pyorch.trading.elementary import Floats, exponential, logarithm, mills_ratio

ITERATIONS = 24
DEVIATION_MAXIMUM = 64.0
BELOW_ONE, ABOVE_ONE = 0.999999999, 1.000000001
SQRT_2PI = 2.5066282746310002
FRACTION_MINIMUM = 1e-280
"""Out-of-the-money values below it are none."""


def implied_volatility(
    value: ArrayLike, log_moneyness: ArrayLike, ratio: ArrayLike, years: ArrayLike, put: ArrayLike
) -> Floats:
    """[n] volatilities; NaN where no volatility gives the value.

    Args:
        value: [n] fraction of the forward: BTC of an inverse option, undiscounted USD over the forward of
            a linear one. It must lie above the intrinsic value, and below 1 (call) or ``ratio`` (put).
        log_moneyness: [n] ln(strike / forward).
        ratio: [n] strike / forward.
        years: to expiry, above 0; one, or [n].
        put: [n] whether the option is a put.
    """
    given, x, ratio, years, is_put = np.broadcast_arrays(
        *(np.asarray(part, np.float64) for part in (value, log_moneyness, ratio, years)),
        np.asarray(put, np.bool_),
    )
    outside = np.where(
        x > 0,
        np.where(is_put, given - (ratio - 1.0), given),
        np.where(is_put, given, given - (1.0 - ratio)) / ratio,
    )
    solvable = (outside > FRACTION_MINIMUM) & (outside < 1)
    found = np.full(given.shape, np.nan)
    found[solvable] = _deviation(np.abs(x[solvable]), outside[solvable])
    sigma: Floats = found / np.sqrt(years)
    return sigma


def _deviation(distance: Floats, target: Floats) -> Floats:
    """[n] σ√T at which a call ``distance`` above the forward is worth ``target``, in 0..1."""
    inflection = np.sqrt(2.0 * distance)
    central = 0.5 - INVERSE_SQRT_2PI * mills_ratio(inflection)
    low_side, high_side = target < central, target >= 0.5
    s = np.where(low_side, inflection, inflection + SQRT_2PI * (target - central))
    wanted = logarithm(np.where(high_side, 1.0 - target, target))
    low, high = np.zeros_like(s), np.full_like(s, DEVIATION_MAXIMUM)
    open_ = np.ones(s.shape, np.bool_)
    for _ in range(ITERATIONS):
        d1 = 0.5 * s - distance / s
        density = INVERSE_SQRT_2PI * exponential(-0.5 * d1 * d1)
        tail1 = density * mills_ratio(np.abs(d1))
        tail2 = density * mills_ratio(np.abs(d1 - s))
        price = np.where(d1 > 0, 1.0 - tail1, tail1) - tail2
        rest = np.where(d1 > 0, tail1, 1.0 - tail1) + tail2
        low = np.where(open_ & (price < target), s, low)
        high = np.where(open_ & (price >= target), s, high)
        # A price that rounding left at 0 has no logarithm: the bracket is halved instead.
        usable = np.where(high_side, rest, price) > 0
        seen = np.where(usable, np.where(high_side, rest, price), 1.0)
        level = logarithm(seen)
        square = s * s
        slope = density / (seen * (2.0 * s))  # |d level / d s²|
        reciprocal = 1.0 / square + (level - wanted) / (slope * square * square)
        moved = square + (level - wanted) / slope
        stepped = np.where(
            low_side,
            np.sqrt(1.0 / np.where(reciprocal > 0, reciprocal, 1.0)),
            np.where(
                high_side,
                np.sqrt(np.where(moved > 0, moved, 0.0)),
                s + (target - price) / density,
            ),
        )
        # A little slack: at the root rounding decides on which side of it a price is seen.
        inside = (
            usable & (stepped > 0) & (stepped >= low * BELOW_ONE) & (stepped <= high * ABOVE_ONE)
        )
        following = np.where(inside, stepped, 0.5 * (low + high))
        ended = np.abs(following - s) <= 1e-15 * s + 4e-16
        s = np.where(open_, following, s)
        open_ = open_ & ~ended
        if not open_.any():
            break
    return s
