"""IPs of the vendor's catalogue as far as our designs use them: properties, interfaces, pins.

From AMD PG082 (Zynq-7000 processing system), PG201 (Zynq UltraScale+ processing system), PG021 (AXI DMA),
PG247 (SmartConnect), PG164 (processor system reset).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sim.vivado.tclsh import CommandError

MM, STREAM = "aximm", "axis"
Side = Literal["Master", "Slave"]


@dataclass(frozen=True, slots=True)
class Interface:
    """A bus of a block.

    Attributes:
        kind: last but one part of its VLNV.
        clock: pin whose clock it runs in; empty: it leaves the chip.
        segment: of a slave with addresses: its name in the block.
        passes: buses of the same block that its addresses go on to.
    """

    name: str
    side: Side
    kind: str
    clock: str = ""
    segment: str = ""
    passes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """A clock or reset pin.

    Attributes:
        active_high: of a reset; None: it takes either.
        optional: may stay open.
    """

    name: str
    kind: Literal["clock", "reset"]
    output: bool = False
    active_high: bool | None = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """What an IP is with certain properties.

    Attributes:
        spaces: of its masters: name → buses.
    """

    interfaces: tuple[Interface, ...]
    signals: tuple[Signal, ...]
    spaces: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP.

    Attributes:
        properties: ``CONFIG`` name → (default, what it may be: a regular expression).
        build: properties → block.
    """

    vlnv: str
    properties: dict[str, tuple[str, str]]
    build: Callable[[Mapping[str, str]], Block]

    def check(self, name: str, value: str) -> None:
        """Whether a property may be set to a value.

        Raises:
            CommandError: it has no such property, or not this value.
        """
        if name not in self.properties:
            near = [known for known in self.properties if known.lower() == name.lower()]
            hint = f"; did you mean {near[0]}" if near else ""
            raise CommandError(f"{self.vlnv} has no property CONFIG.{name}{hint}")
        allowed = self.properties[name][1]
        if not re.fullmatch(allowed, value):
            raise CommandError(f"{self.vlnv}: CONFIG.{name} cannot be {value!r}, only {allowed}")


BIT = "[01]"
MHZ = r"\d+(\.\d+)?"


def _zynq7(config: Mapping[str, str]) -> Block:
    on = {name for name, value in config.items() if value == "1"}
    interfaces = [Interface("DDR", "Master", "ddrx"), Interface("FIXED_IO", "Master", "fixedio")]
    signals = []
    spaces: dict[str, tuple[str, ...]] = {}
    if "PCW_USE_M_AXI_GP0" in on:
        interfaces.append(Interface("M_AXI_GP0", "Master", MM, "M_AXI_GP0_ACLK"))
        signals.append(Signal("M_AXI_GP0_ACLK", "clock"))
        spaces["Data"] = ("M_AXI_GP0",)
    if "PCW_USE_S_AXI_HP0" in on:
        interfaces.append(
            Interface("S_AXI_HP0", "Slave", MM, "S_AXI_HP0_ACLK", "S_AXI_HP0/HP0_DDR_LOWOCM")
        )
        signals.append(Signal("S_AXI_HP0_ACLK", "clock"))
    for k in range(2):
        if f"PCW_EN_CLK{k}_PORT" in on:
            signals.append(Signal(f"FCLK_CLK{k}", "clock", output=True))
    if "PCW_EN_RST0_PORT" in on:
        signals.append(Signal("FCLK_RESET0_N", "reset", output=True, optional=True))
    return Block(tuple(interfaces), tuple(signals), spaces)


def _ultrascale(config: Mapping[str, str]) -> Block:
    interfaces, signals = [], [Signal("pl_resetn0", "reset", output=True, optional=True)]
    buses = []
    for k, name in enumerate(("HPM0_FPD", "HPM1_FPD", "HPM0_LPD")):
        if config[f"PSU__USE__M_AXI_GP{k}"] == "1":
            clock = f"maxi{name.lower()}_aclk"
            interfaces.append(Interface(f"M_AXI_{name}", "Master", MM, clock))
            signals.append(Signal(clock, "clock"))
            buses.append(f"M_AXI_{name}")
    if config["PSU__USE__S_AXI_GP2"] == "1":
        interfaces.append(
            Interface("S_AXI_HP0_FPD", "Slave", MM, "saxihp0_fpd_aclk", "SAXIGP2/HP0_DDR_LOW")
        )
        signals.append(Signal("saxihp0_fpd_aclk", "clock"))
    for k in range(2):
        if config[f"PSU__FPGA_PL{k}_ENABLE"] == "1":
            signals.append(Signal(f"pl_clk{k}", "clock", output=True))
    return Block(tuple(interfaces), tuple(signals), {"Data": tuple(buses)})


