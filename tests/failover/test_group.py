"""Faults of every kind, in every mode: what is answered, by whom, and what becomes of the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyorch.contract.errors import DeviceError, UsageError
from pyorch.inference.failover.group import REFERENCE, Assurance, EngineGroup
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import TRANSITIONS, Incident, MemberState, after
from sim.failover_world import SETTINGS, World, random_ticks, small_bundle
from sim.faults import Fault

MODES = {
    "lockstep": SETTINGS,
    "every 8th": replace(SETTINGS, every=8),
    "fast": replace(SETTINGS, mode="fast"),
    "safe": replace(SETTINGS, mode="safe"),
}
EXPOSURE = {"lockstep": 0, "every 8th": 8, "fast": 1, "safe": 0}
INCIDENTS = {
    Fault.KILL: Incident.ERROR,
    Fault.UNPLUG: Incident.ERROR,
    Fault.HANG: Incident.HUNG,
    Fault.SLOW: Incident.LATE,
    Fault.WEIGHT: Incident.WRONG,
    Fault.STATE: Incident.WRONG,
    Fault.ANSWER: Incident.WRONG,
}


@pytest.mark.parametrize("mode", MODES)
def test_without_a_fault_the_first_engine_answers_and_nothing_is_said(mode: str) -> None:
    world = World(small_bundle(), MODES[mode])
    assert world.tick(200) == 0
    assert {p.engine for p in world.predictions} == {"card"}
    assert not any(p.cautious for p in world.predictions)
    kinds = {record.incident for record in world.group.records}
    assert kinds == {Incident.OPENED, Incident.CLEAN}
    expected = {"lockstep": Assurance.CHECKED, "safe": Assurance.CHECKED}
    assert {p.assurance for p in world.predictions} == {expected.get(mode, Assurance.SHADOWED)}
    assert world.group.counts["compared"] >= 200 - 8


@pytest.mark.parametrize("fault", [Fault.WEIGHT, Fault.STATE, Fault.ANSWER, Fault.HANG])
def test_fast_answers_are_compared_one_by_one_however_close_ticks_come(fault: Fault) -> None:
    """Ticks 3 us apart: the second engine still owes the last one when the first has answered the next."""
    ticks = random_ticks(small_bundle())
    ticks.gap_ns[np.arange(4096) % 8 != 0] = 3_000
    world = World(small_bundle(), MODES["fast"], ticks=ticks)
    assert world.tick(44) == 0
    assert world.tick(20, ("card", fault)) <= EXPOSURE["fast"]
    assert not any(p.late for p in world.predictions)
    assert world.group.counts["by_reference"] == 0
    waited = world.settings.patience_ns if fault is Fault.HANG else 60_000
    assert max(p.ns for p in world.predictions) <= waited, (
        "for one that hangs only until it is late"
    )
    assert sum(p.ns > 60_000 for p in world.predictions) <= 1


@pytest.mark.parametrize("fault", INCIDENTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", ["stateful", "window"])
def test_a_fault_of_the_first_engine(fault: Fault, mode: str, shape: str) -> None:
    world = World(small_bundle(shape), MODES[mode])
    assert world.tick(37) == 0
    wrong = world.tick(60, ("card", fault))
    assert wrong <= EXPOSURE[mode]
    assert wrong == world.group.counts["wrong_used"]
    assert not any(p.late for p in world.predictions)
    assert INCIDENTS[fault] in {record.incident for record in world.group.records}
    assert len({p.engine for p in world.predictions}) > 1, "somebody else answered meanwhile"
    world.plans["card"].fault = None
    assert world.tick(60) == 0
    assert world.state_of("card") is MemberState.HEALTHY
    assert world.predictions[-1].engine == "card"


@pytest.mark.parametrize("fault", INCIDENTS)
@pytest.mark.parametrize("mode", ["lockstep", "safe"])
def test_a_fault_of_the_shadow_changes_no_quote(fault: Fault, mode: str) -> None:
    world = World(small_bundle(), MODES[mode])
    world.tick(37)
    assert world.tick(60, ("shadow", fault)) == 0
    assert not any(p.cautious for p in world.predictions)
    assert INCIDENTS[fault] in {record.incident for record in world.group.records}
    assert world.group.counts["wrong_used"] == 0


@pytest.mark.parametrize(
    ("fault", "incident", "words"),
    [
        (Fault.IDENTITY, Incident.IDENTITY, "the card holds model 0123456789abcdef"),
        (Fault.STUCK, Incident.STUCK, r"it counts [\d,]+ steps, not [\d,]+"),
        (Fault.SILENT, Incident.ERROR, "no heartbeat"),
    ],
)
def test_pulses_find_what_answers_do_not_show(fault: Fault, incident: Incident, words: str) -> None:
    import re

    world = World(small_bundle(), replace(SETTINGS, heartbeat_ns=10_000_000))
    world.tick(30)
    assert world.tick(30, ("card", fault)) == 0
    found = [record for record in world.group.records if record.incident is incident]
    assert found and found[-1].engine == "card" and re.search(words, found[-1].detail)
    assert world.tick(60) == 0 and world.predictions[-1].engine == "card"


def test_a_hanging_heartbeat_is_silence() -> None:
    settings = replace(SETTINGS, heartbeat_ns=4_000_000, hung_ns=6_000_000)
    world = World(small_bundle(), settings)
    world.tick(10)
    card = world.group.members[0]
    card.felt_ns = -settings.heartbeat_ns  # due now
    world.plans["card"].fault = Fault.HANG
    world.group.attend()
    for _ in range(4):
        world.clock.advance(2_000_000)
        world.group.attend()
    assert Incident.SILENT in {record.incident for record in world.group.records}
    assert world.tick(3) == 0


def test_a_reopened_engine_is_brought_to_the_present_and_answers_after_its_probation() -> None:
    world = World(small_bundle())
    world.tick(21)
    world.tick(1, ("card", Fault.KILL))
    states = []
    for _ in range(40):
        assert world.tick() == 0
        states.append(world.state_of("card"))
    assert MemberState.PROBATION in states and states[-1] is MemberState.HEALTHY
    first = states.index(MemberState.PROBATION)
    assert states.index(MemberState.HEALTHY) - first in range(
        SETTINGS.probation_ticks, SETTINGS.probation_ticks + 4
    )
    assert world.group.counts["hand_overs"] == 2


def test_a_fault_in_probation_starts_it_again_and_openings_become_rarer() -> None:
    world = World(small_bundle())
    world.tick(10)
    world.plans["card"].openings = 3
    world.tick(1, ("card", Fault.UNPLUG))
    world.tick(200)
    tries = [
        r.at_ns for r in world.group.records if r.engine == "card" and r.incident is Incident.RETRY
    ]
    gaps = np.diff(tries)
    assert len(tries) == 4 and (gaps[1:] > 1.5 * gaps[:-1]).all()
    assert world.state_of("card") is MemberState.HEALTHY
    assert world.group.members[0].retry_ns == 0


def test_the_reference_answers_when_nobody_else_does_and_no_tick_is_lost() -> None:
    world = World(small_bundle())
    world.tick(10)
    for name in world.plans:
        world.plans[name].fault = Fault.UNPLUG
        world.plans[name].openings = 2
    assert world.tick(100) == 0
    assert REFERENCE in {p.engine for p in world.predictions}
    assert [p.sequence for p in world.predictions] == list(range(1, 111))
    assert world.predictions[-1].engine == "card"


def test_resets_go_along() -> None:
    world = World(small_bundle(), MODES["every 8th"])
    world.tick(13)
    world.reset()
    world.tick(3)
    assert world.tick(50, ("card", Fault.KILL)) == 0
    world.reset()
    assert world.tick(50) == 0


def test_one_engine_alone_is_replayed_by_the_reference() -> None:
    world = World(small_bundle(), names=("card",))
    assert world.tick(20) == 0
    assert {p.assurance for p in world.predictions} == {Assurance.ALONE}
    wrong = world.tick(SETTINGS.checkpoint_ticks, ("card", Fault.STATE))
    assert 0 < wrong == world.group.counts["wrong_used"]
    assert Incident.WRONG in {record.incident for record in world.group.records}
    assert world.tick(30) == 0


def test_an_engine_that_nobody_looks_after_is_unverified_and_what_is_kept_stays_bounded() -> None:
    world = World(small_bundle(), names=("card",))
    for k, features in enumerate(random_ticks(small_bundle()).features[:1000]):
        prediction = world.group.predict(features)
        world.clock.advance(1000)
        if 40 < k < 100:
            assert prediction.assurance is Assurance.UNVERIFIED and prediction.cautious
    assert len(world.group.arbiter.entries) <= 8 * SETTINGS.checkpoint_ticks


def test_every_state_has_its_transitions_and_no_other() -> None:
    for (state, incident), following in TRANSITIONS.items():
        assert after(state, incident) is following
    running = (MemberState.HEALTHY, MemberState.PROBATION)
    assert all(TRANSITIONS[s, Incident.WRONG] is MemberState.FAILED for s in running)
    assert not any(
        to is MemberState.HEALTHY and incident is not Incident.CLEAN
        for (_, incident), to in TRANSITIONS.items()
    )
    with pytest.raises(KeyError):
        after(MemberState.FAILED, Incident.CLEAN)


def test_no_engine_at_all_is_an_error_with_the_reasons() -> None:
    def closed() -> None:
        raise DeviceError("no card in the slot")

    with pytest.raises(
        DeviceError, match=r"no engine opens \(card: no card in the slot\); add `cpu`"
    ):
        EngineGroup(small_bundle(), {"card": closed}, SETTINGS)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"mode": "fast", "every": 2},
            "mode fast compares every tick; every = 2 goes with passive",
        ),
        ({"every": 65}, "every = 65; it lies between 1 and checkpoint_ticks = 64"),
        ({"patience_ns": 2_000_000}, "patience_ns 2,000,000, deadline_ns 1,000,000"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        FailoverSettings(**values)  # type: ignore[arg-type]
