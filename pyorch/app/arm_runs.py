"""Paired arms on one market: the model, none, a wide spread, an equally wide one, and a shuffled signal.

All arms meet the same events and the same simulated takers (`pyorch.app.arms`). The *shuffled* arm has the
model's scores from another time of the run: the same rules fire as often, at moments that mean nothing. The
*evenly wide* arm has no model and the model arm's average width. Only a gain over *shuffled* is the signal's;
what *shuffled* gains over *evenly wide*, the control, comes from where width is put, without any signal.

Quotes rest a *latency* after their tick, drawn from a measured distribution
(`pyorch.app.latency_tables`), the same draws for every arm.

With a *known signal* the model's scores are replaced by the market's own future: what a forecast without
error would be worth, and whether this comparison finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyorch.app.arms import BP, HORIZONS_NS, FillModel, Fills, Quotes, simulate_fills, summarise
from pyorch.app.desk_figures import paired_gain
from pyorch.app.journal import Journal
from pyorch.app.latency_tables import LatencyTable, delayed
from pyorch.app.replay import replay
from pyorch.app.report.comparison import EVEN, evenly_wide, quotes_of
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.market.tape import Tape
from pyorch.trading.arming import output_index
from pyorch.trading.config import QuotingConfig
from pyorch.trading.fair_shift import PROBABILITY_ONE
from pyorch.trading.records import RecordArray

AHEAD_NS = 100_000_000
KNOWN_SHARE = 0.01
"""A known signal announces the largest moves in 100 ms, so many of each direction."""
COMPARED = "model"


@dataclass(frozen=True, slots=True)
class ArmFound:
    """An arm's figures, and its gain over the model arm's a block of time with its interval."""

    figures: dict[str, float]
    model_gains: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class ArmsFound:
    """All arms, and in words what follows and what does not.

    Attributes:
        control: gain of the shuffled arm over the evenly wide one: what comes without a signal.
    """

    arms: dict[str, ArmFound]
    control: dict[str, float]
    verdicts: tuple[str, ...]
    digests: dict[str, str]


def ticks_of(journal: Journal) -> RecordArray:
    """One record for each time that the engine was asked, in order."""
    number = journal.ticks["tick"]
    last = np.append(number[1:] != number[:-1], True)  # withdrawals between ticks come before
    ticks: RecordArray = journal.ticks[last]
    return ticks


def shuffled_scores(scores: IntArray, seed: int) -> IntArray:
    """[ticks, outputs] of another time: moved round by a quarter to three quarters of the run."""
    count = len(scores)
    by = int(np.random.default_rng(seed).integers(count // 4, max(3 * count // 4, count // 4 + 1)))
    return np.ascontiguousarray(np.roll(scores, by, axis=0))


def known_scores(ticks: RecordArray, bundle: Bundle) -> IntArray:
    """[ticks, outputs] that announce the largest moves of the next 100 ms with certainty.

    Raises:
        UsageError: the model has no head that the default rules read.
    """
    index = output_index(bundle.spec)
    names = {
        side: [f"jump.{side}_50ms", f"jump.{side}_100ms", f"withdrawal.{book}"]
        for side, book in (("down", "bid"), ("up", "ask"))
    }
    if missing := [n for each in names.values() for n in each if n not in index]:
        raise UsageError(
            f"the model has no {', '.join(missing)}: a known signal speaks through these"
        )
    now = ticks["local_ns"].astype(np.int64)
    mid = ticks["forward_half_ticks"].astype(np.int64)
    later = np.searchsorted(now, now + AHEAD_NS, side="right") - 1
    move = mid[later] - mid
    scores = np.zeros((len(ticks), len(bundle.spec.outputs)), np.int64)
    for side, sign in (("down", -1), ("up", 1)):
        threshold = max(1.0, float(np.quantile(sign * move, 1 - KNOWN_SHARE)))
        fires = sign * move >= threshold
        for name in names[side]:
            scores[fires, index[name]] = PROBABILITY_ONE
    return scores


def run_arms(
    bundle: Bundle,
    tape: Tape,
    config: QuotingConfig,
    out: Path,
    takers: FillModel,
    *,
    known: bool = False,
    chain: Path | None = None,
    seeds: dict[str, int] | None = None,
    latency: LatencyTable | None = None,
    on_arm: Callable[[str], Any] | None = None,
) -> ArmsFound:
    """Run every arm into a folder of its own inside ``out`` and compare them.

    Args:
        known: with a known signal instead of the model's scores.
        latency: from a tick to its quotes; None: they rest at once.
        on_arm: called with each arm's name before it runs.
    """

    def run(arm: str, table: IntArray | None = None) -> Journal:
        if on_arm is not None:
            on_arm(arm)
        return replay(bundle, tape, config, arm, out / arm, table=table, chain=chain, seeds=seeds)

    journals = {"no-model": run("no-model")}
    signal = known_scores(ticks_of(journals["no-model"]), bundle) if known else None
    journals["model"] = run("model", signal)
    scores = ticks_of(journals["model"])["scores"][:, : len(bundle.spec.outputs)].astype(np.int64)
    journals["shuffled"] = run("shuffled", shuffled_scores(scores, takers.seed))
    journals["always-widen"] = run("always-widen")
    quotes = {name: quotes_of(journal) for name, journal in journals.items()}
    quotes[EVEN] = evenly_wide(quotes["no-model"], quotes["model"])
    if latency is not None:
        for name, one in quotes.items():
            drawn = latency.draw_ns(len(one.local_ns), takers.seed)
            quotes[name] = delayed(one, drawn)
    fills = {name: simulate_fills(one, takers) for name, one in quotes.items()}
    rows = {name: _rows(quotes[name], fills[name]) for name in quotes}
    arms, verdicts = {}, []
    minutes = float(np.ptp(quotes["model"].local_ns)) / 60e9
    for name in ("model", "no-model", "always-widen", EVEN, "shuffled"):
        gains = None
        if name != COMPARED:
            gains = paired_gain(rows[COMPARED], rows[name], 1.0)
            verdicts.append(verdict(f"{COMPARED} against {name}", gains, minutes))
        arms[name] = ArmFound(arm_figures(name, quotes[name], fills[name]), gains)
    control = paired_gain(rows["shuffled"], rows[EVEN], 1.0)
    verdicts.append(verdict(f"control, shuffled against {EVEN}", control, minutes))
    digests = journals["model"].run.digests | {
        f"journal {name}": journal.content_digest for name, journal in journals.items()
    }
    return ArmsFound(arms, control, tuple(verdicts), digests)


def _rows(quotes: Quotes, fills: Fills) -> list[dict[str, Any]]:
    """As `paired_gain` takes them."""
    return [
        {"local_ns": int(quotes.local_ns[tick]), "lots": float(lots), "markout_1000_bp": gain}
        for tick, lots, gain in zip(
            fills.tick, fills.contracts, np.nan_to_num(fills.markout_btc[:, 1] / BP), strict=True
        )
    ]


def arm_figures(name: str, quotes: Quotes, fills: Fills) -> dict[str, float]:
    """Spreads, mark-outs, fills, inventory and PnL; bp are of the underlying, weighted by contracts.

    ``effective_spread_bp``: twice the price's distance from fair value at the fill; ``realised_spread_bp``:
    from fair value 1 s later; ``slippage_bp``: half the difference, what fair value moved against the desk.
    """
    whole = summarise(name, quotes, fills)
    minutes = float(np.ptp(quotes.local_ns)) / 60e9
    sign = np.where(fills.maker_buys, 1.0, -1.0)
    weight = fills.contracts

    def mean(values: Any) -> float:
        known = np.isfinite(values)
        total = weight[known].sum()
        return float((values[known] * weight[known]).sum() / total / BP) if total else float("nan")

    edge = sign * (quotes.fair[fills.tick, fills.option] - fills.price_btc)
    last = sign * (quotes.fair[-1, fills.option] - fills.price_btc)
    held = np.cumsum(sign * weight)
    figures = {
        "fills": float(len(fills.tick)),
        "informed_fills": float(whole.informed),
        "fills_a_minute": len(fills.tick) / minutes if minutes else 0.0,
        "quoted_share": whole.quoted_share,
        "quoted_width_bp": whole.width_bp,
        "effective_spread_bp": 2 * mean(edge),
        "realised_spread_bp": 2 * mean(fills.markout_btc[:, 1]),
        "slippage_bp": mean(edge - fills.markout_btc[:, 1]),
    }
    for column, horizon in enumerate(HORIZONS_NS):
        figures[f"markout_{horizon // 1_000_000}ms_bp"] = mean(fills.markout_btc[:, column])
    figures["largest_inventory_btc"] = float(np.abs(held).max()) if len(held) else 0.0
    figures["pnl_btc"] = float((last * weight).sum())
    return figures


def verdict(pair: str, gains: dict[str, float], minutes: float) -> str:
    """What an arm's gain over another says, and what it does not."""
    mean, low, high = (gains[f"{key}_btc"] for key in ("mean", "low", "high"))
    found = f"{mean:+.2e} BTC a block of 5 s (95 % interval {low:+.2e} to {high:+.2e})"
    if np.isnan(mean):
        return f"{pair}: too few fills for an interval; nothing can be concluded"
    if low > 0:
        return f"{pair}: a gain of {found} in these {minutes:.1f} minutes"
    if high < 0:
        return f"{pair}: a loss of {found} in these {minutes:.1f} minutes"
    times = (max(high - mean, mean - low) / abs(mean)) ** 2 if mean else float("inf")
    need = f"about {minutes * times:,.0f} minutes" if np.isfinite(times) else "no finite time"
    return (
        f"{pair}: {found}; no difference can be concluded from {minutes:.1f} minutes, a "
        f"gain of this size would need {need} like these"
    )
