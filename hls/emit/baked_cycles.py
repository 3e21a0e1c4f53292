"""Control of `baked_control` and `baked_answers` as automata, register by register."""

from __future__ import annotations

from collections import deque

from hls.emit.core_cycles import ANSWER, FIRST, QUIET, Chunks, Pulses
from hls.emit.loadable_cycles import Tail
from hls.emit.style import StylePlan

TAIL_CUTS = 31
"""Those of `--cuts` that lie between the sums and h; the others are R·h's."""
X_CYCLES = 2
"""Registers between x and W·x + b."""
PLACES = 4
"""Answers that a dense layer keeps."""


class LstmControl:
    """`baked_control`."""

    def __init__(self, cuts: int, r_cycles: int, pipelined: bool) -> None:
        self.cycles = 1 + cuts.bit_count()
        self.r_cycles = self.stale = r_cycles
        self.pipelined = pipelined
        self.tail = Tail(cuts.bit_count())
        self.vectors: deque[int | None] = deque([None] * X_CYCLES)
        self.left = 0
        self.cleared = False

    @property
    def output(self) -> Chunks:
        """Its chunk stream in the present cycle."""
        return self.tail.output

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        empty = all(vector is None for vector in self.vectors)
        return empty and self.left == 0 and not self.output.valid

    @property
    def idle(self) -> bool:
        """Nothing has to be prepared."""
        return self.drained and self.stale == 0

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready` where a vector is offered."""
        vector = self.vectors[-1]
        alone = self.left == 0 and not self.output.valid
        turn = self.left == 0 and h_ready and (self.pipelined or alone)
        waiting = [one for one in self.vectors if one is not None]
        oldest = waiting[-1] if waiting else flags if x_valid else None
        wipe = turn and oldest is not None and bool(oldest & FIRST) and not self.cleared
        go = turn and vector is not None and self.stale == 0 and not wipe
        move = vector is None or go
        complete = self.tail.step(go, vector or 0)
        if move:
            self.vectors.pop()
            self.vectors.appendleft(flags if x_valid else None)
        self.left = self.cycles - 1 if go else max(0, self.left - 1)
        changed = complete or wipe or pulses.clear or pulses.state_write
        self.stale = self.r_cycles if changed else max(0, self.stale - 1)
        self.cleared = wipe or (self.cleared and not go)
        return x_valid and move


class DenseControl:
    """`baked_answers`."""

    prepared = True

    def __init__(self, handshake: bool) -> None:
        self.handshake = handshake
        self.summed = False
        self.count = 0
        self.flags = ANSWER

    @property
    def valid(self) -> bool:
        """`y_valid`."""
        return self.count > 0

    def ready(self, coming: Chunks) -> bool:
        """`h_ready`: counts all that is on its way."""
        pushed = not self.handshake and coming.valid and bool(coming.flags & ANSWER)
        return self.count + self.summed + pushed < PLACES

    def drained(self, coming: Chunks) -> bool:
        """No vector in it or coming in this cycle, no answer waiting."""
        return not (coming.valid or self.summed or self.count)

    def step(self, coming: Chunks, y_ready: bool, pulses: Pulses = QUIET) -> None:
        """One cycle."""
        wanted = coming.valid and bool(coming.flags & ANSWER)
        accepted = wanted and (not self.handshake or self.ready(coming))
        self.count += self.summed - (self.valid and y_ready)
        self.summed = accepted


def lstm_control(plan: StylePlan, number: int) -> LstmControl:
    """The control of a planned LSTM block."""
    following = plan.blocks[number + 1 : number + 2]
    pipelined = bool(following) and following[0].kind == "dense"
    cuts = plan.parameters["cuts"]
    r_cycles = (cuts & ~TAIL_CUTS).bit_count()
    return LstmControl(cuts & TAIL_CUTS, r_cycles, pipelined)


def dense_control(plan: StylePlan, number: int) -> DenseControl:
    """The control of a planned dense block."""
    return DenseControl(handshake=number > 0 and plan.blocks[number - 1].kind == "dense")


def tail_cycles(plan: StylePlan, number: int) -> int:
    """Cycles from the sums of a step to its h on the block's port."""
    return 1 + (plan.parameters["cuts"] & TAIL_CUTS).bit_count()
