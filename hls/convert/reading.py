"""From a loaded model to a draft of the contract's model: formats, integers, heads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from hls.convert.activations import Found, identify
from hls.convert.outline import ACTIVATIONS, DENSES, LSTMS, Layer
from hls.convert.source import Source
from hls.convert.weights import Quantised, fixed_format_of, quantise
from hls.recipe import Precision, Recipe
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import DenseLayer, Head, LstmLayer, ModelSpec

_PLACEHOLDER = FixedFormat(32, 16)
"""Replaced by the proven accumulator when the bundle is completed."""


@dataclass(slots=True)
class Draft:
    """What a model file says, in the contract's terms."""

    spec: ModelSpec
    weights: dict[str, IntArray]
    remarks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    precision: Precision
    strict: bool
    layers: list[LstmLayer | DenseLayer] = field(default_factory=list)
    weights: dict[str, IntArray] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    end: Literal["softmax", "sigmoid", "linear"] = "linear"
    input: FixedFormat | None = None

    def values(self) -> FixedFormat:
        """Format of what the next layer reads."""
        if not self.layers:
            return self.input or self.precision.input
        last = self.layers[-1]
        return last.hidden if isinstance(last, LstmLayer) else last.output

    def keep(self, name: str, part: str, quantised: Quantised) -> FixedFormat:
        """Store a weight array; returns its format."""
        self.weights[f"{name}.{part}"] = quantised.raw
        if quantised.remark:
            self.remarks.append(quantised.remark)
        return quantised.form


def read_model(
    source: Source, recipe: Recipe | None, precision: Precision, window: int | None
) -> Draft:
    """Bring a loaded model into the contract's terms.

    Args:
        recipe: training's; its formats then hold exactly, and its heads and window.
        precision: the preset for what a user's model leaves open.
        window: vectors in a window, where neither recipe nor model says.

    Raises:
        ModelError: an activation, quantizer or arrangement that the contract does not carry.
        UsageError: no window length, or one that contradicts the model.
    """
    outline = source.outline
    reader = _Reader(recipe.precision if recipe else precision, strict=recipe is not None)
    inputs = outline.features
    for layer, loaded in zip(outline.layers, source.layers, strict=True):
        if reader.end != "linear":
            raise layer.refuse(f"stands after the final {reader.end}")
        if layer.kind in LSTMS:
            inputs = _lstm(reader, layer, loaded, inputs)
        elif layer.kind in DENSES:
            inputs = _dense(reader, layer, loaded, inputs)
        elif layer.kind in ACTIVATIONS:
            _activation(reader, layer, loaded)
    length = _window(outline.window, recipe.window if recipe else None, window)
    heads = _heads(recipe, reader.end, inputs)
    name = recipe.name if recipe else outline.path.stem
    mode = recipe.mode if recipe else "window"
    spec = ModelSpec(name, mode, length, tuple(reader.layers), heads)
    if recipe and recipe.calibration:
        reader.weights["calibration"] = np.array(recipe.calibration, dtype=np.int64)
    return Draft(spec, reader.weights, reader.remarks)


def _lstm(reader: _Reader, layer: Layer, loaded: Any, inputs: int) -> int:
    p, cell, units = reader.precision, loaded.cell, int(layer.config["units"])
    gate = identify(layer, "recurrent_activation", cell.recurrent_activation, p.index, p.index_bits)
    activation = identify(layer, "activation", cell.activation, p.index, p.index_bits)
    kernel, recurrent, bias = _arrays(loaded, 4 * units)
    quantizers = {
        part: getattr(cell, f"{part}_quantizer_internal", None)
        for part in ("kernel", "recurrent", "bias", "state")
    }
    name, values = _name(layer), reader.values()

    def taken(part: str, array: Any, wanted: FixedFormat) -> FixedFormat:
        quantised = quantise(layer, part, array, quantizers[part], wanted, strict=reader.strict)
        return reader.keep(name, part, quantised)

    hidden, state = p.hidden, p.cell
    if quantizers["state"] is not None and not reader.strict:
        hidden = state = fixed_format_of(layer, quantizers["state"])
        reader.remarks.append(
            f"{layer.name}: h and c are rounded to {hidden} after the update; QKeras' state_quantizer "
            "rounds them, halves to even, on entry to the next step, and not the last h"
        )
    reader.layers.append(
        LstmLayer(
            name=name,
            inputs=inputs,
            units=units,
            input=values,
            kernel=taken("kernel", kernel, p.kernel),
            recurrent=taken("recurrent", recurrent, p.recurrent),
            bias=taken("bias", bias, p.bias),
            accumulator=_PLACEHOLDER,
            table=p.table if reader.strict else _table(p.table, gate, activation),
            cell=state,
            hidden=hidden,
            gate=gate.activation,
            activation=activation.activation,
        )
    )
    for role, found in (("recurrent_activation", gate), ("activation", activation)):
        if found.activation.kind == "hard":
            slope = found.activation
            reader.remarks.append(
                f"{layer.name}: {role} is {found.name}, as {slope.slope}/2**{slope.slope_fraction}"
            )
    return units


