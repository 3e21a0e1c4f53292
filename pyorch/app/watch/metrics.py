"""Prometheus metrics of a watched desk, in the text format of its scraper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyorch.app.watch.alerts import Alerts
from pyorch.app.watch.view import EDGES_US, FIGURES, MEASURED, View
from pyorch.trading.fair_shift import PROBABILITY_ONE

if TYPE_CHECKING:
    from prometheus_client.core import Metric

COUNTED = {
    "ticks": "ticks of the native path",
    "quotes": "quotes put into messages",
    "messages": "FIX messages written",
    "fix_bytes": "bytes of them",
    "withdrawals": "withdrawals of all quotes",
    "gaps": "times that the book became invalid",
    "late": "answers that came after the deadline",
    "inexact": "answers within a bound instead of the contract's bits",
    "failovers": "changes of the engine that answers",
}


class ViewCollector:
    """Turns a view into metric families at each scrape; nothing is kept twice.

    A `prometheus_client.registry.Collector`; counters are totals of the run, durations in seconds.
    """

    def __init__(self, view: View, alerts: Alerts) -> None:
        self._view, self._alerts = view, alerts

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._counters()
        yield from self._stages()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        view = self._view
        for name, words in COUNTED.items():
            yield CounterMetricFamily(f"pyorch_{name}", words.capitalize(), view.counts[name])
        for name, words, label, counts in (
            ("inputs", "Inputs taken in, by kind", "kind", dict(view.inputs)),
            ("refusals", "Refusals of the risk gate, by reason", "reason", view.refusals()),
            ("answers", "Ticks by who answered", "by", dict(view.answers)),
            (
                "rule_fired", "Warm ticks at which a rule's conditions held", "rule",
                {rule: view.fired[k] for k, rule in enumerate(view.names.rules)},
            ),
        ):  # fmt: skip
            family = CounterMetricFamily(f"pyorch_{name}", words, labels=[label])
            for key, count in counts.items():
                family.add_metric([key], count)
            yield family

    def _stages(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(
            "pyorch_stage_seconds", "Duration of a tick's stages, where they ran", labels=["stage"]
        )
        edges = [*(f"{edge * 1e-6:g}" for edge in EDGES_US), "+Inf"]
        for k, stage in enumerate(MEASURED):
            below = self._view.stage_counts[k].cumsum().tolist()
            family.add_metric(
                [stage], list(zip(edges, below, strict=True)), self._view.stage_sums_ns[k] * 1e-9
            )
        yield family

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        view = self._view
        names = view.names
        figures = view.figures()
        for name, unit in FIGURES.items():
            words = name.replace("_", " ").capitalize() + (f", {unit}" if unit else "")
            yield GaugeMetricFamily(f"pyorch_{name}", words, figures[name])
        latest = view.scores[-1][1] if view.scores else [0] * len(names.outputs)
        positions = view.latest.positions_lots if view.latest is not None else ()
        alerts = {state.rule.name: float(state.raised) for state in self._alerts.states}
        for name, words, label, values in (
            (
                "score", "Calibrated probability, or raw value of a linear output", "output",
                {
                    output: latest[k] / (1 if names.linear[k] else PROBABILITY_ONE)
                    for k, output in enumerate(names.outputs)
                },
            ),
            (
                "feature_psi", "Population stability index of a feature", "feature",
                dict(zip(names.features, view.psi, strict=True)),
            ),
            (
                "session_up", "1: the venue's session is up", "venue",
                {venue: float(k not in view.down) for k, venue in enumerate(names.venues)},
            ),
            (
                "position_lots", "Position, where there is one", "option",
                {
                    option: float(lots)
                    for option, lots in zip(names.options, positions, strict=False) if lots
                },
            ),
            ("alert", "1: the alert is raised", "alert", alerts),
        ):  # fmt: skip
            family = GaugeMetricFamily(f"pyorch_{name}", words, labels=[label])
            for key, value in values.items():
                family.add_metric([key], value)
            yield family


def exposition(view: View, alerts: Alerts) -> bytes:
    """The metrics of this moment."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(ViewCollector(view, alerts))
    return generate_latest(registry)