def _dma(config: Mapping[str, str]) -> Block:
    if config["c_include_sg"] != "0":
        raise CommandError(
            "axi_dma: the driver programs direct register mode, c_include_sg must be 0"
        )
    interfaces = [Interface("S_AXI_LITE", "Slave", MM, "s_axi_lite_aclk", "S_AXI_LITE/Reg")]
    signals = [Signal("s_axi_lite_aclk", "clock"), Signal("axi_resetn", "reset")]
    spaces: dict[str, tuple[str, ...]] = {}
    for way, side in (("mm2s", "Master"), ("s2mm", "Slave")):
        if config[f"c_include_{way}"] == "1":
            clock = f"m_axi_{way}_aclk"
            stream = f"{'M' if side == 'Master' else 'S'}_AXIS_{way.upper()}"
            interfaces.append(Interface(f"M_AXI_{way.upper()}", "Master", MM, clock))
            interfaces.append(
                Interface(stream, "Master" if side == "Master" else "Slave", STREAM, clock)
            )
            signals.append(Signal(clock, "clock"))
            spaces[f"Data_{way.upper()}"] = (f"M_AXI_{way.upper()}",)
    return Block(tuple(interfaces), tuple(signals), spaces)


def _smartconnect(config: Mapping[str, str]) -> Block:
    masters = tuple(f"M{k:02d}_AXI" for k in range(int(config["NUM_MI"])))
    slaves = [f"S{k:02d}_AXI" for k in range(int(config["NUM_SI"]))]
    interfaces = [Interface(name, "Slave", MM, "aclk", passes=masters) for name in slaves]
    interfaces += [Interface(name, "Master", MM, "aclk") for name in masters]
    return Block(tuple(interfaces), (Signal("aclk", "clock"), Signal("aresetn", "reset")))


def _system_reset(_config: Mapping[str, str]) -> Block:
    return Block(
        (),
        (
            Signal("slowest_sync_clk", "clock"),
            Signal("ext_reset_in", "reset", active_high=None),
            Signal("aux_reset_in", "reset", active_high=None, optional=True),
            Signal("mb_reset", "reset", output=True, active_high=True, optional=True),
            Signal("bus_struct_reset", "reset", output=True, active_high=True, optional=True),
            Signal("peripheral_reset", "reset", output=True, active_high=True, optional=True),
            Signal("interconnect_aresetn", "reset", output=True, optional=True),
            Signal("peripheral_aresetn", "reset", output=True, optional=True),
        ),
    )


WIDTHS = "32|64|128|256|512|1024"
CATALOGUE = {
    ip.vlnv: ip
    for ip in (
        Ip(
            "xilinx.com:ip:processing_system7:5.5",
            {
                "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": ("33.333333", MHZ),
                "PCW_USE_M_AXI_GP0": ("1", BIT),
                "PCW_USE_S_AXI_HP0": ("0", BIT),
                "PCW_S_AXI_HP0_DATA_WIDTH": ("64", "32|64"),
                "PCW_EN_CLK0_PORT": ("1", BIT),
                "PCW_EN_CLK1_PORT": ("0", BIT),
                "PCW_EN_RST0_PORT": ("1", BIT),
                "PCW_FPGA0_PERIPHERAL_FREQMHZ": ("50", MHZ),
                "PCW_FPGA1_PERIPHERAL_FREQMHZ": ("50", MHZ),
            },
            _zynq7,
        ),
        Ip(
            "xilinx.com:ip:zynq_ultra_ps_e:3.5",
            {
                "PSU__USE__M_AXI_GP0": ("1", BIT),
                "PSU__USE__M_AXI_GP1": ("1", BIT),
                "PSU__USE__M_AXI_GP2": ("0", BIT),
                "PSU__USE__S_AXI_GP2": ("0", BIT),
                "PSU__MAXIGP0__DATA_WIDTH": ("128", "32|64|128"),
                "PSU__SAXIGP2__DATA_WIDTH": ("128", "32|64|128"),
                "PSU__FPGA_PL0_ENABLE": ("1", BIT),
                "PSU__FPGA_PL1_ENABLE": ("0", BIT),
                "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": ("100", MHZ),
                "PSU__CRL_APB__PL1_REF_CTRL__FREQMHZ": ("100", MHZ),
            },
            _ultrascale,
        ),
        Ip(
            "xilinx.com:ip:axi_dma:7.1",
            {
                "c_include_sg": ("1", BIT),
                "c_include_mm2s": ("1", BIT),
                "c_include_s2mm": ("1", BIT),
                "c_include_mm2s_dre": ("0", BIT),
                "c_include_s2mm_dre": ("0", BIT),
                "c_sg_length_width": ("14", "[89]|1[0-9]|2[0-6]"),
                "c_m_axi_mm2s_data_width": ("32", WIDTHS),
                "c_m_axi_s2mm_data_width": ("32", WIDTHS),
                "c_m_axis_mm2s_tdata_width": ("32", "8|16|" + WIDTHS),
                "c_addr_width": ("32", "3[2-9]|[45][0-9]|6[0-4]"),
            },
            _dma,
        ),
        Ip(
            "xilinx.com:ip:smartconnect:1.0",
            {
                "NUM_SI": ("2", "[1-9]|1[0-6]"),
                "NUM_MI": ("1", "[1-9]|1[0-6]"),
                "NUM_CLKS": ("1", "1"),
            },
            _smartconnect,
        ),
        Ip("xilinx.com:ip:proc_sys_reset:5.0", {"C_EXT_RESET_HIGH": ("0", BIT)}, _system_reset),
    )
}
PARTS = ("xc7z020clg400-1", "xck26-sfvc784-2LV-c", "xcu50-fsvh2104-2-e")
