"""The volatility surface: an SVI slice an expiry, checked for arbitrage, dated; defines `native/surface.hpp`.

A slice gives the variance a year over the standardised log-moneyness ``y = ln(K/F) / √years`` in the raw SVI
form (J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", 2014):

    v(y) = level + slope (tilt (y − centre) + √((y − centre)² + round²))

It is stated by what a desk sees: at-the-money volatility, skew and curvature (near the money
``σ ≈ atm + skew y + curvature y²``), and the slopes that v approaches in the wings. `slice_of` converts.
Between updates a strike's volatility follows the forward by y alone: sticky moneyness.

Arbitrage (`arbitrage`): a variance that is not positive; a wing above Lee's bound (total variance rising
faster than 2 |ln(K/F)|); a butterfly, where Gatheral's g(y), the density up to a positive factor, is
negative; a calendar spread, where total variance at the same ln(K/F) falls with the expiry. A skew steeper
than a wing has no slice: its numbers are NaN, and it is found like arbitrage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

YEAR_SECONDS = 31_536_000
"""365 days."""
PPM = 1_000_000
VARIANCE_MINIMUM, VARIANCE_MAXIMUM = 0.0001, 25.0
"""Volatility stays within 1 % and 500 %."""
BEND_MINIMUM = 1e-6
"""v''(0) is kept above it: a straight slice has no SVI form."""
POINTS = 33
"""Checked at y = −4, −3.75, … 4."""

ParametersPpm = tuple[tuple[int, ...], ...]
"""Per `PARAMETERS`, a value for each expiry, in 1e-6."""
PARAMETERS = ("atm_volatility", "skew", "curvature", "put_wing", "call_wing")


class Slice(NamedTuple):
    """Raw SVI over y; floats, or arrays of one shape."""

    level: Floats
    slope: Floats
    tilt: Floats
    centre: Floats
    round: Floats


def slice_of(
    atm: ArrayLike, skew: ArrayLike, curvature: ArrayLike, put_wing: ArrayLike, call_wing: ArrayLike
) -> Slice:
    """The slice with these parameters; wings are d(variance a year) / d|y|, above 0."""
    a, s, c, left, right = (
        np.asarray(value, np.float64) for value in (atm, skew, curvature, put_wing, call_wing)
    )
    first = 2.0 * a * s
    second = 2.0 * s * s + 4.0 * a * c
    second = np.where(second > BEND_MINIMUM, second, BEND_MINIMUM)
    slope = (left + right) * 0.5
    tilt = (right - left) / (left + right)
    lean = tilt - first / slope
    with np.errstate(invalid="ignore"):
        rest = np.sqrt(1.0 - lean * lean)
        rounding = slope * rest * rest * rest / second
        centre = rounding * lean / rest
        level = a * a - slope * (rounding / rest - tilt * centre)
    return Slice(level, slope, tilt, centre, rounding)


def variance(part: Slice, y: Floats) -> Floats:
    """v(y)."""
    z = y - part.centre
    result: Floats = part.level + part.slope * (
        part.tilt * z + np.sqrt(z * z + part.round * part.round)
    )
    return result


def volatility(part: Slice, y: Floats) -> Floats:
    """√v(y), kept within 1 % and 500 %."""
    v = variance(part, y)
    v = np.where(v > VARIANCE_MINIMUM, v, VARIANCE_MINIMUM)
    result: Floats = np.sqrt(np.where(v < VARIANCE_MAXIMUM, v, VARIANCE_MAXIMUM))
    return result


Kind = Literal["skew", "negative variance", "wing", "butterfly", "calendar"]


class Violation(NamedTuple):
    """One kind of arbitrage at one expiry, where it is worst.

    Attributes:
        y: standardised log-moneyness; ±∞ in a wing.
        amount: NaN for a skew; v; the slope of total variance over ln(K/F), of which 2 are allowed; g;
            or the total variance that is missing.
    """

    kind: Kind
    expiry: int
    y: float
    amount: float

    def __str__(self) -> str:
        if self.kind == "skew":
            return f"skew at expiry {self.expiry}: steeper than the wing"
        what = {
            "negative variance": "variance",
            "wing": "slope of total variance (limit 2)",
            "butterfly": "g",
            "calendar": "total variance against the expiry before",
        }[self.kind]
        return f"{self.kind} at expiry {self.expiry}, y = {self.y:g}: {what} {self.amount:.4g}"


def grid() -> Floats:
    """[POINTS] where slices are checked."""
    return np.arange(POINTS) * 0.25 - 4.0


def density(part: Slice, years: float, y: Floats) -> Floats:
    """g(y): negative where butterflies have a negative price."""
    z = y - part.centre
    length = np.sqrt(z * z + part.round * part.round)
    v = part.level + part.slope * (part.tilt * z + length)
    first = part.slope * (part.tilt + z / length)
    second = part.slope * part.round * part.round / (length * length * length)
    lever = 1.0 - y * first / (2.0 * v)
    result: Floats = lever * lever - first * first * 0.25 * (1.0 / v + 0.25 * years) + 0.5 * second
    return result


def arbitrage(slices: Sequence[Slice], years: Sequence[float]) -> list[Violation]:
    """What is wrong with living expiries in rising order; empty: nothing."""
    found: list[Violation] = []
    y = grid()

    def least(kind: Kind, expiry: int, at: Floats, values: Floats, limit: float) -> None:
        k = int(np.argmin(values))
        if not values[k] >= limit:
            found.append(Violation(kind, expiry, float(at[k]), float(values[k])))

    for expiry, (part, t) in enumerate(zip(slices, years, strict=True)):
        if not np.isfinite(part.level):
            found.append(Violation("skew", expiry, 0.0, float(part.level)))
            continue
        root = np.sqrt(t)
        values = variance(part, y)
        least("negative variance", expiry, y, values, VARIANCE_MINIMUM)
        for side in (-1.0, 1.0):
            wing = float(root * (part.slope * (1.0 + side * part.tilt)))
            if wing > 2.0:
                found.append(Violation("wing", expiry, side * np.inf, wing))
        if values.min() >= VARIANCE_MINIMUM:
            least("butterfly", expiry, y, density(part, t, y), 0.0)
        if expiry == 0 or not np.isfinite(slices[expiry - 1].level):
            continue
        before, earlier = slices[expiry - 1], years[expiry - 1]
        near = np.sqrt(earlier)
        missing = t * values - earlier * variance(before, y * root / near)
        least("calendar", expiry, y, missing, 0.0)
        for side in (-1.0, 1.0):
            rise = root * (part.slope * (1.0 + side * part.tilt))
            less = rise - near * (before.slope * (1.0 + side * before.tilt))
            if less < 0:
                found.append(Violation("calendar", expiry, side * np.inf, float(less)))
    return found


@dataclass(slots=True)
class Surface:
    """All expiries in integers of 1e-6; the tape's SURFACE rows move level and skew.

    A row states the first expiry's at-the-money volatility and skew; the other expiries keep their
    distance to it. A row that would make arbitrage is not taken: the surface ages instead.

    Attributes:
        expiries_s: seconds from the tape's first row to each expiry.
        as_of_ns: local time of the last row taken; before: of the tape's first row.
        version: rows taken; refused: rows not taken.
    """

    parameters_ppm: tuple[list[int], ...]
    expiries_s: tuple[int, ...]
    as_of_ns: int = 0
    version: int = 0
    refused: int = 0
    slices: list[Slice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slices = slices_of(self.parameters_ppm)

    @property
    def atm_ppm(self) -> int:
        """The first expiry's at-the-money volatility."""
        return self.parameters_ppm[0][0]

    @property
    def skew_ppm(self) -> int:
        """The first expiry's skew."""
        return self.parameters_ppm[1][0]

    def apply(self, atm_ppm: int, skew_ppm: int, local_ns: int, minutes: int) -> None:
        """Take in a SURFACE row, received ``minutes`` whole minutes after the tape's first row."""
        atm, skew, *shape = self.parameters_ppm
        atm_move, skew_move = atm_ppm - atm[0], skew_ppm - skew[0]
        moved = (
            [value + atm_move for value in atm],
            [value + skew_move for value in skew],
            *shape,
        )
        slices = slices_of(moved)
        if min(moved[0]) <= 0 or arbitrage_at(slices, self.expiries_s, minutes):
            self.refused += 1
            return
        self.parameters_ppm, self.slices = moved, slices
        self.version += 1
        self.as_of_ns = local_ns

    def stale(self, local_ns: int, maximum_age_ns: int) -> bool:
        """Whether rows came, and the last one taken is older than allowed.

        A surface that no row ever moved stands still by declaration, and is not stale.
        """
        return self.version + self.refused > 0 and local_ns - self.as_of_ns > maximum_age_ns


def slices_of(parameters_ppm: Sequence[Sequence[int]]) -> list[Slice]:
    """A slice for each expiry."""
    return [
        slice_of(*(value / PPM for value in values)) for values in zip(*parameters_ppm, strict=True)
    ]


def arbitrage_at(
    slices: Sequence[Slice], expiries_s: Sequence[int], minutes: int
) -> list[Violation]:
    """`arbitrage` of the expiries that are left after ``minutes``; expiries are numbered among all."""
    seconds = [whole - 60 * minutes for whole in expiries_s]
    gone = sum(left <= 0 for left in seconds)
    found = arbitrage(slices[gone:], [left / YEAR_SECONDS for left in seconds[gone:]])
    return [violation._replace(expiry=violation.expiry + gone) for violation in found]
