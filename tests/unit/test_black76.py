"""Black-76 equals QuantLib over a grid with extremes; the Greeks are derivatives; volatilities come back."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.trading.black76 import Chain, black76, linear
from pyorch.trading.elementary import logarithm
from pyorch.trading.implied import implied_volatility

TOLERANCE = 1e-9
FORWARD = 64_321.5
YEARS = [60 / 31_536_000, 1 / 365, 7 / 365, 0.25, 1.0, 10.0]
VOLATILITIES = [0.01, 0.05, 0.3, 0.6, 1.5, 5.0]
RATIOS = np.array([0.01, 0.1, 0.5, 0.8, 0.95, 0.999, 1.0, 1.0001, 1.05, 1.3, 2.0, 10.0, 100.0])
GRID = list(itertools.product(YEARS, VOLATILITIES))


def chain_of(years: float, sigma: float, forward: float = FORWARD) -> Chain:
    return black76(logarithm(RATIOS), RATIOS, np.full(len(RATIOS), sigma), years, forward)


def calculators(
    put: bool, years: float, sigma: float, discount: float = 1.0
) -> Iterator[ql.BlackCalculator]:
    right = ql.Option.Put if put else ql.Option.Call
    for ratio in RATIOS:
        payoff = ql.PlainVanillaPayoff(right, float(ratio) * FORWARD)
        yield ql.BlackCalculator(payoff, FORWARD, sigma * years**0.5, discount)


@pytest.mark.parametrize("put", [False, True], ids=["calls", "puts"])
def test_inverse_values_and_greeks_equal_quantlib_to_1e_9(put: bool) -> None:
    """QuantLib's USD figures over the forward; gamma times it, so that all are of order one."""
    side = "put" if put else "call"
    for years, sigma in GRID:
        ours = chain_of(years, sigma)
        oracle = np.array(
            [
                (
                    c.value() / FORWARD,
                    c.deltaForward(),
                    c.gammaForward() * FORWARD,
                    c.vega(years) / FORWARD,
                    c.thetaPerDay(FORWARD, years) / FORWARD,
                )
                for c in calculators(put, years, sigma)
            ]
        ).T
        value, delta = getattr(ours, f"{side}_value"), getattr(ours, f"{side}_delta")
        both = (value, delta, ours.gamma * FORWARD, ours.vega, ours.theta)
        names = ("value", "delta", "gamma", "vega", "theta")
        for name, mine, theirs in zip(names, both, oracle, strict=True):
            np.testing.assert_allclose(
                mine, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{name} {years} {sigma}"
            )
        adjusted = getattr(ours, f"{side}_premium_adjusted_delta")
        np.testing.assert_allclose(adjusted, oracle[1] - oracle[0], atol=TOLERANCE, rtol=0)
        coin = getattr(ours, f"{side}_coin_delta")
        np.testing.assert_allclose(coin * FORWARD, oracle[1] - oracle[0], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("put", [False, True], ids=["calls", "puts"])
def test_linear_values_and_greeks_equal_quantlib_to_1e_9_of_the_forward(put: bool) -> None:
    rate = 0.04
    for years, sigma in GRID:
        discount = float(np.exp(-rate * years))
        ours = linear(chain_of(years, sigma), put, FORWARD, years, rate)
        calculators_ = list(calculators(put, years, sigma, discount))
        wanted = {
            "value_usd": [c.value() for c in calculators_],
            "vega_usd": [c.vega(years) for c in calculators_],
            "theta_usd": [c.thetaPerDay(FORWARD, years) for c in calculators_],
            # QuantLib's rho lets the forward grow with the rate; ours holds it.
            "rho_usd": [-years * c.value() for c in calculators_],
            "delta": [c.deltaForward() * FORWARD for c in calculators_],
            "gamma": [c.gammaForward() * FORWARD * FORWARD for c in calculators_],
        }
        for name, theirs in wanted.items():
            mine = getattr(ours, name) * {"delta": FORWARD, "gamma": FORWARD**2}.get(name, 1.0)
            np.testing.assert_allclose(
                mine, theirs, rtol=TOLERANCE, atol=TOLERANCE * FORWARD, err_msg=name
            )


def usd(ratio: float, years: float, sigma: float, forward: float = 1.0) -> tuple[float, ...]:
    """QuantLib's delta and vega of a call."""
    payoff = ql.PlainVanillaPayoff(ql.Option.Call, ratio)
    c = ql.BlackCalculator(payoff, forward, sigma * years**0.5, 1.0)
    return c.deltaForward(), c.vega(years), c.value() / forward


@pytest.mark.parametrize("ratio", [0.7, 0.97, 1.0, 1.1, 1.6])
@pytest.mark.parametrize(("years", "sigma"), [(1 / 365, 0.5), (30 / 365, 0.6), (1.0, 1.5)])
def test_cross_greeks_are_the_derivatives_of_quantlib_s(
    ratio: float, years: float, sigma: float
) -> None:
    ours = black76([logarithm(ratio)], [ratio], [sigma], years, 1.0)
    step = 1e-5
    up, down = usd(ratio, years, sigma + step), usd(ratio, years, sigma - step)
    assert ours.vanna[0] == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-5, abs=1e-7)
    assert ours.volga[0] == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-5, abs=1e-7)
    day = 1e-4 / 365
    sooner, later = usd(ratio, years - day, sigma), usd(ratio, years + day, sigma)
    assert ours.charm[0] == pytest.approx(
        (sooner[0] - later[0]) / (2 * day * 365), rel=1e-4, abs=1e-7
    )
    coins = [usd(ratio, years, sigma, 1.0 + e)[2] for e in (step, -step)]
    assert ours.call_coin_delta[0] == pytest.approx(
        (coins[0] - coins[1]) / (2 * step), rel=1e-6, abs=1e-8
    )


