"""The cocotb benches of the folded style's blocks, on two simulators."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sim.bench.folded.case import Case
from sim.bench.runner import Simulator, block_design, run_bench

LSTM = "sim.bench.folded.bench_lstm"
DENSE = "sim.bench.folded.bench_dense"
NEEDS_ICARUS = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]
icarus = pytest.param("icarus", marks=NEEDS_ICARUS)
FULL = [
    Case(6, 20, 112), Case(16, 16, 40, "narrow"), Case(1, 9, 36, "wide", 2), Case(1, 9, 8, "narrow"),
]  # fmt: skip


def run(folder: Path, simulator: Simulator, case: Case) -> None:
    module = DENSE if case.layer else LSTM
    design = block_design(case.plan(), case.block)
    run_bench(folder, simulator, design, module, case.environment())


@pytest.mark.parametrize("simulator", [icarus])
@pytest.mark.parametrize(
    "case", [Case(5, 10, 16, "narrow", 2), Case(5, 10, 16, "narrow", 4, layer=1)]
)
def test_bench_passes(tmp_path: Path, simulator: Simulator, case: Case) -> None:
    run(tmp_path, simulator, case)


@pytest.mark.full
@pytest.mark.parametrize("simulator", [icarus, "verilator"])
@pytest.mark.parametrize("case", FULL)
def test_bench_passes_in_all_shapes(tmp_path: Path, simulator: Simulator, case: Case) -> None:
    run(tmp_path, simulator, case)


@pytest.mark.full
@pytest.mark.parametrize(
    "case", [Case(6, 20, 28, "default", 4, layer=1), Case(3, 9, 8, "wide", 2, 1)]
)
def test_dense_bench_passes_on_verilator(tmp_path: Path, case: Case) -> None:
    run(tmp_path, "verilator", case)
