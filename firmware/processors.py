"""The processing systems of Zynq parts, as far as they touch the logic.

Properties and pins: AMD PG082 (Zynq-7000 processing system), PG201 (Zynq UltraScale+ processing system);
clocks and address maps: UG585 and UG1085, chapters on clocks and on system addresses.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Processor:
    """A processing system as a block, as far as it touches the logic.

    Attributes:
        control, memory: its master for registers and its slave for the DMA: bus and clock pin.
        clocks, reset: pins that drive the logic.
        config: properties that are always set; ``{mhz}`` and ``{core_mhz}`` are the clocks.
        core_config: further ones, with a clock of the core's own.
        pll_mhz: frequency of the PLL behind the clocks.
        parameters: of clock ``{k}`` in the handoff: on or off, two dividers, frequency.
        widths: of its buses, as the handoff names them; pynq sets the ports of the processor to them.
        limits_mhz: of a clock for the logic.
    """

    name: str
    vlnv: str
    arch: str
    control: tuple[str, str]
    memory: tuple[str, str]
    clocks: tuple[str, str]
    reset: str
    config: dict[str, str]
    core_config: dict[str, str]
    outside: dict[str, str]
    pll_mhz: float
    parameters: dict[str, str]
    widths: dict[str, str]
    limits_mhz: tuple[float, float]
    base: int
    space: str
    memory_segment: str
    memory_size: int


ULTRASCALE = Processor(
    name="zynq_ultra_ps_e_0",
    vlnv="xilinx.com:ip:zynq_ultra_ps_e:3.5",
    arch="zynquplus",
    control=("M_AXI_HPM0_FPD", "maxihpm0_fpd_aclk"),
    memory=("S_AXI_HP0_FPD", "saxihp0_fpd_aclk"),
    clocks=("pl_clk0", "pl_clk1"),
    reset="pl_resetn0",
    config={
        "PSU__USE__M_AXI_GP0": "1",  # PG201: M_AXI_HPM0_FPD
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__USE__S_AXI_GP2": "1",  # PG201: S_AXI_HP0_FPD
        "PSU__MAXIGP0__DATA_WIDTH": "128",
        "PSU__SAXIGP2__DATA_WIDTH": "64",
        "PSU__FPGA_PL0_ENABLE": "1",
        "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": "{mhz}",
    },
    core_config={
        "PSU__FPGA_PL1_ENABLE": "1",
        "PSU__CRL_APB__PL1_REF_CTRL__FREQMHZ": "{core_mhz}",
    },
    outside={},
    pll_mhz=1500.0,
    parameters={
        "PSU__FPGA_PL{k}_ENABLE": "{on}",
        "PSU__CRL_APB__PL{k}_REF_CTRL__DIVISOR0": "{a}",
        "PSU__CRL_APB__PL{k}_REF_CTRL__DIVISOR1": "{b}",
        "PSU__CRL_APB__PL{k}_REF_CTRL__ACT_FREQMHZ": "{mhz}",
        "PSU__CRL_APB__PL{k}_REF_CTRL__SRCSEL": "IOPLL",
    },
    widths={"C_MAXIGP0_DATA_WIDTH": "128", "C_SAXIGP2_DATA_WIDTH": "64"},
    limits_mhz=(1.0, 400.0),
    base=0xA000_0000,
    space="Data",
    memory_segment="SAXIGP2/HP0_DDR_LOW",
    memory_size=0x8000_0000,
)
ZYNQ7 = Processor(
    name="processing_system7_0",
    vlnv="xilinx.com:ip:processing_system7:5.5",
    arch="zynq",
    control=("M_AXI_GP0", "M_AXI_GP0_ACLK"),
    memory=("S_AXI_HP0", "S_AXI_HP0_ACLK"),
    clocks=("FCLK_CLK0", "FCLK_CLK1"),
    reset="FCLK_RESET0_N",
    config={
        "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": "50",  # oscillator of the PYNQ-Z2: the dividers go by it
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_S_AXI_HP0": "1",
        "PCW_S_AXI_HP0_DATA_WIDTH": "64",
        "PCW_EN_CLK0_PORT": "1",
        "PCW_EN_RST0_PORT": "1",
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": "{mhz}",
    },
    core_config={"PCW_EN_CLK1_PORT": "1", "PCW_FPGA1_PERIPHERAL_FREQMHZ": "{core_mhz}"},
    outside={
        "DDR": "xilinx.com:interface:ddrx_rtl:1.0",
        "FIXED_IO": "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
    },
    pll_mhz=1000.0,
    parameters={
        "PCW_FPGA_FCLK{k}_ENABLE": "{on}",
        "PCW_FCLK{k}_PERIPHERAL_DIVISOR0": "{a}",
        "PCW_FCLK{k}_PERIPHERAL_DIVISOR1": "{b}",
        "PCW_FCLK{k}_PERIPHERAL_CLKSRC": "IO PLL",
        "PCW_ACT_FPGA{k}_PERIPHERAL_FREQMHZ": "{mhz}",
    },
    widths={"C_S_AXI_HP0_DATA_WIDTH": "64"},
    limits_mhz=(1.0, 250.0),
    base=0x4040_0000,
    space="Data",
    memory_segment="S_AXI_HP0/HP0_DDR_LOWOCM",
    memory_size=0x2000_0000,
)
DIVISORS = 63
"""PG201, UG585 (clock subsystem): each of the two dividers in a row takes 1 to 63."""


def divided(pll_mhz: float, wanted_mhz: float) -> tuple[float, int, int]:
    """The highest clock not above ``wanted_mhz`` and its two dividers."""
    made = [
        (pll_mhz / (a * b), a, b)
        for a in range(1, DIVISORS + 1)
        for b in range(1, a + 1)
        if pll_mhz / (a * b) <= wanted_mhz + 1e-6
    ]
    return max(made, key=lambda entry: (entry[0], entry[1])) if made else (0.0, 0, 0)
