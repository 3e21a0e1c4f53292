"""Faults planted in a card that takes market events: `pyorch/native/event_card.hpp` plays them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from pyorch.contract.errors import UsageError


class EventFault(IntEnum):
    """As the native enumeration has them."""

    KILL = 0
    """Every access fails until a reset."""
    HANG = 1
    """No decision comes until a reset."""
    SLOW = 2
    """Some decisions come much later."""
    ANSWER = 3
    """One bit of one decision."""
    IDENTITY = 4
    """Decisions of another model, until a reset."""
    LOSE = 5
    """A frame does not arrive."""
    TWICE = 6
    """A frame arrives twice."""
    FLIP = 7
    """One bit of a frame's last beat."""


def planted(plan: Iterable[str]) -> list[tuple[int, EventFault]]:
    """``hang@400`` → the frame that it strikes at, counted from 1, and the fault.

    Raises:
        UsageError: not of this form.
    """
    faults = []
    for text in plan:
        name, _, frame = text.partition("@")
        if name.upper() not in EventFault.__members__ or not frame.isdigit() or int(frame) < 1:
            raise UsageError(
                f"fault {text!r}: write NAME@FRAME, NAME one of {[one.name.lower() for one in EventFault]}, "
                "FRAME from 1 on"
            )
        faults.append((int(frame), EventFault[name.upper()]))
    return faults
