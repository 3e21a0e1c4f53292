"""Slices are what their parameters say, arbitrage is found where it is, the surface moves, ages, refuses."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.trading.black76 import black76
from pyorch.trading.surface import (
    ParametersPpm,
    Slice,
    Surface,
    arbitrage,
    arbitrage_at,
    density,
    slice_of,
    slices_of,
    variance,
    volatility,
)
from pyorch.trading.surface_fit import fit_slice, parameters_of

SOUND = (0.6, -0.05, 0.1, 0.9, 0.7)
EXPIRIES_S = (7 * 86_400, 28 * 86_400)
MINUTE_NS = 60_000_000_000
STATED: ParametersPpm = (
    (550_000, 580_000), (-50_000, -40_000), (100_000, 90_000), (900_000, 900_000), (700_000, 700_000)
)  # fmt: skip


def surface() -> Surface:
    return Surface(tuple(list(values) for values in STATED), EXPIRIES_S)


@pytest.mark.parametrize("stated", [SOUND, (1.2, 0.1, 0.02, 0.5, 2.0), (0.3, 0.0, 0.3, 0.2, 0.2)])
def test_a_slice_has_the_level_skew_curvature_and_wings_that_it_is_stated_by(
    stated: tuple[float, ...],
) -> None:
    part = slice_of(*stated)
    step = 1e-4
    down, here, up = volatility(part, np.array([-step, 0.0, step]))
    assert here == pytest.approx(stated[0], rel=1e-12)
    assert (up - down) / (2 * step) == pytest.approx(stated[1], abs=1e-6)
    assert (up - 2 * here + down) / (2 * step**2) == pytest.approx(stated[2], abs=1e-5)
    far = np.array([-1e7, -1e6, 1e6, 1e7])
    v = variance(part, far)
    assert (v[0] - v[1]) / 9e6 == pytest.approx(stated[3], rel=1e-6)
    assert (v[3] - v[2]) / 9e6 == pytest.approx(stated[4], rel=1e-6)


def test_a_straight_smile_makes_a_slice_and_a_skew_beyond_the_wing_none() -> None:
    flat = slice_of(0.6, 0.0, 0.0, 0.9, 0.9)
    np.testing.assert_allclose(volatility(flat, np.linspace(-2, 2, 9)), 0.6, atol=5e-6)
    for skew, wings in ((-5.0, (0.9, 0.7)), (0.6, (0.9, 0.7)), (0.25, (4.0, 0.2))):
        assert np.isnan(slice_of(0.6, skew, 0.1, *wings).level)
    assert np.isfinite(slice_of(0.6, -0.7, 0.1, 0.9, 0.7).level)


def test_volatility_stays_within_one_and_five_hundred_percent() -> None:
    y = np.linspace(-4, 4, 33)
    below = slice_of(0.3, -1.2, -2.0, 0.9, 0.7)
    assert variance(below, y).min() < 0
    assert volatility(below, y).min() == 0.01
    assert volatility(slice_of(5.0, 1.0, 0.0, 99.0, 99.0), np.float64(3.0)) == 5.0


def test_between_updates_volatility_follows_the_forward_by_moneyness() -> None:
    part, years = slice_of(*SOUND), 7 / 365
    ratio = np.array([0.9, 1.0, 1.2])
    first, second = (
        volatility(part, np.log(ratio * forward / forward) / math.sqrt(years))
        for forward in (60_000.0, 66_000.0)
    )
    np.testing.assert_allclose(first, second, rtol=1e-14)
    assert first[0] > first[1]


def test_g_is_the_density_of_the_forward_that_butterflies_pay() -> None:
    """d²(call)/dK² by QuantLib-checked prices has the sign of g, and its size: φ(d₂) g / (K σ √T)."""
    part, years, step = slice_of(0.6, -0.1, 0.25, 0.9, 0.6), 0.1, 1e-4
    for y in (-1.5, -0.4, 0.0, 0.7, 1.6):
        k = y * math.sqrt(years)
        strikes = np.exp(k) * np.array([1 - step, 1.0, 1 + step])
        x = np.log(strikes)
        sigma = volatility(part, x / math.sqrt(years))
        calls = black76(x, strikes, sigma, years, 1.0).call_value
        curve = (calls[0] - 2 * calls[1] + calls[2]) / (strikes[1] * step) ** 2
        deviation = sigma[1] * math.sqrt(years)
        d2 = -k / deviation - deviation / 2
        normal = math.exp(-0.5 * d2 * d2) / math.sqrt(2 * math.pi)
        wanted = normal * density(part, years, np.array([y]))[0] / (strikes[1] * deviation)
        assert curve == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_the_default_shape_is_free_of_arbitrage() -> None:
    assert arbitrage_at(slices_of(STATED), EXPIRIES_S, 0) == []


@pytest.mark.parametrize(
    ("near", "far", "kinds"),
    [
        ((0.6, -0.9, 0.1, 0.9, 0.7), SOUND, {"skew"}),
        ((0.3, -1.2, -2.0, 0.9, 0.7), SOUND, {"negative variance"}),
        (SOUND, (0.6, -0.05, 0.1, 9.0, 0.7), {"wing"}),
        ((0.3, 0.0, 1.5, 3.0, 3.0), (0.9, 0.0, 0.1, 3.0, 3.0), {"butterfly"}),
        ((0.8, -0.05, 0.1, 0.3, 0.3), (0.3, -0.02, 0.02, 0.3, 0.3), {"calendar"}),
        (SOUND, (0.6, -0.05, 0.0, 0.3, 0.7), {"calendar"}),
    ],
)
def test_each_arbitrage_is_found_with_its_place(
    near: tuple[float, ...], far: tuple[float, ...], kinds: set[str]
) -> None:
    slices, years = [slice_of(*near), slice_of(*far)], [7 / 365, 28 / 365]
    found = arbitrage(slices, years)
    assert kinds <= {violation.kind for violation in found}
    for violation in found:
        part, t = slices[violation.expiry], years[violation.expiry]
        if violation.kind == "skew":
            assert np.isnan(part.level) and "steeper than the wing" in str(violation)
        if violation.kind == "negative variance":
            assert variance(part, np.float64(violation.y)) == violation.amount < 1e-4
        if violation.kind == "butterfly":
            assert density(part, t, np.array([violation.y]))[0] == violation.amount < 0
        if violation.kind == "wing":
            assert violation.amount > 2 and math.isinf(violation.y)
        if violation.kind == "calendar" and math.isfinite(violation.y):
            k = violation.y * math.sqrt(years[1])
            earlier = years[0] * variance(slices[0], np.float64(k / math.sqrt(years[0])))
            later = years[1] * variance(slices[1], np.float64(violation.y))
            assert later - earlier == pytest.approx(violation.amount)
        assert f"{violation.kind} at expiry {violation.expiry}" in str(violation)


def test_a_butterfly_that_is_reported_can_be_bought_for_less_than_nothing() -> None:
    part, years = slice_of(0.3, 0.0, 1.5, 3.0, 3.0), 7 / 365
    (worst,) = [v for v in arbitrage([part], [years]) if v.kind == "butterfly"]
    k = worst.y * math.sqrt(years) + np.array([-0.002, 0.0, 0.002])
    strikes = np.exp(k)
    calls = black76(k, strikes, volatility(part, k / math.sqrt(years)), years, 1.0).call_value
    low, middle, high = calls
    wing = (strikes[2] - strikes[1]) / (strikes[2] - strikes[0])
    assert wing * low + (1 - wing) * high - middle < 0


def test_rows_move_all_expiries_alike_and_date_the_surface() -> None:
    ours = surface()
    ours.apply(600_000, -60_000, 77, 0)
    assert ours.parameters_ppm[0] == [600_000, 630_000]
    assert ours.parameters_ppm[1] == [-60_000, -50_000]
    assert ours.parameters_ppm[2:] == tuple(list(values) for values in STATED[2:])
    assert (ours.version, ours.refused, ours.as_of_ns) == (1, 0, 77)
    assert volatility(ours.slices[0], np.float64(0.0)) == pytest.approx(0.6)


@pytest.mark.parametrize(("atm", "skew"), [(600_000, -2_000_000), (-1, 0), (100_000, -60_000)])
def test_a_row_that_would_make_arbitrage_is_not_taken_and_the_surface_ages(
    atm: int, skew: int
) -> None:
    ours = surface()
    ours.apply(atm, skew, 77, 0)
    assert (ours.version, ours.refused, ours.as_of_ns) == (0, 1, 0)
    assert ours.parameters_ppm == tuple(list(values) for values in STATED)
    assert not ours.stale(1000, 1000) and ours.stale(1001, 1000)


def test_a_surface_that_no_row_ever_moved_is_not_stale_one_that_stopped_moving_is() -> None:
    ours = surface()
    assert not ours.stale(10**18, 1)
    ours.apply(560_000, -50_000, 500, 0)
    assert not ours.stale(1500, 1000)
    assert ours.stale(1501, 1000)


def test_expired_slices_are_not_checked() -> None:
    bad_near = slices_of(((550_000, 580_000), (-2_000_000, -40_000), *STATED[2:]))
    found = arbitrage_at(bad_near, EXPIRIES_S, 0)
    assert {violation.expiry for violation in found} == {0}
    assert arbitrage_at(bad_near, EXPIRIES_S, 7 * 1440) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_native_surface_equals_the_definition_row_by_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parameters = tuple(
        [int(value) for value in rng.integers(low, high, 3)]
        for low, high in (
            (200_000, 900_000), (-200_000, 100_000), (0, 300_000), (300_000, 2_000_000),
            (300_000, 2_000_000),
        )
    )  # fmt: skip
    expiries_s = tuple(int(s) for s in np.sort(rng.choice(90 * 86_400, 3, replace=False)))
    native, ours = _native.Surface(parameters, expiries_s), Surface(parameters, expiries_s)
    for row in range(6):
        atm, skew = int(rng.integers(1, 1_200_000)), int(rng.integers(-500_000, 500_000))
        arguments = (atm, skew, row, int(rng.integers(0, 40 * 1440)))
        native.apply(*arguments)
        ours.apply(*arguments)
        assert (native.version, native.refused) == (ours.version, ours.refused)
        assert (native.atm_ppm, native.skew_ppm) == (ours.atm_ppm, ours.skew_ppm)
        assert native.stale(row + 2, 1) == ours.stale(row + 2, 1)


def test_a_native_surface_wants_one_value_of_each_for_every_expiry() -> None:
    with pytest.raises(ValueError, match="two wings for each expiry"):
        _native.Surface(STATED, (1, 2, 3))


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_fit_returns_the_slice_that_the_volatilities_are_of(noise: float) -> None:
    for stated in itertools.chain([SOUND], [(0.9, -0.2, 0.15, 1.4, 0.6)]):
        y = np.linspace(-1.5, 1.5, 25)
        seen = volatility(slice_of(*stated), y)
        seen = seen + noise * np.random.default_rng(1).normal(size=len(y))
        part = fit_slice(y, seen)
        found = parameters_of(part)
        if noise == 0:
            assert found == pytest.approx(stated, rel=1e-3, abs=1e-4)
        np.testing.assert_allclose(volatility(part, y), seen, atol=3 * noise + 1e-6)
        again = slice_of(*found)
        np.testing.assert_allclose(variance(again, y), variance(part, y), rtol=1e-9)


def test_too_few_strikes_and_a_variance_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="4 strikes for an SVI slice: five at least"):
        fit_slice(np.arange(4.0), np.full(4, 0.5))
    below = Slice(*np.array([-1.0, 0.5, 0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match=r"variance at the money is -0\.5: not above 0"):
        parameters_of(below)
