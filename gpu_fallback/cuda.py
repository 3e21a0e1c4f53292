"""The few calls of the CUDA driver that the GPU engines make, each error an exception.

Source: NVIDIA CUDA Driver API reference; bound by the package `cuda.bindings`, which needs the driver
alone.
"""

from __future__ import annotations

from typing import Any

from pyorch.contract.errors import DeviceError, EnvironmentMissingError


class Cuda:
    """A context on one GPU; every allocation is freed by `close`."""

    def __init__(self, driver: Any, ordinal: int = 0) -> None:
        self._driver = driver
        self._call("cuInit", 0)
        count = self._call("cuDeviceGetCount")
        if ordinal >= count:
            raise DeviceError(f"GPU {ordinal} of {count}: there is no such device")
        device = self._call("cuDeviceGet", ordinal)
        self._device = device
        self._call("cuCtxSetCurrent", self._call("cuDevicePrimaryCtxRetain", device))
        self._on_device: list[Any] = []
        self._on_host: list[Any] = []
        self._streams: list[Any] = []
        self._graphs: list[Any] = []

    @classmethod
    def open(cls, ordinal: int = 0) -> Cuda:
        """The machine's GPU.

        Raises:
            EnvironmentMissingError: no binding, or no driver.
            DeviceError: no such GPU.
        """
        try:
            from cuda.bindings import driver
        except (ImportError, OSError) as error:
            raise EnvironmentMissingError(f"{error}; install the extra `gpu`") from error
        try:
            return cls(driver, ordinal)
        except RuntimeError as error:
            raise EnvironmentMissingError(
                f"no CUDA driver on this machine ({error}); a GPU engine needs one"
            ) from error

    def _call(self, name: str, *arguments: Any) -> Any:
        """A driver function; its results without the status.

        Raises:
            DeviceError: the status is not success.
        """
        status, *results = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise DeviceError(
                f"{name}: CUDA error {int(status)} ({getattr(status, 'name', status)})"
            )
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def capability(self) -> str:
        """Compute capability, as ``sm90``."""
        attribute = self._driver.CUdevice_attribute
        major, minor = (
            self._call("cuDeviceGetAttribute", getattr(attribute, name), self._device)
            for name in (
                "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR",
                "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR",
            )
        )
        return f"sm{major}{minor}"

    @property
    def name(self) -> str:
        """The GPU's name."""
        raw = self._call("cuDeviceGetName", 128, self._device)
        return bytes(raw).split(b"\0")[0].decode()

    def device_memory(self, size: int) -> int:
        """Zeroed memory of the GPU: its address."""
        address = self._call("cuMemAlloc", size)
        self._on_device.append(address)
        self._call("cuMemsetD8", address, 0, size)
        return int(address)

    def pinned_memory(self, size: int) -> int:
        """Page-locked memory of the host: its address."""
        address = self._call("cuMemAllocHost", size)
        self._on_host.append(address)
        return int(address)

    def stream(self) -> Any:
        """A stream that does not wait for the default stream."""
        stream = self._call(
            "cuStreamCreate", int(self._driver.CUstream_flags.CU_STREAM_NON_BLOCKING)
        )
        self._streams.append(stream)
        return stream

    def to_device(self, device: int, host: int, size: int, stream: Any) -> None:
        """Copy from pinned memory, in the stream's order."""
        self._call("cuMemcpyHtoDAsync", device, host, size, stream)

    def to_host(self, host: int, device: int, size: int, stream: Any) -> None:
        """Copy to pinned memory, in the stream's order."""
        self._call("cuMemcpyDtoHAsync", host, device, size, stream)

    def wait(self, stream: Any) -> None:
        """Return when all that was given to the stream is done."""
        self._call("cuStreamSynchronize", stream)

    def begin_capture(self, stream: Any) -> None:
        """From here on, work given to the stream becomes a graph and is not done."""
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", stream, mode)

    def end_capture(self, stream: Any) -> Any:
        """The captured graph, ready to launch."""
        graph = self._call("cuStreamEndCapture", stream)
        executable = self._call("cuGraphInstantiate", graph, 0)
        self._graphs.append(executable)
        self._call("cuGraphDestroy", graph)
        return executable

    def launch(self, graph: Any, stream: Any) -> None:
        """Do the graph's work in the stream's order."""
        self._call("cuGraphLaunch", graph, stream)

    def close(self) -> None:
        """Wait for the streams; destroy graphs and streams, free memory, release the context. Twice is
        once.
        """
        for stream in self._streams:
            self._call("cuStreamSynchronize", stream)
        for graph in self._graphs:
            self._call("cuGraphExecDestroy", graph)
        for stream in self._streams:
            self._call("cuStreamDestroy", stream)
        for address in self._on_device:
            self._call("cuMemFree", address)
        for address in self._on_host:
            self._call("cuMemFreeHost", address)
        if self._device is not None:
            self._call("cuDevicePrimaryCtxRelease", self._device)
        self._graphs, self._streams, self._on_device, self._on_host = [], [], [], []
        self._device = None
