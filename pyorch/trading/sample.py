"""A bundle that quotes without training: random weights on fitted features, for tests and benchmarks."""

from __future__ import annotations

from dataclasses import replace

from pyorch.contract.bundle import Bundle
from pyorch.features.definitions import default_schema
from pyorch.features.normalise import fit
from pyorch.features.streaming import compute
from pyorch.inference.complete import complete_bundle
from pyorch.inference.sample import random_bundle
from pyorch.market.tape import Tape


def random_quoting_bundle(seed: int, tape: Tape, units: tuple[int, ...] = (32,)) -> Bundle:
    """The default model's shape with seeded random weights, its features fitted to ``tape``.

    Its scores mean nothing and reach every rule: what a conformance test or a benchmark wants.
    """
    schema = default_schema()
    schema = fit(schema, compute(tape, schema).raw)
    bundle = random_bundle(seed, features=len(schema.features), units=units)
    spec = replace(bundle.spec, feature_schema=schema.digest())
    return replace(complete_bundle(spec, bundle.weights), schema=schema)
