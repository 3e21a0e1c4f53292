"""cocotb bench of `axil_port`: reads and writes at once, parts of words, pauses on every channel."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from sim.bench.coverage import sample_block
from sim.bench.shell.bench_clocked import Clocked
from sim.bench.top.traffic import pauses

TRANSACTIONS = 250
PATIENCE_NS = 100_000
OKAY, SLVERR = 0, 2
LANES = 0x3FF
INPUTS = (
    "s_axil_awaddr", "s_axil_awvalid", "s_axil_wdata", "s_axil_wstrb", "s_axil_wvalid", "s_axil_bready",
    "s_axil_araddr", "s_axil_arvalid", "s_axil_rready", "write_busy", "read_data",
)  # fmt: skip


def content(address: int) -> int:
    """What a register of the bench holds."""
    return address * 0x9E3779B1 & 0xFFFFFFFF


class RegisterBench(Clocked):
    """Registers behind the port: data is right in one cycle alone, writes are busy at random."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.read_cycles = self.case.number("READ_CYCLES")
        self.written: list[tuple[int, int]] = []
        self.refused = self.reads = 0
        self.busy_left = 0

    async def run(self) -> None:
        """The other side of the port, cycle after cycle."""
        due: dict[int, int] = {}
        while True:
            await FallingEdge(self.dut.clk)
            self.cycle += 1
            self.busy_left = max(0, self.busy_left - 1)
            garbage = int(self.rng.integers(0, 1 << 32))
            self.drive(write_busy=int(self.busy_left > 0), read_data=due.pop(self.cycle, garbage))
            await self.look()
            if self.see("write"):
                self.written.append((self.see("write_address"), self.see("write_data")))
                self.busy_left = int(self.rng.integers(0, 12)) + 1 if self.chance(0.5) else 0
            elif self.busy_left:
                assert not self.see("s_axil_bvalid"), "a response while the write is busy"
            self.refused += self.see("refused")
            if self.see("read"):
                self.reads += 1
                due[self.cycle + self.read_cycles] = content(self.see("read_address"))


async def writes(bench: RegisterBench, master: Any) -> None:
    """Whole words and parts, one after another."""
    wanted, parts = [], 0
    for _ in range(TRANSACTIONS):
        address, value = 4 * int(bench.rng.integers(0, LANES)), int(bench.rng.integers(0, 1 << 32))
        part = bench.chance(0.2)
        data = value.to_bytes(4, "little")[: int(bench.rng.integers(1, 4)) if part else 4]
        done = await with_timeout(master.write(address, data), PATIENCE_NS, "ns")
        assert int(done.resp) == (SLVERR if part else OKAY)
        parts += part
        if not part:
            wanted.append((address, value))
        assert bench.written == wanted
        assert bench.refused == parts


async def reads(bench: RegisterBench, master: Any) -> None:
    """Words, one after another."""
    for number in range(TRANSACTIONS):
        address = 4 * int(bench.rng.integers(0, LANES))
        done = await with_timeout(master.read(address, 4), PATIENCE_NS, "ns")
        assert int(done.resp) == OKAY
        assert int.from_bytes(done.data, "little") == content(address)
        assert bench.reads == number + 1


@cocotb.test()
async def each_transaction_is_one_access_with_its_own_answer(dut: Any) -> None:
    """In both directions at once, with pauses of the host on all five channels."""
    bench = RegisterBench(dut)
    await bench.start(*INPUTS)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk)
    cocotb.start_soon(bench.run())
    for channel in (
        master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel,
        master.read_if.ar_channel, master.read_if.r_channel,
    ):  # fmt: skip
        channel.set_pause_generator(pauses(bench.rng, "some"))
    both = [cocotb.start_soon(play(bench, master)) for play in (writes, reads)]
    for task in both:
        await task
    sample_block(bench.case.block)
