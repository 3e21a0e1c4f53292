"""The native failover beside a card in software, in time that only its register accesses move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.inference.failover.native import NativeFailover
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.flat import flat_model
from sim.faults import Fault, flipped_weight
from sim.native_faults import numbered

SETTINGS = FailoverSettings(
    checkpoint_ticks=16, probation_ticks=20, retry_ns=5_000_000, heartbeat_ns=4_000_000
)


@dataclass
class SoftwarePair:
    """A card that fails on command, and the pair that it makes with the native engine.

    Attributes:
        faults: (doorbell, fault) in the order of time.
        gap_ns: passes between two ticks; access_ns: of a register; tick_ns: of a tick on the card.
        failing_resets: openings that fail after the fault `unplug`.
        real_time: deadlines are those of the machine's clock; the card still counts its own accesses.
    """

    bundle: Bundle
    faults: Iterable[tuple[int, Fault]] = ()
    settings: FailoverSettings = SETTINGS
    gap_ns: int = 2_000_000
    access_ns: int = 100
    tick_ns: int = 5_000
    failing_resets: int = 2
    real_time: bool = False
    clock: _native.ManualClock = field(init=False)
    card: _native.SoftwareCard = field(init=False)
    pair: NativeFailover = field(init=False)

    def __post_init__(self) -> None:
        faults = list(self.faults)
        breaks = any(fault is Fault.WEIGHT for _, fault in faults)
        broken = flipped_weight(self.bundle) if breaks else self.bundle
        self.clock = _native.ManualClock(self.gap_ns)
        self.card = _native.SoftwareCard(
            model=np.ascontiguousarray(flat_model(self.bundle)),
            broken=np.ascontiguousarray(flat_model(broken)),
            clock=self.clock,
            access_ns=self.access_ns,
            tick_ns=self.tick_ns,
            faults=numbered(faults),
            slow_ns=10 * self.settings.deadline_ns,
            failing_resets=self.failing_resets,
        )
        clock = None if self.real_time else self.clock
        self.pair = NativeFailover(self.bundle, self.card, self.settings, clock)


def lockstep(every: int = 1) -> FailoverSettings:
    """The settings of tests, comparing every so many ticks."""
    return replace(SETTINGS, every=every)
