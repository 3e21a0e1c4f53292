"""What the benches of the shell's blocks share: a clock, a reset, and one look at the ports a cycle."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench.shell.case import case_of_environment

PERIOD_NS = 10


class Clocked:
    """Drives inputs at falling edges; looks at the ports shortly before rising ones.

    Attributes:
        cycle: cycles since the reset.
    """

    def __init__(self, dut: Any) -> None:
        logging.getLogger("cocotb").setLevel(logging.WARNING)  # not every frame and transaction
        self.dut, self.case, self.cycle = dut, case_of_environment(), 0
        self.rng = np.random.default_rng(self.case.seed)

    async def start(self, *inputs: str) -> None:
        """All ``inputs`` 0, a reset of four cycles."""
        self.drive(**dict.fromkeys(inputs, 0), rst=1)
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        for _ in range(5):
            await FallingEdge(self.dut.clk)
        self.drive(rst=0)

    def drive(self, **values: int) -> None:
        """Inputs from now on."""
        for name, value in values.items():
            getattr(self.dut, name).value = value

    async def look(self) -> None:
        """The inputs of this cycle take effect."""
        await Timer(1, "ns")

    async def edge(self) -> None:
        """The next cycle."""
        await FallingEdge(self.dut.clk)
        self.cycle += 1

    def see(self, name: str) -> int:
        """A port as an unsigned number."""
        return int(getattr(self.dut, name).value)

    def chance(self, share: float) -> bool:
        """True in so many cases."""
        return bool(self.rng.random() < share)
