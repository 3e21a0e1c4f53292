"""A synthesised netlist: read from the JSON that place-and-route gets, written as Verilog cell by cell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from pyorch.contract.errors import BuildError, EnvironmentMissingError

CELLS = Path(__file__).with_name("cells")
"""Our own models of the cells of which Yosys carries only the ports."""
MODELLED = ("DP16KD", "MULT18X18D")
"""Cells that have such a model."""
NAMES_ONLY = "$scopeinfo"
"""Cells that do nothing: they keep the names of what was dissolved."""
CONSTANTS = {"0": "1'b0", "1": "1'b1", "x": "1'bx", "z": "1'bz"}
_BINARY = re.compile(r"[01xz]+")


class _Port(msgspec.Struct):
    direction: str
    bits: list[int | str]


class Cell(msgspec.Struct):
    """An instance: its type, the bits at each port (nets by number, constants as text), its parameters."""

    type: str
    connections: dict[str, list[int | str]]
    parameters: dict[str, str | int] = {}

    def text(self, name: str, otherwise: str) -> str:
        """A parameter that is a text."""
        given = self.parameters.get(name, otherwise)
        return _text(given) if isinstance(given, str) else str(given)

    def require(self, allowed: dict[str, tuple[str, ...]]) -> None:
        """Raises BuildError if a parameter has another value than these; the first is the default."""
        for name, values in allowed.items():
            if (given := self.text(name, values[0])) not in values:
                raise BuildError(
                    f"{self.type}: {name} is {given}; there is a model of {', '.join(values)} only"
                )


def number(cell: Cell, name: str, otherwise: int) -> int:
    """A parameter that is a number; unknown bits are 0."""
    given = cell.parameters.get(name, otherwise)
    return given if isinstance(given, int) else int(given.replace("x", "0").replace("z", "0"), 2)


def _text(given: str) -> str:
    """Yosys writes a space behind texts that look like numbers."""
    return given[:-1] if _BINARY.fullmatch(given.rstrip(" ")) and given.endswith(" ") else given


class _Module(msgspec.Struct):
    ports: dict[str, _Port]
    cells: dict[str, Cell] = {}
    attributes: dict[str, Any] = {}

    @property
    def working(self) -> dict[str, Cell]:
        return {name: cell for name, cell in self.cells.items() if cell.type != NAMES_ONLY}

    @property
    def black_box(self) -> bool:
        return "blackbox" in self.attributes or "whitebox" in self.attributes


class _File(msgspec.Struct):
    modules: dict[str, _Module]
    creator: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted fault: bit ``bit`` of the look-up table ``cell`` of ``module`` is the other way round."""

    module: str
    cell: str
    bit: int

    def __str__(self) -> str:
        return f"bit {self.bit} of INIT of {self.cell} in {self.module}"


