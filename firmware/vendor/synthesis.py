"""hls4ml's C++ through Vitis HLS: the script that makes an IP of it (UG1399)."""

from __future__ import annotations

from firmware.block_design import HLS_VLNV
from firmware.vendor.documents import TOOLS
from firmware.vendor.script import HERE
from pyorch.contract.target import HlsProject

VITIS_HLS = "vitis_hls"
SYNTHESIS, SYNTHESIS_REPORT = "synthesis.tcl", "csynth.xml"
PROJECT, FOLDER = "hls4ml", "hls4ml_synthesis"
"""The C++ beside ``target``; what is made of it, in ``vendor``."""
IP_FOLDER = f"{FOLDER}/solution1/impl/ip"


def synthesis_command() -> str:
    """Vitis HLS without its window."""
    return f"{VITIS_HLS} -f {SYNTHESIS}"


def synthesis_text(project: HlsProject, part: str, clock_mhz: float) -> str:
    """The script; the IP then lies in ``vendor/IP_FOLDER``."""
    vendor, library, name, version = HLS_VLNV.split(":")
    lines = [
        f"# Makes an IP of hls4ml's C++. For Vitis HLS {TOOLS}; UG1399 states the commands.",
        "",
        HERE,
        f"set source [file join [file dirname $here] {PROJECT}]",
        "set out [file join [file dirname $here] vendor]",
        "file mkdir $out",
        "cd $out",
        f"open_project -reset {FOLDER}",
        f"set_top {project.top}",
        *(
            f'add_files [file join $source {path}] -cflags "-std=c++14 -I$source/firmware"'
            for path in project.sources
        ),
        "open_solution -reset solution1 -flow_target vivado",
        f"set_part {part}",
        f"create_clock -period {1000 / clock_mhz:.4f} -name default",
        "config_compile -name_max_length 80",
        "csynth_design",
        f"export_design -format ip_catalog -rtl verilog -vendor {vendor} -library {library} -ipname {name} "
        f"-version {version}",
        f"file copy -force [file join {FOLDER} solution1 syn report csynth.xml] [file join $out "
        f"{SYNTHESIS_REPORT}]",
        "exit",
    ]
    return "\n".join(lines) + "\n"
