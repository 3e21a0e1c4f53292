"""``pyorch bench pricing``: 600 options with all Greeks, natively, beside QuantLib and the twin."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from pyorch import _native
from pyorch.contract.figures import Figures
from pyorch.trading.black76 import black76, linear
from pyorch.trading.elementary import logarithm
from pyorch.trading.implied import implied_volatility
from pyorch.trading.pricing import Option, Universe, value_options
from pyorch.trading.surface import YEAR_SECONDS, Surface

EXPIRIES_S = tuple(86_400 * days for days in (1, 2, 3, 7, 14, 28, 56, 91, 182, 364))
STRIKES_USD = tuple(range(45_000, 75_000, 1000))
HALF_TICK_USD = 0.05
FORWARD_HALF_TICKS = 1_200_345
TARGET_US = 60.0
RATE = 0.04
"""Of linear options."""
GRID_YEARS = (60 / YEAR_SECONDS, 1 / 365, 7 / 365, 0.25, 1.0, 10.0)
GRID_VOLATILITIES = (0.01, 0.05, 0.3, 0.6, 1.5, 5.0)
GRID_RATIOS = np.array([0.01, 0.1, 0.5, 0.8, 0.95, 0.999, 1.0, 1.0001, 1.05, 1.3, 2.0, 10.0, 100.0])

Samples = NDArray[np.float64]


def samples_us(run: Callable[[], Any], repeats: int) -> Samples:
    """Durations of calls in microseconds, the first one left out."""
    run()
    taken = np.empty(repeats)
    for k in range(repeats):
        begin = time.perf_counter_ns()
        run()
        taken[k] = (time.perf_counter_ns() - begin) / 1000
    return taken


def spread(name: str, taken: Samples) -> dict[str, float]:
    """Least, median and 99th percentile."""
    return {
        f"{name}_min_us": float(taken.min()),
        f"{name}_p50_us": float(np.median(taken)),
        f"{name}_p99_us": float(np.percentile(taken, 99, method="higher")),
    }


def chain_universe() -> tuple[Universe, Surface, _native.QuotingSettings]:
    """Ten expiries of thirty strikes, calls and puts."""
    options = tuple(
        Option(f"{e}-{k}-{r}", e, k, r)
        for e in range(len(EXPIRIES_S))
        for k in STRIKES_USD
        for r in ("call", "put")
    )
    count = len(EXPIRIES_S)
    parameters = tuple([ppm] * count for ppm in (550_000, -50_000, 100_000, 900_000, 700_000))
    settings = _native.QuotingSettings()
    settings.strikes_usd, settings.expiries_s = list(STRIKES_USD), list(EXPIRIES_S)
    settings.rights, settings.half_tick_usd = 2, HALF_TICK_USD
    universe = Universe(options, EXPIRIES_S, HALF_TICK_USD, "BTC")
    return universe, Surface(parameters, EXPIRIES_S), settings


def quantlib_difference(ql: Any) -> tuple[float, int]:
    """Largest difference to QuantLib, of values, deltas, gammas, vegas and thetas, over a grid with extremes.

    Relative for figures above 1, absolute below, all over the forward.
    """
    worst, points = 0.0, 0
    for years in GRID_YEARS:
        for sigma in GRID_VOLATILITIES:
            volatilities = np.full(len(GRID_RATIOS), sigma)
            ours = black76(logarithm(GRID_RATIOS), GRID_RATIOS, volatilities, years, 1.0)
            for put in (False, True):
                right = ql.Option.Put if put else ql.Option.Call
                for k, ratio in enumerate(GRID_RATIOS.tolist()):
                    payoff = ql.PlainVanillaPayoff(right, ratio)
                    theirs = ql.BlackCalculator(payoff, 1.0, sigma * years**0.5, 1.0)
                    value = ours.put_value if put else ours.call_value
                    delta = ours.put_delta if put else ours.call_delta
                    for a, b in (
                        (value[k], theirs.value()),
                        (delta[k], theirs.deltaForward()),
                        (ours.gamma[k], theirs.gammaForward()),
                        (ours.vega[k], theirs.vega(years)),
                        (ours.theta[k], theirs.thetaPerDay(1.0, years)),
                    ):
                        worst = max(worst, float(abs(a - b) / max(1.0, abs(b))))
                        points += 1
    return worst, points


def quantlib_chain(ql: Any, universe: Universe, volatilities: list[float]) -> None:
    """The chain with five figures an option, through QuantLib's Python binding."""
    forward = FORWARD_HALF_TICKS * HALF_TICK_USD
    for option, sigma in zip(universe.options, volatilities, strict=True):
        years = EXPIRIES_S[option.expiry] / YEAR_SECONDS
        right = ql.Option.Put if option.right == "put" else ql.Option.Call
        payoff = ql.PlainVanillaPayoff(right, float(option.strike_usd))
        calculator = ql.BlackCalculator(payoff, forward, sigma * years**0.5, 1.0)
        calculator.value()
        calculator.deltaForward()
        calculator.gammaForward()
        calculator.vega(years)
        calculator.thetaPerDay(forward, years)


