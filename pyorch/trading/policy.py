"""The quoting policy in integers: calibrated scores → extra spread and size by rules, and a forecast.

This is the definition; `pyorch/native/policy.hpp` is compared with it. All comparisons are between
15-bit probabilities, all amounts are bp × 100 and percent.

A rule *fires* when every condition's score is at least its threshold. It *acts* at that tick and until
its dwell has passed; while it acts, scores above the lower release thresholds prolong it: widening is
immediate, narrowing slow. Of overlapping rules the largest spread and the deepest size cut count, never
a sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pyorch.contract.fixed import IntArray
from pyorch.trading.fair_shift import ArmedShift


@dataclass(frozen=True, slots=True)
class ArmedRule:
    """A rule with everything resolved to integers.

    Attributes:
        outputs: indices into the model's outputs, a condition each.
        thresholds, releases: per condition, in 15-bit probabilities.
        size_percent: what it leaves of the size.
        armed: False: never fires; ``note`` says why.
        note: where the thresholds come from, or why it is disarmed.
    """

    name: str
    endangered: Literal["down", "up"]
    outputs: tuple[int, ...]
    thresholds: tuple[int, ...]
    releases: tuple[int, ...]
    widen_bp100: int
    size_percent: int
    both_sides: bool
    dwell_ns: int
    armed: bool
    note: str


class Adjustment(NamedTuple):
    """What the rules do to the quotes at a tick.

    ``down`` applies to sides that a falling underlying hurts (bids of calls, asks of puts), ``up`` to
    the others.
    """

    fired: int = 0
    """Bit r: rule r's conditions hold."""
    active: int = 0
    """Bit r: rule r acts."""
    extra_down_bp100: int = 0
    extra_up_bp100: int = 0
    size_down_percent: int = 100
    size_up_percent: int = 100
    forecast_bp100: int = 0
    """Forecast move of the underlying, from which fair values are quoted."""


class Policy:
    """The rules with their dwell, the forecast with its step."""

    def __init__(self, rules: tuple[ArmedRule, ...], shift: ArmedShift | None = None) -> None:
        self.rules = rules
        self.shift = shift or ArmedShift()
        self._forecast_bp100 = 0
        self._until_ns = [0] * len(rules)

    def reset(self) -> None:
        """Forget every dwell and the forecast: the stream was broken, all quotes are withdrawn."""
        self._forecast_bp100 = 0
        self._until_ns = [0] * len(self.rules)

    def decide(self, scores: IntArray, local_ns: int) -> Adjustment:
        """Take in a tick's calibrated scores [O] at receive time ``local_ns``."""
        fired = active = extra_down = extra_up = 0
        size_down = size_up = 100
        for index, rule in enumerate(self.rules):
            if not rule.armed:
                continue
            fires = all(scores[o] >= t for o, t in zip(rule.outputs, rule.thresholds, strict=True))
            acting = local_ns < self._until_ns[index]
            held = acting and all(
                scores[o] >= t for o, t in zip(rule.outputs, rule.releases, strict=True)
            )
            if fires or held:
                self._until_ns[index] = local_ns + rule.dwell_ns
            fired |= fires << index
            if not (fires or acting):
                continue
            active |= 1 << index
            if rule.both_sides or rule.endangered == "down":
                extra_down = max(extra_down, rule.widen_bp100)
                size_down = min(size_down, rule.size_percent)
            if rule.both_sides or rule.endangered == "up":
                extra_up = max(extra_up, rule.widen_bp100)
                size_up = min(size_up, rule.size_percent)
        self._forecast_bp100 = self.shift.next_bp100(self._forecast_bp100, scores)
        return Adjustment(
            fired, active, extra_down, extra_up, size_down, size_up, self._forecast_bp100
        )
