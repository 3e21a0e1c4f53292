"""Normalisation as integers, fitted on the training block only.

Robust: the median and a spread of quantiles, so that a few dislocated seconds do not set the scale of a
whole model. Means and variances would also need floating point that differs between machines; the
quantiles are order statistics, and every division is one of integers.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.contract.schema import Feature, FeatureSchema
from pyorch.features.arithmetic import LOG_LIMIT
from pyorch.features.definitions import COMPRESSED, KINDS, with_knees

MULTIPLIER_BITS = 15
MAXIMUM_SHIFT = 30
MAXIMUM_KNEE = 40
MINIMUM_TICKS = 16

# (per mille of the lower quantile, of the upper, standard deviations of a normal distribution between
# them, in thousandths). The larger scale of a group wins: a flow that is mostly zero has little width
# between its inner quantiles, and would saturate whenever it is not. A group without any width gives way
# to the next.
_SPREADS = (((100, 900, 2563), (25, 975, 3920)), ((5, 995, 5152),))


def _order_statistic(ordered: IntArray, per_mille: int) -> int:
    return int(ordered[((len(ordered) - 1) * per_mille) // 1000])


def _scale(ordered: IntArray) -> tuple[int, int]:
    """A numerator and a denominator whose ratio is one standard deviation of raw."""
    for group in _SPREADS:
        numerator, denominator = max(
            (
                (
                    1000 * (_order_statistic(ordered, upper) - _order_statistic(ordered, lower)),
                    width,
                )
                for lower, upper, width in group
            ),
            key=lambda scale: Fraction(*scale),
        )
        if numerator > 0:
            return numerator, denominator
    widest = int(ordered[-1] - ordered[0])
    return (widest, 4) if widest > 0 else (1, 1)


def _fit_one(feature: Feature, raw: IntArray, unit: int) -> Feature:
    ordered = np.sort(raw)
    numerator, denominator = _scale(ordered)
    # multiplier / 2^shift = unit·denominator / numerator, with as many bits as the multiplier may have.
    ratio_bits = (unit * denominator).bit_length() - numerator.bit_length()
    shift = min(max(MULTIPLIER_BITS - 1 - ratio_bits, 0), MAXIMUM_SHIFT)
    multiplier = ((unit * denominator << shift) * 2 + numerator) // (2 * numerator)
    multiplier = min(max(multiplier, 1), (1 << MULTIPLIER_BITS) - 1)
    while shift > 0 and multiplier % 2 == 0:
        multiplier, shift = multiplier // 2, shift - 1
    offset = 0 if KINDS[feature.kind].signed else _order_statistic(ordered, 500)
    return replace(feature, offset=offset, multiplier=multiplier, shift=shift)


def fit_knees(schema: FeatureSchema, raw: IntArray) -> FeatureSchema:
    """Knees of the compressed features, at the median size of what they compress.

    Args:
        schema: compressed features have knee 0.
        raw: int64 [ticks, F] of the training block, computed with ``schema``.

    Raises:
        UsageError: a knee is not zero, so that sizes cannot be read off ``raw``.
    """
    knees = {}
    for position, feature in enumerate(schema.features):
        if feature.kind not in COMPRESSED:
            continue
        if feature.parameters["knee"] != 0:
            raise UsageError(
                f"feature {feature.name} has knee {feature.parameters['knee']}; knees are fitted from a "
                "schema with knee 0, as default_schema() gives it"
            )
        sizes = np.sort(np.abs(raw[:, position]))
        sizes = sizes[sizes > 0]
        median = _order_statistic(sizes, 500) if len(sizes) else 0
        largest = min(KINDS[feature.kind].parameters["knee"][1], MAXIMUM_KNEE)
        knees[feature.name] = min((median + 128) >> 8, largest)
    return with_knees(schema, knees)


def fit(schema: FeatureSchema, raw: IntArray) -> FeatureSchema:
    """The schema with offsets, multipliers and shifts: median → 0, one robust deviation → 1.0.

    Signed features (`FeatureKind.signed`) keep their zero.

    Args:
        raw: int64 [ticks, F] of the training block, computed with ``schema``.

    Raises:
        UsageError: fewer than `MINIMUM_TICKS` ticks, or a wrong number of features.
    """
    if raw.ndim != 2 or raw.shape[1] != len(schema.features):
        raise UsageError(
            f"raw features have the shape {raw.shape}; the schema has {len(schema.features)} features"
        )
    if len(raw) < MINIMUM_TICKS:
        raise UsageError(
            f"{len(raw)} ticks are too few to fit a normalisation; at least {MINIMUM_TICKS} are needed: "
            "use a longer tape or a larger training block"
        )
    unit = 1 << schema.format.fraction
    features = tuple(
        _fit_one(feature, np.clip(raw[:, position], -LOG_LIMIT, LOG_LIMIT), unit)
        for position, feature in enumerate(schema.features)
    )
    return replace(schema, features=features)
