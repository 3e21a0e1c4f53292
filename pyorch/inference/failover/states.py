"""The state machine of one engine in a group, as data; docs/failover.md draws it."""

from __future__ import annotations

from enum import Enum


class MemberState(Enum):
    """How far an engine is trusted."""

    OPENING = "opening"
    """Its device is being opened; golden vectors are replayed."""
    PROBATION = "probation"
    """It runs and is compared, but answers only when nobody else does."""
    HEALTHY = "healthy"
    """It may answer."""
    FAILED = "failed"
    """It is not asked; its device is opened anew after a while."""


class Incident(Enum):
    """What can happen to an engine."""

    OPENED = "opened"
    CLEAN = "clean"
    """Its probation passed without a difference or a missed deadline."""
    LATE = "late"
    """No answer within the deadline."""
    HUNG = "hung"
    """No answer for so long that none is expected."""
    ERROR = "error"
    WRONG = "wrong"
    """The arbiter found its answer or state to be other than the reference's."""
    IDENTITY = "identity"
    """The device does not hold the bundle."""
    STUCK = "stuck"
    """The device's counter of steps did not move with the steps."""
    SILENT = "silent"
    """No heartbeat."""
    RETRY = "retry"


FATAL = (
    Incident.HUNG, Incident.ERROR, Incident.WRONG, Incident.IDENTITY, Incident.STUCK, Incident.SILENT,
)  # fmt: skip
"""After these a device is opened anew before anything that it says is looked at."""

TRANSITIONS: dict[tuple[MemberState, Incident], MemberState] = {
    (MemberState.OPENING, Incident.OPENED): MemberState.PROBATION,
    (MemberState.OPENING, Incident.ERROR): MemberState.FAILED,
    (MemberState.OPENING, Incident.HUNG): MemberState.FAILED,
    (MemberState.PROBATION, Incident.CLEAN): MemberState.HEALTHY,
    (MemberState.PROBATION, Incident.LATE): MemberState.PROBATION,
    (MemberState.HEALTHY, Incident.LATE): MemberState.PROBATION,
    (MemberState.FAILED, Incident.RETRY): MemberState.OPENING,
} | {
    (state, incident): MemberState.FAILED
    for state in (MemberState.PROBATION, MemberState.HEALTHY)
    for incident in FATAL
}
"""Every pair that can occur. A missed deadline costs trust, not the device."""


def after(state: MemberState, incident: Incident) -> MemberState:
    """The next state.

    Raises:
        KeyError: such an incident cannot befall an engine in this state.
    """
    return TRANSITIONS[state, incident]
