"""From a bundle to a written hls4ml project, through hls4ml's Keras reader and ModelGraph.

The bundle's integers are dyadic numbers that float32 holds exactly (up to 24 bits), so a Keras model of
plain layers with those numbers *is* the bundle's model: the bundle alone is enough to build the project
again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hls.csim import backend
from hls.csim.workarounds import hls4ml, keras, quiet
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, ModelError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Activation, DenseLayer, LstmLayer

PROJECT = "model"
INPUT = "features"
FLOAT32_BITS = 24
"""Integers up to this width pass through float32 unchanged."""


@dataclass(frozen=True, slots=True)
class Project:
    """A written hls4ml project.

    Attributes:
        folder: holds ``firmware/`` and the scripts.
        graph: hls4ml's ModelGraph.
        stock: written by the unpatched Vitis backend.
        length: vectors a call.
        sequences: the last LSTM answers every step, and is the output.
    """

    folder: Path
    graph: Any
    bundle: Bundle
    stock: bool
    length: int
    sequences: bool

    def digest(self) -> str:
        """SHA-256 over the firmware's sources, headers and weights.

        Raises:
            BuildError: the project is not where it was written.
        """
        whole = hashlib.sha256()
        firmware = self.folder / "firmware"
        if not (firmware / f"{PROJECT}.cpp").is_file():
            raise BuildError(f"{firmware}: no project there; build it again")
        for path in sorted(firmware.rglob("*")):
            if path.is_file() and path.suffix in (".h", ".cpp", ".txt"):
                whole.update(str(path.relative_to(firmware)).encode() + b"\0")
                whole.update(path.read_bytes() + b"\0")
        return whole.hexdigest()


def write_project(
    bundle: Bundle,
    folder: Path,
    *,
    stock: bool = False,
    length: int | None = None,
    sequences: bool = False,
    options: dict[str, Any] | None = None,
    style: str = "auto",
) -> Project:
    """Convert with hls4ml and write the project's sources.

    Args:
        folder: becomes the project's folder.
        stock: with hls4ml's own Vitis backend and header instead of ours.
        length: vectors a call; default: the model's window.
        sequences: end at the last LSTM layer and answer every step (`return_sequences`).
        options: of the backend: part, clock.
        style: hls4ml's ``PipelineStyle``; it changes what synthesis makes of the sources, not their results.

    Raises:
        BuildError: hls4ml failed.
        ModelError: weights wider than float32 holds exactly.
    """
    length = bundle.spec.window if length is None else length
    name = "Vitis" if stock else backend.register()
    model = keras_model(bundle, length, sequences)
    try:
        with quiet():
            graph = hls4ml().converters.convert_from_keras_model(
                model,
                hls_config=graph_configuration(bundle, stock, sequences, style),
                backend=name,
                output_dir=str(folder),
                project_name=PROJECT,
                io_type="io_parallel",
                **(options or {}),
            )
            graph.write()
    except Exception as error:  # hls4ml raises bare exceptions and assertions
        raise BuildError(
            f"hls4ml could not convert {bundle.spec.name}: {type(error).__name__}: {error}; "
            "docs/conversion.md lists what is supported"
        ) from error
    return Project(folder, graph, bundle, stock, length, sequences)


def keras_model(bundle: Bundle, length: int, sequences: bool = False) -> Any:
    """A Keras model of plain layers with the bundle's numbers; its float arithmetic is not the contract's.

    Raises:
        ModelError: a weight format is wider than float32 holds exactly.
    """
    layers = keras().layers
    model = keras().Sequential(name=PROJECT)
    model.add(layers.Input(shape=(length, bundle.spec.features), name=INPUT))
    last = bundle.spec.lstm_layers[-1]
    for layer in bundle.spec.layers:
        numbers = [
            _exact(layer.name, part, form, bundle) for part, form in weight_formats(layer).items()
        ]
        if isinstance(layer, LstmLayer):
            built = layers.LSTM(
                layer.units, return_sequences=sequences or layer is not last, name=layer.name
            )
        elif sequences:
            break
        else:
            built = layers.Dense(layer.units, activation=layer.activation, name=layer.name)
        model.add(built)
        built.set_weights(numbers)
    return model


def weight_formats(layer: LstmLayer | DenseLayer) -> dict[str, FixedFormat]:
    """Names and formats of a layer's weights, in Keras' order."""
    if isinstance(layer, LstmLayer):
        return {"kernel": layer.kernel, "recurrent": layer.recurrent, "bias": layer.bias}
    return {"kernel": layer.kernel, "bias": layer.bias}


def _exact(name: str, part: str, form: FixedFormat, bundle: Bundle) -> Any:
    if form.width > FLOAT32_BITS:
        raise ModelError(
            f"{name}: {part} is {form}; float32, which Keras and hls4ml store weights in, holds "
            f"{FLOAT32_BITS} bits exactly: use at most {FLOAT32_BITS}"
        )
    return form.to_float(bundle.weights[f"{name}.{part}"]).astype(np.float32)


def graph_configuration(
    bundle: Bundle, stock: bool, sequences: bool, style: str = "auto"
) -> dict[str, Any]:
    """hls4ml's configuration of a bundle: every type by layer."""
    named: dict[str, Any] = {INPUT: {"Precision": {"result": str(bundle.spec.input)}}}
    for number, layer in enumerate(bundle.spec.layers):
        precision = {
            "weight": str(layer.kernel),
            "bias": str(layer.bias),
            "accum": str(layer.accumulator),
        }
        entry: dict[str, Any] = {"Precision": precision, "Strategy": "Latency", "ReuseFactor": 1}
        named[layer.name] = entry
        if isinstance(layer, LstmLayer):
            precision["recurrent_weight"] = str(layer.recurrent)
            precision["recurrent_bias"] = str(layer.bias)
            precision["result"] = str(layer.hidden)
            entry["TableT"] = str(layer.table)
            entry["TableSize"] = 1 << layer.gate.index_bits
            entry["Static"] = not sequences  # so that the stock anchors cover both of its variants
            if not stock:
                entry["CellT"] = str(layer.cell)
                entry |= _activations(layer, number, bundle)
        elif layer.activation == "relu":
            precision["result"] = str(
                layer.accumulator
            )  # lossless: the relu's result is the one conversion
            named[f"{layer.name}_relu"] = {"Precision": {"result": str(layer.output)}}
        else:
            precision["result"] = str(layer.output)
            named[f"{layer.name}_linear"] = {"Precision": {"result": str(layer.output)}}
    model = {"Precision": {"default": "fixed<16,6>"}, "ReuseFactor": 1, "Strategy": "Latency"}
    if style != "auto":
        model["PipelineStyle"] = style
    return {"Model": model, "LayerName": named}


def _activations(layer: LstmLayer, number: int, bundle: Bundle) -> dict[str, str]:
    def entries(activation: Activation, kind: str) -> Any:
        return bundle.weights[f"{layer.name}.{kind}_table"] if activation.kind == "table" else None

    gate, cell = f"gate_{number}", f"cell_{number}"
    return {
        "GateStruct": gate,
        "CellStruct": cell,
        "GateCpp": backend.activation_cpp(
            gate, layer.gate, layer.table, entries(layer.gate, "gate"), (layer.accumulator,)
        ),
        "CellCpp": backend.activation_cpp(
            cell,
            layer.activation,
            layer.table,
            entries(layer.activation, "cell"),
            (layer.accumulator, layer.cell),
        ),
    }
