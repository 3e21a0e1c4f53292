"""A stand-in for the CUDA driver and for TensorRT's Python package that checks how they are used.

No GPU is needed: memory of the "GPU" is host memory under other rules, and an "engine" is ONNX Runtime
on the graph that was built. What is checked is the contract of the two APIs (order, shapes, streams,
lifetimes): work given to a stream is done only when it is waited for, so that a result read too early
is wrong; capture records and does nothing; every address must be alive and on the right side of the
bus; everything must be released. A breach raises `ContractBroken`.

It says nothing about speed, and nothing about what TensorRT computes.
"""
# ruff: noqa: D102 - names and meanings of the methods are the driver's and the library's own

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from pyorch.inference.peers import onnxruntime_call

Work = Callable[[], None]


class ContractBroken(AssertionError):
    """The API was used as its documentation forbids."""


class Status(IntEnum):
    """CUresult."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1


class Stream:
    """CUstream: an ordered queue."""

    def __init__(self) -> None:
        self.pending: list[Work] = []
        self.capture: list[Work] | None = None
        self.alive = True

    def __int__(self) -> int:
        return id(self)

    def give(self, work: Work) -> None:
        """Queue, or record."""
        _require(self.alive, "work for a destroyed stream")
        (self.pending if self.capture is None else self.capture).append(work)


def _require(condition: bool, breach: str) -> None:
    if not condition:
        raise ContractBroken(breach)


class StandInDriver:
    """The functions of `cuda.bindings.driver` that `gpu_fallback.cuda` calls."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=75,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=76,
    )
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    def __init__(self, devices: int = 1) -> None:
        self._devices = devices
        self._memory: dict[int, tuple[str, Any]] = {}
        self.streams: dict[int, Stream] = {}
        self._graphs: set[int] = set()
        self.initialised = False
        self.retained = 0
        self.launches = 0

    def view(self, address: int, size: int, side: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Bytes of an allocation."""
        _require(address in self._memory, f"address {address:#x} is not allocated")
        kind, buffer = self._memory[address]
        _require(kind == side, f"address {address:#x} is {kind} memory, {side} memory is needed")
        _require(size <= len(buffer), f"{size} bytes of an allocation of {len(buffer)}")
        return np.frombuffer(buffer, np.uint8)[:size]

    def leaks(self) -> list[str]:
        """What was not released."""
        found = [f"{kind} memory" for kind, _ in self._memory.values()]
        found += ["stream"] * sum(stream.alive for stream in self.streams.values())
        return found + ["graph"] * len(self._graphs) + ["context"] * self.retained

    def _allocate(self, kind: str, size: int) -> tuple[Status, int]:
        _require(self.initialised and self.retained > 0, "an allocation without a context")
        if size <= 0:
            return Status.CUDA_ERROR_INVALID_VALUE, 0
        buffer = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(buffer)
        # what a program has not written is garbage
        ctypes.memset(buffer, 0xA5, size)
        self._memory[address] = (kind, buffer)
        return Status.CUDA_SUCCESS, address

    def _free(self, kind: str, address: int) -> tuple[Status]:
        self.view(address, 0, kind)
        _require(
            not any(stream.pending for stream in self.streams.values()),
            "memory freed while work is pending",
        )
        del self._memory[address]
        return (Status.CUDA_SUCCESS,)

    def cuInit(self, flags: int) -> tuple[Status]:
        _require(flags == 0, "cuInit takes 0")
        self.initialised = True
        return (Status.CUDA_SUCCESS,)

    def cuDeviceGetCount(self) -> tuple[Status, int]:
        _require(self.initialised, "cuDeviceGetCount before cuInit")
        return Status.CUDA_SUCCESS, self._devices

    def cuDeviceGet(self, ordinal: int) -> tuple[Status, int]:
        return Status.CUDA_SUCCESS, ordinal

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[Status, int]:
        self.retained += 1
        return Status.CUDA_SUCCESS, 1000 + device

    def cuDevicePrimaryCtxRelease(self, device: int) -> tuple[Status]:
        _require(self.retained > 0, "a context released twice")
        self.retained -= 1
        return (Status.CUDA_SUCCESS,)

    def cuCtxSetCurrent(self, context: int) -> tuple[Status]:
        _require(self.retained > 0, "a context that is not retained")
        return (Status.CUDA_SUCCESS,)

    def cuDeviceGetAttribute(self, attribute: int, device: int) -> tuple[Status, int]:
        return Status.CUDA_SUCCESS, {75: 9, 76: 0}[attribute]

    def cuDeviceGetName(self, size: int, device: int) -> tuple[Status, bytes]:
        return Status.CUDA_SUCCESS, b"stand-in".ljust(size, b"\0")

    def cuMemAlloc(self, size: int) -> tuple[Status, int]:
        return self._allocate("device", size)

    def cuMemAllocHost(self, size: int) -> tuple[Status, int]:
        return self._allocate("pinned", size)

    def cuMemsetD8(self, address: int, value: int, size: int) -> tuple[Status]:
        self.view(address, size, "device")[:] = value
        return (Status.CUDA_SUCCESS,)

    def cuMemFree(self, address: int) -> tuple[Status]:
        return self._free("device", address)

    def cuMemFreeHost(self, address: int) -> tuple[Status]:
        return self._free("pinned", address)

    def cuStreamCreate(self, flags: int) -> tuple[Status, Stream]:
        stream = Stream()
        self.streams[int(stream)] = stream
        return Status.CUDA_SUCCESS, stream

    def cuStreamDestroy(self, stream: Stream) -> tuple[Status]:
        _require(stream.alive, "a stream destroyed twice")
        stream.alive = False
        return (Status.CUDA_SUCCESS,)

    def cuStreamSynchronize(self, stream: Stream) -> tuple[Status]:
        _require(stream.alive, "a wait for a destroyed stream")
        _require(stream.capture is None, "a wait inside a capture")
        pending, stream.pending = stream.pending, []
        for work in pending:
            work()
        return (Status.CUDA_SUCCESS,)

    def cuMemcpyHtoDAsync(self, device: int, host: int, size: int, stream: Stream) -> tuple[Status]:
        self.view(device, size, "device"), self.view(host, size, "pinned")

        def copy() -> None:
            self.view(device, size, "device")[:] = self.view(host, size, "pinned")

        stream.give(copy)
        return (Status.CUDA_SUCCESS,)

    def cuMemcpyDtoHAsync(self, host: int, device: int, size: int, stream: Stream) -> tuple[Status]:
        self.view(device, size, "device"), self.view(host, size, "pinned")

        def copy() -> None:
            self.view(host, size, "pinned")[:] = self.view(device, size, "device")

        stream.give(copy)
        return (Status.CUDA_SUCCESS,)

    def cuStreamBeginCapture(self, stream: Stream, mode: int) -> tuple[Status]:
        _require(stream.capture is None, "a capture inside a capture")
        stream.capture = []
        return (Status.CUDA_SUCCESS,)

    def cuStreamEndCapture(self, stream: Stream) -> tuple[Status, list[Work]]:
        _require(bool(stream.capture), "the end of an empty capture")
        graph, stream.capture = stream.capture or [], None
        return Status.CUDA_SUCCESS, graph

    def cuGraphInstantiate(self, graph: list[Work], flags: int) -> tuple[Status, tuple[Work, ...]]:
        executable = tuple(graph)
        self._graphs.add(id(executable))
        return Status.CUDA_SUCCESS, executable

    def cuGraphDestroy(self, graph: list[Work]) -> tuple[Status]:
        graph.clear()
        return (Status.CUDA_SUCCESS,)

    def cuGraphExecDestroy(self, graph: tuple[Work, ...]) -> tuple[Status]:
        self._graphs.remove(id(graph))
        return (Status.CUDA_SUCCESS,)

    def cuGraphLaunch(self, graph: tuple[Work, ...], stream: Stream) -> tuple[Status]:
        _require(id(graph) in self._graphs, "a launch of a destroyed graph")
        self.launches += 1
        for work in graph:
            stream.give(work)
        return (Status.CUDA_SUCCESS,)


def stand_in_tensorrt(driver: StandInDriver, version: str = "10.9.0") -> Any:
    """TensorRT's package, as far as `gpu_fallback.trt` uses it: 10.x, or 11.x without the flag for
    strong typing.
    """
    strongly_typed = {"STRONGLY_TYPED": 1} if version.startswith("10.") else {}
    logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})

    class Network:
        num_layers = 1

        def __init__(self, flags: int) -> None:
            _require(
                flags == (2 if strongly_typed else 0),
                f"network flags {flags} for version {version}",
            )
            self.model = b""

    class Parser:
        num_errors = 1

        def __init__(self, network: Network, _logger: Any) -> None:
            self._network = network

        def parse(self, model: bytes) -> bool:
            self._network.model = model
            return bool(model)

        def get_error(self, _number: int) -> str:
            return "an empty model"

    class Config:
        builder_optimization_level = -1

        def __init__(self) -> None:
            self.tf32 = True

        def set_memory_pool_limit(self, _pool: Any, size: int) -> None:
            _require(size >= 1 << 20, f"a workspace of {size} bytes")

        def clear_flag(self, flag: str) -> None:
            self.tf32 = self.tf32 and flag != "TF32"

    class Builder:
        def __init__(self, _logger: Any) -> None:
            pass

        def create_network(self, flags: int) -> Network:
            return Network(flags)

        def create_builder_config(self) -> Config:
            return Config()

        def build_serialized_network(self, network: Network, config: Config) -> bytes:
            _require(not config.tf32, "TF32 would round the integers of exact graphs")
            return b"stand-in" + network.model

    class Context:
        def __init__(self, engine: Engine) -> None:
            self._engine = engine
            self._addresses: dict[str, int] = {}
            self._streams_used: list[int] = []

        def set_tensor_address(self, name: str, address: int) -> bool:
            _require(name in self._engine.ports, f"the engine has no tensor {name}")
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream: int) -> bool:
            _require(stream in driver.streams, "a stream that is none")
            queue, engine, addresses = driver.streams[stream], self._engine, dict(self._addresses)
            _require(addresses.keys() == engine.ports.keys(), "a tensor without an address")
            _require(
                bool(self._streams_used) or queue.capture is None,
                "the first call of a context in a capture",
            )
            self._streams_used.append(stream)
            _require(
                len(set(addresses.values())) == len(addresses), "an input overwritten by an output"
            )

            def compute() -> None:
                def seen(name: str) -> Any:
                    shape, kind = engine.ports[name]
                    size = int(np.prod(shape)) * np.dtype(kind).itemsize
                    view = driver.view(addresses[name], size, "device")
                    return view.view(kind).reshape(shape)

                for name, values in engine.call({n: seen(n) for n in engine.inputs}).items():
                    seen(name)[...] = values

            queue.give(compute)
            return True

    class Engine:
        def __init__(self, model: bytes) -> None:
            import onnx

            graph = onnx.load_from_string(model).graph
            self.inputs = [value.name for value in graph.input]
            self.ports = {}
            for value in (*graph.input, *graph.output):
                kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
                shape = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
                self.ports[value.name] = (shape, kind)
            self.call = onnxruntime_call(model)

        @property
        def num_io_tensors(self) -> int:
            return len(self.ports)

        def get_tensor_name(self, number: int) -> str:
            return str(list(self.ports)[number])

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self.ports[name][0]

        def get_tensor_dtype(self, name: str) -> Any:
            return self.ports[name][1]

        def create_execution_context(self) -> Context:
            return Context(self)

    class Runtime:
        def __init__(self, _logger: Any) -> None:
            pass

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            return Engine(data[8:]) if data.startswith(b"stand-in") else None

    return SimpleNamespace(
        __version__=version, Logger=logger, Builder=Builder, OnnxParser=Parser, Runtime=Runtime,
        NetworkDefinitionCreationFlag=SimpleNamespace(**strongly_typed),
        MemoryPoolType=SimpleNamespace(WORKSPACE="WORKSPACE"),
        BuilderFlag=SimpleNamespace(TF32="TF32"), nptype=lambda kind: kind,
    )  # fmt: skip
