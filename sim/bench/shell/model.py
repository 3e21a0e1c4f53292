"""What the shell must answer, frame by frame, whatever the core computes (docs/fabric.md, "Frames")."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import BEAT_BITS, Code, Kind, beats_of
from pyorch.contract.fixed import FixedFormat
from pyorch.inference.reference import advance, answer, zero_state

OWNED_BY_STREAM = 1


class Core(Protocol):
    """A recurrent function of vectors."""

    def clear(self) -> None:
        """Back to zero state."""

    def step(self, x: Sequence[int]) -> list[int]:
        """One step, and what would be answered after it."""
        ...


class ReferenceCore:
    """A bundle under the reference arithmetic."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.state = zero_state(bundle.spec, 1)

    def clear(self) -> None:
        """Back to zero state."""
        self.state = zero_state(self.bundle.spec, 1)

    def step(self, x: Sequence[int]) -> list[int]:
        """One step, and the logits after it."""
        advance(self.bundle, self.state, np.asarray(x, dtype=np.int64)[None])
        logits: list[int] = answer(self.bundle, self.state.hidden[-1])[0][0].tolist()
        return logits


@dataclass(frozen=True, slots=True)
class Expected:
    """A result frame."""

    code: Code
    answers: list[list[int]]
    saturated: bool
    sequence: int


@dataclass(slots=True)
class ShellModel:
    """Frames in, expected result frames out.

    Attributes:
        wire, input: formats of the lanes and of the model's features.
        window: T of a windowed model, 0: stateful.
    """

    core: Core
    features: int
    lane: int
    wire: FixedFormat
    input: FixedFormat
    window: int = 0
    enabled: bool = True
    owner: int = OWNED_BY_STREAM
    kept: deque[Sequence[int]] = field(default_factory=deque)

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return beats_of(self.features, self.lane)

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

    def frame(self, beats: Sequence[int]) -> Expected:
        """A whole frame, TLAST on its last beat."""
        head, body = beats[0], beats[1:]
        kind, count, sequence = head & 0xFF, head >> 16 & 0xFFFF, head >> 32
        verdict = self.verdict(kind, count)
        if verdict is not Code.OK:
            return Expected(verdict, [], False, sequence)
        whole = min(len(body) // self.beats, count)
        code = Code.SHORT if len(body) < count * self.beats else Code.OK
        code = Code.LONG if len(body) > count * self.beats else code
        pieces = [body[k * self.beats : (k + 1) * self.beats] for k in range(whole)]
        vectors = [self.vector(piece) for piece in pieces]
        saturated = any(bad for _, bad in vectors)
        answers: list[list[int]] = []
        if kind == Kind.SEQUENCE:
            answers = [self.tick(x) for x, _ in vectors]
        elif kind == Kind.STEP and code is Code.OK:
            answers = [self.tick(vectors[0][0])]
        elif kind == Kind.WINDOW and vectors:
            self.core.clear()
            last = [self.core.step(x) for x, _ in vectors][-1]
            answers = [last] if code is Code.OK else []
        return Expected(code, answers, saturated, sequence)

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
