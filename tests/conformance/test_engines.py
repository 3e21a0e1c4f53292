"""Every engine that this machine opens keeps the protocol and returns the reference's bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pyorch._native import LstmEngine
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Engine, State
from pyorch.contract.errors import (
    DeviceError,
    EnvironmentMissingError,
    MismatchError,
    ModelError,
    UsageError,
)
from pyorch.contract.fixed import FixedFormat, Overflow, Rounding
from pyorch.contract.model import Activation, Head
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_sequence, run_windows
from pyorch.inference.registry import engine_class, engine_names, open_engine
from pyorch.inference.sample import random_bundle
from sim.board import SimulatedBoards

SHORT = (Head("direction", "softmax", ("down", "stable", "up"), "probability"),)
DEFAULT, NARROW = PRESETS["default"], PRESETS["narrow"]
MODELS: dict[str, Bundle] = {
    "default": random_bundle(1),
    "narrow": random_bundle(2, precision=NARROW),
    "default window": random_bundle(3, 6, (12,), mode="window", window=5),
    "one vector window": random_bundle(4, 3, (4,), mode="window", window=1),
    "one unit": random_bundle(5, 1, (1,), heads=SHORT),
    "seven units": random_bundle(6, 5, (7,), NARROW, heads=SHORT),
    "three layers": random_bundle(7, 3, (5, 17, 9), mode="window", window=4),
    "dense stack": random_bundle(8, 4, (20,), hidden_dense=(9, 6)),
    "100 by 2 times 100": random_bundle(
        9, 100, (100, 100), replace(DEFAULT, hidden=FixedFormat(8, 1))
    ),
    "extreme weights": random_bundle(10, 16, (33,), extreme=True),
    "extreme narrow weights": random_bundle(11, 7, (16, 16), NARROW, extreme=True),
    "stock table rule": random_bundle(12, 6, (8,), replace(DEFAULT, index="hls4ml")),
    "hard activations": random_bundle(
        13, 6, (8,), gate=Activation("sigmoid", "hard", slope=1, slope_fraction=1),
        activation=Activation("tanh", "hard", slope=1),
    ),
    "16-bit weights": random_bundle(
        14, 6, (18,), replace(DEFAULT, kernel=FixedFormat(14, 1), recurrent=FixedFormat(12, 2))
    ),
    "wide values, 64-bit path": random_bundle(
        15, 6, (9,),
        replace(
            DEFAULT, input=FixedFormat(18, 6), hidden=FixedFormat(20, 2), cell=FixedFormat(24, 6),
            table=FixedFormat(18, 2), logits=FixedFormat(24, 8),
        ),
    ),
    "wrapping and truncation": random_bundle(
        16, 6, (9,),
        replace(
            DEFAULT, hidden=FixedFormat(6, 1, True, Rounding.TRN, Overflow.WRAP),
            cell=FixedFormat(9, 2, True, Rounding.TRN, Overflow.WRAP),
            logits=FixedFormat(12, 3, True, Rounding.TRN, Overflow.WRAP),
        ),
    ),
    "unsigned inputs, coarse table": random_bundle(
        17, 6, (9,),
        replace(DEFAULT, input=FixedFormat(8, 3, False), table=FixedFormat(9, 2), index_bits=6),
    ),
    "16-bit inputs": random_bundle(18, 6, (9,), replace(DEFAULT, input=FixedFormat(16, 6))),
    "sharp tables": random_bundle(
        19, 6, (9,), replace(DEFAULT, table=FixedFormat(14, 1), cell=FixedFormat(13, 3))
    ),
}  # fmt: skip
SMALL = MODELS["seven units"]
BOARDS = SimulatedBoards()
"""Of the running test."""

CARRY_ALL = ("cpu", "reference")
"""Engines that carry every model of the contract; the others refuse some by name."""


def _bodies() -> list[tuple[str, dict[str, str]]]:
    """Every engine of the registry; the native one once per implementation."""
    bodies: list[tuple[str, dict[str, str]]] = []
    for name in engine_names():
        if not getattr(engine_class(name), "EXACT", True):
            continue  # held to their bounds in tests/gpu/test_float_engines.py
        if name == "cpu":
            bodies += [(name, {"simd": simd}) for simd in ("avx512vnni", "avx2", "neon", "scalar")]
        else:
            bodies.append((name, {}))
    return bodies


@pytest.fixture(params=_bodies(), ids=lambda body: "-".join([body[0], *body[1].values()]))
def body(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    name, options = request.param
    if name == "serial":
        pytest.importorskip("serial", reason="the engine serial needs the extra `board`")
        return name, options
    try:
        engine_class(name).open(SMALL, **options).close()
    except (EnvironmentMissingError, DeviceError) as error:
        pytest.skip(f"engine {name} {options} does not open on this machine: {error}")
    return name, options


@pytest.fixture(autouse=True)
def boards_are_closed() -> Iterator[None]:
    yield
    BOARDS.close()


def opened(body: tuple[str, dict[str, str]], bundle: Bundle) -> Engine:
    try:
        if body[0] == "serial":
            return BOARDS.open(bundle)
        return engine_class(body[0]).open(bundle, **body[1])
    except ModelError as error:
        if body[0] in CARRY_ALL:
            raise
        pytest.skip(f"engine {body[0]} does not carry this model: {error}")


def assert_equal_states(left: State, right: State) -> None:
    assert left.steps == right.steps
    np.testing.assert_array_equal(left.vectors, right.vectors)
    for a, b in zip((*left.hidden, *left.cell), (*right.hidden, *right.cell), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("model", MODELS)
def test_steps_and_windows_are_the_references(body: tuple[str, dict[str, str]], model: str) -> None:
    bundle = MODELS[model]
    rng = np.random.default_rng(1)
    features = random_features(rng, bundle.spec, (60,))
    features[20:40] = bundle.spec.input.maximum
    features[40:50] = bundle.spec.input.minimum
    engine = opened(body, bundle)
    logits, scores = run_sequence(bundle, features)
    for step, vector in enumerate(features):
        outputs = engine.step(vector)
        np.testing.assert_array_equal(outputs.logits, logits[step])
        np.testing.assert_array_equal(outputs.scores, scores[step])
    for length in {1, 2, bundle.spec.window}:
        expected = run_windows(bundle, features[None, :length])
        outputs = engine.window(features[:length])
        np.testing.assert_array_equal(outputs.logits, expected[0][0])
        np.testing.assert_array_equal(outputs.scores, expected[1][0])
    engine.close()


@pytest.mark.parametrize(
    "model", ["default", "default window", "one vector window", "three layers"]
)
def test_state_moves_between_engines(body: tuple[str, dict[str, str]], model: str) -> None:
    bundle = MODELS[model]
    features = random_features(np.random.default_rng(2), bundle.spec, (20,))
    expected = run_sequence(bundle, features)[1]
    first, second = opened(body, bundle), open_engine("reference", bundle)
    third = opened(body, bundle)
    for cut in (0, 1, 3, 11):
        first.reset()
        for vector in features[:cut]:
            first.step(vector)
        state = first.state()
        assert state.steps == cut
        second.step(features[5])
        second.load_state(state)
        assert_equal_states(second.state(), state)
        third.step(features[7])
        third.load_state(second.state())
        for step in range(cut, 20):
            np.testing.assert_array_equal(second.step(features[step]).scores, expected[step])
            np.testing.assert_array_equal(third.step(features[step]).scores, expected[step])
        assert_equal_states(second.state(), third.state())


@pytest.mark.parametrize("model", ["default", "default window"])
def test_a_window_leaves_the_stream_alone(body: tuple[str, dict[str, str]], model: str) -> None:
    bundle = MODELS[model]
    features = random_features(np.random.default_rng(3), bundle.spec, (20,))
    engine = opened(body, bundle)
    expected = run_sequence(bundle, features)[1]
    for step, vector in enumerate(features):
        np.testing.assert_array_equal(engine.step(vector).scores, expected[step])
        engine.window(features[step : step + 3])


def test_state_is_a_copy_and_reset_forgets(body: tuple[str, dict[str, str]]) -> None:
    engine = opened(body, SMALL)
    vector = SMALL.golden["sequence_features"][0]
    first = engine.step(vector).scores.copy()
    state = engine.state()
    state.hidden[0][:] = 0
    state.cell[0][:] = 0
    assert engine.state().cell[0].any()
    engine.reset()
    fresh = engine.state()
    assert fresh.steps == 0 and not fresh.hidden[0].any() and not fresh.cell[0].any()
    np.testing.assert_array_equal(engine.step(vector).scores, first)


def test_states_of_other_models_are_refused(body: tuple[str, dict[str, str]]) -> None:
    engine = opened(body, SMALL)
    state = engine.state()
    with pytest.raises(UsageError, match="model carries 1"):
        engine.load_state(State((), (), state.vectors, 0))
    with pytest.raises(UsageError, match=r"h of lstm_0: shape \(6,\), the model takes \(7,\)"):
        engine.load_state(replace(state, hidden=(np.zeros(6, np.int64),)))
    with pytest.raises(UsageError, match=r"c of lstm_0: 0\.\.40000 is outside"):
        engine.load_state(replace(state, cell=(np.array([0] * 6 + [40000]),)))
    with pytest.raises(UsageError, match=r"features: 0\.\.128 is outside"):
        engine.step(np.array([0, 0, 0, 0, 128]))


def test_closed_engines_and_wrong_golden_vectors_are_errors(
    body: tuple[str, dict[str, str]],
) -> None:
    engine = opened(body, SMALL)
    engine.close()
    with pytest.raises(DeviceError, match="closed"):
        engine.step(SMALL.golden["sequence_features"][0])
    changed = SMALL.golden["window_logits"] + np.eye(8, 3, dtype=np.int64)
    with pytest.raises(MismatchError, match="3 of 8 golden window logits differ, first at 0"):
        opened(body, replace(SMALL, golden=SMALL.golden | {"window_logits": changed}))


def test_unknown_engines_and_missing_instructions_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"called 'abacus'; installed are \['board', 'card', 'cpu'"
    ):
        open_engine("abacus", SMALL)
    absent = "neon" if "neon" not in LstmEngine.available() else "avx2"
    with pytest.raises(
        EnvironmentMissingError,
        match=r"Engines that open here: \[('card', )?('onnxruntime', )?('openvino', )?'reference'",
    ):
        open_engine("cpu", SMALL, simd=absent)
