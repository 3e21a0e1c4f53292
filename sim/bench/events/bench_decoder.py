"""cocotb bench of `event_decoder`: spoilt streams with pauses and back-pressure, against the definition."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.events.line import joined, spoilt

INSTRUMENTS = 2
STALE_NS = 3_000_000
PERIOD_NS = 10
NAMES = ("local_ns", "exchange_ns", "sequence", "before", "price_ticks", "quantity_lots")

# ---- the bench


class DecoderTestBench:
    """Offers beats, takes rows as they may come."""

    def __init__(self, dut: Any, rng: np.random.Generator, idle: float, stall: float) -> None:
        self.dut, self.rng, self.idle, self.stall = dut, rng, idle, stall
        self.rows: list[tuple[int, ...]] = []
        self.cycle = 0
        self.taken_cycles: list[int] = []
        self.row_cycles: list[int] = []

    async def reset(self) -> None:
        """Start the clock, hold reset for four cycles."""
        dut = self.dut
        dut.s_axis_tvalid.value = dut.s_axis_tlast.value = dut.s_axis_tdata.value = 0
        dut.stale_on.value, dut.stale_ns.value, dut.row_ready.value = 1, STALE_NS, 1
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        await FallingEdge(dut.clk)
        for _ in range(4):
            await self.tick()
        dut.rst.value = 0

    async def tick(self) -> bool:
        """End the present cycle; whether a beat was taken in it."""
        dut = self.dut
        await Timer(1, "ns")
        taken = dut.rst.value == 0 and dut.s_axis_tready.value == 1 and dut.s_axis_tvalid.value == 1
        if dut.rst.value == 0 and dut.row_valid.value == 1 and dut.row_ready.value == 1:
            self.rows.append(self.row())
            self.row_cycles.append(self.cycle)
        if taken:
            self.taken_cycles.append(self.cycle)
        await FallingEdge(dut.clk)
        self.cycle += 1
        dut.row_ready.value = int(self.rng.random() >= self.stall)
        return bool(taken)

    def row(self) -> tuple[int, ...]:
        """The row at the port: as `EVENT_DTYPE`, number and mark."""
        dut = self.dut
        local, exchange, sequence, before, price, quantity = (
            getattr(dut, f"row_{name}").value.to_signed() for name in NAMES
        )
        kind, side, instrument = (
            getattr(dut, f"row_{name}").value.to_unsigned()
            for name in ("kind", "side", "instrument")
        )
        flags = int(dut.row_first.value) * Flag.FIRST | int(dut.row_last.value) * Flag.LAST
        number = dut.row_number.value.to_unsigned()
        return (
            local, exchange, -1, sequence, before, price, quantity, kind, side, flags, instrument, 0,
            number, int(dut.row_stale.value),
        )  # fmt: skip

    async def send(self, frames: Frames) -> None:
        """All beats, then as long as rows may come."""
        dut = self.dut
        for beat, last in zip(frames.beats.tolist(), frames.ends.tolist(), strict=True):
            while self.rng.random() < self.idle:
                await self.tick()
            dut.s_axis_tdata.value, dut.s_axis_tlast.value, dut.s_axis_tvalid.value = beat, last, 1
            for _ in range(1_000):
                if await self.tick():
                    break
            else:
                raise AssertionError("a beat was not taken in 1,000 cycles")
            dut.s_axis_tvalid.value = 0
        self.stall = 0.0
        for _ in range(4 * INSTRUMENTS + 8):
            await self.tick()
        assert dut.row_valid.value == 0


# ---- stimulus and tests


async def play(dut: Any, frames: Frames, seed: int, idle: float, stall: float) -> DecoderTestBench:
    """Send frames; rows, numbers, marks and counts must be the definition's."""
    bench = DecoderTestBench(dut, np.random.default_rng(seed), idle, stall)
    await bench.reset()
    await bench.send(frames)
    twin = WireDecoder(INSTRUMENTS, STALE_NS)
    decoded = twin.push(frames.beats, frames.ends)
    rows: EventArray = np.array([row[:12] for row in bench.rows], dtype=EVENT_DTYPE)
    np.testing.assert_array_equal(rows, decoded.events)
    np.testing.assert_array_equal([row[12] for row in bench.rows], decoded.numbers)
    np.testing.assert_array_equal([row[13] for row in bench.rows], decoded.stale)
    counts = {name: getattr(dut, name).value.to_unsigned() for name in twin.count_table()}
    assert counts == twin.count_table()
    return bench


