"""The block design around the fabric, as data: blocks, connections, clocks, resets, addresses.

From it come the hardware handoff (`.hwh`) that pynq reads to find drivers and addresses, and the Tcl that
makes the design with the vendor's tool (`firmware.vendor`). The handoff's elements and attributes are those
that pynq's parser takes from vendor tools' files; the text is our own. Names of pins and properties: AMD
PG201 (Zynq UltraScale+ processing system), PG082 (Zynq-7000 processing system), PG021 (AXI DMA), PG247
(SmartConnect), PG164 (processor system reset).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from firmware.processors import ULTRASCALE, Processor, divided

FABRIC_VLNV = "pyorch:fabric:lstm:1.0"
HLS_VLNV = "pyorch:hls4ml:lstm:1.0"
FABRIC, DMA, HLS = "fabric_0", "axi_dma_0", "hls4ml_0"
CONTROL, MEMORY, RESET = "control_smc", "memory_smc", "reset_0"
AXI, AXIS = "xilinx.com:interface:aximm:1.0", "xilinx.com:interface:axis:1.0"
DMA_SIZE, FABRIC_SIZE = 0x1_0000, 0x1000


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus interface of a module: its kind, its side, and the net that joins it to another."""

    name: str
    side: Literal["MASTER", "SLAVE"]
    vlnv: str
    net: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A clock or reset of a module, and the net that it is on."""

    name: str
    kind: Literal["clock", "reset"]
    drives: bool
    net: str


@dataclass(frozen=True, slots=True)
class Region:
    """Where a module's registers lie.

    Attributes:
        segment: its name in the vendor's tool.
    """

    module: str
    bus: str
    base: int
    size: int
    segment: str


@dataclass(frozen=True, slots=True)
class Module:
    """A block of the design.

    Attributes:
        parameters: as the handoff names them.
        config: properties ``CONFIG.NAME`` in the vendor's tool.
        outside: buses that leave the design as they are (DDR, fixed pins): name → VLNV of the port.
        boundary: no block, but the ports of the design, as they look from inside: a port that clocks come
            in by drives them.
    """

    name: str
    vlnv: str
    buses: tuple[Bus, ...]
    parameters: dict[str, str] = field(default_factory=dict)
    processor: bool = False
    pins: tuple[Pin, ...] = ()
    config: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    boundary: bool = False

    @property
    def kind(self) -> str:
        """The third part of the VLNV."""
        return self.vlnv.split(":")[2]


@dataclass(frozen=True, slots=True)
class BlockDesign:
    """Modules and address map.

    Attributes:
        space: address space of the registers' master.
        memory_segment, memory_base, memory_size: what the DMA reaches, from each of ``memory_spaces``.
    """

    name: str
    arch: str
    modules: tuple[Module, ...]
    regions: tuple[Region, ...]
    space: str = ""
    memory_segment: str = ""
    memory_base: int = 0
    memory_size: int = 0
    memory_spaces: tuple[str, ...] = (f"{DMA}/Data_MM2S", f"{DMA}/Data_S2MM")

    def module(self, name: str) -> Module:
        """A module by name."""
        return next(module for module in self.modules if module.name == name)

    def nets(self) -> dict[str, list[tuple[str, Bus]]]:
        """Net → its two ends, the master first."""
        found: dict[str, list[tuple[str, Bus]]] = {}
        for module in self.modules:
            for bus in module.buses:
                found.setdefault(bus.net, []).append((module.name, bus))
        return {net: sorted(ends, key=lambda end: end[1].side) for net, ends in found.items()}

    def wires(self) -> dict[str, list[tuple[str, Pin]]]:
        """Net of a clock or reset → its pins, the driving one first."""
        found: dict[str, list[tuple[str, Pin]]] = {}
        for module in self.modules:
            for pin in module.pins:
                found.setdefault(pin.net, []).append((module.name, pin))
        return {net: sorted(pins, key=lambda end: not end[1].drives) for net, pins in found.items()}


AXI_MHZ = 100.0
"""Clock of the AXI side where the core has one of its own."""


Core = Literal["fabric", "hls4ml"]
"""What stands between the DMA's streams: our RTL, or what the vendor's synthesis makes of hls4ml's C++."""


