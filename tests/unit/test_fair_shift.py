"""Fair values follow the forecast and lean against what is held, alike for both signs, in integers."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyorch.contract.errors import UsageError
from pyorch.contract.model import Head
from pyorch.trading.arming import arm_shift
from pyorch.trading.black76 import black76
from pyorch.trading.config import FairShift, default_path, load_config
from pyorch.trading.elementary import logarithm
from pyorch.trading.fair_shift import (
    ArmedShift,
    InventorySkew,
    delta_ppm,
    shift_nano,
    towards_zero,
)
from pyorch.trading.policy import Policy
from pyorch.trading.quoting import Protection, Terms, make_quote

SHIFT = ArmedShift(0, 1, 200, 3000, 150, 10, True)
TERMS = Terms(100_000, 1, 0, 500, 1, 50, 2, 1, 0)
SKEW = InventorySkew(300, 40, 200, 50)


def forecast(up: int, down: int, current: int = 0, shift: ArmedShift = SHIFT) -> int:
    return shift.next_bp100(current, np.array([up, down]))


@pytest.mark.parametrize(
    ("up", "down", "bp100"),
    [
        (16_384, 0, 100),
        (0, 16_384, -100),
        (3000, 0, 18),
        (0, 3000, -18),
        (2999, 0, 0),  # within the deadband
        (0, 2999, 0),
        (32_768, 0, 150),  # the maximum
        (0, 32_768, -150),
        (20_000, 20_000, 0),
    ],
)
def test_a_forecast_is_its_move_times_the_difference_of_the_probabilities(
    up: int, down: int, bp100: int
) -> None:
    assert forecast(up, down) == bp100


def test_small_changes_are_left_and_nothing_is_taken_at_once() -> None:
    assert forecast(16_384, 0, current=91) == 91
    assert forecast(16_384, 0, current=90) == 100
    assert forecast(16_384, 0, current=110) == 100
    assert forecast(0, 0, current=5) == 0
    assert forecast(0, 0, current=-5) == 0
    assert forecast(16_384, 0, shift=replace(SHIFT, armed=False), current=7) == 0


def test_the_policy_carries_the_forecast_and_forgets_it_at_a_reset() -> None:
    policy = Policy((), SHIFT)
    assert policy.decide(np.array([16_384, 0]), 0).forecast_bp100 == 100
    assert policy.decide(np.array([16_000, 0]), 1).forecast_bp100 == 100  # 97: too small a change
    policy.reset()
    assert policy.decide(np.array([16_000, 0]), 2).forecast_bp100 == 97


@pytest.mark.parametrize("put", [False, True], ids=["call", "put"])
@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.15])
def test_an_option_takes_over_what_repricing_at_the_moved_forward_gives(
    put: bool, ratio: float
) -> None:
    """Ten bp of the underlying: shift by premium-adjusted delta and repricing agree to second order."""

    def value(forward: float) -> tuple[float, float]:
        chain = black76([logarithm(ratio / forward)], [ratio / forward], [0.6], 0.08, forward)
        if put:
            return float(chain.put_value[0]), float(chain.put_premium_adjusted_delta[0])
        return float(chain.call_value[0]), float(chain.call_premium_adjusted_delta[0])

    before, delta = value(1.0)
    after, _ = value(1.001)
    shifted = shift_nano(1000, delta_ppm(delta)) * 1e-9
    assert shifted == pytest.approx(after - before, abs=3e-6)
    assert np.sign(shifted) == (-1 if put else 1)


def test_a_shift_moves_bid_and_ask_together() -> None:
    plain = make_quote(TERMS, 0.03001, Protection())
    assert make_quote(TERMS, 0.03001, Protection(), 300_000)[:2] == (
        plain.bid_ticks + 3,
        plain.ask_ticks + 3,
    )
    assert make_quote(TERMS, 0.03001, Protection(), -300_000)[:2] == (
        plain.bid_ticks - 3,
        plain.ask_ticks - 3,
    )


def test_long_delta_lowers_the_underlying_in_proportion_and_no_more_than_at_the_scale() -> None:
    half = delta_ppm(0.5)
    assert SKEW.underlying_bp100([half], [40]) == -150
    assert SKEW.underlying_bp100([half], [-40]) == 150
    assert SKEW.underlying_bp100([half, -half], [40, 40]) == 0
    assert SKEW.underlying_bp100([half], [80]) == SKEW.underlying_bp100([half], [8000]) == -300
    assert InventorySkew().underlying_bp100([half], [8000]) == 0


def test_an_option_s_own_position_lowers_or_raises_it() -> None:
    assert SKEW.own_nano(25) == -100_000  # half of 2 bp
    assert SKEW.own_nano(-25) == 100_000
    assert SKEW.own_nano(50) == SKEW.own_nano(5000) == -200_000
    assert SKEW.own_nano(0) == 0


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_division_is_towards_zero_and_alike_for_both_signs(a: int, b: int) -> None:
    assert towards_zero(-a, b) == -towards_zero(a, b)
    assert abs(towards_zero(a, b)) * b <= abs(a) < (abs(towards_zero(a, b)) + 1) * b


def bundle(trainable: bool = True) -> Any:
    heads = (
        Head("direction", "softmax", ("down", "stable", "up"), "probability", trainable),
        Head("slippage", "linear", ("slippage",), "ticks"),
    )
    outputs = tuple(name for head in heads for name in head.outputs)
    return SimpleNamespace(spec=SimpleNamespace(heads=heads, outputs=outputs))


STATED = FairShift(
    up="direction.up", down="direction.down", move_bp=1.5, deadband=0.1, maximum_bp=1.0, step_bp=0.1
)


def test_a_configured_forecast_is_armed_in_integers() -> None:
    armed = arm_shift(STATED, bundle())
    assert (armed.up, armed.down, armed.armed) == (2, 0, True)
    assert (armed.move_bp100, armed.deadband, armed.maximum_bp100, armed.step_bp100) == (
        150, 3277, 100, 10,
    )  # fmt: skip
    assert armed.note == "1.5 bp x (direction.up - direction.down), within 1 bp"


@pytest.mark.parametrize(
    ("changes", "trainable", "note"),
    [
        ({"up": "jump.up_50ms"}, True, "the model has no output jump.up_50ms"),
        ({}, False, "disarmed: head direction had too few positives to be trained"),
        ({"move_bp": 0.0}, True, "disarmed: move_bp is 0"),
    ],
)
def test_a_forecast_that_the_model_does_not_give_is_disarmed_and_says_so(
    changes: dict[str, Any], trainable: bool, note: str
) -> None:
    import msgspec

    armed = arm_shift(msgspec.structs.replace(STATED, **changes), bundle(trainable))
    assert not armed.armed and note in armed.note
    assert arm_shift(None, bundle()).note == "disarmed: not configured"


def test_a_forecast_of_a_linear_output_is_refused() -> None:
    import msgspec

    shift = msgspec.structs.replace(STATED, down="slippage.slippage")
    with pytest.raises(
        UsageError, match=r"fair_shift: slippage.slippage is a linear output in ticks"
    ):
        arm_shift(shift, bundle())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('up = "direction.up"', 'up = "direction.down"', r"fair_shift.up: is direction.down like down"),
        ("step_bp = 0.1", "step_bp = 2.1", r"fair_shift.step_bp: 2.1 is above maximum_bp = 2"),
        ("delta_scale_btc = 10.0", "delta_scale_btc = 0.01", r"inventory.delta_scale_btc: is 0 lots"),
        ("delta_scale_btc = 10.0", "delta_scale_btc = 1e6", r"is 10000000 lots of 0.1 BTC; 1 to 1000000"),
        ("position_skew_bp = 2.0", "position_skew_bp = -2.0", r"Expected `float` >= 0"),
        ('down = "direction.down"', 'down = "down"', r"Expected `str` matching regex"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "my.toml"
    text = default_path().read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    line = 1 + text[: text.index(old)].count("\n")
    with pytest.raises(UsageError, match=rf"my.toml:{line}: .*{message}"):
        load_config(path)


def test_the_default_inventory_leans_and_its_forecast_is_off() -> None:
    config = load_config()
    assert config.inventory_skew == InventorySkew(100, 100, 200, 500)
    assert config.fair_shift is not None and config.fair_shift.move_bp == 0.0