@cocotb.test()
async def spoilt_streams_are_decoded_as_defined(dut: Any) -> None:
    """Every kind of fault, idle cycles and back-pressure."""
    total: dict[str, int] = {}
    events = simulate(5, 3.0, second=True).events
    for seed in range(4):
        part = events[400 * seed : 400 * (seed + 1)].copy()
        part["quantity_lots"][::97] <<= 30  # wide ones
        frames = encode(part, session=seed, beats_a_frame=(0, FRAME_BEATS)[seed & 1]).split()
        rng = np.random.default_rng(seed)
        line = joined(spoilt(frames, rng, (0.3, 0.9)[seed & 1]))
        await play(dut, line, seed, idle=0.2, stall=0.3)
        twin = WireDecoder(INSTRUMENTS, STALE_NS)
        twin.push(line.beats, line.ends)
        for name, count in twin.count_table().items():
            total[name] = total.get(name, 0) + count
    assert all(total.values()), total


@cocotb.test()
async def any_beats_are_decoded_as_defined(dut: Any) -> None:
    """Headers that are nearly right, of any content, frames that end anywhere."""
    rng = np.random.default_rng(7)
    beats = rng.integers(0, 2**63, 1500, dtype=np.uint64) * np.uint64(2)
    heads = rng.random(len(beats)) < 0.3
    head = 1 << 28 | rng.integers(0, 8, heads.sum()) | rng.integers(0, 8, heads.sum()) << 4
    head |= rng.integers(0, 3, heads.sum()) << 8 | rng.integers(0, 5, heads.sum()) << 16
    beats[heads] = head.astype(np.uint64) | rng.integers(0, 4, heads.sum()).astype(
        np.uint64
    ) << np.uint64(32)
    await play(dut, Frames(beats, rng.random(len(beats)) < 0.15, 0), 8, idle=0.1, stall=0.3)


@cocotb.test()
async def a_row_follows_its_beat_by_one_cycle_and_an_event_takes_five_and_its_rows(
    dut: Any,
) -> None:
    """Nothing idles, nothing stalls: latency and interval are the stated ones."""
    tape = simulate(6, 2.0).events
    frames = encode(tape)
    bench = await play(dut, frames, 1, idle=0.0, stall=0.0)
    taken = np.array(bench.taken_cycles)
    sizes = np.array([len(frame) for frame in frames.split()])
    ends = np.cumsum(sizes) - 1
    heads = ends - sizes + 1
    rows = np.array([int(frame[0]) >> 16 & 255 for frame in frames.split()])
    wanted = 5 + rows
    np.testing.assert_array_equal((taken[heads[1:]] - taken[heads[:-1]])[1:], wanted[1:-1])
    last_rows = np.cumsum(rows) + INSTRUMENTS - 1
    np.testing.assert_array_equal(np.array(bench.row_cycles)[last_rows], taken[ends] + 1)


@cocotb.test()
async def timers_and_late_events_are_marked_as_defined(dut: Any) -> None:
    """Buckets of delays: same, next, leapt over, negative times and none."""
    rng = np.random.default_rng(9)
    rows = np.zeros(300, EVENT_DTYPE)
    rows["kind"], rows["side"], rows["flags"] = Kind.TIMER, Side.NONE, Flag.FIRST | Flag.LAST
    rows["instrument"] = rng.integers(0, INSTRUMENTS, len(rows))
    steps = rng.choice([0, 1 << 20, 1 << 31, 1 << 33, 1 << 34, 1 << 36], len(rows))
    rows["local_ns"] = np.cumsum(steps) - (1 << 38)
    rows["exchange_ns"] = (
        rows["local_ns"] - rng.integers(-6_000_000, 6_000_000, len(rows)) + (1 << 39)
    )
    rows["exchange_ns"][rng.random(len(rows)) < 0.1] = -1
    bench = await play(dut, encode(rows), 2, idle=0.0, stall=0.1)
    assert 20 < sum(row[13] for row in bench.rows) < 280
