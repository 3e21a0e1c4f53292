"""Commands of the block design (UG835, category "IPIntegrator")."""

from __future__ import annotations

from typing import Literal

from sim.vivado.catalogue import CATALOGUE, MM, Interface, Signal
from sim.vivado.diagram import PORT_PROPERTIES, Assignment, Cell, Diagram, Place
from sim.vivado.signatures import Call
from sim.vivado.state import State
from sim.vivado.tclsh import CommandError


def place_of(token: str) -> Place:
    """Cell and pin of ``pin:cell/name`` or ``port:name``."""
    kind, _, name = token.partition(":")
    if kind not in ("pin", "bus", "port", "busport"):
        raise CommandError(f"{token or 'nothing'} is no pin or port")
    cell, _, pin = name.rpartition("/")
    return cell, pin


def _create_bd_design(state: State, call: Call) -> str:
    designs = state.need_project().designs
    if call.words[0] in designs:
        raise CommandError(f"the design {call.words[0]} exists already")
    designs[call.words[0]] = Diagram(call.words[0])
    return call.words[0]


def _current_bd_design(state: State, call: Call) -> str:
    design = state.need_design()
    if call.words and call.words[0] != design.name:
        raise CommandError(f"there is no design {call.words[0]}")
    return design.name


def _create_bd_cell(state: State, call: Call) -> str:
    kind, vlnv = call.need("-type", "-vlnv")
    design, name = state.need_design(), call.words[0]
    known = CATALOGUE | state.need_project().catalogue
    if kind != "ip" or vlnv not in known:
        raise CommandError(f"the catalogue has no {kind} {vlnv}; it has {', '.join(known)}")
    if name in design.cells:
        raise CommandError(f"the design has a cell {name} already")
    design.cells[name] = Cell(known[vlnv], {})
    design.validated = design.saved = False
    return f"cell:{name}"


def _create_bd_port(state: State, call: Call) -> str:
    way, kind = call.need("-dir", "-type")
    if way not in ("I", "O") or kind not in ("clk", "rst"):
        raise CommandError(f"create_bd_port {call.words[0]}: direction {way}, type {kind}")
    sort: Literal["clock", "reset"] = "clock" if kind == "clk" else "reset"
    design = state.need_design()
    design.ports[call.words[0]] = Signal(call.words[0], sort, output=way == "I")
    design.port_config[call.words[0]] = {}
    return f"port:{call.words[0]}"


def _create_bd_intf_port(state: State, call: Call) -> str:
    mode, vlnv = call.need("-mode", "-vlnv")
    kind = vlnv.split(":")[2].removesuffix("_rtl")
    if mode not in ("Master", "Slave") or not vlnv.split(":")[2].endswith("_rtl"):
        raise CommandError(f"create_bd_intf_port {call.words[0]}: mode {mode}, VLNV {vlnv}")
    design, name = state.need_design(), call.words[0]
    segment = f"{name}/Reg" if kind == MM and mode == "Master" else ""
    design.bus_ports[name] = Interface(
        name, "Slave" if mode == "Master" else "Master", kind, segment=segment
    )
    design.port_config[name] = {}
    return f"busport:{name}"


def _get_bd_cells(state: State, call: Call) -> str:
    state.need_design()._cell(call.words[0].lstrip("/"))
    return f"cell:{call.words[0].lstrip('/')}"


def _get_bd_pins(state: State, call: Call) -> str:
    cell, _, name = call.words[0].lstrip("/").rpartition("/")
    state.need_design().signal((cell, name))
    return f"pin:{cell}/{name}"


def _get_bd_ports(state: State, call: Call) -> str:
    state.need_design().signal(("", call.words[0]))
    return f"port:{call.words[0]}"


def _get_bd_intf_pins(state: State, call: Call) -> str:
    cell, _, name = call.words[0].lstrip("/").rpartition("/")
    state.need_design().interface((cell, name))
    return f"bus:{cell}/{name}"


def _get_bd_intf_ports(state: State, call: Call) -> str:
    state.need_design().interface(("", call.words[0]))
    return f"busport:{call.words[0]}"


def _connect_bd_net(state: State, call: Call) -> str:
    (net,) = call.need("-net")
    state.need_design().connect("wire", net, [place_of(token) for token in call.words])
    return net


def _connect_bd_intf_net(state: State, call: Call) -> str:
    (net,) = call.need("-intf_net")
    state.need_design().connect("bus", net, [place_of(token) for token in call.words])
    return net


def _get_bd_addr_spaces(state: State, call: Call) -> str:
    spaces = state.need_design().spaces()
    if call.words[0] not in spaces:
        raise CommandError(
            f"there is no address space {call.words[0]}; there are {', '.join(spaces)}"
        )
    return f"space:{call.words[0]}"


def _get_bd_addr_segs(state: State, call: Call) -> str:
    segments = state.need_design().segments()
    if call.words[0] not in segments:
        raise CommandError(f"there is no segment {call.words[0]}; there are {', '.join(segments)}")
    return f"segment:{call.words[0]}"


def _assign_bd_address(state: State, call: Call) -> str:
    space, offset, size = call.need("-target_address_space", "-offset", "-range")
    names = space.partition(":"), call.words[0].partition(":")
    if [kind for kind, _, _ in names] != ["space", "segment"]:
        raise CommandError(
            f"assign_bd_address: {space} and {call.words[0]} are no space and segment"
        )
    state.need_design().assign(Assignment(names[0][2], names[1][2], int(offset, 0), int(size, 0)))
    return ""


def _validate_bd_design(state: State, call: Call) -> str:
    design = state.need_design()
    problems = design.problems()
    if problems:
        raise CommandError(f"{design.name} is not valid: " + "; ".join(problems))
    design.validated = True
    return ""


def _save_bd_design(state: State, call: Call) -> str:
    project, design = state.need_project(), state.need_design()
    if not design.validated:
        raise CommandError(f"{design.name} is not validated")
    place = project.folder / f"{project.name}.srcs/sources_1/bd/{design.name}/{design.name}.bd"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(design.name + "\n")
    project.files[place] = {}
    design.saved = True
    return str(place)


def configure(state: State, token: str, name: str, value: str) -> None:
    """``CONFIG`` of a cell or port.

    Raises:
        CommandError: there is no such property, or not this value.
    """
    design, (kind, _, place) = state.need_design(), token.partition(":")
    if kind == "cell":
        cell = design._cell(place)
        cell.ip.check(name, value)
        cell.config[name] = value
    elif kind in ("port", "busport") and name in PORT_PROPERTIES:
        design.port_config[place][name] = value
        if name == "POLARITY":
            old = design.ports[place]
            design.ports[place] = Signal(old.name, old.kind, old.output, value == "ACTIVE_HIGH")
    else:
        raise CommandError(f"{token} has no property CONFIG.{name}")
    design.validated = design.saved = False


COMMANDS = {
    function.__name__[1:]: function
    for function in (
        _create_bd_design,
        _current_bd_design,
        _create_bd_cell,
        _create_bd_port,
        _create_bd_intf_port,
        _get_bd_cells,
        _get_bd_pins,
        _get_bd_ports,
        _get_bd_intf_pins,
        _get_bd_intf_ports,
        _connect_bd_net,
        _connect_bd_intf_net,
        _get_bd_addr_spaces,
        _get_bd_addr_segs,
        _assign_bd_address,
        _validate_bd_design,
        _save_bd_design,
    )
}
