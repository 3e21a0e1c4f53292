"""Targets `ecp5-85k` and `ecp5-85k-6`: an ECP5-85F of speed grade 8 or 6 with a timing harness, to judge a
fabric by itself.

It is no board. The fabric's 250 port bits hang between registers and two shift chains, so that five pins do
and no path to a pin decides the clock. The clock comes from the PLL, as on a board; the bitstream is a real
one, but nothing talks to it. A fabric of two clocks has its AXI side in the 25 MHz of the pin.
"""

from __future__ import annotations

from pathlib import Path

from firmware.boards.ecp5_pll import instance, settle
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import Flow, Part, TopKind

HERE = Path(__file__).parent
INPUT_MHZ = 25.0


class TimingTarget:
    """See `pyorch.contract.target.Target`."""

    flow: Flow = "ecp5"
    clock_mhz = 50.0
    multipliers = 16
    top = "timing_harness"
    tops: tuple[TopKind, ...] = ("frames", "events")
    ran = True
    host = "none: a timing harness of registers and shift chains around the fabric, nothing talks to it"

    def __init__(self, name: str = "ecp5-85k", speed: str = "8") -> None:
        self.name, self.part = name, Part("ecp5", "LFE5U-85F", "CABGA381", speed)

    def programmed_mhz(self, wanted_mhz: float) -> float:
        """See `Target.programmed_mhz`."""
        return float(settle(INPUT_MHZ, wanted_mhz).output_mhz)

    def files(self, fabric: FabricManifest, clock_mhz: float) -> dict[str, str]:
        """See `Target.files`."""
        pll = instance(settle(INPUT_MHZ, clock_mhz), "clock_25mhz", "clk", "locked")
        text = (HERE / "timing_harness.sv").read_text().replace("    // PLL\n", pll)
        if fabric.clocks == 2:
            text = text.replace("(posedge clk)", "(posedge clock_25mhz)")
            text = text.replace(".aclk(clk),", ".aclk(clock_25mhz),\n        .core_clk(clk),")
        if fabric.events is not None:
            text = text.replace(
                "    fabric_top fabric (\n", "    events_top fabric (\n        .stages(),\n"
            )
        return {
            "timing_harness.sv": text,
            "timing_harness.lpf": (HERE / "timing_harness.lpf").read_text(),
        }


TARGET = TimingTarget()
SLOWER = TimingTarget("ecp5-85k-6", "6")
