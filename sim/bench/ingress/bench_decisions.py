"""cocotb bench of a feature path with its ingress: pins of two PHYs to decision words, against the CPU loop.

`pyorch.market.datagram` says which carriers are accepted, `lines` which of their frames go on, `wire_decoder`
what rows they give, the CPU loop what is decided.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, FallingEdge, ReadOnly, RisingEdge, Timer
from cocotb.utils import get_sim_time

from firmware.register_map import ingress_register_map
from hls.emit.ingress import RECEIVE_CYCLES, verdict_to_beat_cycles
from pyorch.contract.decision import EventRegister, decode_decisions
from pyorch.contract.events import Kind
from pyorch.contract.fabric import FabricManifest
from pyorch.market.datagram import Listener, Verdict, ethernet_frame
from pyorch.market.lines import LineArbiter
from pyorch.market.simulate import simulate
from pyorch.market.wire import HEADER_BEATS
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.events.decision_player import decided, differences
from sim.bench.events.line import joined, with_snapshots
from sim.bench.events.small import lively, small_desk
from sim.bench.ingress.bench_ingress import (
    BYTE_CYCLES,
    CORE_NS,
    GAP_BYTES,
    PHASE_NS,
    RX_NS,
    best_later_ns,
    ends_ns,
    frames_of,
    in_place,
)
from sim.bench.ingress.carriers import FAULTS, Carrier, carrier, with_fault

PROJECT = Path(os.environ.get("PYORCH_PROJECT", "."))
ROUNDS = int(os.environ.get("PYORCH_ROUNDS", "1"))
FRAMES = 160
"""Of a round."""
MEASURED, IDLE_CYCLES = 200, 100
"""Frames of the measurement of cycles; between them."""
BEGIN = 500
"""The first frame: where rules begin to act in this market."""
MAP = ingress_register_map()
POLICY_CYCLES = 4096
"""Until the built-in policy is written."""
LINES = "AB"


class DecisionsTestBench:
    """Two sources, reads of registers, the beats of words."""

    def __init__(self, dut: Any) -> None:
        from cocotbext.eth import MiiSource

        self.dut = dut
        self.manifest = FabricManifest.load(PROJECT)
        assert self.manifest.events is not None and self.manifest.events.ingress is not None
        path = self.manifest.events.ingress
        self.groups = [Listener.parse(text, int(path.mac, 16)) for text in path.listen]
        self.wait_cycles = path.wait_cycles
        dut.resetn.value, dut.read.value, dut.read_address.value = 0, 0, 0
        Clock(dut.clk, CORE_NS, unit="ns").start()
        self.sources = [
            MiiSource(dut.a_d, dut.a_er, dut.a_dv, dut.a_clk),
            MiiSource(dut.b_d, dut.b_er, dut.b_dv, dut.b_clk),
        ]
        for source in self.sources:
            source.log.setLevel("WARNING")
            source.ifg = GAP_BYTES * BYTE_CYCLES
        self.beats: list[int] = []
        self.ends: list[bool] = []
        self.taken_ns: list[float] = []
        """The edge that takes a word's first beat."""

    async def start(self) -> None:
        """Reset, and wait for the policy."""
        await Timer(PHASE_NS, "ns")
        Clock(self.dut.a_clk, RX_NS, unit="ns").start()
        Clock(self.dut.b_clk, RX_NS, unit="ns").start()
        await ClockCycles(self.dut.clk, 6)
        await FallingEdge(self.dut.clk)
        self.dut.resetn.value = 1
        await ClockCycles(self.dut.clk, POLICY_CYCLES)
        cocotb.start_soon(self._observe())

    async def _observe(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.word_valid)
            self.taken_ns.append(get_sim_time("ns") + CORE_NS)
            while True:
                await FallingEdge(dut.clk)
                if dut.word_valid.value != 1:
                    break
                self.beats.append(dut.word.value.to_unsigned())
                self.ends.append(dut.word_last.value == 1)

    async def read(self, address: int) -> int:
        """A register."""
        dut = self.dut
        await FallingEdge(dut.clk)
        dut.read.value, dut.read_address.value = 1, address
        await ReadOnly()
        while dut.read_taken.value != 1:
            await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.read.value = 0
        await ReadOnly()
        while dut.read_done.value != 1:
            await FallingEdge(dut.clk)
        return int(dut.read_data.value.to_unsigned())

    async def counts(self, line: str) -> dict[str, int]:
        """By name; verdicts that were met."""
        found = {}
        for verdict in Verdict:
            count = await self.read(MAP[f"VERDICTS_{line}"].offset + 4 * verdict)
            if count:
                found[verdict.name] = count
        for name in ("OVERFLOWS", "LOST", "DUPLICATES", "LATE"):
            found[name] = await self.read(MAP[f"{name}_{line}"].offset)
        return found


def two_lines(
    groups: list[Listener], rng: np.random.Generator
) -> tuple[list[Carrier], list[Carrier]]:
    """In each place of a line the same frame, right or wrong, at line rate; lost on both now and then.

    Carriers that are too long go before a right one, on both lines, so that these stay in step.
    """
    rows = with_snapshots(simulate(7, 20.0).events, 12)
    lines: tuple[list[Carrier], list[Carrier]] = ([], [])
    for place, beats in enumerate(frames_of(rows)[BEGIN : BEGIN + FRAMES * ROUNDS]):
        drawn = int(rng.integers(60)) if place else 59
        wrong = {
            0: drawn < 10 or drawn == 40,
            1: 10 <= drawn < 20 or drawn == 40,
        }  # 40: lost on both
        for line in (0, 1):
            fault = FAULTS[(place + 5 * line) % len(FAULTS)]
            right = carrier(ethernet_frame(beats, groups[line]))
            if fault == Verdict.OVERSIZE or not wrong[line]:
                lines[line].append(right)
            else:
                lines[line].append(in_place(beats, groups[line], fault, rng))
        if place % 100 == 50:
            for line in (0, 1):
                lines[line].append(with_fault(beats, groups[line], Verdict.OVERSIZE, rng))
    return lines


