"""The quoted options: native doubles equal Python's on every kernel, recorded chains come out."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.contract.errors import DataError
from pyorch.trading.black76 import black76
from pyorch.trading.pricing import (
    Option,
    Universe,
    value_options,
)
from pyorch.trading.surface import Surface, slice_of, volatility
from pyorch.trading.transplant import ChainSmile, read_snapshot, transplant

ROOT = Path(__file__).resolve().parents[2]
CHAIN = (
    Path(os.environ.get("PYORCH_DATA", ROOT.parent / "shared" / "data"))
    / "deribit_chain"
    / "btc_eth_chain_2025-12-30_2026-01-15.parquet"
)
STRIKES = [40_000, 55_000, 60_000, 66_000, 120_000]
PARAMETERS = ([600_000] * 2, [-5_000] * 2, [50_000] * 2, [900_000] * 2, [700_000] * 2)


def kernels() -> list[str]:
    """Those that this processor runs."""
    widest = ["generic", "avx2", "avx512"]
    return widest[: widest.index(_native.pricing_kernel()) + 1]


UNIVERSE = Universe(
    tuple(
        Option(f"{e}-{k}-{r}", e, k, r) for e in range(2) for k in STRIKES for r in ("call", "put")
    ),
    (86_400, 90 * 86_400),
    0.05,
    "BTCUSD",
)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(200_000, 4_000_000),
    st.integers(0, 1439),
    st.integers(10_000, 3_000_000),
    st.integers(-500_000, 500_000),
    st.integers(-500_000, 500_000),
)
def test_native_doubles_equal_python_s(
    half_ticks: int, minutes: int, atm: int, skew: int, curvature: int
) -> None:
    parameters = [atm, atm + 7], [skew, -skew], [curvature] * 2, [900_000] * 2, [600_000, 10_000]
    settings_ = _native.QuotingSettings()
    settings_.strikes_usd, settings_.expiries_s = STRIKES, [86_400, 90 * 86_400]
    settings_.rights, settings_.half_tick_usd = 2, UNIVERSE.half_tick_usd
    surface = Surface(parameters, UNIVERSE.expiries_s)
    definition = np.array(value_options(UNIVERSE, surface, half_ticks, minutes))
    for kernel in kernels():
        pricer = _native.Pricer(settings_, kernel)
        pricer.price(_native.Surface(parameters, UNIVERSE.expiries_s), half_ticks, minutes)
        np.testing.assert_array_equal(pricer.values(), definition)


def test_calls_alone_are_priced_as_among_puts() -> None:
    settings_ = _native.QuotingSettings()
    settings_.strikes_usd, settings_.expiries_s = STRIKES, [86_400, 90 * 86_400]
    settings_.half_tick_usd = UNIVERSE.half_tick_usd
    surface = _native.Surface(PARAMETERS, UNIVERSE.expiries_s)
    both = []
    for rights in (1, 2):
        settings_.rights = rights
        pricer = _native.Pricer(settings_)
        pricer.price(surface, 1_200_000, 5)
        both.append(pricer.values())
    np.testing.assert_array_equal(both[0], both[1][::2])


def test_put_and_call_differ_by_the_forward() -> None:
    values = value_options(UNIVERSE, Surface(PARAMETERS, UNIVERSE.expiries_s), 1_200_000, 5)
    for call, put, option in zip(values[::2], values[1::2], UNIVERSE.options[::2], strict=True):
        assert call.value_btc - put.value_btc == pytest.approx(
            1 - option.strike_usd / 60_000, abs=1e-12
        )
        assert call.gamma > 0 and 0 <= call.delta <= 1 and -1 <= put.delta <= 0


def test_an_expired_option_is_worth_nothing() -> None:
    universe = replace(UNIVERSE, expiries_s=(120, 90 * 86_400))
    values = value_options(universe, Surface(PARAMETERS, universe.expiries_s), 1_200_000, 2)
    assert not any(any(value) for value in values[:10])
    assert all(value.vega > 0 for value in values[12:18])


def test_transplanting_an_svi_smile_returns_its_parameters() -> None:
    def smile(years: float) -> ChainSmile:
        y = np.linspace(-1.5, 1.5, 3001)
        return ChainSmile(
            years, y * math.sqrt(years), volatility(slice_of(0.6, -0.05, 0.1, 0.9, 0.7), y)
        )

    years = 7 / 365
    result = transplant([smile(years), smile(0.2)], [7 * 86_400], "a made-up chain")
    found = [value for (value,) in result.parameters_ppm]
    assert found == pytest.approx([600_000, -50_000, 100_000, 900_000, 700_000], rel=2e-3)
    assert result.residual < 1e-6
    assert result.label.startswith("transplanted from a made-up chain")


def test_a_file_that_is_no_chain_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"chain.parquet: not an option chain in Parquet"):
        read_snapshot(path)


@pytest.mark.tape
@pytest.mark.skipif(not CHAIN.exists(), reason=f"no recorded chain at {CHAIN}")
def test_recorded_marks_come_out_with_a_median_error_near_1e_5_btc() -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(CHAIN).slice(0, 20_000)
    names = ("option_type", "strike", "underlying", "implied_volatility", "mark_price")
    years = (
        (np.array(table["exp"].cast("int64")) - np.array(table["ts"].cast("int64")))
        / 1e6
        / 31_536_000
    )
    right, strike, forward, sigma, mark = (np.array(table[name].to_pylist()) for name in names)
    some = (years > 0) & (sigma > 0)
    ratio = (strike / forward)[some]
    chain = black76(np.log(ratio), ratio, sigma[some], years[some], forward[some])
    value = np.where(right[some] == "call", chain.call_value, chain.put_value)
    errors = np.abs(value - mark[some])
    assert len(errors) > 15_000
    assert np.median(errors) < 2e-5


@pytest.mark.tape
@pytest.mark.skipif(not CHAIN.exists(), reason=f"no recorded chain at {CHAIN}")
def test_the_recorded_chain_transplants_within_two_volatility_points() -> None:
    result = transplant(read_snapshot(CHAIN), [7 * 86_400, 28 * 86_400], CHAIN.name)
    assert all(200_000 < atm < 1_500_000 for atm in result.parameters_ppm[0])
    assert result.residual < 0.02
