"""cocotb bench of the LSTM blocks: vectors, control, state access and loads, against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from pyorch.contract.fixed import IntArray
from pyorch.contract.model import LstmLayer
from pyorch.inference.complete import random_features
from sim.bench.coverage import sample_block
from sim.bench.layer.block import Kind, Operation, PredictedBlock, ReferenceBlock
from sim.bench.layer.case import Case, case_of_environment
from sim.bench.layer.script import random_script

PERIOD_NS = 10
VECTORS = 48

# ---- the bench


class LstmTestBench:
    """Drives the ports at falling edges and looks at them shortly before rising ones."""

    def __init__(self, dut: Any, case: Case, busy: float = 0.0) -> None:
        self.dut, self.case = dut, case
        self.p = case.ports
        self.rng = np.random.default_rng(case.seed)
        self.busy, self.busy_left = busy, 0
        self.within = False
        self.cycle = 0
        self.chunks: list[int] = []
        self.chunk_cycles: list[int] = []
        self.flags: list[int] = []
        self.loads: list[tuple[int, int]] = []

    async def reset(self) -> None:
        """Start the clock, hold reset for four cycles."""
        dut = self.dut
        for name in (
            "x_valid",
            "clear",
            "swap",
            "state_write",
            "load_write",
            "x_first",
            "x_answer",
        ):
            getattr(dut, name).value = 0
        for name in ("x", "state_address", "state_write_data", "load_address", "load_data"):
            getattr(dut, name).value = 0
        dut.h_ready.value = 1
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        await FallingEdge(dut.clk)
        for _ in range(PredictedBlock.RESET_CYCLES):
            await self.tick()
        dut.rst.value = 0

    async def look(self, name: str) -> int:
        """An output in the present cycle."""
        await Timer(1, "ns")
        return int(getattr(self.dut, name).value)

    async def tick(self) -> None:
        """End the present cycle."""
        dut = self.dut
        await Timer(1, "ns")
        if dut.h_valid.value == 1:
            self.chunks.append(dut.h.value.to_unsigned())
            self.chunk_cycles.append(self.cycle)
            self.flags.append(int(dut.h_first.value) | int(dut.h_answer.value) << 1)
            self.within = dut.h_last.value == 0
            if not self.within and self.rng.random() < self.busy:
                self.busy_left = int(self.rng.integers(1, 60))
        await FallingEdge(dut.clk)
        self.cycle += 1
        self.busy_left = max(0, self.busy_left - 1)
        dut.h_ready.value = int(not self.within and self.busy_left == 0)
        dut.load_write.value = int(bool(self.loads))
        if self.loads:
            dut.load_address.value, dut.load_data.value = self.loads.pop(0)

    async def until(self, name: str) -> None:
        """Wait for an output to be high."""
        for _ in range(20_000):
            if await self.look(name):
                return
            await self.tick()
        raise AssertionError(f"{name} did not rise in 20,000 cycles")

    async def play(self, script: Sequence[Operation], x: IntArray) -> tuple[list[int], list[int]]:
        """Run a script; returns the cycles of the handshakes and the state reads."""
        dut = self.dut
        taken, reads = [], []
        for kind, a, b, c in script:
            if kind is Kind.VECTOR:
                for _ in range(c):
                    await self.tick()
                dut.x.value = packed(x[a], self.p["X_WIDTH"])
                dut.x_first.value, dut.x_answer.value, dut.x_valid.value = b & 1, b >> 1 & 1, 1
                await self.until("x_ready")
                taken.append(self.cycle)
                await self.tick()
                dut.x_valid.value, dut.x.value = 0, 0
            elif kind is Kind.WAIT:
                for _ in range(a):
                    await self.tick()
            elif kind is Kind.WAIT_IDLE:
                await self.until("idle")
            elif kind is Kind.LOADED:
                while self.loads:
                    await self.tick()
                await self.tick()
                await self.tick()
            else:
                await self.until("drained")
                dut.state_address.value = a
                if kind is Kind.STATE_READ:
                    for _ in range(3):
                        await self.tick()
                    await Timer(1, "ns")
                    reads.append(dut.state_read_data.value.to_signed())
                    continue
                dut.clear.value = int(kind in (Kind.CLEAR, Kind.CLEAR_SWAP))
                dut.swap.value = int(kind in (Kind.SWAP, Kind.CLEAR_SWAP))
                dut.state_write.value = int(kind is Kind.STATE_WRITE)
                dut.state_write_data.value = b & 0xFFFFFFFF
                await self.tick()
                dut.clear.value = dut.swap.value = dut.state_write.value = 0
        await self.until("idle")
        await self.tick()
        await self.tick()
        return taken, reads

    def hidden(self) -> IntArray:
        """h of all vectors so far [vectors, units]."""
        width, lanes, units = self.p["H_WIDTH"], self.p["CHUNK"], self.p["UNITS"]
        values = [unpacked(chunk, width, lanes) for chunk in self.chunks]
        whole = np.array(values).reshape(-1, -(-units // lanes) * lanes)
        assert not whole[:, units:].any(), "lanes beyond the layer's units are not 0"
        return whole[:, :units]


def packed(values: IntArray, width: int) -> int:
    """Raw integers → a port's value."""
    word = 0
    for place, value in enumerate(values.tolist()):
        word |= (value & ((1 << width) - 1)) << (place * width)
    return word