@cocotb.test()
async def two_lines_with_every_fault_decide_as_the_cpu_loop_does(dut: Any) -> None:
    """Every decision, every verdict and every count; nothing that is wrong reaches the book."""
    desk = lively(small_desk())
    bench = DecisionsTestBench(dut)
    lines = two_lines(bench.groups, np.random.default_rng(1))
    ends = ends_ns(lines[0])
    frame_ns = float(np.median(np.diff(ends)))
    later_ns = best_later_ns(ends, frame_ns, 2.5 * frame_ns)
    await bench.start()
    for one in lines[0]:
        bench.sources[0].send_nowait(one.gmii())
    await Timer(later_ns, "ns")
    for one in lines[1]:
        bench.sources[1].send_nowait(one.gmii())
    for source in bench.sources:
        await source.wait()
    await ClockCycles(dut.clk, bench.wait_cycles + 1000)

    arbiter = LineArbiter(bench.wait_cycles)
    wanted: list[Counter[str]] = [Counter(), Counter()]
    order = [
        (end + later_ns * line, line, k) for line in (0, 1) for k, end in enumerate(ends_ns(lines[line]))
    ]  # fmt: skip
    for end_ns, line, place in sorted(order):
        verdict, beats = lines[line][place].judged(bench.groups[line])
        wanted[line][verdict.name] += 1
        if verdict == Verdict.ACCEPTED:
            arbiter.arrive(line, beats, int(end_ns / CORE_NS))
    arbiter.advance(1 << 40)
    merged, twin = joined(arbiter.passed), WireDecoder()
    decoded = twin.push(merged.beats, merged.ends)
    expected, _ = decided(desk.bundle, desk.plan, bench.manifest, decoded.events, decoded.numbers)
    words = decode_decisions(np.array(bench.beats, np.uint64), np.array(bench.ends))
    assert not differences(words, expected)

    assert set(wanted[0]) | set(wanted[1]) == {verdict.name for verdict in Verdict}
    for line, name in enumerate(LINES):
        its = arbiter.counts[line]
        more = {
            "OVERFLOWS": 0, "LOST": its.lost, "DUPLICATES": its.duplicates, "LATE": its.late,
        }  # fmt: skip
        assert await bench.counts(name) == dict(wanted[line]) | more
    assert await bench.read(MAP["FILLED"].offset) == arbiter.filled > 5
    assert await bench.read(MAP["UNFILLED"].offset) == arbiter.unfilled > 0
    counts = twin.count_table()
    for place, name in enumerate(("events", "duplicates", "gaps", "lost")):
        assert await bench.read(EventRegister.COUNTERS + 4 * place) == counts[name], name
    assert counts["gaps"] == arbiter.unfilled
    ticks = words[~words["void"]]
    assert len(ticks) > 60 and ticks["warm"].any() and (ticks["fired"] != 0).any()
    assert words["void"].any() and ticks["first"].sum() > 1, (
        "no book came back after a loss on both"
    )
    print(json.dumps({
        "carriers": [len(one) for one in lines], "decisions": len(words), "rows": len(decoded.events),
        "filled": arbiter.filled, "unfilled": arbiter.unfilled, "verdicts": [dict(one) for one in wanted],
    }))  # fmt: skip


@cocotb.test()
async def a_decision_comes_as_many_cycles_after_the_last_nibble_as_stated(dut: Any) -> None:
    """A frame at a time, all idle: receiving, crossing and store as predicted, then the word's `cycles`."""
    bench = DecisionsTestBench(dut)
    await bench.start()
    its_cycles: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    for place, beats in enumerate(frames_of(simulate(7, 5.0).events)[:MEASURED]):
        one = carrier(ethernet_frame(beats, bench.groups[0])).gmii()
        sent, before = Event(), len(bench.taken_ns)
        one.tx_complete = sent
        bench.sources[0].send_nowait(one)
        await sent.wait()
        written_ns = get_sim_time("ns") + (1 + RECEIVE_CYCLES) * RX_NS
        await ClockCycles(dut.clk, IDLE_CYCLES)
        words = decode_decisions(np.array(bench.beats, np.uint64), np.array(bench.ends))[before:]
        kind = Kind(int(beats[0]) & 15)
        if len(words) == 1 and len(beats) == HEADER_BEATS + (kind == Kind.DEPTH) + 1:
            cycles = int(words["cycles"][0])
            since = (bench.taken_ns[before] - written_ns) / CORE_NS
            most = verdict_to_beat_cycles(beats, first=place == 0)[1] + cycles
            assert most - 1 < since <= most, (place, kind.name, since, most)
            its_cycles[kind].append(cycles)
    for kind, name in ((Kind.TRADE, "trade"), (Kind.DEPTH, "levels")):
        assert min(its_cycles[kind]) == bench.manifest.cycles[f"{name}_to_decision"], kind.name
    print({kind.name: dict(Counter(cycles)) for kind, cycles in its_cycles.items() if cycles})
