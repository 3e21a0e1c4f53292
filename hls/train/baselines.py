"""What a model must beat: the most frequent class, and a logistic regression on the last vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from hls.train.samples import FloatArray, Samples
from pyorch.contract.fixed import IntArray

LOGISTIC_TICKS = 40_000
"""Ticks that the logistic regression is fitted on, evenly spaced: more do not change it."""
ITERATIONS = 200


def majority(samples: Samples) -> IntArray:
    """[ticks]: the direction that is most frequent in the training block, everywhere."""
    target, block = samples.target("direction"), samples.blocks["training"]
    counts = (target.values[block] * target.valid[block]).sum(axis=0)
    return np.full(len(samples.features), int(counts.argmax()), dtype=np.int64)


def logistic(samples: Samples, block: slice, class_weight: FloatArray) -> IntArray:
    """Directions in ``block`` by a logistic regression on each tick's own vector.

    Args:
        class_weight: [classes] loss weights, those of the network.
    """
    from sklearn.linear_model import LogisticRegression

    target, training = samples.target("direction"), samples.blocks["training"]
    rows = np.flatnonzero(target.valid[training].all(axis=1)) + training.start
    if len(rows) > LOGISTIC_TICKS:
        rows = rows[np.linspace(0, len(rows) - 1, LOGISTIC_TICKS).astype(np.int64)]
    classes = target.values[rows].argmax(axis=1)
    deviation = np.maximum(samples.features[rows].std(axis=0), 1.0)
    model: Any = LogisticRegression(max_iter=ITERATIONS)
    model.fit(samples.features[rows] / deviation, classes, sample_weight=class_weight[classes])
    answers: IntArray = model.predict(samples.features[block] / deviation).astype(np.int64)
    return answers
