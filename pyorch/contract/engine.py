"""The engine protocol: one small contract, many bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a step or a window returns, as raw integers in the order of ``spec.outputs``."""

    logits: IntArray
    """[O] of the last layer, in ``spec.logits``."""
    scores: IntArray
    """[O]: calibrated probabilities (15 fractional bits); the logits themselves for linear heads."""


@dataclass(frozen=True, slots=True)
class State:
    """All that a stateful stream or a sliding window remembers; anything else is derived from it.

    Attributes:
        hidden, cell: per LSTM layer [units]; for a windowed model empty.
        vectors: the last ``min(steps, T - 1)`` quantised feature vectors of a sliding window; for a
            stateful model [0, F].
        steps: ticks since the last reset.
    """

    hidden: tuple[IntArray, ...]
    cell: tuple[IntArray, ...]
    vectors: IntArray
    steps: int


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is and what it promises."""

    name: str
    device: str
    """What it runs on, in words: ``AVX-512 VNNI``, ``simulated card``, ..."""
    exact: bool
    """Bit-exact; otherwise ``bound_lsb`` holds."""
    bound_lsb: int = 0
    """Largest difference of a logit from the reference, in LSB, for engines that are not exact."""


@runtime_checkable
class Engine(Protocol):
    """One model on one device.

    A stateful model answers every `step` from its carried (h, c). A windowed model answers `step` from
    the last T vectors (sliding); fewer than T so far: from those there are, as a window begun at reset.
    `window` always starts from zero state and leaves the stream's state alone.
    """

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> Engine:
        """Load a bundle and replay its golden vectors.

        Raises:
            EnvironmentMissingError, DeviceError: this machine cannot run the engine.
            MismatchError: the golden vectors did not come out.
        """
        ...

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""
        ...

    def step(self, features: IntArray) -> Outputs:
        """One tick: features [F] (raw, in ``spec.input``) → outputs."""
        ...

    def window(self, features: IntArray) -> Outputs:
        """One window from zero state: features [T, F] → outputs after the last vector."""
        ...

    def state(self) -> State:
        """A copy of the stream's state."""
        ...

    def load_state(self, state: State) -> None:
        """Replace the stream's state; what was precomputed from the old one is redone."""
        ...

    def reset(self) -> None:
        """Zero state, no vectors."""
        ...

    def pulse(self) -> int:
        """A sign of life: how many steps the device has counted, modulo 2^32.

        Raises:
            MismatchError: the device does not hold the bundle.
            DeviceError: it does not answer.
        """
        ...

    def close(self) -> None:
        """Release the device; further calls are errors."""
        ...


Engines = Sequence[Engine]
