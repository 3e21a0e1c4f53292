"""The group under any sequence of ticks, faults, repairs and resets; time is simulated."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pyorch.inference.failover.states import TRANSITIONS, MemberState
from sim.failover_world import SETTINGS, World, small_bundle
from sim.faults import Fault

MODES = st.sampled_from(
    [
        SETTINGS,
        replace(SETTINGS, every=8),
        replace(SETTINGS, mode="fast"),
        replace(SETTINGS, mode="safe"),
    ]
)
REPAIRED_TICKS = 120
"""Enough to open again, pass probation and answer."""


class Group(RuleBasedStateMachine):
    """One engine is broken at a time, as the design assumes; the other one may be again later."""

    @initialize(mode=MODES)
    def begin(self, mode: object) -> None:
        self.world = World(small_bundle(), mode)  # type: ignore[arg-type]
        self.broken = ""
        self.wrong = 0
        self.faults = 0

    @rule(count=st.integers(1, 30))
    def tick(self, count: int) -> None:
        self.wrong += self.world.tick(count)

    @rule(name=st.sampled_from(["card", "shadow"]), fault=st.sampled_from(list(Fault)))
    def break_one(self, name: str, fault: Fault) -> None:
        if not self.broken and all(
            self.world.state_of(n) is MemberState.HEALTHY for n in self.world.plans
        ):
            self.broken = name
            self.faults += 1
            self.wrong += self.world.tick(3, (name, fault))

    @rule()
    def repair(self) -> None:
        if self.broken:
            self.world.plans[self.broken].fault = None
            self.wrong += self.world.tick(REPAIRED_TICKS)
            self.broken = ""

    @rule()
    def reset(self) -> None:
        self.world.reset()

    @invariant()
    def no_tick_is_lost(self) -> None:
        if hasattr(self, "world"):
            numbers = [p.sequence for p in self.world.predictions]
            assert numbers == list(range(1, len(numbers) + 1))
            assert not any(p.late for p in self.world.predictions)

    @invariant()
    def wrong_answers_stay_within_the_exposure(self) -> None:
        if hasattr(self, "world"):
            mode = self.world.settings
            each = mode.every if mode.every > 1 else 1 if mode.mode == "fast" else 0
            assert self.wrong <= each * self.faults
            assert self.world.group.counts["wrong_used"] <= self.wrong

    @invariant()
    def states_follow_the_table(self) -> None:
        if hasattr(self, "world"):
            for record in self.world.group.records:
                assert record.state in {
                    to for (_, incident), to in TRANSITIONS.items() if incident is record.incident
                }

    def teardown(self) -> None:
        if hasattr(self, "world"):
            if self.broken:
                self.repair()
            assert self.world.tick(REPAIRED_TICKS) == 0
            assert self.world.predictions[-1].engine == "card", "the preferred engine is back"
            assert self.world.group.counts["wrong_used"] == self.wrong, "all were found"


Group.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestGroup = Group.TestCase
