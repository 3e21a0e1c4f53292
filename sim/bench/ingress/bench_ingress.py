"""cocotb bench of the whole ingress: pins of two PHYs to the decoder's rows, against the three definitions.

`pyorch.market.datagram` says which carriers are accepted, `lines` which of their frames go on, `wire_decoder`
what rows they give.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, FallingEdge, ReadOnly, Timer
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from firmware.register_map import ingress_register_map
from hls.emit.ingress import RECEIVE_CYCLES, verdict_to_beat_cycles
from pyorch.contract.events import EventArray
from pyorch.market.datagram import Listener, Verdict, ethernet_frame
from pyorch.market.lines import LineArbiter
from pyorch.market.simulate import simulate
from pyorch.market.wire import Beats, encode
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.coverage import sample_block
from sim.bench.events.bench_decoder import DecoderTestBench
from sim.bench.events.line import joined
from sim.bench.ingress.carriers import FAULTS, Carrier, carrier, with_fault

PHY = os.environ.get("PYORCH_PHY", "mii")
ROUNDS = int(os.environ.get("PYORCH_ROUNDS", "1"))
RX_NS, BYTE_CYCLES, CORE_NS = {"mii": (40.0, 2, 20.0), "rgmii": (8.0, 1, 8.0)}[PHY]
MAP = ingress_register_map()
GROUPS = (Listener(0xEF010101, 30001), Listener(0xEF010102, 30002))
WAIT_CYCLES = 3_000
GAP_BYTES, PHASE_NS = 12, 7


class IngressTestBench:
    """Two sources, registers, the decoder's rows."""

    def __init__(self, dut: Any) -> None:
        from cocotbext.eth import MiiSource, RgmiiSource

        self.dut = dut
        self.decoder = DecoderTestBench(dut, np.random.default_rng(0), 0.0, 0.0)
        dut.rst.value, dut.write.value, dut.row_ready.value, dut.read_address.value = 1, 0, 1, 0
        Clock(dut.clk, CORE_NS, unit="ns").start()
        self.sources = [
            MiiSource(dut.a_d, dut.a_er, dut.a_dv, dut.a_clk)
            if PHY == "mii"
            else RgmiiSource(dut.a_d, dut.a_dv, dut.a_clk),
            MiiSource(dut.b_d, dut.b_er, dut.b_dv, dut.b_clk)
            if PHY == "mii"
            else RgmiiSource(dut.b_d, dut.b_dv, dut.b_clk),
        ]
        for source in self.sources:
            source.log.setLevel("WARNING")
            source.ifg = GAP_BYTES * BYTE_CYCLES
        self.rows: list[tuple[int, ...]] = []
        self.last_beats_ns: list[float] = []

    async def start(self, on: int = 3) -> None:
        """Reset, then listen."""
        await Timer(PHASE_NS, "ns")
        Clock(self.dut.a_clk, RX_NS, unit="ns").start()
        Clock(self.dut.b_clk, RX_NS, unit="ns").start()
        await ClockCycles(self.dut.clk, 6)
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        for k, name in enumerate("AB"):
            await self.write(f"ADDRESS_{name}", GROUPS[k].address)
            await self.write(f"PORT_{name}", GROUPS[k].port)
        await self.write("WAIT_CYCLES", WAIT_CYCLES)
        await ClockCycles(self.dut.clk, 20)
        await self.write("INGRESS_ON", on)
        await Timer(20 * RX_NS, "ns")
        cocotb.start_soon(self._observe())

    async def write(self, name: str, value: int) -> None:
        """A register."""
        dut = self.dut
        await FallingEdge(dut.clk)
        dut.write.value, dut.write_address.value, dut.write_data.value = 1, MAP[name].offset, value
        await FallingEdge(dut.clk)
        dut.write.value = 0

    async def read(self, name: str, word: int = 0) -> int:
        """A register."""
        await FallingEdge(self.dut.clk)
        self.dut.read_address.value = MAP[name].offset + 4 * word
        await ClockCycles(self.dut.clk, 2)
        await ReadOnly()
        return int(self.dut.read_data.value.to_unsigned())

    async def _observe(self) -> None:
        dut = self.dut
        while True:
            await FallingEdge(dut.clk)
            if dut.row_valid.value == 1:
                self.rows.append(self.decoder.row())
            if dut.beat_taken.value == 1 and dut.beat_last.value == 1:
                self.last_beats_ns.append(get_sim_time("ns") + CORE_NS / 2)

    async def send(self, lines: Sequence[Sequence[Carrier]], later_ns: float) -> None:
        """Each line's carriers, B's later, and what follows."""
        for one in lines[0]:
            self.sources[0].send_nowait(one.gmii())
        await Timer(later_ns, "ns")
        for one in lines[1]:
            self.sources[1].send_nowait(one.gmii())
        for source in self.sources:
            await source.wait()
        await ClockCycles(self.dut.clk, WAIT_CYCLES + 200)

    async def counts(self, line: str) -> dict[str, int]:
        """By name; verdicts that were met."""
        verdicts = [await self.read(f"VERDICTS_{line}", v) for v in Verdict]
        found = {v.name: count for v, count in zip(Verdict, verdicts, strict=True) if count}
        for name in ("OVERFLOWS", "LOST", "DUPLICATES", "LATE"):
            found[name] = await self.read(f"{name}_{line}")
        return found


def frames_of(events: EventArray, beats_a_frame: int = 0) -> list[Beats]:
    """Frames of the rows."""
    return encode(events, session=2, beats_a_frame=beats_a_frame).split()


