"""A bundle's model as one flat array of integers, for native code (twin: `pyorch/native/lstm_model.cpp`)."""

from __future__ import annotations

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import Activation, LstmLayer

VERSION = 1
"""Version of the layout; the native reader refuses another one."""

_HEADS = {"softmax": 0, "sigmoid": 1, "linear": 2}


def flat_model(bundle: Bundle) -> IntArray:
    """int64 [n]: version, mode, window, layers, heads, shifts, tables, calibration.

    Arrays are preceded by their length and stored row-major; formats are five integers (width, integer
    bits, signed, RND, SAT); activations six (sigmoid, hard, hls4ml index, index bits, slope, its fraction).
    """
    spec, weights = bundle.spec, bundle.weights
    parts: list[IntArray] = []

    def put(*values: int) -> None:
        parts.append(np.array(values, dtype=np.int64))

    def put_array(values: IntArray) -> None:
        put(values.size)
        parts.append(np.ascontiguousarray(values, dtype=np.int64).ravel())

    put(VERSION, spec.mode == "window", spec.window, len(spec.layers))
    for layer in spec.layers:
        lstm = isinstance(layer, LstmLayer)
        put(lstm, layer.inputs, layer.units)
        output = layer.hidden if isinstance(layer, LstmLayer) else layer.output
        for form in (layer.input, layer.kernel, layer.bias, layer.accumulator, output):
            put(*_format(form))
        put_array(weights[f"{layer.name}.kernel"])
        put_array(weights[f"{layer.name}.bias"])
        if isinstance(layer, LstmLayer):
            for form in (layer.recurrent, layer.table, layer.cell):
                put(*_format(form))
            for activation in (layer.gate, layer.activation):
                put(*_activation(activation))
            put_array(weights[f"{layer.name}.recurrent"])
            for activation, name in ((layer.gate, "gate"), (layer.activation, "cell")):
                used = activation.kind == "table"
                put_array(weights[f"{layer.name}.{name}_table"] if used else np.zeros(0, np.int64))
        else:
            put(layer.activation == "relu")
    put(len(spec.heads))
    for head in spec.heads:
        put(_HEADS[head.kind], len(head.outputs))
    put(spec.exp_shift, spec.sigmoid_shift)
    for name in ("exp_table", "sigmoid_table", "calibration"):
        put_array(weights.get(name, np.zeros(0, np.int64)))
    return np.concatenate(parts)


def _format(form: FixedFormat) -> tuple[int, ...]:
    return (
        form.width,
        form.integer,
        int(form.signed),
        int(form.rounding is Rounding.RND),
        int(form.overflow is Overflow.SAT),
    )


def _activation(rule: Activation) -> tuple[int, ...]:
    return (
        int(rule.function == "sigmoid"),
        int(rule.kind == "hard"),
        int(rule.index == "hls4ml"),
        rule.index_bits,
        rule.slope,
        rule.slope_fraction,
    )
