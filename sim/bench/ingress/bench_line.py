"""cocotb bench of a line up to the crossing: carriers against `pyorch.market.datagram`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from pyorch.market.datagram import LONGEST, PAYLOAD_AT, Listener, Verdict, ethernet_frame, sealed
from pyorch.market.wire import FRAME_BEATS
from sim.bench.coverage import Coverage, sample_block
from sim.bench.ingress.carriers import (
    FAULTS,
    Carrier,
    carrier,
    expected,
    random_beats,
    with_fault,
)

PHY = os.environ.get("PYORCH_PHY", "mii")
PERIOD_NS = {"mii": 40, "rgmii": 8}[PHY]
BYTE_CYCLES = {"mii": 2, "rgmii": 1}[PHY]
GROUP = Listener(0xEF010203, 30001)
OWN = Listener(0x0A010203, 65535, 0x020000123456)
OVERFLOW = 1 << 4
ROUNDS = int(os.environ.get("PYORCH_ROUNDS", "1"))


class LineTestBench:
    """Sends carriers, takes words."""

    def __init__(self, dut: Any, listener: Listener, room: float = 1.0, seed: int = 0) -> None:
        from cocotbext.eth import MiiSource, RgmiiSource

        self.dut, self.room, self.rng = dut, room, np.random.default_rng(seed)
        dut.mac.value, dut.address.value, dut.port.value = (
            listener.mac, listener.address, listener.port,
        )  # fmt: skip
        dut.rst.value, dut.word_ready.value = 1, 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        self.source = (
            MiiSource(dut.rx_d, dut.rx_er, dut.rx_dv, dut.clk)
            if PHY == "mii"
            else RgmiiSource(dut.rx_d, dut.rx_dv, dut.clk)
        )
        self.source.log.setLevel("WARNING")
        self.words: list[tuple[bool, int]] = []
        self.missed = 0
        self.cycle = 0

    async def send(self, carriers: Sequence[Carrier], gap: int = 12) -> None:
        """Carriers with so many bytes between them, and what follows from them."""
        self.source.ifg = gap * BYTE_CYCLES
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 4)
        for one in carriers:
            self.source.send_nowait(one.gmii())
        cocotb.start_soon(self._take())
        await self.source.wait()
        await ClockCycles(self.dut.clk, 12)

    async def _take(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            self.dut.word_ready.value = int(self.rng.random() < self.room)
            await ReadOnly()
            if self.dut.word_valid.value == 1:
                if self.dut.word_ready.value == 1:
                    self.words.append((bool(self.dut.word_verdict.value), self.word()))
                else:
                    self.missed += 1

    def word(self) -> int:
        """At the port."""
        return int(self.dut.word.value.to_unsigned())

    def judged(self) -> tuple[list[int], list[list[int]]]:
        """Verdicts (and `OVERFLOW`), and the payloads of frames accepted."""
        verdicts: list[int] = []
        payloads: list[list[int]] = []
        beats: list[int] = []
        for is_verdict, word in self.words:
            if not is_verdict:
                beats.append(word)
                continue
            verdicts.append(word)
            if word == Verdict.ACCEPTED:
                payloads.append(beats)
            beats = []
        assert not beats
        return verdicts, payloads


async def check(dut: Any, carriers: Sequence[Carrier], listener: Listener, gap: int) -> None:
    """Verdicts and payloads are the definition's; every fault is a bin."""
    bench = LineTestBench(dut, listener)
    await bench.send(carriers, gap)
    verdicts, payloads = expected(carriers, listener)
    found, beats = bench.judged()
    assert [Verdict(word) for word in found] == verdicts
    assert beats == payloads
    for verdict, count in Counter(verdicts).items():
        coverage = Coverage()
        for _ in range(count):
            coverage.sample(phy=PHY, carrier=verdict.name)
        coverage.save()
    sample_block("datagram_check")


