"""Engines in floating point: within their bound, state in the contract's formats, the protocol's errors."""

from __future__ import annotations

import numpy as np
import pytest

from pyorch.contract.engine import Engine
from pyorch.contract.errors import MismatchError, UsageError
from pyorch.inference.complete import random_features
from pyorch.inference.reference import ReferenceEngine, run_sequence
from pyorch.inference.registry import engine_class
from pyorch.inference.sample import random_bundle

pytest.importorskip("onnx", reason="needs the extra `gpu`")

STATEFUL = random_bundle(1, 6, (9,))
WINDOWED = random_bundle(2, 4, (5,), mode="window", window=4)
BODIES = [("onnxruntime", p) for p in ("fp32", "fp16", "int8")] + [
    ("openvino", p) for p in ("fp32", "int8")
]


@pytest.fixture(params=BODIES, ids="-".join)
def body(request: pytest.FixtureRequest) -> tuple[str, str]:
    name, precision = request.param
    pytest.importorskip(name, reason=f"engine {name} needs its extra (`gpu` or `peers`)")
    return name, precision


def opened(body: tuple[str, str], windowed: bool = False) -> Engine:
    return engine_class(body[0]).open(WINDOWED if windowed else STATEFUL, precision=body[1])


@pytest.mark.parametrize("windowed", [False, True])
def test_answers_stay_near_the_references_and_within_the_stated_bound(
    body: tuple[str, str], windowed: bool
) -> None:
    bundle = WINDOWED if windowed else STATEFUL
    engine = opened(body, windowed)
    assert not engine.info.exact and engine.info.bound_lsb > 0
    features = random_features(np.random.default_rng(4), bundle.spec, (60,))
    expected, _ = run_sequence(bundle, features)
    actual = np.stack([engine.step(vector).logits for vector in features])
    worst = np.abs(actual - expected).max()
    assert 0 < worst <= engine.info.bound_lsb
    # far below the bound: half a unit of a logit would be another model
    assert worst < 0.5 / bundle.spec.logits.lsb


def test_its_state_is_taken_over_by_the_reference_and_back(body: tuple[str, str]) -> None:
    engine, reference = opened(body), ReferenceEngine.open(STATEFUL)
    features = random_features(np.random.default_rng(5), STATEFUL.spec, (24,))
    for vector in features[:12]:
        engine.step(vector)
    state = engine.state()
    assert state.steps == 12 and state.cell[0].dtype == np.int64
    reference.load_state(state)
    engine.load_state(reference.state())
    for vector in features[12:]:
        difference = engine.step(vector).logits - reference.step(vector).logits
        assert np.abs(difference).max() < 0.5 / STATEFUL.spec.logits.lsb


def test_another_model_behind_the_same_name_is_noticed(body: tuple[str, str]) -> None:
    other = random_bundle(1, 6, (9,))
    shifted = (
        other.golden["window_logits"]
        + engine_class(body[0]).open(other, precision=body[1]).info.bound_lsb * 3
    )
    other.golden["window_logits"] = shifted
    with pytest.raises(MismatchError, match="8 of 8 golden window logits differ"):
        engine_class(body[0]).open(other, precision=body[1])


def test_openvino_refuses_to_call_itself_exact() -> None:
    pytest.importorskip("openvino", reason="needs the extra `peers`")
    with pytest.raises(UsageError, match="computes 32-bit integers in float32"):
        engine_class("openvino").open(STATEFUL, precision="exact")
    with pytest.raises(UsageError, match="no precision 'fp8'; choose exact, fp32, fp16, int8"):
        engine_class("onnxruntime").open(STATEFUL, precision="fp8")