class Netlist:
    """The modules of a netlist.

    Args:
        path: written by Yosys' `write_json`.

    Raises:
        BuildError: no such file, or not a netlist.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            raise BuildError(f"{path} is missing: synthesise first (`pyorch build`)") from None
        except msgspec.DecodeError as error:
            raise BuildError(
                f"{path} is no netlist of Yosys ({error}): synthesise again"
            ) from error
        self.path = path

    def modules(self, top: str) -> dict[str, _Module]:
        """``top`` and the modules below it that are not cells of the part.

        Raises:
            BuildError: there is no such module.
        """
        known = self._file.modules
        if top not in known or known[top].black_box:
            inside = [name for name, module in known.items() if not module.black_box]
            raise BuildError(
                f"{self.path}: there is no module {top}, only {', '.join(inside) or 'cells'}: it was "
                "dissolved in the one around it; synthesise with its attribute keep_hierarchy"
            )
        found, ahead = {top: known[top]}, [top]
        while ahead:
            for cell in known[ahead.pop()].cells.values():
                inner = known.get(cell.type)
                if inner is not None and not inner.black_box and cell.type not in found:
                    found[cell.type] = inner
                    ahead.append(cell.type)
        return found

    def cells(self, top: str) -> Counter[str]:
        """How many cells of each type ``top`` has, with all that is below it."""
        modules = self.modules(top)

        def count(name: str) -> Counter[str]:
            found: Counter[str] = Counter()
            for cell in modules[name].working.values():
                found += count(cell.type) if cell.type in modules else Counter([cell.type])
            return found

        return count(top)

    def check_models(self, top: str) -> None:
        """Raises BuildError if a cell has no model."""
        carried = carried_cells()
        unknown = sorted(set(self.cells(top)) - carried - set(MODELLED))
        if unknown:
            raise BuildError(
                f"{self.path}: no model of {', '.join(unknown)}; there are those of {', '.join(MODELLED)} "
                "and of Yosys' library; write one in sim/cells, or use other cells"
            )

    def faults(self, top: str) -> Iterator[Fault]:
        """Every bit of every look-up table in ``top``, in the netlist's order."""
        for name, module in self.modules(top).items():
            for key, cell in module.cells.items():
                if cell.type == "LUT4":
                    yield from (Fault(name, key, bit) for bit in range(16))

    def flat(self, top: str) -> tuple[dict[str, list[int | str]], list[Cell]]:
        """The ports of ``top`` and all cells in it, those of inner modules with nets of their own.

        Raises:
            BuildError: there is no such module.
        """
        modules, found, count = self.modules(top), [], 0

        def place(name: str, outer: dict[int, int | str]) -> None:
            nonlocal count
            nets = dict(outer)

            def net(bit: int | str) -> int | str:
                nonlocal count
                if isinstance(bit, int) and bit not in nets:
                    nets[bit] = count
                    count += 1
                return nets[bit] if isinstance(bit, int) else bit

            for cell in modules[name].working.values():
                joined = {
                    port: [net(bit) for bit in bits] for port, bits in cell.connections.items()
                }
                if cell.type not in modules:
                    found.append(Cell(cell.type, joined, cell.parameters))
                    continue
                inside: dict[int, int | str] = {}
                for port, bits in modules[cell.type].ports.items():
                    for inner, bit in zip(
                        bits.bits, joined.get(port, ["x"] * len(bits.bits)), strict=True
                    ):
                        if not isinstance(inner, int) or inner in inside:
                            raise BuildError(
                                f"{self.path}: bits of port {port} of {cell.type} are constant or joined "
                                f"inside; dissolve {cell.type} in {name}"
                            )
                        inside[inner] = bit
                place(cell.type, inside)

        ports: dict[str, list[int | str]] = {}
        begin: dict[int, int | str] = {}
        for name, port in modules[top].ports.items():
            for bit in port.bits:
                if isinstance(bit, int) and bit not in begin:
                    begin[bit] = count
                    count += 1
            ports[name] = [begin[bit] if isinstance(bit, int) else bit for bit in port.bits]
        place(top, begin)
        return ports, found

    def plant(self, fault: Fault) -> None:
        """Change the netlist in memory.

        Raises:
            BuildError: there is no such look-up table.
        """
        module = self._file.modules.get(fault.module)
        cell = module.cells.get(fault.cell) if module else None
        if cell is None or cell.type != "LUT4":
            raise BuildError(
                f"{self.path}: there is no look-up table {fault.cell} in {fault.module}"
            )
        cell.parameters["INIT"] = f"{number(cell, 'INIT', 0) ^ 1 << fault.bit:016b}"

    def verilog(self, top: str) -> str:
        """``top`` and what is below it as Verilog; every net is one bit wide.

        Raises:
            BuildError: there is no such module.
        """
        return "\n".join(_module_text(name, module) for name, module in self.modules(top).items())


def carried_cells() -> set[str]:
    """Cells with a model in Yosys' library for the part."""
    text = "".join(
        (library_folder() / name).read_text()
        for name in ("cells_sim.v", "common_sim.vh", "ccu2c_sim.vh")
    )
    boxes = set(re.findall(r"\(\* blackbox \*\)\s*module (\w+)", text))
    return set(re.findall(r"^module (\w+)", text, re.MULTILINE)) - boxes


def library_folder() -> Path:
    """The folder of Yosys' simulation models of ECP5 cells.

    Raises:
        EnvironmentMissingError: pyosys is not installed.
    """
    spec = find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentMissingError(
            "Yosys is not installed; install the extra `fpga` (the PyPI package pyosys)"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "share" / "ecp5"


def _module_text(name: str, module: _Module) -> str:
    lines = [f"module {name} ({', '.join(module.ports)});"]
    nets: set[int] = set()
    for key, port in module.ports.items():
        lines.append(f"  {port.direction} [{len(port.bits) - 1}:0] {key};")
        nets.update(bit for bit in port.bits if isinstance(bit, int))
    for cell in module.cells.values():
        for bits in cell.connections.values():
            nets.update(bit for bit in bits if isinstance(bit, int))
    lines += [f"  wire n{net};" for net in sorted(nets)]
    for key, port in module.ports.items():
        if port.direction == "input":
            lines += [f"  assign {_net(bit)} = {key}[{k}];" for k, bit in enumerate(port.bits)]
        else:
            lines.append(f"  assign {key} = {_nets(port.bits)};")
    for count, cell in enumerate(module.working.values()):
        values = {k: _value(v) for k, v in cell.parameters.items()}
        parameters = ", ".join(f".{k}({v})" for k, v in values.items())
        ports = ", ".join(f".{k}({_nets(bits)})" for k, bits in cell.connections.items())
        chosen = f"#({parameters}) " if parameters else ""
        lines.append(f"  {cell.type} {chosen}c{count} ({ports});")
    return "\n".join([*lines, "endmodule", ""])


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else CONSTANTS[bit]


def _nets(bits: list[int | str]) -> str:
    if len(bits) == 1:
        return _net(bits[0])
    return "{" + ", ".join(_net(bit) for bit in reversed(bits)) + "}"


def _value(given: str | int) -> str:
    """A parameter: Yosys writes numbers as binary digits, and a space behind texts that look like them."""
    if isinstance(given, int):
        return str(given)
    if _BINARY.fullmatch(given):
        return f"{len(given)}'b{given}"
    return f'"{_text(given)}"'
