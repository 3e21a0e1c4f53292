"""What every engine of the protocol shares: checks of arguments and states, replay of golden vectors.

An engine derives from `StreamEngine` and gives `info` and the five underscored methods. Deriving is a
convenience, not a duty: the protocol is structural.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo, Outputs, State
from pyorch.contract.errors import BundleError, DeviceError, MismatchError, UsageError
from pyorch.contract.fixed import FixedFormat, IntArray

CLOSE_WAIT_S = 10.0
"""How long `close` waits for the call that another thread is in; drivers wait less for their devices."""


class StreamEngine(ABC):
    """Base of engines: what a caller hands in is checked here, once. Calls of several threads take turns.

    Attributes:
        bundle: what is loaded.
        spec: its model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.spec = bundle.spec
        self._closed = False
        self._answered = 0
        self._calls = threading.RLock()

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """Name, device, exactness."""

    @abstractmethod
    def _step(self, features: IntArray) -> Outputs:
        """One tick."""

    @abstractmethod
    def _window(self, features: IntArray) -> Outputs:
        """A window [t, F] from zero state; the stream's state stays."""

    @abstractmethod
    def _stream_state(self) -> State:
        """A copy of the stream's state."""

    @abstractmethod
    def _load_stream(self, state: State) -> None:
        """Take over a checked state; redo what derives from it."""

    @abstractmethod
    def _reset_stream(self) -> None:
        """Zero state, no vectors."""

    @staticmethod
    def refuse_options(options: dict[str, Any], *known: str) -> None:
        """Refuse options that the engine does not know.

        Raises:
            UsageError: there are such.
        """
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise UsageError(f"unknown engine options {unknown}; this engine takes {list(known)}")

    def step(self, features: IntArray) -> Outputs:
        """One tick: features [F] (raw, in ``spec.input``) → outputs.

        Raises:
            UsageError: another shape, or integers outside the input format.
            DeviceError: the engine is closed.
        """
        with self._calls:
            outputs = self._step(self._checked(features, (self.spec.features,)))
            self._answered += 1
            return outputs

    def window(self, features: IntArray) -> Outputs:
        """One window from zero state: features [T, F] → outputs after the last vector.

        Raises:
            UsageError: another shape, no vector, or integers outside the input format.
            DeviceError: the engine is closed.
        """
        features = np.asarray(features)
        length = features.shape[0] if features.ndim else 0
        if length < 1:
            raise UsageError("a window takes at least one vector")
        with self._calls:
            return self._window(self._checked(features, (length, self.spec.features)))

    def state(self) -> State:
        """A copy of the stream's state."""
        with self._calls:
            self._refuse_closed()
            return self._stream_state()

    def load_state(self, state: State) -> None:
        """Replace the stream's state; what was precomputed from the old one is redone.

        Raises:
            UsageError: shapes or ranges are not those of this model.
        """
        self._refuse_closed()
        layers = self.spec.lstm_layers if self.spec.mode == "stateful" else ()
        if len(state.hidden) != len(layers) or len(state.cell) != len(layers):
            raise UsageError(
                f"a state of {len(state.hidden)} layers; the model carries {len(layers)}"
            )
        for layer, hidden, cell in zip(layers, state.hidden, state.cell, strict=True):
            _check_array(f"h of {layer.name}", hidden, (layer.units,), layer.hidden)
            _check_array(f"c of {layer.name}", cell, (layer.units,), layer.cell)
        expected = min(state.steps, self.spec.window - 1) if self.spec.mode == "window" else 0
        _check_array("vectors", state.vectors, (expected, self.spec.features), self.spec.input)
        with self._calls:
            self._refuse_closed()
            self._load_stream(state)

    def reset(self) -> None:
        """Zero state, no vectors."""
        with self._calls:
            self._refuse_closed()
            self._reset_stream()

    def pulse(self) -> int:
        """How many steps were answered; engines with a counter on the device read that one.

        Raises:
            DeviceError: the engine is closed.
        """
        self._refuse_closed()
        return self._answered

    def close(self) -> None:
        """Release the device once the call that is under way has ended; further calls raise `DeviceError`.

        Raises:
            DeviceError: a call does not end; the device is not released.
        """
        if not self._calls.acquire(timeout=CLOSE_WAIT_S):
            raise DeviceError(
                f"engine {self.info.name}: a call has been under way for more than {CLOSE_WAIT_S:g} s, so "
                "it is not closed; end the process, or reset the device"
            )
        try:
            if not self._closed:
                self._closed = True
                self._release()
        finally:
            self._calls.release()

    def _release(self) -> None:  # noqa: B027  most engines hold nothing
        """Give back what the device holds; once."""

    def replay_golden(self) -> None:
        """Run the bundle's golden vectors and compare every integer, then reset.

        Engines that are not exact are held to their bound, logits only.

        Raises:
            BundleError: the bundle has none.
            MismatchError: a logit or score differs; the message says where and how many.
        """
        golden = self.bundle.golden
        if not golden:
            raise BundleError(
                f"{self.spec.name}: the bundle has no golden vectors; build it with `complete_bundle`"
            )
        self.reset()
        for kind, run in (("window", self.window), ("sequence", self.step)):
            outputs = [run(features) for features in golden[f"{kind}_features"]]
            for what in ("logits", "scores") if self.info.exact else ("logits",):
                actual = np.stack([getattr(output, what) for output in outputs])
                expected = golden[f"{kind}_{what}"]
                wrong = np.flatnonzero((abs(actual - expected) > self.info.bound_lsb).any(axis=1))
                if wrong.size:
                    first = int(wrong[0])
                    raise MismatchError(
                        f"engine {self.info.name} ({self.info.device}): {wrong.size} of {len(expected)} "
                        f"golden {kind} {what} differ, first at {first}: {actual[first].tolist()}, "
                        f"expected {expected[first].tolist()}; do not use this engine"
                    )
        self.reset()

    def _checked(self, features: IntArray, shape: tuple[int, ...]) -> IntArray:
        self._refuse_closed()
        return _check_array("features", features, shape, self.spec.input)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise DeviceError(f"engine {self.info.name} is closed; open it again")


def _check_array(
    name: str, values: IntArray, shape: tuple[int, ...], form: FixedFormat
) -> IntArray:
    array = np.asarray(values)
    if array.shape != shape:
        raise UsageError(f"{name}: shape {array.shape}, the model takes {shape}")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise UsageError(f"{name}: {array.dtype} values; engines take raw integers, quantise first")
    if array.size and (int(array.min()) < form.minimum or int(array.max()) > form.maximum):
        raise UsageError(
            f"{name}: {int(array.min())}..{int(array.max())} is outside "
            f"{form.minimum}..{form.maximum} ({form})"
        )
    return array.astype(np.int64)
