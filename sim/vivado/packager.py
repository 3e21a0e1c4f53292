"""The IP packager: cores with interfaces read from the attributes of the wrapper, registers, checks."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sim.vivado.catalogue import MM, STREAM, Block, Interface, Ip, Signal
from sim.vivado.diagram import Diagram
from sim.vivado.tclsh import CommandError

COMPONENT = "component.xml"
SIGNALS = {
    MM: {
        "AWADDR", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WVALID", "WREADY", "BRESP", "BVALID", "BREADY",
        "ARADDR", "ARVALID", "ARREADY", "RDATA", "RRESP", "RVALID", "RREADY",
    },
    STREAM: {"TDATA", "TVALID", "TREADY"},
}  # fmt: skip
"""What each kind of bus must at least have (AXI4-Lite; AXI4-Stream)."""
_PORT = re.compile(
    r'\(\* X_INTERFACE_INFO = "(?P<vlnv>\S+) (?P<bus>\S+) (?P<signal>\S+)" \*\)\s*'
    r'(?:\(\* X_INTERFACE_PARAMETER = "(?P<parameters>[^"]*)" \*\)\s*)?'
    r"(?P<direction>input|output)\s+wire\s+(?:\[[^\]]*\]\s*)?(?P<name>\w+)"
)
_ANY_PORT = re.compile(r"^\s*(?:input|output)\s+wire\s+(?:\[[^\]]*\]\s*)?(\w+)", re.MULTILINE)


@dataclass(slots=True)
class Registers:
    """An address block, with registers by name."""

    name: str
    values: dict[str, str] = field(default_factory=dict)
    registers: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Core:
    """A core under the packager.

    Attributes:
        values: its properties.
        maps: memory map → address blocks.
        map_of: bus → memory map.
    """

    folder: Path
    values: dict[str, str]
    block: Block
    parameters: dict[str, dict[str, str]]
    maps: dict[str, dict[str, Registers]] = field(default_factory=dict)
    map_of: dict[str, str] = field(default_factory=dict)
    saved: bool = False

    @property
    def vlnv(self) -> str:
        """Vendor, library, name, version."""
        return ":".join(self.values[name] for name in ("vendor", "library", "name", "version"))

    def problems(self) -> list[str]:
        """What keeps the core from being used."""
        found = []
        for bus in self.block.interfaces:
            if bus.kind == MM and bus.side == "Slave":
                blocks = self.maps.get(self.map_of.get(bus.name, ""), {})
                if not blocks:
                    found.append(f"bus {bus.name} has no memory map")
                found += [
                    f"{bus.name}/{n} has no range"
                    for n, b in blocks.items()
                    if "range" not in b.values
                ]
            if not bus.clock:
                found.append(f"bus {bus.name} has no clock (ASSOCIATED_BUSIF)")
        return found

    def save(self) -> None:
        """Write the component."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / COMPONENT).write_text(f"<component>{self.vlnv}</component>\n")
        self.saved = True

    def as_ip(self) -> Ip:
        """What the catalogue makes of it."""
        segments = {
            bus: f"{bus}/{next(iter(self.maps[name]))}" for bus, name in self.map_of.items()
        }
        interfaces = tuple(
            Interface(bus.name, bus.side, bus.kind, bus.clock, segments.get(bus.name, ""))
            for bus in self.block.interfaces
        )
        block = Block(interfaces, self.block.signals)
        return Ip(self.vlnv, {}, lambda config: block)

    def facts(self) -> str:
        """What later tools read from it, as JSON."""
        buses = {bus.name: self.parameters.get(bus.name, {}) for bus in self.block.interfaces}
        clocks = [signal.name for signal in self.block.signals if signal.kind == "clock"]
        return json.dumps({"kernel": self.values["name"], "buses": buses, "clocks": clocks})


def core_of_sources(files: list[Path], top: str, folder: Path, values: dict[str, str]) -> Core:
    """The core of a project: files are copied into it, interfaces come from the top's attributes.

    Raises:
        CommandError: no top, a port of no interface, an interface without one of its signals.
    """
    texts = {path: path.read_text() for path in files if path.suffix in (".v", ".sv")}
    place = next(
        (p for p, t in texts.items() if re.search(rf"^module {top}\b", t, re.MULTILINE)), None
    )
    if place is None:
        raise CommandError(f"no file of the project has the module {top}")
    text = texts[place]
    inner = re.search(
        r"^    (\w+) \w+ \(\n((?:        \.\w+\(\w+\),?\n)+)    \);", text, re.MULTILINE
    )
    if inner:
        _same_ports(inner[1], set(re.findall(r"\.(\w+)\(", inner[2])), texts.values())
    head = text[text.index(f"module {top}") : text.index(");")]
    ports = list(_PORT.finditer(head))
    bare = set(_ANY_PORT.findall(head)) - {port["name"] for port in ports}
    if bare:
        raise CommandError(f"{top}: ports of no interface: {', '.join(sorted(bare))}")
    source = folder / "src"
    source.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, source / path.name)
    return Core(folder, {**values, "version": "1.0"}, _block_of(top, ports), _parameters_of(ports))


