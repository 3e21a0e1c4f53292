"""A group of engines on simulated devices in simulated time, and the run that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import cast

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.failover.group import EngineGroup, Prediction
from pyorch.inference.failover.lane import Opener
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import MemberState
from pyorch.inference.sample import random_bundle
from sim.faults import Fault, FaultPlan, FaultyEngine, ManualClock, faulty_lanes

SETTINGS = FailoverSettings(checkpoint_ticks=16, probation_ticks=20, retry_ns=5_000_000)


@dataclass(frozen=True)
class Ticks:
    """What a group is driven with, again and again.

    Attributes:
        features: [n, F].
        gap_ns: [n]: time from each tick to the next.
        resets: ticks before which the stream begins anew.
    """

    features: IntArray
    gap_ns: IntArray
    resets: frozenset[int] = frozenset()


@cache
def small_bundle(mode: str = "stateful") -> Bundle:
    """A model that is quick to step."""
    if mode == "window":
        return random_bundle(1, 3, (4,), PRESETS["narrow"], mode="window", window=5)
    return random_bundle(1, 3, (4,), PRESETS["narrow"])


def random_ticks(bundle: Bundle, gap_ns: int = 2_000_000) -> Ticks:
    """4,096 ticks at an even pace."""
    features = random_features(np.random.default_rng(3), bundle.spec, (4096,))
    return Ticks(features, np.full(4096, gap_ns, np.int64))


@dataclass
class World:
    """Two native engines on devices that fail on command: ``card`` before ``shadow``."""

    bundle: Bundle
    settings: FailoverSettings = SETTINGS
    names: tuple[str, ...] = ("card", "shadow")
    ticks: Ticks | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    plans: dict[str, FaultPlan] = field(init=False)
    group: EngineGroup = field(init=False)
    predictions: list[Prediction] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    """Sequence numbers of ticks whose answer differs from a run without faults."""

    def __post_init__(self) -> None:
        self.plans = {
            name: FaultPlan(latency_ns=20_000 + 5_000 * k, deadline_ns=self.settings.deadline_ns)
            for k, name in enumerate(self.names)
        }
        engines: dict[str, Opener] = {
            name: cast(Opener, partial(FaultyEngine, self.bundle, CpuEngine.open, plan))
            for name, plan in self.plans.items()
        }
        lanes = faulty_lanes(self.clock, self.plans)
        self.group = EngineGroup(self.bundle, engines, self.settings, self.clock, lane_of=lanes)
        self.native = CpuEngine.open(self.bundle)
        self._ticks = self.ticks or random_ticks(self.bundle)

    def state_of(self, name: str) -> MemberState:
        """How far an engine is trusted."""
        return next(member.state for member in self.group.members if member.name == name)

    def tick(self, count: int = 1, fault: tuple[str, Fault] | None = None) -> int:
        """Ticks, the fault before the first; returns how many answers were wrong."""
        before = len(self.wrong)
        if fault is not None:
            self.plans[fault[0]].fault = fault[1]
        for _ in range(count):
            at = len(self.predictions) % len(self._ticks.features)
            if at in self._ticks.resets:
                self.reset()
            features = self._ticks.features[at]
            prediction = self.group.predict(features)
            right = self.native.step(features)
            same = np.array_equal(prediction.outputs.logits, right.logits)
            if not same or not np.array_equal(prediction.outputs.scores, right.scores):
                self.wrong.append(prediction.sequence)
            self.predictions.append(prediction)
            self.clock.advance(int(self._ticks.gap_ns[at]))
            self.group.attend()
        return len(self.wrong) - before

    def reset(self) -> None:
        """Both streams begin anew."""
        self.group.reset()
        self.native.reset()
