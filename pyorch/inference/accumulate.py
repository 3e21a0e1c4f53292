"""Proofs that nothing overflows inside a dot product (contract rule 1).

The bound covers every partial sum in every order: the sum of all terms that can be positive, and of all
that can be negative. So adder trees, SIMD lanes and DSP cascades agree without further thought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding

WIDEST = 62
"""Widest accumulator, in bits: sums and their rounding addends stay within 64."""


@dataclass(frozen=True, slots=True)
class Term:
    """One product ``inputs·weights`` of a sum: formats of both, weights as raw integers [inputs, units]."""

    values: FixedFormat
    weights: FixedFormat
    matrix: IntArray

    @property
    def fraction(self) -> int:
        """Fractional bits of the exact product."""
        return self.values.fraction + self.weights.fraction

    def extremes(self) -> tuple[IntArray, IntArray]:
        """[units], [units]: least and greatest partial sum over all inputs of the format, at ``fraction``."""
        matrix = np.asarray(self.matrix, dtype=np.int64)
        low, high = matrix * self.values.minimum, matrix * self.values.maximum
        least: IntArray = np.minimum(np.minimum(low, high), 0).sum(axis=0)
        greatest: IntArray = np.maximum(np.maximum(low, high), 0).sum(axis=0)
        return least, greatest


def proven_accumulator(
    terms: tuple[Term, ...], bias: IntArray, bias_format: FixedFormat
) -> FixedFormat:
    """The narrowest signed format that holds every partial sum of the actual weights exactly.

    Args:
        terms: the products (an LSTM has two: x·kernel and h·recurrent).
        bias: raw integers [units].

    Raises:
        ModelError: more than 62 bits would be needed.
    """
    fraction = max(bias_format.fraction, *(term.fraction for term in terms))
    bias = np.asarray(bias, dtype=np.int64)
    # Python integers: shifts of wide formats must not overflow before they are judged.
    least = [min(int(value), 0) << (fraction - bias_format.fraction) for value in bias]
    greatest = [max(int(value), 0) << (fraction - bias_format.fraction) for value in bias]
    for term in terms:
        low, high = term.extremes()
        shift = fraction - term.fraction
        least = [a + (int(b) << shift) for a, b in zip(least, low, strict=True)]
        greatest = [a + (int(b) << shift) for a, b in zip(greatest, high, strict=True)]
    return _holding(min(least, default=0), max(greatest, default=0), fraction)


def accumulator_for_limits(
    terms: tuple[tuple[FixedFormat, FixedFormat, int], ...], bias_format: FixedFormat
) -> FixedFormat:
    """The accumulator of hardware whose weights are loaded later.

    Args:
        terms: per product the format of the values, that of the weights, and the declared limit of the
            sum of absolute raw weights of one output (its L1 norm).
    """
    fraction = max(bias_format.fraction, *(v.fraction + w.fraction for v, w, _ in terms))
    bound = max(-bias_format.minimum, bias_format.maximum) << (fraction - bias_format.fraction)
    for values, weights, limit in terms:
        largest = max(-values.minimum, values.maximum)
        bound += limit * largest << (fraction - values.fraction - weights.fraction)
    return _holding(-bound, bound, fraction)


def refuse_beyond_limit(name: str, matrix: IntArray, limit: int) -> None:
    """A loader's check: the L1 norm of every output's raw weights is within the declared limit.

    Raises:
        ModelError: it is not; the message names the worst output and both figures.
    """
    norms = np.abs(np.asarray(matrix, dtype=np.int64)).sum(axis=0)
    worst = int(norms.argmax())
    if int(norms[worst]) > limit:
        raise ModelError(
            f"{name}: output {worst} has an absolute weight sum of {int(norms[worst])}, the accumulator was "
            f"declared for {limit}; scale the weights down or build for a larger limit"
        )


def _holding(least: int, greatest: int, fraction: int) -> FixedFormat:
    width = max((-1 - least).bit_length(), greatest.bit_length()) + 1
    width = max(width, 2)
    if width > WIDEST:
        raise ModelError(
            f"an exact accumulator would need {width} bits, the limit is {WIDEST}; use narrower formats"
        )
    return FixedFormat(width, width - fraction, True, Rounding.TRN, Overflow.WRAP)
