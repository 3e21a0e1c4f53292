"""hls4ml's ModelGraph, read as a model of the contract: layers, formats, integer weights.

Everything is taken from the graph's nodes after hls4ml's passes; what the contract adds (frozen tables,
proven accumulators, heads) follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation, DenseLayer, Head, LstmLayer, ModelSpec
from pyorch.inference.complete import complete_bundle

PLACEHOLDER = FixedFormat(32, 16)
TAKEN = "LSTM (1 to 4, stacked), Dense with linear or relu, and a quantised input"


@dataclass(frozen=True, slots=True)
class GraphModel:
    """A ModelGraph as a bundle, and the format in which its inputs come."""

    bundle: Bundle
    wire: FixedFormat


def read_graph(
    graph: Any,
    *,
    name: str = "model",
    mode: Literal["window", "stateful"] = "window",
    tables: dict[str, IntArray] | None = None,
    index: Literal["mid", "hls4ml"] = "mid",
) -> GraphModel:
    """Read a graph.

    Args:
        graph: hls4ml's ModelGraph, its passes applied.
        mode: how the model is served; a graph does not say.
        tables: ``{layer}.gate_table`` and so on; default: the frozen ones.
        index: rule of the table look-ups.

    Raises:
        ModelError: a layer, activation or type that the fabric does not carry, by name.
    """
    nodes = [node for node in graph.get_layers() if node.class_name not in ("Input", "InputLayer")]
    source = graph.get_input_variables()
    if len(source) != 1:
        raise ModelError(f"{name}: {len(source)} inputs; the fabric takes one")
    wire = _format(name, "input", source[0].type.precision)
    shape = [int(value) for value in source[0].shape]
    if len(shape) != 2:
        raise ModelError(f"{name}: input of shape {shape}; the fabric takes [steps, features]")
    values = wire
    if nodes and _is_linear(nodes[0]):  # an input quantiser of its own
        values = _result(nodes.pop(0))
    taken = values
    layers: list[LstmLayer | DenseLayer] = []
    weights: dict[str, IntArray] = {}
    while nodes:
        node = nodes.pop(0)
        if node.class_name == "LSTM":
            layer: LstmLayer | DenseLayer = _lstm(node, values, index)
            last = not any(later.class_name == "LSTM" for later in nodes)
            if bool(node.get_attr("return_sequences")) == last:
                raise ModelError(
                    f"{node.name}: return_sequences is {not last}, but it is "
                    f"{'the last' if last else 'not the last'} LSTM; the fabric answers after the last step"
                )
            values = layer.hidden  # type: ignore[union-attr]
        elif node.class_name == "Dense":
            after = nodes.pop(0) if nodes and nodes[0].class_name == "Activation" else None
            layer = _dense(node, after, values)
            values = layer.output
        else:
            raise ModelError(
                f"{node.name}: the fabric does not carry {node.class_name} layers; it takes {TAKEN}"
            )
        layers.append(layer)
        _take_weights(node, layer, weights)
    if not layers:
        raise ModelError(f"{name}: no layers; the fabric takes {TAKEN}")
    outputs = tuple(f"y{k}" for k in range(layers[-1].units))
    heads = (Head("output", "linear", outputs, "1"),)
    spec = ModelSpec(name, mode, shape[0], tuple(layers), heads)
    return GraphModel(
        complete_bundle(spec, weights | (tables or {})), wire if wire != taken else taken
    )


def _lstm(node: Any, values: FixedFormat, index: Literal["mid", "hls4ml"]) -> LstmLayer:
    for attribute, expected in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        found = node.get_attr(attribute)
        if found != expected:
            raise ModelError(
                f"{node.name}: {attribute} {found!r}; the fabric looks up {expected}, use that"
            )
    if node.get_attr("direction", "forward") != "forward":
        raise ModelError(f"{node.name}: runs {node.get_attr('direction')}; the fabric runs forward")
    size = int(node.get_attr("table_size"))
    bits = size.bit_length() - 1
    if size != 1 << bits:
        raise ModelError(f"{node.name}: tables of {size} entries; give a power of two (TableSize)")
    hidden = _result(node)
    cell = node.get_attr("cell_t")
    return LstmLayer(
        name=node.name,
        inputs=int(node.get_attr("n_in")),
        units=int(node.get_attr("n_out")),
        input=values,
        kernel=_type(node, "weight_t"),
        recurrent=_type(node, "recurrent_weight_t"),
        bias=_type(node, "bias_t"),
        accumulator=PLACEHOLDER,
        table=_type(node, "table_t"),
        # stock hls4ml keeps c in the type of h; CellT gives it one of its own
        cell=hidden if cell is None else _format(node.name, "cell_t", cell.precision),
        hidden=hidden,
        gate=Activation("sigmoid", "table", index, bits),
        activation=Activation("tanh", "table", index, bits),
    )


def _dense(node: Any, after: Any, values: FixedFormat) -> DenseLayer:
    activation, output = "linear", _result(node)
    if after is not None:
        activation, output = str(after.get_attr("activation")), _result(after)
    if activation not in ("linear", "relu"):
        raise ModelError(
            f"{node.name}: activation {activation!r}; the fabric takes linear and relu (end at the logits, "
            "heads follow in integers on the host)"
        )
    return DenseLayer(
        name=node.name,
        inputs=int(node.get_attr("n_in")),
        units=int(node.get_attr("n_out")),
        input=values,
        kernel=_type(node, "weight_t"),
        bias=_type(node, "bias_t"),
        accumulator=PLACEHOLDER,
        output=output,
        activation="relu" if activation == "relu" else "linear",
    )


def _take_weights(node: Any, layer: LstmLayer | DenseLayer, weights: dict[str, IntArray]) -> None:
    parts = {"kernel": ("weight", layer.kernel), "bias": ("bias", layer.bias)}
    if isinstance(layer, LstmLayer):
        parts["recurrent"] = ("recurrent_weight", layer.recurrent)
        extra = node.get_weights("recurrent_bias")
        if extra is not None and np.any(np.asarray(extra.data)):
            raise ModelError(
                f"{node.name}: a recurrent bias; the contract has one bias, add them up"
            )
    for part, (attribute, form) in parts.items():
        scaled = np.asarray(node.get_weights(attribute).data, dtype=np.float64) * 2.0**form.fraction
        raw = np.rint(scaled)
        if np.any(raw != scaled) or raw.min() < form.minimum or raw.max() > form.maximum:
            wrong = int(
                np.count_nonzero((raw != scaled) | (raw < form.minimum) | (raw > form.maximum))
            )
            raise ModelError(
                f"{node.name}: {wrong} of {raw.size} values of its {part} are not numbers of {form}: "
                "quantise them first (hls4ml does not apply QKeras quantizers inside an LSTM)"
            )
        weights[f"{layer.name}.{part}"] = raw.astype(np.int64)


def _is_linear(node: Any) -> bool:
    return bool(node.class_name == "Activation" and node.get_attr("activation") == "linear")


def _result(node: Any) -> FixedFormat:
    return _format(node.name, "result", node.get_output_variable().type.precision)


def _type(node: Any, attribute: str) -> FixedFormat:
    return _format(node.name, attribute, node.get_attr(attribute).precision)


def _format(name: str, what: str, precision: Any) -> FixedFormat:
    try:
        return FixedFormat.parse(str(precision))
    except Exception as error:
        raise ModelError(f"{name}: the {what} is {precision}, which is not fixed-point") from error
