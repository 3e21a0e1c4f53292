"""One LSTM block: the folded one under Verilator, any one on the reference and as an automaton.

The folded block is built alone, with its own parameters; a script of operations (vectors, clear, swap,
state access, loads in mid-stream) runs in C++ (`lstm_bench.cpp`), and the same script runs on the reference.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.emit.core_cycles import ANSWER, FIRST, QUIET, CoreControl, Pulses
from hls.emit.style import Block, StylePlan
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.errors import BuildError, MismatchError
from pyorch.contract.exclusive import exclusively
from pyorch.contract.fabric import rtl_folder
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import LstmLayer
from pyorch.inference.reference import lstm_step
from sim.verilator import WARNINGS, Verilator, cache_folder, find_verilator

PATIENCE_CYCLES = 20_000


class Kind(IntEnum):
    """Operations of a script, as `lstm_bench.cpp` numbers them."""

    VECTOR = 0
    CLEAR = 1
    SWAP = 2
    CLEAR_SWAP = 3
    STATE_WRITE = 4
    STATE_READ = 5
    WAIT = 6
    WAIT_IDLE = 7
    LOADED = 8


Operation = tuple[Kind, int, int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """What a script did: a result an operation, h [vectors, units], cycles of each vector's chunks."""

    results: IntArray
    h: IntArray
    first: IntArray
    answer: IntArray
    chunk_cycles: IntArray
    taken: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class LstmBench:
    """A verilated `lstm_folded` with the memories of a plan."""

    def __init__(self, folder: Path, plan: StylePlan, number: int = 0) -> None:
        self.block = plan.blocks[number]
        self.plan = plan
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for memory in plan.memories:
            (folder / memory.file).write_text(memory.hex())
        self.library = build(plan, self.block)

    def parameter(self, name: str) -> int:
        """An integer parameter of the block."""
        return int(self.block.parameters[name])

    def open(self, seed: int = 1, busy: float = 0.0) -> Session:
        """A freshly reset block; ``busy``: share of vectors after which `h_ready` stays low for a while."""
        return Session(self, seed, busy)


