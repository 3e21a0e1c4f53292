"""The longest path of a synthesised netlist, before anything is placed: to compare designs, not to quote.

Delays of cells are those that place and route reports for speed grade 8 of the ECP5; a wire outside of a
carry chain or a wide multiplexer takes `WIRE_NS`, what routed designs here show on average.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

WIRE_NS = 0.9
CLOCK_TO_OUTPUT_NS = {"TRELLIS_FF": 0.4, "DP16KD": 4.4, "PDPW16KD": 4.4, "MULT18X18D": 2.7}
REGISTERED_NS = 0.4
"""Behind a register of the block itself."""
LOGIC_NS = {
    "LUT4": 0.18,
    "PFUMX": 0.13,
    "L6MUX21": 0.13,
    "CCU2C": 0.35,
    "TRELLIS_DPR16X4": 0.18,
    "MULT18X18D": 3.9,
    "MULT9X9D": 3.5,
}
CARRY_NS = 0.06
_WRITES = {"TRELLIS_DPR16X4": ("DI", "WAD", "WCK", "WRE")}
_DIRECT = {
    ("CCU2C", "CIN"), ("PFUMX", "ALUT"), ("PFUMX", "BLUT"), ("L6MUX21", "D0"), ("L6MUX21", "D1"),
}  # fmt: skip
"""Pins that have a wire of their own beside the cell that drives them."""


def longest_path_ns(netlist: Path) -> float:
    """Delay of the longest path from register to register inside one module."""
    modules = json.loads(netlist.read_text())["modules"]
    return max(_longest_ns(module["cells"]) for module in modules.values())


def _longest_ns(cells: dict[str, Any]) -> float:
    driver: dict[int, tuple[str, str]] = {}
    for name, cell in cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) == "output":
                driver |= {bit: (name, pin) for bit in bits if isinstance(bit, int)}
    waits: dict[str, int] = {}
    readers: dict[str, list[str]] = defaultdict(list)
    inputs: dict[str, list[tuple[str, int]]] = {}
    for name, cell in cells.items():
        if _follows(cell):
            inputs[name] = _inputs(cell)
            sources = {driver[bit][0] for _, bit in inputs[name] if bit in driver}
            before = [s for s in sources if _follows(cells[s])]
            waits[name] = len(before)
            for source in before:
                readers[source].append(name)
    at: dict[int, float] = {}
    for cell in cells.values():
        begin = CLOCK_TO_OUTPUT_NS.get(cell["type"])
        if begin is not None and not _follows(cell):
            registered = _parameter(cell, "REGMODE_A") == "OUTREG" or _registers(cell)[1]
            for pin, bits in cell["connections"].items():
                if cell["port_directions"].get(pin) == "output":
                    at |= dict.fromkeys(
                        [bit for bit in bits if isinstance(bit, int)],
                        REGISTERED_NS if registered else begin,
                    )
    ready = [name for name, count in waits.items() if not count]
    while ready:
        name = ready.pop()
        _settle(cells[name], inputs[name], at)
        for reader in readers[name]:
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    ends = [
        at.get(bit, 0.0) + WIRE_NS
        for cell in cells.values()
        if not _follows(cell)
        for _, bit in _inputs(cell)
    ]
    return max(ends, default=0.0)


def _parameter(cell: dict[str, Any], name: str) -> str:
    return str(cell["parameters"].get(name, "")).strip()


def _registers(cell: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a multiplier has registers of its factors, and of its product."""
    clocks = (_parameter(cell, f"REG_{name}_CLK") for name in ("INPUTA", "OUTPUT"))
    factors, product = (clock not in ("", "NONE") for clock in clocks)
    return factors, product


def _follows(cell: dict[str, Any]) -> bool:
    """Whether the outputs follow the inputs without a clock."""
    return cell["type"] in LOGIC_NS and not any(_registers(cell))


def _inputs(cell: dict[str, Any]) -> list[tuple[str, int]]:
    """(pin, net) of what a cell's outputs follow at once."""
    return [
        (pin, bit)
        for pin, bits in cell["connections"].items()
        if cell["port_directions"].get(pin) == "input" and pin not in _WRITES.get(cell["type"], ())
        for bit in bits
        if isinstance(bit, int)
    ]


def _settle(cell: dict[str, Any], inputs: list[tuple[str, int]], at: dict[int, float]) -> None:
    """Arrival at the outputs of a cell whose inputs are known."""
    kind = cell["type"]
    carry, others = 0.0, 0.0
    for pin, bit in inputs:
        arrival = at.get(bit, 0.0) + (0.0 if (kind, pin) in _DIRECT else WIRE_NS)
        if pin == "CIN":
            carry = arrival
        else:
            others = max(others, arrival)
    for pin, bits in cell["connections"].items():
        if cell["port_directions"].get(pin) == "output":
            through = carry + (CARRY_NS if pin == "COUT" else LOGIC_NS[kind])
            value = max(through if carry else 0.0, others + LOGIC_NS[kind])
            at |= {bit: value for bit in bits if isinstance(bit, int)}
