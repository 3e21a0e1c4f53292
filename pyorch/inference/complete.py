"""From formats and integer weights to a complete bundle: tables, proven accumulators, golden vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import LstmLayer, ModelSpec
from pyorch.contract.schema import FeatureSchema
from pyorch.inference import tables
from pyorch.inference.model_check import (
    check_chain,
    check_layer_weights,
    check_model,
    layer_accumulator,
)
from pyorch.inference.reference import run_sequence, run_windows

GOLDEN_WINDOWS = 8
GOLDEN_STEPS = 128
"""Of a stateful model; a windowed one replays until its window has slid through once."""


def complete_bundle(
    spec: ModelSpec,
    weights: dict[str, IntArray],
    *,
    schema: FeatureSchema | None = None,
    provenance: dict[str, Any] | None = None,
) -> Bundle:
    """Fill in what follows from formats and weights, check everything, compute golden vectors.

    Args:
        spec: accumulators are replaced by the proven ones; ``exp_shift`` and ``sigmoid_shift`` by those of
            the logits' format, unless their tables are given.
        weights: kernels and biases. Optional: ``calibration`` (default: the identity) and any table
            (default: the frozen ones of `pyorch.inference.tables`).
        schema: the feature schema; its digest goes into the specification.

    Raises:
        ModelError: shapes, ranges or formats that the contract does not carry.
    """
    check_chain(spec)
    filled: dict[str, IntArray] = {}
    for name, array in weights.items():
        values = np.asarray(array)
        if not np.issubdtype(values.dtype, np.integer):
            raise ModelError(f"{name} holds {values.dtype} values; quantise the weights first")
        filled[name] = values.astype(np.int64)
    layers = []
    for layer in spec.layers:
        check_layer_weights(layer, filled)
        layers.append(msgspec.structs.replace(layer, accumulator=layer_accumulator(layer, filled)))
        if isinstance(layer, LstmLayer):
            for activation, name in ((layer.gate, "gate"), (layer.activation, "cell")):
                key = f"{layer.name}.{name}_table"
                if activation.kind == "table" and key not in filled:
                    filled[key] = tables.activation_table(activation, layer.table)
    exp_shift, sigmoid_shift = tables.probability_shifts(spec.logits)
    exp_shift = spec.exp_shift if "exp_table" in filled else exp_shift
    sigmoid_shift = spec.sigmoid_shift if "sigmoid_table" in filled else sigmoid_shift
    filled.setdefault("exp_table", tables.exp_table(spec.logits, exp_shift))
    filled.setdefault("sigmoid_table", tables.sigmoid_table(spec.logits, sigmoid_shift))
    filled.setdefault("calibration", tables.identity_calibration(len(spec.outputs)))
    spec = replace(
        spec,
        layers=tuple(layers),
        exp_shift=exp_shift,
        sigmoid_shift=sigmoid_shift,
        feature_schema=schema.digest() if schema is not None else spec.feature_schema,
    )
    bundle = Bundle(spec, filled, {}, schema, dict(provenance or {}))
    check_model(bundle)
    return replace(bundle, golden=golden_vectors(bundle))


def golden_vectors(bundle: Bundle) -> dict[str, IntArray]:
    """Windows and one sequence of features with what the reference answers.

    Random vectors, and among them vectors at the ends of the input format.
    """
    spec = bundle.spec
    rng = np.random.default_rng(0)
    windows = random_features(rng, spec, (GOLDEN_WINDOWS, spec.window))
    steps = GOLDEN_STEPS if spec.mode == "stateful" else 2 * spec.window + 8
    sequence = random_features(rng, spec, (steps,))
    window_logits, window_scores = run_windows(bundle, windows)
    sequence_logits, sequence_scores = run_sequence(bundle, sequence)
    return {
        "window_features": windows,
        "window_logits": window_logits,
        "window_scores": window_scores,
        "sequence_features": sequence,
        "sequence_logits": sequence_logits,
        "sequence_scores": sequence_scores,
    }


def random_features(rng: np.random.Generator, spec: ModelSpec, shape: tuple[int, ...]) -> IntArray:
    """Raw feature vectors [*shape, F]: normal around zero, every eighth at the ends of the format."""
    form = spec.input
    scale = max(1.0, 2.0 ** (form.width - 4))
    values = np.rint(rng.normal(0, scale, (*shape, spec.features))).astype(np.int64)
    ends = rng.choice(np.array([form.minimum, form.maximum]), values.shape)
    extreme = rng.random((*shape, 1)) < 0.125
    clipped: IntArray = np.clip(np.where(extreme, ends, values), form.minimum, form.maximum)
    return clipped
