"""The timing harness of `ecp5-85k` reaches every port of the fabric, with one clock and with two."""

import re
from pathlib import Path

import pytest

from firmware.boards.ecp5_85k import SLOWER, TARGET, TimingTarget
from hls.emit.events import EventShape
from hls.emit.events_project import emit_configured
from hls.emit.project import emit_bundle
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.sample import random_quoting_bundle


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


@pytest.mark.parametrize("target", [TARGET, SLOWER])
def test_a_feature_path_is_in_the_harness_with_its_observed_pulses_left_open(
    target: TimingTarget, tmp_path: Path
) -> None:
    tape = simulate(3, 10.0)
    bundle = random_quoting_bundle(5, tape, units=(4,))
    manifest = emit_configured(bundle, "baked", tmp_path / "p", load_config(), EventShape())
    top = (tmp_path / "p" / "events_top.sv").read_text()
    ports = re.findall(r"^    (?:input|output) +wire +(?:\[.*?\] +)?(\w+)", top, re.MULTILINE)
    files = target.files(manifest, target.programmed_mhz(60))
    harness = files["timing_harness.sv"].split("events_top fabric (")[1].split(");")[0]
    assert sorted(re.findall(r"\.(\w+)\(", harness)) == sorted(ports)
    assert ".stages()," in harness and str(target.part).endswith(("speed 8", "speed 6"))


def test_constraints_name_every_pin_of_the_top() -> None:
    folder = Path(__file__).parents[2] / "firmware" / "boards" / "ecp5_85k"
    placed = set(re.findall(r'LOCATE COMP "(\w+)"', (folder / "timing_harness.lpf").read_text()))
    head = (folder / "timing_harness.sv").read_text().split("module timing_harness (")[1]
    assert placed == set(re.findall(r"(?:wire|reg) +(\w+)", head.split(");")[0]))
