"""Golden rows of the table that executes parent orders: both sides, precedence, caps, schedules."""

from dataclasses import replace

import pytest

from pyorch.trading.execution import (
    Action,
    ExecutionSettings,
    Forecast,
    OptionMarket,
    ParentTable,
    Schedule,
    Situation,
    decide,
)

LOT = 0.1  # 2, 5 and 10 contracts are 20, 50 and 100 lots
SETTINGS = ExecutionSettings()
P = {0.75: 24_576, 0.80: 26_214}
MARKET = OptionMarket(500, 300, 510, 300)
S = 1_000_000_000


def buy(**changes: int) -> Situation:
    return replace(Situation(0, 1000, 30, 1010, 50 * S), **changes)


def mirror(forecast: Forecast, market: OptionMarket, now: Situation) -> tuple[object, ...]:
    """The seller's view of the same: prices reflected at 1,000 ticks."""
    other = OptionMarket(
        1000 - market.ask_ticks, market.ask_lots, 1000 - market.bid_ticks, market.bid_lots
    )
    seen = replace(forecast, down=forecast.up, up=forecast.down)
    return seen, other, replace(now, side=1, arrival_half_ticks=2000 - now.arrival_half_ticks)


NONE = Forecast()
ROWS = [
    # forecast, what differs, action, lots, price, rests
    (Forecast(volatility_percent=2.0), {}, Action.HALT, 0, 0, True),
    (Forecast(volatility_percent=1.99), {}, Action.BASELINE, 30, 500, True),
    (Forecast(slippage_ticks=5.0), {}, Action.SMALL, 20, 500, True),
    (Forecast(slippage_ticks=4.99), {}, Action.BASELINE, 30, 500, True),
    (Forecast(down=P[0.75]), {}, Action.PASSIVE, 50, 499, True),
    (Forecast(down=P[0.75] - 1), {}, Action.BASELINE, 30, 500, True),
    (Forecast(up=P[0.75]), {}, Action.AGGRESSIVE, 100, 510, False),
    (Forecast(up=P[0.75] - 1), {}, Action.BASELINE, 30, 500, True),
    (Forecast(stable=P[0.80]), {}, Action.BASELINE, 30, 500, True),
    # Precedence: halt > slippage > passive > aggressive > baseline.
    (Forecast(30_000, 30_000, 30_000, 9.0, 9.0), {}, Action.HALT, 0, 0, True),
    (Forecast(30_000, 30_000, 30_000, 9.0, 0.5), {}, Action.SMALL, 20, 500, True),
    (Forecast(30_000, 30_000, 30_000, 1.0, 0.5), {}, Action.PASSIVE, 50, 499, True),
    (Forecast(20_000, 30_000, 30_000, 1.0, 0.5), {}, Action.AGGRESSIVE, 100, 510, False),
    (Forecast(20_000, 20_000, 30_000, 1.0, 0.5), {}, Action.BASELINE, 30, 500, True),
    # The schedule: nothing while ahead of it, across the spread two children behind.
    (NONE, {"due_lots": 0}, Action.BASELINE, 0, 0, True),
    (NONE, {"due_lots": -5}, Action.BASELINE, 0, 0, True),
    (NONE, {"due_lots": 99}, Action.BASELINE, 50, 500, True),
    (NONE, {"due_lots": 100}, Action.BASELINE, 50, 510, False),
    (Forecast(slippage_ticks=5.0), {"due_lots": 40}, Action.SMALL, 20, 510, False),
    # No more than is left.
    (Forecast(up=P[0.75]), {"left_lots": 7}, Action.AGGRESSIVE, 7, 510, False),
    (Forecast(down=P[0.75]), {"left_lots": 7}, Action.PASSIVE, 7, 499, True),
    # The cap: 30 ticks above the arrival's mid. At 484 crossing is too dear, at 467 the bid is too.
    (Forecast(up=P[0.75]), {"arrival_half_ticks": 960}, Action.AGGRESSIVE, 100, 510, False),
    (Forecast(up=P[0.75]), {"arrival_half_ticks": 959}, Action.AGGRESSIVE, 100, 500, True),
    (Forecast(up=P[0.75]), {"arrival_half_ticks": 935}, Action.AGGRESSIVE, 100, 497, True),
]


@pytest.mark.parametrize(("forecast", "changes", "action", "lots", "price", "rests"), ROWS)
def test_every_row_of_the_table_for_who_buys_and_mirrored_for_who_sells(
    forecast: Forecast, changes: dict[str, int], action: Action, lots: int, price: int, rests: bool
) -> None:
    now = buy(**changes)
    found = decide(SETTINGS, LOT, forecast, MARKET, now)
    assert (found.action, found.lots, found.price_ticks, found.rests) == (
        action,
        lots,
        price,
        rests,
    )
    sold = decide(SETTINGS, LOT, *mirror(forecast, MARKET, now))  # type: ignore[arg-type]
    assert (sold.action, sold.lots, sold.rests) == (action, lots, rests)
    assert sold.price_ticks == (1000 - price if lots else 0)


