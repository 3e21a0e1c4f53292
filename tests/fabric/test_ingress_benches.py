"""The cocotb benches of the ingress, on two simulators."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hls.emit.ingress import SOURCES
from pyorch.contract.fabric import rtl_folder
from sim.bench.ingress import bench_line
from sim.bench.runner import Design, Simulator, run_bench

HERE = Path(bench_line.__file__).parent
LINE = (
    "verdict_pkg.sv", "crc32_byte.sv", "mii_receive.sv", "rgmii_receive.sv", "ethernet_check.sv",
    "ipv4_check.sv", "udp_check.sv", "datagram_check.sv",
)  # fmt: skip
LINES = (
    "verdict_pkg.sv", "lut_ram.sv", "small_queue.sv", "frame_outline.sv", "frame_store.sv", "line_arbiter.sv",
)  # fmt: skip
NEEDS_ICARUS = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed"),
]


def rtl(*names: str) -> tuple[Path, ...]:
    return tuple(rtl_folder() / name for name in names)


def run_line(folder: Path, simulator: Simulator, phy: str, rounds: int) -> None:
    sources = (*rtl(*LINE), HERE / "both_edges.sv", HERE / "line_bench.sv")
    design = Design("line_bench", sources, {"RGMII": int(phy == "rgmii")})
    environment = {"PYORCH_PHY": phy, "PYORCH_ROUNDS": str(rounds)}
    run_bench(folder, simulator, design, "sim.bench.ingress.bench_line", environment)


def run_ingress(folder: Path, simulator: Simulator, phy: str) -> None:
    sources = (
        *rtl(*SOURCES, "event_decoder.sv"),
        HERE / "both_edges.sv",
        HERE / "ingress_bench.sv",
    )
    design = Design("ingress_bench", sources, {"RGMII": int(phy == "rgmii")})
    run_bench(folder, simulator, design, "sim.bench.ingress.bench_ingress", {"PYORCH_PHY": phy})


@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=NEEDS_ICARUS)])
def test_ingress_bench_passes(tmp_path: Path, simulator: Simulator) -> None:
    run_ingress(tmp_path, simulator, "mii")


@pytest.mark.full
@pytest.mark.parametrize(
    ("simulator", "phy"),
    [("verilator", "mii"), pytest.param("icarus", "rgmii", marks=NEEDS_ICARUS)],
)
def test_ingress_bench_passes_elsewhere(tmp_path: Path, simulator: Simulator, phy: str) -> None:
    run_ingress(tmp_path, simulator, phy)


@pytest.mark.full
@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=NEEDS_ICARUS), "verilator"])
def test_lines_bench_passes(tmp_path: Path, simulator: Simulator) -> None:
    design = Design("lines_bench", (*rtl(*LINES), HERE / "lines_bench.sv"))
    run_bench(tmp_path, simulator, design, "sim.bench.ingress.bench_lines", {})


@pytest.mark.full
@pytest.mark.parametrize("phy", ["mii", "rgmii"])
@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=NEEDS_ICARUS), "verilator"])
def test_line_bench_passes(tmp_path: Path, simulator: Simulator, phy: str) -> None:
    run_line(tmp_path, simulator, phy, 2)
