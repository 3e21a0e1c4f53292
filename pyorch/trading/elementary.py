"""Logarithm, exponential and Mills ratio from + − × ÷ and bits: the same doubles on every machine.

A C library's `exp` differs between versions and processors in the last bit, and with it a replayed run.
These are made of IEEE operations alone, in a stated order, without fused multiply-add, so NumPy and
`pyorch/native/elementary.hpp`, at any vector width, return the same bits. Relative
errors are below 1.5e-15 (tested).

Polynomials are evaluated as ``E(u) + t O(u)``, ``u = t²``: two Horner chains side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LN2_HIGH = 0.6931467056274414
"""ln 2 to 21 bits: its product with an exponent is exact."""
LN2_LOW = 4.7493250390316726e-07
LOG2_E = 1.4426950408889634
ROUNDER = 6755399441055744.0
"""1.5 × 2⁵²: adding it rounds to an integer, which then stands in the low bits."""
EXP_MINIMUM = -690.0
"""Below it `exponential` stays at e^−690: no subnormal numbers."""
SQRT_HALF = 0.7071067811865476
MILLS_CENTRE = 4.0

EXP_TERMS = (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880,
             1 / 3628800, 1 / 39916800, 1 / 479001600, 1 / 6227020800)  # fmt: skip
"""1 / k!, of e^r for |r| ≤ ln 2 / 2."""
LOG_TERMS = tuple(1.0 / (2 * k + 1) for k in range(12))
"""1 / (2k + 1), of artanh(s) / s for |s| ≤ 0.172."""
MILLS_TERMS = (
    1.8932190633084853, -1.523770910819983, 0.9704095548676185, -0.46754096299837045,
    0.15139176231101523, -0.01890045086073445, -0.008722295247696894, 0.004087855669592027,
    0.00033424436090694754, -0.000579269227909388, -4.781815834111735e-06, 8.809542096224811e-05,
    1.7911870822522725e-06, -1.4842471487746988e-05, -1.5664275229520689e-06,
    2.567381170594176e-06, 6.634658051244073e-07, -3.9896597010923747e-07,
    -1.9738931713497465e-07, 4.366327169416851e-08, 4.023625296905201e-08,
    -1.0471399141324068e-09, -4.225794749133924e-09, -3.744020186309987e-10,
)  # fmt: skip
"""(x + 4) M(x) in powers of t = (x − 4) / (x + 4): Chebyshev interpolation in 24 nodes, 50 digits."""


def polynomial(terms: Sequence[float], t: Floats) -> Floats:
    """``Σ terms[k] t^k`` for an even number of terms: even and odd powers apart."""
    u = t * t
    even, odd = np.full_like(u, terms[-2]), np.full_like(u, terms[-1])
    for k in range(len(terms) - 4, -1, -2):
        even = even * u + terms[k]
        odd = odd * u + terms[k + 1]
    result: Floats = even + t * odd
    return result


def exponential(x: ArrayLike) -> Floats:
    """e^x for x ≤ 0; below `EXP_MINIMUM` its value there."""
    given = np.asarray(x, np.float64)
    given = np.where(given > EXP_MINIMUM, given, EXP_MINIMUM)
    shifted = given * LOG2_E + ROUNDER
    whole = shifted - ROUNDER
    r = (given - whole * LN2_HIGH) - whole * LN2_LOW
    exponent = shifted.view(np.int64) - np.float64(ROUNDER).view(np.int64)
    scale: Floats = ((exponent + 1023) << 52).view(np.float64)
    return polynomial(EXP_TERMS, r) * scale


def logarithm(x: ArrayLike) -> Floats:
    """ln x for normal x > 0."""
    given = np.asarray(x, np.float64)
    # The exponent of x / √½: the mantissa then lies in [√½, √2).
    bits = given.view(np.int64)
    exponent = (bits - np.float64(SQRT_HALF).view(np.int64)) >> 52
    mantissa = (bits - (exponent << 52)).view(np.float64)
    s: Floats = (mantissa - 1.0) / (mantissa + 1.0)
    u: Floats = s * s
    series = 2.0 * s * polynomial(LOG_TERMS, u)
    k = exponent.astype(np.float64)
    result: Floats = k * LN2_HIGH + (series + k * LN2_LOW)
    return result


def mills_ratio(x: ArrayLike) -> Floats:
    """M(x) = Φ(−x) / φ(x) for x ≥ 0: what is left of a tail when its density is divided out."""
    given = np.asarray(x, np.float64)
    t = (given - MILLS_CENTRE) / (given + MILLS_CENTRE)
    return polynomial(MILLS_TERMS, t) / (given + MILLS_CENTRE)
