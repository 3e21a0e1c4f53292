"""One engine of a group: its state, the ticks it has yet to run, the answers it gave."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pyorch.contract.engine import Engine, EngineInfo, Outputs
from pyorch.inference.failover.arbiter import Entry
from pyorch.inference.failover.lane import Lane, Opener, Ticket
from pyorch.inference.failover.states import Incident, MemberState, after

COUNTER = 1 << 32
"""Devices count steps in 32 bits."""

KEPT_ANSWERS = 1024


@dataclass(slots=True)
class Member:
    """An engine by name, in the order of preference.

    Attributes:
        lane_of: makes a lane that opens the engine.
        pending: ticks and resets that it has not been given yet.
        work: the ticket under way, until when its answer is in time, and (`asked_from`) its earliest tick.
        pulse: the heartbeat under way, and until when.
        answers: what it answered, by tick.
        counted: what the device's counter was at the last heartbeat; stepped, pulse_steps: steps given to it
            since, and up to the heartbeat under way.
        clean, credited: compared ticks without a fault since its probation began, the last of them.
    """

    name: str
    opener: Opener
    lane_of: Callable[[Opener], Lane]
    state: MemberState = MemberState.OPENING
    lane: Lane | None = None
    info: EngineInfo | None = None
    pending: deque[Entry] = field(default_factory=deque)
    work: Ticket | None = None
    until_ns: int = 0
    asked_ns: int = 0
    asked_from: int = 0
    late: bool = False
    pulse: Ticket | None = None
    pulse_until_ns: int = 0
    felt_ns: int = 0
    counted: int | None = None
    pulse_steps: int = 0
    stepped: int = 0
    answers: dict[int, Outputs] = field(default_factory=dict)
    clean: int = 0
    credited: int = 0
    retry_at_ns: int = 0
    retry_ns: int = 0

    @property
    def running(self) -> bool:
        """Whether it gets the ticks."""
        return self.state in (MemberState.HEALTHY, MemberState.PROBATION)

    @property
    def exact(self) -> bool:
        """Whether its answers are the contract's bits."""
        return self.info is not None and self.info.exact

    def befall(self, incident: Incident) -> None:
        """Change state; leaving the running states gives the device up."""
        self.state = after(self.state, incident)
        if self.state is MemberState.PROBATION:
            self.clean = 0
        if self.state is MemberState.FAILED:
            if self.lane is not None:
                self.lane.abandon()
            self.lane, self.work, self.pulse, self.counted = None, None, None, None
            self.pending.clear()
            self.answers.clear()

    def open(self, now_ns: int, until_ns: int) -> None:
        """Begin to open the device on a new lane."""
        self.lane = self.lane_of(self.opener)
        self.asked_ns, self.until_ns, self.late = now_ns, until_ns, False
        self.work = self.lane.submit(lambda engine: engine.info)

    def ask(self, now_ns: int, until_ns: int) -> None:
        """Hand over what is pending."""
        assert self.lane is not None and self.work is None
        entries = list(self.pending)
        self.pending.clear()
        ticks = [sequence for sequence, features in entries if features is not None]
        self.stepped += len(ticks)
        self.asked_from = min(ticks, default=0)
        self.asked_ns, self.until_ns, self.late = now_ns, until_ns, False
        self.work = self.lane.submit(lambda engine: run_entries(engine, entries))

    def keep(self, answers: dict[int, Outputs]) -> None:
        """Remember answers for comparison."""
        self.answers |= answers
        while len(self.answers) > KEPT_ANSWERS:
            del self.answers[next(iter(self.answers))]


def run_entries(engine: Engine, entries: list[Entry]) -> dict[int, Outputs]:
    """Steps and resets in order; the answers by tick."""
    answers: dict[int, Outputs] = {}
    for sequence, features in entries:
        if features is None:
            engine.reset()
        else:
            answers[sequence] = engine.step(features)
    return answers
