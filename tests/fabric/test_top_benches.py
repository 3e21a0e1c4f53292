"""cocotb benches of whole fabrics on two simulators; their functional coverage is judged by the full run."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pyorch.contract.digest import write_atomically
from pyorch.contract.fixed import IntArray
from pyorch.features.definitions import default_schema
from pyorch.features.streaming import compute
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from sim.bench.coverage import VARIABLE, Coverage, page, required
from sim.bench.runner import Simulator, project_design, run_bench
from sim.bench.top.case import PROJECT, TopCase

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "fabric_coverage.md"
MODULE = "sim.bench.top.bench_top"
ICARUS = shutil.which("iverilog") is not None
NEEDS_ICARUS = [
    pytest.mark.debian,
    pytest.mark.skipif(not ICARUS, reason="Icarus Verilog is not installed"),
]
SEEDS = {"folded": 10, "loadable": 20, "baked": 30}
PARAMETERS = {"folded": {"multipliers": 8}, "loadable": {}, "baked": {"cuts": 5}}
SMALL = TopCase("folded", parameters=PARAMETERS["folded"], episodes=9)
QUICK = [
    pytest.param("icarus", SMALL, marks=NEEDS_ICARUS),
    ("verilator", TopCase("baked", serving="windowed", episodes=12)),
]  # fmt: skip
FULL = [
    pytest.param(
        simulator,
        TopCase(
            style, serving=serving, parameters=PARAMETERS[style], episodes=45,
            seed=SEEDS[style] + 2 * number + (serving == "windowed"), recorded=recorded,
        ),
        marks=[*(NEEDS_ICARUS if simulator == "icarus" else []), *([pytest.mark.tape] if recorded else [])],
    )
    for number, simulator in enumerate(("icarus", "verilator"))
    for style in SEEDS
    for serving in ("stateful", "windowed")
    for recorded in [(serving == "windowed") ^ (simulator == "icarus")]
]  # fmt: skip


PERIODS_PS = (10_000, 7_300, 23_100)
"""Of a core's own clock; that of AXI has 10,000."""
TWO_CLOCKS = [
    pytest.param(
        simulator,
        TopCase(
            style, serving=serving, parameters=PARAMETERS[style], episodes=18, seed=60 + 10 * number + k,
            clocks=2, core_ps=core_ps, phase_ps=(2_700 * number + 1_900 * k) % core_ps,
        ),
        marks=NEEDS_ICARUS if simulator == "icarus" else [],
    )
    for number, core_ps in enumerate(PERIODS_PS)
    for k, style in enumerate(SEEDS)
    for simulator, serving in [
        ("icarus" if (number + k) % 2 else "verilator", "windowed" if k == number else "stateful")
    ]
]  # fmt: skip
SOAK = [
    TopCase("folded", 6, (12,), "narrow", "stateful", 6, {"multipliers": 28}, 200, 101),
    TopCase("loadable", 5, (6, 4), "tiny", "windowed", 5, {}, 200, 102),
    TopCase("baked", 4, (6, 3), "tiny", "stateful", 4, {}, 300, 103),
]
"""Long: some thousand frames each, most of them cut by something."""


@pytest.fixture(scope="module")
def market() -> IntArray:
    """Features of a simulated market."""
    return compute(insert_timer_ticks(simulate(5, 10.0)), default_schema()).features[-400:]


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> IntArray:
    """Features of a recorded one."""
    paths = sorted((recordings / "binance").glob("coinm_btcusd_perp_*.gz"))
    return compute(insert_timer_ticks(read_recordings(paths)), default_schema()).features[:4000]


def play(folder: Path, simulator: Simulator, case: TopCase, market: IntArray) -> None:
    case.write(folder, market)
    design = project_design(folder / PROJECT)
    run_bench(folder / "build", simulator, design, MODULE, case.environment(folder))


@pytest.mark.parametrize(("simulator", "case"), QUICK)
def test_every_frame_has_the_references_result_whatever_happens(
    simulator: Simulator, case: TopCase, tmp_path: Path, market: IntArray
) -> None:
    play(tmp_path, simulator, case, market)


@pytest.mark.full
@pytest.mark.parametrize(("simulator", "case"), FULL)
def test_every_frame_has_the_references_result_in_all_styles(
    simulator: Simulator, case: TopCase, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    play(
        tmp_path,
        simulator,
        case,
        request.getfixturevalue("recorded" if case.recorded else "market"),
    )


@pytest.mark.full
@pytest.mark.parametrize(("simulator", "case"), TWO_CLOCKS)
def test_every_frame_has_the_references_result_with_two_clocks(
    simulator: Simulator, case: TopCase, tmp_path: Path, market: IntArray
) -> None:
    play(tmp_path, simulator, case, market)


@pytest.mark.full
@pytest.mark.parametrize("case", SOAK, ids=lambda case: case.name)
def test_every_frame_has_the_references_result_for_long(
    case: TopCase, tmp_path: Path, market: IntArray
) -> None:
    play(tmp_path, "verilator", case, market)


@pytest.mark.full
@pytest.mark.sums_up
def test_every_declared_bin_was_met(request: pytest.FixtureRequest) -> None:
    waived = {} if ICARUS else {"icarus": "Icarus Verilog is not installed"}
    try:
        request.getfixturevalue("recordings")
    except pytest.skip.Exception:
        waived["recorded"] = "there are no recorded markets"
    found = Coverage.merged(Path(os.environ[VARIABLE]))
    if os.environ.get("PYORCH_TEST_FULL") == "1":
        write_atomically(PAGE, page(found, datetime.now(UTC).date()).encode())
    missing = required(found, waived)
    assert not missing, "; ".join(f"{name}: {', '.join(bins)}" for name, bins in missing.items())
