"""Commands of the IP packager (UG1118) and of kernels (UG1393)."""

from __future__ import annotations

from sim.vivado.packager import (
    COMPONENT,
    Registers,
    core_of_diagram,
    core_of_sources,
    kernel_problems,
)
from sim.vivado.signatures import Call
from sim.vivado.state import State
from sim.vivado.tclsh import CommandError

CORE_PROPERTIES = {
    "name",
    "version",
    "vendor",
    "library",
    "display_name",
    "description",
    "core_revision",
    "supported_families",
    "auto_family_support_level",
    "sdx_kernel",
    "sdx_kernel_type",
    "vitis_drc",
    "ipi_drc",
}
PROPERTIES = {
    "core": CORE_PROPERTIES,
    "corebus": {"slave_memory_map_ref"},
    "block": {"range", "width", "usage", "base_address"},
    "register": {"offset", "size", "description"},
    "parameter": {"value"},
}


def _package_project(state: State, call: Call) -> str:
    project = state.need_project()
    root, vendor, library, _ = call.need("-root_dir", "-vendor", "-library", "-taxonomy")
    folder = state.path(root)
    values = {"vendor": vendor, "library": library}
    if "-import_files" not in call.flags:
        raise CommandError("ipx::package_project: without -import_files the core needs this folder")
    if "-module" in call.options:
        state.core = core_of_diagram(project.designs[call.options["-module"]], folder, values)
    else:
        if not project.top:
            raise CommandError(f"{project.name} has no top")
        values["name"] = project.top
        state.core = core_of_sources([*project.files], project.top, folder, values)
    return f"core:{state.core.vlnv}"


def _current_core(state: State, call: Call) -> str:
    return f"core:{state.need_core().vlnv}"


def _get_bus_interfaces(state: State, call: Call) -> str:
    core = state.need_core(*call.need("-of_objects"))
    names = [bus.name for bus in core.block.interfaces]
    if call.words and call.words[0] not in names:
        raise CommandError(f"the core has no bus {call.words[0]}; it has {', '.join(names)}")
    return " ".join(f"corebus:{name}" for name in (call.words or names))


def _get_memory_maps(state: State, call: Call) -> str:
    return " ".join(f"map:{name}" for name in state.need_core(*call.need("-of_objects")).maps)


def _add_memory_map(state: State, call: Call) -> str:
    state.need_core(call.words[1]).maps[call.words[0]] = {}
    return f"map:{call.words[0]}"


def _remove_memory_map(state: State, call: Call) -> str:
    core = state.need_core(call.words[1])
    if core.maps.pop(call.words[0], None) is None:
        raise CommandError(f"there is no memory map {call.words[0]}")
    return ""


def _add_address_block(state: State, call: Call) -> str:
    name, place = call.words[0], call.words[1].removeprefix("map:")
    state.need_core().maps[place][name] = Registers(name)
    return f"block:{place}/{name}"


def _add_register(state: State, call: Call) -> str:
    _block(state, call.words[1]).registers[call.words[0]] = {}
    return f"register:{call.words[1].removeprefix('block:')}/{call.words[0]}"


def _add_register_parameter(state: State, call: Call) -> str:
    return f"parameter:{call.words[1].removeprefix('register:')}/{call.words[0]}"


def _block(state: State, token: str) -> Registers:
    place, _, name = token.partition(":")[2].partition("/")
    return state.need_core().maps[place][name]


def _nothing(state: State, call: Call) -> str:
    state.need_core(*call.words)
    return ""


def _check_integrity(state: State, call: Call) -> str:
    problems = state.need_core(*call.words).problems()
    if problems:
        raise CommandError("ipx::check_integrity: " + "; ".join(problems))
    return "1"


def _save_core(state: State, call: Call) -> str:
    core = state.need_core(*call.words)
    core.save()
    state.cores[core.folder] = core
    return ""


def set_value(state: State, token: str, name: str, value: str) -> None:
    """A property of a core or of a part of it.

    Raises:
        CommandError: it has no such property.
    """
    kind, _, place = token.partition(":")
    if name not in PROPERTIES[kind]:
        raise CommandError(
            f"{token} has no property {name}; it has {', '.join(sorted(PROPERTIES[kind]))}"
        )
    core = state.need_core(token if kind == "core" else "")
    core.saved = False
    if kind == "core":
        core.values[name] = value
    elif kind == "corebus":
        if value not in core.maps:
            raise CommandError(f"there is no memory map {value}")
        core.map_of[place] = value
    elif kind == "block":
        _block(state, token).values[name] = value
    else:
        block, _, register = place.partition("/")[2].partition("/")
        owner = core.maps[place.partition("/")[0]][block]
        key, _, parameter = register.partition("/")
        owner.registers[key][parameter or name] = value


def _package_xo(state: State, call: Call) -> str:
    target, name, folder, protocol = call.need(
        "-xo_path", "-kernel_name", "-ip_directory", "-ctrl_protocol"
    )
    parent = state.path(call.options.get("-parent_ip_directory", folder))
    core = state.cores.get(parent)
    if core is None or not core.saved or not (parent / COMPONENT).is_file():
        raise CommandError(f"package_xo: {parent} holds no saved core")
    if core.values["name"] != name:
        raise CommandError(f"package_xo: the core is named {core.values['name']}, not {name}")
    problems = kernel_problems(core, protocol)
    if problems:
        raise CommandError("package_xo: " + "; ".join(problems))
    state.path(target).write_text(core.facts())
    if "-output_kernel_xml" in call.options:
        state.path(call.options["-output_kernel_xml"]).write_text(f"<kernel>{name}</kernel>\n")
    return ""


COMMANDS = {
    "ipx::package_project": _package_project,
    "ipx::current_core": _current_core,
    "ipx::get_bus_interfaces": _get_bus_interfaces,
    "ipx::get_memory_maps": _get_memory_maps,
    "ipx::add_memory_map": _add_memory_map,
    "ipx::remove_memory_map": _remove_memory_map,
    "ipx::add_address_block": _add_address_block,
    "ipx::add_register": _add_register,
    "ipx::add_register_parameter": _add_register_parameter,
    "ipx::create_xgui_files": _nothing,
    "ipx::update_checksums": _nothing,
    "ipx::check_integrity": _check_integrity,
    "ipx::save_core": _save_core,
    "package_xo": _package_xo,
}