class Session:
    """One block after reset; scripts run on it one after another."""

    def __init__(self, bench: LstmBench, seed: int, busy: float) -> None:
        self.bench = bench
        lanes, width = bench.parameter("CHUNK"), bench.parameter("H_WIDTH")
        self._chunk_bits = lanes * width
        # Verilator keeps a port in 8, 16, 32, 64 bits, or in 32-bit words
        self._chunk_bytes = _port_bytes(self._chunk_bits)
        here = Path.cwd()
        os.chdir(bench.folder)
        try:
            self._handle = bench.library.bench_new(self._chunk_bytes, seed)
        finally:
            os.chdir(here)
        bench.library.bench_busy(self._handle, busy)
        self._loads: tuple[Any, Any] = (None, None)

    def close(self) -> None:
        """Free the model."""
        self.bench.library.bench_delete(self._handle)

    def load(self, addresses: NDArray[np.uint32], data: NDArray[np.uint32], share: float) -> None:
        """Write words on the load port from now on, in ``share`` of the cycles."""
        self._loads = (np.ascontiguousarray(addresses), np.ascontiguousarray(data))
        self.bench.library.bench_load(
            self._handle, _pointer(self._loads[0]), _pointer(self._loads[1]), len(addresses), share
        )

    def run(self, script: Sequence[Operation], x: IntArray) -> Run:
        """Run a script; x [rows, inputs] raw integers.

        Raises:
            MismatchError: the block hangs, or chunks do not form vectors.
        """
        bench, library = self.bench, self.bench.library
        inputs, width = bench.parameter("INPUTS"), bench.parameter("X_WIDTH")
        size = _port_bytes(inputs * width)
        packed = b"".join(_packed(row, width).to_bytes(size, "little") for row in x.tolist())
        flat = np.array(script, dtype=np.int64).reshape(-1, 4)
        results = np.zeros(len(flat), dtype=np.int64)
        done = library.bench_run(
            self._handle,
            _pointer(flat),
            len(flat),
            packed,
            size,
            _pointer(results),
            PATIENCE_CYCLES,
        )
        if done < len(flat):
            raise MismatchError(
                f"operation {done} ({Kind(int(flat[done][0])).name}) did not come about in "
                f"{PATIENCE_CYCLES} cycles"
            )
        # the tail of the last vector
        rest = np.array([(Kind.WAIT_IDLE, 0, 0, 0), (Kind.WAIT, 2, 0, 0)], dtype=np.int64)
        ended = library.bench_run(
            self._handle,
            _pointer(rest),
            2,
            b"",
            0,
            _pointer(np.zeros(2, np.int64)),
            PATIENCE_CYCLES,
        )
        if ended < 2:
            raise MismatchError(f"the block was not idle {PATIENCE_CYCLES} cycles after the script")
        return self._collect(flat, results)

    def _collect(self, flat: IntArray, results: IntArray) -> Run:
        library, bench = self.bench.library, self.bench
        count = library.bench_chunks(self._handle)
        cycles = np.zeros(count, dtype=np.uint64)
        flags = np.zeros(count, dtype=np.uint8)
        raw = np.zeros((count, self._chunk_bytes), dtype=np.uint8)
        library.bench_take(self._handle, _pointer(cycles), _pointer(flags), _pointer(raw))
        lanes, width, units = (bench.parameter(n) for n in ("CHUNK", "H_WIDTH", "UNITS"))
        chunks = -(-units // lanes)
        vectors = int(np.count_nonzero(flat[:, 0] == Kind.VECTOR))
        last = np.tile(np.arange(chunks) == chunks - 1, vectors)
        if count != vectors * chunks or not np.array_equal(flags & 1, last):
            raise MismatchError(f"{count} chunks for {vectors} vectors of {chunks}")
        bits = np.unpackbits(raw, axis=1, bitorder="little")[:, : lanes * width]
        fields = bits.reshape(vectors, chunks * lanes, width).astype(np.int64)
        values = (fields << np.arange(width)).sum(axis=2)
        values -= (values >> (width - 1)) << width
        if values[:, units:].any():
            raise MismatchError("lanes beyond the layer's units are not 0")
        by_vector = flags.reshape(vectors, chunks)
        taken = results[flat[:, 0] == Kind.VECTOR]
        return Run(
            results,
            values[:, :units],
            by_vector[:, 0].astype(np.int64) >> 1 & 1,
            by_vector[:, 0].astype(np.int64) >> 2 & 1,
            cycles.astype(np.int64).reshape(vectors, chunks),
            taken,
        )


class ReferenceBlock:
    """The same scripts on the reference: h and c in two weight sets."""

    def __init__(self, layer: LstmLayer, sets: tuple[Bundle, Bundle]) -> None:
        self.layer = layer
        self.sets = list(sets)
        self.h = np.zeros((1, layer.units), dtype=np.int64)
        self.c = np.zeros((1, layer.units), dtype=np.int64)

    def run(self, script: Sequence[Operation], x: IntArray) -> tuple[IntArray, IntArray]:
        """h [vectors, units] and what the state reads give."""
        hidden, read = [], []
        for kind, a, b, _ in script:
            if kind is Kind.VECTOR:
                if b & 1:
                    self.h, self.c = np.zeros_like(self.h), np.zeros_like(self.c)
                self.h, self.c = lstm_step(
                    self.layer, self.sets[0].weights, x[a][None], self.h, self.c
                )
                hidden.append(self.h[0].copy())
            if kind in (Kind.CLEAR, Kind.CLEAR_SWAP):
                self.h, self.c = np.zeros_like(self.h), np.zeros_like(self.c)
            if kind in (Kind.SWAP, Kind.CLEAR_SWAP):
                self.sets.reverse()
            state = self.c if a >> 12 & 1 else self.h
            if kind is Kind.STATE_WRITE:
                state[0, a & 0xFFF] = b
            if kind is Kind.STATE_READ:
                read.append(int(state[0, a & 0xFFF]))
        return np.array(hidden), np.array(read, dtype=np.int64)


class PredictedBlock:
    """The same scripts on the automaton of the style, `h_ready` low inside vectors alone."""

    RESET_CYCLES = 4

    def __init__(self, plan: StylePlan) -> None:
        self.control = CoreControl.of(plan).lstms[0]
        self.cycle = self.RESET_CYCLES
        self.ready, self.within = True, False
        self.chunk_cycles: list[int] = []

    def run(self, script: Sequence[Operation]) -> tuple[IntArray, IntArray]:
        """Cycles of the handshakes [vectors], cycles of the chunks [vectors, chunks]."""
        taken = []
        for kind, a, b, c in script:
            if kind is Kind.VECTOR:
                self._wait(c)
                while not self._tick(True, b & (FIRST | ANSWER)):
                    pass
                taken.append(self.cycle - 1)
            elif kind in (Kind.WAIT, Kind.STATE_READ):
                self._until_drained(kind)
                self._wait(a if kind is Kind.WAIT else 3)
            elif kind is Kind.WAIT_IDLE:
                while not self.control.idle:
                    self._tick()
            else:
                self._until_drained(kind)
                clear, swap = (
                    kind in (Kind.CLEAR, Kind.CLEAR_SWAP),
                    kind in (Kind.SWAP, Kind.CLEAR_SWAP),
                )
                self._tick(pulses=Pulses(clear, swap, kind is Kind.STATE_WRITE))
        while not self.control.idle:
            self._tick()
        self._wait(2)
        cycles, self.chunk_cycles = self.chunk_cycles, []
        return np.array(taken), np.array(cycles).reshape(len(taken), -1)

    def _until_drained(self, kind: Kind) -> None:
        while kind is not Kind.WAIT and not self.control.drained:
            self._tick()

    def _wait(self, cycles: int) -> None:
        for _ in range(cycles):
            self._tick()

    def _tick(self, x_valid: bool = False, flags: int = 0, pulses: Pulses = QUIET) -> bool:
        output = self.control.output
        if output.valid:
            self.chunk_cycles.append(self.cycle)
            self.within = not output.last
        took = self.control.step(x_valid, flags, self.ready, pulses)
        self.ready = not self.within
        self.cycle += 1
        return took


def build(plan: StylePlan, block: Block) -> ctypes.CDLL:
    """One block with its parameters as a shared library, from the cache or verilated now.

    Raises:
        EnvironmentMissingError: no Verilator, g++ or make.
        BuildError: Verilator or the compiler failed; the message holds the end of its output.
    """
    tool = find_verilator()
    bench = Path(__file__).with_name("lstm_bench.cpp")
    sources = [rtl_folder() / name for name in plan.rtl[: plan.rtl.index(f"{block.module}.sv") + 1]]
    key = digest_of(
        {
            "sources": [digest_of_file(path) for path in (*sources, bench)],
            "parameters": block.parameters,
            "verilator": tool.digest,
        }
    )
    folder = cache_folder() / f"block-{key[:24]}"
    library = folder / "bench.so"
    with exclusively(folder / "lock"):
        if not library.is_file():
            _compile(folder, tool, block, [*map(str, sources)], bench)
    return _declared(ctypes.CDLL(str(library)))


def _compile(folder: Path, tool: Verilator, block: Block, sources: list[str], bench: Path) -> None:
    module = block.module
    settings = [
        f"-G{name}={value}" if isinstance(value, int) else f'-G{name}="{value}"'
        for name, value in block.parameters.items()
    ]
    shutil.rmtree(folder / "obj", ignore_errors=True)
    _command(
        [
            str(tool.binary), "--cc", "-O3", *WARNINGS, "--top-module", module, "--Mdir", "obj",
            "-CFLAGS", "-fPIC", *settings, *sources,
        ],
        folder, tool,
    )  # fmt: skip
    _command(
        ["make", "-s", "-C", "obj", "-f", f"V{module}.mk", "OPT_FAST=-O1", "OPT_SLOW=-O0",
            "CFG_CXXFLAGS_PCH_I=-include", f"libV{module}", "libverilated.a"],
        folder, tool,
    )  # fmt: skip
    include = tool.root / "include"
    _command(
        [
            "g++", "-O1", "-fPIC", "-shared", "-std=c++20", f"-DTOP=V{module}", f'-DHEADER="V{module}.h"',
            "-Iobj", f"-I{include}", f"-I{include / 'vltstd'}", "-o", "bench.partial", str(bench),
            f"obj/libV{module}.a", "obj/libverilated.a", "-pthread", "-latomic",
        ],
        folder, tool,
    )  # fmt: skip
    (folder / "bench.partial").rename(folder / "bench.so")
    shutil.rmtree(folder / "obj")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.bench_new.restype = pointer
    library.bench_new.argtypes = [size, ctypes.c_uint64]
    library.bench_delete.argtypes = [pointer]
    library.bench_busy.argtypes = [pointer, ctypes.c_double]
    library.bench_load.argtypes = [pointer, pointer, pointer, size, ctypes.c_double]
    library.bench_chunks.restype = size
    library.bench_chunks.argtypes = [pointer]
    library.bench_take.argtypes = [pointer, pointer, pointer, pointer]
    library.bench_run.restype = size
    library.bench_run.argtypes = [
        pointer, pointer, size, ctypes.c_char_p, size, pointer, ctypes.c_uint64,
    ]  # fmt: skip
    return library


def _command(command: list[str], folder: Path, tool: Verilator) -> None:
    done = subprocess.run(
        command, cwd=folder, env=tool.environment(), capture_output=True, text=True
    )
    if done.returncode:
        end = (done.stdout + done.stderr)[-2000:]
        raise BuildError(f"{Path(command[0]).name} failed ({done.returncode}): {end}")


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _port_bytes(bits: int) -> int:
    for size in (1, 2, 4, 8):
        if bits <= 8 * size:
            return size
    return -(-bits // 32) * 4


def _packed(row: list[int], width: int) -> int:
    word = 0
    for place, value in enumerate(row):
        word |= (value & ((1 << width) - 1)) << (place * width)
    return word
