"""From trained weights to integers: the bundle in memory that is evaluated and that conversion must give."""

from __future__ import annotations

from typing import Literal

from hls.train.network import Weights, weight_formats
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation, DenseLayer, Head, LstmLayer, ModelSpec
from pyorch.contract.precision import Precision
from pyorch.inference.complete import complete_bundle

LSTM_NAME, DENSE_NAME = "lstm", "dense"
"""Names of the layers, in the Keras model as in the bundle."""


def assemble(
    name: str,
    mode: Literal["window", "stateful"],
    window: int,
    weights: Weights,
    precision: Precision,
    heads: tuple[Head, ...],
    calibration: IntArray | None = None,
) -> Bundle:
    """A complete bundle of the quantised weights.

    Args:
        window: vectors in a window, or a training chunk for a stateful model.
        weights: as trained; they are quantised here.
        calibration: [O, 17] knots; None: the identity.
    """
    p = precision
    features, units = len(weights.kernel), len(weights.recurrent)
    placeholder = FixedFormat(32, 16)  # replaced by the proven accumulator
    gate = Activation("sigmoid", "table", p.index, p.index_bits)
    activation = Activation("tanh", "table", p.index, p.index_bits)
    lstm = LstmLayer(
        LSTM_NAME, features, units, p.input, p.kernel, p.recurrent, p.bias, placeholder,
        p.table, p.cell, p.hidden, gate, activation,
    )  # fmt: skip
    dense = DenseLayer(
        DENSE_NAME, units, weights.dense_bias.size, p.hidden, p.dense_kernel, p.dense_bias,
        placeholder, p.logits,
    )  # fmt: skip
    names = [f"{LSTM_NAME}.kernel", f"{LSTM_NAME}.recurrent", f"{LSTM_NAME}.bias"]
    names += [f"{DENSE_NAME}.kernel", f"{DENSE_NAME}.bias"]
    integers = {
        key: target.quantise(array)
        for key, target, array in zip(names, weight_formats(p), weights.arrays, strict=True)
    }
    if calibration is not None:
        integers["calibration"] = calibration
    return complete_bundle(ModelSpec(name, mode, window, (lstm, dense), heads), integers)