def test_linear_theta_and_charm_are_what_a_day_takes_with_the_forward_held() -> None:
    rate, years, day = 0.05, 0.3, 1e-3 / 365

    def at(t: float) -> float:
        return float(linear(chain_of(t, 0.6), True, FORWARD, t, rate).value_usd[4])

    ours = linear(chain_of(years, 0.6), True, FORWARD, years, rate)
    slope = (at(years - day) - at(years + day)) / (2 * day * 365)
    assert ours.theta_usd[4] == pytest.approx(slope, rel=1e-7)

    def delta(t: float) -> float:
        return float(linear(chain_of(t, 0.6), True, FORWARD, t, rate).delta[4])

    slope = (delta(years - day) - delta(years + day)) / (2 * day * 365)
    assert ours.charm[4] == pytest.approx(slope, rel=1e-6)


def test_far_wings_keep_their_relative_precision() -> None:
    """Where Φ(d₁) F − Φ(d₂) K cancels to nothing, the Mills ratios do not: 60-digit arithmetic says."""
    # Calls on 1 with strike e^x and deviation s, by mpmath with 60 digits.
    exact = {(0.5, 0.05): 4.7972913626623444e-26, (1.0, 0.1): 1.2308359836427112e-25}
    for (x, deviation), value in exact.items():
        ours = black76([x], [np.exp(x)], [deviation], 1.0, 1.0)
        assert ours.call_value[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("put", [False, True], ids=["calls", "puts"])
def test_the_volatility_of_quantlib_s_prices_comes_back_to_1e_9(put: bool) -> None:
    """Where a price still determines it: rounding of the price by 1e-15 moves it less than 1e-10."""
    tried = 0
    for years, sigma in GRID:
        ours = chain_of(years, sigma)
        prices = np.array([c.value() / FORWARD for c in calculators(put, years, sigma)])
        known = 1e-10 * ours.vega > (1 + RATIOS) * 1e-15
        found = implied_volatility(prices, logarithm(RATIOS), RATIOS, years, put)
        np.testing.assert_allclose(found[known], sigma, atol=TOLERANCE, rtol=0)
        tried += int(known.sum())
    assert tried > 150


@pytest.mark.parametrize("put", [False, True], ids=["calls", "puts"])
def test_the_volatility_of_our_far_out_of_the_money_prices_comes_back_too(put: bool) -> None:
    """Wherever a relative change of the price by 1e-15 moves it less than 1e-11."""
    tried = 0
    for years, sigma in GRID:
        ours = chain_of(years, sigma)
        value = ours.put_value if put else ours.call_value
        outside = ((RATIOS > 1) != put) & (value > 1e-200) & (value < 1e4 * ours.vega)
        found = implied_volatility(value, logarithm(RATIOS), RATIOS, years, put)
        np.testing.assert_allclose(found[outside], sigma, rtol=1e-10)
        tried += int(outside.sum())
    assert tried > 100


@pytest.mark.parametrize(
    ("value", "ratio", "put"),
    [(0.0, 1.2, False), (1.0, 1.2, False), (0.0999, 0.9, False), (1.2, 1.2, True), (-1.0, 1, True)],
)
def test_a_value_that_no_volatility_gives_has_none(value: float, ratio: float, put: bool) -> None:
    arguments = np.array([value]), logarithm([ratio]), np.array([float(ratio)])
    assert np.isnan(implied_volatility(*arguments, 0.1, put)).all()
    assert np.isnan(_native.implied_volatility(*arguments, 0.1, np.array([put]))).all()


def kernels() -> list[str]:
    """Those that this processor runs."""
    widest = ["generic", "avx2", "avx512"]
    return widest[: widest.index(_native.pricing_kernel()) + 1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 19),
    st.floats(1e-6, 20.0),
    st.floats(100.0, 1e6),
    st.integers(0, 2**32 - 1),
)
def test_native_rows_and_volatilities_equal_the_definition_on_every_kernel(
    strikes: int, years: float, forward: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ratio = np.exp(rng.normal(0, rng.choice([0.01, 0.3, 2.0]), strikes))
    x, sigma = logarithm(ratio), rng.uniform(0.01, 5.0, strikes)
    definition = black76(x, ratio, sigma, years, forward)
    for kernel in kernels():
        rows = _native.black76(x, ratio, sigma, years, forward, kernel)
        np.testing.assert_array_equal(rows, np.stack(definition))
        for put_side, rate in ((False, 0.0), (True, 0.05)):
            given = (x, ratio, sigma, years, forward, rate, put_side, kernel)
            discounted = linear(definition, put_side, forward, years, rate)
            np.testing.assert_array_equal(_native.linear(*given), np.stack(discounted))
    put = rng.random(strikes) < 0.5
    value = np.where(put, definition.put_value, definition.call_value)
    value = np.where(rng.random(strikes) < 0.1, rng.uniform(-0.1, 1.5, strikes), value)
    np.testing.assert_array_equal(
        _native.implied_volatility(value, x, ratio, years, put),
        implied_volatility(value, x, ratio, years, put),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [1.0, 2.0], [0.5], 0.1, 1.0, ""), "one of each for every strike"),
        (([0.0], [1.0], [0.5], 0.0, 1.0, ""), "years and forward above 0"),
        (([0.0], [1.0], [0.5], 0.1, 1.0, "abacus"), "no kernel abacus on this processor"),
    ],
)
def test_what_the_native_chain_cannot_price_is_refused(
    arguments: tuple[list[float], list[float], list[float], float, float, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _native.black76(*(np.array(part) for part in arguments[:3]), *arguments[3:])
    with pytest.raises(ValueError, match="a rate of 0 or more"):
        _native.linear(np.zeros(1), np.ones(1), np.ones(1), 1.0, 1.0, -0.01, False)
