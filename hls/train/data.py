"""From a data set to training samples: heads over its labels, a stopping slice, scales of linear heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hls.train.samples import Samples, Target
from pyorch.contract.errors import DataError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Head
from pyorch.contract.precision import Precision
from pyorch.features.dataset import DataSet

STOPPING_SHARE = 0.15
"""The end of the training block, on which early stopping looks; never calibration or test."""
HEADROOM = 0.9
"""Linear values up to the 99.9th percentile must lie within this share of the logits' range, and their
median within this share of the bias's: a network starts from its bias."""

LABELS: dict[str, tuple[str, ...]] = {
    "direction": ("direction",),
    "jump": ("jump_down_50ms", "jump_up_50ms", "jump_down_100ms", "jump_up_100ms"),
    "withdrawal": ("withdrawal_bid", "withdrawal_ask"),
    "slippage": ("slippage",),
    "volatility": ("volatility",),
}
"""Head → the labels of its outputs (of its classes, for the direction)."""

HEADS = (
    Head("direction", "softmax", ("down", "stable", "up"), "probability"),
    Head("jump", "sigmoid", ("down_50ms", "up_50ms", "down_100ms", "up_100ms"), "probability"),
    Head("withdrawal", "sigmoid", ("bid", "ask"), "probability"),
    Head("slippage", "linear", ("slippage",), "ticks"),
    Head("volatility", "linear", ("volatility",), "octaves"),
)
WEIGHTS = {"direction": 1.0, "jump": 0.15, "withdrawal": 0.15, "slippage": 0.15, "volatility": 0.15}
"""Weight of each output's loss: the direction matters most."""


def samples_from(dataset: DataSet, precision: Precision) -> Samples:
    """The training view of a data set.

    The stopping slice is the end of the training block, after a gap as long as the longest horizon, so
    that no training label looks into it.

    Raises:
        DataError: the training block is too short for a gap and a stopping slice.
    """
    training = dataset.blocks["train"]
    horizon_ns = max(
        dataset.described[name].horizon_ns for names in LABELS.values() for name in names
    )
    begin = training.stop - round((training.stop - training.start) * STOPPING_SHARE)
    end = int(np.searchsorted(dataset.local_ns, dataset.local_ns[begin] - horizon_ns))
    if end <= training.start:
        raise DataError(
            f"the training block's {training.stop - training.start:,} ticks leave none before a gap of "
            f"{horizon_ns / 1e9:g} s and a stopping slice: use a longer tape"
        )
    begins = np.zeros(len(dataset.features), dtype=bool)
    begins[dataset.segments] = True
    blocks = {
        "training": slice(training.start, end),
        "stopping": slice(begin, training.stop),
        "calibration": dataset.blocks["calibration"],
        "test": dataset.blocks["test"],
    }
    return Samples(
        dataset.features.astype(np.int64),
        begins,
        dataset.local_ns,
        tuple(_target(dataset, head, blocks["training"], precision) for head in HEADS),
        blocks,
    )


def _target(dataset: DataSet, head: Head, training: slice, precision: Precision) -> Target:
    names = LABELS[head.name]
    valid = np.stack([dataset.valid[name] for name in names], axis=1)
    values = np.stack([dataset.labels[name] for name in names], axis=1).astype(np.float64)
    if head.kind == "softmax":
        classes = len(head.outputs)
        values = np.eye(classes)[values[:, 0].astype(np.int64)]
        valid = np.repeat(valid, classes, axis=1)
    elif head.kind == "linear":
        known = values[training][valid[training]]
        largest = float(np.quantile(np.abs(known), 0.999)) if len(known) else 0.0
        middle = float(np.median(known)) if len(known) else 0.0
        unit = max(
            linear_unit(largest, precision.logits), linear_unit(middle, precision.dense_bias)
        )
        values = values / unit
        if unit > 1:
            head = replace(head, unit=f"{unit} {head.unit}")
    return Target(head, values, valid, WEIGHTS[head.name])


def linear_unit(value: float, target: FixedFormat) -> int:
    """The smallest power of two in whose multiples ``value`` fits the format with headroom."""
    unit = 1
    while abs(value) / unit > HEADROOM * target.maximum * target.lsb:
        unit *= 2
    return unit
