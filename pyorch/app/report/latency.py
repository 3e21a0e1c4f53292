"""Where the time of a tick goes, against the budgets of the product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.trading.records import STAGES, RecordArray, TickFlag


@dataclass(frozen=True, slots=True)
class Stage:
    """Durations of a stage over the ticks that sent quotes, in us."""

    name: str
    p50_us: float
    p99_us: float
    maximum_us: float
    start_us: float
    """Where its bar begins in the waterfall of medians."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit, and what was used of it at the 99th percentile."""

    name: str
    stages: tuple[str, ...]
    limit_us: float
    p50_us: float
    p99_us: float
    maximum_us: float

    @property
    def span(self) -> str:
        """Its stages, in words."""
        if len(self.stages) == 1:
            return self.stages[0]
        return f"{self.stages[0]} to {self.stages[-1]}"

    @property
    def share(self) -> float:
        """p99 as a share of the limit."""
        return self.p99_us / self.limit_us

    @property
    def within(self) -> bool:
        """Whether the 99th percentile keeps the limit."""
        return self.p99_us <= self.limit_us


BUDGETS = (
    ("event to message bytes", STAGES, 100.0),
    ("inference", ("engine",), 50.0),
    ("preprocessing", ("book", "features"), 30.0),
    ("event to decision", ("book", "features", "engine", "policy"), 10.0),
)
"""The budgets: whole tick, inference, preprocessing, and the feature path up to the decision."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The waterfall and the budgets."""

    ticks: int
    stages: tuple[Stage, ...]
    total: Stage
    budgets: tuple[Budget, ...]
    axis_us: float
    """Right end of the waterfall's axis."""


def measure(ticks: RecordArray) -> Latency:
    """Stage durations of the ticks that sent at least one quote (of all ticks, if none did).

    Args:
        ticks: [n] of `TICK_DTYPE`.
    """
    quoted = ticks[(ticks["flags"] & TickFlag.QUOTED) != 0]
    chosen = quoted if len(quoted) else ticks
    stages: list[Stage] = []
    start = 0.0
    for name in STAGES:
        stage = _stage(name, chosen[f"{name}_ns"].astype(np.float64), start)
        stages.append(stage)
        start += stage.p50_us
    total = _stage("total", chosen["total_ns"].astype(np.float64), 0.0)
    budgets = []
    for name, parts, limit in BUDGETS:
        spent = (
            chosen["total_ns"].astype(np.float64)
            if parts == STAGES
            else np.sum([chosen[f"{part}_ns"] for part in parts], axis=0, dtype=np.float64)
        )
        one = _stage(name, spent, 0.0)
        budgets.append(Budget(name, parts, limit, one.p50_us, one.p99_us, one.maximum_us))
    return Latency(
        len(chosen), tuple(stages), total, tuple(budgets), max(start, total.p50_us, 1e-3)
    )


def _stage(name: str, durations_ns: NDArray[np.float64], start_us: float) -> Stage:
    if not len(durations_ns):
        return Stage(name, 0.0, 0.0, 0.0, start_us)
    p50, p99 = np.percentile(durations_ns, [50, 99]) / 1e3
    return Stage(name, float(p50), float(p99), float(durations_ns.max()) / 1e3, start_us)
