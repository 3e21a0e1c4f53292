"""Where the multipliers of a layer's units stand: a unit a block of multipliers, blocks all over the chip.

An analytic placer takes the wires of all units for one heap: it puts all multipliers side by side, and the
wires of all tails cross there. With its multipliers fixed each unit has a place of its own, which its sums,
its tables and its state follow; units that share a copy of h stay neighbours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from pyorch.contract.digest import write_atomically

ANCHORED = "anchored.json"
STYLES = ("loadable",)
"""Those whose units have their tails side by side, with multipliers in blocks."""
COLUMNS = {"LFE5U-85F": (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)}
"""Of the first multiplier of each block, as nextpnr counts; the same in each row of blocks."""
ROWS = {"LFE5U-85F": (34, 58, 10)}
"""In the order in which units are given to them: the last, at the chip's edge, gets the fewest."""
IN_BLOCK = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))
"""The multipliers of a block: columns behind its first, name."""
_OF_UNIT = re.compile(r"^(.*)\btail\.g_unit\[(\d+)\]\.")


def recipe() -> str:
    """SHA-256 of all that decides places, for a step's key."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def blocks_of(device: str, number: int) -> list[tuple[int, int]]:
    """Column and row of so many blocks, spread evenly; neighbours in the list are neighbours on the chip.

    Returns an empty list where the device is not known or has too few.
    """
    if device not in COLUMNS:
        return []
    columns, rows = COLUMNS[device], ROWS[device]
    if number > len(columns) * len(rows):
        return []
    last = max(number - 2 * len(columns), number // 4)
    first = (number - last + 1) // 2
    places: list[tuple[int, int]] = []
    for row, count in zip(rows, (first, number - last - first, last), strict=True):
        gaps = max(count - 1, 1)
        line = [(columns[round(k * (len(columns) - 1) / gaps)], row) for k in range(count)]
        places += line if row != rows[1] else line[::-1]
    return places


def anchors(netlist: dict[str, Any], device: str) -> dict[tuple[str, str], str]:
    """Module and cell → place, of the multipliers of every unit's tail.

    Empty if there is none, if a unit has more than a block holds, or if the device has too few blocks.
    """
    units: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for module, content in netlist["modules"].items():
        for name, cell in content["cells"].items():
            found = _OF_UNIT.match(name)
            if found and cell["type"] == "MULT18X18D":
                units[found[1], int(found[2])].append((module, name))
    blocks = blocks_of(device, len(units))
    if not blocks or any(len(cells) > len(IN_BLOCK) for cells in units.values()):
        return {}
    return {
        cell: f"X{column + behind}/Y{row}/{name}"
        for unit, (column, row) in zip(sorted(units), blocks, strict=True)
        for cell, (behind, name) in zip(sorted(units[unit]), IN_BLOCK, strict=False)
    }


def anchor(source: Path, result: Path, device: str) -> int:
    """Write the netlist with its multipliers' places as attributes; returns how many have one."""
    netlist = json.loads(source.read_text())
    found = anchors(netlist, device)
    for (module, name), place in found.items():
        netlist["modules"][module]["cells"][name].setdefault("attributes", {})["BEL"] = place
    write_atomically(result, json.dumps(netlist, separators=(",", ":")).encode())
    return len(found)
