"""How often each rule fired and acted, beside how often what it warns of happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyorch.app.journal import Journal, RuleInForce
from pyorch.app.judged import judged
from pyorch.contract.model import PROBABILITY, ModelSpec

ONE = 1 << PROBABILITY.fraction


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of the policy in a run; shares are of the warm ticks.

    Attributes:
        conditions: ``head.output`` and threshold of each; None: not set, the rule being disarmed.
        effect: what it does to the quotes.
        base_rate: how often everything that its conditions forecast did happen; None: not known.
        fired, acted: share of ticks at which it fired, and at which it acted.
        times: how often it began to act.
        hit_rate: share of its firings after which it did happen; None: never fired, or not known.
        armed, note: whether it can act; where its thresholds come from, or why it cannot.
    """

    name: str
    endangered: str
    conditions: tuple[tuple[str, float | None], ...]
    effect: str
    base_rate: float | None
    fired: float
    acted: float
    times: int
    hit_rate: float | None
    armed: bool
    note: str

    @property
    def lift(self) -> float | None:
        """Hit rate as a multiple of the base rate."""
        if self.hit_rate is None or not self.base_rate:
            return None
        return self.hit_rate / self.base_rate


def rule_rows(journal: Journal) -> tuple[RuleRow, ...]:
    """A row for each rule of the run."""
    ticks = journal.ticks
    spec = ModelSpec.from_json(journal.run.model)
    names = output_names(spec)
    warm = judged(journal)
    total = max(1, int(warm.sum()))
    started = ticks["active"] & ~np.concatenate([[np.uint32(0)], ticks["active"][:-1]])
    rows = []
    for number, rule in enumerate(journal.run.rules):
        fired = warm & (ticks["fired"] >> number & 1 == 1)
        base, hits = None, None
        configured = journal.run.config["rules"][number]
        conditions = [c["output"] for c in configured["conditions"]]
        if journal.outcomes is not None and set(conditions) <= set(names):
            what = journal.outcomes[:, [names.index(name) for name in conditions]]
            known = warm & (what >= 0).all(axis=1)
            happened = (what == 1).all(axis=1)
            base = float(happened[known].mean()) if known.any() else None
            hits = float(happened[known & fired].mean()) if (known & fired).any() else None
        rows.append(
            RuleRow(
                rule.name,
                rule.endangered,
                tuple(zip(conditions, _thresholds(rule, configured), strict=True)),
                f"+{rule.widen_bp:g} bp, size −{100 - rule.size_percent} %",
                base,
                int(fired.sum()) / total,
                int((warm & (ticks["active"] >> number & 1 == 1)).sum()) / total,
                int((warm & (started >> number & 1 == 1)).sum()),
                hits,
                rule.armed,
                _note(rule, configured),
            )
        )
    return tuple(rows)


def output_names(spec: ModelSpec) -> tuple[str, ...]:
    """``head.output`` of each output."""
    return tuple(f"{head.name}.{output}" for head in spec.heads for output in head.outputs)


def _thresholds(rule: RuleInForce, configured: dict[str, Any]) -> list[float | None]:
    if rule.armed:
        return [threshold / ONE for threshold in rule.thresholds]
    return [condition["probability"] for condition in configured["conditions"]]


def _note(rule: RuleInForce, configured: dict[str, Any]) -> str:
    if not rule.armed:
        problems = rule.note.removeprefix("disarmed: ").split("; ")
        return "; ".join(dict.fromkeys(problems))
    wanted = configured.get("fires_at_most_percent")
    if wanted is None:
        return "literal thresholds"
    return f"set for ≤ {wanted:g} % of the calibration block"
