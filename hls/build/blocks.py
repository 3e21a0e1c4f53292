"""Resources of each block of a synthesised feature path.

Synthesis dissolves the blocks in one netlist. Registers, memories and multipliers keep the names of where
they were written; a cell of logic has none and counts where the first of those lies that it feeds, cells in
between followed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from hls.build.fit import demand

BLOCKS = {
    "path.decoder": "event decoder", "path.book": "book", "path.vector": "features, normalise",
    "path.ticks": "core", "path.core": "core", "path.scoring": "softmax, sigmoid, calibrate, conditions",
    "path.policy": "policy", "path.store": "policy registers", "path.words": "decision word",
    "path.waiting": "queue of ticks", "path.g_several": "queues and states of instruments",
    "registers": "registers, weight loader",
}  # fmt: skip
"""Instance → what the report calls it."""
OTHER = "around"
_KEPT = ("TRELLIS_FF", "TRELLIS_DPR16X4", "DP16KD", "PDPW16KD", "MULT18X18D", "MULT9X9D")


def cells_by_block(netlist: Path, top: str) -> dict[str, dict[str, int]]:
    """Block → kind of resource → how many, kinds as in `hls.build.fit`; LUT RAMs are part of the logic."""
    module = json.loads(netlist.read_text())["modules"][top]
    cells: dict[str, Any] = module["cells"]
    block_of_net = _named_nets(module["netnames"])
    found: dict[str, str] = {}
    for name, cell in cells.items():
        if cell["type"] in _KEPT:
            named = (block_of_net[bit] for bit in _bits(cell, "output") if bit in block_of_net)
            found[name] = next(named, _block(name) or OTHER)
    _spread(cells, found)
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for name, cell in cells.items():
        if not cell["type"].startswith("$"):
            counted[found.get(name, OTHER)][cell["type"]] += 1
    order = [*dict.fromkeys(BLOCKS.values()), OTHER]
    return {name: demand(counted[name]) for name in order if name in counted}


def _spread(cells: dict[str, Any], found: dict[str, str]) -> None:
    """Blocks of the cells in between: from what they feed, backwards, breadth first."""
    drivers = {bit: name for name, cell in cells.items() for bit in _bits(cell, "output")}
    ahead = list(found)
    for name in ahead:  # grows
        for bit in _bits(cells[name], "input"):
            source = drivers.get(bit)
            if source is not None and source not in found:
                found[source] = found[name]
                ahead.append(source)


def _named_nets(nets: dict[str, Any]) -> dict[int, str]:
    """Net → the block in whose names it has one; the shortest name counts."""
    found: dict[int, str] = {}
    for name in sorted(nets, key=len):
        block = _block(name)
        if block is not None:
            for bit in nets[name]["bits"]:
                found.setdefault(bit, block)
    return found


def _block(name: str) -> str | None:
    plain = name.removeprefix("$flatten").replace("\\", "")
    for prefix, block in BLOCKS.items():
        if plain.startswith(f"{prefix}."):
            return block
    return None


def _bits(cell: dict[str, Any], direction: str) -> list[int]:
    return [
        bit
        for pin, bits in cell["connections"].items()
        if cell["port_directions"].get(pin) == direction
        for bit in bits
        if isinstance(bit, int)
    ]
