"""Calibration: from what a head says to how often it happens, as 17 integer knots an output.

Training with class weights moves the prior, so a raw 0.75 means nothing. On a block of its own each
probability p is mapped to ``sigmoid(a·logit(p) + b)`` (J. Platt, "Probabilistic outputs for support
vector machines", 1999), with a ≥ 0 so that the order is kept. The hardware interpolates linearly
between knots 1/16 apart, so the fit is done *through* that interpolation, not before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.fixed import IntArray
from pyorch.contract.model import CALIBRATION_SEGMENTS, PROBABILITY
from pyorch.inference.reference import calibrate
from pyorch.inference.tables import identity_calibration

ONE = 1 << PROBABILITY.fraction
EDGE = 1.0 / 64.0
"""The outermost knots stand for probabilities this far from 0 and 1, where the logit is finite."""
FEWEST = 20
"""With fewer positives (or negatives) than this in the block, the map is left as it is."""


def knots_for(slope: float, offset: float) -> IntArray:
    """The 17 integer knots of ``sigmoid(slope·logit(p) + offset)``."""
    p = np.linspace(0.0, 1.0, CALIBRATION_SEGMENTS + 1)
    p[0], p[-1] = EDGE, 1.0 - EDGE
    logit = np.log(p) - np.log1p(-p)
    curve = 1.0 / (1.0 + np.exp(-(slope * logit + offset)))
    rounded: IntArray = np.floor(curve * ONE + 0.5).astype(np.int64)
    return rounded


def fit_knots(probability: IntArray, truth: NDArray[np.float64]) -> IntArray | None:
    """The map of one output, least log-loss on a block of its own.

    Args:
        probability: [n] uncalibrated, 15 fractional bits.
        truth: [n] 0 or 1.

    Returns:
        [17] knots that never decrease; None if one class has fewer than 20 members.
    """
    positives = float(truth.sum())
    if min(positives, len(truth) - positives) < FEWEST:
        return None
    from scipy.optimize import minimize

    # The knots are few: the loss depends on p only through its segment and position within it.
    scaled = probability.astype(np.float64) / ONE * CALIBRATION_SEGMENTS
    segment = np.minimum(scaled.astype(np.int64), CALIBRATION_SEGMENTS - 1)
    position = scaled - segment

    def loss(parameters: NDArray[np.float64]) -> float:
        curve = knots_for(max(parameters[0], 0.0), parameters[1]) / ONE
        said = curve[segment] + (curve[segment + 1] - curve[segment]) * position
        said = np.clip(said, 1e-5, 1.0 - 1e-5)
        lost = truth * np.log(said) + (1.0 - truth) * np.log1p(-said)
        return float(-lost.mean())

    base = positives / len(truth)
    start = np.array([1.0, np.log(base / (1.0 - base))])
    found = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 200, "xatol": 1e-3})
    return knots_for(max(float(found.x[0]), 0.0), float(found.x[1]))


def fit_maps(
    probabilities: IntArray,
    truths: NDArray[np.float64],
    valid: NDArray[np.bool_],
    wanted: list[bool],
) -> IntArray:
    """Maps of all outputs: [n, O] probabilities and truths → [O, 17]; the identity where not wanted."""
    maps = identity_calibration(probabilities.shape[1])
    for column, want in enumerate(wanted):
        rows = valid[:, column]
        if not want or not rows.any():
            continue
        fitted = fit_knots(probabilities[rows, column], truths[rows, column])
        if fitted is not None:
            maps[column] = fitted
    return maps


def apply(maps: IntArray, probabilities: IntArray) -> IntArray:
    """[n, O] probabilities through their maps, as every engine does it."""
    return calibrate(maps, probabilities)
