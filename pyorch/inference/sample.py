"""Models with random weights, for tests and benchmarks: any shape, any formats."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation, DenseLayer, Head, LstmLayer, ModelSpec
from pyorch.contract.precision import Precision
from pyorch.inference.complete import complete_bundle

DEFAULT_HEADS = (
    Head("direction", "softmax", ("down", "stable", "up"), "probability"),
    Head("jump", "sigmoid", ("down_50ms", "up_50ms", "down_100ms", "up_100ms"), "probability"),
    Head("withdrawal", "sigmoid", ("bid", "ask"), "probability"),
    Head("slippage", "linear", ("slippage",), "ticks"),
    Head("volatility", "linear", ("volatility",), "log2"),
)
"""The heads of the default model: 11 outputs."""


def random_bundle(
    seed: int,
    features: int = 16,
    units: tuple[int, ...] = (32,),
    precision: Precision | None = None,
    *,
    mode: Literal["window", "stateful"] = "stateful",
    window: int = 20,
    hidden_dense: tuple[int, ...] = (),
    heads: tuple[Head, ...] = DEFAULT_HEADS,
    gate: Activation | None = None,
    activation: Activation | None = None,
    extreme: bool = False,
) -> Bundle:
    """A complete bundle with seeded random weights.

    Args:
        units: one LSTM layer an entry.
        hidden_dense: relu layers between the LSTM layers and the outputs, units each.
        gate, activation: instead of the precision's tables.
        extreme: weights at the ends of their formats (adversarial), not normal ones.
    """
    p = precision or Precision()
    gate = gate or Activation("sigmoid", "table", p.index, p.index_bits)
    activation = activation or Activation("tanh", "table", p.index, p.index_bits)
    rng = np.random.default_rng(seed)
    weights: dict[str, IntArray] = {}
    layers: list[LstmLayer | DenseLayer] = []
    placeholder = FixedFormat(32, 16)

    def draw(name: str, form: FixedFormat, shape: tuple[int, ...], deviation: float) -> None:
        if extreme:
            ends = np.array([form.minimum, form.maximum, 0, 1, -1], dtype=np.int64)
            weights[name] = np.clip(
                rng.choice(ends, shape, p=[0.4, 0.4, 0.1, 0.05, 0.05]), form.minimum, form.maximum
            )
        else:
            weights[name] = form.quantise(rng.normal(0, deviation, shape))

    size, values = features, p.input
    for number, count in enumerate(units):
        name = f"lstm_{number}"
        draw(f"{name}.kernel", p.kernel, (size, 4 * count), 1 / np.sqrt(size))
        draw(f"{name}.recurrent", p.recurrent, (count, 4 * count), 1.5 / np.sqrt(count))
        draw(f"{name}.bias", p.bias, (4 * count,), 0.5)
        layers.append(
            LstmLayer(
                name, size, count, values, p.kernel, p.recurrent, p.bias, placeholder,
                p.table, p.cell, p.hidden, gate, activation,
            )
        )  # fmt: skip
        size, values = count, p.hidden
    outputs = sum(len(head.outputs) for head in heads)
    for number, count in enumerate((*hidden_dense, outputs)):
        name = f"dense_{number}"
        draw(f"{name}.kernel", p.dense_kernel, (size, count), 2 / np.sqrt(size))
        draw(f"{name}.bias", p.dense_bias, (count,), 0.5)
        relu = number < len(hidden_dense)
        layers.append(
            DenseLayer(
                name, size, count, values, p.dense_kernel, p.dense_bias, placeholder, p.logits,
                "relu" if relu else "linear",
            )
        )  # fmt: skip
        size, values = count, p.logits
    spec = ModelSpec(f"random_{seed}", mode, window, tuple(layers), heads)
    calibration = np.sort(rng.integers(0, 32769, (outputs, 17)), axis=1)
    return complete_bundle(spec, weights | {"calibration": calibration})
