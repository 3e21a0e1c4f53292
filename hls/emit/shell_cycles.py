"""Exact cycles of a fabric at its ports: frames, sequencer and core as automata.

`ShellControl` is the control of `axis_frame_in`, `sequencer` and `axis_frame_out` around a `CoreControl`:
beats are offered and results taken always, or by two queues (`hls.emit.clocks`). `fabric_cycles` plays the
same frames as a measurement in simulation (`sim.measure`) and reads the same figures off.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise

from hls.emit.core_cycles import ANSWER, FIRST, CoreControl, Pulses
from hls.emit.style import StylePlan
from pyorch.contract.fabric import Kind, beats_of, input_lane, output_lane
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import ModelSpec

FRAMES_IN_FLIGHT = 6
"""A header is taken while fewer frames than that wait for their status beat (`axis_frame_out`)."""
LONGEST_CYCLES = 5_000_000


@dataclass(slots=True)
class Vector:
    """What `axis_frame_in` holds for the sequencer."""

    step: bool
    flags: int


@dataclass(slots=True)
class Frame:
    """A frame under way on s_axis."""

    kind: Kind
    vectors: int
    number: int = 0
    beat: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be done between two ticks."""

    clear: bool = False
    swap: bool = False
    load: bool = False


@dataclass(slots=True)
class Sequencer:
    """`sequencer`: ticks of a stateful model go straight through; windows are replayed.

    Attributes:
        elements: of h and c of each layer, for `staged_state`.
        loading: cycles that a load of the staged state still takes.
    """

    core: CoreControl
    window: int
    windowed: bool
    elements: tuple[int, ...]
    stored: int = 0
    left: int = 0
    stale: bool = False
    fetched: bool = False
    begun: bool = False
    loading: int = 0
    request: Request | None = None

    @property
    def settled(self) -> bool:
        """The state is that of the kept vectors."""
        return not self.windowed or not self.stale or self.stored == 0 or self.window == 1

    @property
    def prepared(self) -> bool:
        """All that can be done before the next tick is done."""
        return self.core.idle and not self.left and self.settled and not self.loading

    def step(self, vector: Vector | None, in_window: bool, y_ready: bool) -> tuple[bool, bool]:
        """One cycle; returns whether the vector was taken, and whether a request was carried out."""
        kept = self.window - 1
        pending = self.request is not None or self.loading > 0
        replaying = self.left > 0
        drained = self.core.drained
        acting = None
        if drained and not replaying and not self.loading:
            acting, self.request = self.request, None
        act = acting is not None
        pulses = self._element()
        self.loading = max(0, self.loading - 1)
        if acting is not None:
            pulses = Pulses(acting.clear, acting.swap)
            self.loading = 1 + sum(self.elements) if acting.load and not self.windowed else 0
        waits = vector is not None and not vector.step
        due = self.windowed and self.stale and (not in_window if vector is None else not waits)
        go = due and self.stored > 0 and kept > 0 and not replaying and not pending and drained
        give = vector is not None and not replaying and not pending
        give = give and (self.settled or waits)
        flags = 0
        if replaying:
            flags = 0 if self.begun else FIRST
        elif vector is not None:
            flags = vector.flags
            if self.windowed and vector.step and (self.stored == 0 or self.window == 1):
                flags |= FIRST
        x_valid = self.fetched if replaying else give
        took = self.core.step(x_valid, flags, y_ready, pulses)
        taken = took and not replaying
        self.fetched = replaying and not took
        if taken and waits:
            self.stale = True
        if taken and not waits and self.windowed and kept > 0:
            self.stale = self.stored == kept
            self.stored = min(kept, self.stored + 1)
        if go:
            self.left, self.begun, self.fetched, self.stale = self.stored, False, False, False
        if replaying and took:
            self.left -= 1
            self.begun = True
        if pulses.swap:
            self.stale = True
        if pulses.clear:
            self.stored, self.stale = 0, False
        if acting is not None and acting.load and self.windowed:
            self.stored, self.stale = kept, True
        return taken, act

    def _element(self) -> Pulses:
        """What `staged_state` writes in this cycle."""
        written = sum(self.elements) - self.loading
        if not self.loading or written < 0:
            return Pulses()
        layer = 0
        while written >= self.elements[layer]:
            written -= self.elements[layer]
            layer += 1
        return Pulses(state_write=True, layer=layer)


