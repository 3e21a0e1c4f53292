"""What the shell must answer, frame by frame, whatever the core computes (docs/fabric.md, "Frames")."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import BEAT_BITS, Code, Kind, beats_of
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import DenseLayer
from pyorch.inference.reference import Carried, advance, dense, zero_state

OWNED_BY_STREAM = 1


class Core(Protocol):
    """A recurrent function of vectors."""

    def clear(self) -> None:
        """Back to zero state."""

    def step(self, x: Sequence[int]) -> list[int]:
        """One step, and what would be answered after it."""
        ...

    def copy(self) -> Core:
        """One that goes its own way from here."""
        ...

    def key(self) -> bytes:
        """What its future depends on."""
        ...


class ReferenceCore:
    """A bundle under the reference arithmetic.

    Attributes:
        met: which ends of their formats h, c and logits have reached.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.state = zero_state(bundle.spec, 1)
        self.met: set[str] = set()

    def clear(self) -> None:
        """Back to zero state."""
        self.state = zero_state(self.bundle.spec, 1)

    def step(self, x: Sequence[int]) -> list[int]:
        """One step, and the logits after it."""
        advance(self.bundle, self.state, np.asarray(x, dtype=np.int64)[None])
        raw = self.state.hidden[-1]
        for after in self.bundle.spec.layers:
            if isinstance(after, DenseLayer):
                raw = dense(after, self.bundle.weights, raw)
        self._meet("logit", raw, self.bundle.spec.logits)
        for layer, h, c in zip(
            self.bundle.spec.lstm_layers, self.state.hidden, self.state.cell, strict=True
        ):
            self._meet("h", h, layer.hidden, within=2)
            self._meet("c", c, layer.cell)
        logits: list[int] = raw[0].tolist()
        return logits

    def _meet(self, name: str, raw: IntArray, form: FixedFormat, within: int = 0) -> None:
        if (raw <= form.minimum + within).any():
            self.met.add(f"{name} low")
        if (raw >= form.maximum - within).any():
            self.met.add(f"{name} high")

    def copy(self) -> ReferenceCore:
        """One that goes its own way from here."""
        other = ReferenceCore(self.bundle)
        other.state = Carried(
            [h.copy() for h in self.state.hidden], [c.copy() for c in self.state.cell]
        )
        other.met = set(self.met)
        return other

    def key(self) -> bytes:
        """Its weights and state."""
        parts = [*self.state.hidden, *self.state.cell]
        return self.bundle.spec.name.encode() + b"".join(part.tobytes() for part in parts)


@dataclass(frozen=True, slots=True)
class Expected:
    """A result frame.

    Attributes:
        weight_set: of the last answer; of no meaning without one.
    """

    code: Code
    answers: list[list[int]]
    saturated: bool
    sequence: int
    weight_set: int = 0


@dataclass(slots=True)
class ShellModel:
    """Frames in, expected result frames out.

    Attributes:
        wire, input: formats of the lanes and of the model's features.
        window: T of a windowed model, 0: stateful.
        active_set: the weight set whose bundle the core has.
    """

    core: Core
    features: int
    lane: int
    wire: FixedFormat
    input: FixedFormat
    window: int = 0
    enabled: bool = True
    owner: int = OWNED_BY_STREAM
    active_set: int = 0
    kept: deque[Sequence[int]] = field(default_factory=deque)

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return beats_of(self.features, self.lane)

    def take(self, state: Carried | None, kept: Sequence[Sequence[int]]) -> None:
        """COMMAND.load: another h and c, or, of a windowed model, other kept vectors."""
        self.clear()
        self.kept.extend(kept)
        if state is not None and isinstance(self.core, ReferenceCore):
            self.core.state = Carried(
                [h.copy() for h in state.hidden], [c.copy() for c in state.cell]
            )

    def copy(self) -> ShellModel:
        """One that goes its own way from here."""
        return replace(self, core=self.core.copy(), kept=deque(self.kept))

    def key(self) -> tuple[object, ...]:
        """What its future depends on."""
        kept = tuple(tuple(x) for x in self.kept)
        return self.enabled, self.owner, self.active_set, kept, self.core.key()

    def clear(self) -> None:
        """COMMAND.clear, or a soft reset."""
        self.core.clear()
        self.kept.clear()

    def vector(self, beats: Sequence[int]) -> tuple[list[int], bool]:
        """The features of a vector's beats, and whether one was saturated."""
        word = sum(beat << BEAT_BITS * k for k, beat in enumerate(beats))
        lanes = [word >> self.lane * k & (1 << self.lane) - 1 for k in range(self.features)]
        raw = np.array([v - (v >> self.lane - 1 << self.lane) for v in lanes])
        wide = FixedFormat(40, 40 - self.input.fraction, True, self.input.rounding)
        scaled = wide.convert(raw, self.wire.fraction)
        kept = np.clip(scaled, self.input.minimum, self.input.maximum)
        return kept.tolist(), bool((kept != scaled).any())

    def tick(self, x: Sequence[int]) -> list[int]:
        """One tick of the stream."""
        if not self.window:
            return self.core.step(x)
        self.kept.append(x)
        if len(self.kept) > self.window:
            self.kept.popleft()
        self.core.clear()
        return [self.core.step(v) for v in self.kept][-1]

    def ticks(self, beats: Sequence[int]) -> int:
        """How many ticks a frame brings."""
        kind, count = beats[0] & 0xFF, beats[0] >> 16 & 0xFFFF
        if self.verdict(kind, count) is not Code.OK:
            return 0
        if kind == Kind.SEQUENCE:
            return min((len(beats) - 1) // self.beats, count)
        return 1

    def frame(
        self,
        beats: Sequence[int],
        event: Callable[[ShellModel], None] = lambda _model: None,
        before: int = 0,
    ) -> Expected:
        """A whole frame, TLAST on its last beat.

        Args:
            event: happens in it, before its tick number ``before``; 0: before its header.
        """
        if before == 0:
            event(self)
        head, body = beats[0], beats[1:]
        kind, count, sequence = head & 0xFF, head >> 16 & 0xFFFF, head >> 32
        verdict = self.verdict(kind, count)
        if verdict is not Code.OK:
            return Expected(verdict, [], False, sequence, self.active_set)
        whole = min(len(body) // self.beats, count)
        code = Code.SHORT if len(body) < count * self.beats else Code.OK
        code = Code.LONG if len(body) > count * self.beats else code
        pieces = [body[k * self.beats : (k + 1) * self.beats] for k in range(whole)]
        vectors = [self.vector(piece) for piece in pieces]
        saturated = any(bad for _, bad in vectors)
        answers: list[list[int]] = []
        if kind == Kind.SEQUENCE:
            for number, (x, _) in enumerate(vectors):
                if number and number == before:
                    event(self)
                answers.append(self.tick(x))
        elif kind == Kind.STEP and code is Code.OK:
            answers = [self.tick(vectors[0][0])]
        elif kind == Kind.WINDOW and vectors:
            self.core.clear()
            last = [self.core.step(x) for x, _ in vectors][-1]
            answers = [last] if code is Code.OK else []
        return Expected(code, answers, saturated, sequence, self.active_set)

    def verdict(self, kind: int, count: int) -> Code:
        """What a header alone decides."""
        if not self.enabled:
            return Code.NOT_READY
        if self.owner != OWNED_BY_STREAM:
            return Code.OWNER
        if kind not in (Kind.STEP, Kind.WINDOW, Kind.SEQUENCE):
            return Code.KIND
        if count == 0 or (kind == Kind.STEP and count != 1):
            return Code.COUNT
        return Code.OK