def ends_ns(carriers: Sequence[Carrier]) -> NDArray[np.float64]:
    """When each of a line's carriers ends, since the first began."""
    sizes = np.array([len(one.data) + GAP_BYTES for one in carriers])
    ends: NDArray[np.float64] = (np.cumsum(sizes) - GAP_BYTES) * (BYTE_CYCLES * RX_NS)
    return ends


def best_later_ns(ends: NDArray[np.float64], low: float, high: float) -> float:
    """How much later line B comes so that the ends of its carriers lie far from those of A's."""
    choices = np.arange(low, high, BYTE_CYCLES * RX_NS)
    distances = [np.abs(ends[:, None] - ends - later).min() for later in choices]
    return float(choices[int(np.argmax(distances))])


async def check(
    dut: Any, lines: Sequence[Sequence[Carrier]], later_ns: float
) -> tuple[IngressTestBench, LineArbiter]:
    """Rows and every count are the definitions'; the lines' carriers have the same lengths."""
    bench = IngressTestBench(dut)
    await bench.start()
    await bench.send(lines, later_ns)
    arbiter = LineArbiter(WAIT_CYCLES)
    wanted: list[Counter[str]] = [Counter(), Counter()]
    ends = ends_ns(lines[0])
    order = [(end + later_ns * line, line, k) for line in (0, 1) for k, end in enumerate(ends)]
    for end_ns, line, place in sorted(order):
        verdict, beats = lines[line][place].judged(GROUPS[line])
        wanted[line][verdict.name] += 1
        if verdict == Verdict.ACCEPTED:
            arbiter.arrive(line, beats, int(end_ns / CORE_NS))
    arbiter.advance(1 << 40)
    twin = WireDecoder()
    merged = joined(arbiter.passed)
    decoded = twin.push(merged.beats, merged.ends)
    assert bench.rows == [
        (*row, number, 0)
        for row, number in zip(decoded.events.tolist(), decoded.numbers.tolist(), strict=True)
    ]
    counts = twin.count_table()
    assert {name: getattr(dut, name).value.to_unsigned() for name in counts} == counts
    for line, name in enumerate("AB"):
        its = arbiter.counts[line]
        more = {
            "OVERFLOWS": 0, "LOST": its.lost, "DUPLICATES": its.duplicates, "LATE": its.late,
        }  # fmt: skip
        assert await bench.counts(name) == dict(wanted[line]) | more
    assert await bench.read("FILLED") == arbiter.filled
    assert await bench.read("UNFILLED") == arbiter.unfilled
    sample_block("udp_ingress")
    return bench, arbiter


@cocotb.test()
async def two_lines_with_every_fault_give_the_rows_of_the_definitions(dut: Any) -> None:
    """At line rate, the least gap: in each place of a line the same frame, right or wrong."""
    rng = np.random.default_rng(1)
    frames = frames_of(simulate(5, 2.0).events)[: 34 * ROUNDS]
    lines: list[list[Carrier]] = [[], []]
    for place, beats in enumerate(frames):
        bad = int(rng.integers(6)) if place else 2  # 0, 1: on one line; 3: on both
        for line in (0, 1):
            fault = FAULTS[(place + 5 * line) % len(FAULTS)]
            if fault in (Verdict.OVERSIZE, Verdict.TRUNCATED) or bad not in (line, 3):
                lines[line].append(carrier(ethernet_frame(beats, GROUPS[line])))
            else:
                lines[line].append(in_place(beats, GROUPS[line], fault, rng))
    ends = ends_ns(lines[0])
    frame_ns = float(np.median(np.diff(ends)))
    _, arbiter = await check(dut, lines, best_later_ns(ends, frame_ns, 2.5 * frame_ns))
    assert arbiter.filled > 1 and arbiter.unfilled > 0, (arbiter.filled, arbiter.unfilled)
    assert all(counts.lost for counts in arbiter.counts) and arbiter.counts[1].duplicates


def in_place(beats: Beats, listener: Listener, fault: Verdict, rng: np.random.Generator) -> Carrier:
    """A wrong carrier of the right one's length, so that both lines stay in step."""
    right = carrier(ethernet_frame(beats, listener))
    wrong = with_fault(beats, listener, fault, rng)
    short = len(right.data) - len(wrong.data)
    assert short >= 0, f"{fault.name}: {-short} bytes longer"
    return Carrier(b"\x55" * short + wrong.data, wrong.error_at + short * (wrong.error_at >= 0))


@cocotb.test(skip=PHY == "rgmii")
async def the_last_beat_comes_as_many_cycles_after_the_last_nibble_as_predicted(dut: Any) -> None:
    """Idle line, one frame at a time: within the one cycle that the crossing leaves open."""
    bench = IngressTestBench(dut)
    await bench.start(on=1)
    frames = frames_of(simulate(6, 1.0).events)[:8]
    for beats in frames:
        one = carrier(ethernet_frame(beats, GROUPS[0])).gmii()
        sent = Event()
        one.tx_complete = sent  # an `Event`, which the source sets
        bench.sources[0].send_nowait(one)
        await sent.wait()
        shown_ns = get_sim_time("ns")  # the last bits; the next edge takes them
        await ClockCycles(dut.clk, 250)
        least, most = verdict_to_beat_cycles(beats, first=beats is frames[0])
        since = bench.last_beats_ns[-1] - (shown_ns + (1 + RECEIVE_CYCLES) * RX_NS)
        assert least * CORE_NS < since <= most * CORE_NS, (since, least, most)
    assert len(bench.last_beats_ns) == len(frames)
