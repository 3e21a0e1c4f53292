"""Puts the page together: `write_report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyorch.app.arms import FillModel
from pyorch.app.fair import forward_usd
from pyorch.app.journal import Journal
from pyorch.app.judged import held_out_from, judged
from pyorch.app.report import plots
from pyorch.app.report.comparison import Comparison, compare
from pyorch.app.report.explain import explain
from pyorch.app.report.fabric import cycle_budget
from pyorch.app.report.formats import count, duration
from pyorch.app.report.latency import measure
from pyorch.app.report.rendering import render_page
from pyorch.app.report.rules import RuleRow, output_names, rule_rows
from pyorch.app.report.training import Training
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.model import PROBABILITY, ModelSpec
from pyorch.contract.schema import FeatureSchema
from pyorch.trading.records import RecordArray, TickFlag

ONE = 1 << PROBABILITY.fraction
BINS = 10
"""Bins of a reliability plot, of equal numbers of ticks."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """How often an output's event happened in the run, and how often it was forecast."""

    name: str
    known: int
    happened: int
    rate: float
    forecast: float


def write_report(
    journals: Sequence[Journal],
    path: Path,
    fill_model: FillModel | None = None,
    training: Training | None = None,
    fabrics: Sequence[FabricManifest] = (),
) -> Comparison:
    """Write the report, one self-contained HTML file.

    The first screen explains the journal of the arm ``model`` (or the first, without one).

    Returns:
        The arms' figures.

    Args:
        journals: one for each arm, of one tape.
        path: where to.
        fill_model: the simulated takers.
        training: the record of a training run; None: what the bundle's provenance holds.
        fabrics: emitted fabrics whose cycle budgets are shown.

    Raises:
        UsageError: no journal, or two of the same arm.
        DataError: the journals are of different tapes.
    """
    if not journals:
        raise UsageError("no journal given; name at least one folder that `pyorch replay` wrote")
    arms = [journal.run.arm for journal in journals]
    if len(set(arms)) < len(arms):
        raise UsageError(f"two journals are of the same arm ({', '.join(arms)}); give one of each")
    main = next((j for j in journals if j.run.arm == "model"), journals[0])
    fill_model = fill_model or FillModel()
    comparison = compare(journals, fill_model)
    training = training or Training.of(main)
    text = _render(main, journals, comparison, fill_model, training, fabrics)
    write_atomically(path, text.encode())
    return comparison


def report_figures(comparison: Comparison) -> dict[str, dict[str, float]]:
    """The arms' figures, arm → name with unit → number."""
    result = {}
    for arm in comparison.arms:
        figures: dict[str, float] = {
            "quoted_width_bp": arm.width_bp,
            "quoted_share": arm.quoted_share,
            "informed_fills": arm.informed,
            "random_fills": arm.random,
        }
        for kind, markouts in (("", arm.all_fills), ("informed_", arm.informed_fills)):
            for one in markouts:
                if one.fills:
                    name = f"{kind}markout_{one.horizon_ns // 1_000_000}ms"
                    figures[f"{name}_bp"] = one.mean_bp
                    figures[f"{name}_total_btc"] = one.total_btc
        result[arm.name] = figures
    return result


