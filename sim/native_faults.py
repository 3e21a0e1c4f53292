"""Faults planted in a card that the native tick loop drives: `pyorch/native/faulty_bus.hpp` plays them."""

from __future__ import annotations

from collections.abc import Iterable

from pyorch.contract.errors import UsageError
from sim.faults import Fault

NUMBERS = {
    Fault.KILL: 0,
    Fault.HANG: 1,
    Fault.SLOW: 2,
    Fault.WEIGHT: 3,
    Fault.STATE: 4,
    Fault.ANSWER: 5,
    Fault.UNPLUG: 6,
    Fault.IDENTITY: 7,
    Fault.STUCK: 8,
    Fault.SILENT: 9,
}
"""As the native enumeration has them."""

INSIDE = (Fault.WEIGHT, Fault.STATE)
"""Only a card in software can be broken inside; on a simulated fabric the bus fails."""


def planted(plan: Iterable[str]) -> list[tuple[int, Fault]]:
    """``hang@400`` → the fault, and the doorbell that it strikes at, counted from 1.

    Raises:
        UsageError: not of this form.
    """
    faults = []
    for text in plan:
        name, _, doorbell = text.partition("@")
        if name.upper() not in Fault.__members__ or not doorbell.isdigit() or int(doorbell) < 1:
            raise UsageError(
                f"fault {text!r}: write NAME@TICK, NAME one of {[one.name.lower() for one in Fault]}, "
                "TICK from 1 on"
            )
        faults.append((int(doorbell), Fault[name.upper()]))
    return faults


def numbered(faults: Iterable[tuple[int, Fault]]) -> list[tuple[int, int]]:
    """As the native constructors take them."""
    return [(doorbell, NUMBERS[fault]) for doorbell, fault in faults]
