"""Stacks of LSTM layers on AVX-512, many ticks in one call, the tail on words: each equals the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyorch._native import LstmEngine
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import State
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference import compare
from pyorch.inference.compare import compare_engines
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import native_engine
from pyorch.inference.registry import open_engine
from pyorch.inference.sample import random_bundle

pytestmark = pytest.mark.skipif(
    "avx512vnni" not in LstmEngine.available(), reason="this processor has no AVX-512 VNNI"
)
DEFAULT, NARROW = PRESETS["default"], PRESETS["narrow"]
EIGHT_BIT = replace(DEFAULT, hidden=FixedFormat(8, 1))
COARSE = replace(
    NARROW, input=FixedFormat(6, 3), kernel=FixedFormat(5, 1), recurrent=FixedFormat(5, 1),
    hidden=FixedFormat(6, 1),
)  # fmt: skip
FORMS: dict[str, Bundle] = {
    "100 by 2 times 100": random_bundle(1, 100, (100, 100), EIGHT_BIT),
    "one layer, h in two planes": random_bundle(2, 16, (40,)),
    "narrow, three layers": random_bundle(3, 7, (36, 5, 17), NARROW),
    "sums coarser than the tables' words": random_bundle(4, 9, (33, 20), COARSE),
    "c finer than the tables' words": random_bundle(
        5, 5, (36, 4), replace(EIGHT_BIT, cell=FixedFormat(16, 2))
    ),
    "tables merely symmetric": random_bundle(
        6, 12, (35, 33), replace(EIGHT_BIT, table=FixedFormat(14, 1))
    ),
    "two blocks of columns": random_bundle(7, 20, (109,), EIGHT_BIT, extreme=True),
    "a window on a plain tail": random_bundle(9, 6, (40, 8), EIGHT_BIT, mode="window", window=5),
    "dense layers behind": random_bundle(8, 3, (34, 16), EIGHT_BIT, hidden_dense=(9, 6)),
}


@pytest.fixture(autouse=True)
def many_short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 streams of 100 steps: the reference runs streams side by side."""
    monkeypatch.setattr(compare, "STREAM_STEPS", 100)


@pytest.mark.parametrize("form", FORMS)
def test_many_ticks_in_one_call_equal_the_reference(form: str) -> None:
    bundle = FORMS[form]
    assert native_engine(bundle, "avx512vnni").fused == ""
    result = compare_engines(bundle, 1_000, seed=3, simd="avx512vnni")
    assert result.steps >= 1_000
    assert result.mismatches == 0, result.first


@pytest.mark.parametrize("form", FORMS)
def test_ticks_one_by_one_equal_many_in_one_call(form: str) -> None:
    bundle = FORMS[form]
    one, many = native_engine(bundle, "avx512vnni"), native_engine(bundle, "avx512vnni")
    features = random_features(np.random.default_rng(9), bundle.spec, (60,)).astype(np.int32)
    for start, end in ((0, 1), (1, 1), (1, 3), (3, 11), (11, 20), (20, 37), (37, 60)):
        logits, scores = many.run(features[start:end])
        for step in range(start, end):
            if step % 3:
                one.prepare()
            outputs = one.step(features[step])
            np.testing.assert_array_equal(outputs[0], logits[step - start])
            np.testing.assert_array_equal(outputs[1], scores[step - start])
        if end % 2:
            # between two calls a tick of its own, on the state that the call left
            again = features[end % len(features)]
            for ours, theirs in zip(one.step(again), many.step(again), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert one.steps == many.steps
    if bundle.spec.mode == "window":
        return
    one.prepare()
    many.prepare()
    for layer, _ in enumerate(bundle.spec.lstm_layers):
        for ours, theirs in zip(one.layer_state(layer), many.layer_state(layer), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_extreme_states_of_a_plain_tail_are_carried_exactly() -> None:
    bundle = random_bundle(10, 5, (37, 6), EIGHT_BIT)
    rng = np.random.default_rng(8)
    ours, reference = open_engine("cpu", bundle), open_engine("reference", bundle)
    layers = bundle.spec.lstm_layers
    for _ in range(40):
        state = State(
            tuple(
                rng.choice([x.hidden.minimum, -1, 0, 1, x.hidden.maximum], x.units) for x in layers
            ),
            tuple(rng.choice([x.cell.minimum, -1, 0, 1, x.cell.maximum], x.units) for x in layers),
            np.zeros((0, bundle.spec.features), dtype=np.int64),
            7,
        )
        for engine in (ours, reference):
            engine.load_state(state)
        for part in ("hidden", "cell"):
            for left, right in zip(getattr(ours.state(), part), getattr(state, part), strict=True):
                np.testing.assert_array_equal(left, right)
        for vector in bundle.golden["sequence_features"][:3]:
            left, right = ours.step(vector), reference.step(vector)
            np.testing.assert_array_equal(left.logits, right.logits)
            np.testing.assert_array_equal(left.scores, right.scores)
