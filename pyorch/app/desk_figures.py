"""What a desk's fills were worth: spreads, mark-outs, PnL, against everybody else's fair value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyorch.trading.exchange.fair import FairValues
from pyorch.trading.exchange.venue import Fill

HORIZONS_MS = (100, 1000, 10_000)
BP = 1e-4


def fill_rows(
    fills: Sequence[Fill], fair: FairValues, tick_btc: float, last_ns: int
) -> list[dict[str, Any]]:
    """Per fill its price against fair value then and later, in bp of the underlying.

    ``edge_bp``: what the desk gained against fair value at once; ``markout_{ms}_bp``: by then, None where
    the run ended before.
    """
    rows: list[dict[str, Any]] = []
    wanted: list[tuple[int, int, str]] = []
    for number, fill in enumerate(fills):
        rows.append(
            {
                "local_ns": fill.local_ns, "option": fill.option, "side": fill.side, "by": fill.by,
                "price_btc": fill.price_ticks * tick_btc, "lots": fill.lots,
                "queue_lots": fill.queue_lots, "sequence": fill.sequence,
            }
        )  # fmt: skip
        wanted.append((fill.local_ns, number, "edge_bp"))
        for ms in HORIZONS_MS:
            at = fill.local_ns + ms * 1_000_000
            rows[number][f"markout_{ms}_bp"] = None
            if at <= last_ns:
                wanted.append((at, number, f"markout_{ms}_bp"))
    for at, number, name in sorted(wanted):
        row = rows[number]
        value = float(fair.values(max(0, fair.index_at(at)))[row["option"]])
        gain = (value - row["price_btc"]) * (1 if row["side"] == 0 else -1)
        row[name] = None if np.isnan(gain) else round(gain / BP, 6)
    return rows


def by_taker(rows: Sequence[dict[str, Any]], lot_btc: float) -> list[dict[str, Any]]:
    """The same by who traded: fills, contracts, mean edge and mark-outs, gain in BTC after each time."""
    table = []
    for name in [*sorted({row["by"] for row in rows}), "all"]:
        mine = [row for row in rows if name in (row["by"], "all")]
        entry: dict[str, Any] = {
            "by": name,
            "fills": len(mine),
            "contracts_btc": round(sum(row["lots"] for row in mine) * lot_btc, 6),
        }
        for key in ("edge_bp", *(f"markout_{ms}_bp" for ms in HORIZONS_MS)):
            known = [row for row in mine if row[key] is not None]
            weight = sum(row["lots"] for row in known)
            gain = sum(row[key] * row["lots"] for row in known)
            entry[key] = round(gain / weight, 4) if weight else None
            entry[key.replace("_bp", "_btc")] = round(gain * BP * lot_btc, 8)
        table.append(entry)
    return table


def marked_to_fair_btc(
    fills: Sequence[Fill], fair: FairValues, tick_btc: float, lot_btc: float, last_ns: int
) -> float:
    """PnL: what was paid and received, with what is held valued at the end."""
    values = fair.values(max(0, fair.index_at(last_ns)))
    total = 0.0
    for fill in fills:
        sign = 1 if fill.side == 0 else -1
        total += sign * fill.lots * (float(values[fill.option]) - fill.price_ticks * tick_btc)
    return total * lot_btc


def paired_gain(
    rows: Sequence[dict[str, Any]],
    others: Sequence[dict[str, Any]],
    lot_btc: float,
    block_ns: int = 5_000_000_000,
) -> dict[str, float]:
    """What one arm's fills gained more than another's after 1 s, in BTC a block of 5 s, with a 95 % interval.

    Blocks of time are paired and resampled 2,000 times: within one, fills share their fate. NaN below 5
    blocks.
    """
    key = "markout_1000_bp"
    gains: dict[int, float] = {}
    for sign, given in ((1, rows), (-1, others)):
        for row in given:
            block = row["local_ns"] // block_ns
            gain = (row[key] or 0.0) * BP * row["lots"] * lot_btc
            gains[block] = gains.get(block, 0.0) + sign * gain
    if len(gains) < 5:
        return {"mean_btc": float("nan"), "low_btc": float("nan"), "high_btc": float("nan")}
    blocks = range(min(gains), max(gains) + 1)
    values = np.array([gains.get(block, 0.0) for block in blocks])
    picks = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return {"mean_btc": float(values.mean()), "low_btc": float(low), "high_btc": float(high)}


def beside_figures(parents: Sequence[dict[str, Any]], requests: dict[str, int]) -> dict[str, float]:
    """Of parent orders and requests for quotes, name with unit → number."""
    figures: dict[str, float] = {}
    for number, parent in enumerate(parents):
        figures[f"parent_{number}_done_share"] = parent["done_lots"] / parent["lots"]
        for key in ("shortfall_ticks", "baseline_ticks"):
            if parent[key] is not None:
                figures[f"parent_{number}_{key}"] = parent[key]
    for name, count in requests.items():
        figures[f"requests_{name.replace(' ', '_')}"] = count
    return figures
