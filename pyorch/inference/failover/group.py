"""Several engines behind one prediction a tick."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Outputs
from pyorch.contract.errors import DeviceError, MismatchError
from pyorch.contract.fixed import IntArray
from pyorch.inference.failover.arbiter import Arbiter, equal_outputs
from pyorch.inference.failover.clock import Clock, MonotonicClock
from pyorch.inference.failover.lane import InlineLane, Lane, Opener
from pyorch.inference.failover.member import Member
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import Incident, MemberState

REFERENCE = "reference"
"""Name under which the arbiter answers."""

KEPT_TICKS = 1024
ATTENDED = 8
KEPT_INCIDENTS = 10_000


class Assurance(Enum):
    """What stands behind an answer at the moment of its use."""

    CHECKED = "checked"
    """Two engines gave these bits, or the reference did."""
    SHADOWED = "shadowed"
    """An exact engine's; a second one will have compared it within the stated number of ticks."""
    ALONE = "alone"
    """A healthy exact engine's, and no second one answers at present; the reference replays it at each
    checkpoint."""
    UNVERIFIED = "unverified"
    """An engine's that nobody has looked at for longer than the checkpoints promise."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Outputs of a tick, and who vouches for them.

    Attributes:
        sequence: number of the tick, from 1.
        engine: who answered.
        exact: the contract's bits; otherwise within the engine's bound.
        late: the deadline had passed.
        ns: from the features to the answer.
    """

    outputs: Outputs
    sequence: int
    engine: str
    exact: bool
    assurance: Assurance
    late: bool
    ns: int

    @property
    def cautious(self) -> bool:
        """Whether quotes should be wider for it: inexact, unverified or late. A hand-over between exact
        engines in time is none of these."""
        return not self.exact or self.late or self.assurance is Assurance.UNVERIFIED


@dataclass(frozen=True, slots=True)
class Record:
    """An incident of the journal."""

    sequence: int
    at_ns: int
    engine: str
    incident: Incident
    state: MemberState
    """After it."""
    detail: str


