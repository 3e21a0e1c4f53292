"""Resources of a netlist by the blocks of a feature path."""

import json
from pathlib import Path

from hls.build.blocks import OTHER, cells_by_block


def cell(kind: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
    return {
        "type": kind,
        "port_directions": {"A": "input", "Z": "output"},
        "connections": {"A": inputs, "Z": outputs},
    }


def test_logic_counts_where_the_registers_are_that_it_feeds(tmp_path: Path) -> None:
    cells = {
        "one": cell("TRELLIS_FF", [3], [4]),
        "near": cell("LUT4", [2], [3]),
        "far": cell("LUT4", [1], [2]),
        "chain": cell("CCU2C", [4], [5]),
        "two": cell("TRELLIS_FF", [5], [6]),
        "$flatten\\path.\\vector.product": cell("MULT18X18D", [6], [7]),
        "pin": cell("LUT4", [7], [8]),
        "$scopeinfo$9": {"type": "$scopeinfo", "port_directions": {}, "connections": {}},
    }
    names = {
        "path.book.state": {"bits": [4]},
        "path.core.h": {"bits": [6]},
        "out": {"bits": [8, "0"]},
    }
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {"events_top": {"cells": cells, "netnames": names}}}))
    found = cells_by_block(path, "events_top")
    assert list(found) == ["book", "features, normalise", "core", OTHER]
    assert (found["book"]["logic"], found["book"]["registers"]) == (2, 1)
    assert (found["core"]["logic"], found["core"]["registers"]) == (2, 1)
    assert found["features, normalise"]["multipliers"] == 1 and found[OTHER]["logic"] == 1