def unpacked(word: int, width: int, count: int) -> list[int]:
    """A port's value → raw integers."""
    fields = [(word >> (place * width)) & ((1 << width) - 1) for place in range(count)]
    return [value - (value >> (width - 1) << width) for value in fields]


# ---- stimulus


def stimulus(case: Case, vectors: int) -> tuple[list[Operation], IntArray]:
    """A random script and its vectors, a part of them at the ends of their format."""
    spec = case.bundle().spec
    x = random_features(np.random.default_rng(case.seed), spec, (vectors,))
    swaps_from = vectors // 3 if case.plan().loadable else vectors
    return random_script(case.seed, spec.lstm_layers[0], vectors, swaps_from), x


# ---- tests


async def compare(dut: Any, busy: float) -> tuple[LstmTestBench, list[Operation], list[int]]:
    """Bits of a whole script, with another weight set loaded in mid-stream."""
    case = case_of_environment()
    script, x = stimulus(case, VECTORS)
    layer: LstmLayer = case.bundle().spec.lstm_layers[0]
    wanted, reads = ReferenceBlock(layer, (case.bundle(), case.bundle(other=True))).run(script, x)
    bench = LstmTestBench(dut, case, busy)
    await bench.reset()
    if case.plan().loadable:
        addresses, data = case.plan(other=True).image()
        bench.loads = list(zip(addresses.tolist(), data.tolist(), strict=True))
    taken, got_reads = await bench.play(script, x)
    np.testing.assert_array_equal(bench.hidden(), wanted)
    assert got_reads == reads.tolist()
    flags = [b for kind, _, b, _ in script if kind is Kind.VECTOR]
    chunks = len(bench.flags) // len(flags)
    assert bench.flags[::chunks] == flags
    sample_block(case.name)
    return bench, script, taken


@cocotb.test()
async def bits_are_the_references_while_the_next_block_stalls(dut: Any) -> None:
    """Random pauses of `h_ready`."""
    await compare(dut, busy=0.5)


@cocotb.test()
async def cycles_are_the_predicted_ones(dut: Any) -> None:
    """No stalls: every handshake and every chunk in its predicted cycle."""
    case = case_of_environment()
    script, x = stimulus(case, VECTORS)
    script = [operation for operation in script if operation[0] is not Kind.LOADED]
    bench = LstmTestBench(dut, case)
    await bench.reset()
    taken, _ = await bench.play(script, x)
    want_taken, want_chunks = PredictedBlock(case.plan()).run(script)
    assert taken == want_taken.tolist()
    assert bench.chunk_cycles == want_chunks.reshape(-1).tolist()
