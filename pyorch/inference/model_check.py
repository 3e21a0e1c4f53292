"""Whether a bundle is a model that the contract carries: shapes, ranges, tables, proven accumulators."""

from __future__ import annotations

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import CALIBRATION_SEGMENTS, DenseLayer, LstmLayer, ModelSpec
from pyorch.inference.accumulate import WIDEST, Term, proven_accumulator

WIDEST_PRODUCT = 48
"""Widest product of a value and a weight, in bits: 2**14 of them still sum within 62."""


def check_model(bundle: Bundle) -> None:
    """Check everything that an engine relies on.

    Raises:
        ModelError: the message names the array or layer, what is wrong, and the limit.
    """
    check_chain(bundle.spec)
    weights = bundle.weights
    for layer in bundle.spec.layers:
        check_layer_weights(layer, weights)
        needed = layer_accumulator(layer, weights)
        stated = layer.accumulator
        if stated.fraction != needed.fraction or stated.integer < needed.integer:
            raise ModelError(
                f"{layer.name}: accumulator {stated} cannot hold its weights exactly, it takes {needed}; "
                "build the bundle again with `complete_bundle`"
            )
        if isinstance(layer, LstmLayer):
            _check_tail(layer)
            for activation, name in ((layer.gate, "gate"), (layer.activation, "cell")):
                if activation.kind == "table":
                    key = f"{layer.name}.{name}_table"
                    _check(weights, key, (1 << activation.index_bits,), layer.table)
    outputs = len(bundle.spec.outputs)
    _check(weights, "calibration", (outputs, CALIBRATION_SEGMENTS + 1), FixedFormat(17, 2, False))
    kinds = {head.kind for head in bundle.spec.heads}
    for kind, key in (("softmax", "exp_table"), ("sigmoid", "sigmoid_table")):
        if kind in kinds:
            _check(weights, key, None, FixedFormat(16, 16, False))
            if weights[key].ndim != 1 or weights[key].size < 2:
                raise ModelError(
                    f"{key} has shape {weights[key].shape}, it takes one axis of at least 2"
                )
    if "softmax" in kinds and int(weights["exp_table"][0]) <= 0:
        raise ModelError(
            "exp_table[0] is 0: every softmax would divide by zero; build the tables again"
        )


def check_chain(spec: ModelSpec) -> None:
    """LSTM layers first, then dense ones; sizes and formats of neighbours agree; heads cover the outputs.

    Raises:
        ModelError: they do not; the message names the layer.
    """
    if not spec.lstm_layers:
        raise ModelError(f"{spec.name}: no LSTM layer; the contract carries 1 or more, then dense")
    if spec.mode == "window" and spec.window < 1:
        raise ModelError(f"{spec.name}: a window of {spec.window} vectors; it takes at least 1")
    names = [layer.name for layer in spec.layers]
    if len(set(names)) != len(names):
        raise ModelError(f"{spec.name}: layer names {names} are not unique")
    size, values, dense_seen = spec.features, spec.input, False
    for layer in spec.layers:
        if isinstance(layer, LstmLayer) and dense_seen:
            raise ModelError(f"{layer.name}: an LSTM layer after a dense one is not supported")
        dense_seen = dense_seen or isinstance(layer, DenseLayer)
        if layer.inputs != size or layer.input != values:
            raise ModelError(
                f"{layer.name}: takes {layer.inputs} inputs of {layer.input}, the layer before it gives "
                f"{size} of {values}"
            )
        if layer.units < 1:
            raise ModelError(f"{layer.name}: {layer.units} units; it takes at least 1")
        size = layer.units
        values = layer.hidden if isinstance(layer, LstmLayer) else layer.output
    if len(spec.outputs) != size:
        raise ModelError(
            f"{spec.name}: the heads name {len(spec.outputs)} outputs, the last layer has {size}"
        )


def layer_terms(layer: LstmLayer | DenseLayer, weights: dict[str, IntArray]) -> tuple[Term, ...]:
    """The products that a layer sums."""
    kernel = Term(layer.input, layer.kernel, weights[f"{layer.name}.kernel"])
    if isinstance(layer, DenseLayer):
        return (kernel,)
    return kernel, Term(layer.hidden, layer.recurrent, weights[f"{layer.name}.recurrent"])


def layer_accumulator(layer: LstmLayer | DenseLayer, weights: dict[str, IntArray]) -> FixedFormat:
    """The accumulator that the layer's actual weights take.

    Raises:
        ModelError: none within 62 bits.
    """
    terms = layer_terms(layer, weights)
    for term in terms:
        width = term.values.width + term.weights.width
        if width > WIDEST_PRODUCT:
            raise ModelError(
                f"{layer.name}: a product {term.values} x {term.weights} has {width} bits, the limit is "
                f"{WIDEST_PRODUCT}; use narrower formats"
            )
    return proven_accumulator(terms, weights[f"{layer.name}.bias"], layer.bias)


def check_layer_weights(layer: LstmLayer | DenseLayer, weights: dict[str, IntArray]) -> None:
    """Kernel, recurrent kernel and bias: present, of the right shape, within their formats."""
    columns = layer.units * (4 if isinstance(layer, LstmLayer) else 1)
    _check(weights, f"{layer.name}.kernel", (layer.inputs, columns), layer.kernel)
    _check(weights, f"{layer.name}.bias", (columns,), layer.bias)
    if isinstance(layer, LstmLayer):
        _check(weights, f"{layer.name}.recurrent", (layer.units, columns), layer.recurrent)


def _check(
    weights: dict[str, IntArray],
    key: str,
    shape: tuple[int, ...] | None,
    values: FixedFormat,
) -> None:
    if key not in weights:
        raise ModelError(f"{key} is missing from the weights; present are {sorted(weights)}")
    array = weights[key]
    if not np.issubdtype(array.dtype, np.integer):
        raise ModelError(
            f"{key} holds {array.dtype} values; weights are raw integers, quantise first"
        )
    if shape is not None and array.shape != shape:
        raise ModelError(f"{key} has shape {array.shape}, the specification says {shape}")
    outside = int(np.count_nonzero((array < values.minimum) | (array > values.maximum)))
    if outside:
        raise ModelError(
            f"{key}: {outside} of {array.size} integers are outside {values.minimum}..{values.maximum} "
            f"({values}); quantise them to that format first"
        )


def _check_tail(layer: LstmLayer) -> None:
    """f*c + i*g and o*tanh(c) fit in 64 bits, aligned and rounded."""
    fraction = max(layer.table.fraction, layer.cell.fraction) + layer.table.fraction
    integer = layer.table.integer + max(layer.cell.integer, layer.table.integer) + 2
    width = max(fraction, layer.cell.fraction, layer.hidden.fraction) + integer
    if width > WIDEST:
        raise ModelError(
            f"{layer.name}: f*c + i*g takes {width} bits with cell {layer.cell} and table {layer.table}, "
            f"the limit is {WIDEST}; use narrower formats"
        )
    for activation, values in ((layer.gate, layer.accumulator), (layer.activation, layer.cell)):
        if activation.kind != "hard":
            continue
        line = max(values.width, layer.accumulator.width) + activation.slope.bit_length()
        width = max(line, values.fraction + activation.slope_fraction) + 2
        width = max(width, width + layer.table.fraction - values.fraction)
        if activation.slope < 0 or activation.slope_fraction < 0 or width > WIDEST:
            raise ModelError(
                f"{layer.name}: hard {activation.function} with slope {activation.slope} * "
                f"2**-{activation.slope_fraction} takes {width} bits, the limit is {WIDEST}; the slope must "
                "not be negative"
            )
