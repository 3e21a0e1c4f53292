"""One child at a time: what a parent order does with answers, fills, refusals and a lost venue."""

from typing import Any

import pytest

from pyorch.trading.desk_settings import NEVER
from pyorch.trading.execution import ExecutionSettings, OptionMarket, ParentTable
from pyorch.trading.executor import Executor
from pyorch.trading.inputs import InputKind, make_input

S = 1_000_000_000


class Desk:
    """Hands that write down what they are asked."""

    last_tick: Any = None
    lot_btc = 0.1

    def __init__(self) -> None:
        self.now_ns, self.sequence = 0, 10
        self.market = OptionMarket(500, 300, 510, 300)
        self.refuse: str | None = None
        self.calls: list[tuple[Any, ...]] = []

    def option_market(self, option: int) -> OptionMarket:
        return self.market

    def place(
        self, option: int, side: int, price: int, lots: int, rests: bool, why: dict[str, Any]
    ) -> int | str:
        if self.refuse is not None:
            return self.refuse
        self.sequence += 1
        self.calls.append(("place", side, price, lots, rests))
        return self.sequence

    def take_back(self, option: int, side: int, of: int) -> int:
        self.sequence += 1
        self.calls.append(("take back", of))
        return self.sequence

    def order_left(self, option: int, side: int, price: int, lots: int) -> None:
        self.calls.append(("left", price, lots))

    def does(self, executor: Executor, now_ns: int) -> list[tuple[Any, ...]]:
        self.calls.clear()
        self.now_ns = now_ns
        executor.act(self)  # type: ignore[arg-type]
        return list(self.calls)

    def hears(self, executor: Executor, kind: InputKind, **fields: int) -> list[tuple[Any, ...]]:
        self.calls.clear()
        executor.hear(make_input(kind, self.now_ns, **fields), self)  # type: ignore[arg-type]
        return list(self.calls)


def executor() -> Executor:
    """100 contracts to buy within 100 s: 10 lots are due a second."""
    table = ParentTable(at_s=0.0, over_s=100.0, option=3, side="buy", contracts=100.0)
    return Executor(ExecutionSettings(), (table,), None, (0, 0, 0, 0), 0.1, 0)


def test_a_child_rests_is_filled_in_parts_and_taken_back_before_another() -> None:
    one, desk = executor(), Desk()
    assert desk.does(one, 0) == []  # nothing is due yet
    assert one.due_ns() == S // 2
    assert desk.does(one, 2 * S) == [("place", 0, 500, 20, True)]
    assert desk.does(one, 3 * S) == []  # the venue has not answered
    desk.hears(one, InputKind.ACKNOWLEDGED, sequence=11)
    assert desk.does(one, 3 * S) == []  # the price stands: it keeps its place
    filled = {"option": 3, "value": 1, "sequence": 11, "price_ticks": 500}
    assert desk.hears(one, InputKind.FILLED, lots=5, **filled) == [("left", 500, 15)]
    assert desk.hears(one, InputKind.FILLED, lots=5, **(filled | {"sequence": 9})) == []
    desk.market = OptionMarket(501, 300, 510, 300)
    assert desk.does(one, 4 * S) == [("take back", 11)]
    # It may still be filled until the venue says that it is gone.
    assert desk.hears(one, InputKind.FILLED, lots=3, **filled) == [("left", 500, 12)]
    assert desk.does(one, 5 * S) == []
    assert desk.hears(one, InputKind.ACKNOWLEDGED, sequence=12) == [("left", 500, 0)]
    assert desk.does(one, 5 * S) == [("place", 0, 501, 42, True)]
    assert one.parents[0].done_lots == 8


