"""A bundle that quotes without training: random weights on fitted features, for tests and benchmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.schema import FeatureSchema
from pyorch.contract.score_quantiles import score_quantiles
from pyorch.features.definitions import default_schema
from pyorch.features.normalise import fit
from pyorch.features.streaming import compute
from pyorch.inference.complete import complete_bundle
from pyorch.inference.reference import run_sequence
from pyorch.inference.sample import random_bundle
from pyorch.market.tape import Tape

SCORED_TICKS = 2000
"""Ticks from which the calibrated rules take their thresholds."""


def random_quoting_bundle(
    seed: int,
    tape: Tape,
    *,
    units: tuple[int, ...] = (32,),
    mode: Literal["window", "stateful"] = "stateful",
    schema: FeatureSchema | None = None,
) -> Bundle:
    """The default model's shape with seeded random weights, its features fitted to ``tape``.

    Its scores mean nothing and reach every rule: what a conformance test or a benchmark wants.

    Args:
        schema: not yet fitted; None: the default one.
    """
    schema = schema or default_schema()
    schema = fit(schema, compute(tape, schema).raw)
    drawn = random_bundle(seed, features=len(schema.features), units=units, mode=mode)
    bundle = complete_bundle(drawn.spec, drawn.weights, schema=schema)
    features = compute(tape, schema).features[:SCORED_TICKS].astype(np.int64)
    scores = run_sequence(bundle, features)[1]
    stated = score_quantiles("tape's beginning", bundle.spec.outputs, scores)
    return replace(bundle, provenance={"score_quantiles": stated})