def _render(
    main: Journal,
    journals: Sequence[Journal],
    comparison: Comparison,
    fill_model: FillModel,
    training: Training,
    fabrics: Sequence[FabricManifest],
) -> str:
    warm = main.ticks[judged(main)]
    spec = ModelSpec.from_json(main.run.model)
    rules = rule_rows(main)
    labels, curves = _labels(main, spec)
    times = main.ticks["local_ns"]
    context: dict[str, Any] = {
        "fabrics": [cycle_budget(fabric) for fabric in fabrics],
        "run": main.run,
        "ticks": len(main.ticks),
        "quotes": len(main.quotes),
        "warm": len(warm),
        "seconds": float(times[-1] - times[0]) * 1e-9 if len(times) else 0.0,
        "content_digest": main.content_digest,
        "journals": [journal.folder.name for journal in journals],
        "unseen": _unseen(main),
        "e": explain(main),
        "rules": rules,
        "latency": measure(main.ticks),
        "durations": _durations(main.ticks),
        "comparison": comparison,
        "fill_text": fill_text(fill_model),
        "simulated": simulated(main),
        "desk": main.run.facts.get("desk"),
        "market": _market(main),
        "quality": training.tables,
        "training": plots.curves(training.curves) if training.curves else "",
        "reliability": plots.reliability(curves) if curves else "",
        "scores": _scores(warm, spec, rules),
        "labels": labels,
        "data_rows": _data_rows(main),
        "features": _feature_plots(main, warm),
        "saturated": _saturated(main, warm),
    }
    return render_page("page.html", context)


def fill_text(model: FillModel) -> str:
    """The declared fill model, in words."""
    return (
        "Nobody traded: takers are simulated. An informed taker hits a resting quote when the option's "
        f"fair value {model.informed_ns / 1e6:g} ms later lies beyond it, at most once in "
        f"{model.pause_ns / 1e9:g} s for each side of an option. Random takers (seed {model.seed}) arrive "
        f"{model.random_per_s:g} times a second over all options and take a quote within their patience of "
        f"fair value, on average {model.patience_bp:g} bp of the underlying. Each takes {model.fill_lots} "
        "lot; all arms meet the same takers. A mark-out is what the maker gained a contract against fair "
        "value by then; 1 bp of the underlying is 0.0001 BTC. Intervals resample blocks of 10 s. “Evenly "
        "wide” moves the quotes of no-model outward, at all times and in fractions of a tick, to the average "
        "width of the model's: what the same width is worth when it is spread over all ticks."
    )


def simulated(journal: Journal) -> tuple[str, ...]:
    """What of this run was not real, plainly."""
    instrument = journal.run.tape["instruments"][0]
    made = instrument["venue"] == "simulated"
    moves = len(np.unique(journal.ticks["surface"])) - 1
    return (
        "Market: a seeded simulator; its prices carry structure that a model can learn, so its figures say "
        "nothing about a real market."
        if made
        else f"Market: recorded, {instrument['symbol']} at {instrument['venue']}. Nothing that we quoted "
        "could influence it.",
        "Options: none is on the tape. Fair values are inverse Black-76 on the underlying's mid. Volatility "
        f"surface: {journal.run.surface_label}"
        + (f"; rows of the tape moved it {moves:,} times." if moves else "."),
        "Liquidity of the options: the underlying's book is the declared proxy.",
        "Venue: a simulated exchange that answers; positions follow its fills. The arms' table below stands "
        "beside it: its takers meet the quotes once more."
        if "desk" in journal.run.facts
        else "Venue: none. FIX messages go to a file; nothing is acknowledged, no position is built.",
        "Fills: simulated, by the takers described below. Too little data for a claim of trading value.",
        "Not simulated: book, features, LSTM, calibration, rules, prices, risk checks and message bytes are "
        "those of the native loop, and the durations were measured on this machine.",
    )


def _unseen(journal: Journal) -> str:
    """What part of the tape the figures are about, if the model was trained on the tape's beginning."""
    first = held_out_from(journal)
    if first == 0:
        return ""
    times = journal.ticks["local_ns"]
    return (
        f"The model was trained on the beginning of this tape. The explained quote, rules, arms, "
        f"calibration, scores, labels and features below are of its last "
        f"{duration(float(times[-1] - times[first]) * 1e-9)}, which training has not seen."
    )


def _durations(ticks: RecordArray) -> str:
    total = np.maximum(ticks["total_ns"], 1) / 1e3
    quoting = ticks["flags"] & TickFlag.QUOTED != 0
    return plots.durations([("ticks without quotes", total[~quoting]), ("with", total[quoting])])