def test_a_fill_is_the_child_s_whose_option_and_number_it_has_even_when_it_comes_late() -> None:
    tables = tuple(
        ParentTable(at_s=0.0, over_s=100.0, option=option, side="buy", contracts=100.0)
        for option in (2, 3)
    )
    one, desk = Executor(ExecutionSettings(), tables, None, (0, 0, 0, 1), 0.1, 0), Desk()
    desk.does(one, 2 * S)
    for parent in one.parents:  # two venues, each with numbers of its own
        assert parent.child is not None
        parent.child.sequence, parent.sent = 11, {11}
    filled = {"value": 1, "sequence": 11, "price_ticks": 500, "lots": 5}
    assert desk.hears(one, InputKind.FILLED, option=3, venue=1, **filled) == [("left", 500, 15)]
    assert [parent.done_lots for parent in one.parents] == [0, 5]
    desk.hears(one, InputKind.DISCONNECTED, venue=1)
    assert one.parents[1].child is None
    # It was filled before the session broke; the report came after.
    assert desk.hears(one, InputKind.FILLED, option=3, venue=1, **filled) == []
    assert [parent.done_lots for parent in one.parents] == [0, 10]


def test_a_crossing_child_is_gone_when_the_venue_has_answered() -> None:
    one, desk = executor(), Desk()
    assert desk.does(one, 20 * S) == [("place", 0, 510, 50, False)]
    filled = {"option": 3, "value": 1, "sequence": 11, "price_ticks": 510}
    desk.hears(one, InputKind.FILLED, lots=40, **filled)
    assert desk.hears(one, InputKind.ACKNOWLEDGED, sequence=11) == [("left", 510, 0)]
    assert one.parents[0].done_lots == 40
    assert desk.does(one, 21 * S) == [("place", 0, 510, 50, False)]
    assert desk.hears(one, InputKind.ORDER_REJECTED, option=3, sequence=12) == [("left", 510, 0)]


@pytest.mark.parametrize(
    ("kind", "sequence", "gone"),
    [
        (InputKind.DISCONNECTED, 0, True),
        (InputKind.CONNECTED, 5, True),
        (InputKind.PROTECTION, 11, True),
        (InputKind.CANCELLED, 11, True),
        (InputKind.CANCELLED, 10, False),  # it was on its way
    ],
)
def test_a_venue_that_lost_everything_has_lost_the_child(
    kind: InputKind, sequence: int, gone: bool
) -> None:
    one, desk = executor(), Desk()
    desk.does(one, 2 * S)
    assert desk.hears(one, kind, venue=1, sequence=sequence) == []  # another venue
    assert desk.hears(one, kind, sequence=sequence) == ([("left", 500, 0)] if gone else [])


def test_a_quote_of_ours_in_the_way_makes_room_and_then_the_child_follows() -> None:
    one, desk = executor(), Desk()
    desk.refuse = "self_cross"
    assert desk.does(one, 20 * S) == [("left", 535, 50)]  # the cap: 30 above the arrival's 505
    assert one.parents[0].refused == {"self_cross": 1}
    assert one.due_ns() == 20 * S + 50_000_000
    desk.refuse = None
    assert desk.does(one, 21 * S) == [("place", 0, 510, 50, False)]
    # Any other refusal, and nothing to do, let the quote come back.
    for end in ("position_limit", None):
        one, desk = executor(), Desk()
        desk.refuse = "self_cross"
        desk.does(one, 20 * S)
        desk.refuse = end
        if end is None:
            desk.market = OptionMarket()
        assert desk.does(one, 21 * S) == [("left", 0, 0)]


def test_shortfall_is_against_the_arrival_with_what_was_missed_at_the_last_mid() -> None:
    one, desk = executor(), Desk()
    desk.does(one, 0)  # arrival at 505
    desk.does(one, 20 * S)
    filled = {"option": 3, "value": 1, "sequence": 11, "price_ticks": 510}
    desk.hears(one, InputKind.FILLED, lots=50, **filled)
    desk.hears(one, InputKind.ACKNOWLEDGED, sequence=11)
    desk.market = OptionMarket(520, 300, 530, 300)
    desk.refuse = "paused"
    desk.does(one, 100 * S)
    (found,) = one.figures()
    # 50 lots at 5 above the arrival, 950 missed at 20 above.
    assert found["shortfall_ticks"] == pytest.approx((50 * 5 + 950 * 20) / 1000)
    # The schedule alone: 200 lots at 510 by then, 800 at 530.
    assert found["baseline_ticks"] == pytest.approx((200 * 5 + 800 * 25) / 1000)
    assert desk.does(one, 102 * S) == [] and one.due_ns() == NEVER