class ShellControl:
    """Frames in, frames out. Cycles of handshakes are kept of the last `play`."""

    def __init__(
        self,
        core: CoreControl,
        *,
        window: int,
        windowed: bool,
        elements: tuple[int, ...],
        vector_beats: int,
        answer_beats: int,
    ) -> None:
        self.core = core
        self.sequencer = Sequencer(core, window, windowed, elements)
        self.vector_beats, self.answer_beats = vector_beats, answer_beats
        self.cycle = 0
        self.frames: deque[tuple[Kind, int]] = deque()
        self.frame: Frame | None = None
        self.vector: Vector | None = None
        self.later: Vector | None = None
        self.descriptor: int | None = None
        self.queue: deque[int] = deque()
        self.sent = self.out_beat = 0
        self.results = 0
        self.took = self.gave = False
        self.vector_starts: list[int] = []
        self.vector_ends: list[int] = []
        self.answer_starts: list[int] = []

    def play(self, frames: list[tuple[Kind, int]], swap_after: int | None = None) -> None:
        """Send frames (kind, vectors) without a pause until all results have come.

        Args:
            swap_after: cycles after which a swap is asked for.
        """
        self.vector_starts, self.vector_ends, self.answer_starts = [], [], []
        self.frames.extend(frames)
        wanted, limit = self.results + len(frames), self.cycle + LONGEST_CYCLES
        asks = None if swap_after is None else self.cycle + swap_after
        while self.results < wanted:
            if self.cycle == asks:
                self.sequencer.request = Request(swap=True)
            self.step()
            if self.cycle > limit:
                raise RuntimeError(f"no result after {LONGEST_CYCLES} cycles")

    def settle(self) -> None:
        """Run until all that can be done before the next tick is done."""
        while not self.sequencer.prepared:
            self.step()

    def pause(self, request: Request) -> int:
        """Cycles from a request's act to everything prepared again, at least 2 (`PAUSE_LAST`)."""
        self.sequencer.request = request
        while not self.step():
            pass
        began = self.cycle - 1
        self.step()
        while not self.sequencer.prepared:
            self.step()
        return self.cycle - began

    def step(self, offered: bool = True, ready: bool = True) -> bool:
        """One cycle; returns whether a request was carried out.

        Args:
            offered: `s_axis_tvalid`, while frames are left; ready: `m_axis_tready`. Whether beats were taken
                and given is in ``took`` and ``gave``.
        """
        y_valid, some = self.core.y_valid, bool(self.queue)
        full = some and self.sent == self.queue[0]
        answering, closing = y_valid and not full, full and self.out_beat == 0
        last_out = self.out_beat == self.answer_beats - 1
        frame, vector, room = self.frame, self.vector, self.later is None
        in_window = frame is not None and frame.kind is Kind.WINDOW
        room_for_frame = len(self.queue) < FRAMES_IN_FLIGHT
        taken, acted = self.sequencer.step(vector, in_window, answering and last_out and ready)
        if taken:
            self.vector, self.later = self.later, None
        arriving, self.descriptor = self.descriptor, None
        self.took = False
        if frame is not None and offered:
            self._vector_beat(frame, room)
        elif frame is None and self.frames and room_for_frame and offered:
            self.frame = Frame(*self.frames.popleft())
            self.took = True
        self.gave = (answering or closing) and ready
        if answering and ready:
            if self.out_beat == 0:
                self.answer_starts.append(self.cycle)
            self.out_beat = 0 if last_out else self.out_beat + 1
            self.sent += last_out
        elif closing and ready:
            self.queue.popleft()
            self.sent = 0
            self.results += 1
        if arriving is not None:
            self.queue.append(arriving)
        self.cycle += 1
        return acted

    def _vector_beat(self, frame: Frame, room: bool) -> None:
        if frame.beat < self.vector_beats - 1:
            if frame.beat == 0:
                self.vector_starts.append(self.cycle)
            frame.beat += 1
            self.took = True
            return
        if not room:
            return
        self.took = True
        if frame.beat == 0:
            self.vector_starts.append(self.cycle)
        self.vector_ends.append(self.cycle)
        windows, last = frame.kind is Kind.WINDOW, frame.number + 1 == frame.vectors
        flags = (FIRST if windows and frame.number == 0 else 0) | (
            ANSWER if last or not windows else 0
        )
        if self.vector is None:
            self.vector = Vector(not windows, flags)
        else:
            self.later = Vector(not windows, flags)
        frame.number += 1
        frame.beat = 0
        if last:
            self.descriptor = 1 if windows else frame.vectors
            self.frame = None


