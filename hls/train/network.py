"""The trained network: one contract LSTM layer and a dense layer, over chunks of parallel streams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.digits import within_budget
from hls.train.backend import tensorflow
from hls.train.cell import DTYPE, Arithmetic, cell_class, convert, quantizer_class
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.precision import Precision

FORGET_BIAS = 1.0
"""The forget gate starts open: the state is carried before anything is learnt."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Real weights of a network, in the shapes of the contract (gates i, f, g, o in blocks)."""

    kernel: NDArray[np.float64]
    recurrent: NDArray[np.float64]
    bias: NDArray[np.float64]
    dense_kernel: NDArray[np.float64]
    dense_bias: NDArray[np.float64]

    def quantised(self, precision: Precision) -> Weights:
        """The values that hardware holds: every weight on its format's grid."""
        formats = weight_formats(precision)
        return Weights(
            *(
                target.to_float(target.quantise(array))
                for array, target in zip(self.arrays, formats, strict=True)
            )
        )

    @property
    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """In declaration order."""
        return (self.kernel, self.recurrent, self.bias, self.dense_kernel, self.dense_bias)


def weight_formats(precision: Precision) -> tuple[FixedFormat, ...]:
    """Formats of `Weights.arrays`, in order."""
    p = precision
    return p.kernel, p.recurrent, p.bias, p.dense_kernel, p.dense_bias


class Network:
    """F features → LSTM of ``units`` → O outputs, in either arithmetic, on [B, T] chunks.

    Features are the contract's raw integers; everything returned is a real number: in the ``contract``
    arithmetic, raw integers times their LSB exactly.
    """

    def __init__(
        self, features: int, units: int, outputs: int, precision: Precision, seed: int
    ) -> None:
        tf = tensorflow()
        from qkeras import QDense

        self.features, self.units, self.outputs = features, units, outputs
        self.precision = precision
        self.cell = cell_class()(units, precision)
        self.cell.build((None, features))
        bits = quantizer_class()
        self.dense = QDense(
            outputs,
            kernel_quantizer=bits(precision.dense_kernel),
            bias_quantizer=bits(precision.dense_bias),
            dtype=DTYPE,
        )
        self.dense.build((None, units))
        self.variables = [
            self.cell.kernel,
            self.cell.recurrent_kernel,
            self.cell.bias,
            self.dense.kernel,
            self.dense.bias,
        ]
        self._tf = tf
        self.assign(initial_weights(features, units, outputs, np.random.default_rng(seed)))

    def weights(self) -> Weights:
        """A copy of the weights as they are trained (not rounded)."""
        return Weights(*(variable.numpy() for variable in self.variables))

    def assign(self, weights: Weights) -> None:
        """Replace the weights."""
        for variable, array in zip(self.variables, weights.arrays, strict=True):
            variable.assign(array)

    def clip(self) -> None:
        """Pull weights back into their formats, so that none saturates when it is rounded."""
        for variable, target in zip(self.variables, weight_formats(self.precision), strict=True):
            low, high = target.minimum * target.lsb, target.maximum * target.lsb
            variable.assign(self._tf.clip_by_value(variable, low, high))

    def keep_within(self, budget: int) -> None:
        """Drop the smallest digits of rows of W and of R that have more than ``budget`` (a projection)."""
        forms = (self.precision.kernel, self.precision.recurrent)
        for variable, form in zip(self.variables[:2], forms, strict=True):
            raw = form.quantise(variable.numpy())
            kept = within_budget(raw, budget, form.maximum)
            variable.assign(np.where(kept == raw, variable.numpy(), form.to_float(kept)))

    def pull_to_grid(self, share: Any) -> None:
        """Move every weight by ``share`` of its way to the value that hardware will hold."""
        for variable, target in zip(self.variables, weight_formats(self.precision), strict=True):
            variable.assign_add(share * (convert(variable, target) - variable))

    def forward(
        self,
        features: Any,
        hidden: Any,
        cell: Any,
        keep: Any,
        arithmetic: Arithmetic,
        last: bool = False,
    ) -> tuple[Any, Any, Any]:
        """A chunk: features [B, T, F] (raw), state [B, units], keep [B, T] → logits [B, T, O], state.

        ``keep`` is 0 where the state is reset before that vector, else 1. T is unrolled. With ``last``
        only the last vector is answered: logits [B, 1, O].
        """
        tf, steps = self._tf, features.shape[1]
        kernel, recurrent, bias = self.cell.weights_for(arithmetic)
        inputs = tf.cast(features, DTYPE) * self.precision.input.lsb
        projected = tf.unstack(tf.tensordot(inputs, kernel, 1) + bias, num=steps, axis=1)
        keeps = tf.unstack(keep[:, :, None], num=steps, axis=1)
        outputs = []
        for row, kept in zip(projected, keeps, strict=True):
            hidden, cell = self.cell.advance(row, hidden * kept, cell * kept, recurrent, arithmetic)
            outputs.append(hidden)
        if last:
            outputs = outputs[-1:]
        return self.logits(tf.stack(outputs, axis=1), arithmetic), hidden, cell

    def logits(self, hidden: Any, arithmetic: Arithmetic) -> Any:
        """Hidden states [..., units] → logits [..., O]."""
        tf = self._tf
        if arithmetic == "float":
            return tf.tensordot(hidden, self.dense.kernel, 1) + self.dense.bias
        kernel = self.dense.kernel_quantizer_internal(self.dense.kernel)
        bias = self.dense.bias_quantizer_internal(self.dense.bias)
        return convert(tf.tensordot(hidden, kernel, 1) + bias, self.precision.logits)

    @cached_property
    def _compiled(self) -> Any:
        return self._tf.function(self.forward, autograph=False)

    def run(
        self, features: IntArray, keep: NDArray[np.float64], arithmetic: Arithmetic, chunk: int = 8
    ) -> NDArray[np.float64]:
        """Streams [B, T, F] from zero state → logits [B, T, O]; T is padded to whole chunks."""
        streams, steps, _ = features.shape
        pad = -steps % chunk
        x = np.pad(features, ((0, 0), (0, pad), (0, 0))).astype(np.int16)
        kept = np.pad(keep, ((0, 0), (0, pad)), constant_values=1.0)
        hidden = self._tf.zeros((streams, self.units), DTYPE)
        cell, parts = hidden, []
        for start in range(0, steps + pad, chunk):
            part = slice(start, start + chunk)
            logits, hidden, cell = self._compiled(
                x[:, part], hidden, cell, kept[:, part], arithmetic
            )
            parts.append(logits.numpy())
        joined: NDArray[np.float64] = np.concatenate(parts, axis=1)
        return joined[:, :steps]


def initial_weights(features: int, units: int, outputs: int, rng: np.random.Generator) -> Weights:
    """Keras' defaults: Glorot-uniform kernels, orthogonal recurrent kernel, an open forget gate."""

    def glorot(rows: int, columns: int) -> NDArray[np.float64]:
        limit = np.sqrt(6.0 / (rows + columns))
        return np.asarray(rng.uniform(-limit, limit, (rows, columns)))

    orthogonal, upper = np.linalg.qr(rng.normal(size=(4 * units, units)))
    bias = np.zeros(4 * units)
    bias[units : 2 * units] = FORGET_BIAS
    return Weights(
        glorot(features, 4 * units),
        np.ascontiguousarray((orthogonal * np.sign(np.diag(upper))).T),
        bias,
        glorot(units, outputs),
        np.zeros(outputs),
    )