def test_a_halt_lasts_thirty_seconds_and_is_prolonged() -> None:
    high, calm = Forecast(volatility_percent=3.0), NONE
    first = decide(SETTINGS, LOT, high, MARKET, buy())
    assert first.halted_until_ns == 80 * S
    again = decide(SETTINGS, LOT, high, MARKET, buy(now_ns=60 * S, halted_until_ns=80 * S))
    assert again.halted_until_ns == 90 * S
    last = buy(now_ns=90 * S - 1, halted_until_ns=90 * S)
    assert decide(SETTINGS, LOT, calm, MARKET, last).action is Action.HALT
    after = decide(SETTINGS, LOT, calm, MARKET, replace(last, now_ns=90 * S))
    assert after.action is Action.BASELINE and after.lots == 30


@pytest.mark.parametrize(
    ("spread", "action", "lots"),
    [
        (19, Action.BASELINE, 30),
        (20, Action.CAREFUL, 20),
        (39, Action.CAREFUL, 20),
        (40, Action.PAUSE, 0),
    ],
)
def test_balanced_flow_in_a_wide_spread_is_a_small_passive_child_or_a_pause(
    spread: int, action: Action, lots: int
) -> None:
    market = OptionMarket(500, 300, 500 + spread, 300)
    found = decide(SETTINGS, LOT, NONE, market, buy())
    assert (found.action, found.lots) == (action, lots) and found.price_ticks in (0, 500)
    # With a forecast the spread alone stops nothing.
    assert decide(SETTINGS, LOT, Forecast(up=P[0.75]), market, buy()).action is Action.AGGRESSIVE


def test_an_option_without_a_market_is_left_alone() -> None:
    for market in (OptionMarket(), OptionMarket(500, 10), OptionMarket(0, 0, 510, 10)):
        assert decide(SETTINGS, LOT, Forecast(up=32_768), market, buy()).action is Action.PAUSE


def test_low_volatility_and_a_tight_spread_raise_participation() -> None:
    market = OptionMarket(502, 60, 510, 60)
    up = Forecast(up=P[0.75])
    assert decide(SETTINGS, LOT, up, market, buy()).lots == 30
    calm = replace(up, volatility_percent=0.0)
    assert decide(SETTINGS, LOT, calm, market, buy()).lots == 60
    assert decide(SETTINGS, LOT, calm, replace(market, bid_ticks=501), buy()).lots == 30
    rising = replace(up, volatility_percent=0.1)
    assert decide(SETTINGS, LOT, rising, market, buy()).lots == 30


def test_the_worked_framework_of_a_hundred_contracts() -> None:
    """Up-flow: 10 at the ask; widening: a passive bid of 2; selling: passive bids; low flow: 5 at the bid."""
    deep = OptionMarket(500, 900, 508, 900)
    found = decide(SETTINGS, LOT, Forecast(up=30_000), deep, buy(due_lots=50))
    assert (found.lots * LOT, found.price_ticks, found.rests) == (10, 508, False)
    wide = OptionMarket(500, 100, 525, 100)
    found = decide(SETTINGS, LOT, NONE, wide, buy(due_lots=50))
    assert (found.lots * LOT, found.price_ticks, found.rests) == (2, 500, True)
    found = decide(SETTINGS, LOT, Forecast(down=30_000), deep, buy(due_lots=50))
    assert (found.lots * LOT, found.price_ticks, found.rests) == (5, 499, True)
    found = decide(SETTINGS, LOT, Forecast(stable=30_000), deep, buy(due_lots=50))
    assert (found.lots * LOT, found.price_ticks, found.rests) == (5, 500, True)


def parent(**changes: object) -> ParentTable:
    given = {"at_s": 0.0, "over_s": 60.0, "option": 0, "side": "buy", "contracts": 100.0}
    return ParentTable(**(given | changes))  # type: ignore[arg-type]


def test_twap_is_even_in_time_and_vwap_follows_its_weights() -> None:
    even = Schedule(parent(), 10 * S)
    assert [even.share(t * S) for t in (10, 25, 40, 70, 99)] == [0.0, 0.25, 0.5, 1.0, 1.0]
    curve = Schedule(parent(schedule="vwap", volume_weights=(3.0, 1.0)), 10 * S)
    assert [curve.share(t * S) for t in (10, 25, 40, 55, 70)] == [0.0, 0.375, 0.75, 0.875, 1.0]


def test_a_schedule_that_follows_impact_is_fast_when_it_is_cheap_and_always_ends() -> None:
    table = parent(schedule="impact")
    neutral, cheap, dear = (Schedule(table, 0) for _ in range(3))
    for schedule in (neutral, cheap, dear):
        schedule.share(0, 4.0)
    shares = [neutral.share(10 * S, 4.0), cheap.share(10 * S, 1.0), dear.share(10 * S, 40.0)]
    assert shares[0] == pytest.approx(1 / 6) and shares[1] == pytest.approx(1 / 3)
    assert shares[2] == pytest.approx(1 / 12)
    for second in range(11, 61):
        last = dear.share(second * S, 40.0 * 2 ** (second - 10))
        assert last >= 2 * second / 60 - 1
    assert last == 1.0
    blind = Schedule(table, 0)
    assert blind.share(15 * S, None) == 0.25
