"""A stand-in for the compiled CUDA kernel: the same functions, the cell on the CPU (`host_model.cpp`).

It keeps the library's rules (a model that ticks holds its mailbox, so launches need another one; every
model is deleted) and says nothing about speed.
"""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu_fallback.kernels.library as library
from pyorch.contract.errors import DeviceError


def build_host_model(folder: Path) -> ctypes.CDLL:
    """The cell of `gpu_fallback/kernels`, compiled for the CPU."""
    source = Path(library.__file__).parent / "host_model.cpp"
    target = folder / "host_model.so"
    command = ["g++", "-std=c++20", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, str(source), "-o", str(target)], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.host_model_new.restype = ctypes.c_void_p
    return loaded


@dataclass(slots=True)
class _Model:
    handle: ctypes.c_void_p
    outputs: int
    state_values: int
    running: bool = False


class StandInKernel:
    """What `gpu_fallback.kernels.library.Kernel` does, without a GPU.

    Attributes:
        alive: models that were not deleted.
    """

    def __init__(self, host: ctypes.CDLL) -> None:
        self._host = host
        self.alive: dict[int, _Model] = {}

    def device(self) -> tuple[str, int]:
        """No GPU, but called one."""
        return "stand-in", 90

    def call(self, name: str, *arguments: Any) -> None:
        """A function of the library."""
        getattr(self, f"_{name}")(*arguments)

    def delete(self, model: ctypes.c_void_p) -> None:
        """Free a model."""
        self._host.host_model_delete(self.alive.pop(_key(model)).handle)

    def _ticking(self, model: Any) -> _Model:
        found = self.alive[_key(model)]
        found.running = True
        return found

    def _new(self, packed: bytes, size: Any, shared: int, longest: int, model: Any) -> None:
        assert shared > 0 and longest > 0 and size.value == len(packed)
        handle = ctypes.c_void_p(self._host.host_model_new(packed))
        ctypes.cast(model, ctypes.POINTER(ctypes.c_void_p))[0] = handle
        program = np.frombuffer(packed, np.int32, 12)
        self.alive[_key(handle)] = _Model(handle, int(program[4]), int(program[11]))

    def _step(self, model: Any, x: Any, logits: Any, timeout: Any) -> None:
        assert timeout.value > 0
        self._host.host_model_steps(self._ticking(model).handle, x, logits, 1)

    def _window(self, model: Any, x: Any, count: int, logits: Any, timeout: Any) -> None:
        found = self._ticking(model)
        zeros = np.zeros(found.state_values, np.int32)
        self._host.host_model_state(found.handle, zeros.ctypes.data_as(ctypes.c_void_p), 1)
        answers = self._answers(found, x, count)
        ctypes.memmove(logits, answers[-1:].ctypes.data, 4 * found.outputs)

    def _state(self, model: Any, state: Any, load: int, timeout: Any) -> None:
        self._host.host_model_state(self._ticking(model).handle, state, load)

    def _time_steps(self, model: Any, features: Any, vectors: int, count: int, ns: Any) -> None:
        assert count == vectors
        self._answers(self._ticking(model), features, count)
        _fill(ns, count, 2000)

    def _time_launches(self, model: Any, graph: int, count: int, ns: Any) -> None:
        if self.alive[_key(model)].running:
            raise DeviceError("the persistent kernel holds the mailbox; use another model")
        _fill(ns, count, 5000 if graph else 7000)

    def _time_ping_pong(self, count: int, ns: Any) -> None:
        _fill(ns, count, 1000)

    def _answers(self, model: _Model, features: Any, count: int) -> NDArray[np.int32]:
        answers = np.empty((count, model.outputs), np.int32)
        pointer = answers.ctypes.data_as(ctypes.c_void_p)
        self._host.host_model_steps(model.handle, features, pointer, count)
        return answers


def _key(model: Any) -> int:
    return int(model.value or 0)


def _fill(ns: Any, count: int, value: int) -> None:
    out = np.ctypeslib.as_array(ctypes.cast(ns, ctypes.POINTER(ctypes.c_int64)), (count,))
    out[:] = value + np.arange(count) % 100
