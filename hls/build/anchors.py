"""Where multipliers stand: in the order of their names, with gaps, along the chip's rows of them.

An analytic placer puts all multipliers side by side, as near to each other as they go; each has some fifty
wires, and routing then runs short of them around those rows, however empty the rest of the chip is. Fixed
with gaps between them, those of a unit in a block of their own, each unit has a place which its sums, its
tables and its state follow.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

ANCHORED = "anchored.json"
GAP = 2.0
"""Places a multiplier, at most: more would only lengthen the wires of a small design."""
_COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
_IN_BLOCK = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))
_ROWS = (34, 58, 10)

Block = list[str]
Cell = tuple[str, str]


def _there_and_back() -> list[Block]:
    """The blocks of an LFE5U-85F, places as nextpnr names them: row by row, every other one backwards."""
    rows = [
        [[f"X{column + k}/Y{row}/{name}" for k, name in _IN_BLOCK] for column in _COLUMNS] for row in _ROWS
    ]  # fmt: skip
    back = [[block[::-1] for block in row[::-1]] for row in rows]
    return [block for k in range(len(_ROWS)) for block in (back if k % 2 else rows)[k]]


BLOCKS = {"LFE5U-85F": _there_and_back()}
"""Device → its blocks of four multipliers, neighbours side by side."""


def recipe() -> str:
    """SHA-256 of all that decides places, for a step's key."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def anchors(netlist: dict[str, Any], device: str) -> dict[Cell, str]:
    """Module and cell → place, of all multipliers; empty where the device is unknown or has too few.

    Where they fill the rows at `GAP` places each, and the units have blocks enough, each unit has a block.
    """
    units = _units(netlist)
    cells = [cell for unit in units for cell in unit]
    blocks = BLOCKS.get(device, [])
    places = [place for block in blocks for place in block]
    if not 0 < len(cells) <= len(places):
        return {}
    gap = len(places) / len(cells)
    if gap <= GAP and len(units) <= len(blocks) and all(len(unit) <= 4 for unit in units):
        return {
            cell: place
            for k, unit in enumerate(units)
            for cell, place in zip(unit, blocks[k * len(blocks) // len(units)], strict=False)
        }
    return {cell: places[int(k * min(gap, GAP))] for k, cell in enumerate(cells)}


def _units(netlist: dict[str, Any]) -> list[list[Cell]]:
    """The multipliers that differ only behind the last index of their names, in the order of these."""
    units: dict[str, list[Cell]] = {}
    for module, content in netlist["modules"].items():
        for name, cell in content["cells"].items():
            if cell["type"] == "MULT18X18D":
                units.setdefault(name[: name.rfind("]") + 1] or name, []).append((module, name))
    return [sorted(units[name]) for name in sorted(units, key=_natural)]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `part[9]` comes before `part[10]`."""
    return [
        (int(piece), "") if piece.isdigit() else (0, piece) for piece in re.split(r"(\d+)", name)
    ]


def anchor(source: Path, result: Path, device: str) -> int:
    """Write the netlist with its multipliers' places as attributes; returns how many have one."""
    netlist = json.loads(source.read_text())
    found = anchors(netlist, device)
    for (module, name), place in found.items():
        netlist["modules"][module]["cells"][name].setdefault("attributes", {})["BEL"] = place
    result.write_text(json.dumps(netlist, separators=(",", ":")))
    return len(found)
