"""Control of `lstm_loadable` and `dense_loadable` as automata, register by register."""

from __future__ import annotations

from collections import deque

from hls.emit.core_cycles import ANSWER, QUIET, Chunks, Pulses
from hls.emit.style import StylePlan

COPY_CYCLES = 3
"""Cycles of a copy into LUT RAM beside one for each word (`da_memory`)."""


LEFT = 2
"""Sums of groups that are added behind the last register of the adders."""
TAIL_CUTS = 3
"""Registers between the sums and h (`loadable_tail`)."""


def adder_levels(groups: int) -> int:
    """Registers of the adders of a row (`sum_grown`): four numbers a level, at least one level."""
    levels = 1
    while LEFT * 4**levels < groups:
        levels += 1
    return levels


def copied_words(groups: int, sum_width: int, entry_width: int) -> int:
    """Words of a copy (`da_memory`): entries, then biases."""
    return 16 * groups + -(-sum_width // entry_width)


class Copy:
    """`da_memory`: the active set on its way into LUT RAM."""

    def __init__(self, words: int) -> None:
        self.words = words
        self.left = words + COPY_CYCLES - 1

    @property
    def done(self) -> bool:
        """`copied`."""
        return self.left == 0

    def step(self, swap: bool) -> None:
        """One cycle."""
        self.left = self.words + COPY_CYCLES - 1 if swap else max(0, self.left - 1)


class Tail:
    """`loadable_tail`, `parallel_tail`: a step on its way through the cuts."""

    def __init__(self, cuts: int) -> None:
        self.under_way: deque[tuple[bool, int]] = deque([(False, 0)] * cuts)
        self.output = Chunks()

    def step(self, go: bool, flags: int) -> bool:
        """One cycle; returns whether h is written at its end."""
        self.under_way.append((go, flags))
        complete, flags = self.under_way.popleft()
        self.output = Chunks(complete, True, flags)
        return complete


class LstmControl:
    """`lstm_loadable`."""

    def __init__(self, groups: int, iterations: int, words: int) -> None:
        """``groups``: the more of x and h; ``words``: to copy."""
        self.iterations = iterations
        # a cycle for the bits to reach all tables
        self.sums = 1 + adder_levels(groups) + iterations
        self.copy = Copy(words)
        self.tail = Tail(TAIL_CUTS)
        self.holds_r = self.completing = False
        self.h_known = True
        self.at = self.remaining = 0
        self.step_flags = 0

    @property
    def output(self) -> Chunks:
        """Its chunk stream in the present cycle."""
        return self.tail.output

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        return self.h_known

    @property
    def idle(self) -> bool:
        """Drained, R·h + b on its way to be ready in time, weights copied."""
        return self.drained and self.holds_r and self.copy.done and self.at == 0

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready`."""
        can_begin = (
            self.copy.done
            and self.at == 0
            and not self.completing
            and not pulses.refresh
            and self.h_known
        )
        begins = can_begin and (x_valid or not self.holds_r)
        begin_x = begins and x_valid
        go = self.completing and self.remaining == 0 and h_ready
        complete = self.tail.step(go, self.step_flags)
        self.at = 1 % self.iterations if begins else (self.at and (self.at + 1) % self.iterations)
        self.remaining = max(0, self.remaining - 1)
        if begins:
            self.holds_r = not x_valid
        if begin_x:
            self.h_known = False
            self.completing = True
            self.remaining = self.sums - 1
            self.step_flags = flags
        if go:
            self.completing = False
        if complete:
            self.h_known = True
        if pulses.refresh:
            self.holds_r = False
            self.at = 0
        self.copy.step(pulses.swap)
        return begin_x


class DenseControl:
    """`dense_loadable`."""

    def __init__(self, groups: int, iterations: int, words: int) -> None:
        self.cycles = 1 + adder_levels(groups) + iterations
        self.copy = Copy(words)
        self.busy = self.valid = False
        self.remaining = 0
        self.flags = 0

    @property
    def prepared(self) -> bool:
        """Its weights are copied."""
        return self.copy.done

    def ready(self, coming: Chunks) -> bool:
        """`h_ready`."""
        return self.copy.done and not self.busy

    def drained(self, coming: Chunks) -> bool:
        """No vector in it or coming in this cycle, no answer waiting."""
        return not (coming.valid or self.busy or self.valid)

    def step(self, coming: Chunks, y_ready: bool, pulses: Pulses = QUIET) -> None:
        """One cycle."""
        start = coming.valid and bool(coming.flags & ANSWER) and self.ready(coming)
        finish = self.busy and self.remaining == 0 and (not self.valid or y_ready)
        self.valid = finish or (self.valid and not y_ready)
        self.remaining = max(0, self.remaining - 1)
        self.busy = start or (self.busy and not finish)
        if start:
            self.flags = coming.flags
            self.remaining = self.cycles - 1
        self.copy.step(pulses.swap)


def lstm_control(plan: StylePlan, number: int) -> LstmControl:
    """The control of a planned LSTM block."""
    p = {key: int(v) for key, v in plan.blocks[number].parameters.items() if isinstance(v, int)}
    groups = (-(-p["INPUTS"] // 4), -(-p["UNITS"] // 4))
    return LstmControl(
        max(groups),
        -(-max(p["X_WIDTH"], p["H_WIDTH"]) // p["PLANES"]),
        copied_words(sum(groups), p["A_WIDTH"], p["W_WIDTH"] + 2),
    )


def dense_control(plan: StylePlan, number: int) -> DenseControl:
    """The control of a planned dense block."""
    p = {key: int(v) for key, v in plan.blocks[number].parameters.items() if isinstance(v, int)}
    groups = -(-p["INPUTS"] // 4)
    return DenseControl(
        groups,
        -(-p["H_WIDTH"] // p["PLANES"]),
        copied_words(groups, p["A_WIDTH"], p["W_WIDTH"] + 2),
    )


def tail_cycles(plan: StylePlan, number: int) -> int:
    """Cycles from the sums of a step to its h on the block's port."""
    return 1 + TAIL_CUTS
