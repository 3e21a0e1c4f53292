"""Quotes that stand are judged at every update: collar, age of the reference, orders beside them."""

from pyorch.trading.fair_shift import InventorySkew
from pyorch.trading.inputs import LimitName
from pyorch.trading.policy import Adjustment
from pyorch.trading.pricing import OptionValue
from pyorch.trading.quoting import Quoter, Sent, Terms
from pyorch.trading.records import Reason, Refusal
from pyorch.trading.risk import Limits, Quote, RiskGate

TICK_NANO = 100_000
TERMS = Terms(TICK_NANO, 1, 0, 500, 1, 20, 1, 2, 1_000_000_000)
VALUE = OptionValue(0.05, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0)
NANO = 50_000_000


def quoter() -> Quoter:
    limits = Limits(50, 60, 100, 1000, 1000, (0, 0), delta=40_000_000)
    return Quoter(TERMS, (False, False), RiskGate(limits), InventorySkew())


def update(given: Quoter, local_ns: int, *reference_nano: int | None) -> list[Sent]:
    references = list(reference_nano)
    return given.update([VALUE] * 2, [False] * 2, Adjustment(), local_ns, 60_000.0, references)


def test_a_standing_quote_outside_the_collar_is_withdrawn_though_nothing_else_changed() -> None:
    given = quoter()
    first = update(given, 0, NANO, NANO)
    assert [one.reason for one in first] == [Reason.FIRST, Reason.FIRST]
    assert update(given, 1, NANO, NANO) == []
    # The reference moves within the throttle's interval, the quote's own value does not.
    sent = update(given, 2, NANO, NANO + 56 * TICK_NANO)
    assert sent == [Sent(1, Reason.WITHDRAW, Quote())] and given.pending
    assert given.gate.counts[Refusal.PRICE_COLLAR] == 1
    assert update(given, 3, NANO, NANO + 56 * TICK_NANO) == []  # refused again, nothing is sent
    assert [one.reason for one in update(given, 4, NANO, NANO)] == [Reason.FIRST]


def test_standing_quotes_go_when_no_independent_value_is_known_any_more() -> None:
    given = quoter()
    update(given, 0, NANO, NANO)
    sent = update(given, 1, None, None)
    assert [(one.option, one.reason) for one in sent] == [
        (0, Reason.WITHDRAW),
        (1, Reason.WITHDRAW),
    ]
    assert not given.live


def test_a_standing_quote_that_meets_an_order_of_ours_is_withdrawn() -> None:
    given = quoter()
    update(given, 0, NANO, NANO)
    given.gate.exposures.orders[1, 0] = (505, 1)  # we bid where we also offer
    assert update(given, 1, NANO, NANO) == [Sent(1, Reason.WITHDRAW, Quote())]
    assert given.gate.counts[Refusal.SELF_CROSS] == 1
    assert update(given, 2, NANO, NANO) == []  # and does not come back while the order rests
    given.gate.exposures.orders[1, 0] = (0, 0)
    assert [one.reason for one in update(given, 3, NANO, NANO)] == [Reason.FIRST]


def test_an_order_of_ours_counts_when_quotes_must_shrink() -> None:
    given = quoter()
    update(given, 0, NANO, NANO)
    orders = given.gate.exposures.orders
    # Position: 20 quoted and 45 beside them are more than 60.
    orders[0, 0] = (400, 45)
    given.gate.bounds[LimitName.DELTA] = given.gate.bounds[LimitName.NOTIONAL] = 1 << 60
    (sent,) = update(given, 1, NANO, NANO)
    assert (sent.option, sent.reason) == (0, Reason.REDUCE)
    assert (sent.quote.bid_lots, sent.quote.ask_lots) == (0, 20)


def test_an_order_s_delta_and_lots_count_when_quotes_must_shrink() -> None:
    given = quoter()
    update(given, 0, NANO, NANO)
    orders = given.gate.exposures.orders
    # Delta: 2 x 20 lots x 0.5 = 20 and 45 x 0.5 = 22.5 are more than 40.
    orders[1, 0] = (400, 45)
    given.gate.bounds[LimitName.POSITION] = 1 << 60
    (sent,) = update(given, 1, NANO, NANO)
    assert (sent.option, sent.reason, sent.quote.bid_lots) == (0, Reason.REDUCE, 0)
    # Lots altogether: 60 quoted and 45 are more than 100.
    given = quoter()
    update(given, 0, NANO, NANO)
    given.gate.exposures.orders[1, 1] = (600, 45)
    given.gate.bounds[LimitName.POSITION] = given.gate.bounds[LimitName.DELTA] = 1 << 60
    (sent,) = update(given, 1, NANO, NANO)
    assert sent == Sent(0, Reason.REDUCE, Quote())
