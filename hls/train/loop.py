"""The training loop: float first, then the contract's arithmetic from there, with early stopping.

The second phase is an annealing: the learning rate falls while weights are drawn to their grid, so that
they settle on a value instead of swinging between two (M. Nagel et al., "Overcoming Oscillations in
Quantization-Aware Training", 2022). Its last weights are taken; early stopping ends the first phase.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hls.train.backend import tensorflow
from hls.train.cell import DTYPE, Arithmetic
from hls.train.metrics import macro_f1
from hls.train.network import Network, Weights
from hls.train.samples import Batch, Batches, Samples, Weighting

GRADIENT_NORM = 1.0
"""Gradients are scaled down to this norm."""
PULL = 0.01
"""In the contract's arithmetic, each step moves a weight this share of its way to the grid."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        mode: carried state, or windows from zero state.
        epochs, fine_epochs: at most so many in float, then in the contract's arithmetic.
        rate, fine_rate: Adam's learning rate at the start; it falls along a cosine to a tenth.
        streams: parallel streams, or windows a batch.
        steps: vectors a chunk (truncated back-propagation), or T of a window.
        burn_in: first vectors of a stream or segment without weight.
        patience: epochs without a better stopping macro-F1 before the float phase ends.
        windows: windows an epoch.
    """

    mode: Literal["window", "stateful"] = "stateful"
    epochs: int = 10
    fine_epochs: int = 4
    rate: float = 3e-3
    fine_rate: float = 5e-4
    streams: int = 32
    steps: int = 32
    burn_in: int = 32
    patience: int = 4
    windows: int = 16_384

    @property
    def warm_up(self) -> int:
        """Ticks after a reset whose answers do not count."""
        return self.steps - 1 if self.mode == "window" else self.burn_in


@dataclass(slots=True)
class Curve:
    """What happened in the epochs of a phase, and the one whose weights were taken.

    ``loss`` is that of all heads in training, ``stopping_loss`` and ``stopping_f1`` are the direction's.
    """

    arithmetic: Arithmetic
    loss: list[float] = field(default_factory=list)
    stopping_loss: list[float] = field(default_factory=list)
    stopping_f1: list[float] = field(default_factory=list)
    best: int = 0


Progress = Callable[[str], None]


class Trainer:
    """Trains one network on one set of samples."""

    def __init__(
        self,
        network: Network,
        samples: Samples,
        weighting: Weighting,
        schedule: Schedule,
        seed: int,
        digit_budget: int | None = None,
    ) -> None:
        self.digit_budget = digit_budget
        self.network, self.samples, self.schedule, self.seed = network, samples, schedule, seed
        self.weighting = weighting
        self.training = Batches(samples, weighting, samples.blocks["training"])
        self.stopping = Batches(samples, weighting, samples.blocks["stopping"])
        self._tf = tensorflow()

    def train(self, arithmetic: Arithmetic, epochs: int, rate: float, tell: Progress) -> Curve:
        """One phase; float: ends with the weights of the epoch whose stopping macro-F1 was highest."""
        tf, curve = self._tf, Curve(arithmetic)
        optimizer = tf.keras.optimizers.Adam(rate, global_clipnorm=GRADIENT_NORM)
        optimizer.build(self.network.variables)
        learn, judge = self._learning_step(optimizer, arithmetic), self._judging_step(arithmetic)
        rng = np.random.default_rng([self.seed, 0 if arithmetic == "float" else 1])
        best: Weights = self.network.weights()
        highest = -1.0
        for epoch in range(epochs):
            optimizer.learning_rate.assign(
                rate * (0.1 + 0.45 * (1.0 + math.cos(math.pi * epoch / max(epochs - 1, 1))))
            )
            losses = [loss for loss, _ in self._pass(self._batches(rng), learn)]
            if arithmetic == "contract" and self.digit_budget is not None:
                self.network.keep_within(self.digit_budget)
            stopping_loss, f1 = self._judge(judge)
            curve.loss.append(float(np.mean(losses)))
            curve.stopping_loss.append(stopping_loss)
            curve.stopping_f1.append(f1)
            if f1 > highest or arithmetic == "contract":
                highest, best, curve.best = f1, self.network.weights(), epoch
            tell(f"{arithmetic} loss {curve.loss[-1]:.3f} stopping {stopping_loss:.3f} F1 {f1:.3f}")
            if epoch - curve.best >= self.schedule.patience:
                break
        self.network.assign(best)
        return curve

    def _batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        s = self.schedule
        if s.mode == "window":
            return self.training.windows(s.streams, s.steps, s.windows, rng)
        return self.training.streams(s.streams, s.steps, s.burn_in, int(rng.integers(s.steps)))

    def _judge(self, judge: Any) -> tuple[float, float]:
        """Loss and macro-F1 of the direction head on the stopping slice: the main task decides."""
        s, block = self.schedule, self.samples.blocks["stopping"]
        if s.mode == "window":
            count = min(s.streams, block.stop - block.start - s.steps)
            batches = self.stopping.windows(count, s.steps, s.windows // 4, None)
        else:
            ticks = block.stop - block.start
            streams = max(1, min(s.streams, ticks // (8 * s.steps)))
            batches = self.stopping.streams(streams, s.steps, s.burn_in)
        direction = self.samples.columns("direction")
        losses, truth, answer = [], [], []
        kept: list[Batch] = []
        for loss, logits in self._pass(self._remember(batches, kept), judge):
            losses.append(loss)
            counted = kept[-1].weights[:, :, direction.start] > 0
            truth.append(kept[-1].values[:, :, direction].argmax(axis=2)[counted])
            answer.append(logits.numpy()[:, :, direction].argmax(axis=2)[counted])
        score = macro_f1(np.concatenate(truth), np.concatenate(answer), classes=3)
        return float(np.mean(losses)), score

    @staticmethod
    def _remember(batches: Iterator[Batch], kept: list[Batch]) -> Iterator[Batch]:
        for batch in batches:
            kept[:] = [batch]
            yield batch

    def _pass(self, batches: Iterator[Batch], step: Any) -> Iterator[tuple[float, Any]]:
        tf, units = self._tf, self.network.units
        hidden = cell = None
        for batch in batches:
            if not batch.carries:
                hidden = cell = tf.zeros((len(batch.features), units), DTYPE)
            loss, logits, hidden, cell = step(
                batch.features, hidden, cell, batch.keep, batch.values, batch.weights
            )
            yield float(loss), logits

    def _learning_step(self, optimizer: Any, arithmetic: Arithmetic) -> Any:
        tf, network = self._tf, self.network

        def step(x: Any, hidden: Any, cell: Any, keep: Any, values: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                losses, logits, hidden, cell = self._answer(
                    arithmetic, x, hidden, cell, keep, values, weights
                )
                loss = tf.add_n(list(losses.values()))
            gradients = tape.gradient(loss, network.variables)
            optimizer.apply_gradients(zip(gradients, network.variables, strict=True))
            network.clip()
            if arithmetic == "contract":
                network.pull_to_grid(PULL)
            return loss, logits, hidden, cell

        return tf.function(step, autograph=False)

    def _judging_step(self, arithmetic: Arithmetic) -> Any:
        def step(x: Any, hidden: Any, cell: Any, keep: Any, values: Any, weights: Any) -> Any:
            losses, logits, hidden, cell = self._answer(
                arithmetic, x, hidden, cell, keep, values, weights
            )
            return losses["direction"], logits, hidden, cell

        return self._tf.function(step, autograph=False)

    def _answer(
        self,
        arithmetic: Arithmetic,
        x: Any,
        hidden: Any,
        cell: Any,
        keep: Any,
        values: Any,
        weights: Any,
    ) -> Any:
        last = self.schedule.mode == "window"
        logits, hidden, cell = self.network.forward(x, hidden, cell, keep, arithmetic, last)
        losses = self._losses(logits, values, weights)
        return losses, logits, hidden, cell

    def _losses(self, logits: Any, values: Any, weights: Any) -> dict[str, Any]:
        """Head → its cross-entropy or Huber loss, weighted, a labelled tick."""
        tf, losses, start = self._tf, {}, 0
        for target, scale in zip(self.samples.targets, self.weighting.scale, strict=True):
            columns = slice(start, start + target.values.shape[1])
            start = columns.stop
            y, z, w = values[:, :, columns], logits[:, :, columns], weights[:, :, columns]
            if target.head.kind == "softmax":
                loss = tf.nn.softmax_cross_entropy_with_logits(y, z)
                w = w[:, :, 0]
            elif target.head.kind == "sigmoid":
                loss = tf.nn.sigmoid_cross_entropy_with_logits(y, z)
            else:
                off = tf.abs(z - y) / scale
                loss = tf.where(off < 1.0, 0.5 * off * off, off - 0.5) * scale
            losses[target.head.name] = tf.reduce_mean(w * loss)
        return losses
