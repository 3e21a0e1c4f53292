"""cocotb bench of the dense blocks: chunk streams with pauses, back-pressure, swaps between vectors."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from hls.emit.core_cycles import ANSWER, Chunks, CoreControl
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import DenseLayer
from pyorch.inference.reference import dense
from sim.bench.coverage import sample_block
from sim.bench.layer.bench_lstm import PERIOD_NS, packed, unpacked
from sim.bench.layer.case import Case, case_of_environment

VECTORS = 200

# ---- the bench


class DenseTestBench:
    """Pushes chunks as an LSTM does, takes answers as they may come."""

    def __init__(self, dut: Any, parameters: dict[str, int], stall: float, seed: int) -> None:
        self.dut, self.p, self.stall = dut, parameters, stall
        self.rng = np.random.default_rng(seed)
        self.cycle = 0
        self.answers: list[list[int]] = []
        self.answer_cycles: list[int] = []
        self.pushed_cycles: list[int] = []
        self.loads: list[tuple[int, int]] = []

    async def reset(self) -> None:
        """Start the clock, hold reset for four cycles."""
        dut = self.dut
        for name in ("h_valid", "h_last", "h", "h_first", "h_answer", "swap", "load_write"):
            getattr(dut, name).value = 0
        dut.load_address.value = dut.load_data.value = 0
        dut.y_ready.value = 1
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        await FallingEdge(dut.clk)
        for _ in range(4):
            await self.tick()
        dut.rst.value = 0

    async def tick(self) -> None:
        """End the present cycle."""
        dut = self.dut
        await Timer(1, "ns")
        if dut.y_valid.value == 1 and dut.y_ready.value == 1 and dut.rst.value == 0:
            word = dut.y.value.to_unsigned()
            self.answers.append(unpacked(word, self.p["Y_WIDTH"], self.p["UNITS"]))
            self.answer_cycles.append(self.cycle)
        await FallingEdge(dut.clk)
        self.cycle += 1
        dut.y_ready.value = int(self.rng.random() >= self.stall)
        dut.load_write.value = int(bool(self.loads))
        if self.loads:
            dut.load_address.value, dut.load_data.value = self.loads.pop(0)

    async def until(self, name: str) -> None:
        """Wait for an output to be high."""
        for _ in range(5_000):
            await Timer(1, "ns")
            if getattr(self.dut, name).value == 1:
                return
            await self.tick()
        raise AssertionError(f"{name} did not rise in 5,000 cycles")

    async def push(self, h: IntArray, answer: bool, gaps: float) -> None:
        """One vector, chunk by chunk."""
        dut, lanes = self.dut, self.p["CHUNK"]
        await self.until("h_ready")
        padded = np.zeros(-(-len(h) // lanes) * lanes, dtype=np.int64)
        padded[: len(h)] = h
        starts = range(0, len(padded), lanes)
        for start in starts:
            while self.rng.random() < gaps:
                await self.tick()
            dut.h.value = packed(padded[start : start + lanes], self.p["H_WIDTH"])
            dut.h_valid.value, dut.h_last.value = 1, int(start == starts[-1])
            dut.h_answer.value = int(answer)
            await self.tick()
            dut.h_valid.value = 0
        self.pushed_cycles.append(self.cycle - 1)


# ---- stimulus and tests


def predicted(case: Case) -> int:
    """Cycles from the last chunk to the answer, by the block's automaton."""
    control = CoreControl.of(case.plan()).denses[0]
    while not control.ready(Chunks()):
        control.step(Chunks(), True)
    control.step(Chunks(True, True, ANSWER), True)
    cycles = 1
    while not control.valid:
        control.step(Chunks(), True)
        cycles += 1
    return cycles


async def play(dut: Any, stall: float, gaps: float, swaps: float, wanted_share: float) -> Any:
    """Random vectors; compares all answers with the reference."""
    case = case_of_environment()
    bundles = [case.bundle(), case.bundle(other=True)]
    layer = bundles[0].spec.layers[case.layer]
    assert isinstance(layer, DenseLayer)
    bench = DenseTestBench(dut, case.ports, stall, case.seed)
    await bench.reset()
    if case.plan().loadable:
        addresses, data = case.plan(other=True).image()
        bench.loads = list(zip(addresses.tolist(), data.tolist(), strict=True))
    else:
        swaps = 0.0
    while bench.loads:
        await bench.tick()
    form, wanted = layer.input, []
    for number in range(VECTORS):
        h = bench.rng.integers(form.minimum, form.maximum + 1, layer.inputs)
        if number % 8 == 0:
            h = bench.rng.choice([form.minimum, form.maximum], layer.inputs)
        answer = bool(bench.rng.random() < wanted_share)
        if answer:
            wanted.append(dense(layer, bundles[0].weights, h[None])[0].tolist())
        await bench.push(h, answer, gaps)
        if bench.rng.random() < swaps:
            await bench.until("drained")
            dut.swap.value = 1
            await bench.tick()
            dut.swap.value = 0
            bundles.reverse()
    bench.stall = 0.0
    await bench.tick()
    await bench.until("drained")
    await bench.until("idle")
    assert bench.answers == wanted
    sample_block(case.name)
    return bench


@cocotb.test()
async def answers_are_the_references_with_gaps_stalls_and_swaps(dut: Any) -> None:
    """Everything at random; unwanted vectors give no answer."""
    await play(dut, stall=0.4, gaps=0.3, swaps=0.1, wanted_share=0.7)


@cocotb.test()
async def answers_follow_the_last_chunk_by_the_predicted_cycles(dut: Any) -> None:
    """Nothing stalls: the latency is the automaton's."""
    bench = await play(dut, stall=0.0, gaps=0.0, swaps=0.0, wanted_share=1.0)
    late = np.array(bench.answer_cycles) - np.array(bench.pushed_cycles)
    assert (late == predicted(case_of_environment())).all()
