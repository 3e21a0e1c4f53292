"""The page's picture of a moment, as plain JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyorch.app.watch.alerts import Alerts
from pyorch.app.watch.view import FIGURES, MEASURED, View
from pyorch.trading.fair_shift import PROBABILITY_ONE
from pyorch.trading.records import AnswerAssurance, AnsweredBy, TickFlag

SHOWN_FLAGS = {
    TickFlag.PAUSED: "paused", TickFlag.FROZEN: "protected", TickFlag.MODEL_OFF: "model off",
    TickFlag.SESSION_DOWN: "sessions down", TickFlag.JOURNAL_FULL: "journal full",
    TickFlag.SURFACE_STALE: "surface stale", TickFlag.BLOCKED: "quotes refused",
    TickFlag.PENDING: "quotes wait",
}  # fmt: skip
"""Flags of the last tick that stand beside the state."""


def state_in_words(view: View) -> tuple[str, str]:
    """(what the desk does; info, ok, warning or critical); the first that holds."""
    seen, tick = view.latest, view.last_tick
    if seen is None:
        return "waiting for the first tick", "warning"
    if seen.ended:
        return "the run has ended", "info"
    if seen.killed:
        return "killed: nothing is quoted until a named person re-arms", "critical"
    if seen.stalled:
        return "the log is too slow: quotes are withdrawn", "critical"
    flags = int(tick["flags"]) if tick is not None else 0
    for flag, words, level in (
        (TickFlag.JOURNAL_FULL, "the journal is full: nothing is quoted", "critical"),
        (TickFlag.PAUSED, "paused by an operator", "warning"),
        (TickFlag.FROZEN, "market-maker protection keeps quotes away", "warning"),
        (TickFlag.SESSION_DOWN, "no venue's session is up", "critical"),
        (TickFlag.SURFACE_STALE, "the volatility surface is stale", "warning"),
        (TickFlag.MODEL_OFF, "quoting without the model", "warning"),
    ):
        if flags & flag:
            return words, level
    if not flags & TickFlag.BOOK_VALID:
        return "no valid book", "critical"
    if not flags & TickFlag.WARM:
        return "the model is warming up", "warning"
    return "quoting", "ok"


def status(view: View, alerts: Alerts) -> dict[str, Any]:
    """Everything that the page shows; the lists of options and rules are always whole."""
    names, tick = view.names, view.last_tick
    words, level = state_in_words(view)
    flags = TickFlag(int(tick["flags"])) if tick is not None else TickFlag(0)
    figures = view.figures()
    return {
        "title": names.title,
        "state": words,
        "level": level,
        "seconds": view.seconds(view.now_ns),
        "flags": [words for flag, words in SHOWN_FLAGS.items() if flag & flags],
        "engine": _engine(view, tick),
        "stages": view.stages_us(),
        "stage_order": list(MEASURED),
        "figures": {name: {"value": figures[name], "unit": FIGURES[name]} for name in FIGURES},
        "counts": dict(view.counts),
        "inputs": dict(view.inputs),
        "refusals": {name: count for name, count in view.refusals().items() if count},
        "predictions": _predictions(view),
        "rules": _rules(view, tick),
        "adjustments": _adjustments(tick),
        "features": [
            {"name": name, "psi": view.psi[k], "raw": int(tick["features"][k]) if tick is not None else 0}
            for k, name in enumerate(names.features)
        ],
        "venues": [
            {"name": name, "up": k not in view.down} for k, name in enumerate(names.venues)
        ],
        "quotes": _quotes(view),
        "fills": list(view.fills),
        "texts": list(view.texts),
        "alerts": [state.to_json() for state in alerts.states],
    }  # fmt: skip


def _engine(view: View, tick: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": view.names.engine,
        "answers": dict(view.answers),
        "late": view.counts["late"],
        "inexact": view.counts["inexact"],
        "failovers": view.counts["failovers"],
    }
    if tick is not None:
        found["by"] = AnsweredBy(int(tick["answered_by"])).name.lower()
        found["assurance"] = AnswerAssurance(int(tick["assurance"])).name.lower()
    return found


def _predictions(view: View) -> list[dict[str, Any]]:
    names = view.names
    found = []
    for k, name in enumerate(names.outputs):
        unit = 1 if names.linear[k] else PROBABILITY_ONE
        past = [scores[k] / unit for _, scores in view.scores]
        found.append(
            {
                "name": name, "linear": names.linear[k], "value": past[-1] if past else 0.0,
                "threshold": names.thresholds[k] / unit, "past": [round(value, 4) for value in past],
            }
        )  # fmt: skip
    return found


def _rules(view: View, tick: Any) -> list[dict[str, Any]]:
    active, fired = (int(tick["active"]), int(tick["fired"])) if tick is not None else (0, 0)
    return [
        {
            "name": name, "fires": bool(fired >> k & 1), "acts": bool(active >> k & 1),
            "fired": view.fired[k],
        }
        for k, name in enumerate(view.names.rules)
    ]  # fmt: skip


def _adjustments(tick: Any) -> dict[str, float]:
    if tick is None:
        return {}
    return {
        "base_half_spread_bp": int(tick["base_half_spread_bp100"]) / 100,
        "extra_down_bp": int(tick["extra_down_bp100"]) / 100,
        "extra_up_bp": int(tick["extra_up_bp100"]) / 100,
        "size_down_percent": int(tick["size_down_percent"]),
        "size_up_percent": int(tick["size_up_percent"]),
        "forecast_bp": int(tick["forecast_bp100"]) / 100,
        "inventory_bp": int(tick["inventory_bp100"]) / 100,
    }


def _quotes(view: View) -> list[dict[str, Any]]:
    names, seen = view.names, view.latest
    positions = np.array(seen.positions_lots if seen is not None else [0] * len(names.options))
    found = []
    for k, option in enumerate(names.options):
        quote = view.quotes.get(k)
        row: dict[str, Any] = {
            "option": option,
            "venue": names.venues[names.venue_of[k]],
            "position_lots": int(positions[k]),
        }
        if quote is not None and names.venue_of[k] not in view.down and not view.ended:
            row |= {
                "bid_btc": int(quote["bid_ticks"]) * names.tick_btc if quote["bid_lots"] else None,
                "ask_btc": int(quote["ask_ticks"]) * names.tick_btc if quote["ask_lots"] else None,
                "bid_lots": int(quote["bid_lots"]),
                "ask_lots": int(quote["ask_lots"]),
                "value_btc": float(quote["value_btc"]),
                "volatility": float(quote["volatility"]),
                "delta": float(quote["delta"]),
            }
        found.append(row)
    return found
