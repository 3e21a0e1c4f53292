"""The quoting policy in integers: calibrated scores → extra spread and size by rules, and a forecast.

This is the definition; `pyorch/native/policy.hpp` is compared with it. All comparisons are between
15-bit probabilities, all amounts are bp × 100 and percent.

A rule *fires* when every condition's score is at least its threshold. It *acts* at that tick and until
its dwell has passed; while it acts, scores above the lower release thresholds prolong it: widening is
immediate, narrowing slow. Of overlapping rules the largest spread and the deepest size cut count, never
a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pyorch.contract.fixed import IntArray
from pyorch.trading.fair_shift import ArmedShift

ALL_EXPIRIES = 1 << 16
"""A reach beyond any universe."""


@dataclass(frozen=True, slots=True)
class ArmedRule:
    """A rule with everything resolved to integers.

    Attributes:
        outputs: indices into the model's outputs, a condition each.
        thresholds, releases: per condition, in 15-bit probabilities.
        size_percent: what it leaves of the size.
        armed: False: never fires; ``note`` says why.
        reach: how many expiries, the nearest first, it affects; 1 at least.
        caution: fires only where the engines' answer is inexact, unverified or late.
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
    reach: int = ALL_EXPIRIES
    caution: bool = False


class Effect(NamedTuple):
    """What acting rules do to the quotes of an expiry; `Adjustment` says which side is which."""

    extra_down_bp100: int = 0
    extra_up_bp100: int = 0
    size_down_percent: int = 100
    size_up_percent: int = 100


def effect_of(rules: Sequence[ArmedRule], active: int, expiry: int) -> Effect:
    """The largest addition and deepest cut of the rules in ``active`` that reach the expiry."""
    extra_down = extra_up = 0
    size_down = size_up = 100
    for index, rule in enumerate(rules):
        if not (active >> index & 1 and expiry < rule.reach):
            continue
        if rule.both_sides or rule.endangered == "down":
            extra_down = max(extra_down, rule.widen_bp100)
            size_down = min(size_down, rule.size_percent)
        if rule.both_sides or rule.endangered == "up":
            extra_up = max(extra_up, rule.widen_bp100)
            size_up = min(size_up, rule.size_percent)
    return Effect(extra_down, extra_up, size_down, size_up)


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
    limited: int = 0
    """Of the acting rules those that do not reach all expiries; above, the nearest expiry's effect."""


class Policy:
    """The rules with their dwell, the forecast with its step."""

    def __init__(self, rules: tuple[ArmedRule, ...], shift: ArmedShift | None = None) -> None:
        self.rules = rules
        self.shift = shift or ArmedShift()
        self._forecast_bp100 = 0
        self._until_ns = [0] * len(rules)
        self._limited = sum((rule.reach < ALL_EXPIRIES) << k for k, rule in enumerate(rules))

    def reset(self) -> None:
        """Forget every dwell and the forecast: the stream was broken, all quotes are withdrawn."""
        self._forecast_bp100 = 0
        self._until_ns = [0] * len(self.rules)

    def decide(self, scores: IntArray, local_ns: int, cautious: bool = False) -> Adjustment:
        """Take in a tick's calibrated scores [O] at receive time ``local_ns``; cautious: see `Answer`."""
        fired = active = 0
        for index, rule in enumerate(self.rules):
            if not rule.armed:
                continue
            may = cautious or not rule.caution
            fires = may and all(
                scores[o] >= t for o, t in zip(rule.outputs, rule.thresholds, strict=True)
            )
            acting = local_ns < self._until_ns[index]
            held = (acting and may) and all(
                scores[o] >= t for o, t in zip(rule.outputs, rule.releases, strict=True)
            )
            if fires or held:
                self._until_ns[index] = local_ns + rule.dwell_ns
            fired |= fires << index
            active |= (fires or acting) << index
        self._forecast_bp100 = self.shift.next_bp100(self._forecast_bp100, scores)
        effect = effect_of(self.rules, active, 0)
        return Adjustment(fired, active, *effect, self._forecast_bp100, active & self._limited)
