"""Alert rules in TOML: a figure above or below a bound for some time raises an alert, until it is back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pyorch.app.watch.view import FIGURES
from pyorch.contract.errors import UsageError
from pyorch.contract.settings_file import read_settings

DEFAULT = Path(__file__).with_name("alerts.toml")


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    Attributes:
        figure: one of `pyorch.app.watch.view.FIGURES`.
        above, below: exactly one of them.
        for_s: how long, by the market's clock, before the alert is raised.
    """

    name: str
    figure: str
    above: float | None = None
    below: float | None = None
    for_s: Annotated[float, Meta(ge=0.0)] = 0.0
    severity: Literal["info", "warning", "critical"] = "warning"

    def holds(self, value: float) -> bool:
        """Whether a value is beyond the bound."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below


class DriftTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `pyorch.app.watch.drift.Drift`; ``reference``: a journal whose features are the reference."""

    reference_ticks: Annotated[int, Meta(ge=100, le=1_000_000)] = 5000
    window_ticks: Annotated[int, Meta(ge=100, le=1_000_000)] = 5000
    reference: str | None = None


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rules."""

    alerts: tuple[AlertRule, ...] = ()
    drift: DriftTable = DriftTable()


def load_alerts(path: Path | None = None) -> AlertSettings:
    """Read rules; default: `DEFAULT`.

    Raises:
        UsageError: unreadable, an unknown key or figure, no bound or two, or a name that stands twice.
    """
    path = path or DEFAULT
    settings, _ = read_settings(path, AlertSettings)
    names: set[str] = set()
    for number, rule in enumerate(settings.alerts):
        where = f"{path}: alerts[{number}] ({rule.name})"
        if rule.figure not in FIGURES:
            raise UsageError(f"{where}: no figure {rule.figure!r}; choose {', '.join(FIGURES)}")
        if (rule.above is None) == (rule.below is None):
            raise UsageError(f"{where}: give one bound, above or below")
        if rule.name in names:
            raise UsageError(f"{where}: another rule has this name; names tell alerts apart")
        names.add(rule.name)
    return settings


@dataclass(slots=True)
class AlertState:
    """A rule at work.

    Attributes:
        since_ns: from when on the bound has been exceeded without a break; None: it is not.
        raised: the alert is up; value: the figure's last one.
    """

    rule: AlertRule
    since_ns: int | None = None
    raised: bool = False
    value: float = 0.0
    times: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        rule = self.rule
        bound = f"> {rule.above:g}" if rule.above is not None else f"< {rule.below:g}"
        return {
            "name": rule.name, "figure": rule.figure, "unit": FIGURES[rule.figure], "bound": bound,
            "for_s": rule.for_s, "severity": rule.severity, "raised": self.raised, "value": self.value,
            "times": self.times,
        }  # fmt: skip


@dataclass(slots=True)
class Alerts:
    """All rules of a run."""

    states: list[AlertState] = field(default_factory=list)

    @classmethod
    def of(cls, settings: AlertSettings) -> Alerts:
        """None is raised yet."""
        return cls([AlertState(rule) for rule in settings.alerts])

    def judge(self, figures: dict[str, float], now_ns: int) -> list[AlertState]:
        """Look at the figures of a moment; those rules whose alert was raised or ended by it."""
        changed = []
        for state in self.states:
            state.value = figures[state.rule.figure]
            if not state.rule.holds(state.value):
                state.since_ns = None
                if state.raised:
                    state.raised = False
                    changed.append(state)
                continue
            if state.since_ns is None:
                state.since_ns = now_ns
            if not state.raised and now_ns - state.since_ns >= state.rule.for_s * 1e9:
                state.raised = True
                state.times += 1
                changed.append(state)
        return changed
