"""Black-76 with all Greeks for whole chains: the definition of `pyorch/native/black76.hpp`.

F. Black, "The pricing of commodity contracts", 1976. Values are fractions of the forward: what an
*inverse* option (Deribit's: settled in the coin, no discounting) is worth in BTC, and, times forward and
discount factor, what a *linear* one is worth in USD (`linear`). The out-of-the-money side is computed
directly by Mills ratios, Φ(−x) = φ(x) M(x), with one exponential a strike, since φ(d₂) K = φ(d₁) F;
the other side by parity. So wings keep their relative precision. Only operations of
`pyorch.trading.elementary` and square roots occur: native kernels of any vector width return the same
doubles.

Years have 365 days. Deltas are told apart by name:

- ``delta``: d(value in USD) / d(forward), Black's;
- ``premium_adjusted_delta``: ``delta − value``, the coins that hedge the value counted in coins;
- ``coin_delta``: d(value in BTC) / d(forward) = ``premium_adjusted_delta / forward``, BTC per USD.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pyorch.trading.elementary import Floats, exponential, mills_ratio

INVERSE_SQRT_2PI = 0.3989422804014327
DAYS_A_YEAR = 365.0


class Chain(NamedTuple):
    """Calls and puts of strikes, each field [n] float64: the order of the native kernel's rows.

    Fields without ``call_`` or ``put_`` are those of both rights.
    """

    call_value: Floats
    """Fraction of the forward; BTC for an inverse option."""
    put_value: Floats
    call_delta: Floats
    put_delta: Floats
    call_premium_adjusted_delta: Floats
    put_premium_adjusted_delta: Floats
    call_coin_delta: Floats
    """BTC per USD."""
    put_coin_delta: Floats
    gamma: Floats
    """d(delta) / d(forward), per USD."""
    vega: Floats
    """d(value) / d(volatility), volatility 1 being 100 % a year."""
    theta: Floats
    """d(value) / d(time), a day."""
    vanna: Floats
    """d(delta) / d(volatility)."""
    volga: Floats
    """d(vega) / d(volatility)."""
    charm: Floats
    """d(delta) / d(time), a day."""


def black76(
    log_moneyness: ArrayLike,
    ratio: ArrayLike,
    volatility: ArrayLike,
    years: ArrayLike,
    forward: ArrayLike,
) -> Chain:
    """Values and Greeks of calls and puts.

    Args:
        log_moneyness: [n] ln(strike / forward).
        ratio: [n] strike / forward.
        volatility: [n] above 0.
        years: to expiry, above 0; one, or [n].
        forward: USD, above 0; one, or [n].
    """
    x, ratio = np.asarray(log_moneyness, np.float64), np.asarray(ratio, np.float64)
    sigma, years = np.asarray(volatility, np.float64), np.asarray(years, np.float64)
    root = np.sqrt(years)
    deviation = sigma * root
    d1 = 0.5 * deviation - x / deviation
    d2 = d1 - deviation
    density = INVERSE_SQRT_2PI * exponential(-0.5 * d1 * d1)
    tail1 = density * mills_ratio(np.abs(d1))  # Φ(−|d1|)
    tail2 = density * mills_ratio(np.abs(d2))  # ratio · Φ(−|d2|)
    above1 = np.where(d1 > 0, 1.0 - tail1, tail1)  # Φ(d1)
    below1 = np.where(d1 > 0, tail1, 1.0 - tail1)  # Φ(−d1)
    below2 = np.where(d2 > 0, tail2, ratio - tail2)  # ratio · Φ(−d2)
    # Out of the money: a call above the forward (there d2 < 0), a put below it.
    outside = np.where(x > 0, above1 - tail2, below2 - tail1)
    outside = np.where(outside > 0, outside, 0.0)
    call = np.where(x > 0, outside, outside + (1.0 - ratio))
    put = np.where(x > 0, outside + (ratio - 1.0), outside)
    call_adjusted, put_adjusted = above1 - call, -below1 - put
    vega = density * root
    bend = d2 / sigma
    return Chain(
        call_value=call,
        put_value=put,
        call_delta=above1,
        put_delta=-below1,
        call_premium_adjusted_delta=call_adjusted,
        put_premium_adjusted_delta=put_adjusted,
        call_coin_delta=call_adjusted / forward,
        put_coin_delta=put_adjusted / forward,
        gamma=density / deviation / forward,
        vega=vega,
        theta=-(0.5 * density * sigma) / (root * DAYS_A_YEAR),
        vanna=-density * bend,
        volga=vega * d1 * bend,
        charm=density * d2 / (2.0 * DAYS_A_YEAR * years),
    )


class LinearOption(NamedTuple):
    """A USD-settled option with its discounting, each field [n] float64."""

    value_usd: Floats
    delta: Floats
    """d(value) / d(forward)."""
    gamma: Floats
    """d(delta) / d(forward)."""
    vega_usd: Floats
    theta_usd: Floats
    """A day, the forward held."""
    vanna: Floats
    volga_usd: Floats
    charm: Floats
    rho_usd: Floats
    """d(value) / d(rate), rate 1 being 100 % a year, the forward held."""


def linear(chain: Chain, put: bool, forward: float, years: float, rate: float) -> LinearOption:
    """Calls (or puts) of a chain as linear options discounted by e^(−rate · years), rate of 0 or more."""
    discount = exponential(-rate * years)
    scale = discount * forward
    fraction = chain.put_value if put else chain.call_value
    delta = chain.put_delta if put else chain.call_delta
    value = fraction * scale
    daily = rate / DAYS_A_YEAR
    return LinearOption(
        value_usd=value,
        delta=delta * discount,
        gamma=chain.gamma * discount,
        vega_usd=chain.vega * scale,
        theta_usd=chain.theta * scale + daily * value,
        vanna=chain.vanna * discount,
        volga_usd=chain.volga * scale,
        charm=chain.charm * discount + daily * (delta * discount),
        rho_usd=-years * value,
    )
