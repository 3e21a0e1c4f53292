"""The tick loop's own failover: a card in software that fails on command, and its native shadow."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.contract.errors import UsageError
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import TRANSITIONS, Incident, MemberState
from pyorch.trading.records import AnswerAssurance, AnsweredBy
from sim.failover_world import Ticks, random_ticks, small_bundle
from sim.faults import Fault
from sim.native_faults import NUMBERS, numbered, planted
from sim.native_world import SETTINGS, SoftwarePair, lockstep

NOTICED = {
    Fault.KILL: Incident.ERROR,
    Fault.HANG: Incident.HUNG,
    Fault.SLOW: Incident.LATE,
    Fault.WEIGHT: Incident.WRONG,
    Fault.STATE: Incident.WRONG,
    Fault.ANSWER: Incident.WRONG,
    Fault.UNPLUG: Incident.ERROR,
    Fault.IDENTITY: Incident.IDENTITY,
    Fault.STUCK: Incident.STUCK,
    Fault.SILENT: Incident.SILENT,
}


class Run:
    """A pair and the engine that it must equal, tick by tick."""

    def __init__(self, world: SoftwarePair, mode: str = "stateful") -> None:
        self.world, self.pair = world, world.pair
        self.ticks: Ticks = random_ticks(world.bundle)
        self.right = CpuEngine.open(world.bundle)
        self.wrong: list[int] = []
        self.by: list[int] = []
        self.assurance: list[int] = []
        self.late: list[bool] = []

    def go(self, count: int) -> None:
        for _ in range(count):
            features = self.ticks.features[len(self.by) % len(self.ticks.features)]
            logits, scores, by, assurance, late, _ = self.pair.engine.step(
                features.astype(np.int32)
            )
            right = self.right.step(features)
            if list(right.logits) != logits or list(right.scores) != scores:
                self.wrong.append(len(self.by) + 1)
            self.by.append(by)
            self.assurance.append(assurance)
            self.late.append(late)

    def reset(self) -> None:
        self.pair.engine.reset()
        self.right.reset()


def test_the_native_table_of_states_is_the_documented_one() -> None:
    for s, state in enumerate(MemberState):
        for i, incident in enumerate(Incident):
            following = _native.state_after(s, i)
            expected = TRANSITIONS.get((state, incident))
            assert following == (-1 if expected is None else list(MemberState).index(expected))


@pytest.mark.parametrize("mode", ["stateful", "window"])
@pytest.mark.parametrize("every", [1, 8])
@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_is_noticed_and_costs_no_tick(fault: Fault, every: int, mode: str) -> None:
    run = Run(SoftwarePair(small_bundle(mode), [(100, fault)], lockstep(every)))
    run.go(99)
    assert set(run.by) == {AnsweredBy.CARD} and not run.wrong
    run.go(51)
    run.reset()
    run.go(250)
    counts = run.pair.counts
    assert counts[NOTICED[fault].value] >= 1
    assert counts["wrong_used"] == len(run.wrong) <= (0 if every == 1 else every)
    assert counts["ticks"] == 400 == counts["by_card"] + counts["by_shadow"] + counts["by_arbiter"]
    assert counts["late_answers"] == counts["cautious"] == counts["incidents_lost"] == 0
    assert run.pair.state is MemberState.HEALTHY and run.by[-1] == AnsweredBy.CARD
    assert run.pair.records()[-1].incident is Incident.CLEAN
    records = run.pair.records()
    assert [record.sequence for record in records] == sorted(r.sequence for r in records)


def test_a_healthy_pair_answers_by_its_card_and_checks_every_answer() -> None:
    run = Run(SoftwarePair(small_bundle()))
    run.go(200)
    counts = run.pair.counts
    assert set(run.by) == {AnsweredBy.CARD} and set(run.assurance) == {AnswerAssurance.CHECKED}
    assert counts["compared"] == 200 and counts["checkpoints"] == 200 // SETTINGS.checkpoint_ticks
    assert not run.wrong and run.pair.records() == []


def test_between_comparisons_an_answer_is_called_shadowed() -> None:
    run = Run(SoftwarePair(small_bundle(), settings=lockstep(4)))
    run.go(8)
    assert run.assurance == 2 * (3 * [AnswerAssurance.SHADOWED] + [AnswerAssurance.CHECKED])
    assert run.pair.counts["compared"] == 8


def test_the_shadow_alone_is_replayed_by_the_arbiter() -> None:
    run = Run(SoftwarePair(small_bundle(), [(30, Fault.UNPLUG)], failing_resets=1000))
    run.go(60)
    assert set(run.assurance[30:]) == {AnswerAssurance.ALONE}
    hidden, cell = run.pair.shadow.layer_state(0)
    run.pair.shadow.load_layer(0, hidden ^ 8, cell)
    run.go(60)
    assert len(run.wrong) <= 1 and run.pair.counts["wrong_used"] == len(run.wrong)
    assert run.pair.counts["shadow_repaired"] == 1
    assert run.pair.records()[-1].engine in ("card", "shadow")


def test_a_wrong_shadow_is_repaired_and_the_card_stays_trusted() -> None:
    run = Run(SoftwarePair(small_bundle()))
    run.go(40)
    hidden, cell = run.pair.shadow.layer_state(0)
    run.pair.shadow.load_layer(0, hidden ^ 8, cell)
    run.go(60)
    assert not run.wrong and run.pair.state is MemberState.HEALTHY
    assert run.pair.counts["shadow_repaired"] == 1 and set(run.by) == {AnsweredBy.CARD}
    (record,) = run.pair.records()
    assert (record.engine, record.incident) == ("shadow", Incident.WRONG)


def test_an_answer_after_the_deadline_says_so() -> None:
    slow_bus = SoftwarePair(small_bundle(), access_ns=300_000)
    run = Run(slow_bus)
    run.go(5)
    assert any(run.late) and not run.wrong
    assert run.pair.counts["late_answers"] == run.pair.counts["cautious"] == sum(run.late)


def test_retries_come_later_each_time() -> None:
    run = Run(SoftwarePair(small_bundle(), [(10, Fault.UNPLUG)], failing_resets=4))
    run.go(300)
    at = [r.at_ns for r in run.pair.records() if r.incident is Incident.RETRY]
    gaps = np.diff(at)
    assert len(at) == 5
    assert all(later > 1.5 * sooner for sooner, later in pairwise(gaps))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), every=st.sampled_from([1, 5]), mode=st.sampled_from(["stateful", "window"]))
def test_any_sequence_of_faults_and_resets_is_answered(
    data: st.DataObject, every: int, mode: str
) -> None:
    faults = data.draw(
        st.lists(st.tuples(st.integers(1, 400), st.sampled_from(list(Fault))), max_size=4)
    )
    run = Run(SoftwarePair(small_bundle(mode), faults, lockstep(every)))
    for _ in range(data.draw(st.integers(1, 5))):
        run.go(data.draw(st.integers(1, 120)))
        run.reset()
    run.go(20)
    counts = run.pair.counts
    assert counts["wrong_used"] == len(run.wrong) <= (0 if every == 1 else every * len(faults))
    assert counts["ticks"] == len(run.by) and counts["late_answers"] == 0


def test_modes_without_a_native_body_are_refused() -> None:
    with pytest.raises(UsageError, match=r"mode fast: .* compares every tick"):
        SoftwarePair(small_bundle(), settings=FailoverSettings(mode="fast"))


def test_faults_are_planted_by_name_and_tick() -> None:
    assert planted(["hang@4", "answer@9"]) == [(4, Fault.HANG), (9, Fault.ANSWER)]
    assert numbered([(3, Fault.SILENT)]) == [(3, 9)] and len(NUMBERS) == len(Fault)
    for text in ("hang", "hang@0", "flu@3"):
        with pytest.raises(UsageError, match="write NAME@TICK, NAME one of"):
            planted([text])


GUARDED = """
import os, sys
import numpy as np
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.sample import random_quoting_bundle
from sim.faults import Fault
from sim.native_world import SoftwarePair
tape = simulate(5, 20.0)
bundle = random_quoting_bundle(3, tape)
faults = [(100 * k, fault) for k, fault in enumerate(Fault, 1)]
world = SoftwarePair(bundle, faults)
loop = TickLoop(bundle, load_config(), tape, engine=world.pair.engine, caution=True, guarded=True)
loop.run_unread()
counts = world.pair.counts
found = world.card.struck, counts["wrong_used"], counts["by_shadow"] > 0
print(loop.thread_counts(), loop.summary().ticks, *found, flush=True)
os._exit(0)
"""


def test_the_tick_thread_fails_over_without_allocation_lock_or_system_call() -> None:
    from pyorch.trading.proof import counting_library

    environment = os.environ | {"LD_PRELOAD": str(counting_library())}
    result = subprocess.run(
        [sys.executable, "-c", GUARDED],
        env=environment, capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if result.returncode == 97:
        pytest.skip("the kernel refuses a seccomp filter")
    assert result.returncode == 0, result.stderr[-500:]
    counts, ticks, struck, wrong, handed = result.stdout.rsplit(maxsplit=4)
    assert counts == "(0, 0)" and int(ticks) > 1500
    assert (int(struck), int(wrong), handed) == (10, 0, "True")
