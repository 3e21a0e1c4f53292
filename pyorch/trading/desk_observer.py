"""What a desk shows to whoever watches it: a copy, handed over between two of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyorch.trading.inputs import InputArray
from pyorch.trading.records import JournalBatch


@dataclass(frozen=True, slots=True)
class Observation:
    """A stretch of a run as its log has it, and what holds at its end.

    Attributes:
        now_ns: local time of the run.
        batch, inputs: records, quotes and FIX bytes; inputs taken in; since the last observation.
        texts: what was said into the log since then.
        positions_lots, deltas_ppm: per option; deltas are empty before the first pricing.
        refusals: per `pyorch.trading.records.Refusal`, since the run began.
        unsent: messages that the log was too slow for, since the run began.
        killed: the kill switch was pulled and not re-armed.
        stalled: the log is too slow, nothing is sent.
        ended: the run is over; nothing comes after it.
    """

    now_ns: int
    batch: JournalBatch
    inputs: InputArray
    texts: tuple[dict[str, Any], ...]
    positions_lots: tuple[int, ...]
    deltas_ppm: tuple[int, ...]
    refusals: tuple[int, ...]
    unsent: int
    killed: bool
    stalled: bool
    ended: bool = False


Observer = Callable[[Observation], None]
"""Called on the desk's thread: it must only take the observation and return."""
