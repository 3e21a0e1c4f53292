"""A Verilated bench of the feature path: compiled once, then played with beats."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.exclusive import exclusively
from pyorch.market.wire import Frames
from sim.verilator import LIBRARY, WARNINGS, Top, cache_folder, compile_verilog, find_verilator

HERE = Path(__file__).parent
Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bench:
    """What is compiled.

    Attributes:
        top: the module, in the last of ``sources``; shim: the file beside, which records what comes out.
        columns: of a record.
        texts: generated files, sources and memories, by name.
        parameters: of the module; defines: of the shim.
    """

    top: str
    shim: str
    columns: int
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    defines: tuple[str, ...]
    texts: Mapping[str, str] = field(default_factory=dict)

    def library(self) -> Path:
        """The bench as a shared library, its texts beside; from the cache or compiled now.

        Raises:
            EnvironmentMissingError: no Verilator, g++ or make.
            BuildError: Verilator or the compiler refuses.
        """
        tool, shim = find_verilator(), HERE / self.shim
        files = [digest_of_file(path) for path in (*self.sources, shim, HERE / "play.hpp")]
        key = digest_of(
            [files, dict(self.texts), dict(self.parameters), *self.defines, tool.digest]
        )
        folder = cache_folder() / f"events-{key[:24]}"
        with exclusively(folder / "lock"):
            if not (folder / LIBRARY).is_file():
                for name, text in self.texts.items():
                    (folder / name).write_text(text)
                arguments = [
                    *WARNINGS,
                    *(f"-G{name}={value}" for name, value in self.parameters.items()),
                ]
                arguments += [
                    *map(str, self.sources),
                    *(n for n in self.texts if n.endswith(".sv")),
                ]
                top = Top(self.top, shim, {}, self.defines)
                compile_verilog(arguments, folder, top, tool, folder, folder.parent)
        return folder / LIBRARY


class Running:
    """A running bench; `close` it.

    Args:
        path: its library; folder: where it finds its memories; columns: of a record.
    """

    def __init__(self, path: Path, folder: Path, columns: int) -> None:
        self.columns = columns
        self.library = library = ctypes.CDLL(str(path))
        library.player_new.restype = ctypes.c_void_p
        library.player_new.argtypes = [ctypes.c_char_p]
        library.player_delete.argtypes = library.player_cycles.argtypes = [ctypes.c_void_p]
        library.player_cycles.restype = library.player_play.restype = ctypes.c_int64
        library.player_play.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_double, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64,
        ]  # fmt: skip
        self.handle = library.player_new(str(folder).encode())

    def close(self) -> None:
        """End it."""
        self.library.player_delete(self.handle)

    @property
    def cycles(self) -> int:
        """Since it began."""
        return int(self.library.player_cycles(self.handle))

    def records(self, frames: Frames, room: int, gap: int, idle: float, stall: float) -> Table:
        """What comes out while the frames are played: int64 [n, columns].

        Args:
            room: records at most.
            gap: cycles between frames.
            idle, stall: shares of cycles in which nothing is offered, or taken.
        """
        beats, ends = np.ascontiguousarray(frames.beats), frames.ends.astype(np.uint8)
        rows = np.zeros((room, self.columns), np.int64)
        count = self.library.player_play(
            self.handle, beats.ctypes.data, ends.ctypes.data, len(beats), gap, idle, stall,
            rows.ctypes.data, len(rows),
        )  # fmt: skip
        if count < 0:
            raise AssertionError(f"more than {room:,} records came out of {len(beats):,} beats")
        return rows[:count]
