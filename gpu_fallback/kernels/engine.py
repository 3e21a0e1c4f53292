"""The persistent kernel behind the engine protocol."""

from __future__ import annotations

import ctypes

import numpy as np

from gpu_fallback.cell_engine import Array, Cell, CellEngine
from gpu_fallback.export.model import Precision
from gpu_fallback.kernels.library import Kernel
from gpu_fallback.kernels.program import Packed, pack
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray

TIMEOUT_NS = 1_000_000_000
"""How long an answer is waited for: a healthy one takes microseconds."""

LONGEST_WINDOW = 1024


class CudaCell(Cell):
    """A model that waits on the GPU for features."""

    def __init__(self, kernel: Kernel, packed: Packed, shapes: list[int], outputs: int) -> None:
        self._kernel, self._shapes, self._outputs = kernel, shapes, outputs
        self._model = ctypes.c_void_p()
        self._size = packed.state_values
        kernel.call(
            "new", packed.data, ctypes.c_size_t(len(packed.data)), packed.shared_bytes,
            LONGEST_WINDOW, ctypes.byref(self._model),
        )  # fmt: skip

    def step(self, x: Array) -> Array:
        """One tick."""
        logits = np.empty((1, self._outputs), np.int32)
        self._kernel.call("step", self._model, _pointer(x), _pointer(logits), _timeout())
        return logits

    def times(self, vectors: IntArray) -> IntArray:
        """ns of each tick [m, F]."""
        values, ns = np.ascontiguousarray(vectors, np.int32), np.empty(len(vectors), np.int64)
        self._kernel.call(
            "time_steps", self._model, _pointer(values), len(values), len(values), _pointer(ns)
        )
        return ns

    def launch_times(self, graph: int, count: int) -> IntArray:
        """ns of each of so many launches of one tick: plain, or (1) of a captured CUDA graph.

        Raises:
            DeviceError: this model's persistent kernel is running.
        """
        ns = np.empty(count, np.int64)
        self._kernel.call("time_launches", self._model, graph, count, _pointer(ns))
        return ns

    def window(self, vectors: Array) -> Array:
        """All vectors in one request."""
        if len(vectors) > LONGEST_WINDOW:
            raise UsageError(f"a window of {len(vectors)} vectors; at most {LONGEST_WINDOW}")
        logits, values = np.empty((1, self._outputs), np.int32), np.ascontiguousarray(vectors)
        count = len(values)
        self._kernel.call(
            "window", self._model, _pointer(values), count, _pointer(logits), _timeout()
        )
        return logits

    def carried(self) -> list[Array]:
        """h and c of each layer, read from the GPU."""
        state = np.empty(self._size, np.int32)
        self._kernel.call("state", self._model, _pointer(state), 0, _timeout())
        return [part[None] for part in np.split(state, np.cumsum(self._shapes)[:-1])]

    def carry(self, states: list[Array]) -> None:
        """Replace h and c."""
        state = np.ascontiguousarray(np.concatenate([part[0] for part in states]), np.int32)
        self._kernel.call("state", self._model, _pointer(state), 1, _timeout())

    def close(self) -> None:
        """Stop the kernel."""
        self._kernel.delete(self._model)


class CudaEngine(CellEngine):
    """A persistent CUDA kernel: exact, weights in shared memory, woken through mapped memory."""

    NAME = "cuda"

    def native_times(self, features: IntArray) -> IntArray:
        """ns of each tick [m, F]: from the first word written to the last word of the answer read."""
        assert isinstance(self._cell, CudaCell)
        return self._cell.times(self._checked(features, (len(features), self.spec.features)))

    @classmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Array]) -> tuple[Cell, str]:
        """The model packed, its kernel started.

        Raises:
            UsageError: another precision than ``exact``.
            ModelError: the kernel does not carry the model.
            EnvironmentMissingError: no nvcc, or no GPU.
            DeviceError: the GPU refuses it.
        """
        if precision != "exact":
            raise UsageError(f"engine cuda: precision {precision!r}; the kernel knows only `exact`")
        kernel = Kernel.load()
        packed = pack(bundle)
        cell = CudaCell(kernel, packed, [z.shape[1] for z in zeros], len(bundle.spec.outputs))
        cell.carry(zeros)
        geometry = packed.geometry
        shape = f"{geometry.blocks} x {geometry.threads} threads"
        return cell, f"{kernel.device()[0]}, persistent kernel, {shape}"


def _pointer(values: Array) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)


def _timeout() -> ctypes.c_int64:
    return ctypes.c_int64(TIMEOUT_NS)
