"""Figures of a trained model on the test block: quality, fidelity, heads, calibration."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from hls.train import calibration, metrics
from hls.train.metrics import BlockBootstrap
from hls.train.samples import BoolArray, FloatArray, Samples
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import probabilities

FEWEST_POSITIVES = 200
"""A probability head with fewer positives in the training block is not trainable."""

AGES = (0, 4, 16, 32, 64, 128, 256, 512, 1 << 30)
"""Edges of the ages of state whose quality is shown, in ticks."""


def counted(samples: Samples, block: slice, warm_up: int) -> BoolArray:
    """[ticks of the block]: whether the state is warm there."""
    warm: BoolArray = samples.age[block] >= warm_up
    return warm


def raw_probabilities(bundle: Bundle, logits: IntArray) -> IntArray:
    """[n, O] logits → uncalibrated 15-bit probabilities; zeros for linear heads."""
    found, start = np.zeros_like(logits), 0
    for head in bundle.spec.heads:
        columns = slice(start, start + len(head.outputs))
        start = columns.stop
        if head.kind != "linear":
            found[:, columns] = probabilities(bundle.spec, bundle.weights, head, logits[:, columns])
    return found


def positives(samples: Samples, name: str) -> IntArray:
    """[k] positives of a head's outputs (members of its classes) in the training block."""
    target, block = samples.target(name), samples.blocks["training"]
    found: IntArray = (target.values[block] * target.valid[block]).sum(axis=0).astype(np.int64)
    return found


class DirectionFigures:
    """Compares answers of several models to the direction head on the same ticks.

    Args:
        samples: the tape.
        rows: ticks of the test block that count.
        seed: of the bootstrap.
    """

    def __init__(self, samples: Samples, rows: IntArray, seed: int) -> None:
        target = samples.target("direction")
        self.rows, self.classes = rows, target.values.shape[1]
        self.truth: IntArray = target.values[rows].argmax(axis=1).astype(np.int64)
        self.bootstrap = BlockBootstrap(samples.local_ns[rows], seed)

    def of(self, answer: IntArray) -> dict[str, Any]:
        """Macro-F1 with its interval, and recall a class."""
        return {
            "macro_f1": asdict(self.bootstrap.macro_f1(self.truth, answer, self.classes)),
            "recall": metrics.recall(self.truth, answer, self.classes),
            "accuracy": float((self.truth == answer).mean()),
            "confusion": metrics.confusion(self.truth, answer, self.classes).tolist(),
        }

    def gain(self, answer: IntArray, other: IntArray) -> dict[str, float]:
        """Difference of macro-F1, paired, with its interval."""
        return asdict(self.bootstrap.difference(self.truth, answer, other, self.classes))


def head_figures(
    samples: Samples, block: slice, warm: BoolArray, raw: IntArray, maps: IntArray
) -> dict[str, dict[str, Any]]:
    """Per probability output: base rate, ranking, calibration before and after its map.

    Args:
        raw: [ticks of the block, O] uncalibrated probabilities.
        maps: [O, 17] calibration.
    """
    after = calibration.apply(maps, raw) / calibration.ONE
    before = raw / calibration.ONE
    found: dict[str, dict[str, Any]] = {}
    for target in samples.targets:
        if target.head.kind == "linear":
            continue
        columns = samples.columns(target.head.name)
        in_training = positives(samples, target.head.name)
        for k, name in enumerate(target.head.outputs):
            rows = warm & target.valid[block][:, k]
            truth = target.values[block][rows, k]
            if not len(truth):
                continue
            said, mapped = before[rows, columns.start + k], after[rows, columns.start + k]
            auc, precision = metrics.ranking(truth, said)
            found[f"{target.head.name}.{name}"] = {
                "trainable": target.head.trainable,
                "base_rate": float(truth.mean()),
                "positives_training": int(in_training[k]),
                "positives_test": int(truth.sum()),
                "auc": auc,
                "average_precision": precision,
                "brier_before": metrics.brier(truth, said),
                "brier_after": metrics.brier(truth, mapped),
                "brier_base_rate": float(truth.mean() * (1.0 - truth.mean())),
                "ece_before": metrics.calibration_error(truth, said),
                "ece_after": metrics.calibration_error(truth, mapped),
                "highest_score": float(mapped.max()),
                "reliability_before": metrics.reliability(truth, said),
                "reliability_after": metrics.reliability(truth, mapped),
            }
    return found


def linear_figures(
    samples: Samples, block: slice, warm: BoolArray, values: FloatArray
) -> dict[str, dict[str, Any]]:
    """Per linear output: mean absolute error against the training block's median; [ticks, O] values."""
    found: dict[str, dict[str, Any]] = {}
    for target in samples.targets:
        if target.head.kind != "linear":
            continue
        columns, training = samples.columns(target.head.name), samples.blocks["training"]
        for k, name in enumerate(target.head.outputs):
            known = target.values[training][target.valid[training][:, k], k]
            rows = warm & target.valid[block][:, k]
            truth = target.values[block][rows, k]
            if not len(truth) or not len(known):
                continue
            said = values[rows, columns.start + k]
            spread = float(((truth - truth.mean()) ** 2).mean())
            found[f"{target.head.name}.{name}"] = {
                "unit": target.head.unit,
                "mean_absolute_error": float(np.abs(said - truth).mean()),
                "mean_absolute_error_of_median": float(np.abs(np.median(known) - truth).mean()),
                "r_squared": 1.0 - float(((said - truth) ** 2).mean()) / max(spread, 1e-12),
            }
    return found


def by_state_age(
    age: IntArray, truth: IntArray, cold: IntArray, warm: IntArray, classes: int
) -> list[dict[str, float]]:
    """Quality of answers by the ticks since their state was zero, beside those of a warm state.

    Args:
        age: ticks since a reset; ``cold``: answers from that state; ``warm``: from a long-running one.
    """
    found = []
    for low, high in pairwise(AGES):
        rows = (age >= low) & (age < high)
        if not rows.any():
            continue
        found.append(
            {
                "from_ticks": low,
                "to_ticks": high - 1,
                "ticks": int(rows.sum()),
                "macro_f1": metrics.macro_f1(truth[rows], cold[rows], classes),
                "macro_f1_warm": metrics.macro_f1(truth[rows], warm[rows], classes),
                "agreement": float((cold[rows] == warm[rows]).mean()),
            }
        )
    return found


def fidelity(quantised: IntArray, other: IntArray, f1: float, other_f1: float) -> dict[str, float]:
    """How far the quantised answers are from those of a float model on the same ticks."""
    return {
        "agreement": float((quantised == other).mean()),
        "delta_macro_f1": f1 - other_f1,
    }