def predicted_cycles(spec: ModelSpec, plan: StylePlan, wire: FixedFormat) -> dict[str, int]:
    """`fabric_cycles`, or nothing for a style whose control has no automata."""
    return fabric_cycles(spec, plan, wire) if has_automata(plan) else {}


def has_automata(plan: StylePlan) -> bool:
    """Whether the control of the plan's style is modelled."""
    return find_spec(f"hls.emit.{plan.style}_cycles") is not None


def shell_of(spec: ModelSpec, plan: StylePlan, wire: FixedFormat) -> ShellControl:
    """The automata of a planned fabric, as after reset."""
    return ShellControl(
        CoreControl.of(plan),
        window=spec.window,
        windowed=spec.mode == "window",
        elements=tuple(2 * layer.units for layer in spec.lstm_layers),
        vector_beats=beats_of(spec.features, input_lane(wire)),
        answer_beats=beats_of(len(spec.outputs), output_lane(spec.logits)),
    )


def fabric_cycles(spec: ModelSpec, plan: StylePlan, wire: FixedFormat) -> dict[str, int]:
    """Cycles of a planned fabric, named as in `FabricManifest.cycles` (docs/fabric.md, "Latency")."""
    windowed, shell = spec.mode == "window", shell_of(spec, plan, wire)
    shell.settle()
    found = {"clear": shell.pause(Request(clear=True))}
    found["state_load"] = shell.pause(Request(load=True))
    if windowed:
        shell.play([(Kind.STEP, 1)] * (spec.window + 1))
    shell.settle()
    shell.play([(Kind.STEP, 1)])
    found["idle_tick"] = shell.answer_starts[0] - shell.vector_ends[0]
    # enough ticks for the chain to be in step
    ticks = 6 if windowed else 8 * len(plan.blocks) + 8
    shell.settle()
    shell.play([(Kind.STEP, 1)] * ticks)
    found["interval"] = _steady(shell.answer_starts)
    shell.settle()
    shell.play([(Kind.SEQUENCE, ticks)])
    found["interval_in_sequence"] = _steady(shell.answer_starts)
    shell.settle()
    shell.play([(Kind.WINDOW, spec.window)])
    found["cold_window"] = shell.answer_starts[0] - shell.vector_starts[0]
    shell.settle()
    if plan.loadable:
        found["swap"] = shell.pause(Request(swap=True))
        found["swap_load"] = shell.pause(Request(swap=True, load=True))
        shell.play(
            [(Kind.STEP, 1)] * ticks, swap_after=found["interval"] * (2 * (ticks // 2) + 1) // 2
        )
        found["swap_in_stream"] = max(_gaps(shell.answer_starts))
    return found


def _gaps(times: list[int]) -> list[int]:
    return [b - a for a, b in pairwise(times)]


def _steady(starts: list[int]) -> int:
    return max(_gaps(starts[-4:]))
