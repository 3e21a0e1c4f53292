"""Control of `lstm_folded` and `dense_folded` as automata, register by register."""

from __future__ import annotations

from collections import deque

from hls.emit.core_cycles import ANSWER, FIRST, QUIET, Chunks, Pulses
from hls.emit.folded_passes import Passes
from hls.emit.style import Block, StylePlan

SMALL_TABLE = 6
"""Index bits of the largest tables that answer at once (`bank_table`)."""
QUEUE = 16
"""Completed chunks that may wait for the tail."""


class LstmControl:
    """`lstm_folded` and `folded_tail`."""

    def __init__(self, passes: Passes, stages: int) -> None:
        """``stages``: number of the tail's stage that makes h; it leaves the block one cycle later."""
        self.passes = passes
        reduce = 0
        while 4 ** (reduce + 1) < passes.spread:
            reduce += 1
        self.latency = 4 + reduce  # from the last word of a pass to its chunk before the tail
        # control registers after reset
        self.holds_x = self.holds_r = False
        self.h_known = True
        self.active = False
        self.at: str | None = "x"
        self.is_x = self.final = False
        self.number_pass = self.number_step = 0
        self.held_flags = self.tail_flags = self.step_flags = 0
        self.outstanding = 0
        # chunks on their way to the tail (cycle), chunks waiting for it, chunks in it
        self.arriving: deque[int] = deque()
        self.ready = 0
        self.number = 0
        self.tail: deque[tuple[bool, bool]] = deque([(False, False)] * stages, stages)
        self.output = Chunks()
        self.cycle = 0

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        return self.h_known and not self.holds_x

    @property
    def idle(self) -> bool:
        """Drained, R·h on its way to be ready in time, the first word of x·W next."""
        return self.drained and self.holds_r and not self.active and self.at == "x"

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready`. ``flags``: those of the vector that is offered."""
        while self.arriving and self.arriving[0] <= self.cycle:
            self.arriving.popleft()
            self.ready += 1
        refresh = pulses.refresh
        completes = self.holds_r or bool(flags & FIRST)
        want_x = x_valid and not self.holds_x and (self.h_known or not completes) and not refresh
        want_r = self.h_known and not self.holds_r and not refresh
        begin_x = not self.active and self.at == "x" and want_x
        begin_r = not self.active and self.at == "r" and want_r
        begins = begin_x or begin_r
        begin_final = completes if begin_x else self.holds_x
        is_x = self.is_x if self.active else begin_x
        final = self.final if self.active else begin_final
        own = self.passes.own[0 if is_x else 1]
        pass_ends = self.number_step + 1 == own + (self.passes.mixed and final)
        full = self.outstanding == QUEUE and self.passes.count > QUEUE
        stall = self.active and self.final and pass_ends and full
        issue = begins or (self.active and not stall)
        ends = issue and pass_ends and self.number_pass == self.passes.count - 1

        next_x, next_r = self.holds_x, self.holds_r
        if begins:
            next_x = (begin_x or self.holds_x) and not begin_final
            next_r = (begin_r or self.holds_r) and not begin_final
        next_r = next_r and not refresh
        finishing = begins and begin_final
        waits = x_valid and not begin_x
        fetch_r = not next_r and (next_x or (self.h_known and not finishing and not waits))

        taken, done = self._tail_step(h_ready)
        issued = issue and final and pass_ends
        if issued:
            self.arriving.append(self.cycle + self.latency)
        self.outstanding += issued - taken
        if finishing:
            self.tail_flags = flags if begin_x else self.held_flags
        if begin_x:
            self.held_flags = flags
        if issue:
            self.number_step = 0 if pass_ends else self.number_step + 1
            self.number_pass = 0 if ends else self.number_pass + pass_ends
            self.is_x, self.final = is_x, final
        under_way = ((issue and not ends) or stall) and not refresh
        if not under_way:
            self.number_pass = self.number_step = 0
        self.at = None if under_way else "r" if fetch_r or refresh else "x"
        self.active = under_way
        self.holds_x, self.holds_r = next_x, next_r
        self.h_known = done or (self.h_known and not finishing)
        self.cycle += 1
        return begin_x

    def _tail_step(self, h_ready: bool) -> tuple[bool, bool]:
        """The tail's cycle; returns `chunk_taken` and `h_complete`."""
        go = self.ready > 0 and (self.number != 0 or h_ready)
        last = self.number == self.passes.count - 1
        valid, ends = self.tail[0]
        self.output = Chunks(valid, ends, self.step_flags)
        self.tail.append((go, go and last))
        if go:
            self.ready -= 1
            if self.number == 0:
                self.step_flags = self.tail_flags
            self.number = 0 if last else self.number + 1
        return go, valid and ends


class DenseControl:
    """`dense_folded`."""

    def __init__(self) -> None:
        self.primed = 0
        self.started = False
        self.multiplied, self.multiplied_last, self.summed = False, False, False
        self.valid = False
        self.flags = 0

    def ready(self, coming: Chunks) -> bool:
        """`h_ready`."""
        return self.prepared and not (self.started or self.multiplied or self.summed)

    @property
    def prepared(self) -> bool:
        """The first words of the present set wait at the multipliers."""
        return self.primed == 2

    def drained(self, coming: Chunks) -> bool:
        """No vector in it or coming in this cycle, no answer waiting."""
        busy = self.started or self.multiplied or self.summed or self.valid
        return not busy and not coming.valid

    def step(self, coming: Chunks, y_ready: bool, pulses: Pulses = QUIET) -> None:
        """One cycle."""
        push = coming.valid and (self.started or self.ready(coming))
        finish = self.summed and (not self.valid or y_ready)
        if self.multiplied or finish:
            self.summed = self.multiplied and self.multiplied_last
        self.multiplied = push
        self.multiplied_last = coming.last and bool(coming.flags & ANSWER)
        if push:
            self.started = not coming.last
            self.flags = coming.flags
        self.valid = finish or (self.valid and not y_ready)
        self.primed = 0 if pulses.swap else min(2, self.primed + 1)


def lstm_control(plan: StylePlan, number: int) -> LstmControl:
    """The control of a planned LSTM block."""
    block = plan.blocks[number]
    names = ("INPUTS", "UNITS", "LANES", "CHUNK")
    inputs, units, lanes, chunk = (int(block.parameters[name]) for name in names)
    return LstmControl(Passes(inputs, units, chunk, lanes // chunk), _tail_stages(plan, number))


def dense_control(plan: StylePlan, number: int) -> DenseControl:
    """The control of a planned dense block: the same for all shapes."""
    return DenseControl()


def tail_cycles(plan: StylePlan, number: int) -> int:
    """Cycles from the sums of the first chunk to its h on the block's port."""
    return _tail_stages(plan, number) + 1


def _tail_stages(plan: StylePlan, number: int) -> int:
    """Stages of `folded_tail` before the one that makes h."""
    return 6 if tables_wait(plan.blocks[number]) else 4


def tables_wait(block: Block) -> bool:
    """Whether tables lie in block RAM and answer a cycle late (LATE of `folded_tail`)."""
    return max(int(block.parameters[f"{one}_INDEX_BITS"]) for one in ("GATE", "CELL")) > SMALL_TABLE
