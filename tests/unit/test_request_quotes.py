"""Golden rows of answers to requests: size, impact, counterparty, expiry, last look."""

from dataclasses import replace
from typing import Any

import pytest

from pyorch.trading.inputs import InputKind, make_input
from pyorch.trading.request_quotes import (
    Answered,
    Request,
    RequestDesk,
    RequestSettings,
    half_spread_bp,
    last_look,
    price_request,
)

SETTINGS = RequestSettings(scores=(1.0, 0.25))
VALUE = 50_000_000  # 0.05 BTC
TICK = 100_000  # 1 bp of the underlying


def request(side: int = 1, lots: int = 100, counterparty: int = 0) -> Request:
    return Request(1, 0, side, lots, counterparty)


@pytest.mark.parametrize(
    ("contracts", "counterparty", "slippage_bp", "expected_bp"),
    [
        (1.0, 0, None, 3.1),  # 3 + 0.1 a contract
        (10.0, 0, None, 4.0),
        (10.0, 0, 2.0, 5.0),  # + half of 2 bp, predicted for 10 contracts
        (5.0, 0, 2.0, 4.0),  # half the size, half the impact
        (10.0, 0, -2.0, 4.0),  # a gain is not given away
        (10.0, 1, None, 8.5),  # + 6 bp x (1 - 0.25)
        (10.0, 7, None, 10.0),  # nobody we know: the worst score
    ],
)
def test_the_spread_depends_on_size_predicted_impact_and_counterparty(
    contracts: float, counterparty: int, slippage_bp: float | None, expected_bp: float
) -> None:
    found = half_spread_bp(SETTINGS, contracts, counterparty, slippage_bp)
    assert found == pytest.approx(expected_bp)


def test_prices_lie_on_both_sides_of_the_value_and_are_rounded_away_from_it() -> None:
    # 10 contracts: 4 bp, and 5 ppm of the underlying more would be a tick more.
    assert price_request(SETTINGS, request(1), 0.1, VALUE, None, TICK) == 504
    assert price_request(SETTINGS, request(0), 0.1, VALUE, None, TICK) == 496
    assert price_request(SETTINGS, request(1), 0.1, VALUE + 1, None, TICK) == 505
    assert price_request(SETTINGS, request(0), 0.1, VALUE - 1, None, TICK) == 495


def test_what_is_too_large_or_worth_nothing_is_not_answered() -> None:
    assert price_request(SETTINGS, request(lots=500), 0.1, VALUE, None, TICK) == 508
    assert price_request(SETTINGS, request(lots=501), 0.1, VALUE, None, TICK) == "too large"
    assert price_request(SETTINGS, request(0), 0.1, 400_000, None, TICK) == "below one tick"


@pytest.mark.parametrize("side", [0, 1])
def test_the_last_look_refuses_what_is_late_or_has_moved_against_us(side: int) -> None:
    answered = Answered(request(side), 500, VALUE, until_ns=1000)
    sign = 1 if side == 1 else -1  # who buys from us gains when the value rises
    assert last_look(SETTINGS, answered, VALUE, 1000) is None
    assert last_look(SETTINGS, answered, VALUE, 1001) == "expired"
    assert last_look(SETTINGS, answered, VALUE + sign * 100_000, 1000) is None
    assert last_look(SETTINGS, answered, VALUE + sign * 100_001, 1000) == "moved"
    # In our favour it holds: a last look is no one-way street.
    assert last_look(SETTINGS, answered, VALUE - sign * 900_000, 1000) is None
    wide = RequestSettings(last_look_bp=9.0)
    assert last_look(wide, replace(answered), VALUE + sign * 900_000, 1000) is None


class Hands:
    """Writes down what it is asked."""

    lot_btc, last_tick, now_ns = 0.1, {"forward_half_ticks": 1_200_000}, 0

    def __init__(self) -> None:
        self.confirmed: list[tuple[int, bool]] = []
        self.said: list[dict[str, Any]] = []

    def values_nano(self) -> list[int]:
        return [VALUE]

    def allows(self, option: int, side: int, price: int, lots: int) -> str | None:
        return None

    def say(self, fields: dict[str, Any]) -> None:
        self.said.append(fields)

    def answer(self, *answer: int) -> None:
        pass

    def order_left(self, *order: int) -> None:
        pass

    def confirm(self, request: int, deal: bool) -> None:
        self.confirmed.append((request, deal))


def test_whoever_takes_an_answer_that_nobody_remembers_is_refused_and_answers_are_forgotten() -> (
    None
):
    hands: Any = Hands()
    desk = RequestDesk(SETTINGS, None, frozenset(), TICK, 0.05)

    def hear(kind: InputKind, number: int, now_ns: int) -> None:
        hands.now_ns = now_ns
        desk.hear(make_input(kind, now_ns, sequence=number, side=1, lots=10), hands)

    hear(InputKind.ACCEPTANCE, 9, 0)  # of a desk before this one
    assert hands.confirmed == [(9, False)] and hands.said[-1]["refused"] == "unknown"
    hear(InputKind.REQUEST, 10, 0)
    hear(InputKind.REQUEST, 11, 0)
    hear(InputKind.ACCEPTANCE, 10, 1_000_000_000)
    assert hands.confirmed[-1] == (10, True)
    hear(InputKind.REQUEST, 12, 2_000_000_001)  # twice as long as an answer holds
    assert list(desk._answered) == [12]
    hear(InputKind.ACCEPTANCE, 11, 2_000_000_002)
    assert hands.confirmed[-1] == (11, False)
    assert desk.counts["accepted"] == 3 and desk.counts["last look: unknown"] == 2
