"""Comparing arms: the same market quoted with the model, without it, and always widened.

Nobody trades with a journal, so fills are simulated, by one declared model that meets every arm with the
same draws (common random numbers):

- An *informed taker* looks ``informed_ns`` ahead. Where an option's fair value there lies beyond a resting
  quote by more than ``informed_edge_btc``, the quote is hit. An informed taker hits the same side of an
  option at most once in ``pause_ns``.
- *Random takers* arrive as a Poisson process, at ``random_per_s`` over all options, pick an option and a
  side, and trade if the quote is at most their patience away from fair value. Patience is exponential
  with mean ``patience_bp`` of the underlying: wider quotes trade less.

Each fill is one taker's ``fill_lots`` or what the quote shows. Its *mark-out* after a time is what the
maker gained by then against fair value: positive is good. Options are priced in BTC of an inverse
contract, so 1 bp of the underlying is 1e-4 BTC a contract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HORIZONS_NS = (100_000_000, 1_000_000_000, 10_000_000_000)
"""After which times a fill is marked: 100 ms, 1 s, 10 s."""
BP = 1e-4
BLOCK_NS = 10_000_000_000
"""Fills within a block share their fate: intervals resample blocks, not fills."""


@dataclass(frozen=True, slots=True)
class FillModel:
    """The declared parameters of the simulated takers."""

    informed_ns: int = 100_000_000
    informed_edge_btc: float = 0.0
    pause_ns: int = 1_000_000_000
    random_per_s: float = 5.0
    patience_bp: float = 3.0
    fill_lots: int = 1
    seed: int = 20_240_808


@dataclass(frozen=True, slots=True)
class Quotes:
    """What rested, at every tick.

    Attributes:
        local_ns: [n] rising.
        bid, ask: [n, options] BTC, NaN where there was no quote.
        bid_lots, ask_lots: [n, options].
        fair: [n, options] BTC, the theoretical value without the model.
        lot_btc: contracts a lot.
    """

    local_ns: IntArray
    bid: FloatArray
    ask: FloatArray
    bid_lots: IntArray
    ask_lots: IntArray
    fair: FloatArray
    lot_btc: float


@dataclass(frozen=True, slots=True)
class Fills:
    """Simulated fills, in order of time.

    Attributes:
        tick: [m] index of the tick at which the quote rested.
        option: [m]
        maker_buys: [m] the bid was hit.
        informed: [m] by an informed taker.
        price_btc: [m]
        contracts: [m] BTC.
        markout_btc: [m, horizons] gain a contract; NaN where the run ended before.
    """

    tick: IntArray
    option: IntArray
    maker_buys: NDArray[np.bool_]
    informed: NDArray[np.bool_]
    price_btc: FloatArray
    contracts: FloatArray
    markout_btc: FloatArray


@dataclass(frozen=True, slots=True)
class MarkOut:
    """Mean gain of a fill after a time, with a 95 % interval (blocks of 10 s resampled)."""

    horizon_ns: int
    fills: int
    mean_bp: float
    low_bp: float
    high_bp: float
    total_btc: float


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm."""

    name: str
    informed: int
    random: int
    width_bp: float
    """Quoted width (ask minus bid) in bp of the underlying, averaged over time and options."""
    quoted_share: float
    """Share of time and options with both sides quoted."""
    size_lots: float
    """Mean shown size, averaged over time, options and sides."""
    all_fills: tuple[MarkOut, ...]
    informed_fills: tuple[MarkOut, ...]
    random_fills: tuple[MarkOut, ...]


def simulate_fills(quotes: Quotes, model: FillModel) -> Fills:
    """Meet the resting quotes with informed and random takers."""
    later = _index_after(quotes.local_ns, quotes.local_ns + model.informed_ns)
    rows = [*_informed(quotes, model, later), *_random(quotes, model)]
    rows.sort()
    tick = np.array([r[0] for r in rows], np.int64)
    option = np.array([r[1] for r in rows], np.int64)
    buys = np.array([r[2] for r in rows], np.bool_)
    informed = np.array([r[3] for r in rows], np.bool_)
    price = np.where(buys, quotes.bid[tick, option], quotes.ask[tick, option])
    shown = np.where(buys, quotes.bid_lots[tick, option], quotes.ask_lots[tick, option])
    contracts = np.minimum(shown, model.fill_lots) * quotes.lot_btc
    sign = np.where(buys, 1.0, -1.0)
    markout = np.full((len(rows), len(HORIZONS_NS)), np.nan)
    for column, horizon in enumerate(HORIZONS_NS):
        at = _index_after(quotes.local_ns, quotes.local_ns[tick] + horizon)
        known = at >= 0
        gain = sign * (quotes.fair[np.maximum(at, 0), option] - price)
        markout[known, column] = gain[known]
    return Fills(tick, option, buys, informed, price, contracts, markout)


