"""A simulated step as waveform: its stages are the predicted ones, and the diagram shows them."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from hls.emit.project import emit_bundle
from pyorch.contract.errors import DataError, EnvironmentMissingError
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from sim.verilator import find_verilator
from sim.wave import Recording, Wave, record_step

VCD = """$scope module TOP $end
 $var wire 1 a aclk $end
 $scope module fabric_top $end
  $var wire 1 b x_valid $end
  $scope module core $end
   $var wire 1 b x_valid $end
   $var wire 4 c blocks_idle [3:0] $end
   $scope module layer_0 $end
    $var wire 1 d x_ready $end
   $upscope $end
  $upscope $end
 $upscope $end
$upscope $end
$enddefinitions $end
#70
0a
0b
b0011 c
1d
#75
1a
1b
#80
b1111 c
#85
0b
b0000 c
#100
"""


@pytest.fixture
def vcd(tmp_path: Path) -> Path:
    path = tmp_path / "step.vcd"
    path.write_text(VCD)
    return path


def test_a_wave_holds_what_the_rising_edge_of_each_cycle_sees(vcd: Path) -> None:
    wave = Wave(vcd, 7, ["x_valid", "blocks_idle"])
    assert wave["x_valid"].tolist() == [0, 1, 0, 0]
    assert wave["blocks_idle"].tolist() == [3, 15, 0, 0]
    assert wave.when("x_valid", "blocks_idle") == [1]


def test_a_signal_of_another_scope_is_not_taken_for_the_cores(vcd: Path) -> None:
    with pytest.raises(DataError, match=r"has no signals .'x_ready'.; simulate again with --wave"):
        Wave(vcd, 7, ["x_valid", "x_ready"])


def recorded(
    out: Path, style: str, features: int, units: tuple[int, ...], dense: tuple[int, ...],
    mode: Literal["window", "stateful"], parameters: dict[str, int],
) -> Recording:  # fmt: skip
    try:
        find_verilator()
    except EnvironmentMissingError as error:
        pytest.skip(str(error))
    bundle = random_bundle(
        1, features, units, PRESETS["narrow"], hidden_dense=dense, window=4, mode=mode
    )
    manifest = emit_bundle(bundle, style, out / "project", **parameters)
    assert manifest.stages, "nothing is predicted"
    return record_step(bundle, out / "project")


def test_simulated_stages_are_the_predicted_ones(tmp_path: Path) -> None:
    found = recorded(tmp_path, "folded", 5, (6,), (), "stateful", {"multipliers": 8, "chunk": 2})
    assert found.differences == []
    assert found.stages == found.manifest.stages
    assert (found.vcd, found.page) == (tmp_path / "project.vcd", tmp_path / "project.html")
    page = found.page.read_text()
    assert "Every stage begins and ends in the predicted cycle." in page
    for text in ("x_valid", "y_valid", "m_axis_tlast", "x·W", "gates, c, h"):
        assert f">{text}" in page

    # a prediction that is one cycle off is seen
    stages = [msgspec.structs.replace(s, end=s.end + 1) for s in found.manifest.stages[:1]]
    wrong = msgspec.structs.replace(found.manifest, stages=(*stages, *found.manifest.stages[1:]))
    other = Recording(wrong, found.wave, found.tick, found.stages, found.vcd, found.page)
    assert other.differences == ["frame in: cycles 0 to 0, predicted 0 to 1"]


@pytest.mark.full
@pytest.mark.parametrize("mode", ["window", "stateful"])
@pytest.mark.parametrize(
    ("style", "parameters"),
    [("folded", {"multipliers": 28}), ("loadable", {"planes": 4}), ("baked", {"cuts": 2})],
)
def test_simulated_stages_of_deeper_models_are_the_predicted_ones(
    tmp_path: Path, style: str, parameters: dict[str, int], mode: Literal["window", "stateful"]
) -> None:
    found = recorded(tmp_path, style, 6, (8, 5), (4,), mode, parameters)
    assert found.differences == []
