"""The block design as Tcl, from the data that also make the handoff."""

from __future__ import annotations

from firmware.block_design import AXI, BlockDesign, Bus, Module
from firmware.vendor.script import Script, word

DESIGN = "design.tcl"
_SIDES = {"MASTER": "Slave", "SLAVE": "Master"}
"""Seen from outside: the port behind which a master sits is a slave of the design."""


def _rtl(vlnv: str) -> str:
    """The abstraction of an interface, as ports of a design name it."""
    vendor, library, name, version = vlnv.split(":")
    return f"{vendor}:{library}:{name}_rtl:{version}"


def _bus_end(design: BlockDesign, name: str, bus: Bus) -> str:
    if design.module(name).boundary:
        return f"[get_bd_intf_ports {bus.name}]"
    return f"[get_bd_intf_pins {name}/{bus.name}]"


def design_text(design: BlockDesign) -> str:
    """The script that makes the block design in the current project."""
    script = Script("Makes the block design (UG994).")
    script.run(f"create_bd_design {design.name}", f"current_bd_design {design.name}")
    for module in design.modules:
        _boundary(script, module) if module.boundary else _cell(script, module)
    script.part("Buses: each of two ends.")
    for net, ends in design.nets().items():
        places = " ".join(_bus_end(design, name, bus) for name, bus in ends)
        script.run(f"connect_bd_intf_net -intf_net {net} {places}")
    script.part("Clocks and resets: the driving pin first.")
    for net, pins in design.wires().items():
        places = " ".join(
            f"[get_bd_ports {pin.name}]"
            if design.module(name).boundary
            else f"[get_bd_pins {name}/{pin.name}]"
            for name, pin in pins
        )
        script.run(f"connect_bd_net -net {net} {places}")
    script.part("Addresses.")
    for region in design.regions:
        _assign(script, region.base, region.size, design.space, region.segment)
    for space in design.memory_spaces:
        _assign(script, design.memory_base, design.memory_size, space, design.memory_segment)
    script.part("Ends in an error if a pin, a clock or an address is missing.")
    script.run("validate_bd_design", "save_bd_design")
    return script.text()


def _assign(script: Script, base: int, size: int, space: str, segment: str) -> None:
    script.run(
        f"assign_bd_address -offset 0x{base:08X} -range 0x{size:08X} -target_address_space "
        f"[get_bd_addr_spaces {space}] [get_bd_addr_segs {segment}] -force"
    )


def _cell(script: Script, module: Module) -> None:
    script.part(f"{module.name}: {module.kind}")
    script.run(f"create_bd_cell -type ip -vlnv {module.vlnv} {module.name}")
    script.configure(module.config, f"[get_bd_cells {module.name}]")
    for name, vlnv in module.outside.items():
        script.run(
            f"create_bd_intf_port -mode Master -vlnv {word(vlnv)} {name}",
            f"connect_bd_intf_net -intf_net {name} [get_bd_intf_pins {module.name}/{name}] "
            f"[get_bd_intf_ports {name}]",
        )


def _boundary(script: Script, module: Module) -> None:
    """Ports; ``config`` of a boundary is ``PORT.NAME`` → value."""
    script.part("Ports of the design.")
    for pin in module.pins:
        kind = "clk" if pin.kind == "clock" else "rst"
        script.run(f"create_bd_port -dir I -type {kind} {pin.name}")
    for bus in module.buses:
        assert bus.vlnv == AXI
        script.run(
            f"create_bd_intf_port -mode {_SIDES[bus.side]} -vlnv {_rtl(bus.vlnv)} {bus.name}"
        )
    interfaces = {bus.name for bus in module.buses}
    for key, value in module.config.items():
        port, name = key.split(".")
        getter = "get_bd_intf_ports" if port in interfaces else "get_bd_ports"
        script.set(f"CONFIG.{name}", value, f"[{getter} {port}]")