def _market(journal: Journal) -> str:
    ticks = journal.ticks[journal.ticks["forward_half_ticks"] > 0]
    if not len(ticks):
        return ""
    seconds = (ticks["local_ns"] - ticks["local_ns"][0]) * 1e-9
    started = ticks["active"] & ~np.concatenate([[np.uint32(0)], ticks["active"][:-1]])
    triggers = [
        (rule.name, seconds[started >> number & 1 == 1])
        for number, rule in enumerate(journal.run.rules)
    ]
    usd = forward_usd(journal, ticks)
    step = max(1, len(ticks) // 4000)
    return plots.market(seconds[::step], usd[::step], [t for t in triggers if len(t[1])])


def _labels(
    journal: Journal, spec: ModelSpec
) -> tuple[list[LabelRow], list[tuple[str, Any, Any, Any]]]:
    if journal.outcomes is None:
        return [], []
    warm = judged(journal)
    names = output_names(spec)
    linear = {n for h in spec.heads if h.kind == "linear" for n in h.outputs}
    rows, curves = [], []
    for index, name in enumerate(names):
        known = warm & (journal.outcomes[:, index] >= 0)
        if spec.outputs[index] in linear or not known.any():
            continue
        happened = journal.outcomes[known, index] == 1
        forecast = journal.ticks["scores"][known, index] / ONE
        rows.append(
            LabelRow(
                name, len(happened), int(happened.sum()), happened.mean(), float(forecast.mean())
            )
        )
        order = np.argsort(forecast, kind="stable")
        bins = [b for b in np.array_split(order, BINS) if len(b)]
        curves.append(
            (
                name,
                np.array([forecast[b].mean() for b in bins]),
                np.array([happened[b].mean() for b in bins]),
                np.array([len(b) for b in bins]),
            )
        )
    return rows, curves


def _scores(warm: RecordArray, spec: ModelSpec, rules: Sequence[RuleRow]) -> str:
    parts = []
    index = 0
    for head in spec.heads:
        for name in head.outputs:
            if head.kind != "linear":
                marks = [
                    t
                    for rule in rules
                    for output, t in rule.conditions
                    if output == f"{head.name}.{name}" and t is not None and rule.armed
                ]
                parts.append((f"{head.name}.{name}", warm["scores"][:, index] / ONE, "", marks))
            index += 1
    return plots.histograms(parts, logarithmic=True)


def _feature_plots(journal: Journal, warm: RecordArray) -> str:
    schema = FeatureSchema.from_json(journal.run.schema)
    return plots.histograms(
        [
            (feature.name, warm["features"][:, index] * schema.format.lsb, "", ())
            for index, feature in enumerate(schema.features)
        ],
        logarithmic=False,
    )


def _saturated(journal: Journal, warm: RecordArray) -> list[tuple[str, float]]:
    schema = FeatureSchema.from_json(journal.run.schema)
    if not len(warm):
        return []
    raw = warm["features"][:, : len(schema.features)]
    ends = (raw == schema.format.minimum) | (raw == schema.format.maximum)
    shares = zip(schema.names, ends.mean(axis=0).tolist(), strict=True)
    return [(name, share) for name, share in shares if share >= 0.001]


def _data_rows(journal: Journal) -> list[tuple[str, str]]:
    tape = journal.run.tape
    rows = [("name", str(tape["name"]))]
    rows += [
        (f"instrument {n}", f"{i['symbol']} ({i['venue']}), tick {i['tick_size']}")
        for n, i in enumerate(tape["instruments"])
    ]
    rows.append(("length", duration((tape["last_ns"] - tape["first_ns"]) * 1e-9)))
    rows += [(name.replace("_", " "), count(value)) for name, value in tape["counts"].items()]
    rows += [
        (name.replace("_", " "), count(value))
        for name, value in journal.run.facts.items()
        if isinstance(value, int | float)
    ]
    return rows
