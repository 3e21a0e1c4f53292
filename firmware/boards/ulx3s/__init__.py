"""Target `ulx3s`: the ULX3S board, an ECP5-85F of speed grade 6, behind its USB serial port."""

from __future__ import annotations

from pathlib import Path

from firmware.boards.ecp5_pll import instance, settle
from firmware.serial.timing import DEFAULT_BAUD, bit_64ths, host_boundary
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest, rtl_folder
from pyorch.contract.target import Flow, Part, TopKind

HERE = Path(__file__).parent
INPUT_MHZ = 25.0
TIMEOUT_BITS = 20
"""A program waits at most 2^20 cycles for a handshake or a beat: 21 ms at 50 MHz."""
BRIDGE = (
    "bridge_registers_pkg.sv", "byte_buffer.sv", "crc32_byte.sv", "uart_receiver.sv", "uart_transmitter.sv",
    "packet_receiver.sv", "packet_transmitter.sv", "bridge_program.sv", "serial_bridge.sv",
    "reset_generator.sv",
)  # fmt: skip
"""Hand-written RTL between the pins and the fabric, in the order of compilation."""


class Ulx3s:
    """See `pyorch.contract.target.Target`.

    Args:
        baud: of the serial line; the board's USB chip takes up to 3,000,000.
        timeout_bits: a program waits 2^n cycles.
    """

    name = "ulx3s"
    flow: Flow = "ecp5"
    part = Part("ecp5", "LFE5U-85F", "CABGA381", "6")
    clock_mhz = 40.0
    multipliers = 16
    top = "ulx3s_top"
    tops: tuple[TopKind, ...] = ("frames",)
    ran = True
    openfpgaloader_board = "ulx3s"

    def __init__(self, baud: int = DEFAULT_BAUD, timeout_bits: int = TIMEOUT_BITS) -> None:
        self.baud, self.timeout_bits = baud, timeout_bits

    @property
    def host(self) -> str:
        """See `Target.host`."""
        return host_boundary(self.baud)

    def programmed_mhz(self, wanted_mhz: float) -> float:
        """See `Target.programmed_mhz`.

        Raises:
            UsageError: outside the PLL's range, or too slow for the serial line.
        """
        slowest = 4 * self.baud / 1e6
        made = float(settle(INPUT_MHZ, wanted_mhz).output_mhz)
        if made < slowest:
            raise UsageError(
                f"a clock of {made:g} MHz: the serial line at {self.baud:,} baud needs 4 cycles a bit, "
                f"{slowest:g} MHz; choose a higher --clock"
            )
        return made

    def bridge_mhz(self, fabric: FabricManifest, clock_mhz: float) -> float:
        """Clock of the bridge: the core's, or the oscillator's if the fabric has two clocks."""
        return INPUT_MHZ if fabric.clocks == 2 else clock_mhz

    def files(self, fabric: FabricManifest, clock_mhz: float) -> dict[str, str]:
        """See `Target.files`."""
        pll = instance(settle(INPUT_MHZ, clock_mhz), "clk_25mhz", "core_clk", "locked")
        bit = bit_64ths(self.bridge_mhz(fabric, clock_mhz), self.baud)
        package = (
            "// What the board's clock and line make of the bridge.\n`resetall\n`timescale 1ns / 1ps\n"
            "`default_nettype none\n\npackage board_pkg;\n"
            f"    localparam int BIT_64THS = {bit};\n"
            f"    localparam int LIMIT_BITS = {self.timeout_bits};\nendpackage\n\n`resetall\n"
        )
        texts = {"board_pkg.sv": package}
        texts |= {name: (rtl_folder() / name).read_text() for name in BRIDGE}
        top = (HERE / "ulx3s_top.sv").read_text().replace("    // PLL\n", pll)
        if fabric.clocks == 2:
            top = top.replace("wire clk = core_clk;", "wire clk = clk_25mhz;")
            top = top.replace(".aclk(clk),", ".aclk(clk), .core_clk(core_clk),")
        texts["ulx3s_top.sv"] = top
        texts["ulx3s.lpf"] = (HERE / "ulx3s.lpf").read_text()
        return texts


TARGET = Ulx3s()
