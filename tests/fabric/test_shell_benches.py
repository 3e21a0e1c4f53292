"""The cocotb benches of the shell's blocks, on two simulators."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sim.bench.runner import Simulator, run_bench
from sim.bench.shell.case import ShellCase

icarus = pytest.param(
    "icarus",
    marks=[
        pytest.mark.debian,
        pytest.mark.skipif(
            shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"
        ),
    ],
)
LANES = {"FEATURES": 5, "X_WIDTH": 7, "X_FRACTION": 4, "X_ROUND": 1, "WIRE_FRACTION": 6, "LANE": 16}
WINDOWED = {"FEATURES": 2, "X_WIDTH": 5, "WINDOW": 4, "WINDOWED": 1}
IMAGE = {"IMAGE_WORDS": 5, "FORMAT_DIGEST": 0x1234567, "MODEL_FILE": "model.hex"}
FILES = {"model.hex": "0123456789abcdef\n"}
QUICK = [ShellCase("sequencer", {**WINDOWED})]
FULL = [
    ShellCase("axil_port", {"READ_CYCLES": 5}),
    ShellCase("quantise_input", {**{k: v for k, v in LANES.items() if k != "FEATURES"}}),
    ShellCase(
        "quantise_input",
        {"LANE": 8, "WIRE_FRACTION": 3, "X_WIDTH": 12, "X_FRACTION": 7, "X_ROUND": 0},
    ),
    ShellCase("loader", {"LOADABLE": 1, **IMAGE}, FILES),
    ShellCase("loader", {"LOADABLE": 0, **IMAGE}, FILES),
    ShellCase("sequencer", {**WINDOWED, "WINDOWED": 0}),
    ShellCase("sequencer", {**WINDOWED}, seed=2),
    ShellCase("sequencer", {**WINDOWED, "WINDOW": 2, "FEATURES": 1}),
    ShellCase("axis_frame_in", {**LANES}),
    ShellCase("axis_frame_in", {**LANES, "LANE": 8, "WIRE_FRACTION": 2, "FEATURES": 8}),
    ShellCase("axis_frame_out", {"OUTPUTS": 5, "Y_WIDTH": 10, "LANE": 16}),
    ShellCase("axis_frame_out", {"OUTPUTS": 1, "Y_WIDTH": 32, "LANE": 32}),
]


def named(case: ShellCase) -> str:
    chosen = "-".join(str(value) for value in case.parameters.values() if isinstance(value, int))
    return f"{case.block}-{chosen}"


def run(folder: Path, simulator: Simulator, case: ShellCase) -> None:
    run_bench(folder, simulator, case.design, case.module, case.environment())


@pytest.mark.parametrize("simulator", [icarus])
@pytest.mark.parametrize("case", QUICK, ids=named)
def test_block_does_what_its_model_does(
    tmp_path: Path, simulator: Simulator, case: ShellCase
) -> None:
    run(tmp_path, simulator, case)


@pytest.mark.full
@pytest.mark.parametrize("simulator", [icarus, "verilator"])
@pytest.mark.parametrize("case", FULL, ids=named)
def test_every_block_does_what_its_model_does(
    tmp_path: Path, simulator: Simulator, case: ShellCase
) -> None:
    run(tmp_path, simulator, case)
