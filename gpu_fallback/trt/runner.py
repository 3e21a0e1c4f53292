"""A built cell on the GPU: state stays there, a tick is one graph launch.

Two CUDA graphs are captured once: copy x in, run the engine from state buffers A to B, copy the logits
out; and the same from B to A. Ticks alternate between them, so h and c are never copied.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from gpu_fallback.cell_engine import Array, Cell
from gpu_fallback.cuda import Cuda
from gpu_fallback.trt.api import Api
from pyorch.contract.errors import DeviceError, MismatchError


class TensorRtCell(Cell):
    """The cell of a serialised TensorRT engine."""

    def __init__(self, api: Api, serialised: bytes, cuda: Cuda) -> None:
        self._cuda = cuda
        # runtime and engine must outlive the context
        self._runtime = api.module.Runtime(api.logger())
        self._engine = self._runtime.deserialize_cuda_engine(serialised)
        if self._engine is None:
            raise DeviceError(
                f"{api.name} {api.version} does not take the engine on {cuda.name}; delete it from the "
                "cache and build it here"
            )
        self._context = self._engine.create_execution_context()
        self._stream = cuda.stream()
        self._shapes, self._kinds = self._ports(api)
        self._states = sorted(
            (name for name in self._shapes if name[0] in "hc" and name[1:].isdigit()),
            key=lambda name: (int(name[1:]), name[0] == "c"),
        )
        self._host = {name: self._pinned(name) for name in ("x", "logits", *self._states)}
        self._x, self._logits = (cuda.device_memory(self._bytes(name)) for name in ("x", "logits"))
        self._sides = [
            [cuda.device_memory(self._bytes(name)) for name in self._states] for _ in range(2)
        ]
        self._side = 0
        self._graphs = [self._captured(side) for side in range(2)]

    def _ports(self, api: Api) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
        engine = self._engine
        names = [engine.get_tensor_name(k) for k in range(engine.num_io_tensors)]
        shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        kinds = {name: np.dtype(api.module.nptype(engine.get_tensor_dtype(name))) for name in names}
        following = {f"{name}_next" for name in names if name[0] in "hc" and name[1:].isdigit()}
        if not following or not {"x", "logits", *following} <= set(names):
            raise MismatchError(f"the engine's ports {names} are not those of an exported cell")
        return shapes, kinds

    def _bytes(self, name: str) -> int:
        return int(np.prod(self._shapes[name])) * int(self._kinds[name].itemsize)

    def _pinned(self, name: str) -> tuple[int, Array]:
        size = self._bytes(name)
        address = self._cuda.pinned_memory(size)
        memory = (ctypes.c_uint8 * size).from_address(address)
        whole = np.frombuffer(memoryview(memory), self._kinds[name])
        return address, whole.reshape(self._shapes[name])

    def _enqueue(self, side: int) -> None:
        """One tick from the state of ``side`` to the other, given to the stream."""
        cuda, stream = self._cuda, self._stream
        cuda.to_device(self._x, self._host["x"][0], self._bytes("x"), stream)
        self._context.set_tensor_address("x", self._x)
        self._context.set_tensor_address("logits", self._logits)
        for name, now, after in zip(
            self._states, self._sides[side], self._sides[1 - side], strict=True
        ):
            self._context.set_tensor_address(name, now)
            self._context.set_tensor_address(f"{name}_next", after)
        if not self._context.execute_async_v3(int(stream)):
            raise DeviceError("TensorRT did not take the work; its logger says why")
        cuda.to_host(self._host["logits"][0], self._logits, self._bytes("logits"), stream)

    def _captured(self, side: int) -> Any:
        # the library sets itself up on the first call, which a capture would not survive
        self._enqueue(side)
        self._cuda.wait(self._stream)
        self._cuda.begin_capture(self._stream)
        self._enqueue(side)
        return self._cuda.end_capture(self._stream)

    def step(self, x: Array) -> Array:
        """One tick: x [B, F] → logits [B, O], a copy."""
        self._host["x"][1][...] = x
        self._cuda.launch(self._graphs[self._side], self._stream)
        self._cuda.wait(self._stream)
        self._side = 1 - self._side
        logits: Array = self._host["logits"][1].copy()
        return logits

    def carried(self) -> list[Array]:
        """h and c of each layer, copies."""
        for name, device in zip(self._states, self._sides[self._side], strict=True):
            self._cuda.to_host(self._host[name][0], device, self._bytes(name), self._stream)
        self._cuda.wait(self._stream)
        return [self._host[name][1].copy() for name in self._states]

    def carry(self, states: list[Array]) -> None:
        """Replace h and c of each layer."""
        for name, device, values in zip(self._states, self._sides[self._side], states, strict=True):
            self._host[name][1][...] = values
            self._cuda.to_device(device, self._host[name][0], self._bytes(name), self._stream)
        self._cuda.wait(self._stream)

    def close(self) -> None:
        """Drop context, engine and runtime in this order, then what the GPU holds for them."""
        self._context = self._engine = self._runtime = None
        self._cuda.close()
