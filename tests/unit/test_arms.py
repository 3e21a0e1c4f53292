"""Simulated takers and mark-outs, against figures worked out by hand."""

import numpy as np
import pytest

from pyorch.app.arms import FillModel, Quotes, simulate_fills, summarise

SECOND = 1_000_000_000
BP = 1e-4


def quotes(fair: list[float], half: float = 2 * BP, step_ns: int = SECOND // 10) -> Quotes:
    """One option at 0.1 s a tick, quoted ``half`` around its fair value now."""
    value = np.array(fair)[:, None]
    lots = np.full(value.shape, 10)
    times = np.arange(len(fair), dtype=np.int64) * step_ns
    return Quotes(times, value - half, value + half, lots, lots, value, 0.1)


def only_informed(**changes: int) -> FillModel:
    return FillModel(random_per_s=0.0, informed_ns=SECOND // 10, **changes)


def test_an_informed_taker_buys_before_a_rise_beyond_the_ask() -> None:
    market = quotes([0.05] * 5 + [0.05 + 3 * BP] * 20)
    fills = simulate_fills(market, only_informed())
    assert fills.tick.tolist() == [4]
    assert fills.maker_buys.tolist() == [False]
    assert fills.informed.tolist() == [True]
    assert fills.price_btc[0] == pytest.approx(0.05 + 2 * BP)
    assert fills.contracts[0] == pytest.approx(0.1)
    # 100 ms and 1 s later the maker has sold 1 bp too cheap; the run ends before 10 s are over.
    assert fills.markout_btc[0, :2] == pytest.approx([-BP, -BP])
    assert np.isnan(fills.markout_btc[0, 2])


def test_a_fall_beyond_the_bid_makes_the_maker_buy() -> None:
    fills = simulate_fills(quotes([0.05] * 3 + [0.05 - 5 * BP] * 20), only_informed())
    assert fills.maker_buys.tolist() == [True]
    assert fills.markout_btc[0, 1] == pytest.approx(-3 * BP)


def test_a_move_that_stays_within_the_quote_is_not_hit() -> None:
    fills = simulate_fills(quotes([0.05] * 3 + [0.05 + 1.9 * BP] * 20), only_informed())
    assert len(fills.tick) == 0


def test_an_informed_taker_pauses() -> None:
    steps = [0.05 + 3 * BP * (n // 2) for n in range(40)]  # a jump at every second tick, 0.2 s
    every = simulate_fills(quotes(steps), only_informed(pause_ns=1))
    paused = simulate_fills(quotes(steps), only_informed(pause_ns=SECOND))
    assert len(every.tick) == 19
    assert np.diff(paused.tick).min() >= 10


def test_nothing_is_hit_where_nothing_is_quoted() -> None:
    market = quotes([0.05] * 5 + [0.06] * 20)
    market.ask[:] = np.nan
    market.ask_lots[:] = 0
    assert len(simulate_fills(market, FillModel(random_per_s=0.0)).tick) == 0


def test_random_takers_meet_every_arm_alike_and_trade_less_at_wider_quotes() -> None:
    flat = [0.05] * 20_000
    takers = FillModel(random_per_s=20.0, patience_bp=10.0)
    tight = simulate_fills(quotes(flat, 2 * BP), takers)
    wide = simulate_fills(quotes(flat, 17 * BP), takers)
    pairs = set(zip(tight.tick.tolist(), tight.maker_buys.tolist(), strict=True))
    assert set(zip(wide.tick.tolist(), wide.maker_buys.tolist(), strict=True)) < pairs
    # Patience is exponential: the share of arrivals that trade is exp(-half width / mean).
    arrivals = 20.0 * 2_000
    assert len(tight.tick) / arrivals == pytest.approx(np.exp(-0.2), abs=0.02)
    assert len(wide.tick) / arrivals == pytest.approx(np.exp(-1.7), abs=0.02)


def test_the_summary_weighs_width_by_time() -> None:
    market = quotes([0.05] * 4, 2 * BP)
    market.ask[2:] += 6 * BP
    market.local_ns[:] = [0, SECOND, 2 * SECOND, 4 * SECOND]  # 2 s at 4 bp, 2 s at 10 bp
    result = summarise("arm", market, simulate_fills(market, only_informed()))
    assert result.width_bp == pytest.approx(7.0)
    assert result.quoted_share == pytest.approx(1.0)
    assert result.size_lots == pytest.approx(10.0)


def test_intervals_need_five_blocks_and_cover_a_constant() -> None:
    takers = FillModel(random_per_s=20.0)
    short = quotes([0.05] * 300)
    assert np.isnan(summarise("arm", short, simulate_fills(short, takers)).all_fills[0].low_bp)
    long = quotes([0.05] * 2000)
    figure = summarise("arm", long, simulate_fills(long, takers)).all_fills[0]
    assert figure.low_bp == pytest.approx(2.0) and figure.high_bp == pytest.approx(2.0)
    assert figure.total_btc == pytest.approx(figure.fills * 2 * BP * 0.1)