def _dense(reader: _Reader, layer: Layer, loaded: Any, inputs: int) -> int:
    p, units = reader.precision, int(layer.config["units"])
    kernel, _, bias = _arrays(loaded, units)
    name, values = _name(layer), reader.values()
    forms = {}
    for part, array, wanted in (("kernel", kernel, p.dense_kernel), ("bias", bias, p.dense_bias)):
        quantizer = getattr(loaded, f"{part}_quantizer_internal", None)
        quantised = quantise(layer, part, array, quantizer, wanted, strict=reader.strict)
        forms[part] = reader.keep(name, part, quantised)
    reader.layers.append(
        DenseLayer(
            name, inputs, units, values, forms["kernel"], forms["bias"], _PLACEHOLDER, p.logits
        )
    )
    _apply(reader, layer, loaded.activation)
    return units


def _activation(reader: _Reader, layer: Layer, loaded: Any) -> None:
    if layer.kind == "Softmax":
        reader.end = "softmax"
    elif layer.kind == "ReLU":
        for option in ("max_value", "negative_slope", "threshold"):
            if layer.config.get(option):
                raise layer.refuse(f"has {option}={layer.config[option]!r}; a relu is max(x, 0)")
        _relu(reader, layer, None)
    elif layer.kind == "QActivation" and not reader.layers:
        if reader.strict:
            return  # the recipe's input format holds
        reader.input = fixed_format_of(layer, loaded.quantizer)
    else:
        _apply(
            reader, layer, loaded.quantizer if layer.kind == "QActivation" else loaded.activation
        )


def _apply(reader: _Reader, layer: Layer, function: Any) -> None:
    """What follows a dense layer: linear, relu, a rounding, or the final softmax or sigmoid."""
    name = getattr(function, "__name__", type(function).__name__)
    if function is None or name == "linear":
        return
    if name in ("softmax", "sigmoid"):
        reader.end = "softmax" if name == "softmax" else "sigmoid"
    elif name == "relu":
        _relu(reader, layer, None)
    elif name == "quantized_relu":
        _relu(reader, layer, fixed_format_of(layer, function))
    elif name == "quantized_bits" and reader.layers and isinstance(reader.layers[-1], DenseLayer):
        last = reader.layers[-1]
        reader.layers[-1] = _replaced(last, output=fixed_format_of(layer, function))
    else:
        raise layer.refuse(f"applies {name!r} here")


def _relu(reader: _Reader, layer: Layer, output: FixedFormat | None) -> None:
    last = reader.layers[-1] if reader.layers else None
    if not isinstance(last, DenseLayer):
        raise layer.refuse("applies 'relu' to something that is not a dense layer")
    reader.layers[-1] = _replaced(last, activation="relu", output=output or last.output)


def _replaced(layer: DenseLayer, **changes: Any) -> DenseLayer:
    import msgspec

    return msgspec.structs.replace(layer, **changes)


def _arrays(loaded: Any, columns: int) -> tuple[Any, Any, Any]:
    """Kernel, recurrent kernel (or None) and bias (zeros where the layer has none)."""
    found = {weight.name.split("/")[-1].split(":")[0]: weight.numpy() for weight in loaded.weights}
    kernel = found["kernel"]
    return (
        kernel,
        found.get("recurrent_kernel"),
        found.get("bias", np.zeros(columns, dtype=kernel.dtype)),
    )


def _table(preset: FixedFormat, gate: Found, activation: Found) -> FixedFormat:
    """The preset's, or as fine as the activations of the model round."""
    fractions = [found.fraction for found in (gate, activation) if found.fraction is not None]
    if not fractions:
        return preset
    fraction = max(fractions) if len(fractions) == 2 else max(preset.fraction, *fractions)
    return replace(preset, width=fraction + 1, integer=1)


def _window(of_model: int | None, of_recipe: int | None, stated: int | None) -> int:
    found = of_recipe or of_model or stated
    if found is None:
        raise UsageError(
            "the model leaves the window's length open; say how many vectors: --window 20"
        )
    for where, other in (("model has", of_model), ("command says", stated)):
        if other is not None and other != found:
            raise UsageError(f"the window is {found} vectors, the {where} {other}: they must agree")
    return found


def _heads(recipe: Recipe | None, end: str, outputs: int) -> tuple[Head, ...]:
    if recipe and recipe.heads:
        count = sum(len(head.outputs) for head in recipe.heads)
        if count != outputs:
            raise ModelError(
                f"the recipe's heads name {count} outputs, the model's last layer has {outputs}"
            )
        return recipe.heads
    names = tuple(f"output_{number}" for number in range(outputs))
    if end == "softmax":
        return (Head("softmax", "softmax", names, "probability"),)
    if end == "sigmoid":
        return (Head("sigmoid", "sigmoid", names, "probability"),)
    return (Head("linear", "linear", names, "value"),)


def _name(layer: Layer) -> str:
    """A name that C++ and hls4ml take ("input" is reserved there)."""
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in layer.name)
    return f"layer_{name}" if not name[0].isalpha() or name in ("input", "features") else name
