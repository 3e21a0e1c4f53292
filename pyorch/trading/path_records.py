"""What the quoting path's twin is given at a tick, and what it keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyorch.contract.fixed import IntArray
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, Answer, JournalBatch


@dataclass(frozen=True, slots=True)
class TickInput:
    """What the stages before hand over.

    Attributes:
        row, local_ns, sequence: of the tape's row that made the tick.
        forward_half_ticks: best bid + best ask of instrument 0.
        features: [F] int32; logits, scores: [O] int64.
        data_valid: the book is valid and has both sides.
        answer: who gave the scores, and what stands behind them.
    """

    row: int
    local_ns: int
    sequence: int
    forward_half_ticks: int
    features: IntArray
    logits: IntArray
    scores: IntArray
    data_valid: bool = True
    answer: Answer = field(default_factory=Answer)


@dataclass(slots=True)
class PathRecord:
    """Fields of a tick record that are not 0."""

    values: dict[str, Any]
    messages: list[bytes] = field(default_factory=list)


def batch_from(
    records: list[dict[str, Any]], quotes: list[tuple[Any, ...]], fix: list[bytes]
) -> JournalBatch:
    """As a journal batch."""
    ticks = np.zeros(len(records), TICK_DTYPE)
    for index, values in enumerate(records):
        for name, value in values.items():
            if name in ("features", "logits", "scores"):
                ticks[name][index, : len(value)] = value
            else:
                ticks[name][index] = value
    return JournalBatch(ticks, np.array(quotes, QUOTE_DTYPE), b"".join(fix))
