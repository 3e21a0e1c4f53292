"""The LSTM block of the folded style alone: bits against the reference, cycles against the automaton."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hls.emit.folded import plan
from pyorch.inference.complete import random_features
from pyorch.inference.sample import random_bundle
from sim.bench.layer.block import Kind, LstmBench, PredictedBlock, ReferenceBlock
from sim.bench.layer.case import FORMATS
from sim.bench.layer.script import random_script

QUICK = [
    (1, 9, 36, "wide", 2),
    (5, 18, 16, "narrow", 1),
]
MATRIX = [
    (6, 20, 112, "default", 4), (16, 16, 112, "narrow", 4), (16, 16, 40, "default", 2),
    (16, 32, 128, "default", 2), (16, 32, 112, "default", 4), (16, 32, 112, "narrow", 8),
    (16, 32, 4, "default", 1),
    (1, 9, 112, "default", 4), (1, 9, 8, "narrow", 1), (2, 40, 32, "narrow", 1),
    (6, 20, 28, "narrow", 4), (28, 32, 112, "default", 4),
    (28, 32, 64, "narrow", 4), (28, 32, 112, "wide", 4), (100, 100, 112, "default", 4),
    (100, 100, 64, "narrow", 4),
]  # fmt: skip


def check(
    folder: Path,
    features: int,
    units: int,
    multipliers: int,
    formats: str,
    chunk: int,
    vectors: int,
) -> None:
    precision = FORMATS[formats]
    first = random_bundle(1, features, (units,), precision)
    second = random_bundle(2, features, (units,), precision, extreme=True)
    made = plan(first, multipliers=multipliers, chunk=chunk)
    bench = LstmBench(folder, made)
    layer = first.spec.lstm_layers[0]
    x = random_features(np.random.default_rng(3), first.spec, (vectors,))
    script = random_script(4, layer, vectors, swaps_from=vectors // 3)
    hidden, read = ReferenceBlock(layer, (first, second)).run(script, x)
    flags = np.array([b for kind, _, b, _ in script if kind is Kind.VECTOR])
    for busy in (0.0, 0.5):
        session = bench.open(seed=5, busy=busy)
        session.load(*plan(second, multipliers=multipliers, chunk=chunk).image(), share=0.3)
        run = session.run(script, x)
        np.testing.assert_array_equal(run.h, hidden)
        reads = [
            r for (kind, *_), r in zip(script, run.results, strict=True) if kind is Kind.STATE_READ
        ]
        np.testing.assert_array_equal(reads, read)
        np.testing.assert_array_equal(run.first | run.answer << 1, flags)
        session.close()
    unloaded = [operation for operation in script if operation[0] is not Kind.LOADED]
    session = bench.open()
    run = session.run(unloaded, x)
    taken, chunk_cycles = PredictedBlock(made).run(unloaded)
    np.testing.assert_array_equal(run.taken, taken)
    np.testing.assert_array_equal(run.chunk_cycles, chunk_cycles)
    session.close()


@pytest.mark.parametrize(("features", "units", "multipliers", "formats", "chunk"), QUICK)
def test_block_computes_the_references_bits_in_the_predicted_cycles(
    tmp_path: Path, features: int, units: int, multipliers: int, formats: str, chunk: int
) -> None:
    check(tmp_path, features, units, multipliers, formats, chunk, vectors=400)


@pytest.mark.full
@pytest.mark.parametrize(("features", "units", "multipliers", "formats", "chunk"), MATRIX)
def test_every_shape_computes_the_references_bits_in_the_predicted_cycles(
    tmp_path: Path, features: int, units: int, multipliers: int, formats: str, chunk: int
) -> None:
    check(
        tmp_path, features, units, multipliers, formats, chunk, vectors=3000 if units < 50 else 400
    )
