"""Figures of desks: paired gains, and the configuration that the benchmark scales up."""

import math
from typing import Any

import pytest

from pyorch.app.desk_figures import by_taker, paired_gain
from pyorch.trading.bench_decide import with_options
from pyorch.trading.config import load_config
from pyorch.trading.surface import PARAMETERS, arbitrage_at, slices_of


def fill(
    second: float, markout_bp: float | None, lots: int = 10, by: str = "random"
) -> dict[str, Any]:
    return {
        "local_ns": round(second * 1e9), "lots": lots, "by": by, "edge_bp": 1.0,
        "markout_100_bp": markout_bp, "markout_1000_bp": markout_bp, "markout_10000_bp": None,
    }  # fmt: skip


def test_a_gain_is_paired_by_blocks_of_time_and_its_interval_holds_it() -> None:
    ours = [fill(5 * k + 1, 2.0 + k % 2) for k in range(40)]
    theirs = [fill(5 * k + 2, 1.0) for k in range(40)]
    found = paired_gain(ours, theirs, lot_btc=0.1)
    # 1 or 2 bp more on 1 BTC a block: 1.5e-4 on average.
    assert found["mean_btc"] == pytest.approx(1.5e-4)
    assert 1.2e-4 < found["low_btc"] < found["mean_btc"] < found["high_btc"] < 1.8e-4
    none = paired_gain(ours, ours, lot_btc=0.1)
    assert none["low_btc"] == none["high_btc"] == 0.0
    assert math.isnan(paired_gain(ours[:3], theirs[:3], 0.1)["low_btc"])


def test_fills_are_summed_by_taker_with_lots_as_weights() -> None:
    rows = [fill(1, 1.0, 10), fill(2, -2.0, 30), fill(3, None, 5, "stale")]
    table = {row["by"]: row for row in by_taker(rows, 0.1)}
    assert table["random"]["markout_1000_bp"] == pytest.approx(-1.25)
    assert table["random"]["markout_1000_btc"] == pytest.approx(-50e-4 * 0.1)
    assert table["stale"]["markout_1000_bp"] is None and table["all"]["fills"] == 3


def test_the_benchmark_s_200_options_lie_on_a_surface_without_arbitrage() -> None:
    config = with_options(load_config(), 200)
    assert config.option_count == 200
    ppm = [[round(v * 1e6) for v in getattr(config.surface, name)] for name in PARAMETERS]
    seconds = [86_400 * days for days in config.universe.expiries_days]
    assert arbitrage_at(slices_of(ppm), seconds, 0) == []
    assert with_options(load_config(), 20) == load_config()
