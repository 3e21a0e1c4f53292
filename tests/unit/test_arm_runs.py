"""Arms on one simulated market: a known signal's gain is found, a shuffled one's is not."""

import msgspec
import numpy as np
import pytest

from pyorch.app.arm_runs import ArmsFound, arm_figures, run_arms, shuffled_scores, verdict
from pyorch.app.arms import FillModel, Quotes, simulate_fills
from pyorch.app.latency_tables import SHIPPED, choose, load_tables
from pyorch.app.report.comparison import EVEN, evenly_wide
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.sample import random_quoting_bundle

TAKERS = FillModel(
    informed_ns=100_000_000, pause_ns=100_000_000, random_per_s=15.0, patience_bp=1.0
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ArmsFound:
    market = simulate(20_240_808, 90.0)
    bundle = random_quoting_bundle(3, market)
    out = tmp_path_factory.mktemp("arms")
    config = load_config()
    narrow = msgspec.structs.replace(config.quoting, base_half_spread_bp=0.5)
    config = msgspec.structs.replace(config, quoting=narrow)
    latency = choose(load_tables(SHIPPED), "cpu", config.option_count)
    return run_arms(bundle, market, config, out, TAKERS, known=True, latency=latency)


def test_a_known_signal_s_gain_is_found(found: ArmsFound) -> None:
    for name in ("shuffled", "no-model"):
        gains = found.arms[name].model_gains
        assert gains is not None and gains["low_btc"] > 0, (name, gains)
        (said,) = [line for line in found.verdicts if line.startswith(f"model against {name}: ")]
        assert "a gain of +" in said


def test_a_shuffled_signal_s_gain_is_not_found(found: ArmsFound) -> None:
    assert found.control["low_btc"] <= 0
    assert not any(
        "control" in line and "a gain of +" in line.split(";")[0] for line in found.verdicts
    )
    figures = {name: arm.figures for name, arm in found.arms.items()}
    model, shuffled, even = (figures[name] for name in ("model", "shuffled", EVEN))
    # The same rules act as often: the width is the model's, what it is spared is not.
    assert shuffled["quoted_width_bp"] == pytest.approx(model["quoted_width_bp"], rel=0.2)
    assert even["quoted_width_bp"] == pytest.approx(model["quoted_width_bp"], rel=1e-6)
    plain = figures["no-model"]["informed_fills"]
    assert model["informed_fills"] < 0.6 * plain and shuffled["informed_fills"] > 0.9 * plain


def test_an_arm_s_figures_are_those_worked_out_by_hand() -> None:
    second = 1_000_000_000
    value = np.array([0.05] * 5 + [0.0503] * 20)[:, None]
    lots = np.full(value.shape, 10)
    times = np.arange(25, dtype=np.int64) * (second // 10)
    quotes = Quotes(times, value - 2e-4, value + 2e-4, lots, lots, value, 0.1)
    fills = simulate_fills(
        quotes, FillModel(informed_ns=second // 10, random_per_s=0.0, fill_lots=5)
    )
    # One fill: 0.5 BTC sold at 0.0502, then worth 0.0503.
    found = arm_figures("one", quotes, fills)
    assert found["fills"] == 1 and found["quoted_share"] == 1.0
    assert found["effective_spread_bp"] == pytest.approx(4.0)
    assert found["realised_spread_bp"] == pytest.approx(-2.0)
    assert found["slippage_bp"] == pytest.approx(3.0)
    assert found["markout_100ms_bp"] == pytest.approx(-1.0)
    assert found["largest_inventory_btc"] == pytest.approx(0.5)
    assert found["pnl_btc"] == pytest.approx(-0.5e-4)
    assert evenly_wide(quotes, quotes).bid == pytest.approx(quotes.bid)


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ((2e-4, 1e-4, 3e-4), "a gain of +2.00e-04 BTC a block of 5 s"),
        ((-2e-4, -3e-4, -1e-4), "a loss of"),
        ((1e-4, -1e-4, 3e-4), "concluded from 5.0 minutes, a gain of this size would need about 20 minutes"),
        ((float("nan"),) * 3, "too few fills for an interval; nothing can be concluded"),
    ],
)  # fmt: skip
def test_what_cannot_be_concluded_is_said(gains: tuple[float, ...], said: str) -> None:
    named = dict(zip(("mean_btc", "low_btc", "high_btc"), gains, strict=True))
    assert said in verdict("model against shuffled", named, 5.0)


def test_shuffled_scores_are_the_same_rows_at_other_times() -> None:
    scores = np.arange(40).reshape(20, 2)
    moved = shuffled_scores(scores, 1)
    assert sorted(map(tuple, moved.tolist())) == sorted(map(tuple, scores.tolist()))
    assert not (moved == scores).all(axis=1).any()
