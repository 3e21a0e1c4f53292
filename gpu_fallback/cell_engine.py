"""A cell behind the engine protocol: on ONNX runtimes, TensorRT or CUDA, exact or within a bound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gpu_fallback.export.exact import KIND
from gpu_fallback.export.model import Precision
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


class Cell(ABC):
    """One step of a model with its state, in the numbers of its engine."""

    @abstractmethod
    def step(self, x: Array) -> Array:
        """One tick: x [B, F] → logits [B, O]; the state goes on."""

    def window(self, vectors: Array) -> Array:
        """From zero state: vectors [T, B, F] → logits [B, O] after the last; the state is then the
        window's.
        """
        self.carry([np.zeros_like(state) for state in self.carried()])
        return [self.step(x) for x in vectors][-1]

    @abstractmethod
    def carried(self) -> list[Array]:
        """h and c of layer 0, then of layer 1, ...: copies."""

    @abstractmethod
    def carry(self, states: list[Array]) -> None:
        """Replace h and c."""

    @abstractmethod
    def close(self) -> None:
        """Release the device."""


class CallCell(Cell):
    """The cell of a runtime that takes and gives host arrays."""

    def __init__(self, call: Call, zeros: list[Array]) -> None:
        self._call = call
        self._layers = range(len(zeros) // 2)
        self._states = zeros

    def step(self, x: Array) -> Array:
        """One tick."""
        inputs = {"x": x}
        for k in self._layers:
            inputs[f"h{k}"], inputs[f"c{k}"] = self._states[2 * k : 2 * k + 2]
        outputs = self._call(inputs)
        self._states = [outputs[f"{what}{k}_next"] for k in self._layers for what in "hc"]
        return outputs["logits"]

    def carried(self) -> list[Array]:
        """h and c of each layer."""
        return [state.copy() for state in self._states]

    def carry(self, states: list[Array]) -> None:
        """Replace h and c."""
        self._states = [state.copy() for state in states]

    def close(self) -> None:
        """Nothing to release."""


class CellEngine(StreamEngine, ABC):
    """Steps an exported cell; h and c go in and come out as its own numbers.

    A float engine's state is rounded to the contract's formats when it is read, so that any engine can
    take it over.
    """

    NAME = ""
    EXACT = True
    """Whether the runtime carries out 32-bit integers as ONNX specifies them."""

    def __init__(self, bundle: Bundle, precision: Precision) -> None:
        super().__init__(bundle)
        self._precision = precision
        self._kind = (
            KIND if precision == "exact" else np.float16 if precision == "fp16" else np.float32
        )
        self._cell, device = self.cell(bundle, precision, self._zeros())
        bound = bound_lsb(bundle, precision, bundle.spec.window)
        self._info = EngineInfo(self.NAME, device, precision == "exact", bound)
        self._vectors: IntArray = np.zeros((0, self.spec.features), dtype=np.int64)
        self._steps = 0

    @classmethod
    @abstractmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Array]) -> tuple[Cell, str]:
        """A cell of this model, its state ``zeros``, and the device in words.

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
        engine = cls(bundle, cast(Precision, precision))
        try:
            engine.replay_golden()
        except BaseException:
            engine.close()
            raise
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
        return self._outputs(self._cell.step(self._entering(features, self.spec.input)))

    def _window(self, features: IntArray) -> Outputs:
        before = self._cell.carried() if self.spec.mode == "stateful" else None
        logits = self._cell.window(self._entering(features, self.spec.input).swapaxes(0, 1))
        if before is not None:
            self._cell.carry(before)
        return self._outputs(logits)

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
        layers, carried = self.spec.lstm_layers, self._cell.carried()
        hidden = (self._leaving(carried[2 * k], x.hidden)[0] for k, x in enumerate(layers))
        cell = (self._leaving(carried[2 * k + 1], x.cell)[0] for k, x in enumerate(layers))
        return State(tuple(hidden), tuple(cell), self._vectors, self._steps)

    def _load_stream(self, state: State) -> None:
        self._reset_stream()
        self._steps = state.steps
        self._vectors = np.array(state.vectors, dtype=np.int64)
        if self.spec.mode == "stateful":
            states: list[Array] = []
            for k, layer in enumerate(self.spec.lstm_layers):
                states.append(self._entering(state.hidden[k], layer.hidden))
                states.append(self._entering(state.cell[k], layer.cell))
            self._cell.carry(states)

    def _reset_stream(self) -> None:
        self._cell.carry(self._zeros())
        self._vectors = np.zeros((0, self.spec.features), dtype=np.int64)
        self._steps = 0

    def _release(self) -> None:
        self._cell.close()
