"""What a model file contains, read from its configuration alone: layers in order, or a refusal.

Nothing is loaded and TensorFlow is not needed, so an unsupported model is refused at once, whatever
library wrote it and whether or not its classes can be loaded here.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyorch.contract.errors import EnvironmentMissingError, ModelError, UsageError

SUPPORTED = (
    "supported are, in this order: InputLayer, QActivation (quantized_bits) for the inputs, 1 to 4 of LSTM "
    "or QLSTM, then Dense or QDense (linear, relu), Activation or QActivation of those, at the end softmax "
    "or sigmoid; Dropout anywhere (it does nothing at inference)"
)

LSTMS = ("LSTM", "QLSTM")
DENSES = ("Dense", "QDense")
ACTIVATIONS = ("Activation", "QActivation", "ReLU", "Softmax")
IGNORED = ("Dropout", "SpatialDropout1D", "GaussianNoise", "ActivityRegularization")
MOST_LSTMS = 4

_REASONS = {
    "GRU": "its arithmetic is not in the contract; train an LSTM",
    "QGRU": "its arithmetic is not in the contract; train a QLSTM",
    "SimpleRNN": "its arithmetic is not in the contract; train an LSTM",
    "Bidirectional": "it reads a window backwards too, which no stream of ticks can",
    "RepeatVector": "a model answers once a tick: end at the last LSTM's h",
    "TimeDistributed": "a model answers once a tick: use return_sequences=False and a plain Dense",
    "Masking": "every vector counts: remove it and fill windows completely",
    "Embedding": "inputs are feature integers",
    "BatchNormalization": "fold it into the neighbouring kernel, or normalise the features",
    "Conv1D": "only recurrent and dense layers are carried",
}

_FLAGS = {
    "go_backwards": "windows are read in the order of time",
    "stateful": "train with stateful=False; the recipe's mode says whether state is carried",
    "return_state": "engines expose the state themselves",
    "time_major": "windows are [time, features]",
    "zero_output_for_mask": "every vector counts",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the file."""

    name: str
    kind: str
    config: dict[str, Any]

    def refuse(self, what: str) -> ModelError:
        """The error that names this layer, its class, what is wrong, and what is supported."""
        return ModelError(f"layer {self.name!r} ({self.kind}) {what}; {SUPPORTED}")


@dataclass(frozen=True, slots=True)
class Outline:
    """A model file's layers in the order of computation (dropouts left out)."""

    path: Path
    keras_version: str
    window: int | None
    """Vectors in a window; None where the file leaves the length open."""
    features: int
    layers: tuple[Layer, ...]
    configuration: dict[str, Any]

    @property
    def keras_3(self) -> bool:
        """Written by Keras 3 or later."""
        return int((self.keras_version or "2").split(".")[0]) >= 3


def read_outline(path: Path) -> Outline:
    """Read a ``.h5`` or ``.keras`` file's configuration and check that the contract carries it.

    Raises:
        UsageError: no such file.
        ModelError: not a model file, or a layer that is not supported.
    """
    configuration, version = _read_configuration(path)
    config = configuration.get("config")
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or not entries:
        raise ModelError(f"{path}: its configuration lists no layers; save the whole model")
    kind = configuration.get("class_name", "")
    if kind == "Sequential":
        ordered = [_layer(entry) for entry in entries]
    else:
        ordered = _chain(path, config if isinstance(config, dict) else {}, entries)
    shape = _input_shape(path, config if isinstance(config, dict) else {}, ordered)
    layers = tuple(
        layer for layer in ordered if layer.kind != "InputLayer" and layer.kind not in IGNORED
    )
    _check(layers)
    return Outline(path, version, shape[0], shape[1], layers, configuration)


def _read_configuration(path: Path) -> tuple[dict[str, Any], str]:
    if not path.is_file():
        raise UsageError(f"{path}: no such file; give a .h5 or .keras model, or a training folder")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                configuration = json.loads(archive.read("config.json"))
                metadata = json.loads(archive.read("metadata.json"))
            return configuration, str(metadata.get("keras_version", ""))
        import h5py

        with h5py.File(io.BytesIO(path.read_bytes()), "r") as file:
            text, version = file.attrs["model_config"], file.attrs.get("keras_version", "")
        decode = [v.decode() if isinstance(v, bytes) else str(v) for v in (text, version)]
        return json.loads(decode[0]), decode[1]
    except ImportError as error:
        raise EnvironmentMissingError(
            f"reading models needs h5py ({error}); install with `pip install 'pyorch[train]'`"
        ) from error
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: not a readable Keras model ({error}); save it with model.save('name.h5')"
        ) from error


