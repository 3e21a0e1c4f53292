"""A simulated fabric in this process: registers, frames, cycles."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.emit.clocks import Clocks
from pyorch.contract.errors import DeviceError, UsageError
from pyorch.contract.fabric import Beats, FabricManifest, Kind, Result
from pyorch.contract.fixed import IntArray
from sim.verilator import Top, build_library

_BYTES, _WORDS = ctypes.POINTER(ctypes.c_uint8), ctypes.POINTER(ctypes.c_uint64)


class _Stream(ctypes.Structure):
    _fields_ = (
        ("in_", _WORDS), ("in_last", _BYTES), ("in_beats", ctypes.c_uint64), ("in_done", ctypes.c_uint64),
        ("in_cycles", _WORDS), ("out", _WORDS), ("out_last", _BYTES), ("out_room", ctypes.c_uint64),
        ("out_done", ctypes.c_uint64), ("out_cycles", _WORDS), ("frames_wanted", ctypes.c_uint64),
        ("frames_done", ctypes.c_uint64), ("max_cycles", ctypes.c_uint64), ("gap_percent", ctypes.c_uint32),
        ("stall_percent", ctypes.c_uint32), ("seed", ctypes.c_uint64), ("after", ctypes.c_uint64),
        ("write_at", ctypes.c_uint64), ("write_address", ctypes.c_uint32), ("write_data", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Streamed:
    """What came back, and when.

    Attributes:
        in_cycles, out_cycles: cycle of the handshake of each beat.
        frames: the beats of each result frame.
    """

    in_cycles: NDArray[np.uint64]
    out: Beats
    out_last: NDArray[np.uint8]
    out_cycles: NDArray[np.uint64]

    @property
    def frames(self) -> list[Beats]:
        """The beats of each result frame."""
        return np.split(self.out, np.flatnonzero(self.out_last) + 1)[:-1]


class SimulatedFabric:
    """An emitted project under Verilator.

    Args:
        project: the folder.
        trace: build with waveforms.
        clocks: periods of a fabric of two clocks; default: 100 MHz both.
        library: one that was made already, of something with the same ports.
        started_in: folder that the library reads its files from; default: the project.

    Raises:
        BundleError: not an emitted project.
        EnvironmentMissingError, BuildError: it cannot be compiled here.
    """

    def __init__(
        self,
        project: Path,
        *,
        trace: bool = False,
        cache: Path | None = None,
        clocks: Clocks | None = None,
        library: Path | None = None,
        started_in: Path | None = None,
    ) -> None:
        self.project = project
        self.manifest = FabricManifest.load(project)
        two = self.manifest.clocks == 2
        if clocks is not None and not two:
            raise UsageError(f"{project} has one clock; emit it with --clocks 2 to choose periods")
        self.clocks = clocks or Clocks()
        top = Top(defines=("FABRIC_TWO_CLOCKS",) if two else ())
        self.library_path = library or build_library(
            project, self.manifest, trace=trace, cache=cache, top=top
        )
        loaded = ctypes.CDLL(str(self.library_path))
        loaded.fabric_new.restype = ctypes.c_void_p
        loaded.fabric_new.argtypes = [ctypes.c_char_p]
        loaded.fabric_cycles.restype = ctypes.c_uint64
        signatures: dict[str, list[Any]] = {
            "fabric_delete": [], "fabric_reset": [], "fabric_cycles": [], "fabric_run": [ctypes.c_uint64],
            "fabric_write": [ctypes.c_uint32, ctypes.c_uint32],
            "fabric_read": [ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)],
            "fabric_clocks": [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64],
            "fabric_stream": [ctypes.POINTER(_Stream)], "fabric_trace": [ctypes.c_char_p],
        }  # fmt: skip
        for name, arguments in signatures.items():
            getattr(loaded, name).argtypes = [ctypes.c_void_p, *arguments]
        self.library = loaded
        self.handle: int | None = loaded.fabric_new(str(started_in or project).encode())
        if self.handle is None:
            raise DeviceError(f"the simulated fabric of {project} did not start")
        if two:
            self.align(self.clocks.core_ps)
        self.reset()

    def close(self) -> None:
        """Free the model."""
        if self.handle is not None:
            self.library.fabric_delete(self.handle)
            self.handle = None

    def reset(self) -> None:
        """Hold aresetn low for four cycles."""
        self.library.fabric_reset(self.handle)

    def align(self, until_core_ps: int) -> None:
        """Let the next edge of core_clk come so many ps (1 to its period) after the last one of aclk.

        A fabric at rest cannot tell: this chooses the phase of what comes next.
        """
        clocks = self.clocks
        self.library.fabric_clocks(self.handle, clocks.aclk_ps, clocks.core_ps, until_core_ps)

    @property
    def cycles(self) -> int:
        """Cycles of aclk so far."""
        return int(self.library.fabric_cycles(self.handle))

    def run(self, cycles: int) -> None:
        """Let aclk run, and the core's clock beside it."""
        self.library.fabric_run(self.handle, cycles)

    def write(self, address: int, value: int) -> None:
        """Write a register.

        Raises:
            DeviceError: no handshake, or an error response.
        """
        answer = self.library.fabric_write(self.handle, address, value & 0xFFFFFFFF)
        if answer:
            raise DeviceError(
                f"write of {value:#x} to {address:#x}: "
                + ("no response" if answer < 0 else f"AXI response {answer}")
            )

    def read(self, address: int) -> int:
        """Read a register.

        Raises:
            DeviceError: no handshake, or an error response.
        """
        value = ctypes.c_uint32()
        answer = self.library.fabric_read(self.handle, address, ctypes.byref(value))
        if answer:
            raise DeviceError(
                f"read of {address:#x}: "
                + ("no response" if answer < 0 else f"AXI response {answer}")
            )
        return value.value

    def trace(self, path: Path | None) -> None:
        """Begin a waveform file (VCD), or end it with None; the fabric was made with ``trace=True``."""
        if self.library.fabric_trace(self.handle, None if path is None else str(path).encode()):
            raise DeviceError("this simulated fabric was built without waveforms")

    def stream(
        self,
        frames: list[Beats],
        *,
        results: int | None = None,
        room: int | None = None,
        gap_percent: int = 0,
        stall_percent: int = 0,
        seed: int = 1,
        after: int = 0,
        write: tuple[int, int, int] | None = None,
        max_cycles: int | None = None,
    ) -> Streamed:
        """Send frames and collect result frames.

        Args:
            frames: the beats of each; TLAST on the last.
            results: result frames to wait for; default: one a frame.
            room: beats that may come back.
            gap_percent, stall_percent: how often source and sink pause.
            after: cycles before the first beat.
            write: (cycle from now, address, value) of a register written while the stream goes on.

        Raises:
            DeviceError: they did not come within ``max_cycles``.
        """
        beats = np.concatenate(frames).astype(np.uint64) if frames else np.zeros(0, np.uint64)
        last = np.zeros(len(beats), np.uint8)
        if frames:
            last[np.cumsum([len(frame) for frame in frames]) - 1] = 1
        vectors = len(beats) // self.manifest.vector_beats + 2 * len(frames) + 2
        room = room or vectors * self.manifest.answer_beats + 2 * len(frames) + 16
        out, out_last = np.zeros(room, np.uint64), np.zeros(room, np.uint8)
        in_cycles, out_cycles = np.zeros(len(beats), np.uint64), np.zeros(room, np.uint64)
        limit = max_cycles or 20_000 * (vectors + 10)
        call = _Stream(
            beats.ctypes.data_as(_WORDS), last.ctypes.data_as(_BYTES), len(beats), 0,
            in_cycles.ctypes.data_as(_WORDS), out.ctypes.data_as(_WORDS), out_last.ctypes.data_as(_BYTES),
            room, 0, out_cycles.ctypes.data_as(_WORDS), len(frames) if results is None else results, 0,
            limit, gap_percent, stall_percent, seed, after, *(write or (0, 0, 0)), int(write is not None),
        )  # fmt: skip
        answer = self.library.fabric_stream(self.handle, ctypes.byref(call))
        if answer:
            raise DeviceError(
                f"{call.frames_done} of {call.frames_wanted} results, {call.in_done} of {len(beats)} "
                f"beats in {limit:,} cycles"
                + (": more beats than there is room for" if answer == -2 else "")
            )
        done = call.out_done
        return Streamed(in_cycles, out[:done], out_last[:done], out_cycles[:done])

    def ask(self, kind: Kind, vectors: IntArray, sequence: int = 0, **options: Any) -> Result:
        """One frame and its result."""
        frame = self.manifest.encode(kind, sequence, np.asarray(vectors))
        return self.manifest.decode(self.stream([frame], **options).frames[0])
