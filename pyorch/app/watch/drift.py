"""Drift of the model's inputs: the population stability index against what was seen before.

For a feature with the shares p of the reference and q of now in bins at the reference's deciles,
``PSI = Σ (q − p) ln(q / p)`` (N. Siddiqi, *Credit Risk Scorecards*, 2006, where it also says that above 0.1
one should look, and above 0.25 the population has changed). Half a count is added to every bin, so that an
empty one has a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
Values = NDArray[Any]


def stability(reference: Values, now: Values) -> float:
    """The index of one feature; 0: the same shares. Both are [n] of raw integers, n > 0."""
    at = np.quantile(reference, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = np.unique(at)  # features of few values have fewer bins
    bins = len(edges) + 1
    shares = [
        (np.bincount(np.searchsorted(edges, values), minlength=bins) + 0.5)
        / (len(values) + 0.5 * bins)
        for values in (reference, now)
    ]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


@dataclass(slots=True)
class Drift:
    """The features of a run's first ticks, or of another run's, and of its latest ones.

    Args:
        features: their number.
        reference_ticks: so many warm ticks of the run are the reference, unless one is given.
        window_ticks: the latest ones that are compared with it; nothing is said before they are there.
        reference: [n, features] of another run.
    """

    features: int
    reference_ticks: int = 5000
    window_ticks: int = 5000
    reference: Values | None = None
    _first: Values | None = None
    _latest: Values | None = None

    def take(self, rows: Values) -> None:
        """Features of warm ticks, [n, features]."""
        if self.reference is None:
            first = rows if self._first is None else np.concatenate([self._first, rows])
            if len(first) < self.reference_ticks:
                self._first = first
                return
            self.reference, rows = first[: self.reference_ticks], first[self.reference_ticks :]
            self._first = None
        latest = rows if self._latest is None else np.concatenate([self._latest, rows])
        self._latest = latest[-self.window_ticks :].copy()

    def indices(self) -> list[float]:
        """Per feature its index; 0 as long as there is nothing to compare."""
        latest = self._latest
        if self.reference is None or latest is None or len(latest) < self.window_ticks:
            return [0.0] * self.features
        return [stability(self.reference[:, k], latest[:, k]) for k in range(self.features)]
