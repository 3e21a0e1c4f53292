"""What a group does between ticks: checkpoints of the state, heartbeats, opening what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyorch.contract.engine import State
from pyorch.inference.failover.arbiter import equal_states
from pyorch.inference.failover.lane import Ticket
from pyorch.inference.failover.member import COUNTER, Member
from pyorch.inference.failover.states import Incident, MemberState

if TYPE_CHECKING:
    from pyorch.inference.failover.group import EngineGroup


class Care:
    """The slow half of an `EngineGroup`."""

    def __init__(self, group: EngineGroup) -> None:
        self._group = group

    def attend(self) -> None:
        """Everything that is due."""
        group = self._group
        self._reopen()
        for member in group.members:
            if member.running:
                self._feel(member)
        if len(group.arbiter.entries) >= group.settings.checkpoint_ticks:
            self._checkpoint()

    # ---- opening
    def open_all(self) -> None:
        """Open every engine and wait for them; who opens now starts from the same zero state as all."""
        group = self._group
        until = group.clock.now_ns() + group.settings.open_ns
        for member in group.members:
            member.open(group.clock.now_ns(), until)
        tickets = [member.work for member in group.members if member.work is not None]
        group.clock.wait(
            lambda: all(ticket.ready(group.clock.now_ns()) for ticket in tickets), until
        )
        for member in group.members:
            self._opened(member)
            if member.running:
                group.record(member, Incident.CLEAN, "its golden vectors came out")

    def schedule(self, member: Member) -> None:
        """When a failed member is opened again: later each time."""
        settings = self._group.settings
        member.retry_at_ns = self._group.clock.now_ns() + max(member.retry_ns, settings.retry_ns)
        member.retry_ns = min(2 * max(member.retry_ns, settings.retry_ns), settings.most_retry_ns)

    def _reopen(self) -> None:
        group, now = self._group, self._group.clock.now_ns()
        for member in group.members:
            if member.state is MemberState.FAILED and now >= member.retry_at_ns:
                group.record(member, Incident.RETRY, "")
                member.open(now, now + group.settings.open_ns)
            if member.state is MemberState.OPENING:
                self._opened(member)

    def _opened(self, member: Member) -> None:
        """Bring a device that has opened to the present: the agreed state, then the ticks since."""
        group, ticket, now = self._group, member.work, self._group.clock.now_ns()
        assert ticket is not None and member.lane is not None
        if not ticket.ready(now):
            if now >= member.until_ns:
                seconds = (now - member.asked_ns) / 1e9
                group.record(member, Incident.HUNG, f"not open after {seconds:.0f} s")
            return
        member.work = None
        if ticket.error is not None:
            group.record(member, Incident.ERROR, str(ticket.error))
            return
        member.info = ticket.value
        group.record(member, Incident.OPENED, ticket.value.device)
        member.felt_ns, member.credited = now, group.sequence
        agreed = group.arbiter.agreed
        member.lane.submit(lambda engine: engine.load_state(agreed))
        member.pending.extend(group.arbiter.entries)

    # ---- heartbeats
    def _feel(self, member: Member) -> None:
        group, now = self._group, self._group.clock.now_ns()
        if member.pulse is not None:
            self._felt(member, member.pulse, now)
        elif member.work is None and now >= member.felt_ns + group.settings.heartbeat_ns:
            assert member.lane is not None
            member.pulse = member.lane.submit(lambda engine: engine.pulse())
            member.pulse_steps, member.stepped = member.stepped, 0
            member.pulse_until_ns = now + group.settings.hung_ns
            self._felt(member, member.pulse, now)

    def _felt(self, member: Member, ticket: Ticket, now: int) -> None:
        group = self._group
        if not ticket.ready(now):
            if now >= member.pulse_until_ns:
                group.record(member, Incident.SILENT, "no heartbeat")
            return
        member.pulse, member.felt_ns = None, now
        if ticket.error is not None:
            group.failed(member, ticket.error)
            return
        expected = None
        if member.counted is not None:
            expected = (member.counted + member.pulse_steps) % COUNTER
        member.counted = ticket.value % COUNTER
        if expected is not None and member.counted != expected:
            group.record(
                member, Incident.STUCK, f"it counts {member.counted:,} steps, not {expected:,}"
            )

    # ---- states
    def _checkpoint(self) -> None:
        """Read the states of all that are idle; if they are equal they are the new agreed one."""
        group = self._group
        until = group.clock.now_ns() + group.settings.checkpoint_ns
        waiting: dict[str, Ticket] = {}
        inexact: list[Member] = []
        for member in group.members:
            if not member.running or member.work is not None:
                continue
            assert member.lane is not None
            if not member.exact:
                inexact.append(member)
                continue
            if member.pending:
                member.ask(group.clock.now_ns(), until)
            waiting[member.name] = member.lane.submit(lambda engine: engine.state())
        group.clock.wait(
            lambda: all(ticket.ready(group.clock.now_ns()) for ticket in waiting.values()), until
        )
        states: dict[str, State] = {}
        for member in group.members:
            if member.name not in waiting:
                continue
            ticket = waiting[member.name]
            group.settle(member)
            if not member.running:
                continue
            if not ticket.ready(group.clock.now_ns()):
                group.record(member, Incident.HUNG, "its state could not be read in time")
            elif ticket.error is not None:
                group.failed(member, ticket.error)
            else:
                states[member.name] = ticket.value
        first = next(iter(states.values()), None)
        agree = first is not None and all(equal_states(first, one) for one in states.values())
        if first is None or not agree or len(states) == 1:
            group.review()
            first = group.arbiter.state()
            for member in group.members:
                state = states.get(member.name, first)
                if member.running and not equal_states(state, first):
                    group.record(member, Incident.WRONG, "its state is not the reference's")
        group.arbiter.agree(first)
        for member in inexact:  # their error does not add up beyond a checkpoint
            assert member.lane is not None
            member.pending.clear()
            member.lane.submit(lambda engine: engine.load_state(group.arbiter.agreed))