def _same_ports(name: str, given: set[str], texts: object) -> None:
    """The instance in the wrapper names exactly the ports of its module."""
    for text in list(texts):  # type: ignore[call-overload]
        found = re.search(rf"^module {name} \((.*?)\);", text, re.MULTILINE | re.DOTALL)
        if found:
            known = set(_ANY_PORT.findall(found[1]))
            if known != given:
                raise CommandError(
                    f"{name}: ports {', '.join(sorted(known ^ given))} differ between wrapper and module"
                )
            return
    raise CommandError(f"no file of the project has the module {name}")


def _parameters_of(ports: list[re.Match[str]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for port in ports:
        for entry in filter(None, (port["parameters"] or "").split(", ")):
            name, value = entry.split(" ", 1)
            found.setdefault(port["bus"], {})[name] = value
    return found


def _block_of(top: str, ports: list[re.Match[str]]) -> Block:
    parameters = _parameters_of(ports)
    buses: dict[str, dict[str, re.Match[str]]] = {}
    signals = []
    clocks: dict[str, str] = {}
    for port in ports:
        kind = port["vlnv"].split(":")[2]
        if kind in ("clock", "reset"):
            known = parameters.get(port["bus"], {})
            high = known.get("POLARITY") == "ACTIVE_HIGH"
            signals.append(
                Signal(port["name"], "clock" if kind == "clock" else "reset", active_high=high)
            )
            for bus in filter(None, known.get("ASSOCIATED_BUSIF", "").split(":")):
                clocks[bus] = port["name"]
        else:
            buses.setdefault(port["bus"], {})[port["signal"]] = port
    interfaces = []
    for name, found in buses.items():
        kind = next(iter(found.values()))["vlnv"].split(":")[2]
        missing = SIGNALS[kind] - set(found)
        if missing:
            raise CommandError(f"{top}: bus {name} has no {', '.join(sorted(missing))}")
        valid = found["AWVALID" if kind == MM else "TVALID"]
        side = "Slave" if valid["direction"] == "input" else "Master"
        interfaces.append(Interface(name, side, kind, clocks.get(name, "")))  # type: ignore[arg-type]
    return Block(tuple(interfaces), tuple(signals))


def core_of_diagram(diagram: Diagram, folder: Path, values: dict[str, str]) -> Core:
    """The core of a block design: its ports, seen from outside.

    Raises:
        CommandError: the design is not valid or not saved.
    """
    if not (diagram.validated and diagram.saved):
        raise CommandError(f"{diagram.name} was changed after it was validated and saved")
    clocks = {
        bus: port
        for port, config in diagram.port_config.items()
        for bus in filter(None, config.get("ASSOCIATED_BUSIF", "").split(":"))
    }
    turned = {"Master": "Slave", "Slave": "Master"}
    interfaces = tuple(
        Interface(name, turned[bus.side], bus.kind, clocks.get(name, ""))  # type: ignore[arg-type]
        for name, bus in diagram.bus_ports.items()
    )
    signals = tuple(
        Signal(s.name, s.kind, active_high=s.active_high) for s in diagram.ports.values()
    )
    values = {**values, "name": diagram.name, "version": "1.0"}
    return Core(folder, values, Block(interfaces, signals), dict(diagram.port_config))


def kernel_problems(core: Core, protocol: str) -> list[str]:
    """What UG1393 asks of a kernel and the core does not have."""
    found = []
    wanted = {
        "sdx_kernel": "true",
        "sdx_kernel_type": "rtl",
        "vitis_drc": f"ctrl_protocol {protocol}",
    }
    for name, value in wanted.items():
        if core.values.get(name) != value:
            found.append(f"{name} is {core.values.get(name, 'not set')}, not {value}")
    clocks = [signal.name for signal in core.block.signals if signal.kind == "clock"]
    if "ap_clk" not in clocks or any(not name.startswith("ap_clk") for name in clocks):
        found.append(f"clocks are {', '.join(clocks)}; a kernel's are ap_clk, ap_clk_2")
    slaves = [bus.name for bus in core.block.interfaces if bus.kind == MM and bus.side == "Slave"]
    if slaves != ["s_axi_control"]:
        found.append(
            f"its register port must be s_axi_control, found {', '.join(slaves) or 'none'}"
        )
    blocks = core.maps.get("s_axi_control", {})
    pointers = {
        values.get("ASSOCIATED_BUSIF")
        for block in blocks.values()
        for values in block.registers.values()
        if values.get("size") == "64"
    }
    for bus in core.block.interfaces:
        if bus.kind == MM and bus.side == "Master":
            if core.parameters.get(bus.name, {}).get("ADDR_WIDTH") != "64":
                found.append(f"{bus.name} has no 64 address bits")
            if bus.name not in pointers:
                found.append(f"no 64-bit register is associated with {bus.name}")
    return found
