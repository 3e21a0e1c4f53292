"""Commands and their options: UG835 (Vivado), UG1118 (IP packager), UG1393 (`package_xo`)."""

from __future__ import annotations

from dataclasses import dataclass

from sim.vivado.tclsh import CommandError


@dataclass(frozen=True, slots=True)
class Signature:
    """What a command takes.

    Attributes:
        flags: options without a value.
        valued: options with one.
        least, most: number of further words.
    """

    flags: frozenset[str]
    valued: frozenset[str]
    least: int
    most: int


def _read(text: str, least: int, most: int) -> Signature:
    """Options from ``-force -part=``."""
    words = text.split()
    return Signature(
        frozenset(word for word in words if not word.endswith("=")),
        frozenset(word[:-1] for word in words if word.endswith("=")),
        least,
        most,
    )


_BD = "-quiet -verbose"
_IPX = "-of_objects= -quiet -verbose -filter="
COMMANDS = {
    "create_project": _read("-part= -force -in_memory -ip", 0, 2),
    "current_project": _read(_BD, 0, 1),
    "close_project": _read("-delete -quiet -verbose", 0, 0),
    "set_property": _read("-quiet -verbose", 3, 3),
    "get_property": _read("-quiet -verbose -min -max", 2, 2),
    "add_files": _read(
        "-fileset= -of_objects= -norecurse -scan_for_includes -quiet -verbose", 1, 99
    ),
    "get_files": _read("-of_objects= -filter= -quiet -all", 0, 99),
    "current_fileset": _read("-constrset -simset -srcset -quiet", 0, 0),
    "update_compile_order": _read("-fileset= -force_gui -quiet", 0, 0),
    "update_ip_catalog": _read("-rebuild -add_ip= -repo_path= -quiet", 0, 0),
    "create_bd_design": _read("-dir= -cell= -bdsource= -quiet", 1, 1),
    "current_bd_design": _read(_BD, 0, 1),
    "create_bd_cell": _read("-vlnv= -type= -reference= -quiet", 1, 1),
    "create_bd_port": _read("-dir= -type= -from= -to= -intf= -freq_hz= -quiet", 1, 1),
    "create_bd_intf_port": _read("-mode= -vlnv= -quiet", 1, 1),
    "get_bd_cells": _read("-of_objects= -filter= -hierarchical -quiet", 0, 1),
    "get_bd_pins": _read("-of_objects= -filter= -hierarchical -quiet", 0, 1),
    "get_bd_ports": _read("-of_objects= -filter= -quiet", 0, 1),
    "get_bd_intf_pins": _read("-of_objects= -filter= -hierarchical -quiet", 0, 1),
    "get_bd_intf_ports": _read("-of_objects= -filter= -quiet", 0, 1),
    "connect_bd_net": _read("-net= -boundary_type= -quiet", 2, 99),
    "connect_bd_intf_net": _read("-intf_net= -boundary_type= -quiet", 2, 2),
    "get_bd_addr_spaces": _read("-of_objects= -filter= -quiet", 0, 1),
    "get_bd_addr_segs": _read("-of_objects= -filter= -excluded -quiet", 0, 1),
    "assign_bd_address": _read("-target_address_space= -offset= -range= -force -quiet", 1, 1),
    "validate_bd_design": _read("-design= -force -quiet", 0, 0),
    "save_bd_design": _read("-quiet", 0, 1),
    "make_wrapper": _read("-files= -top -inst_template -import -force -fileset=", 0, 0),
    "generate_target": _read("-force -quiet", 2, 2),
    "launch_runs": _read("-jobs= -to_step= -next_step -dir= -force -quiet", 1, 99),
    "wait_on_runs": _read("-timeout= -quiet", 1, 99),
    "get_runs": _read("-filter= -quiet", 0, 1),
    "open_run": _read("-name= -quiet", 1, 1),
    "report_timing_summary": _read("-file= -delay_type= -max_paths= -no_header -quiet", 0, 0),
    "report_utilization": _read("-file= -hierarchical -name= -quiet", 0, 0),
    "report_cdc": _read("-file= -details -from= -to= -quiet", 0, 0),
    "get_timing_paths": _read("-delay_type= -max_paths= -from= -to= -quiet", 0, 0),
    "ipx::package_project": _read(
        "-root_dir= -vendor= -library= -taxonomy= -module= -import_files -set_current= -force -quiet",
        0,
        0,
    ),
    "ipx::current_core": _read("-quiet", 0, 1),
    "ipx::get_bus_interfaces": _read(_IPX, 0, 1),
    "ipx::get_memory_maps": _read(_IPX, 0, 1),
    "ipx::add_memory_map": _read("-quiet", 2, 2),
    "ipx::remove_memory_map": _read("-quiet", 2, 2),
    "ipx::add_address_block": _read("-quiet", 2, 2),
    "ipx::add_register": _read("-quiet", 2, 2),
    "ipx::add_register_parameter": _read("-quiet", 2, 2),
    "ipx::create_xgui_files": _read("-quiet", 0, 1),
    "ipx::update_checksums": _read("-quiet", 0, 1),
    "ipx::check_integrity": _read("-quiet -kernel -xrt", 0, 1),
    "ipx::save_core": _read("-quiet", 0, 1),
    "package_xo": _read(
        "-xo_path= -kernel_name= -ip_directory= -parent_ip_directory= -ctrl_protocol= -kernel_xml= "
        "-output_kernel_xml= -force -quiet",
        0,
        0,
    ),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its words sorted out."""

    name: str
    flags: frozenset[str]
    options: dict[str, str]
    words: tuple[str, ...]

    def need(self, *names: str) -> tuple[str, ...]:
        """The values of options that must be given."""
        missing = [name for name in names if name not in self.options]
        if missing:
            raise CommandError(f"{self.name}: {', '.join(missing)} is not given")
        return tuple(self.options[name] for name in names)


SYNTHESIS_COMMANDS = {
    "open_project": _read("-reset -upgrade", 1, 1),
    "set_top": _read("", 1, 1),
    "add_files": _read("-tb -cflags= -csimflags= -blackbox=", 1, 1),
    "open_solution": _read("-reset -flow_target=", 1, 1),
    "set_part": _read("", 1, 1),
    "create_clock": _read("-period= -name=", 0, 0),
    "set_clock_uncertainty": _read("", 1, 2),
    "config_compile": _read("-name_max_length=", 0, 0),
    "config_schedule": _read("-enable_dsp_full_reg=false -enable_dsp_full_reg=true", 0, 0),
    "csim_design": _read("-clean -O -argv=", 0, 0),
    "csynth_design": _read("", 0, 0),
    "export_design": _read(
        "-format= -rtl= -vendor= -library= -ipname= -version= -output= -flow=", 0, 0
    ),
}
"""Commands of Vitis HLS and their options (UG1399)."""


def parse(text: list[str], commands: dict[str, Signature] = COMMANDS) -> Call:
    """Sort the words of a command.

    Raises:
        CommandError: an option that it does not have, one without its value, too few or too many words.
    """
    name, words = text[0], text[1:]
    signature = commands[name]
    flags: set[str] = set()
    options: dict[str, str] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word in signature.flags:
            flags.add(word)
        elif word in signature.valued:
            if not words:
                raise CommandError(f"{name}: {word} has no value")
            options[word] = words.pop(0)
        elif word.startswith("-") and not word[1:2].isdigit():
            raise CommandError(f"{name}: there is no option {word}")
        else:
            rest.append(word)
    if not signature.least <= len(rest) <= signature.most:
        raise CommandError(
            f"{name}: takes {signature.least} to {signature.most} words beside its options, not {len(rest)}"
        )
    return Call(name, frozenset(flags), options, tuple(rest))
