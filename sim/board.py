"""A simulated ULX3S behind a pseudo-terminal: the Verilated board top, its PLL and its line stood in for.

The host opens the terminal like the port of a real board. What lies between them may be made bad: bytes
flipped, lost, put in between, held back, and glitches on the line itself, all from one seed.
"""

from __future__ import annotations

import ctypes
import os
import select
import tempfile
import threading
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firmware.boards.ulx3s import TARGET, Ulx3s
from firmware.serial.engine import SerialEngine
from firmware.serial.packets import Deframer
from firmware.serial.timing import bit_64ths
from hls.emit.project import emit_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import DeviceError
from pyorch.contract.fabric import FabricManifest
from sim.verilator import Top, build_library

SHIM = Path(__file__).with_name("board_shim.cpp")
PLL = Path(__file__).parent / "cells" / "EHXPLLL.sv"
CLOCKS_A_BIT = 4
"""Cycles of a bit on the simulated line: the fewest that the bridge takes, so that simulation is fast."""
TIMEOUT_BITS = 16
SLICE_CYCLES = 400
REST_CYCLES = 4000
"""So long after the last byte the board is taken to be at rest, and its clock stops until something comes."""
BUSY_LIGHT = 2
_BYTES = ctypes.POINTER(ctypes.c_uint8)


