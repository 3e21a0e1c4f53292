"""The block design around the fabric, as data: processor, AXI DMA, fabric, address map.

From it comes the hardware handoff (`.hwh`) that pynq reads to find drivers and addresses. The elements and
attributes are those that pynq's parser takes from vendor tools' files; the text is our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

FABRIC_VLNV = "pyorch:fabric:lstm:1.0"
FABRIC, DMA, PROCESSOR = "fabric_0", "axi_dma_0", "zynq_ultra_ps_e_0"
AXI, AXIS = "xilinx.com:interface:aximm:1.0", "xilinx.com:interface:axis:1.0"


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus interface of a module: its kind, its side, and the net that joins it to another."""

    name: str
    side: str
    """MASTER or SLAVE."""
    vlnv: str
    net: str


@dataclass(frozen=True, slots=True)
class Region:
    """Where a module's registers lie."""

    module: str
    bus: str
    base: int
    size: int


@dataclass(frozen=True, slots=True)
class Module:
    """A block of the design."""

    name: str
    vlnv: str
    buses: tuple[Bus, ...]
    parameters: dict[str, str] = field(default_factory=dict)
    processor: bool = False

    @property
    def kind(self) -> str:
        """The third part of the VLNV."""
        return self.vlnv.split(":")[2]


@dataclass(frozen=True, slots=True)
class BlockDesign:
    """Modules and address map."""

    name: str
    modules: tuple[Module, ...]
    regions: tuple[Region, ...]


def fabric_design() -> BlockDesign:
    """Processor → AXI4-Lite → fabric and DMA; DMA ↔ fabric by AXI4-Stream; DMA ↔ memory."""
    processor = Module(
        PROCESSOR,
        "xilinx.com:ip:zynq_ultra_ps_e:3.5",
        (
            Bus("M_AXI_HPM0_FPD", "MASTER", AXI, "control"),
            Bus("S_AXI_HP0_FPD", "SLAVE", AXI, "memory"),
        ),
        _clocks(),
        processor=True,
    )
    dma = Module(
        DMA,
        "xilinx.com:ip:axi_dma:7.1",
        (
            Bus("S_AXI_LITE", "SLAVE", AXI, "control"),
            Bus("M_AXI_MM2S", "MASTER", AXI, "memory"),
            Bus("M_AXI_S2MM", "MASTER", AXI, "memory"),
            Bus("M_AXIS_MM2S", "MASTER", AXIS, "features"),
            Bus("S_AXIS_S2MM", "SLAVE", AXIS, "answers"),
        ),
        {
            "c_include_sg": "0",
            "c_include_mm2s": "1",
            "c_include_s2mm": "1",
            "c_sg_length_width": "26",
            "c_m_axi_mm2s_data_width": "64",
            "c_m_axi_s2mm_data_width": "64",
            "c_include_mm2s_dre": "0",
            "c_include_s2mm_dre": "0",
            "C_BASEADDR": "0xA0000000",
            "C_HIGHADDR": "0xA000FFFF",
        },
    )
    fabric = Module(
        FABRIC,
        FABRIC_VLNV,
        (
            Bus("s_axil", "SLAVE", AXI, "control"),
            Bus("s_axis", "SLAVE", AXIS, "features"),
            Bus("m_axis", "MASTER", AXIS, "answers"),
        ),
        {"C_BASEADDR": "0xA0010000", "C_HIGHADDR": "0xA0010FFF"},
    )
    return BlockDesign(
        "fabric_card",
        (processor, dma, fabric),
        (
            Region(DMA, "S_AXI_LITE", 0xA000_0000, 0x1_0000),
            Region(FABRIC, "s_axil", 0xA001_0000, 0x1000),
        ),
    )


def _clocks() -> dict[str, str]:
    """The processor's four clocks for the logic; only the first runs."""
    parameters: dict[str, str] = {}
    for number in range(4):
        parameters |= {
            f"PSU__FPGA_PL{number}_ENABLE": str(int(number == 0)),
            f"PSU__CRL_APB__PL{number}_REF_CTRL__DIVISOR0": "10",
            f"PSU__CRL_APB__PL{number}_REF_CTRL__DIVISOR1": "1",
            f"PSU__CRL_APB__PL{number}_REF_CTRL__ACT_FREQMHZ": "100",
            f"PSU__CRL_APB__PL{number}_REF_CTRL__SRCSEL": "IOPLL",
        }
    return parameters


def hwh_text(design: BlockDesign) -> str:
    """The hardware handoff of a design."""
    root = ElementTree.Element(
        "EDKSYSTEM", {"EDWVERSION": "1.2", "TIMESTAMP": "", "VIVADOVERSION": ""}
    )
    ElementTree.SubElement(
        root, "SYSTEMINFO", {"ARCH": "zynquplus", "NAME": design.name, "DEVICE": "", "PACKAGE": ""}
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
