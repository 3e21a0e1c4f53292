"""Engines in each other's place: hand-over, reset, soak, threads, deadline, close in mid-call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from pyorch.contract.engine import Engine
from pyorch.contract.errors import DeviceError, EnvironmentMissingError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference import stream
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.failover.group import EngineGroup
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import Incident, MemberState
from pyorch.inference.reference import ReferenceEngine, run_sequence
from pyorch.inference.registry import engine_class, engine_names
from pyorch.inference.sample import random_bundle
from sim.board import SimulatedBoards
from sim.faults import Fault, FaultPlan, FaultyEngine, ManualClock, faulty_lanes

# the model that the conformance suite compiles for the simulated card in every run
BUNDLE = random_bundle(
    6, 5, (7,), PRESETS["narrow"],
    heads=(Head("direction", "softmax", ("down", "stable", "up"), "probability"),),
)  # fmt: skip
OTHER_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "cpu": [{"simd": "auto"}, {"simd": "scalar"}],
    "onnxruntime": [{}, {"precision": "fp32"}],
}
SIMULATED = ("card", "serial")
SOAK_TICKS, SIMULATED_SOAK_TICKS = 20_000, 400

Body = tuple[str, dict[str, Any]]
BODIES: list[Body] = [
    (name, options) for name in engine_names() for options in OTHER_OPTIONS.get(name, [{}])
]


BOARDS = SimulatedBoards()
"""Of the running test."""


def label(body: Body) -> str:
    return "-".join([body[0], *map(str, body[1].values())])


def opened(body: Body, boards: SimulatedBoards = BOARDS) -> Engine:
    if body[0] == "serial":
        return boards.open(BUNDLE)
    return engine_class(body[0]).open(BUNDLE, **body[1])


@pytest.fixture(autouse=True)
def boards_are_closed() -> Iterator[None]:
    yield
    BOARDS.close()


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Engine]]:
    """Every engine that opens here, twice: for a hand-over to itself."""
    found: dict[str, Engine] = {}
    boards = SimulatedBoards()
    for body in BODIES:
        try:
            for copy in ("", " again"):
                found[label(body) + copy] = opened(body, boards)
        except (EnvironmentMissingError, DeviceError):
            continue
    assert {"cpu-auto", "cpu-scalar", "reference"} <= found.keys()
    yield found
    for engine in found.values():
        engine.close()
    boards.close()


@pytest.fixture(params=BODIES, ids=label)
def body(request: pytest.FixtureRequest) -> Body:
    found: Body = request.param
    try:
        opened(found).close()
    except (EnvironmentMissingError, DeviceError) as error:
        pytest.skip(f"engine {label(found)} does not open on this machine: {error}")
    return found


def vectors(count: int, seed: int = 1) -> IntArray:
    return random_features(np.random.default_rng(seed), BUNDLE.spec, (count,))


def assert_within(engine: Engine, logits: IntArray, right: IntArray) -> None:
    bound = 0 if engine.info.exact else engine.info.bound_lsb
    assert int(np.abs(logits - right).max()) <= bound, engine.info


def test_every_engine_takes_over_from_every_other(engines: dict[str, Engine]) -> None:
    features = vectors(12)
    right, _ = run_sequence(BUNDLE, features)
    pairs = 0
    for first, second in permutations(engines, 2):
        before, after = engines[first], engines[second]
        before.reset()
        for step, vector in enumerate(features[:5]):
            assert_within(before, before.step(vector).logits, right[step])
        state = before.state()
        assert state.steps == 5
        after.step(features[9])  # something else was there
        after.load_state(state)
        if not before.info.exact:
            reference = ReferenceEngine.open(BUNDLE)
            reference.load_state(state)
            expected = [reference.step(vector).logits for vector in features[5:8]]
        else:
            expected = list(right[5:8])
        for step, vector in enumerate(features[5:8]):
            assert_within(after, after.step(vector).logits, expected[step])
        assert after.state().steps == 8
        pairs += 1
    assert pairs == len(engines) * (len(engines) - 1) >= 30


def test_a_reset_in_mid_stream_forgets_everything(body: Body) -> None:
    engine, features = opened(body), vectors(30)
    right, _ = run_sequence(BUNDLE, features[10:])
    for vector in features[:10]:
        engine.step(vector)
    engine.reset()
    assert engine.state().steps == 0
    for step, vector in enumerate(features[10:]):
        assert_within(engine, engine.step(vector).logits, right[step])
    engine.close()


@pytest.mark.parametrize("share", [0.1, pytest.param(1.0, marks=pytest.mark.full)])
def test_a_long_stream_with_resets_states_and_windows_stays_right(body: Body, share: float) -> None:
    engine, right = opened(body), ReferenceEngine.open(BUNDLE)
    ticks = int(share * (SIMULATED_SOAK_TICKS if body[0] in SIMULATED else SOAK_TICKS))
    rng = np.random.default_rng(7)
    for vector in vectors(ticks, seed=8):
        what = rng.random()
        if what < 0.01:
            engine.reset()
            right.reset()
        elif what < 0.02:
            engine.load_state(engine.state())
            right.load_state(engine.state())
        elif what < 0.03:
            engine.window(vector[None])
        found, expected = engine.step(vector), right.step(vector)
        if engine.info.exact:
            np.testing.assert_array_equal(found.scores, expected.scores)
        else:  # held to its bound step by step, from an equal state
            assert_within(engine, found.logits, expected.logits)
            engine.load_state(right.state())
    assert engine.state().steps == right.state().steps
    engine.close()


def in_threads(works: list[Callable[[], None]]) -> list[BaseException]:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_streams_in_threads_do_not_touch_each_other(body: Body) -> None:
    count = 2 if body[0] in SIMULATED else 4
    streams = [(opened(body), vectors(60, seed)) for seed in range(count)]

    def run(engine: Engine, features: IntArray) -> None:
        right, _ = run_sequence(BUNDLE, features)
        for step, vector in enumerate(features):
            assert_within(engine, engine.step(vector).logits, right[step])

    works = [lambda s=s: run(*s) for s in streams]
    assert in_threads(works) == []
    for engine, _ in streams:
        engine.close()


def test_calls_of_several_threads_take_turns(body: Body) -> None:
    engine, (vector,) = opened(body), vectors(1)
    count = 20 if body[0] in SIMULATED else 200

    def run() -> None:
        for _ in range(count):
            engine.step(vector)

    assert in_threads([run, run, run]) == []
    assert engine.state().steps == 3 * count
    right, _ = run_sequence(BUNDLE, np.repeat(vector[None], 3 * count + 1, axis=0))
    if engine.info.exact:
        np.testing.assert_array_equal(engine.step(vector).logits, right[-1])
    engine.close()


def test_a_late_engine_is_replaced_within_its_tick(body: Body) -> None:
    settings = FailoverSettings(checkpoint_ticks=8, probation_ticks=6)
    plans = {name: FaultPlan(deadline_ns=settings.deadline_ns) for name in ("first", "second")}
    clock = ManualClock()
    group = EngineGroup(
        BUNDLE,
        {
            "first": lambda: FaultyEngine(BUNDLE, lambda _: opened(body), plans["first"]),
            "second": lambda: FaultyEngine(BUNDLE, CpuEngine.open, plans["second"]),
        },
        settings, clock, lane_of=faulty_lanes(clock, plans),
    )  # fmt: skip
    features = vectors(40)
    right, _ = run_sequence(BUNDLE, features)
    for step, vector in enumerate(features):
        plans["first"].fault = Fault.SLOW if 10 <= step < 13 else None
        prediction = group.predict(vector)
        assert not prediction.late and prediction.sequence == step + 1
        if prediction.exact:
            np.testing.assert_array_equal(prediction.outputs.logits, right[step])
        if 10 <= step < 13:
            assert prediction.engine != "first"
        clock.advance(20_000_000)
        group.attend()
    assert group.counts[Incident.LATE.value] >= 1 and group.counts["wrong_used"] == 0
    assert group.members[0].state is MemberState.HEALTHY
    assert all(record.incident is not Incident.WRONG for record in group.records)
    group.close()


def test_closing_in_mid_call_ends_in_an_answer_or_an_error(body: Body) -> None:
    for wait in range(3):
        engine, (vector,) = opened(body), vectors(1)
        begun, ended = threading.Event(), []

        def run(engine: Engine, begun: threading.Event, ended: list[str]) -> None:
            try:
                while True:
                    engine.step(vector)  # noqa: B023
                    begun.set()
            except DeviceError as error:
                ended.append(str(error))

        thread = threading.Thread(target=run, args=(engine, begun, ended), daemon=True)
        thread.start()
        assert begun.wait(60)
        for _ in range(wait):
            threading.Event().wait(0.002)
        engine.close()
        engine.close()
        thread.join(60)
        assert not thread.is_alive() and "is closed; open it again" in ended[0]


def test_a_call_that_does_not_end_keeps_close_from_freeing_its_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "CLOSE_WAIT_S", 0.05)
    engine, go, inside = ReferenceEngine.open(BUNDLE), threading.Event(), threading.Event()
    right = engine._step

    def hang(features: IntArray) -> Any:
        inside.set()
        go.wait(60)
        return right(features)

    monkeypatch.setattr(engine, "_step", hang)
    thread = threading.Thread(target=engine.step, args=(vectors(1)[0],), daemon=True)
    thread.start()
    assert inside.wait(60)
    with pytest.raises(DeviceError, match=r"a call has been under way for more than 0\.05 s"):
        engine.close()
    go.set()
    thread.join(60)
    engine.close()
    with pytest.raises(DeviceError, match="is closed"):
        engine.reset()
