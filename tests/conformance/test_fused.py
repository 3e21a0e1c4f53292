"""The fused kernel of small models: every form of it, at the ends of what it takes, equals the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyorch._native import LstmEngine
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference import compare
from pyorch.inference.compare import compare_engines
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import native_engine
from pyorch.inference.sample import random_bundle

pytestmark = pytest.mark.skipif(
    "avx512vnni" not in LstmEngine.available(), reason="this processor has no AVX-512 VNNI"
)
DEFAULT, NARROW = PRESETS["default"], PRESETS["narrow"]


def softmax(count: int) -> Head:
    return Head(f"shares_{count}", "softmax", tuple(f"s{count}_{k}" for k in range(count)), "")


SIXTEEN = (
    Head("first", "sigmoid", ("a", "b"), "probability"),
    softmax(5),
    Head("second", "linear", ("c",), "ticks"),
    Head("third", "sigmoid", ("d",), "probability"),
    softmax(3),
    softmax(2),
    Head("fourth", "sigmoid", ("e", "f"), "probability"),
)
FORMS: dict[str, tuple[Bundle, str]] = {
    "lines, h in words": (random_bundle(1), "lines"),
    "lines, h in bytes": (
        random_bundle(2, precision=replace(DEFAULT, hidden=FixedFormat(8, 1))), "lines",
    ),
    "permutes of small tables": (random_bundle(3, precision=NARROW), "permutes"),
    "small tables, h in words": (
        random_bundle(4, precision=replace(NARROW, hidden=FixedFormat(10, 1))), "permutes",
    ),
    "permutes of large tables": (
        random_bundle(5, precision=replace(DEFAULT, table=FixedFormat(14, 1))), "permutes",
    ),
    "512 entries": (random_bundle(6, precision=replace(DEFAULT, index_bits=9)), "permutes"),
    "c narrower than a word": (
        random_bundle(7, precision=replace(DEFAULT, cell=FixedFormat(13, 3))), "lines",
    ),
    "c coarser than the table's words": (
        random_bundle(8, precision=replace(DEFAULT, cell=FixedFormat(12, 3))), "lines",
    ),
    "h that o * tanh(c) can leave": (
        random_bundle(9, precision=replace(DEFAULT, hidden=FixedFormat(10, 0))), "lines",
    ),
    "sums finer than words": (
        random_bundle(10, precision=replace(DEFAULT, input=FixedFormat(8, 1))), "lines",
    ),
    "unsigned inputs": (
        random_bundle(12, 11, precision=replace(DEFAULT, input=FixedFormat(8, 3, False))), "lines",
    ),
    "64 features": (random_bundle(13, 64), "lines"),
    "17 features": (random_bundle(14, 17, (31,)), "lines"),
    "one of each": (random_bundle(15, 1, (1,), heads=(softmax(1),)), "lines"),
    "logits finer than the tables of the usual shape": (
        random_bundle(31, precision=replace(DEFAULT, logits=FixedFormat(20, 9))), "lines",
    ),
    "sixteen outputs, all heads": (random_bundle(16, 16, (20,), heads=SIXTEEN), "lines"),
    "window": (random_bundle(17, 16, (32,), mode="window", window=4), "lines"),
    "extreme weights": (random_bundle(18, extreme=True), "lines"),
    "extreme weights, h in bytes": (random_bundle(19, precision=NARROW, extreme=True), "permutes"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def many_short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 streams of 100 steps instead of 4 of 1,000: the reference runs streams side by side."""
    monkeypatch.setattr(compare, "STREAM_STEPS", 100)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_fused_kernel_equals_the_reference(form: str) -> None:
    bundle, look_up = FORMS[form]
    assert native_engine(bundle, "avx512vnni").fused == look_up
    result = compare_engines(bundle, 4_000, seed=5, simd="avx512vnni")
    assert result.mismatches == 0, result.first


@pytest.mark.parametrize("form", FORMS)
def test_ticks_one_by_one_equal_many_in_one_call(form: str) -> None:
    bundle = FORMS[form][0]
    one, many = native_engine(bundle, "avx512vnni"), native_engine(bundle, "avx512vnni")
    features = random_features(np.random.default_rng(9), bundle.spec, (200,)).astype(np.int32)
    for start, end in ((0, 1), (1, 2), (2, 2), (2, 120), (120, 200)):
        logits, scores = many.run(features[start:end])
        for step in range(start, end):
            if step % 3:
                one.prepare()
            outputs = one.step(features[step])
            np.testing.assert_array_equal(outputs[0], logits[step - start])
            np.testing.assert_array_equal(outputs[1], scores[step - start])
    assert one.steps == many.steps == 200
    one.prepare()
    for ours, theirs in zip(one.layer_state(0), many.layer_state(0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["gate_table", "cell_table"])
def test_one_entry_off_the_lines_takes_the_permutes(name: str) -> None:
    """A point-symmetric table with one odd entry has no line through it: not approximated, but looked up."""
    bundle = random_bundle(1)
    table = bundle.weights[f"lstm_0.{name}"].copy()
    table[600] += 7
    table[1023 - 600] -= 7
    changed = replace(bundle, weights=bundle.weights | {f"lstm_0.{name}": table})
    assert native_engine(changed, "avx512vnni").fused == "permutes"
    result = compare_engines(changed, 4_000, seed=6, simd="avx512vnni")
    assert result.mismatches == 0, result.first


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (random_bundle(20, 16, (33,)), "33 units"),
        (random_bundle(21, 65), "65 features"),
        (random_bundle(22, 16, (8, 8)), "two LSTM layers"),
        (random_bundle(23, 16, (8,), hidden_dense=(4,)), "two dense layers"),
        (random_bundle(24, heads=(softmax(17),)), "17 outputs"),
        (random_bundle(25, precision=replace(DEFAULT, index="hls4ml")), "the stock table rule"),
        (random_bundle(26, precision=replace(DEFAULT, input=FixedFormat(9, 3))), "9-bit inputs"),
        (random_bundle(11, precision=replace(NARROW, input=FixedFormat(6, 3))), "coarse inputs"),
        (random_bundle(27, precision=replace(DEFAULT, index_bits=11)), "2,048 entries"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_models_take_the_general_kernels(bundle: Bundle, why: str) -> None:
    assert native_engine(bundle, "avx512vnni").fused == "", why
    result = compare_engines(bundle, 1_000, seed=7, simd="avx512vnni")
    assert result.mismatches == 0, result.first


def test_extreme_states_are_carried_exactly() -> None:
    """c and h at the ends of their formats, loaded: what a random stream hardly reaches."""
    from pyorch.contract.engine import State
    from pyorch.inference.registry import open_engine

    bundle = random_bundle(30)
    layer = bundle.spec.lstm_layers[0]
    rng = np.random.default_rng(8)
    ours, reference = open_engine("cpu", bundle), open_engine("reference", bundle)
    vectors = bundle.golden["sequence_features"][:4]
    for _ in range(60):
        state = State(
            (rng.choice([layer.hidden.minimum, -1, 0, 1, layer.hidden.maximum], layer.units),),
            (rng.choice([layer.cell.minimum, -1, 0, 1, layer.cell.maximum], layer.units),),
            np.zeros((0, 16), np.int64),
            3,
        )
        ours.load_state(state)
        reference.load_state(state)
        for vector in vectors:
            expected = reference.step(vector)
            actual = ours.step(vector)
            np.testing.assert_array_equal(actual.logits, expected.logits)
            np.testing.assert_array_equal(actual.scores, expected.scores)
