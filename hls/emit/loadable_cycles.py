"""Control of `lstm_loadable` and `dense_loadable` as automata, register by register."""

from __future__ import annotations

from collections import deque

from hls.emit.core_cycles import ANSWER, FIRST, QUIET, Chunks, Pulses
from hls.emit.style import StylePlan

COPY_CYCLES = 3
"""Cycles of a copy into LUT RAM beside one for each word (`da_memory`)."""


def adder_levels(terms: int) -> int:
    """Registers of a tree that adds four numbers a level (`sum_tree`)."""
    levels = 0
    while 4**levels < terms:
        levels += 1
    return levels


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
    """`parallel_tail`: a step on its way through the cuts."""

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

    def __init__(
        self, inputs: int, units: int, x_bits: tuple[int, int], h_bits: tuple[int, int], cuts: int
    ) -> None:
        """``x_bits``, ``h_bits``: width, and bits a cycle."""
        groups = (-(-inputs // 4), -(-units // 4))
        depths = [
            adder_levels(count * planes)
            for count, (_, planes) in zip(groups, (x_bits, h_bits), strict=True)
        ]
        iterations = [-(-width // planes) for width, planes in (x_bits, h_bits)]
        # a cycle for the bits to reach all tables
        self.sums = [1 + depth + count for depth, count in zip(depths, iterations, strict=True)]
        self.busy_for = [
            iterations[0] + max(0, depths[0] - depths[1]),
            iterations[1] + max(0, depths[1] - depths[0]),
        ]
        self.copy = Copy(16 * sum(groups))
        self.tail = Tail(cuts.bit_count())
        self.holds_x = self.holds_r = self.completing = self.wiped = False
        self.h_known = True
        self.busy = self.remaining = 0
        self.held_flags = self.step_flags = 0

    @property
    def output(self) -> Chunks:
        """Its chunk stream in the present cycle."""
        return self.tail.output

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        return self.h_known and not self.holds_x

    @property
    def idle(self) -> bool:
        """Drained, R·h + b on its way to be ready in time, weights copied."""
        return self.drained and self.holds_r and self.copy.done and self.busy == 0

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready`."""
        refresh = pulses.refresh
        can_begin = self.copy.done and self.busy == 0 and not self.completing and not refresh
        wants_zero = x_valid and bool(flags & FIRST) and not self.wiped
        free = can_begin and not self.holds_x
        wipe = free and wants_zero and self.h_known
        begin_x = free and x_valid and (self.h_known or not self.holds_r) and not wants_zero
        begin_r = can_begin and self.h_known and not self.holds_r and not begin_x and not wipe
        final = self.holds_r if begin_x else begin_r and self.holds_x
        go = self.completing and self.remaining == 0 and h_ready
        complete = self.tail.step(go, self.step_flags)
        begins = begin_x or begin_r
        self.busy = self.busy_for[begin_r] - 1 if begins else max(0, self.busy - 1)
        self.remaining = max(0, self.remaining - 1)
        if begin_x:
            self.held_flags = flags
            self.holds_x = True
            self.wiped = False
        if begin_r:
            self.holds_r = True
        if go:
            self.completing = False
        if begins and final:
            self.holds_x = self.holds_r = self.h_known = False
            self.completing = True
            self.remaining = self.sums[begin_r] - 1
            self.step_flags = self.held_flags
        if complete:
            self.h_known = True
        if wipe:
            self.holds_r, self.wiped = False, True
        if refresh:
            self.holds_r = self.wiped = False
            self.busy = 0
        self.copy.step(pulses.swap)
        return begin_x


class DenseControl:
    """`dense_loadable`."""

    def __init__(self, inputs: int, width: int, planes: int) -> None:
        groups = -(-inputs // 4)
        self.cycles = 1 + adder_levels(groups * planes) + -(-width // planes)
        self.copy = Copy(16 * groups)
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
    return LstmControl(
        p["INPUTS"],
        p["UNITS"],
        (p["X_WIDTH"], p["X_PLANES"]),
        (p["H_WIDTH"], p["PLANES"]),
        p["CUTS"],
    )


def dense_control(plan: StylePlan, number: int) -> DenseControl:
    """The control of a planned dense block."""
    p = {key: int(v) for key, v in plan.blocks[number].parameters.items() if isinstance(v, int)}
    return DenseControl(p["INPUTS"], p["H_WIDTH"], p["PLANES"])


def tail_cycles(plan: StylePlan, number: int) -> int:
    """Cycles from the sums of a step to its h on the block's port."""
    return 1 + int(plan.blocks[number].parameters["CUTS"]).bit_count()
