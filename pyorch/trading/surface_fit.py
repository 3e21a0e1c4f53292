"""An SVI slice through implied volatilities, by the quasi-explicit method.

With centre and rounding given, SVI is linear in level, slope and tilt (Zeliade Systems, "Quasi-explicit
calibration of Gatheral's SVI model", 2009): those come from least squares, the other two from a grid and a
pattern search that halves its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch.trading.surface import Slice

Floats = NDArray[np.float64]

MINIMUM_POINTS = 5
SLOPE_MINIMUM = 0.02
TILT_MAXIMUM = 0.98
CENTRES = np.linspace(-1.0, 1.0, 9)
LOG_ROUNDINGS = np.linspace(np.log(0.05), np.log(5.0), 9)
HALVINGS = 24


def fit_slice(y: Floats, volatility: Floats) -> Slice:
    """The slice nearest to volatilities in squares of variance.

    Args:
        y: [n] standardised log-moneyness, five different values at least.
        volatility: [n] above 0.

    Raises:
        ValueError: fewer than five different points.
    """
    if len(np.unique(y)) < MINIMUM_POINTS:
        raise ValueError(f"{len(np.unique(y))} strikes for an SVI slice: five at least")
    variance = volatility * volatility

    def solve(centre: float, log_rounding: float) -> tuple[float, Slice]:
        z, rounding = y - centre, np.exp(log_rounding)
        length = np.sqrt(z * z + rounding * rounding)
        columns = np.stack([np.ones_like(z), z, length], axis=1)
        _, lean, slope = np.linalg.lstsq(columns, variance, rcond=None)[0]
        slope = max(slope, SLOPE_MINIMUM)
        tilt = min(max(lean / slope, -TILT_MAXIMUM), TILT_MAXIMUM)
        shape = slope * (tilt * z + length)
        level = np.mean(variance - shape)
        error = level + shape - variance
        return float(error @ error), Slice(*np.array([level, slope, tilt, centre, rounding]))

    start = min(
        ((c, r) for c in CENTRES.tolist() for r in LOG_ROUNDINGS.tolist()),
        key=lambda point: solve(*point)[0],
    )
    centre, log_rounding = start
    least, best = solve(centre, log_rounding)
    step = np.array([CENTRES[1] - CENTRES[0], LOG_ROUNDINGS[1] - LOG_ROUNDINGS[0]])
    for _ in range(HALVINGS):
        improved = True
        while improved:
            improved = False
            for move in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                tried = centre + move[0] * step[0], log_rounding + move[1] * step[1]
                error, part = solve(*tried)
                if error < least:
                    (centre, log_rounding), least, best, improved = tried, error, part, True
        step = step / 2
    return best


def parameters_of(part: Slice) -> tuple[float, float, float, float, float]:
    """What `slice_of` makes the slice from: volatility, skew, curvature and both wings.

    Raises:
        ValueError: the slice has no positive variance at the money.
    """
    level, slope, tilt, centre, rounding = (float(value) for value in part)
    length = float(np.hypot(centre, rounding))
    at_the_money = level + slope * (length - tilt * centre)
    if at_the_money <= 0:
        raise ValueError(f"the fitted variance at the money is {at_the_money:.4g}: not above 0")
    atm = float(np.sqrt(at_the_money))
    skew = slope * (tilt - centre / length) / (2 * atm)
    curvature = (slope * rounding**2 / length**3 - 2 * skew * skew) / (4 * atm)
    return atm, skew, curvature, slope * (1 - tilt), slope * (1 + tilt)
