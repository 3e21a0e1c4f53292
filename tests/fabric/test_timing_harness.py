"""The timing harness of `ecp5-85k` reaches every port of the fabric, with one clock and with two."""

import re
from pathlib import Path

import pytest

from firmware.boards.ecp5_85k import TARGET
from hls.emit.project import emit_bundle
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle


@pytest.mark.parametrize("clocks", [1, 2])
def test_every_port_of_the_fabric_is_connected_once_and_every_bit_is_used(
    clocks: int, tmp_path: Path
) -> None:
    model = random_bundle(1, 2, (3,), PRESETS["narrow"])
    manifest = emit_bundle(model, "folded", tmp_path / "p", clocks=clocks, multipliers=4)
    top = (tmp_path / "p" / "fabric_top.sv").read_text()
    ports = re.findall(r"^    (?:input|output) +wire +(?:\[.*?\] +)?(\w+)", top, re.MULTILINE)
    files = TARGET.files(manifest, TARGET.programmed_mhz(60))
    harness = files["timing_harness.sv"].split("fabric_top fabric (")[1].split(");")[0]
    assert sorted(re.findall(r"\.(\w+)\(", harness)) == sorted(ports)
    for bus, width in (("driven", 138), ("result", 109)):
        used = [k == 108 for k in range(width)] if bus == "result" else [False] * width
        for first, count in re.findall(rf"{bus}\[(\d+)(?:\+:(\d+))?\]", harness):
            for bit in range(int(first), int(first) + int(count or 1)):
                assert not used[bit], f"{bus}[{bit}] twice"
                used[bit] = True
        assert all(used)


def test_constraints_name_every_pin_of_the_top() -> None:
    folder = Path(__file__).parents[2] / "firmware" / "boards" / "ecp5_85k"
    placed = set(re.findall(r'LOCATE COMP "(\w+)"', (folder / "timing_harness.lpf").read_text()))
    head = (folder / "timing_harness.sv").read_text().split("module timing_harness (")[1]
    assert placed == set(re.findall(r"(?:wire|reg) +(\w+)", head.split(");")[0]))
