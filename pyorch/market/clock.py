"""The receiver's clock: timer ticks that let windows of time expire in silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.tape import Tape

DEFAULT_PERIOD_NS = 100_000_000


def insert_timer_ticks(tape: Tape, period_ns: int = DEFAULT_PERIOD_NS) -> Tape:
    """The tape with a TIMER row wherever nothing was received for ``period_ns``, and each period after.

    Timer rows belong to instrument 0 and are part of the tape, so that streaming and batch readers see
    the same. A row that arrives exactly at the end of a period takes the timer's place. A tape that
    holds timers already is returned with the same rows.

    Raises:
        UsageError: the period is not positive.
    """
    if period_ns <= 0:
        raise UsageError(f"a timer period of {period_ns} ns cannot be used; it must be positive")
    events = tape.events
    local_ns = events["local_ns"]
    ticks_after = np.maximum(np.diff(local_ns) - 1, 0) // period_ns
    total = int(ticks_after.sum())
    result = np.zeros(len(events) + total, EVENT_DTYPE)
    shift = np.concatenate([[0], np.cumsum(ticks_after)])[: len(events)]
    kept = np.arange(len(events)) + shift
    result[kept] = events
    result[np.setdiff1d(np.arange(len(result)), kept, assume_unique=True)] = _timers(
        local_ns, ticks_after, period_ns
    )
    counts = tape.counts | {"timer_ticks": tape.counts.get("timer_ticks", 0) + total}
    return Tape(result, tape.instruments, tape.name, counts)


def _timers(
    local_ns: NDArray[np.int64], ticks_after: NDArray[np.int64], period_ns: int
) -> EventArray:
    before = np.repeat(np.arange(len(ticks_after)), ticks_after)
    rank = np.arange(len(before)) - np.repeat(np.cumsum(ticks_after) - ticks_after, ticks_after)
    timers = np.zeros(len(before), EVENT_DTYPE)
    timers["local_ns"] = local_ns[before] + (rank + 1) * period_ns
    for name in ("exchange_ns", "first_sequence", "sequence", "previous_sequence"):
        timers[name] = -1
    timers["kind"] = Kind.TIMER
    timers["side"] = Side.NONE
    timers["flags"] = Flag.FIRST | Flag.LAST
    return timers