def _index_after(times: IntArray, wanted: IntArray) -> IntArray:
    """Index of the state that holds at ``wanted`` (the last tick not after it); -1 beyond the run."""
    found = np.searchsorted(times, wanted, side="right") - 1
    if len(times):
        found[wanted > times[-1]] = -1
    return found.astype(np.int64)


def _informed(
    quotes: Quotes, model: FillModel, later: IntArray
) -> list[tuple[int, int, bool, bool]]:
    future = np.where((later >= 0)[:, None], quotes.fair[np.maximum(later, 0)], np.nan)
    rows = []
    for maker_buys in (True, False):
        if maker_buys:
            hit = (future < quotes.bid - model.informed_edge_btc) & (quotes.bid_lots > 0)
        else:
            hit = (future > quotes.ask + model.informed_edge_btc) & (quotes.ask_lots > 0)
        free_ns = np.full(hit.shape[1], np.iinfo(np.int64).min)
        for tick, option in np.argwhere(hit):
            now = quotes.local_ns[tick]
            if now >= free_ns[option]:
                rows.append((int(tick), int(option), maker_buys, True))
                free_ns[option] = now + model.pause_ns
    return rows


def _random(quotes: Quotes, model: FillModel) -> list[tuple[int, int, bool, bool]]:
    if len(quotes.local_ns) < 2:
        return []
    draw = np.random.default_rng(model.seed)
    first, last = int(quotes.local_ns[0]), int(quotes.local_ns[-1])
    count = int(draw.poisson(model.random_per_s * (last - first) * 1e-9))
    when = np.sort(draw.integers(first, last, count))
    option = draw.integers(0, quotes.fair.shape[1], count)
    maker_buys = draw.random(count) < 0.5
    patience = draw.exponential(model.patience_bp * BP, count)
    tick = _index_after(quotes.local_ns, when)
    price = np.where(maker_buys, quotes.bid[tick, option], quotes.ask[tick, option])
    lots = np.where(maker_buys, quotes.bid_lots[tick, option], quotes.ask_lots[tick, option])
    away = np.where(maker_buys, 1.0, -1.0) * (quotes.fair[tick, option] - price)
    trades = (away <= patience) & (lots > 0)
    return [
        (int(t), int(o), bool(b), False)
        for t, o, b in zip(tick[trades], option[trades], maker_buys[trades], strict=True)
    ]


def _weight(quotes: Quotes) -> tuple[FloatArray, FloatArray]:
    """[n, options] time with both sides quoted; [n] time to the next tick."""
    both = np.isfinite(quotes.bid) & np.isfinite(quotes.ask)
    spans = np.diff(quotes.local_ns, append=quotes.local_ns[-1:]).astype(np.float64)
    return both * spans[:, None], spans


def mean_width_btc(quotes: Quotes) -> float:
    """Ask minus bid, averaged over time and options where both are quoted; 0 where none is."""
    weight, _ = _weight(quotes)
    total = weight.sum()
    width = np.nan_to_num(quotes.ask - quotes.bid)
    return float((width * weight).sum() / total) if total else 0.0


def summarise(name: str, quotes: Quotes, fills: Fills) -> ArmResult:
    """The figures of an arm's row."""
    weight, spans = _weight(quotes)
    total = weight.sum()
    size = (quotes.bid_lots + quotes.ask_lots) / 2
    everything = np.ones(len(fills.tick), np.bool_)
    return ArmResult(
        name,
        int(fills.informed.sum()),
        int((~fills.informed).sum()),
        mean_width_btc(quotes) / BP,
        float(total / (spans.sum() * weight.shape[1])) if total else 0.0,
        float((size * weight).sum() / total) if total else 0.0,
        _markouts(quotes, fills, everything),
        _markouts(quotes, fills, fills.informed),
        _markouts(quotes, fills, ~fills.informed),
    )


def _markouts(quotes: Quotes, fills: Fills, chosen: NDArray[np.bool_]) -> tuple[MarkOut, ...]:
    results = []
    for column, horizon in enumerate(HORIZONS_NS):
        known = chosen & np.isfinite(fills.markout_btc[:, column])
        gain = fills.markout_btc[known, column]
        low, high = _interval(gain / BP, quotes.local_ns[fills.tick[known]] // BLOCK_NS)
        mean = float(gain.mean() / BP) if len(gain) else float("nan")
        total = float((gain * fills.contracts[known]).sum())
        results.append(MarkOut(horizon, len(gain), mean, low, high, total))
    return tuple(results)


def _interval(values: FloatArray, block: IntArray) -> tuple[float, float]:
    """95 % interval of the mean by resampling whole blocks 1,000 times; NaN below 5 blocks."""
    names, where = np.unique(block, return_inverse=True)
    if len(names) < 5:
        return float("nan"), float("nan")
    sums = np.bincount(where, values)
    counts = np.bincount(where)
    picks = np.random.default_rng(0).integers(0, len(names), (1000, len(names)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