class EngineGroup:
    """Engines in order of preference.

    `predict` answers a tick; `attend`, between ticks, compares states, feels pulses and opens what failed.
    One thread calls both.

    Args:
        bundle: model that every engine runs.
        engines: name → how it is opened (golden vectors included), the preferred one first.
        settings: deadlines and modes.
        clock: time.
        inline: engines that run on the caller's thread; the others have one each.
        lane_of: how lanes of the others are made, for tests.

    Attributes:
        records: what befell the engines, newest last.
        counts: ticks, hand_overs, late_answers (used after the deadline), compared, wrong_used, ..., and each
            incident by its name (``late``: an engine missed its patience).

    Raises:
        DeviceError: no engine opens; the message has each one's reason.
    """

    def __init__(
        self,
        bundle: Bundle,
        engines: Mapping[str, Opener],
        settings: FailoverSettings | None = None,
        clock: Clock | None = None,
        inline: tuple[str, ...] = (),
        lane_of: Callable[[str, Opener], Lane] | None = None,
    ) -> None:
        from pyorch.inference.failover.care import Care
        from pyorch.inference.failover.lane import ThreadLane

        self.settings = settings or FailoverSettings()
        self.clock = clock = clock or MonotonicClock()
        self.records: deque[Record] = deque(maxlen=KEPT_INCIDENTS)
        self.counts: Counter[str] = Counter()
        self.arbiter = Arbiter(bundle)
        self.sequence = 0
        self._used: dict[int, tuple[Outputs, bool, str]] = {}
        self._answering = ""

        def lane(name: str) -> Callable[[Opener], Lane]:
            if name in inline:
                return lambda opener: InlineLane(opener, clock)
            if lane_of is not None:
                return lambda opener: lane_of(name, opener)
            return lambda opener: ThreadLane(opener, clock)

        self.members = [Member(name, opener, lane(name)) for name, opener in engines.items()]
        self._care = Care(self)
        self._care.open_all()
        if not any(member.running for member in self.members):
            reasons = "; ".join(f"{r.engine}: {r.detail}" for r in self.records)
            raise DeviceError(f"no engine opens ({reasons}); add `cpu`, which opens everywhere")

    def predict(self, features: IntArray) -> Prediction:
        """One tick: features [F] (raw) → a prediction, always."""
        begin = self.clock.now_ns()
        until = begin + self.settings.deadline_ns
        self.sequence += 1
        sequence, mode = self.sequence, self.settings.mode
        features = np.array(features, np.int64)
        if len(self.arbiter.entries) >= ATTENDED * self.settings.checkpoint_ticks:
            self.attend()  # nobody did for long: what is kept must stay bounded
        self.arbiter.record(sequence, features)
        for member in self.members:
            if member.running:
                self.settle(member)
            if member.running:
                member.pending.append((sequence, features))
        for member in self._due():
            member.ask(begin, begin + self.settings.patience_ns)
        self._await(begin, until)
        prediction = self._choose(sequence, begin, until)
        self._used[sequence] = (prediction.outputs, prediction.exact, prediction.engine)
        self._used.pop(sequence - KEPT_TICKS, None)
        if mode == "passive" and self.settings.every > 1 and sequence % self.settings.every == 0:
            self._ask_shadows()
        self.counts["ticks"] += 1
        self.counts["late_answers"] += prediction.late
        self.counts["cautious"] += prediction.cautious
        if self._answering not in ("", prediction.engine):
            self.counts["hand_overs"] += 1
        self._answering = prediction.engine
        return prediction

    def reset(self) -> None:
        """Zero state before the next tick."""
        self.arbiter.record(self.sequence, None)
        for member in self.members:
            if member.running:
                member.pending.append((self.sequence, None))

    def attend(self) -> None:
        """What is due between ticks; may wait for states when a checkpoint is."""
        for member in self.members:
            if member.running:
                self.settle(member)
        self._care.attend()

    def close(self) -> None:
        """Give every engine up."""
        for member in self.members:
            if member.lane is not None:
                member.lane.abandon()

    # ---- a tick
    def _due(self) -> list[Member]:
        """Who is asked now: in lockstep all that are idle, else the one that answers."""
        idle = [member for member in self.members if member.running and member.work is None]
        if self.settings.every == 1:
            return idle
        healthy = [member for member in idle if member.state is MemberState.HEALTHY]
        return (healthy or idle)[:1]

    def _ask_shadows(self) -> None:
        now = self.clock.now_ns()
        for member in self.members:
            if member.running and member.work is None and member.pending:
                member.ask(now, now + self.settings.patience_ns)

    def _await(self, begin: int, until: int) -> None:
        """Wait for the answers that the mode needs, and take them in."""
        if self.settings.mode == "fast":
            self._catch_up(begin)
        asked = [member for member in self.members if member.work is not None]
        wanted = [m for m in asked if m.state is MemberState.HEALTHY] or asked
        over = self._first if self.settings.mode == "fast" else self._all
        self.clock.wait(lambda: over(wanted), begin + self.settings.patience_ns)
        for member in asked:
            if member.running:
                self.settle(member)
        if self.settings.every > 1 and not any(self.sequence in m.answers for m in asked):
            self._ask_shadows()  # in time for this tick's deadline, if they are quick
            others = [member for member in self.members if member.work is not None]
            self.clock.wait(lambda: self._first(others), until)
            for member in others:
                if member.running:
                    self.settle(member)

    def _catch_up(self, begin: int) -> None:
        """Wait for who owes an earlier tick and is not late: one answer in use is uncompared at most."""
        healthy = [m for m in self.members if m.state is MemberState.HEALTHY and m.work is not None]
        behind = [m for m in healthy if m.asked_from < self.sequence and begin < m.until_ns]
        if not behind:
            return
        self.clock.wait(lambda: self._all(behind), max(m.until_ns for m in behind))
        now = self.clock.now_ns()
        for member in behind:
            if member.running:
                self.settle(member)
            if member.running and member.work is None and member.pending:
                member.ask(now, begin + self.settings.patience_ns)

    def _all(self, members: list[Member]) -> bool:
        now = self.clock.now_ns()
        return all(member.work is None or member.work.ready(now) for member in members)

    def _first(self, members: list[Member]) -> bool:
        """Whether an answer is there, or none can come any more."""
        tickets = [member.work for member in members if member.work is not None]
        over = [ticket for ticket in tickets if ticket.ready(self.clock.now_ns())]
        return any(ticket.error is None for ticket in over) or len(over) == len(tickets)

    def _choose(self, sequence: int, begin: int, until: int) -> Prediction:
        healthy = [m for m in self.members if m.state is MemberState.HEALTHY]
        others = [m for m in self.members if m.state is MemberState.PROBATION]
        answered = [m for m in healthy if sequence in m.answers]
        checked = any(
            m is not n and m.exact and n.exact and sequence in m.answers and sequence in n.answers
            for m in answered
            for n in healthy + others
        )
        assurance = self._assurance(checked, len(healthy))
        member = next((m for m in answered if m.exact), next(iter(answered), None))
        unchecked = assurance is not Assurance.CHECKED
        if member is None or (self.settings.mode == "safe" and unchecked):
            outputs, name, exact = self.arbiter.answer(sequence), REFERENCE, True
            assurance = Assurance.CHECKED
            self.counts["by_reference"] += 1
            for one in healthy + others:
                if sequence in one.answers and self._compare(one, sequence, outputs):
                    self._credit(one, sequence)
        else:
            outputs, name, exact = member.answers[sequence], member.name, member.exact
        now = self.clock.now_ns()
        return Prediction(outputs, sequence, name, exact, assurance, now > until, now - begin)

    def _assurance(self, checked: bool, healthy: int) -> Assurance:
        if checked:
            return Assurance.CHECKED
        if len(self.arbiter.entries) > 2 * self.settings.checkpoint_ticks:
            return Assurance.UNVERIFIED
        later = self.settings.every > 1 or self.settings.mode == "fast"
        return Assurance.SHADOWED if later and healthy > 1 else Assurance.ALONE

    # ---- what engines say
    def settle(self, member: Member) -> None:
        """Take in a member's answers, errors and missed deadlines."""
        ticket, now = member.work, self.clock.now_ns()
        if ticket is None:
            return
        if not ticket.ready(now):
            if now >= member.asked_ns + self.settings.hung_ns:
                waited_us = (now - member.asked_ns) // 1000
                self.record(member, Incident.HUNG, f"no answer for {waited_us:,} us")
            elif now >= member.until_ns and not member.late:
                member.late = True
                self.record(member, Incident.LATE, "no answer by the deadline")
            return
        member.work = None
        if ticket.error is not None:
            self.failed(member, ticket.error)
            return
        assert ticket.done_ns is not None
        if ticket.done_ns > member.until_ns and not member.late:
            over_us = (ticket.done_ns - member.until_ns) // 1000
            self.record(member, Incident.LATE, f"{over_us:,} us after the deadline")
        member.keep(ticket.value)
        for sequence in ticket.value:
            if member.running:
                self._compare_all(member, sequence)

    def review(self) -> None:
        """Hold every answer since the agreed state against the reference's."""
        for sequence, features in list(self.arbiter.entries):
            if features is not None:
                self._judge(sequence)

    def failed(self, member: Member, error: Exception) -> None:
        """An engine raised."""
        wrong = isinstance(error, MismatchError)
        self.record(member, Incident.IDENTITY if wrong else Incident.ERROR, str(error))

    def record(self, member: Member, incident: Incident, detail: str) -> None:
        """Change a member's state, and write it down."""
        member.befall(incident)
        if member.state is MemberState.FAILED:
            self._care.schedule(member)
        elif incident is Incident.CLEAN:
            member.retry_ns = 0
        self.counts[incident.value] += 1
        now = self.clock.now_ns()
        self.records.append(Record(self.sequence, now, member.name, incident, member.state, detail))

    def _compare_all(self, member: Member, sequence: int) -> None:
        """Compare a member's answer of a tick with what the others said, and with what was used."""
        mine = member.answers[sequence]
        agreeing, differs = [member], False
        for other in self.members:
            if other is not member and other.running and sequence in other.answers:
                if self._agree(member, mine, other, other.answers[sequence]):
                    agreeing.append(other)
                else:
                    differs = True
        used = self._used.get(sequence)
        if used is not None and used[2] != member.name and used[1] and member.exact:
            differs = differs or not equal_outputs(mine, used[0])
        if differs:
            self.counts["disputes"] += 1
            self._judge(sequence)
        elif used is not None or len(agreeing) > 1:
            self.counts["compared"] += 1
            for one in agreeing:
                self._credit(one, sequence)

    def _credit(self, member: Member, sequence: int) -> None:
        """A compared tick without a fault."""
        if member.state is MemberState.PROBATION and sequence > member.credited:
            member.credited = sequence
            member.clean += 1
            if member.clean >= self.settings.probation_ticks:
                self.record(member, Incident.CLEAN, f"{member.clean} compared ticks")

    def _agree(self, one: Member, mine: Outputs, other: Member, theirs: Outputs) -> bool:
        if one.exact and other.exact:
            return equal_outputs(mine, theirs)
        assert one.info is not None and other.info is not None
        bound = one.info.bound_lsb + other.info.bound_lsb
        return int(abs(mine.logits - theirs.logits).max()) <= bound

    def _judge(self, sequence: int) -> None:
        """Two engines differ: the reference says who is wrong."""
        try:
            right = self.arbiter.answer(sequence)
        except KeyError:  # agreed on since, states included
            return
        for member in self.members:
            if member.running and sequence in member.answers:
                self._compare(member, sequence, right)
        if sequence in self._used:
            outputs, exact, name = self._used[sequence]
            if exact and not equal_outputs(outputs, right):
                self.counts["wrong_used"] += 1
                self._used[sequence] = (right, True, name)

    def _compare(self, member: Member, sequence: int, right: Outputs) -> bool:
        """Hold a member's answer against the reference's; whether it is right."""
        mine = member.answers[sequence]
        assert member.info is not None
        off = int(abs(mine.logits - right.logits).max())
        wrong = not equal_outputs(mine, right) if member.exact else off > member.info.bound_lsb
        if wrong:
            self.record(
                member, Incident.WRONG, f"tick {sequence}: a logit is {off} LSB off the reference"
            )
        return not wrong
