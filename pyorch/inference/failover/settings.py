"""What a group of engines is allowed, and how closely it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyorch.contract.errors import UsageError

Mode = Literal["passive", "fast", "safe"]


@dataclass(frozen=True, slots=True)
class FailoverSettings:
    """Times in ns of the injected clock.

    Attributes:
        mode: ``passive``: the first healthy engine answers, the others shadow it. ``fast``: whichever
            answers first; compared afterwards. ``safe``: an answer is used after two agree.
        deadline_ns: from the features to the answer that is used.
        patience_ns: how long an engine is waited for; the rest of the deadline is for another's answer.
        every: in ``passive``, the shadows run every so many ticks and then catch up; what is used before
            is unchecked for at most so many ticks. 1: lockstep.
        hung_ns: without an answer for so long an engine is given up.
        checkpoint_ticks: states are compared this often; an arbiter replays at most about so many ticks.
        checkpoint_ns: how long a state is waited for.
        probation_ticks: compared ticks without a fault before an engine may answer again.
        heartbeat_ns: how often an engine's pulse is felt.
        retry_ns: before the first attempt to open an engine again; doubled at each failure.
        most_retry_ns: where the doubling ends.
        open_ns: how long opening may take.

    Raises:
        UsageError: values that exclude each other.
    """

    mode: Mode = "passive"
    deadline_ns: int = 1_000_000
    every: int = 1
    patience_ns: int = 500_000
    hung_ns: int = 20_000_000
    checkpoint_ticks: int = 64
    checkpoint_ns: int = 50_000_000
    probation_ticks: int = 256
    heartbeat_ns: int = 100_000_000
    retry_ns: int = 1_000_000_000
    most_retry_ns: int = 60_000_000_000
    open_ns: int = 60_000_000_000

    def __post_init__(self) -> None:
        if self.mode != "passive" and self.every != 1:
            raise UsageError(
                f"mode {self.mode} compares every tick; every = {self.every} goes with passive"
            )
        if not 1 <= self.every <= self.checkpoint_ticks:
            raise UsageError(
                f"every = {self.every}; it lies between 1 and checkpoint_ticks = {self.checkpoint_ticks}"
            )
        if not 0 < self.patience_ns < self.deadline_ns < self.hung_ns:
            raise UsageError(
                f"patience_ns {self.patience_ns:,}, deadline_ns {self.deadline_ns:,}, hung_ns "
                f"{self.hung_ns:,}: they must rise, above 0"
            )
