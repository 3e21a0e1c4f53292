"""The LSTM cell that trains to the contract: a QKeras `QLSTMCell` with the contract's arithmetic.

QKeras applies one `state_quantizer` to h and c on entry to the *next* step, rounds halves to even and
uses real activations. Here h and c have formats of their own and are converted right after the update
(round half up, saturating); the activations are the frozen tables of the bundle; the input projection
of a whole chunk is one product. Backwards every rounding passes its gradient straight through, and a
table has the derivative of the function that it tabulates, at the value that it returned.

All arithmetic is float64: products and sums of the contract's integers stay below 2**53 LSB, so the
forward values *are* the integers of the reference times their LSB, bit for bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hls.train.backend import tensorflow
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import FixedFormat, Overflow, Rounding
from pyorch.contract.model import Activation
from pyorch.contract.precision import Precision
from pyorch.inference.tables import activation_table

Arithmetic = Literal["contract", "float"]
"""``contract``: quantised, tables; ``float``: the same weights, real functions, nothing rounded."""

DTYPE = "float64"


def convert(values: Any, target: FixedFormat) -> Any:
    """Real numbers → the nearest of the format, halves up, saturating; the gradient passes straight."""
    tf = tensorflow()
    if target.rounding is not Rounding.RND or target.overflow is not Overflow.SAT:
        raise UsageError(f"{target}: training supports RND and SAT; write fixed<W,I,RND,SAT>")

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def straight_through(x: Any) -> Any:
        raw = tf.floor(x * 2.0**target.fraction + 0.5)
        return tf.clip_by_value(raw, target.minimum, target.maximum) * target.lsb, lambda dy: dy

    return straight_through(values)


@cache
def quantizer_class() -> Any:
    """The QKeras quantizer that rounds as the contract does (a class made when TensorFlow is there)."""
    tensorflow()
    from qkeras.quantizers import BaseQuantizer

    class ContractBits(BaseQuantizer):  # type: ignore[misc]
        """``quantized_bits`` with halves rounded up; what `FixedFormat.quantise` returns, times the LSB."""

        def __init__(self, target: FixedFormat) -> None:
            super().__init__()
            self.target = target
            self.bits = target.width
            self.integer = target.integer - 1
            self.alpha = 1.0

        def __call__(self, x: Any) -> Any:
            return convert(x, self.target)

        def max(self) -> float:
            """Largest value."""
            return self.target.maximum * self.target.lsb

        def min(self) -> float:
            """Smallest value."""
            return self.target.minimum * self.target.lsb

    return ContractBits


class Tables:
    """The frozen tables of a cell, joined: gate table, then cell table; real values."""

    def __init__(self, precision: Precision) -> None:
        self.index = precision.index
        self.size = 1 << precision.index_bits
        self.gate = Activation("sigmoid", "table", precision.index, precision.index_bits)
        self.activation = Activation("tanh", "table", precision.index, precision.index_bits)
        joined = [
            activation_table(self.gate, precision.table),
            activation_table(self.activation, precision.table),
        ]
        self.values: NDArray[np.float64] = precision.table.to_float(np.concatenate(joined))

    def scale(self, activation: Activation) -> float:
        """Table entries per unit of the argument."""
        return self.size / 2.0**activation.range_bits


@cache
def cell_class() -> Any:
    """The cell (a class made when TensorFlow is there)."""
    tf = tensorflow()
    from qkeras import QLSTMCell

    class ContractLSTMCell(QLSTMCell):  # type: ignore[misc]
        """QKeras LSTM cell with the contract's arithmetic; see the module's text.

        Args:
            units: of the layer.
            precision: formats of every rounding point.
        """

        def __init__(self, units: int, precision: Precision, **options: Any) -> None:
            bits = quantizer_class()
            super().__init__(
                units,
                activation="tanh",
                recurrent_activation="sigmoid",
                kernel_quantizer=bits(precision.kernel),
                recurrent_quantizer=bits(precision.recurrent),
                bias_quantizer=bits(precision.bias),
                dtype=DTYPE,
                **options,
            )
            self.precision = precision
            tables = Tables(precision)
            self._table = tf.constant(tables.values, DTYPE)
            gate, tanh = tables.scale(tables.gate), tables.scale(tables.activation)
            self._gate_scale = tf.constant(
                np.repeat([gate, gate, tanh, gate], units), DTYPE, name="entries_per_unit"
            )
            self._gate_offset = tf.constant(np.repeat([0, 0, tables.size, 0], units), tf.int32)
            self._cell_scale, self._cell_offset = tanh, tables.size
            self._size, self._truncates = tables.size, tables.index == "hls4ml"

        def weights_for(self, arithmetic: Arithmetic) -> tuple[Any, Any, Any]:
            """Kernel, recurrent kernel and bias, quantised or as they are."""
            if arithmetic == "float":
                return self.kernel, self.recurrent_kernel, self.bias
            return (
                self.kernel_quantizer_internal(self.kernel),
                self.recurrent_quantizer_internal(self.recurrent_kernel),
                self.bias_quantizer_internal(self.bias),
            )

        def advance(
            self, projected: Any, hidden: Any, cell: Any, recurrent: Any, arithmetic: Arithmetic
        ) -> tuple[Any, Any]:
            """One step from ``x·W + b`` [B, 4 units], h and c [B, units] to the new h and c."""
            total = projected + tf.matmul(hidden, recurrent)
            if arithmetic == "contract":
                new: tuple[Any, Any] = self._tail(total, cell)
                return new
            i, f, g, o = tf.split(total, 4, axis=1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
            return tf.sigmoid(o) * tf.tanh(cell), cell

        def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
            """The interface of Keras' RNN layer: one step of [B, F]."""
            kernel, recurrent, bias = self.weights_for("contract")
            projected = tf.matmul(inputs, kernel) + bias
            hidden, cell = self.advance(projected, states[0], states[1], recurrent, "contract")
            return hidden, [hidden, cell]

        def _look_up(self, values: Any, scale: Any, offset: Any) -> Any:
            scaled = values * scale
            raw = scaled if self._truncates else tf.floor(scaled)
            index = tf.cast(tf.clip_by_value(raw, -self._size, self._size), tf.int32)
            half = self._size // 2
            index = tf.clip_by_value(index + half, 0, self._size - 1) + offset
            return tf.gather(self._table, index)

        def _tail(self, total: Any, cell: Any) -> Any:
            """Gates, c and h from the accumulators, with the gradients written out."""
            hidden_format, cell_format = self.precision.hidden, self.precision.cell

            @tf.custom_gradient  # type: ignore[untyped-decorator]
            def tail(a: Any, c_before: Any) -> Any:
                gates = self._look_up(a, self._gate_scale, self._gate_offset)
                i, f, g, o = tf.split(gates, 4, axis=1)
                c = convert(f * c_before + i * g, cell_format)
                s = self._look_up(c, self._cell_scale, self._cell_offset)
                h = convert(o * s, hidden_format)

                def gradient(dh: Any, dc: Any) -> tuple[Any, Any]:
                    dc = dc + dh * o * (1.0 - s * s)
                    da = [
                        dc * g * i * (1.0 - i),
                        dc * c_before * f * (1.0 - f),
                        dc * i * (1.0 - g * g),
                        dh * s * o * (1.0 - o),
                    ]
                    return tf.concat(da, axis=1), dc * f

                return (h, c), gradient

            return tail(total, cell)

    return ContractLSTMCell
