"""Exact cycles of a core: the control of its blocks as automata in a chain, without their data.

Each automaton is the control of one module of `firmware/rtl` and takes one clock cycle a call of `step`.
Those of a style lie in ``hls.emit.{style}_cycles``, which has ``lstm_control(plan, number)`` and
``dense_control(plan, number)``; what is around the core lies in `hls.emit.shell_cycles`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from hls.emit.style import StylePlan

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
    """Control inputs of one cycle; a state is written into the LSTM layer ``layer``."""

    clear: bool = False
    swap: bool = False
    state_write: bool = False
    layer: int = 0

    @property
    def refresh(self) -> bool:
        """Whether what derives from h and weights must be computed anew."""
        return self.clear or self.swap or self.state_write

    def of_layer(self, layer: int) -> Pulses:
        """Those of one LSTM layer."""
        return self if not self.state_write or layer == self.layer else QUIET


QUIET = Pulses()


class LstmLike(Protocol):
    """The control of an LSTM block."""

    @property
    def output(self) -> Chunks:
        """Its chunk stream in the present cycle."""
        ...

    @property
    def drained(self) -> bool:
        """No vector is in the block."""
        ...

    @property
    def idle(self) -> bool:
        """Drained, and all that derives from h and weights is fresh."""
        ...

    def step(self, x_valid: bool, flags: int, h_ready: bool, pulses: Pulses = QUIET) -> bool:
        """One cycle; returns `x_ready`."""
        ...


class DenseLike(Protocol):
    """The control of a dense block."""

    flags: int

    @property
    def valid(self) -> bool:
        """`y_valid` in the present cycle."""
        ...

    def ready(self, coming: Chunks) -> bool:
        """`h_ready`."""
        ...

    @property
    def prepared(self) -> bool:
        """Its weights are fresh."""
        ...

    def drained(self, coming: Chunks) -> bool:
        """No vector in it or coming in this cycle, no answer waiting."""
        ...

    def step(self, coming: Chunks, y_ready: bool, pulses: Pulses = QUIET) -> None:
        """One cycle."""
        ...


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


@dataclass(slots=True)
class CoreControl:
    """`fabric_core`: LSTM layers, gathers between them, dense layers."""

    lstms: list[LstmLike]
    gathers: list[GatherControl]
    denses: list[DenseLike]
    cycle: int = 0
    taken: list[int] = field(default_factory=list)
    """Cycles of the handshakes at the x port."""

    @classmethod
    def of(cls, plan: StylePlan) -> CoreControl:
        """The chain of a plan, from the automata of ``hls.emit.{style}_cycles``."""
        style = import_module(f"hls.emit.{plan.style}_cycles")
        kinds = [block.kind for block in plan.blocks]
        lstms = [style.lstm_control(plan, k) for k, kind in enumerate(kinds) if kind == "lstm"]
        denses = [style.dense_control(plan, k) for k, kind in enumerate(kinds) if kind == "dense"]
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
            and all(dense.prepared for dense in self.denses)
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
            ready.append(denses[0].ready(into_dense[0]))
        offered = [(x_valid, flags)] + [(gather.valid, gather.flags) for gather in gathers]
        dense_ready = [d.ready(c) for d, c in zip(denses[1:], into_dense[1:], strict=True)]
        dense_ready.append(y_ready)
        took = [
            lstm.step(*offered[number], ready[number], pulses.of_layer(number))
            for number, lstm in enumerate(lstms)
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
