"""The handoff that the stand-in writes, from what it recorded."""

from __future__ import annotations

from xml.etree import ElementTree

from sim.vivado.diagram import Diagram


def handoff_text(diagram: Diagram) -> str:
    """`.hwh` of a design: modules with properties and buses, and the processor's memory map."""
    root = ElementTree.Element("EDKSYSTEM", {"EDWVERSION": "1.2", "VIVADOVERSION": "stand-in"})
    ElementTree.SubElement(root, "SYSTEMINFO", {"NAME": diagram.name})
    modules = ElementTree.SubElement(root, "MODULES")
    for name, cell in diagram.cells.items():
        vlnv = cell.ip.vlnv
        module = ElementTree.SubElement(
            modules,
            "MODULE",
            {
                "FULLNAME": f"/{name}",
                "HWVERSION": vlnv.split(":")[3],
                "INSTANCE": name,
                "VLNV": vlnv,
                "IPTYPE": "PERIPHERAL",
                "IS_ENABLE": "1",
                "MODCLASS": "PERIPHERAL",
                "MODTYPE": vlnv.split(":")[2],
            },
        )
        parameters = ElementTree.SubElement(module, "PARAMETERS")
        for key, value in cell.config.items():
            ElementTree.SubElement(parameters, "PARAMETER", {"NAME": key, "VALUE": value})
        ElementTree.SubElement(module, "PORTS")
        buses = ElementTree.SubElement(module, "BUSINTERFACES")
        for bus in cell.block.interfaces:
            net = next((net for net, ends in diagram.buses.items() if (name, bus.name) in ends), "")
            ElementTree.SubElement(
                buses,
                "BUSINTERFACE",
                {
                    "BUSNAME": net,
                    "NAME": bus.name,
                    "TYPE": bus.side.upper(),
                    "VLNV": f"xilinx.com:interface:{bus.kind}:1.0",
                },
            )
        if "Data" in cell.block.spaces:
            _memory_map(module, diagram, name, cell.block.spaces["Data"][0])
    return ElementTree.tostring(root, "unicode")


def _memory_map(module: ElementTree.Element, diagram: Diagram, name: str, master: str) -> None:
    memory = ElementTree.SubElement(module, "MEMORYMAP")
    for entry in diagram.assigned:
        if entry.space == f"{name}/Data":
            instance, bus, block = entry.segment.split("/")
            ElementTree.SubElement(
                memory,
                "MEMRANGE",
                {
                    "ADDRESSBLOCK": block,
                    "BASENAME": "C_BASEADDR",
                    "BASEVALUE": f"0x{entry.base:08X}",
                    "HIGHNAME": "C_HIGHADDR",
                    "HIGHVALUE": f"0x{entry.base + entry.size - 1:08X}",
                    "INSTANCE": instance,
                    "IS_DATA": "TRUE",
                    "IS_INSTRUCTION": "TRUE",
                    "MASTERBUSINTERFACE": master,
                    "MEMTYPE": "REGISTER",
                    "SLAVEBUSINTERFACE": bus,
                },
            )
