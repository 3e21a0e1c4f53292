"""The fabric as an IP: a wrapper that names its interfaces, constraints, the script that packages it.

The wrapper is plain Verilog, because the top of a packaged IP must be readable for the vendor's older
parsers too; its attributes state every interface, so nothing is left to inference from names (UG994,
"X_INTERFACE_INFO").
"""

from __future__ import annotations

import re

from firmware.block_design import AXI, AXIS, FABRIC_SIZE, FABRIC_VLNV
from firmware.vendor.script import HERE, Script, words
from pyorch.contract.fabric import FabricManifest

WRAPPER = "fabric_ip"
PACKAGE = "package_ip.tcl"
CONSTRAINTS = "fabric_ip.xdc"
CLOCK, RESET = "xilinx.com:signal:clock:1.0", "xilinx.com:signal:reset:1.0"
_LITE = (
    "awaddr 12 in", "awprot 3 in", "awvalid 1 in", "awready 1 out", "wdata 32 in", "wstrb 4 in",
    "wvalid 1 in", "wready 1 out", "bresp 2 out", "bvalid 1 out", "bready 1 in", "araddr 12 in",
    "arprot 3 in", "arvalid 1 in", "arready 1 out", "rdata 32 out",
    "rresp 2 out", "rvalid 1 out", "rready 1 in",
)  # fmt: skip
_STREAM = ("tdata 64 {0}", "tvalid 1 {0}", "tlast 1 {0}", "tready 1 {1}")


def _buses() -> dict[str, tuple[str, str, list[list[str]]]]:
    """Bus → VLNV, parameters, (signal, width, direction as a port)."""
    streams = {"s_axis": ("in", "out"), "m_axis": ("out", "in")}
    found = {
        "s_axil": (
            AXI,
            "PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH 12",
            [t.split() for t in _LITE],
        )
    }
    for name, (data, back) in streams.items():
        signals = [text.format(data, back).split() for text in _STREAM]
        found[name] = (AXIS, "TDATA_NUM_BYTES 8, HAS_TLAST 1, HAS_TREADY 1", signals)
    return found


def wrapper_text(clocks: int) -> str:
    """The module `WRAPPER` around `fabric_top`."""
    clock = {"aclk": "ASSOCIATED_BUSIF s_axil:s_axis:m_axis, ASSOCIATED_RESET aresetn"}
    if clocks == 2:
        clock["core_clk"] = ""
    ports: list[str] = []
    names: list[str] = []
    for name, parameters in clock.items():
        ports.append(_port(f"{CLOCK} {name} CLK", parameters, "input  wire        ", name))
        names.append(name)
    reset = _port(f"{RESET} aresetn RST", "POLARITY ACTIVE_LOW", "input  wire        ", "aresetn")
    ports.append(reset)
    names.append("aresetn")
    for bus, (vlnv, parameters, signals) in _buses().items():
        for number, (signal, width, direction) in enumerate(signals):
            side = "input  wire" if direction == "in" else "output wire"
            span = f"[{int(width) - 1:2}:0] " if width != "1" else " " * 7
            info = f"{vlnv} {bus} {signal.upper()}"
            name = f"{bus}_{signal}"
            ports.append(_port(info, "" if number else parameters, f"{side} {span}", name))
            names.append(name)
    inside = ",\n".join(f"        .{name}({name})" for name in names)
    return (
        "// The fabric with its interfaces named for the vendor's tools (UG994).\n"
        f"module {WRAPPER} (\n"
        + ",\n".join(ports)
        + f"\n);\n    fabric_top top (\n{inside}\n    );\n"
        "endmodule\n"
    )


def _port(info: str, parameters: str, declaration: str, name: str) -> str:
    text = f'    (* X_INTERFACE_INFO = "{info}" *)\n'
    if parameters:
        text += f'    (* X_INTERFACE_PARAMETER = "{parameters}" *)\n'
    return text + f"    {declaration}{name}"


def interface_ports(text: str) -> dict[str, tuple[str, str]]:
    """Port → bus and signal, from a wrapper's attributes."""
    found = re.findall(
        r'X_INTERFACE_INFO = "\S+ (\S+) (\S+)" \*\)\n(?:.*\n)?\s+(?:in|out)put\s+wire\s+(?:\[.*?\])?\s*(\w+)',
        text,
    )
    return {port: (bus, signal) for bus, signal, port in found}


