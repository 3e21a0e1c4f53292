"""The cocotb benches of the layers' blocks, on two simulators."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sim.bench.layer.case import Case
from sim.bench.runner import Simulator, block_design, run_bench

LSTM = "sim.bench.layer.bench_lstm"
DENSE = "sim.bench.layer.bench_dense"
NEEDS_ICARUS = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]
icarus = pytest.param("icarus", marks=NEEDS_ICARUS)
QUICK = [
    Case("folded", 5, 10, "narrow", 0, {"multipliers": 16, "chunk": 2}),
    Case("folded", 5, 10, "narrow", 1, {"multipliers": 16, "chunk": 4}),
]
FULL = [
    Case("folded", 6, 20, "default", 0, {"multipliers": 112}),
    Case("folded", 16, 16, "narrow", 0, {"multipliers": 40}),
    Case("folded", 1, 9, "wide", 0, {"multipliers": 36, "chunk": 2}),
    Case("folded", 1, 9, "narrow", 0, {"multipliers": 8}),
    Case("folded", 6, 20, "default", 1, {"multipliers": 28, "chunk": 4}),
    Case("folded", 3, 9, "wide", 1, {"multipliers": 8, "chunk": 2}),
    Case("loadable", 5, 7, "narrow", 0),
    Case("loadable", 6, 10, "default", 0, {"planes": 2}),
    Case("loadable", 5, 7, "narrow", 1),
    Case("baked", 3, 6, "narrow", 0),
    Case("baked", 3, 6, "default", 0, {"cuts": 127, "copies": 3}),
    Case("baked", 4, 5, "wide", 0, {"cuts": 0}),
    Case("baked", 3, 6, "narrow", 1),
]


def named(case: Case) -> str:
    chosen = "".join(f"-{key}{value}" for key, value in case.parameters.items())
    return f"{case.name}-{case.features}x{case.units}-{case.formats}{chosen}"


def run(folder: Path, simulator: Simulator, case: Case) -> None:
    module = DENSE if case.layer else LSTM
    design = block_design(case.plan(), case.block)
    run_bench(folder, simulator, design, module, case.environment())


@pytest.mark.parametrize("simulator", [icarus])
@pytest.mark.parametrize("case", QUICK, ids=named)
def test_bench_passes(tmp_path: Path, simulator: Simulator, case: Case) -> None:
    run(tmp_path, simulator, case)


@pytest.mark.full
@pytest.mark.parametrize("simulator", [icarus, "verilator"])
@pytest.mark.parametrize("case", FULL, ids=named)
def test_bench_passes_in_all_styles_and_shapes(
    tmp_path: Path, simulator: Simulator, case: Case
) -> None:
    run(tmp_path, simulator, case)