@cocotb.test()
async def every_fault_gets_its_verdict_and_no_beat_is_accepted(dut: Any) -> None:
    """Each fault several times among right frames, at the least gap."""
    rng = np.random.default_rng(1)
    carriers = []
    for fault in FAULTS * (2 * ROUNDS):
        carriers.append(with_fault(random_beats(rng, 12), GROUP, fault, rng))
        if rng.random() < 0.3:
            carriers.append(carrier(ethernet_frame(random_beats(rng, 12), GROUP), rng))
    assert {one.judged(GROUP)[0] for one in carriers} == set(Verdict)
    await check(dut, carriers, GROUP, 12)


@cocotb.test()
async def frames_of_every_length_to_our_own_address_are_taken_a_byte_apart(dut: Any) -> None:
    """From the shortest to the longest, with a gap of one byte; the longest is 1,514 bytes."""
    rng = np.random.default_rng(2)
    sizes = [*range(1, 4 + 8 * ROUNDS), FRAME_BEATS]
    carriers = [
        carrier(
            ethernet_frame(random_beats(rng, 1).repeat(size), OWN, checksum=bool(size & 1)), rng
        )
        for size in sizes
    ]
    assert len(carriers[-1].frame) <= LONGEST < PAYLOAD_AT + 8 * (FRAME_BEATS + 1) + 4
    await check(dut, carriers, OWN, 1)


@cocotb.test()
async def any_bytes_are_judged_as_defined(dut: Any) -> None:
    """Bytes of right frames replaced by any, the check sequence right again; odd ends."""
    rng = np.random.default_rng(3)
    carriers = []
    for _ in range(40 * ROUNDS):
        frame = bytearray(ethernet_frame(random_beats(rng, 4), GROUP, checksum=rng.random() < 0.7))
        for at in rng.integers(0, 46, int(rng.integers(1, 3))).tolist():
            frame[at] = int(rng.choice([0, 1, 0x45, 0xFF, int(rng.integers(256))]))
        end = -4 if rng.random() < 0.7 else -4 - int(rng.integers(1, 30))
        carriers.append(carrier(sealed(bytes(frame[:end])), rng))
    await check(dut, carriers, GROUP, 2)


@cocotb.test()
async def a_crossing_without_room_costs_whole_frames_and_is_told(dut: Any) -> None:
    """Words are refused at random: a frame is right or an overflow, and each refusal is in one."""
    rng = np.random.default_rng(4)
    carriers = [
        carrier(ethernet_frame(random_beats(rng, 6), GROUP), rng) for _ in range(30 * ROUNDS)
    ]
    bench = LineTestBench(dut, GROUP, room=0.8, seed=5)
    await bench.send(carriers, 2)
    bench.room = 1.0
    await ClockCycles(dut.clk, 4)
    _, payloads = expected(carriers, GROUP)
    found, beats = bench.judged()
    overflows = sum(word & OVERFLOW > 0 for word in found)
    assert bench.missed > 5 and overflows > 5
    assert len(beats) + overflows == len(found)
    rest = iter(payloads)
    assert all(any(one == other for other in rest) for one in beats)  # in order, none made up
    sample_block("datagram_check")


@cocotb.test()
async def the_verdict_is_there_two_cycles_after_the_last_nibble(dut: Any) -> None:
    """Of the receive clock, between the edges that take the last bits and write the verdict."""
    bench = LineTestBench(dut, GROUP)
    frame = carrier(ethernet_frame(random_beats(np.random.default_rng(6), 5), GROUP))
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    bench.source.send_nowait(frame.gmii())
    last_taken = written = cycle = 0
    while not written:
        await FallingEdge(dut.clk)
        cycle += 1
        if dut.rx_dv.value == 1:
            last_taken = cycle + 1  # at the rising edge that follows
        if dut.word_valid.value == 1 and dut.word_verdict.value == 1:
            written = cycle + 1
    assert written - last_taken == {"mii": 2, "rgmii": 3}[PHY]
