"""Figures of predictions: macro-F1 with block-bootstrap intervals, recall, ranking, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.fixed import IntArray

BLOCK_NS = 10_000_000_000
"""Length of a bootstrap block: longer than the labels' horizon and most of their dependence."""
DRAWS = 1000
"""Bootstrap draws."""
CONFIDENCE = 0.95
BINS = 10
"""Bins of the reliability diagram and the expected calibration error, of equal width."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % block-bootstrap interval."""

    value: float
    low: float
    high: float


def confusion(truth: IntArray, answer: IntArray, classes: int) -> IntArray:
    """[classes, classes] counts, truth down, answer across."""
    cells = np.bincount(truth * classes + answer, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Confusions [..., k, k] → macro-F1 [...]; a class that neither occurs nor is answered counts 0."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    both = (counts.sum(axis=-1) + counts.sum(axis=-2)).astype(np.float64)
    f1: NDArray[np.float64] = np.where(both > 0, 2.0 * hits / np.maximum(both, 1.0), 0.0)
    return np.asarray(f1.mean(axis=-1))


def macro_f1(truth: IntArray, answer: IntArray, classes: int) -> float:
    """Mean of the classes' F1."""
    return float(f1_of(confusion(truth, answer, classes)))


def recall(truth: IntArray, answer: IntArray, classes: int) -> list[float]:
    """Recall of each class; 0 for a class that does not occur."""
    counts = confusion(truth, answer, classes)
    return [float(x) for x in np.diagonal(counts) / np.maximum(counts.sum(axis=1), 1)]


class BlockBootstrap:
    """Intervals of macro-F1 under the dependence of neighbouring ticks: whole blocks are drawn.

    Every figure uses the same draws, so differences between models are paired.

    Args:
        local_ns: receive times of the ticks, in order.
        seed: of the draws.
    """

    def __init__(self, local_ns: IntArray, seed: int) -> None:
        numbers = local_ns // BLOCK_NS
        _, self.block = np.unique(numbers, return_inverse=True)
        self.blocks = int(self.block.max()) + 1
        self._draws = np.random.default_rng(seed).multinomial(
            self.blocks, np.full(self.blocks, 1.0 / self.blocks), size=DRAWS
        )

    def _drawn(self, truth: IntArray, answer: IntArray, classes: int) -> NDArray[np.float64]:
        cells = classes * classes
        index = self.block * cells + truth * classes + answer
        by_block = np.bincount(index, minlength=self.blocks * cells).reshape(self.blocks, cells)
        drawn = (self._draws @ by_block).reshape(DRAWS, classes, classes)
        return f1_of(drawn.astype(np.int64))

    def macro_f1(self, truth: IntArray, answer: IntArray, classes: int) -> Interval:
        """Macro-F1 with its interval."""
        return _interval(macro_f1(truth, answer, classes), self._drawn(truth, answer, classes))

    def difference(
        self, truth: IntArray, answer: IntArray, other: IntArray, classes: int
    ) -> Interval:
        """Macro-F1 of ``answer`` minus that of ``other``, paired."""
        value = macro_f1(truth, answer, classes) - macro_f1(truth, other, classes)
        drawn = self._drawn(truth, answer, classes) - self._drawn(truth, other, classes)
        return _interval(value, drawn)


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high))


def brier(truth: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """Mean squared error of a probability."""
    return float(np.mean((probability - truth) ** 2))


def reliability(
    truth: NDArray[np.float64], probability: NDArray[np.float64]
) -> list[tuple[float, float, int]]:
    """Per occupied bin: mean probability, observed frequency, count."""
    index = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    said = np.bincount(index, weights=probability, minlength=BINS)
    seen = np.bincount(index, weights=truth, minlength=BINS)
    return [(float(said[k] / n), float(seen[k] / n), int(n)) for k, n in enumerate(count) if n > 0]


def calibration_error(truth: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """Expected calibration error: the bins' |said - seen|, weighted by their counts."""
    bins = reliability(truth, probability)
    return sum(abs(said - seen) * n for said, seen, n in bins) / max(len(truth), 1)


def ranking(truth: NDArray[np.float64], score: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve, average precision; 0.5 and the base rate if a class is absent."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    positives = int(truth.sum())
    if positives in (0, len(truth)):
        return 0.5, float(truth.mean()) if len(truth) else 0.0
    return float(roc_auc_score(truth, score)), float(average_precision_score(truth, score))
