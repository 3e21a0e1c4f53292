"""Which quotes rested after each tick, from the records of what was sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.app.journal import Journal
from pyorch.trading.records import TickFlag

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resting:
    """Per tick and option the live quote; NaN and 0 lots where a side was not quoted."""

    bid_btc: FloatArray
    """[n, options]"""
    ask_btc: FloatArray
    bid_lots: IntArray
    ask_lots: IntArray


def resting(journal: Journal, low: int = 0, high: int | None = None) -> Resting:
    """The quotes that rested after the tick records ``low`` to ``high`` (not included).

    Args:
        journal: the run.
        low, high: indices of tick records; all for 0 and None.
    """
    ticks, quotes = journal.ticks, journal.quotes
    high = len(ticks) if high is None else high
    tick_btc = float(journal.run.config["quoting"]["option_tick_btc"])
    sent = np.cumsum(ticks["quotes"], dtype=np.int64)  # records sent up to and with each tick
    withdrawn = np.where(ticks["flags"] & TickFlag.CANCELLED != 0, sent, 0)
    void = np.maximum.accumulate(withdrawn)[low:high] if len(ticks) else sent
    shape = (high - low, len(journal.run.options))
    prices = {side: np.full(shape, np.nan) for side in ("bid", "ask")}
    sizes = {side: np.zeros(shape, np.int64) for side in ("bid", "ask")}
    for option in range(shape[1]):
        mine = np.flatnonzero(quotes["option"] == option)
        if not len(mine):
            continue
        last = np.searchsorted(mine, sent[low:high]) - 1
        at = mine[np.maximum(last, 0)]
        live = (last >= 0) & (at >= void)
        record = quotes[at]
        for side in ("bid", "ask"):
            shown = live & (record[f"{side}_lots"] > 0)
            prices[side][shown, option] = record[f"{side}_ticks"][shown] * tick_btc
            sizes[side][shown, option] = record[f"{side}_lots"][shown]
    return Resting(prices["bid"], prices["ask"], sizes["bid"], sizes["ask"])
