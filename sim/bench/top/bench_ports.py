"""The ports of an emitted fabric under cocotb: registers, frames, resets, and a watchdog over all of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, SimTimeoutError, Timer, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from firmware.register_map import Register, register_map
from pyorch.contract.fabric import Beats, FabricManifest, Result, WeightImage
from sim.bench.top.case import ACLK_PS, TopCase

PATIENCE = 60_000
"""Cycles after which a wait is a hang: ten times the longest of these models with the longest pauses."""
OKAY, SLVERR = 0, 2
INPUTS = (
    "s_axis_tvalid", "m_axis_tready", "s_axil_awvalid", "s_axil_wvalid", "s_axil_arvalid", "s_axil_bready",
    "s_axil_rready", "s_axil_wstrb",
)  # fmt: skip
MAP = register_map()


class Ports:
    """Drives a `fabric_top` as a host does.

    Attributes:
        received: result frames since the last `forget`.
    """

    def __init__(self, dut: Any, manifest: FabricManifest, case: TopCase) -> None:
        self.dut, self.manifest, self.case = dut, manifest, case
        self.patience = PATIENCE * max(1, case.core_ps // ACLK_PS)
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.received: list[Result] = []
        self.sent = 0

    async def start(self) -> None:
        """Clock and first reset; the models of the buses look at outputs that are known from then on."""
        dut = self.dut
        dut.aresetn.value = 0
        for name in INPUTS:
            getattr(dut, name).value = 0
        Clock(dut.aclk, ACLK_PS, unit="ps", impl="gpi").start()
        if self.case.clocks == 2:
            dut.core_clk.value = 0
            cocotb.start_soon(self._core_clock())
        await self.cycles(self.reset_cycles + 2)
        dut.aresetn.value = 1
        await self.cycles(2 * self.reset_cycles)
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, byte_lanes=8
        )
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, byte_lanes=8)
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk)
        cocotb.start_soon(self._collect())

    @property
    def reset_cycles(self) -> int:
        """The shortest reset: a cycle, or four of the slower of two clocks."""
        return 1 if self.case.clocks == 1 else 4 * max(1, -(-self.case.core_ps // ACLK_PS))

    async def _core_clock(self) -> None:
        await Timer(1 + self.case.phase_ps, unit="ps")
        Clock(self.dut.core_clk, self.case.core_ps, unit="ps", impl="gpi").start()

    async def _collect(self) -> None:
        while True:
            frame = await self.sink.recv()
            beats = np.frombuffer(bytes(frame.tdata), dtype="<u8")
            self.received.append(self.manifest.decode(beats))

    async def cycles(self, count: int) -> None:
        """Let the clock run."""
        await ClockCycles(self.dut.aclk, count)

    async def within(self, what: str, work: Awaitable[Any]) -> Any:
        """The watchdog: what is not done in so many cycles hangs.

        Raises:
            AssertionError: names what, and how far the frames came.
        """
        try:
            return await with_timeout(work, self.patience * ACLK_PS, "ps")
        except SimTimeoutError:
            raise AssertionError(
                f"{what}: not done in {self.patience:,} cycles; {len(self.received)} result frames for "
                f"{self.sent} frames came"
            ) from None

    # ---- resets
    def stop_dma(self) -> None:
        """What a reset of the DMA does: both streams stop wherever they are."""
        for side in (self.source, self.sink):
            side.clear_pause_generator()
            side.pause = False
            side.assert_reset(True)
            side.clear()

    def start_dma(self) -> None:
        """Streams may move again."""
        for side in (self.source, self.sink):
            side.assert_reset(False)

    async def hard_reset(self, longer: int) -> None:
        """Hold `aresetn` low so many cycles longer than need be; frames under way are gone."""
        self.stop_dma()
        self.dut.aresetn.value = 0
        await self.cycles(self.reset_cycles + longer)
        self.dut.aresetn.value = 1
        await self.cycles(2 + 2 * self.reset_cycles)
        self.start_dma()

    async def soft_reset(self) -> None:
        """DMA first, then COMMAND.reset."""
        self.stop_dma()
        await self.command(reset=1)
        await self.cycles(2)
        self.start_dma()

    # ---- frames
    def pace(self, gaps: Iterator[bool] | None, pressure: Iterator[bool] | None) -> None:
        """How source and sink pause from now on."""
        for side, generator in ((self.source, gaps), (self.sink, pressure)):
            side.clear_pause_generator()
            side.pause = False
            if generator is not None:
                side.set_pause_generator(generator)

    def forget(self) -> None:
        """Count frames anew."""
        self.received.clear()
        self.sent = 0

    def expect(self, frames: int) -> None:
        """So many frames will be sent."""
        self.sent += frames

    def send(self, frames: list[Beats]) -> None:
        """Queue frames that are expected."""
        for frame in frames:
            self.source.send_nowait(AxiStreamFrame(frame.astype("<u8").tobytes()))

    async def results(self) -> list[Result]:
        """Wait until every frame has its result; a surplus one is an error."""

        async def enough() -> None:
            while len(self.received) < self.sent:
                await self.cycles(5)

        await self.within("result frames", enough())
        await self.cycles(12)
        assert len(self.received) == self.sent, (
            f"{len(self.received)} result frames for {self.sent} frames"
        )
        return self.received

    # ---- registers
    async def write(self, register: str | int, value: int) -> None:
        """A whole word; the response must be OKAY."""
        offset = register if isinstance(register, int) else MAP[register].offset
        done = await self.within(
            f"write of {offset:#x}",
            self.axil.write(offset, (value & 0xFFFFFFFF).to_bytes(4, "little")),
        )
        assert int(done.resp) == OKAY, f"write of {offset:#x}: response {int(done.resp)}"

    async def write_part(self, offset: int, part: bytes) -> None:
        """A write with a partial strobe; it must be refused."""
        done = await self.within(f"part of {offset:#x}", self.axil.write(offset, part))
        assert int(done.resp) == SLVERR, f"part of {offset:#x}: response {int(done.resp)}"

    async def read(self, register: str | int) -> int:
        """A word."""
        offset = register if isinstance(register, int) else MAP[register].offset
        done = await self.within(f"read of {offset:#x}", self.axil.read(offset, 4))
        assert int(done.resp) == OKAY
        return int.from_bytes(done.data, "little")

    async def field(self, register: str, name: str) -> int:
        """A field of a register."""
        return MAP[register].get(await self.read(register), name)

    async def until(self, register: str, name: str, value: int = 1) -> None:
        """Poll a field."""

        async def poll() -> None:
            while await self.field(register, name) != value:
                await self.cycles(3)

        await self.within(f"{register}.{name} = {value}", poll())

    async def command(self, **bits: int) -> None:
        """COMMAND."""
        await self.write("COMMAND", MAP["COMMAND"].put(**bits))

    async def control(self, **bits: int) -> None:
        """CONTROL."""
        await self.write("CONTROL", MAP["CONTROL"].put(**bits))

    async def errors(self) -> set[str]:
        """The sticky errors, cleared."""
        register: Register = MAP["ERRORS"]
        word = await self.read("ERRORS")
        await self.write("ERRORS", word)
        return {name for name in register.fields if register.get(word, name)}

    async def own(self, owner: int) -> None:
        """Release the lock, then take it, as often as it needs."""

        async def take() -> None:
            while await self.field("STATUS", "owner") != owner:
                await self.write("OWNER", 0)
                await self.write("OWNER", owner)

        await self.within(f"owner {owner}", take())

    async def load(self, image: WeightImage, **changes: Any) -> None:
        """Write an image, or a changed one, into the inactive set and commit it."""
        given = {
            "addresses": image.addresses.tolist(), "data": image.data.tolist(), "crc": image.crc(),
            "format_digest": image.format_digest, "model_digest": image.model_digest,
        } | changes  # fmt: skip
        await self.write("LOAD_START", 1)
        for name in ("FORMAT", "MODEL"):
            digest = given[f"{name.lower()}_digest"]
            await self.write(f"LOAD_{name}_0", int(digest[:8], 16))
            await self.write(f"LOAD_{name}_1", int(digest[8:16], 16))
        expected = -1
        for place, word in zip(given["addresses"], given["data"], strict=True):
            if place != expected:
                await self.write("LOAD_ADDRESS", place)
            await self.write("LOAD_DATA", word)
            expected = place + 1 if place & 0xFF != 0xFF else -1
        await self.write("LOAD_COMMIT", given["crc"])
