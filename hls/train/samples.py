"""What training sees: feature vectors, targets of every head, blocks; and how batches are cut from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import DataError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import Head

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MOST_WEIGHT = 50.0
"""Largest weight of a positive against a negative."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one head should answer.

    Attributes:
        head: name, kind and outputs.
        values: [ticks, k]: one-hot classes, 0/1, or the value in the unit of the head.
        valid: [ticks, k]: whether the label exists (its horizon ends within the same segment and block).
        weight: of the head's loss against the others'.
    """

    head: Head
    values: FloatArray
    valid: BoolArray
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Samples:
    """A tape as training sees it.

    Attributes:
        features: [ticks, F] raw integers in the input format.
        begins: [ticks]: the state is reset before this tick (start of a segment).
        local_ns: [ticks] receive time.
        targets: per head, in the order of the outputs.
        blocks: name → ticks: ``training``, ``stopping``, ``calibration``, ``test``, in time order.
    """

    features: IntArray
    begins: BoolArray
    local_ns: IntArray
    targets: tuple[Target, ...]
    blocks: dict[str, slice]

    @property
    def outputs(self) -> int:
        """Outputs of all heads (O)."""
        return sum(target.values.shape[1] for target in self.targets)

    @property
    def age(self) -> IntArray:
        """[ticks]: ticks since the segment's start."""
        ticks = np.arange(len(self.begins))
        starts = np.where(self.begins, ticks, 0)
        starts[0] = 0
        age: IntArray = ticks - np.maximum.accumulate(starts)
        return age

    def target(self, name: str) -> Target:
        """The target of a head."""
        return next(target for target in self.targets if target.head.name == name)

    def columns(self, name: str) -> slice:
        """Where a head's outputs lie among all."""
        start = 0
        for target in self.targets:
            stop = start + target.values.shape[1]
            if target.head.name == name:
                return slice(start, stop)
            start = stop
        raise DataError(f"there is no head {name!r}")


@dataclass(frozen=True, slots=True)
class Weighting:
    """Loss weights, from the training block alone.

    Attributes:
        positive: per head [k]: weight of each class (softmax) or of a positive (sigmoid); ones (linear).
        scale: per head [k]: mean weight, by which a head's loss is divided; for a linear head the
            standard deviation of its values.
    """

    positive: tuple[FloatArray, ...]
    scale: tuple[FloatArray, ...]


def class_weighting(samples: Samples, power: float) -> Weighting:
    """Rare classes weigh ``(frequent / rare) ** power`` times as much, at most 50."""
    block = samples.blocks["training"]
    positive, scale = [], []
    for target in samples.targets:
        values, valid = target.values[block], target.valid[block]
        count = np.maximum(valid.sum(axis=0), 1)
        total = np.where(valid, values, 0.0).sum(axis=0)
        if target.head.kind == "softmax":
            weight = np.minimum((total.max() / np.maximum(total, 1.0)) ** power, MOST_WEIGHT)
            positive.append(weight)
            scale.append(np.full(len(weight), (weight * total).sum() / max(total.sum(), 1.0)))
        elif target.head.kind == "sigmoid":
            weight = np.clip(((count - total) / np.maximum(total, 1.0)) ** power, 1.0, MOST_WEIGHT)
            positive.append(weight)
            scale.append((weight * total + (count - total)) / count)
        else:
            mean = total / count
            spread = np.sqrt(np.where(valid, (values - mean) ** 2, 0.0).sum(axis=0) / count)
            positive.append(np.ones(len(total)))
            scale.append(np.maximum(spread, 1e-3))
    return Weighting(tuple(positive), tuple(scale))


@dataclass(frozen=True, slots=True)
class Batch:
    """A chunk of parallel streams.

    Attributes:
        features: [B, T, F] raw.
        keep: [B, T]: 0 where the state is reset before the vector.
        values: [B, S, O] targets; S is T for streams, 1 for windows (the last vector alone counts).
        weights: [B, S, O] loss weights, 0 where there is no label or the state is not warm.
        carries: whether the state of the batch before goes on in this one.
    """

    features: NDArray[np.int16]
    keep: FloatArray
    values: FloatArray
    weights: FloatArray
    carries: bool


class Batches:
    """Cuts the batches of an epoch, the same for the same seed."""

    def __init__(self, samples: Samples, weighting: Weighting, block: slice) -> None:
        self.samples, self.block = samples, block
        self.features = samples.features.astype(np.int16)
        self.keep = np.where(samples.begins, 0.0, 1.0)
        self.age = samples.age
        values, weights = [], []
        for target, positive, scale in zip(
            samples.targets, weighting.positive, weighting.scale, strict=True
        ):
            weight = np.where(target.valid, target.weight / scale, 0.0)
            if target.head.kind == "softmax":
                weight = weight * (target.values @ positive)[:, None]
            elif target.head.kind == "sigmoid":
                weight = weight * np.where(target.values > 0.5, positive, 1.0)
            values.append(np.where(target.valid, target.values, 0.0))
            weights.append(weight)
        self.values = np.concatenate(values, axis=1)
        self.weights = np.concatenate(weights, axis=1)

    def streams(self, count: int, steps: int, burn_in: int, shift: int = 0) -> Iterator[Batch]:
        """The block as ``count`` contiguous streams, in chunks of ``steps`` with carried state.

        The first ``burn_in`` ticks of a stream and of a segment have no weight: their state is not yet
        what a long-running engine would have. ``shift`` moves the streams' starts from epoch to epoch.

        Raises:
            DataError: the block is too short for one chunk a stream.
        """
        ticks = self.block.stop - self.block.start - shift
        length = ticks // count // steps * steps
        if length == 0:
            raise DataError(
                f"a block of {ticks} ticks is too short for {count} streams of {steps} ticks; "
                "use a longer tape or fewer streams"
            )
        starts = self.block.start + shift + np.arange(count) * length
        for first in range(0, length, steps):
            since = np.arange(first, first + steps)
            rows = starts[:, None] + since
            warm = (np.minimum(self.age[rows], since) >= burn_in)[:, :, None]
            yield Batch(
                self.features[rows],
                self.keep[rows],
                self.values[rows],
                self.weights[rows] * warm,
                carries=first > 0,
            )

    def windows(
        self, count: int, steps: int, most: int, rng: np.random.Generator | None
    ) -> Iterator[Batch]:
        """Windows of ``steps`` vectors, ``count`` a batch, at most ``most`` an epoch.

        Windows lie within one segment. With ``rng`` their order is random, without it they are evenly
        spaced and in time order.

        Raises:
            DataError: the block has fewer windows than one batch.
        """
        ends = np.arange(self.block.start + steps - 1, self.block.stop)
        ends = ends[self.age[ends] >= steps - 1]
        if len(ends) < count:
            raise DataError(
                f"a block of {self.block.stop - self.block.start} ticks has {len(ends)} windows of "
                f"{steps} vectors, a batch needs {count}; use a longer tape"
            )
        if rng is not None:
            ends = rng.permutation(ends)[:most]
        elif len(ends) > most:
            ends = ends[np.linspace(0, len(ends) - 1, most).astype(np.int64)]
        keep = np.ones((count, steps))
        for first in range(0, len(ends) - count + 1, count):
            last = ends[first : first + count, None]
            yield Batch(
                self.features[last + np.arange(1 - steps, 1)],
                keep,
                self.values[last],
                self.weights[last],
                carries=False,
            )