def fabric_design(
    processor: Processor = ULTRASCALE,
    clock_mhz: float = 100.0,
    clocks: int = 1,
    core: Core = "fabric",
) -> BlockDesign:
    """Processor → AXI4-Lite → fabric and DMA; DMA ↔ fabric by AXI4-Stream; DMA ↔ memory.

    Args:
        clock_mhz: of the fabric; with two clocks that of its core, the AXI side then has `AXI_MHZ`.
        clocks: of the fabric, 1 or 2.
    """
    axi_mhz = clock_mhz if clocks == 1 else AXI_MHZ
    made = [divided(processor.pll_mhz, mhz) for mhz in (axi_mhz, clock_mhz)[:clocks]]
    parameters = dict(processor.widths)
    for k in range(4):
        mhz, a, b = made[k] if k < clocks else divided(processor.pll_mhz, AXI_MHZ)
        for name, text in processor.parameters.items():
            parameters[name.format(k=k)] = text.format(on=int(k < clocks), a=a, b=b, mhz=f"{mhz:g}")
    values = {"mhz": f"{axi_mhz:g}", "core_mhz": f"{clock_mhz:g}"}
    config = processor.config | (processor.core_config if clocks == 2 else {})
    bus, clock = processor.control
    memory_bus, memory_clock = processor.memory
    system = Module(
        processor.name,
        processor.vlnv,
        (
            Bus(bus, "MASTER", AXI, "control"),
            Bus(memory_bus, "SLAVE", AXI, "memory"),
        ),
        parameters,
        processor=True,
        pins=(
            Pin(processor.clocks[0], "clock", True, "clk"),
            *([Pin(processor.clocks[1], "clock", True, "core_clk")] if clocks == 2 else []),
            Pin(processor.reset, "reset", True, "external_reset_n"),
            Pin(clock, "clock", False, "clk"),
            Pin(memory_clock, "clock", False, "clk"),
        ),
        config={key: text.format(**values) for key, text in config.items()},
        outside=processor.outside,
    )
    dma_base, fabric_base = processor.base, processor.base + DMA_SIZE
    return BlockDesign(
        "fabric_card",
        processor.arch,
        (
            system,
            reset_module(),
            *inner_modules(dma_base, fabric_base, clocks, core, address_bits=32),
            smart_connect(MEMORY, ["memory_mm2s", "memory_s2mm"], ["memory"]),
        ),
        regions(dma_base, fabric_base)[: 2 if core == "fabric" else 1],
        f"{processor.name}/{processor.space}",
        f"{processor.name}/{processor.memory_segment}",
        0,
        processor.memory_size,
    )


def reset_module() -> Module:
    """Resets that end with the clock, from one that does not (PG164)."""
    return Module(
        RESET,
        "xilinx.com:ip:proc_sys_reset:5.0",
        (),
        pins=(
            Pin("slowest_sync_clk", "clock", False, "clk"),
            Pin("ext_reset_in", "reset", False, "external_reset_n"),
            Pin("peripheral_aresetn", "reset", True, "reset_n"),
            Pin("interconnect_aresetn", "reset", True, "interconnect_reset_n"),
        ),
    )


def inner_modules(
    dma_base: int, fabric_base: int, clocks: int, core: Core = "fabric", *, address_bits: int
) -> Iterator[Module]:
    """DMA, fabric and the switch of their registers, which hangs on the net ``control``."""
    lite = (Pin("s_axi_lite_aclk", "clock", False, "clk"),)
    masters = tuple(Pin(f"m_axi_{way}_aclk", "clock", False, "clk") for way in ("mm2s", "s2mm"))
    yield Module(
        DMA,
        "xilinx.com:ip:axi_dma:7.1",
        (
            Bus("S_AXI_LITE", "SLAVE", AXI, "control_dma"),
            Bus("M_AXI_MM2S", "MASTER", AXI, "memory_mm2s"),
            Bus("M_AXI_S2MM", "MASTER", AXI, "memory_s2mm"),
            Bus("M_AXIS_MM2S", "MASTER", AXIS, "features"),
            Bus("S_AXIS_S2MM", "SLAVE", AXIS, "answers"),
        ),
        {
            **_dma_config(address_bits),
            "C_BASEADDR": f"0x{dma_base:08X}",
            "C_HIGHADDR": f"0x{dma_base + DMA_SIZE - 1:08X}",
        },
        pins=(*lite, *masters, Pin("axi_resetn", "reset", False, "reset_n")),
        config=_dma_config(address_bits) | {"c_m_axis_mm2s_tdata_width": "64"},
    )
    if core == "hls4ml":
        yield Module(
            HLS,
            HLS_VLNV,
            (Bus("s_axis", "SLAVE", AXIS, "features"), Bus("m_axis", "MASTER", AXIS, "answers")),
            pins=(
                Pin("ap_clk", "clock", False, "clk"),
                Pin("ap_rst_n", "reset", False, "reset_n"),
            ),
        )
        yield smart_connect(CONTROL, ["control"], ["control_dma"])
        return
    second = (Pin("core_clk", "clock", False, "core_clk"),) if clocks == 2 else ()
    yield Module(
        FABRIC,
        FABRIC_VLNV,
        (
            Bus("s_axil", "SLAVE", AXI, "control_fabric"),
            Bus("s_axis", "SLAVE", AXIS, "features"),
            Bus("m_axis", "MASTER", AXIS, "answers"),
        ),
        {
            "C_BASEADDR": f"0x{fabric_base:08X}",
            "C_HIGHADDR": f"0x{fabric_base + FABRIC_SIZE - 1:08X}",
        },
        pins=(
            Pin("aclk", "clock", False, "clk"),
            *second,
            Pin("aresetn", "reset", False, "reset_n"),
        ),
    )
    yield smart_connect(CONTROL, ["control"], ["control_dma", "control_fabric"])


