"""Rules fire, act, dwell and overlap as the policy says; quotes widen outward and never to nothing."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyorch.contract.errors import UsageError
from pyorch.contract.model import Head
from pyorch.contract.score_quantiles import score_quantiles, threshold_at
from pyorch.trading.arming import arm_rules
from pyorch.trading.config import Condition, Rule
from pyorch.trading.policy import Adjustment, ArmedRule, Policy
from pyorch.trading.quoting import Protection, Terms, make_quote
from pyorch.trading.records import TICK_DTYPE, TickFlag, rule_rates

RULE = ArmedRule("down", "down", (0, 1), (100, 200), (80, 150), 1500, 70, True, 1000, True, "")


def decide(policy: Policy, a: int, b: int, local_ns: int) -> Adjustment:
    return policy.decide(np.array([a, b]), local_ns)


def test_all_conditions_must_hold() -> None:
    policy = Policy((RULE,))
    assert decide(policy, 100, 199, 0) == Adjustment()
    assert decide(policy, 99, 200, 0) == Adjustment()
    assert decide(policy, 100, 200, 0) == Adjustment(1, 1, 1500, 1500, 70, 70)


def test_a_rule_acts_until_its_dwell_has_passed() -> None:
    policy = Policy((RULE,))
    decide(policy, 100, 200, 0)
    assert decide(policy, 0, 0, 999) == Adjustment(0, 1, 1500, 1500, 70, 70)
    assert decide(policy, 0, 0, 1000) == Adjustment()


def test_scores_above_the_release_prolong_an_acting_rule_but_do_not_start_it() -> None:
    policy = Policy((RULE,))
    assert decide(policy, 80, 150, 0) == Adjustment()
    decide(policy, 100, 200, 0)
    assert decide(policy, 80, 150, 999).active == 1
    assert decide(policy, 0, 0, 1998).active == 1
    assert decide(policy, 80, 150, 1999) == Adjustment()


def test_overlapping_rules_take_the_maximum_never_the_sum() -> None:
    other = replace(RULE, name="up", endangered="up", widen_bp100=2000, size_percent=80)
    result = decide(Policy((RULE, other)), 100, 200, 0)
    assert result[2:6] == (2000, 2000, 70, 70)


def test_one_sided_rules_protect_the_endangered_side_only() -> None:
    down = replace(RULE, both_sides=False)
    up = replace(down, endangered="up", outputs=(0,), thresholds=(500,), releases=(500,))
    adjustment = decide(Policy((down, up)), 100, 200, 0)
    assert adjustment[2:6] == (1500, 0, 70, 100)
    assert Protection.of(adjustment, is_put=False) == Protection(1500, 0, 70, 100)
    assert Protection.of(adjustment, is_put=True) == Protection(0, 1500, 100, 70)


def test_a_reset_forgets_the_dwell_and_disarmed_rules_never_fire() -> None:
    policy = Policy((RULE, replace(RULE, armed=False)))
    assert decide(policy, 100, 200, 0).fired == 1
    policy.reset()
    assert decide(policy, 0, 0, 1) == Adjustment()


TERMS = Terms(100_000, 1, 0, 500, 1, 50, 2, 1, 0)


def test_prices_are_rounded_outward_and_fifteen_basis_points_are_fifteen_ticks() -> None:
    plain = make_quote(TERMS, 0.03001, Protection())
    assert plain == (295, 306, 50, 50)  # 0.02951 down, 0.03051 up
    wide = make_quote(TERMS, 0.03001, Protection(1500, 1500, 70, 70))
    assert wide == (280, 321, 35, 35)


@pytest.mark.parametrize("value", [0.0301, 0.03013, 0.01, 0.0057])
def test_a_rule_moves_every_price_by_a_tick_at_least_and_leaves_the_minimum_size(
    value: float,
) -> None:
    plain = make_quote(TERMS, value, Protection())
    protected = make_quote(TERMS, value, Protection(1, 1, 1, 1))
    assert protected.bid_ticks == plain.bid_ticks - 1
    assert protected.ask_ticks == plain.ask_ticks + 1
    assert protected.bid_lots == protected.ask_lots == 2


def test_a_bid_below_one_tick_is_left_out_and_the_ask_stays() -> None:
    assert make_quote(TERMS, 0.0002, Protection()) == (0, 7, 0, 50)


def test_coarse_ticks_round_outward_too() -> None:
    terms = replace(TERMS, coarse_tick_factor=5, coarse_from_nano=5_000_000)
    assert make_quote(terms, 0.03001, Protection())[:2] == (295, 310)
    assert make_quote(terms, 0.0048, Protection())[:2] == (43, 55)


def bundle_with(scores: Any, trainable: bool = True) -> Any:
    """Just what arming looks at."""
    heads = (
        Head("direction", "softmax", ("down", "stable", "up"), "probability"),
        Head("jump", "sigmoid", ("down_100ms", "up_100ms"), "probability", trainable),
        Head("slippage", "linear", ("slippage",), "ticks"),
    )
    outputs = tuple(name for head in heads for name in head.outputs)
    stated = {} if scores is None else score_quantiles("calibration block", outputs, scores)
    return SimpleNamespace(
        spec=SimpleNamespace(heads=heads, outputs=outputs),
        provenance={"score_quantiles": stated} if stated else {},
    )


def rule(output: str, probability: float | None = None, percent: float | None = None) -> Rule:
    return Rule(
        name="r",
        endangered="down",
        conditions=(Condition(output=output, probability=probability),),
        fires_at_most_percent=percent,
        widen_bp=15,
        size_cut_percent=30,
    )


def test_literal_thresholds_become_fifteen_bit_integers() -> None:
    (armed,) = arm_rules((rule("jump.down_100ms", 0.70),), bundle_with(None))
    assert (armed.armed, armed.outputs, armed.thresholds) == (True, (3,), (22_938,))
    assert (armed.widen_bp100, armed.size_percent) == (1500, 70)


def test_calibrated_thresholds_fire_at_no_more_than_the_stated_share() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3000, (4000, 6))
    (armed,) = arm_rules((rule("jump.down_100ms", percent=1.0),), bundle_with(scores))
    share = np.mean(scores[:, 3] >= armed.thresholds[0])
    assert 0.005 < share <= 0.01
    assert "reached at no more than 1 % of 4000 ticks of the calibration block" in armed.note


def test_a_plateau_of_scores_does_not_break_the_limit() -> None:
    scores = np.array([5] * 90 + [100] * 10)
    assert threshold_at(scores, 1.0) == 101
    assert threshold_at(scores, 10.0) == 6
    assert threshold_at(scores, 100.0) == 5
    stated = score_quantiles("calibration block", ("a",), scores[:, None])
    assert stated["thresholds"][0][stated["shares_percent"].index(20.0)] == 6


def test_rules_on_untrainable_or_missing_heads_are_disarmed_and_say_so() -> None:
    bundle = bundle_with(None, trainable=False)
    untrained, missing = arm_rules(
        (rule("jump.down_100ms", 0.5), rule("withdrawal.bid", 0.5)), bundle
    )
    assert not untrained.armed and "head jump had too few positives" in untrained.note
    assert not missing.armed and "the model has no output withdrawal.bid" in missing.note
    (unknown,) = arm_rules((rule("direction.down", percent=1.0),), bundle)
    assert not unknown.armed and "no score quantiles of a calibration block" in unknown.note


@pytest.mark.parametrize(
    ("given", "scores", "message"),
    [
        (rule("slippage.slippage", 0.5), None, "is a linear output in ticks"),
        (rule("direction.down", percent=0.001), np.zeros((9, 6)), "below the smallest share"),
    ],
)
def test_rules_that_cannot_be_armed_are_refused(given: Rule, scores: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arm_rules((given,), bundle_with(scores))


def test_firing_rates_count_warm_ticks_only() -> None:
    ticks = np.zeros(4, TICK_DTYPE)
    ticks["flags"] = [0, TickFlag.WARM, TickFlag.WARM, TickFlag.WARM | TickFlag.CANCELLED]
    ticks["fired"], ticks["active"] = [1, 1, 0, 1], [1, 1, 1, 1]
    assert rule_rates(ticks, 2) == [(0.5, 1.0), (0.0, 0.0)]
