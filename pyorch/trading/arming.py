"""Rules of the configuration → integer rules of the policy, for a given bundle.

A condition names ``head.output``. It is literal, or set from the scores of the calibration block so that
the rule fires at no more than a stated share of its ticks. A rule whose head could not be trained, or
that the model does not have, or whose bundle says nothing of the calibration block, is disarmed, and says so:
it never fires.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.model import ModelSpec
from pyorch.trading.config import FairShift, Rule, bp100
from pyorch.trading.fair_shift import PROBABILITY_ONE, ArmedShift
from pyorch.trading.policy import ArmedRule


def output_index(spec: ModelSpec) -> dict[str, int]:
    """``head.output`` → index into ``spec.outputs``."""
    names = [f"{head.name}.{output}" for head in spec.heads for output in head.outputs]
    return {name: index for index, name in enumerate(names)}


def arm_rules(
    rules: tuple[Rule, ...], bundle: Bundle, expiries_days: tuple[int, ...] = ()
) -> tuple[ArmedRule, ...]:
    """All rules, in order.

    Args:
        expiries_days: the universe's, for rules of limited reach.

    Raises:
        UsageError: a condition names a head that gives no probabilities, or a rule wants a share that
            the bundle does not resolve.
    """
    quantiles = bundle.provenance.get("score_quantiles")
    armed = (_arm(rule, bundle.spec, quantiles) for rule in rules)
    return tuple(_limit(one, rule, expiries_days) for one, rule in zip(armed, rules, strict=True))


def _limit(armed: ArmedRule, rule: Rule, expiries_days: tuple[int, ...]) -> ArmedRule:
    days = rule.expires_within_days
    if days is None:
        return armed
    note = f"{armed.note}; options that expire within {days} days"
    return replace(armed, reach=sum(expiry <= days for expiry in expiries_days), note=note)


def _arm(rule: Rule, spec: ModelSpec, quantiles: dict[str, Any] | None) -> ArmedRule:
    index = output_index(spec)
    heads = {head.name: head for head in spec.heads}
    outputs, thresholds, notes, problems = [], [], [], []
    for condition in rule.conditions:
        head = heads.get(condition.output.split(".")[0])
        if head is None or condition.output not in index:
            problems.append(f"the model has no output {condition.output}")
            continue
        if head.kind == "linear":
            raise UsageError(
                f"rule {rule.name}: {condition.output} is a linear output in {head.unit}; conditions "
                "compare probabilities, name an output of a softmax or sigmoid head"
            )
        if not head.trainable:
            problems.append(f"head {head.name} had too few positives to be trained")
        position = index[condition.output]
        if condition.probability is not None:
            threshold = math.ceil(condition.probability * PROBABILITY_ONE - 1e-9)
            notes.append(f"{condition.output} >= {condition.probability:g}")
        elif quantiles is None:
            problems.append("the bundle states no score quantiles of a calibration block")
            continue
        else:
            share, threshold = _threshold(rule, position, quantiles)
            notes.append(
                f"{condition.output} >= {threshold / PROBABILITY_ONE:.4f} (reached at no more than "
                f"{share:g} % of {quantiles['ticks']} ticks of the {quantiles['block']})"
            )
        outputs.append(position)
        thresholds.append(threshold)
    margin = math.floor(rule.release_margin * PROBABILITY_ONE)
    armed = not problems
    return ArmedRule(
        name=rule.name,
        endangered=rule.endangered,
        outputs=tuple(outputs) if armed else (),
        thresholds=tuple(thresholds) if armed else (),
        releases=tuple(max(0, t - margin) for t in thresholds) if armed else (),
        widen_bp100=bp100(rule.widen_bp),
        size_percent=100 - rule.size_cut_percent,
        both_sides=rule.both_sides,
        dwell_ns=rule.dwell_ms * 1_000_000,
        armed=armed,
        note=" and ".join(notes) if armed else "disarmed: " + "; ".join(problems),
    )


def arm_shift(shift: FairShift | None, bundle: Bundle) -> ArmedShift:
    """The forecast's move; disarmed, and saying so, where the model has no such outputs.

    Raises:
        UsageError: an output gives no probability.
    """
    if shift is None:
        return ArmedShift()
    index = output_index(bundle.spec)
    heads = {head.name: head for head in bundle.spec.heads}
    problems = []
    for output in (shift.up, shift.down):
        head = heads.get(output.split(".")[0])
        if head is None or output not in index:
            problems.append(f"the model has no output {output}")
        elif head.kind == "linear":
            raise UsageError(
                f"fair_shift: {output} is a linear output in {head.unit}; a forecast compares "
                "probabilities, name outputs of a softmax or sigmoid head"
            )
        elif not head.trainable:
            problems.append(f"head {head.name} had too few positives to be trained")
    if problems:
        return ArmedShift(note="disarmed: " + "; ".join(dict.fromkeys(problems)))
    if shift.move_bp == 0:
        return ArmedShift(note="disarmed: move_bp is 0")
    return ArmedShift(
        up=index[shift.up],
        down=index[shift.down],
        move_bp100=bp100(shift.move_bp),
        deadband=math.ceil(shift.deadband * PROBABILITY_ONE - 1e-9),
        maximum_bp100=bp100(shift.maximum_bp),
        step_bp100=bp100(shift.step_bp),
        armed=True,
        note=f"{shift.move_bp:g} bp x ({shift.up} - {shift.down}), within {shift.maximum_bp:g} bp",
    )


def _threshold(rule: Rule, output: int, quantiles: dict[str, Any]) -> tuple[float, int]:
    """The largest listed share within the rule's limit, and its threshold."""
    limit = rule.fires_at_most_percent or 0.0
    shares = [s for s in quantiles["shares_percent"] if s <= limit + 1e-12]
    if not shares:
        raise UsageError(
            f"rule {rule.name}: fires_at_most_percent = {limit:g} is below the smallest share that "
            f"the bundle resolves, {min(quantiles['shares_percent']):g}"
        )
    share = max(shares)
    position = quantiles["shares_percent"].index(share)
    return share, int(quantiles["thresholds"][output][position])