def constraints_text(clocks: int) -> str:
    """Constraints that go with the IP, in its own scope (UG903, "Constraints Scoping")."""
    if clocks == 1:
        return (
            "# One clock: every path is judged by its period, which the block design states.\n"
            "# aresetn is synchronous: it comes from a processor system reset (PG164).\n"
        )
    lines = [
        "# Paths between the two clocks (UG903, set_max_delay -datapath_only; UG949, crossings):"
    ]
    lines += [
        "# bits of a Gray pointer stay within a period of each other, held data arrives before its level."
    ]
    for ends in (("aclk", "core_clk"), ("core_clk", "aclk")):
        first, second = (f"[get_clocks -of_objects [get_ports {name}]]" for name in ends)
        lines.append(
            f"set_max_delay -datapath_only -from {first} -to {second} [get_property PERIOD {first}]"
        )
    return "\n".join(lines) + "\n"


def package_text(fabric: FabricManifest, part: str) -> str:
    """The script that packages the fabric as `FABRIC_VLNV` into ``$out/ip``."""
    vendor, library, name, version = FABRIC_VLNV.split(":")
    script = Script("Packages the fabric as an IP (UG1118).")
    script.run(HERE, "set fabric [file join [file dirname $here] fabric]")
    script.run("set out [file join [file dirname $here] vendor]", "file mkdir $out")
    script.run(f"create_project -force package_{name} [file join $out package_{name}] -part {part}")
    script.part(
        "Sources in the order of compilation; memories lie beside them, as $readmemh names them."
    )
    script.run(f"foreach source {{{words(fabric.sources)}}} {{")
    script.run("    add_files -norecurse [file join $fabric $source]", "}")
    script.run(f"add_files -norecurse [file join $here {WRAPPER}.v]")
    script.run(f"foreach memory {{{words(fabric.memories)}}} {{")
    script.run("    add_files -norecurse [file join $fabric $memory]")
    script.set("file_type", "Memory Initialization Files", "[get_files $memory]")
    script.run("}")
    script.run(f"add_files -fileset constrs_1 -norecurse [file join $here {CONSTRAINTS}]")
    script.set("used_in", "synthesis implementation", f"[get_files {CONSTRAINTS}]")
    script.set("processing_order", "LATE", f"[get_files {CONSTRAINTS}]")
    script.set("top", WRAPPER, "[current_fileset]")
    script.run("update_compile_order -fileset sources_1")
    script.part("The IP; its VLNV is what the driver binds.")
    script.run(
        f"ipx::package_project -root_dir [file join $out ip {name}] -vendor {vendor} -library {library} "
        "-taxonomy /UserIP -import_files -set_current true",
        "set core [ipx::current_core]",
    )
    script.set("name", name, "$core")
    script.set("version", version, "$core")
    script.set("display_name", "pyorch fabric", "$core")
    script.set(
        "description", f"LSTM fabric {fabric.name}, format {fabric.format_digest[:16]}", "$core"
    )
    script.set("core_revision", "1", "$core")
    script.set("supported_families", "", "$core")
    script.set("auto_family_support_level", "level_2", "$core")
    register_space(script, "s_axil", FABRIC_SIZE)
    finish_core(script)
    script.run("close_project")
    return script.text()


def register_space(script: Script, bus: str, size: int) -> None:
    """The registers of a slave as one block ``reg0``; leaves ``$map`` and ``$block``."""
    script.part(f"Registers of {bus}, whatever was inferred for it before.")
    script.run("foreach map [ipx::get_memory_maps -of_objects $core] {")
    script.run("    ipx::remove_memory_map [get_property NAME $map] $core", "}")
    script.run(f"set map [ipx::add_memory_map {bus} $core]")
    script.set("slave_memory_map_ref", bus, f"[ipx::get_bus_interfaces {bus} -of_objects $core]")
    script.run("set block [ipx::add_address_block reg0 $map]")
    script.set("range", str(size), "$block")
    script.set("width", "32", "$block")
    script.set("usage", "register", "$block")


def finish_core(script: Script) -> None:
    """Check and save the core."""
    script.run("ipx::create_xgui_files $core", "ipx::update_checksums $core")
    script.run(
        "if {[string is false -strict [ipx::check_integrity $core]]} {",
        '    error "the packaged IP is not consistent"',
        "}",
    )
    script.run("ipx::save_core $core")