def _dma_config(address_bits: int) -> dict[str, str]:
    """PG021, chapter 4: direct register mode, 64 bits, transfers up to 64 MiB, no realignment."""
    return {
        "c_include_sg": "0",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_sg_length_width": "26",
        "c_m_axi_mm2s_data_width": "64",
        "c_m_axi_s2mm_data_width": "64",
        "c_include_mm2s_dre": "0",
        "c_include_s2mm_dre": "0",
        "c_addr_width": str(address_bits),
    }


def smart_connect(name: str, masters: list[str], slaves: list[str]) -> Module:
    """A switch: nets whose masters it serves, and nets whose slaves it asks (PG247)."""
    buses = [Bus(f"S{k:02d}_AXI", "SLAVE", AXI, net) for k, net in enumerate(masters)]
    buses += [Bus(f"M{k:02d}_AXI", "MASTER", AXI, net) for k, net in enumerate(slaves)]
    return Module(
        name,
        "xilinx.com:ip:smartconnect:1.0",
        tuple(buses),
        pins=(
            Pin("aclk", "clock", False, "clk"),
            Pin("aresetn", "reset", False, "interconnect_reset_n"),
        ),
        config={"NUM_SI": str(len(masters)), "NUM_MI": str(len(slaves))},
    )


def regions(dma_base: int, fabric_base: int, dma_size: int = DMA_SIZE) -> tuple[Region, ...]:
    """The address map of DMA and fabric."""
    return (
        Region(DMA, "S_AXI_LITE", dma_base, dma_size, f"{DMA}/S_AXI_LITE/Reg"),
        Region(FABRIC, "s_axil", fabric_base, FABRIC_SIZE, f"{FABRIC}/s_axil/reg0"),
    )


def hwh_text(design: BlockDesign) -> str:
    """The hardware handoff of a design."""
    root = ElementTree.Element(
        "EDKSYSTEM", {"EDWVERSION": "1.2", "TIMESTAMP": "", "VIVADOVERSION": ""}
    )
    ElementTree.SubElement(
        root, "SYSTEMINFO", {"ARCH": design.arch, "NAME": design.name, "DEVICE": "", "PACKAGE": ""}
    )
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(root, "MODULES")
    for module in design.modules:
        element = ElementTree.SubElement(
            modules,
            "MODULE",
            {
                "FULLNAME": f"/{module.name}",
                "HWVERSION": module.vlnv.split(":")[3],
                "INSTANCE": module.name,
                "IPTYPE": "PERIPHERAL",
                "IS_ENABLE": "1",
                "MODCLASS": "PERIPHERAL",
                "MODTYPE": module.kind,
                "VLNV": module.vlnv,
            },
        )
        parameters = ElementTree.SubElement(element, "PARAMETERS")
        for name, value in module.parameters.items():
            ElementTree.SubElement(parameters, "PARAMETER", {"NAME": name, "VALUE": value})
        ElementTree.SubElement(element, "PORTS")
        buses = ElementTree.SubElement(element, "BUSINTERFACES")
        for bus in module.buses:
            ElementTree.SubElement(
                buses,
                "BUSINTERFACE",
                {"BUSNAME": bus.net, "NAME": bus.name, "TYPE": bus.side, "VLNV": bus.vlnv},
            )
        if module.processor:
            _memory_map(element, module, design)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _memory_map(element: ElementTree.Element, module: Module, design: BlockDesign) -> None:
    memory = ElementTree.SubElement(element, "MEMORYMAP")
    master = next(bus for bus in module.buses if bus.side == "MASTER")
    for region in design.regions:
        ElementTree.SubElement(
            memory,
            "MEMRANGE",
            {
                "ADDRESSBLOCK": "Reg",
                "BASENAME": "C_BASEADDR",
                "BASEVALUE": f"0x{region.base:08X}",
                "HIGHNAME": "C_HIGHADDR",
                "HIGHVALUE": f"0x{region.base + region.size - 1:08X}",
                "INSTANCE": region.module,
                "IS_DATA": "TRUE",
                "IS_INSTRUCTION": "TRUE",
                "MASTERBUSINTERFACE": master.name,
                "MEMTYPE": "REGISTER",
                "SLAVEBUSINTERFACE": region.bus,
            },
        )