@dataclass(slots=True)
class Noise:
    """What happens to bytes between host and board; probabilities.

    Attributes:
        flip, drop, insert: of a byte.
        delay: that a piece of a transfer is held back, for up to ``delay_s``.
        glitches_a_million: of cycles in which the line itself is wrong for up to two bits.
        counts: what was done, by name.
    """

    seed: int = 1
    flip: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.02
    glitches_a_million: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    _random: np.random.Generator = field(init=False)
    _planted: dict[str, tuple[int, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._planted: dict[str, tuple[int, str]] = {}

    def plant(self, direction: str, position: int, what: str) -> None:
        """One fault: the byte so many from now in a direction is flipped, dropped or preceded by another."""
        self._planted[direction] = (position, what)

    def spoil(self, data: bytes, direction: str) -> bytes:
        """The bytes as they arrive."""
        if direction in self._planted:
            return self._spoil_one(data, direction)
        if not data or not (self.flip or self.drop or self.insert or self.delay):
            return data
        spoilt = bytearray()
        draws = self._random.random((len(data), 3))
        for byte, (flip, drop, insert) in zip(data, draws, strict=True):
            if insert < self.insert:
                spoilt.append(int(self._random.integers(256)))
                self._count(f"inserted {direction}")
            if drop < self.drop:
                self._count(f"dropped {direction}")
                continue
            if flip < self.flip:
                byte ^= 1 << int(self._random.integers(8))
                self._count(f"flipped {direction}")
            spoilt.append(byte)
        if self._random.random() < self.delay:
            self._count(f"delayed {direction}")
            time.sleep(self._random.random() * self.delay_s)
        return bytes(spoilt)

    def _spoil_one(self, data: bytes, direction: str) -> bytes:
        position, what = self._planted.pop(direction)
        if position >= len(data):
            self._planted[direction] = (position - len(data), what)
            return data
        self._count(f"{what} {direction}")
        before, byte, after = data[:position], data[position], data[position + 1 :]
        changed = {"flipped": [byte ^ 0x10], "dropped": [], "inserted": [0x55, byte]}[what]
        return before + bytes(changed) + after

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


class SimulatedBoard:
    """A board with a bundle's fabric, running in a thread until it is closed.

    Args:
        bundle: the model that the fabric is emitted from.
        style: of the fabric; ``parameters``: of the style.
        noise: what happens on the way.
        baud: of the line; default: so fast that a bit is `CLOCKS_A_BIT` cycles, which simulates fastest.
        clock_mhz: of the core; default: the target's. A second clock is simulated at the bridge's rate.

    Attributes:
        port: the pseudo-terminal's name, to be opened as a serial port.
        project: folder of the emitted fabric.
        baud: of the simulated line.
        clock_mhz: of the bridge, whose cycles are counted.
        to_board: what the board should see of the bytes that reached it, if none came while it was busy.
        from_board: what the board sent, before noise.
    """

    def __init__(
        self,
        bundle: Bundle,
        style: str = "folded",
        *,
        noise: Noise | None = None,
        baud: int | None = None,
        clock_mhz: float | None = None,
        parameters: dict[str, int] | None = None,
    ) -> None:
        self.to_board, self.from_board = Deframer(), Deframer()
        self._folder = tempfile.TemporaryDirectory(prefix="pyorch-board-")
        self.project = Path(self._folder.name) / "fabric"
        self.manifest = emit_bundle(
            bundle, style, self.project, wire=None, tools=None, **(parameters or {})
        )
        self.core_mhz = TARGET.programmed_mhz(clock_mhz or TARGET.clock_mhz)
        self.clock_mhz = TARGET.bridge_mhz(self.manifest, self.core_mhz)
        self.baud = baud or int(self.clock_mhz * 1e6) // CLOCKS_A_BIT
        library = _board_library(self.project, self.manifest, self.core_mhz, self.baud)
        self._library = _signatures(ctypes.CDLL(str(library)))
        self._handle = self._library.board_new(
            str(self.project).encode(), bit_64ths(self.clock_mhz, self.baud)
        )
        if not self._handle:
            raise DeviceError(f"the simulated board of {self.project} did not start")
        self.disturb(noise or Noise())
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._out = (ctypes.c_uint8 * 65536)()
        self._active_until = 0
        self._thread = threading.Thread(target=self._serve, name="simulated board", daemon=True)
        self._thread.start()

    def quiet(self) -> None:
        """No noise from now on."""
        self.disturb(Noise())

    def disturb(self, noise: Noise) -> None:
        """This noise from now on."""
        self.noise = noise
        self._library.board_noise(self._handle, self.noise.glitches_a_million, self.noise.seed)

    def close(self) -> None:
        """Stop the board and give its terminal back."""
        if self._thread.is_alive():
            os.write(self._stop_write, b"x")
            self._thread.join()
            for descriptor in (self._master, self._slave, self._stop_read, self._stop_write):
                os.close(descriptor)
            self._library.board_delete(self._handle)
            self._folder.cleanup()

    @property
    def cycles(self) -> int:
        """Cycles of the board's clock so far."""
        return int(self._library.board_cycles(self._handle))

    @property
    def glitches(self) -> int:
        """Glitches on the line so far."""
        return int(self._library.board_glitches(self._handle))

    @property
    def last_exchange_cycles(self) -> int:
        """From the first edge of the last burst to the board to the end of the last byte from it."""
        began = self._library.board_burst_began(self._handle)
        return int(self._library.board_out_ended(self._handle)) - int(began)

    def press(self, pressed: bool) -> None:
        """The button FIRE1."""
        self._library.board_button(self._handle, int(pressed))

    def _serve(self) -> None:
        while True:
            active = self.cycles < self._active_until or self._lights() & BUSY_LIGHT
            ready, _, _ = select.select(
                [self._master, self._stop_read], [], [], 0 if active else None
            )
            if self._stop_read in ready:
                return
            data = b""
            if self._master in ready:
                data = self.noise.spoil(os.read(self._master, 4096), "to the board")
            self.to_board.feed(data)
            came = self._run(data)
            if data or came:
                self._active_until = self.cycles + REST_CYCLES
            if came:
                self.from_board.feed(came)
                os.write(self._master, self.noise.spoil(came, "from the board"))

    def _lights(self) -> int:
        return int(self._library.board_lights(self._handle))

    def _run(self, data: bytes) -> bytes:
        text = (ctypes.c_uint8 * max(1, len(data))).from_buffer_copy(data or b"\0")
        came = self._library.board_run(
            self._handle, text, len(data), SLICE_CYCLES, self._out, len(self._out)
        )
        return bytes(self._out[:came])


class SimulatedBoards:
    """Engines `serial`, each at a simulated board of its own."""

    def __init__(self) -> None:
        self._boards: list[SimulatedBoard] = []

    def open(self, bundle: Bundle) -> SerialEngine:
        """The engine at a new board. Errors: `ModelError` if no fabric carries the model."""
        board = SimulatedBoard(bundle)
        self._boards.append(board)
        return SerialEngine.open(
            bundle, port=board.port, project=board.project, baud=board.baud, wait_s=5.0
        )

    def close(self) -> None:
        """Stop every board; engines are closed by who opened them."""
        while self._boards:
            self._boards.pop().close()


def _board_library(project: Path, manifest: FabricManifest, clock_mhz: float, baud: int) -> Path:
    """The board's top with its fabric, compiled; its sources are written into the project's folder."""
    target = Ulx3s(baud, TIMEOUT_BITS)
    texts = {PLL.name: PLL.read_text()} | target.files(manifest, clock_mhz)
    sources = {name: text for name, text in texts.items() if name.endswith(".sv")}
    for name, text in sources.items():
        (project / name).write_text(text)
    digests = {name: digest_of_bytes(text.encode()) for name, text in sources.items()}
    return build_library(project, manifest, top=Top(target.top, SHIM, digests))


def _signatures(library: Any) -> Any:
    handle, word = ctypes.c_void_p, ctypes.c_uint64
    library.board_new.restype = handle
    library.board_new.argtypes = [ctypes.c_char_p, ctypes.c_int64]
    library.board_delete.argtypes = [handle]
    library.board_button.argtypes = [handle, ctypes.c_int]
    library.board_noise.argtypes = [handle, ctypes.c_uint32, word]
    for name in ("cycles", "glitches", "broken", "burst_began", "out_ended"):
        function = getattr(library, f"board_{name}")
        function.restype, function.argtypes = word, [handle]
    library.board_lights.restype, library.board_lights.argtypes = ctypes.c_uint32, [handle]
    library.board_run.restype = word
    library.board_run.argtypes = [handle, _BYTES, word, word, _BYTES, word]
    return library
