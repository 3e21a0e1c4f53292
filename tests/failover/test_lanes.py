"""Lanes on real threads: order, errors, hanging calls, abandoning; and a group on them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from pyorch.contract.errors import DeviceError
from pyorch.contract.fixed import IntArray
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.failover.clock import MonotonicClock
from pyorch.inference.failover.group import EngineGroup
from pyorch.inference.failover.lane import InlineLane, Lane, ThreadLane, Ticket
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.reference import run_sequence
from sim.failover_world import small_bundle

LONG_NS = 60_000_000_000
PATIENT = FailoverSettings(
    deadline_ns=LONG_NS, patience_ns=LONG_NS // 2, hung_ns=2 * LONG_NS, checkpoint_ns=LONG_NS
)
"""No deadline passes on a slow machine."""


def wait(clock: MonotonicClock, ticket: Ticket) -> Ticket:
    assert clock.wait(lambda: ticket.ready(clock.now_ns()), clock.now_ns() + LONG_NS)
    return ticket


@pytest.mark.parametrize("kind", [InlineLane, ThreadLane])
def test_calls_run_in_order_and_errors_come_back(kind: type[Any]) -> None:
    clock = MonotonicClock()
    lane: Lane = kind(lambda: CpuEngine.open(small_bundle()), clock)
    seen: list[int] = []
    tickets = [lane.submit(lambda engine, k=k: seen.append(k)) for k in range(5)]
    wait(clock, tickets[-1])
    assert seen == list(range(5))
    failed = wait(clock, lane.submit(lambda engine: engine.step(np.zeros(99, np.int64))))
    assert "shape (99,)" in str(failed.error) and failed.value is None
    pulse = wait(clock, lane.submit(lambda engine: engine.pulse())).value
    wait(clock, lane.submit(lambda engine: engine.step(np.zeros(3, np.int64))))
    assert wait(clock, lane.submit(lambda engine: engine.pulse())).value == pulse + 1
    lane.abandon()


def test_a_device_that_does_not_open_fails_its_first_call() -> None:
    def closed() -> CpuEngine:
        raise DeviceError("no card in the slot")

    clock = MonotonicClock()
    for lane in (ThreadLane(closed, clock), InlineLane(closed, clock)):
        assert (
            str(wait(clock, lane.submit(lambda engine: engine.info)).error) == "no card in the slot"
        )


def test_an_abandoned_lane_closes_its_engine_once_its_call_returns() -> None:
    clock, release, closed = MonotonicClock(), threading.Event(), threading.Event()

    class Slow(CpuEngine):
        def step(self, features: IntArray) -> Any:
            release.wait()
            return super().step(features)

        def close(self) -> None:
            super().close()
            closed.set()

    lane = ThreadLane(lambda: Slow.open(small_bundle()), clock)
    release.set()
    wait(clock, lane.submit(lambda engine: engine.info))
    release.clear()
    hanging = lane.submit(lambda engine: engine.step(np.zeros(3, np.int64)))
    lane.abandon()
    assert not hanging.ready(clock.now_ns()) and not closed.is_set()
    release.set()
    assert closed.wait(60)


def test_waiting_ends_at_its_time() -> None:
    clock = MonotonicClock()
    begin = clock.now_ns()
    assert not clock.wait(lambda: False, begin + 2_000_000)
    assert clock.now_ns() >= begin + 2_000_000


def test_a_group_on_threads_answers_the_references_bits_and_survives_a_hanging_card() -> None:
    bundle, release = small_bundle(), threading.Event()
    features = random_features(np.random.default_rng(1), bundle.spec, (200,))
    expected = run_sequence(bundle, features)[0]

    class Card(CpuEngine):
        hangs = False

        def step(self, features: IntArray) -> Any:
            if Card.hangs:
                release.wait()
            return super().step(features)

    group = EngineGroup(
        bundle, {"card": lambda: Card.open(bundle), "cpu": lambda: CpuEngine.open(bundle)}, PATIENT,
        inline=("cpu",),
    )  # fmt: skip
    answers = []
    for vector in features[:100]:
        answers.append(group.predict(vector).outputs.logits)
        group.attend()
    assert group.counts["by_reference"] == 0 and group.counts["compared"] >= 100
    # one tick waits for the card, as long as the other engine may take on the busiest machine
    second = 1_000_000_000
    group.settings = FailoverSettings(
        patience_ns=second, deadline_ns=2 * second, hung_ns=3 * second, retry_ns=LONG_NS
    )
    Card.hangs = True
    engines = set()
    for vector in features[100:]:
        prediction = group.predict(vector)
        answers.append(prediction.outputs.logits)
        engines.add(prediction.engine)
        group.attend()
    np.testing.assert_array_equal(answers, expected)
    assert "cpu" in engines and "card" not in engines
    until = group.clock.now_ns() + LONG_NS
    while not group.counts["hung"]:
        assert group.clock.now_ns() < until, list(group.records)
        group.clock.wait(lambda: False, group.clock.now_ns() + second // 10)
        group.attend()
    assert [member.state.value for member in group.members] == ["failed", "healthy"]
    release.set()
    group.close()


def test_a_float_engine_is_held_to_its_bound_and_never_counts_as_exact() -> None:
    from dataclasses import replace

    bundle = small_bundle()

    class Off(CpuEngine):
        by, bound = 3, 5

        @property
        def info(self) -> Any:
            return replace(super().info, exact=False, bound_lsb=self.bound)

        def step(self, features: IntArray) -> Any:
            outputs = super().step(features)
            return replace(outputs, logits=outputs.logits + self.by)

    features = random_features(np.random.default_rng(1), bundle.spec, (80,))
    group = EngineGroup(bundle, {"gpu": lambda: Off.open(bundle)}, PATIENT, inline=("gpu",))
    prediction = group.predict(features[0])
    assert prediction.engine == "gpu" and not prediction.exact and prediction.cautious
    both = {"gpu": lambda: Off.open(bundle), "cpu": lambda: CpuEngine.open(bundle)}
    group = EngineGroup(bundle, both, PATIENT, inline=("gpu", "cpu"))
    for vector in features[:70]:
        prediction = group.predict(vector)
        group.attend()
        assert prediction.engine == "cpu" and prediction.exact
    assert {m.state.value for m in group.members} == {"healthy"}
    Off.by = 6
    group.predict(features[70])
    assert {m.name: m.state.value for m in group.members} == {"gpu": "failed", "cpu": "healthy"}