@click.command("pricing")
@click.option("--repeats", default=2000, show_default=True, help="Chains priced for each figure.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def pricing(repeats: int, as_json: bool) -> None:
    """A chain of 600 options with all Greeks and its implied volatilities; QuantLib in the same run."""
    universe, surface, settings = chain_universe()
    forward = FORWARD_HALF_TICKS * HALF_TICK_USD
    figures: dict[str, float] = {"options": len(universe.options)}
    names = ["generic", "avx2", "avx512"]
    widest = _native.pricing_kernel()
    slices = _native.Surface(surface.parameters_ppm, EXPIRIES_S)
    definition = np.array(value_options(universe, surface, FORWARD_HALF_TICKS, 0))
    same = True
    for name in names[: names.index(widest) + 1]:
        pricer = _native.Pricer(settings, name)
        priced = partial(pricer.price, slices, FORWARD_HALF_TICKS, 0)
        taken = samples_us(priced, repeats)
        same = same and np.array_equal(pricer.values(), definition)
        figures |= spread("chain" if name == widest else f"chain_{name}", taken)
    strikes = np.array(STRIKES_USD, np.float64)
    smiles = definition[:, 1].reshape(len(EXPIRIES_S), len(STRIKES_USD), 2)[:, :, 0].copy()
    x, ratio = logarithm(strikes) - logarithm(forward), strikes / forward
    puts = ratio < 1
    arguments = []
    for e, seconds in enumerate(EXPIRIES_S):
        values = definition[e * 60 : (e + 1) * 60, 0].reshape(-1, 2)
        value = np.where(puts, values[:, 1], values[:, 0])
        arguments.append((value, x, ratio, seconds / YEAR_SECONDS, puts))
        same = same and np.array_equal(
            _native.implied_volatility(*arguments[-1]), implied_volatility(*arguments[-1])
        )
    linears = [
        (x, ratio, smiles[e], seconds / YEAR_SECONDS, forward, RATE, put)
        for e, seconds in enumerate(EXPIRIES_S)
        for put in (False, True)
    ]
    for one in linears:
        chain = black76(*one[:5])
        theirs = linear(chain, one[6], forward, one[3], RATE)
        same = same and np.array_equal(_native.linear(*one), np.stack(theirs))
    taken = samples_us(lambda: [_native.linear(*one) for one in linears], repeats)
    figures |= spread("linear_600", taken)
    taken = samples_us(lambda: [_native.implied_volatility(*a) for a in arguments], repeats)
    figures |= spread("implied_300", taken)
    twin = samples_us(lambda: value_options(universe, surface, FORWARD_HALF_TICKS, 0), 20)
    peers = {"NumPy twin": spread("chain", twin)}
    ok = same and figures["chain_p50_us"] < TARGET_US
    try:
        import QuantLib as ql
    except ImportError:
        Console(stderr=True).print("not compared: QuantLib is not installed (extra `peers`)")
    else:
        volatilities = definition[:, 1].tolist()
        taken = samples_us(lambda: quantlib_chain(ql, universe, volatilities), 20)
        worst, points = quantlib_difference(ql)
        peers["QuantLib through its Python binding"] = spread("chain", taken)
        figures |= {"largest_difference_to_quantlib": worst, "points_compared": points}
        ok = ok and worst < 1e-9
    Figures(command="pyorch bench pricing", figures=figures, peers=peers, ok=ok).show(as_json)
