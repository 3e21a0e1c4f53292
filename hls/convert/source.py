"""Model files loaded: weights, quantizers and activations as callables, whatever wrote them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.convert.outline import DENSES, LSTMS, Layer, Outline, read_outline
from hls.csim.workarounds import keras, quiet
from pyorch.contract.errors import ModelError

Floats = NDArray[np.float64]
Function = Callable[[Any], Any]

_PLAIN = {
    "LSTM": (
        "units", "activation", "recurrent_activation", "use_bias", "return_sequences", "unit_forget_bias",
    ),
    "Dense": ("units", "activation", "use_bias"),
    "Activation": ("activation",),
    "Softmax": (),
    "ReLU": (),
}  # fmt: skip
"""What is taken over from the configuration of a layer that Keras 3 wrote."""


@dataclass(frozen=True, slots=True)
class Source:
    """A loaded model.

    Attributes:
        outline: its layers in order.
        model: the tf_keras model, for its own prediction.
        layers: the tf_keras layer of each layer of the outline.
    """

    outline: Outline
    model: Any
    layers: tuple[Any, ...]


def load_source(path: Path) -> Source:
    """Load a model file that the contract carries.

    Raises:
        UsageError: no such file.
        ModelError: not readable, a layer that is not supported, or weights that are NaN or infinite.
    """
    outline = read_outline(path)
    try:
        with quiet():
            model = _translate(outline) if outline.keras_3 else _load(path)
    except ModelError:
        raise
    except Exception as error:  # Keras raises anything, from TypeError to its own
        raise ModelError(f"{path}: Keras could not load it: {error}") from error
    layers = tuple(model.get_layer(layer.name) for layer in outline.layers)
    for layer, loaded in zip(outline.layers, layers, strict=True):
        for weight in loaded.weights:
            values = weight.numpy()
            wrong = int(np.count_nonzero(~np.isfinite(values)))
            if wrong:
                raise ModelError(
                    f"layer {layer.name!r} ({layer.kind}): {wrong} of {values.size} values of "
                    f"{weight.name} are NaN or infinite; train again, with a smaller learning rate or "
                    "clipped gradients"
                )
    return Source(outline, model, layers)


def _load(path: Path) -> Any:
    models, objects = keras().models, dict[str, Any]()  # before qkeras, which then finds Keras 2
    from qkeras.utils import _add_supported_quantized_objects

    _add_supported_quantized_objects(objects)
    return models.load_model(path, custom_objects=objects, compile=False)


def _translate(outline: Outline) -> Any:
    """A tf_keras model of what Keras 3 wrote: plain layers, weights in Keras' order."""
    layers = keras().layers
    model = keras().Sequential()
    model.add(layers.Input(shape=(outline.window, outline.features), name="features"))
    weights = _keras_3_weights(outline)
    for layer in outline.layers:
        if layer.kind not in _PLAIN:
            raise layer.refuse("was written by Keras 3, of which plain layers are read")
        wanted = {key: layer.config[key] for key in _PLAIN[layer.kind] if key in layer.config}
        for key in ("activation", "recurrent_activation"):
            if wanted.get(key) == "hard_sigmoid":
                wanted[key] = hard_sigmoid_of_keras_3
        built = getattr(layers, layer.kind)(name=layer.name, **wanted)
        model.add(built)
        if layer.kind in (*LSTMS, *DENSES):
            built.set_weights(weights[layer.name])
    return model


def hard_sigmoid_of_keras_3(values: Any) -> Any:
    """``x/6 + 1/2`` clipped to [0, 1]: Keras 3 (and JAX) mean this, Keras 2 means 0.2 x + 1/2."""
    import tensorflow as tf

    return tf.clip_by_value(values / 6.0 + 0.5, 0.0, 1.0)


def _keras_3_weights(outline: Outline) -> dict[str, list[Any]]:
    import h5py

    if zipfile.is_zipfile(outline.path):
        with zipfile.ZipFile(outline.path) as archive:
            data = archive.read("model.weights.h5")
    else:
        data = outline.path.read_bytes()
    with h5py.File(io.BytesIO(data), "r") as file:
        # A legacy .h5 has a group per layer name; a .keras archive one per class and number of its kind.
        by_name = "model_weights" in file
        root = file["model_weights" if by_name else "layers"]
        found = {}
        seen: dict[str, int] = {}
        for layer in outline.layers:
            if layer.kind not in (*LSTMS, *DENSES):
                continue
            number = seen.get(layer.kind, 0)
            seen[layer.kind] = number + 1
            by_class = layer.kind.lower() + (f"_{number}" if number else "")
            group = root[layer.name if by_name else by_class]
            arrays: dict[str, Any] = {}
            group.visititems(
                lambda name, item, arrays=arrays: (
                    arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
            found[layer.name] = _in_order(layer, arrays)
    return found


def _in_order(layer: Layer, arrays: dict[str, Any]) -> list[Any]:
    """Kernel, recurrent kernel, bias, from names such as ``cell/vars/0`` or ``lstm/recurrent_kernel``."""
    if all(name.rsplit("/", 1)[-1].isdigit() for name in arrays):
        return [arrays[name] for name in sorted(arrays, key=lambda n: int(n.rsplit("/", 1)[-1]))]
    ends = {name.rsplit("/", 1)[-1].split(":")[0]: value for name, value in arrays.items()}
    order = [name for name in ("kernel", "recurrent_kernel", "bias") if name in ends]
    if not order:
        raise layer.refuse(f"has weights of unknown names {sorted(arrays)}")
    return [ends[name] for name in order]
