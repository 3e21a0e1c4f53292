"""Exact cycles of the folded style: the control of its blocks as automata, without their data.

Each class is the control of one module of `firmware/rtl`, register by register, and takes one clock cycle a
call of `step`. `CoreControl` is the chain of a plan, `SequencerControl` what feeds it. `folded_cycles` runs
them and reads the figures off; simulation must give the same ones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hls.emit.style import Block, StylePlan

H_STAGES = 8
"""Tail stage whose h is written; it leaves the block one cycle later."""
LOOKAHEAD = 3
"""Cycles from the last word of a pass to its sums before the tail."""
FIRST, ANSWER = 1, 2
"""Flags of a vector."""


@dataclass(slots=True)
class Chunks:
    """A block's registered outputs towards the next block, in one cycle."""

    valid: bool = False
    last: bool = False
    flags: int = 0


@dataclass(slots=True)
class Pulses:
    """Control inputs of one cycle."""

    clear: bool = False
    swap: bool = False
    state_write: bool = False

    @property
    def refresh(self) -> bool:
        """Whether what derives from h and weights must be computed anew."""
        return self.clear or self.swap or self.state_write


QUIET = Pulses()


class LstmControl:
    """`lstm_folded` and `folded_tail`."""

    def __init__(self, inputs: int, units: int, lanes: int, chunk: int) -> None:
        full, rest = divmod(units, lanes)
        spread = lanes // rest if rest else 1
        self.full, self.shared = full, rest > 0
        self.passes = full + self.shared
        self.x_steps = [inputs] * full + [-(-inputs // spread)] * self.shared
        self.r_steps = [units] * full + [-(-units // spread)] * self.shared
        self.reduce = 0
        while 4**self.reduce < spread:
            self.reduce += 1
        self.chunks = -(-units // chunk)
        self.per_pass, self.rest_chunks = -(-lanes // chunk), -(-rest // chunk)
        # control registers after reset
        self.holds_x = self.holds_r = False
        self.h_known = True
        self.fetched = self.active = False
        self.at: str | None = "x"
        self.is_x = self.final = False
        self.number_pass = self.number_step = 0
        self.held_flags = self.tail_flags = self.step_flags = 0
        # finished passes on their way to the tail (cycle, shared), chunks waiting for it, chunks in it
        self.arriving: deque[tuple[int, bool]] = deque()
        self.full_wait = False
        self.full_left = self.rest_left = 0
        self.number = 0
        self.waiting = False
        self.tail: deque[tuple[bool, bool]] = deque([(False, False)] * H_STAGES, H_STAGES)
        self.output = Chunks()
        self.cycle = 0

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        return self.h_known and not self.holds_x

    @property
    def idle(self) -> bool:
        """Drained, R·h + b ready, the first word of x·W at the memory's output."""
        at_x = self.fetched and self.at == "x"
        return self.drained and self.holds_r and not self.active and at_x

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready`. ``flags``: those of the vector that is offered."""
        self._arrive()
        refresh = pulses.refresh
        completes = self.holds_r or bool(flags & FIRST)
        want_x = x_valid and not self.holds_x and (self.h_known or not completes) and not refresh
        want_r = self.h_known and not self.holds_r and not refresh
        free = not self.active and self.fetched
        begin_x = free and self.at == "x" and want_x
        begin_r = free and self.at == "r" and want_r
        begins = begin_x or begin_r
        begin_final = completes if begin_x else self.holds_x
        is_x = self.is_x if self.active else begin_x
        final = self.final if self.active else begin_final
        if not self.active:
            self.number_pass = self.number_step = 0
        now_pass = self.number_pass
        steps = (self.x_steps if is_x else self.r_steps)[now_pass]
        pass_ends = self.number_step == steps - 1
        is_full = now_pass < self.full
        soon_free = 0 < self.full_left <= LOOKAHEAD and self.number > 0
        stall = (
            self.full > 1 and self.active and self.final and pass_ends and is_full
            and self.full_wait and not soon_free
        )  # fmt: skip
        issue = begins or (self.active and not stall)
        ends = issue and pass_ends and now_pass == self.passes - 1

        next_x, next_r = self.holds_x, self.holds_r
        if begins:
            next_x = (begin_x or self.holds_x) and not begin_final
            next_r = (begin_r or self.holds_r) and not begin_final
        next_r = next_r and not refresh
        finishing = begins and begin_final
        waits = x_valid and not begin_x
        fetch_r = not next_r and (next_x or (self.h_known and not finishing and not waits))

        done = self._tail_step(h_ready)
        if issue and final and pass_ends:
            self.full_wait = self.full_wait or is_full
            extra = 0 if is_full else self.reduce
            self.arriving.append((self.cycle + LOOKAHEAD + extra, not is_full))
        if finishing:
            self.tail_flags = flags if begin_x else self.held_flags
        if begin_x:
            self.held_flags = flags
        if issue:
            if pass_ends:
                self.number_pass, self.number_step = now_pass + 1, 0
            else:
                self.number_step += 1
            self.is_x, self.final = is_x, final
        under_way = (issue and not ends) or stall
        self.at = None if under_way else "r" if fetch_r else "x"
        self.active = under_way and not refresh
        self.fetched = not pulses.swap
        self.holds_x, self.holds_r = next_x, next_r
        self.h_known = done or (self.h_known and not finishing)
        self.cycle += 1
        return begin_x

    def _arrive(self) -> None:
        while self.arriving and self.arriving[0][0] <= self.cycle:
            _, shared = self.arriving.popleft()
            if shared:
                self.rest_left = self.rest_chunks
            else:
                self.full_left = self.per_pass

    def _tail_step(self, h_ready: bool) -> bool:
        """The tail's cycle; returns `h_complete`."""
        from_rest = self.number >= self.full * self.per_pass
        ready = self.rest_left > 0 if from_rest else self.full_left > 0
        go = ready and (self.number != 0 or h_ready) and not self.waiting
        last = self.number == self.chunks - 1
        if go and from_rest:
            self.rest_left -= 1
        elif go:
            self.full_left -= 1
            self.full_wait = self.full_wait and self.full_left > 0
        valid, ends = self.tail[0]
        done = valid and ends
        self.output = Chunks(valid, ends, self.step_flags)
        self.tail.append((go, go and last))
        if go:
            if self.number == 0:
                self.step_flags = self.tail_flags
            self.number = 0 if last else self.number + 1
            self.waiting = last
        if done:
            self.waiting = False
        return done


class GatherControl:
    """`gather`."""

    def __init__(self, swallow: bool) -> None:
        self.swallow = swallow
        self.started = self.valid = False
        self.flags = 0

    @property
    def ready(self) -> bool:
        """`h_ready`."""
        return not self.started and not self.valid

    def drained(self, coming: Chunks) -> bool:
        """Nothing held, nothing coming in this cycle."""
        return self.ready and not coming.valid

    def step(self, coming: Chunks, y_ready: bool) -> None:
        """One cycle."""
        if y_ready:
            self.valid = False
        if coming.valid:
            self.started = not coming.last
            if coming.last:
                self.valid = not self.swallow or bool(coming.flags & ANSWER)
                self.flags = coming.flags


class DenseControl:
    """`dense_folded`."""

    def __init__(self) -> None:
        self.primed = 0
        self.started = False
        self.multiplied = self.summed = (False, False)
        self.valid = False
        self.flags = 0

    @property
    def ready(self) -> bool:
        """`h_ready`."""
        busy = self.started or self.multiplied[0] or self.summed[1] or self.valid
        return self.primed == 2 and not busy

    def drained(self, coming: Chunks) -> bool:
        """No vector in it or coming in this cycle, no answer waiting."""
        busy = self.started or self.multiplied[0] or self.summed[1] or self.valid
        return not busy and not coming.valid

    def step(self, coming: Chunks, y_ready: bool, pulses: Pulses = QUIET) -> None:
        """One cycle."""
        push = coming.valid and (self.started or self.ready)
        finished = self.summed[1]
        self.summed = (False, self.multiplied[0] and self.multiplied[1])
        self.multiplied = (push, coming.last and bool(coming.flags & ANSWER))
        if push:
            self.started = not coming.last
            self.flags = coming.flags
        self.valid = finished or (self.valid and not y_ready)
        self.primed = 0 if pulses.swap else min(2, self.primed + 1)


@dataclass(slots=True)
class CoreControl:
    """`fabric_core`: LSTM layers, gathers between them, dense layers."""

    lstms: list[LstmControl]
    gathers: list[GatherControl]
    denses: list[DenseControl]
    cycle: int = 0
    taken: list[int] = field(default_factory=list)
    """Cycles of the handshakes at the x port."""

    @classmethod
    def of(cls, blocks: tuple[Block, ...]) -> CoreControl:
        """The chain of a plan's blocks."""
        lstms = [lstm_control(block) for block in blocks if block.kind == "lstm"]
        denses = [DenseControl() for block in blocks if block.kind == "dense"]
        gathers = [GatherControl(False) for _ in lstms[1:]]
        if not denses:
            gathers.append(GatherControl(True))
        return cls(lstms, gathers, denses)

    @property
    def y_valid(self) -> bool:
        """An answer waits."""
        return self.denses[-1].valid if self.denses else self.gathers[-1].valid

    def _into_dense(self, number: int) -> Chunks:
        if number == 0:
            return self.lstms[-1].output
        before = self.denses[number - 1]
        return Chunks(before.valid, True, before.flags | ANSWER)

    @property
    def drained(self) -> bool:
        """No vector is in the core."""
        return (
            all(lstm.drained for lstm in self.lstms)
            and all(
                gather.drained(self.lstms[number].output)
                for number, gather in enumerate(self.gathers)
            )
            and all(
                dense.drained(self._into_dense(number)) for number, dense in enumerate(self.denses)
            )
        )

    @property
    def idle(self) -> bool:
        """Drained, and all that can be known before the next vector is computed."""
        return (
            self.drained
            and all(lstm.idle for lstm in self.lstms)
            and all(dense.primed == 2 for dense in self.denses)
        )

    def step(
        self, x_valid: bool, flags: int = ANSWER, y_ready: bool = True, pulses: Pulses = QUIET
    ) -> bool:
        """One cycle; returns `x_ready`."""
        lstms, gathers, denses = self.lstms, self.gathers, self.denses
        streams = [lstm.output for lstm in lstms]
        into_dense = [self._into_dense(number) for number in range(len(denses))]
        ready = [gather.ready for gather in gathers]
        if denses:
            ready.append(denses[0].ready)
        offered = [(x_valid, flags)] + [(gather.valid, gather.flags) for gather in gathers]
        dense_ready = [dense.ready for dense in denses[1:]] + [y_ready]
        took = [
            lstm.step(*offered[number], ready[number], pulses) for number, lstm in enumerate(lstms)
        ]
        for number, gather in enumerate(gathers):
            taking = took[number + 1] if number + 1 < len(lstms) else y_ready
            gather.step(streams[number], taking)
        for number, dense in enumerate(denses):
            dense.step(into_dense[number], dense_ready[number], pulses)
        if took[0]:
            self.taken.append(self.cycle)
        self.cycle += 1
        return took[0]

    def settle(self, limit: int = 1_000_000) -> int:
        """Run until idle; returns the cycles it took."""
        start = self.cycle
        while not self.idle:
            self.step(False)
            if self.cycle - start > limit:
                raise RuntimeError(f"the core is not idle after {limit} cycles")
        return self.cycle - start


def lstm_control(block: Block) -> LstmControl:
    """The control of a planned LSTM block."""
    names = ("INPUTS", "UNITS", "LANES", "CHUNK")
    inputs, units, lanes, chunk = (int(block.parameters[name]) for name in names)
    return LstmControl(inputs, units, lanes, chunk)


def folded_cycles(plan: StylePlan, window: int) -> dict[str, int]:
    """Cycles of the core of a plan; ``window``: vectors of a window (T).

    - ``idle_tick``: core idle; from the cycle before a vector is offered (in which the last beat of its frame
      is taken) to the cycle in which its answer is valid.
    - ``interval``: between vectors taken, one always offered, every one answered.
    - ``cold_window``: as ``idle_tick`` for T vectors always offered, the first from zero state, the last
      answered; counted from the cycle before the first is offered.
    - ``refresh``: from clear, or the last state write, to idle; ``swap``: the same for a swap of weights.
    """
    core = CoreControl.of(plan.blocks)
    core.settle()
    idle_tick = _until_answer(core, [ANSWER])
    core.settle()
    cold = _until_answer(
        core, [FIRST] + [0] * (window - 2) + [ANSWER] if window > 1 else [FIRST | ANSWER]
    )
    core.settle()
    refresh = _after(core, Pulses(clear=True))
    swap = _after(core, Pulses(swap=True))
    core.taken.clear()
    while len(core.taken) < 8 * len(plan.blocks) + 8:
        core.step(True)
    return {
        "idle_tick": idle_tick,
        "interval": core.taken[-1] - core.taken[-2],
        "cold_window": cold,
        "refresh": refresh,
        "swap": swap,
    }


def _until_answer(core: CoreControl, vectors: list[int]) -> int:
    start = core.cycle - 1
    given = 0
    while not core.y_valid:
        offered = given < len(vectors)
        given += core.step(offered, vectors[given] if offered else 0, y_ready=False)
    cycles = core.cycle - start
    core.step(False)
    return cycles


def _after(core: CoreControl, pulses: Pulses) -> int:
    core.step(False, pulses=pulses)
    return 1 + core.settle()
