"""The native engine behind the engine protocol: SIMD where the processor and the formats allow it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyorch._native import LstmEngine
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo, Outputs, State
from pyorch.contract.errors import EnvironmentMissingError, ModelError
from pyorch.contract.fixed import IntArray
from pyorch.inference.flat import flat_model
from pyorch.inference.model_check import check_model
from pyorch.inference.stream import StreamEngine

SIMD_NAMES = {
    "avx512vnni": "AVX-512 VNNI",
    "avx2": "AVX2",
    "neon": "NEON",
    "scalar": "scalar, 64-bit",
}
"""What `simd` may be besides ``auto``, and its name in words."""


def native_engine(bundle: Bundle, simd: str = "auto") -> LstmEngine:
    """The unchecked native engine of a checked bundle, for native callers.

    Raises:
        ModelError: a value is wider than 32 bits.
        EnvironmentMissingError: this processor has no such instructions.
    """
    if simd != "auto" and simd not in LstmEngine.available():
        raise EnvironmentMissingError(
            f"this processor does not run {simd!r} kernels; it runs {LstmEngine.available()}, or `auto`"
        )
    try:
        return LstmEngine(flat_model(bundle), simd)
    except ValueError as error:
        raise ModelError(f"{bundle.spec.name}: {error}; use the reference engine") from error


class CpuEngine(StreamEngine):
    """The native engine: any shape and format of the contract up to 32 bits a value, bit-exact.

    `step` answers first and then does what can be known before the next tick.
    """

    def __init__(self, bundle: Bundle, native: LstmEngine) -> None:
        super().__init__(bundle)
        self.native = native

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> CpuEngine:
        """Load a bundle and replay its golden vectors.

        Args:
            bundle: what to load.
            options: ``simd``: ``auto`` (the best there is), ``avx512vnni``, ``avx2``, ``neon``, ``scalar``.

        Raises:
            ModelError: no model of the contract, or values beyond 32 bits.
            EnvironmentMissingError: this processor has no such instructions.
            MismatchError: the golden vectors did not come out.
        """
        cls.refuse_options(options, "simd")
        check_model(bundle)
        engine = cls(bundle, native_engine(bundle, options.get("simd", "auto")))
        engine.replay_golden()
        return engine

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""
        layers, simd = len(self.spec.layers), self.native.simd_layers
        device = SIMD_NAMES[self.native.simd]
        if self.native.simd != "scalar" and simd < layers:
            device += f" ({layers - simd} of {layers} layers with 64-bit scalar parts)"
        return EngineInfo("cpu", device, exact=True)

    def run(self, features: IntArray) -> tuple[IntArray, IntArray]:
        """Many ticks from the present state: features [m, F] → logits [m, O], scores [m, O].

        Raises:
            UsageError: another shape, or integers outside the input format.
        """
        features = self._checked(features, (len(features), self.spec.features))
        return self.native.run(np.ascontiguousarray(features, dtype=np.int32))

    def native_times(self, features: IntArray) -> IntArray:
        """ns of each tick [m, F] as a native caller sees it: vector to scores, preparation done before."""
        checked = self._checked(features, (len(features), self.spec.features))
        return np.asarray(self.native.time_ticks(np.ascontiguousarray(checked, np.int32))[0])

    def _step(self, features: IntArray) -> Outputs:
        outputs = Outputs(*self.native.step(features.astype(np.int32)))
        self.native.prepare()
        return outputs

    def _window(self, features: IntArray) -> Outputs:
        return Outputs(*self.native.window(np.ascontiguousarray(features, dtype=np.int32)))

    def _stream_state(self) -> State:
        if self.spec.mode == "window":
            return State((), (), self.native.vectors().astype(np.int64), self.native.steps)
        layers = [self.native.layer_state(number) for number in range(len(self.spec.lstm_layers))]
        hidden = tuple(np.asarray(h, dtype=np.int64) for h, _ in layers)
        cell = tuple(np.asarray(c, dtype=np.int64) for _, c in layers)
        return State(hidden, cell, np.zeros((0, self.spec.features), np.int64), self.native.steps)

    def _load_stream(self, state: State) -> None:
        self.native.reset()
        for vector in state.vectors:
            self.native.feed(vector.astype(np.int32))
        for number, (hidden, cell) in enumerate(zip(state.hidden, state.cell, strict=True)):
            self.native.load_layer(number, hidden.astype(np.int32), cell.astype(np.int32))
        self.native.steps = state.steps

    def _reset_stream(self) -> None:
        self.native.reset()