def _layer(entry: dict[str, Any]) -> Layer:
    config = entry.get("config", {})
    name = str(config.get("name", entry.get("name", "?")))
    return Layer(name, str(entry.get("class_name", "?")), config)


def _chain(path: Path, config: dict[str, Any], entries: list[dict[str, Any]]) -> list[Layer]:
    """The layers of a functional model in order, which must be a chain."""
    found = {str(entry.get("name")): _layer(entry) for entry in entries}
    sources: dict[str, list[str]] = {}
    for entry in entries:
        sources[str(entry.get("name"))] = _tensors(entry.get("inbound_nodes", []))
    for name, inputs in sources.items():
        if found[name].kind == "InputLayer":
            continue
        if len(inputs) != 1:
            raise found[name].refuse(f"has {len(inputs)} inputs, a chain of layers has 1 each")
    starts = [name for name, inputs in sources.items() if not inputs]
    if len(starts) != 1:
        raise ModelError(f"{path}: {len(starts)} input layers; the contract carries one input")
    ordered, name = [found[starts[0]]], starts[0]
    while True:
        after = [other for other, inputs in sources.items() if inputs == [name]]
        if len(after) > 1:
            raise found[after[1]].refuse(f"is a second branch after {name!r}")
        if not after:
            break
        name = after[0]
        ordered.append(found[name])
    outputs = _tensors([config.get("output_layers", [])])
    if outputs and outputs != [name]:
        raise ModelError(
            f"{path}: outputs {outputs}; the contract carries one, the last layer's ({name})"
        )
    return ordered


def _tensors(value: Any) -> list[str]:
    """Names of the layers that tensors come from, in the spelling of Keras 2 or 3."""
    if isinstance(value, dict):
        return [name for part in value.values() for name in _tensors(part)]
    if not isinstance(value, (list, tuple)):
        return []
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
        return [value[0]]
    return [name for part in value for name in _tensors(part)]


def _input_shape(path: Path, config: dict[str, Any], layers: list[Layer]) -> tuple[int | None, int]:
    for source in [*(layer.config for layer in layers[:1]), {"s": config.get("build_input_shape")}]:
        shape = source.get("batch_input_shape") or source.get("batch_shape") or source.get("s")
        if shape is not None:
            if len(shape) != 3 or shape[2] is None:
                raise ModelError(
                    f"{path}: inputs of shape {shape[1:]}; the contract carries [time, features]"
                )
            return shape[1], int(shape[2])
    raise ModelError(f"{path}: the model states no input shape; build it before saving")


def _check(layers: tuple[Layer, ...]) -> None:
    known = (*LSTMS, *DENSES, *ACTIVATIONS)
    for layer in layers:
        if layer.kind not in known:
            reason = _REASONS.get(layer.kind)
            raise layer.refuse("is not supported" + (f" ({reason})" if reason else ""))
    recurrent = [layer for layer in layers if layer.kind in LSTMS]
    if not 1 <= len(recurrent) <= MOST_LSTMS:
        raise ModelError(
            f"the model has {len(recurrent)} LSTM layers, the contract carries 1 to {MOST_LSTMS}; {SUPPORTED}"
        )
    for layer in recurrent:
        for flag, reason in _FLAGS.items():
            if layer.config.get(flag):
                raise layer.refuse(f"has {flag}=True ({reason})")
        wanted = layer is not recurrent[-1]
        if bool(layer.config.get("return_sequences")) != wanted:
            raise layer.refuse(
                f"has return_sequences={not wanted}, which belongs to "
                + ("the last LSTM alone" if wanted else "LSTM layers before another one")
            )
    order = [layer.kind in DENSES for layer in layers if layer.kind in (*LSTMS, *DENSES)]
    if order != sorted(order):
        late = [layer for layer in layers if layer.kind in (*LSTMS, *DENSES)][order.index(True)]
        raise late.refuse("stands before an LSTM layer")
