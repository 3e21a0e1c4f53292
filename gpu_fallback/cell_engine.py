"""An exported cell behind the engine protocol: any runtime that runs ONNX, exact or within a bound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gpu_fallback.export.exact import KIND
from gpu_fallback.export.model import Precision, export_cell
from gpu_fallback.tolerance import bound_lsb
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo, Outputs, State
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.inference.model_check import check_model
from pyorch.inference.reference import scores_of
from pyorch.inference.stream import StreamEngine

Array = NDArray[Any]
Call = Callable[[dict[str, Array]], dict[str, Array]]
"""Inputs by name → outputs by name, as `gpu_fallback.export.model.export_cell` names them."""


class CellEngine(StreamEngine, ABC):
    """Steps an exported cell; h and c go in and come out as its own numbers.

    A float engine's state is rounded to the contract's formats when it is read, so that any engine can
    take it over.
    """

    NAME = ""
    EXACT = True
    """Whether the runtime carries out 32-bit integers as ONNX specifies them."""

    def __init__(self, bundle: Bundle, precision: Precision, call: Call, device: str) -> None:
        super().__init__(bundle)
        self._call = call
        self._precision = precision
        bound = bound_lsb(bundle, precision, bundle.spec.window)
        self._info = EngineInfo(self.NAME, device, precision == "exact", bound)
        self._kind = (
            KIND if precision == "exact" else np.float16 if precision == "fp16" else np.float32
        )
        self._carried: list[Array] = self._zeros()
        self._vectors: IntArray = np.zeros((0, self.spec.features), dtype=np.int64)
        self._steps = 0

    @classmethod
    @abstractmethod
    def runtime(cls, model: bytes) -> tuple[Call, str]:
        """The runtime's call of an ONNX model, and the device in words.

        Raises:
            EnvironmentMissingError, DeviceError: this machine cannot run it.
        """

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> CellEngine:
        """Load a bundle and replay its golden vectors.

        Args:
            bundle: what to load.
            options: ``precision``: ``exact`` (default where the runtime is `EXACT`), ``fp32`` (default
                elsewhere), ``fp16``, ``int8``.

        Raises:
            ModelError: a layer or format that the precision does not carry.
            UsageError: an unknown option or precision.
            EnvironmentMissingError, DeviceError: this machine cannot run it.
            MismatchError: the golden vectors did not come out.
        """
        cls.refuse_options(options, "precision")
        precision = options.get("precision", "exact" if cls.EXACT else "fp32")
        if precision == "exact" and not cls.EXACT:
            raise UsageError(
                f"engine {cls.NAME}: this runtime computes 32-bit integers in float32, so nothing "
                "about it is exact; choose fp32, fp16 or int8"
            )
        if precision not in get_args(Precision):
            raise UsageError(
                f"there is no precision {precision!r}; choose {', '.join(get_args(Precision))}"
            )
        check_model(bundle)
        call, device = cls.runtime(export_cell(bundle, precision))
        engine = cls(bundle, cast(Precision, precision), call, device)
        engine.replay_golden()
        return engine

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness; the bound is that of a window from an equal state."""
        return self._info

    def _step(self, features: IntArray) -> Outputs:
        self._steps += 1
        if self.spec.mode == "window":
            window = np.concatenate([self._vectors, features[None]])
            self._vectors = window[max(0, len(window) - self.spec.window + 1) :]
            return self._window(window)
        logits, self._carried = self._advance(features, self._carried)
        return self._outputs(logits)

    def _window(self, features: IntArray) -> Outputs:
        carried, logits = self._zeros(), np.zeros(0)
        for vector in features:
            logits, carried = self._advance(vector, carried)
        return self._outputs(logits)

    def _advance(self, features: IntArray, carried: list[Array]) -> tuple[Array, list[Array]]:
        inputs = {"x": self._entering(features, self.spec.input)}
        for k in range(len(self.spec.lstm_layers)):
            inputs[f"h{k}"], inputs[f"c{k}"] = carried[2 * k : 2 * k + 2]
        outputs = self._call(inputs)
        following = [
            outputs[f"{what}{k}_next"]
            for k in range(len(self.spec.lstm_layers))
            for what in ("h", "c")
        ]
        return outputs["logits"], following

    def _outputs(self, logits: Array) -> Outputs:
        raw = self._leaving(logits, self.spec.logits)
        return Outputs(raw[0], scores_of(self.spec, self.bundle.weights, raw)[0])

    def _entering(self, raw: IntArray, form: FixedFormat) -> Array:
        values = raw if self._kind is KIND else form.to_float(raw)
        return np.ascontiguousarray(values[None].astype(self._kind))

    def _leaving(self, values: Array, form: FixedFormat) -> IntArray:
        return values.astype(np.int64) if self._kind is KIND else form.quantise(values)

    def _zeros(self) -> list[Array]:
        return [
            np.zeros((1, layer.units), self._kind) for layer in self.spec.lstm_layers for _ in "hc"
        ]

    def _stream_state(self) -> State:
        if self.spec.mode == "window":
            return State((), (), self._vectors.copy(), self._steps)
        layers, carried = self.spec.lstm_layers, self._carried
        hidden = (self._leaving(carried[2 * k], x.hidden)[0] for k, x in enumerate(layers))
        cell = (self._leaving(carried[2 * k + 1], x.cell)[0] for k, x in enumerate(layers))
        return State(tuple(hidden), tuple(cell), self._vectors, self._steps)

    def _load_stream(self, state: State) -> None:
        self._reset_stream()
        self._steps = state.steps
        self._vectors = np.array(state.vectors, dtype=np.int64)
        for k, layer in enumerate(self.spec.lstm_layers if self.spec.mode == "stateful" else ()):
            self._carried[2 * k] = self._entering(state.hidden[k], layer.hidden)
            self._carried[2 * k + 1] = self._entering(state.cell[k], layer.cell)

    def _reset_stream(self) -> None:
        self._carried = self._zeros()
        self._vectors = np.zeros((0, self.spec.features), dtype=np.int64)
        self._steps = 0
