"""A volatility surface transplanted from a snapshot of an option chain of another day.

A recorded market of the underlying has no surface of its own. A chain's implied volatilities are carried
over by log-forward-moneyness and tenor: at the same ln(K/F), linearly in total variance between the two
neighbouring expiries, then fitted by the SVI slice per expiry that the pricing uses. What comes
out is called *transplanted* wherever it is shown: it is another day's smile, and it does not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import DataError
from pyorch.trading.surface import YEAR_SECONDS, ParametersPpm, slice_of
from pyorch.trading.surface import volatility as slice_volatility
from pyorch.trading.surface_fit import fit_slice, parameters_of

Floats = NDArray[np.float64]
COLUMNS = ("ts", "option_type", "strike", "exp", "underlying", "implied_volatility", "currency")
GRID = np.linspace(-1.0, 1.0, 21)
"""Standardised log-moneyness ln(K/F)/√years at which the fit is made."""
MINIMUM_STRIKES = 5


@dataclass(frozen=True, slots=True)
class ChainSmile:
    """One expiry of a snapshot: out-of-the-money options by rising log-moneyness."""

    years: float
    log_moneyness: Floats
    volatility: Floats

    def variance_at(self, log_moneyness: Floats) -> Floats:
        """Total variance σ²T; beyond the outermost strikes their volatility."""
        sigma = np.interp(log_moneyness, self.log_moneyness, self.volatility)
        variance: Floats = sigma * sigma * self.years
        return variance


@dataclass(frozen=True, slots=True)
class TransplantedSurface:
    """The `PARAMETERS` per expiry in 1e-6, what they come from, and how well they fit.

    Attributes:
        residual: largest difference between the fit and the interpolated smile on the grid, in
            volatility (0.01 is one volatility point).
    """

    parameters_ppm: ParametersPpm
    label: str
    residual: float


def read_snapshot(path: Path, index: int = 0, currency: str = "BTC") -> list[ChainSmile]:
    """The smiles of the ``index``-th snapshot in time, by rising tenor.

    Raises:
        DataError: the file is unreadable, has other columns, or no usable expiry.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(COLUMNS))
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path}: not an option chain in Parquet ({error})") from error
    missing = set(COLUMNS) - set(table.column_names)
    if missing:
        raise DataError(f"{path}: the chain has no column {', '.join(sorted(missing))}")
    columns: dict[str, Any] = {
        name: np.array(table[name].cast(pa.int64()).to_pylist())
        if name in ("ts", "exp")
        else np.array(table[name].to_pylist())
        for name in COLUMNS
    }
    moments = np.unique(columns["ts"])
    if not 0 <= index < len(moments):
        raise DataError(f"{path}: snapshot {index} of {len(moments)}; count from 0")
    chosen = (columns["ts"] == moments[index]) & (columns["currency"] == currency)
    chosen &= columns["implied_volatility"] > 0
    smiles = []
    for expiry in np.unique(columns["exp"][chosen]):
        at = chosen & (columns["exp"] == expiry)
        years = float(expiry - moments[index]) / 1e6 / YEAR_SECONDS
        moneyness = np.log(columns["strike"][at] / columns["underlying"][at])
        outside = np.where(columns["option_type"][at] == "call", moneyness >= 0, moneyness < 0)
        order = np.argsort(moneyness[outside])
        if years <= 0 or len(order) < MINIMUM_STRIKES:
            continue
        sigma = columns["implied_volatility"][at][outside][order]
        smiles.append(ChainSmile(years, moneyness[outside][order], sigma))
    if not smiles:
        raise DataError(
            f"{path}: snapshot {index} has no {currency} expiry with {MINIMUM_STRIKES} strikes"
        )
    return smiles


def transplant(
    smiles: Sequence[ChainSmile], expiries_s: Sequence[int], source: str
) -> TransplantedSurface:
    """Carry smiles over to the tenors of a universe.

    Args:
        smiles: by rising tenor, at least one.
        expiries_s: seconds to each expiry of the universe.
        source: what the label names.
    """
    tenors = np.array([smile.years for smile in smiles])
    parameters, residual = [], 0.0
    for seconds in expiries_s:
        years = seconds / YEAR_SECONDS
        moneyness = GRID * np.sqrt(years)
        after = int(np.searchsorted(tenors, years))
        if after == 0 or after == len(smiles):
            nearest = smiles[min(after, len(smiles) - 1)]
            variance = nearest.variance_at(moneyness) * (years / nearest.years)
        else:
            near, far = smiles[after - 1], smiles[after]
            weight = (years - near.years) / (far.years - near.years)
            variance = (1 - weight) * near.variance_at(moneyness) + weight * far.variance_at(
                moneyness
            )
        sigma = np.sqrt(variance / years)
        found = parameters_of(fit_slice(GRID, sigma))
        fitted = slice_volatility(slice_of(*found), GRID)
        residual = max(residual, float(np.abs(fitted - sigma).max()))
        parameters.append([round(value * 1e6) for value in found])
    return TransplantedSurface(
        tuple(zip(*parameters, strict=True)),
        f"transplanted from {source} by log-forward-moneyness and tenor; "
        f"fit within {100 * residual:.2f} volatility points; it does not move",
        residual,
    )
