"""The cocotb benches of the feature path's blocks, on two simulators."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pyorch.contract.fabric import rtl_folder
from sim.bench.events.bench_decoder import INSTRUMENTS
from sim.bench.runner import Design, Simulator, run_bench

DECODER = Design(
    "event_decoder", (rtl_folder() / "event_decoder.sv",), {"INSTRUMENTS": INSTRUMENTS}
)
NEEDS_ICARUS = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]


@pytest.mark.parametrize(
    "simulator",
    [pytest.param("icarus", marks=NEEDS_ICARUS), pytest.param("verilator", marks=pytest.mark.full)],
)
def test_decoder_bench_passes(tmp_path: Path, simulator: Simulator) -> None:
    run_bench(tmp_path, simulator, DECODER, "sim.bench.events.bench_decoder", {})
