"""A fabric of two clocks, edge by edge: the queues between them as automata around `ShellControl`.

What crosses takes a part of a cycle more or less, by the phase between the clocks. `crossing_cycles` plays
one phase exactly; `idle_tick_bounds` is the closed form of the shortest and the longest idle tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hls.emit.shell_cycles import LONGEST_CYCLES, ShellControl, shell_of
from hls.emit.style import StylePlan
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import Kind
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import ModelSpec

QUEUE_WORDS = 16
"""Beats of each `async_fifo`."""
PS_A_US = 1_000_000
FASTEST_MHZ, SLOWEST_MHZ = 1000.0, 1.0
TICKS = 12
"""Frames, or vectors of a frame, of which the last three gaps make the interval."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Periods in ps of the AXI side's clock and the core's."""

    aclk_ps: int = 10_000
    core_ps: int = 10_000

    @classmethod
    def of_mhz(cls, aclk_mhz: float, core_mhz: float) -> Clocks:
        """Clocks of these frequencies; periods are rounded to ps.

        Raises:
            UsageError: a frequency that is not between 1 and 1000 MHz.
        """
        for name, value in (("aclk", aclk_mhz), ("core", core_mhz)):
            if not SLOWEST_MHZ <= value <= FASTEST_MHZ:
                raise UsageError(
                    f"{name}: {value:g} MHz; a clock has {SLOWEST_MHZ:g} to {FASTEST_MHZ:g} MHz"
                )
        return cls(round(PS_A_US / aclk_mhz), round(PS_A_US / core_mhz))

    def phases(self, count: int, vector_beats: int) -> list[int]:
        """Phases for `TwoClockControl.play`, both ends of an idle tick among them.

        The ends are where an edge of core_clk comes 1 ps, or a whole period, after the beat that the tick
        waits for: its last, or its first if the core's clock is the slower one and beats queue up.
        """
        beat = 1 if self.core_ps > self.aclk_ps else 1 + vector_beats
        waits = {1 + (self.core_ps - 1) * k // max(1, count - 1) for k in range(max(2, count))}
        return [(beat * self.aclk_ps + wait - 1) % self.core_ps + 1 for wait in sorted(waits)]


@dataclass(slots=True)
class QueueControl:
    """`async_fifo`: how many words were written and read, and what each side has seen of the other."""

    written: int = 0
    read: int = 0
    seen_written: list[int] = field(default_factory=lambda: [0, 0])
    seen_read: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def room(self) -> bool:
        """`w_ready`."""
        return self.written - self.seen_read[1] < QUEUE_WORDS

    @property
    def some(self) -> bool:
        """`r_valid`."""
        return self.seen_written[1] != self.read

    def edges(self, writes: bool | None, reads: bool | None) -> None:
        """Edges at one moment: of the writer, of the reader, or both; None: none there."""
        written, read = self.written, self.read
        if writes is not None:
            self.seen_read = [read, self.seen_read[0]]
            self.written += writes
        if reads is not None:
            self.seen_written = [written, self.seen_written[0]]
            self.read += reads


class TwoClockControl:
    """A fabric of two clocks, beats always offered, results always taken; it rests between two plays."""

    def __init__(self, shell: ShellControl, clocks: Clocks) -> None:
        self.shell, self.clocks = shell, clocks
        self.features, self.answers = QueueControl(), QueueControl()

    def play(
        self, frames: Sequence[tuple[Kind, int]], until_core_ps: int
    ) -> tuple[list[int], list[int]]:
        """Cycles of aclk in which each beat is taken and each beat of a result is given.

        The first beat is offered at the edge of aclk that is cycle 0, one period after the moment from which
        ``until_core_ps`` counts.
        """
        shell, clocks = self.shell, self.clocks
        shell.settle()
        shell.frames.extend(frames)
        beats = sum(1 + vectors * shell.vector_beats for _, vectors in frames)
        wanted = sum(
            1 + shell.answer_beats * (1 if kind is Kind.WINDOW else vectors)
            for kind, vectors in frames
        )
        taken: list[int] = []
        given: list[int] = []
        cycle, aclk_at, core_at = 0, clocks.aclk_ps, until_core_ps
        while len(given) < wanted:
            now = min(aclk_at, core_at)
            offers = takes = gives = keeps = None
            if now == core_at:
                shell.step(self.features.some, self.answers.room)
                takes, gives = shell.took, shell.gave
                core_at += clocks.core_ps
            if now == aclk_at:
                offers = len(taken) < beats and self.features.room
                keeps = self.answers.some
                if offers:
                    taken.append(cycle)
                if keeps:
                    given.append(cycle)
                cycle += 1
                aclk_at += clocks.aclk_ps
            self.features.edges(offers, takes)
            self.answers.edges(gives, keeps)
            if cycle > LONGEST_CYCLES:
                raise RuntimeError(f"no result after {LONGEST_CYCLES} cycles")
        self.features, self.answers = QueueControl(), QueueControl()
        return taken, given


def scenarios(window: int) -> dict[str, list[tuple[Kind, int]]]:
    """Frames of each figure."""
    return {
        "idle_tick": [(Kind.STEP, 1)],
        "interval": [(Kind.STEP, 1)] * TICKS,
        "interval_in_sequence": [(Kind.SEQUENCE, TICKS)],
        "cold_window": [(Kind.WINDOW, window)],
    }


def figure(name: str, taken: Sequence[int], given: Sequence[int], answer_beats: int) -> int:
    """A figure in cycles of aclk, from the cycles of the beats; intervals are those of answers."""
    if name == "idle_tick":
        return int(given[0]) - int(taken[-1])
    if name == "cold_window":
        return int(given[0]) - int(taken[1])
    step = answer_beats + (1 if name == "interval" else 0)
    starts = [int(cycle) for cycle in given[::step]][:TICKS]
    return max(b - a for a, b in pairwise(starts[-4:]))


def crossing_cycles(
    spec: ModelSpec, plan: StylePlan, wire: FixedFormat, clocks: Clocks, phases: Sequence[int]
) -> dict[str, list[tuple[list[int], list[int]]]]:
    """For each figure and phase: the cycles of aclk in which beats are taken and given."""
    shell = shell_of(spec, plan, wire)
    if spec.mode == "window":
        shell.play([(Kind.STEP, 1)] * (spec.window + 1))
    both = TwoClockControl(shell, clocks)
    return {
        name: [both.play(frames, phase) for phase in phases]
        for name, frames in scenarios(spec.window).items()
    }


def idle_tick_bounds(idle_tick: int, vector_beats: int, clocks: Clocks) -> tuple[int, int]:
    """The shortest and the longest idle tick over all phases, in cycles of aclk.

    Args:
        idle_tick: in cycles of the core, as without a crossing.

    A beat waits for an edge of core_clk (1 ps to a period) and is taken two edges later; if that clock is the
    slower one, the beats of the tick queue up. The answer waits for an edge of aclk and is taken two later.
    """
    slower = max(0, clocks.core_ps - clocks.aclk_ps) * vector_beats
    fixed = (2 + idle_tick) * clocks.core_ps + slower
    shortest, longest = ((fixed + wait) // clocks.aclk_ps + 3 for wait in (1, clocks.core_ps))
    return shortest, longest
