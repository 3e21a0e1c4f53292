"""Golden rows of the quoting rules: the default configuration, from probabilities to prices and sizes.

The article's rule: P(significant move within 50 ms) ≥ 0.70, the same within 100 ms, and P(liquidity on the
endangered side falls by 20 %) ≥ 0.60 → 15 bp of the underlying wider, maximum size 30 % smaller.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from pyorch.contract.model import Head
from pyorch.contract.score_quantiles import score_quantiles
from pyorch.trading.arming import arm_rules
from pyorch.trading.config import load_config
from pyorch.trading.fair_shift import InventorySkew
from pyorch.trading.policy import ALL_EXPIRIES, Adjustment, ArmedRule, Policy, effect_of
from pyorch.trading.pricing import EXPIRED, OptionValue
from pyorch.trading.quoting import PRIORITY, Protection, Quoter, Sent, Terms, make_quote
from pyorch.trading.records import Reason
from pyorch.trading.risk import NO_QUOTE, Limits, Quote, RiskGate

HEADS = (
    Head("jump", "sigmoid", ("down_50ms", "up_50ms", "down_100ms", "up_100ms"), "probability"),
    Head("withdrawal", "sigmoid", ("bid", "ask"), "probability"),
)
OUTPUTS = tuple(name for head in HEADS for name in head.outputs)
SEVEN, SIX = 22_938, 19_661
"""0.70 and 0.60 in 15-bit probabilities, rounded up."""
DWELL_NS = 500_000_000
RELEASE = 1638
"""0.05: what a holding rule may fall below its thresholds."""
WIDE = (1500, 1500, 70, 70)
CALM = (0, 0, 100, 100)


def rules(*names: str) -> tuple[ArmedRule, ...]:
    """Rules of the default configuration, by name."""
    # Calibration scores of which 1 % reach 15,000.
    scores = np.full((100, len(OUTPUTS)), 14_999)
    scores[0] = 15_000
    bundle: Any = SimpleNamespace(
        spec=SimpleNamespace(heads=HEADS, outputs=OUTPUTS),
        provenance={"score_quantiles": score_quantiles("calibration block", OUTPUTS, scores)},
    )
    armed = {rule.name: rule for rule in arm_rules(load_config().rules, bundle)}
    assert all(rule.armed for rule in armed.values())
    return tuple(armed[name] for name in names)


def scores(**given: int) -> Any:
    return np.array([given.get(name, 0) for name in OUTPUTS])


DOWN = {"down_50ms": SEVEN, "down_100ms": SEVEN, "bid": SIX}
UP = {"up_50ms": SEVEN, "up_100ms": SEVEN, "ask": SIX}


class Row(NamedTuple):
    """A row of the rule table: what is given beyond 0, and what follows."""

    name: str
    given: dict[str, int]
    effect: tuple[int, int, int, int]


LITERAL = [
    Row("down", DOWN, WIDE),
    Row("up", UP, WIDE),
    Row("both at once: the maximum, not the sum", DOWN | UP, WIDE),
    Row("certain", {name: 32_768 for name in OUTPUTS}, WIDE),
    Row("nothing", {}, CALM),
    Row("down, 50 ms one step below", DOWN | {"down_50ms": SEVEN - 1}, CALM),
    Row("down, 100 ms one step below", DOWN | {"down_100ms": SEVEN - 1}, CALM),
    Row("down, withdrawal one step below", DOWN | {"bid": SIX - 1}, CALM),
    Row("down, but the asks withdraw", DOWN | {"bid": 0, "ask": 32_768}, CALM),
    Row("up, 50 ms one step below", UP | {"up_50ms": SEVEN - 1}, CALM),
    Row("up, 100 ms one step below", UP | {"up_100ms": SEVEN - 1}, CALM),
    Row("up, withdrawal one step below", UP | {"ask": SIX - 1}, CALM),
    Row("up, but the bids withdraw", UP | {"ask": 0, "bid": 32_768}, CALM),
]


@pytest.mark.parametrize("row", LITERAL, ids=lambda row: row.name)
def test_the_article_s_rule_row_by_row(row: Row) -> None:
    policy = Policy(rules("article-down", "article-up"))
    assert policy.decide(scores(**row.given), 0)[2:6] == row.effect


@pytest.mark.parametrize(
    "row",
    [
        Row("down", {"down_100ms": 15_000}, WIDE),
        Row("up", {"up_100ms": 15_000}, WIDE),
        Row("down, one step below", {"down_100ms": 14_999}, CALM),
        Row("up, one step below", {"up_100ms": 14_999}, CALM),
        Row("within 50 ms only", {"down_50ms": 32_768, "up_50ms": 32_768}, CALM),
    ],
    ids=lambda row: row.name,
)
def test_the_calibrated_rule_row_by_row(row: Row) -> None:
    policy = Policy(rules("calibrated-down", "calibrated-up"))
    assert policy.decide(scores(**row.given), 0)[2:6] == row.effect


@pytest.mark.parametrize(("name", "given"), [("article-down", DOWN), ("article-up", UP)])
def test_hysteresis_holds_in_the_band_and_lets_go_below_it(
    name: str, given: dict[str, int]
) -> None:
    band = {key: value - RELEASE for key, value in given.items()}
    below = band | {next(iter(band)): min(band.values()) - 1 - 4000}
    policy = Policy(rules(name))
    assert policy.decide(scores(**band), 0)[2:6] == CALM  # the band does not start it
    assert policy.decide(scores(**given), 0)[2:6] == WIDE
    assert policy.decide(scores(**band), DWELL_NS - 1)[2:6] == WIDE  # prolonged from here
    assert policy.decide(scores(**below), 2 * DWELL_NS - 2)[2:6] == WIDE
    assert policy.decide(scores(**below), 2 * DWELL_NS - 1)[2:6] == CALM


@pytest.mark.parametrize(
    ("expiry", "both", "far", "widened"),
    [
        (0, True, False, 1500), (0, False, True, 700), (0, True, True, 1500),
        (1, True, False, 0), (1, False, True, 700), (1, True, True, 700),
    ],
)  # fmt: skip
def test_the_affected_set_is_what_expires_soon_enough_and_overlaps_take_the_maximum(
    expiry: int, both: bool, far: bool, widened: int
) -> None:
    (article,) = rules("article-down")
    near = replace(article, reach=1)
    all_of_them = replace(article, widen_bp100=700, outputs=(5,), thresholds=(1,), releases=(1,))
    given = (DOWN if both else {}) | ({"ask": 1} if far else {})
    adjustment = Policy((near, all_of_them)).decide(scores(**given), 0)
    effect = effect_of((near, all_of_them), adjustment.active, expiry)
    assert effect.extra_down_bp100 == effect.extra_up_bp100 == widened
    assert adjustment.limited == int(both)
    limits = Limits(500, 500, 10**6, 1000, 100, (0, 0))
    ours = Quoter(
        FINE, (False, True), RiskGate(limits), InventorySkew(), (near, all_of_them), (0, 1)
    )
    plain = make_quote(FINE, VALUE.value_btc, Protection())
    sent = ours.update([VALUE] * 2, [False] * 2, adjustment, 0)[expiry]
    assert plain.bid_ticks - sent.quote.bid_ticks == widened // 100
    assert sent.quote.ask_ticks - plain.ask_ticks == widened // 100


def test_a_rule_s_days_become_its_reach() -> None:
    rule = msgspec.structs.replace(load_config().rules[0], expires_within_days=20)
    bundle: Any = SimpleNamespace(spec=SimpleNamespace(heads=HEADS, outputs=OUTPUTS), provenance={})
    (armed,) = arm_rules((rule,), bundle, (7, 14, 28))
    assert armed.reach == 2
    assert armed.note.endswith("; options that expire within 20 days")
    (everywhere,) = arm_rules(load_config().rules[:1], bundle, (7, 14, 28))
    assert everywhere.reach == ALL_EXPIRIES


@pytest.mark.parametrize(
    ("endangered", "is_put", "hurt"),
    [("down", False, "bid"), ("down", True, "ask"), ("up", False, "ask"), ("up", True, "bid")],
)
def test_a_one_sided_rule_protects_the_side_that_the_move_hurts(
    endangered: str, is_put: bool, hurt: str
) -> None:
    adjustment = Adjustment(
        extra_down_bp100=1500 * (endangered == "down"),
        extra_up_bp100=1500 * (endangered == "up"),
        size_down_percent=70 if endangered == "down" else 100,
        size_up_percent=70 if endangered == "up" else 100,
    )
    protection = Protection.of(adjustment, is_put)
    assert protection == (
        Protection(1500, 0, 70, 100) if hurt == "bid" else Protection(0, 1500, 100, 70)
    )


def test_the_worked_scenario_widens_fifteen_bp_of_the_underlying_and_cuts_thirty_percent() -> None:
    """Ticks of 0.0001 BTC are 1 bp of the underlying: 15 ticks outward, 5.0 BTC become 3.5."""
    terms = Terms(100_000, 1, 5_000_000, 200, 1, 50, 1, 1, 0)
    before = make_quote(terms, 0.0432, Protection())
    adjustment = Policy(rules("article-down", "article-up")).decide(scores(**DOWN), 0)
    assert before == Quote(430, 434, 50, 50)
    for is_put in (False, True):
        after = make_quote(terms, 0.0432, Protection.of(adjustment, is_put))
        assert after == Quote(430 - 15, 434 + 15, 35, 35)


VALUE = OptionValue(0.0432, 0.6, 0.5, 1e-5, 0.1, -1e-3, 0.4568, 1e-5, 0.0, 0.0, 0.0)
FINE = Terms(100_000, 1, 5_000_000, 200, 1, 50, 1, 1, 20_000_000)


def quoter(burst: int, options: int = 5) -> Quoter:
    limits = Limits(500, 500, 10**6, 1, burst, (0,) * options)
    return Quoter(FINE, (False,) * options, RiskGate(limits), InventorySkew())


def moved(values: list[float]) -> list[OptionValue]:
    return [VALUE._replace(value_btc=value) for value in values]


def test_what_takes_risk_away_goes_first() -> None:
    """One tick with all reasons: an option expired, one widened by a rule on puts, moved, narrowed, new."""
    limits = Limits(500, 500, 10**6, 1000, 100, (0,) * 4)
    ours = Quoter(FINE, (False, True, False, False), RiskGate(limits), InventorySkew())
    calm = Adjustment()
    first = ours.update([VALUE, VALUE, EXPIRED, VALUE], [False, False, True, False], calm, 0)
    assert [sent.reason for sent in first] == [Reason.FIRST] * 3
    # Calls were protected on the bid until now; then a fall for puts' asks; option 3 expires.
    falls = Adjustment(extra_down_bp100=1500, size_down_percent=70)
    ours.update([VALUE] * 4, [False] * 4, falls, 30_000_000)
    rises = Adjustment(extra_up_bp100=700)
    order = ours.update([VALUE] * 4, [False, False, False, True], rises, 60_000_000)
    assert [sent.reason for sent in order] == [Reason.WITHDRAW, *[Reason.WIDEN] * 3]
    narrowed = ours.update(moved([0.0432, 0.0432, 0.0440, 0.0432]), [False] * 4, rises, 90_000_000)
    assert [(sent.option, sent.reason) for sent in narrowed] == [
        (2, Reason.MOVE), (3, Reason.FIRST),
    ]  # fmt: skip
    assert PRIORITY == (
        Reason.WITHDRAW, Reason.REDUCE, Reason.WIDEN, Reason.MOVE, Reason.NARROW, Reason.FIRST,
    )  # fmt: skip


def reasons(sent: list[Sent]) -> list[tuple[int, Reason]]:
    return [(one.option, one.reason) for one in sent]


def test_scarce_credit_goes_to_widening_before_moving_narrowing_and_new_quotes() -> None:
    """A credit for one quote a tick, five options: each tick sends the most urgent of what waits."""
    ours = quoter(burst=5)
    wide = Adjustment(extra_down_bp100=700)
    everything = ours.update([VALUE] * 5, [False] * 5, Adjustment(), 0)
    assert len(everything) == 5
    # Credit refills at one a second; the rule begins: five want to widen.
    sent = ours.update([VALUE] * 5, [False] * 5, wide, 10**9)
    assert reasons(sent) == [(0, Reason.WIDEN)] and ours.pending and ours.refused == 4
    # Option 0 narrows, the others still wait to widen: they go first, although option 0 is before them.
    sent = ours.update([VALUE] * 5, [False] * 5, wide, 2 * 10**9)
    assert reasons(sent) == [(1, Reason.WIDEN)]
    # The rule ends: 0 and 1 narrow, 2 moves down a tick; the move goes first.
    values = moved([0.0432, 0.0432, 0.0431, 0.0432, 0.0432])
    sent = ours.update(values, [False] * 5, Adjustment(), 3 * 10**9)
    assert reasons(sent) == [(2, Reason.MOVE)]
    # An expired option is withdrawn without any credit.
    sent = ours.update(values, [False, False, False, False, True], Adjustment(), 3 * 10**9)
    assert reasons(sent) == [(4, Reason.WITHDRAW)]
    assert sent[0].quote == NO_QUOTE
    # It comes back (in a test): narrowing what rests goes before quoting anew.
    sent = ours.update(values, [False] * 5, Adjustment(), 4 * 10**9)
    assert reasons(sent) == [(0, Reason.NARROW)]


def test_narrowing_and_moving_wait_for_the_interval_widening_does_not() -> None:
    ours = quoter(burst=1000)
    wide = Adjustment(extra_down_bp100=700)
    ours.update([VALUE] * 5, [False] * 5, Adjustment(), 0)
    sent = ours.update([VALUE] * 5, [False] * 5, wide, 1)
    assert reasons(sent) == [(k, Reason.WIDEN) for k in range(5)]
    assert ours.update([VALUE] * 5, [False] * 5, Adjustment(), 20_000_000) == [] and ours.pending
    sent = ours.update([VALUE] * 5, [False] * 5, Adjustment(), 20_000_001)
    assert reasons(sent) == [(k, Reason.NARROW) for k in range(5)]
    values = moved([0.0440] * 5)
    assert ours.update(values, [False] * 5, Adjustment(), 30_000_000) == [] and ours.pending
    sent = ours.update(values, [False] * 5, Adjustment(), 40_000_001)
    assert reasons(sent) == [(k, Reason.MOVE) for k in range(5)]


def test_moves_below_the_minimum_change_are_left() -> None:
    limits = Limits(500, 500, 10**6, 1000, 100, (0,))
    terms = Terms(100_000, 1, 5_000_000, 200, 1, 50, 1, 2, 0)
    ours = Quoter(terms, (False,), RiskGate(limits), InventorySkew())
    ours.update([VALUE], [False], Adjustment(), 0)
    assert ours.update(moved([0.0433]), [False], Adjustment(), 1) == [] and not ours.pending
    assert reasons(ours.update(moved([0.0434]), [False], Adjustment(), 2)) == [(0, Reason.MOVE)]


def test_quotes_lean_against_a_long_position_and_portfolio() -> None:
    limits = Limits(500, 500, 10**6, 1000, 100, (0, 50))
    skewed = Quoter(FINE, (False, False), RiskGate(limits), InventorySkew(200, 25, 300, 50))
    plain = make_quote(FINE, VALUE.value_btc, Protection())
    near, held = skewed.update([VALUE] * 2, [False] * 2, Adjustment(), 0)
    # 50 lots x 0.4568 of 25: 91 % of 2 bp, times the delta: 0.83 bp; the held one 3 bp more.
    assert skewed.inventory_bp100 == -182
    assert near.quote.ask_ticks == plain.ask_ticks
    assert near.quote.bid_ticks == plain.bid_ticks - 1
    assert held.quote[:2] == (near.quote.bid_ticks - 3, near.quote.ask_ticks - 3)
