"""Armed rules, forecast and calibration as registers of a policy set (`pyorch.contract.decision`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyorch.contract.decision import (
    CALIBRATION,
    COMMON,
    CONDITION,
    MAXIMUM_RULES,
    RULE,
    PolicyImage,
)
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import CALIBRATION_SEGMENTS, ModelSpec
from pyorch.trading.fair_shift import ArmedShift
from pyorch.trading.policy import ArmedRule

RULES = 8
"""Rules that a fabric has room for, unless more are wanted."""
_LIMITS = {"widening": 20, "dwell": 48, "threshold": 16, "forecast": 20}
_KNOT = 1 << 16


def probability_outputs(spec: ModelSpec) -> tuple[int, ...]:
    """Indices of the outputs that are probabilities."""
    kinds = [head.kind for head in spec.heads for _ in head.outputs]
    return tuple(k for k, kind in enumerate(kinds) if kind != "linear")


def policy_image(
    spec: ModelSpec,
    calibration: IntArray,
    rules: Sequence[ArmedRule],
    shift: ArmedShift,
    warm_up_ticks: int,
    room: int = RULES,
) -> PolicyImage:
    """The registers for these rules.

    Args:
        calibration: [outputs, 17].
        room: rules that the fabric has; those beyond the given ones are disarmed.

    Raises:
        UsageError: more rules than there is room for, or a number that a register does not hold.
    """
    if not len(rules) <= room <= MAXIMUM_RULES:
        raise UsageError(
            f"{len(rules)} rules in a fabric with room for {room}; it may have 2 to {MAXIMUM_RULES}, "
            "emit it with --rules"
        )
    words: list[tuple[int, int]] = []

    def put(section: int, index: int, value: int) -> None:
        words.append((section << 12 | index, value & 0xFFFFFFFF))

    def limited(what: str, kind: str, value: int) -> int:
        if not 0 <= value < 1 << _LIMITS[kind]:
            raise UsageError(f"{what} is {value}; a register holds 0 to {(1 << _LIMITS[kind]) - 1}")
        return value

    put(COMMON, 0, warm_up_ticks)
    put(COMMON, 3, shift.up | shift.down << 8 | int(shift.armed) << 16)
    for place, (key, amount) in enumerate(
        (("move_bp", shift.move_bp100), ("deadband", shift.deadband),
         ("maximum_bp", shift.maximum_bp100), ("step_bp", shift.step_bp100)), 4,
    ):  # fmt: skip
        size = "threshold" if key == "deadband" else "forecast"
        put(COMMON, place, limited(f"fair_shift.{key}", size, amount))
    for number in range(room):
        rule = rules[number] if number < len(rules) else None
        for field, value in enumerate(_rule_words(rule, limited)):
            put(RULE, 4 * number + field, value)
    for output in probability_outputs(spec):
        for number in range(room):
            pair = [0, 0]
            if number < len(rules):
                for kind, values in enumerate((rules[number].thresholds, rules[number].releases)):
                    own = [
                        v for o, v in zip(rules[number].outputs, values, strict=True) if o == output
                    ]
                    what = f"rule {rules[number].name}: a threshold"
                    pair[kind] = limited(what, "threshold", max(own, default=0))
            put(CONDITION, output << 5 | number, pair[1] << 16 | pair[0])
        for knot in range(CALIBRATION_SEGMENTS + 1):
            value = int(calibration[output, knot])
            if not 0 <= value <= _KNOT:
                raise UsageError(
                    f"calibration of output {output}, knot {knot}: {value} lies outside 0 to {_KNOT}"
                )
            put(CALIBRATION, output << 5 | knot, value)
    addresses, values = np.array(words, np.int64).T
    plain = PolicyImage(addresses.astype(np.uint16), values.astype(np.uint32))
    digest = plain.digest
    return PolicyImage(
        np.concatenate([plain.addresses, np.array([1, 2], np.uint16)]),
        np.concatenate([plain.values, np.array([digest & 0xFFFFFFFF, digest >> 32], np.uint32)]),
    )


def _rule_words(
    rule: ArmedRule | None, limited: Callable[[str, str, int], int]
) -> tuple[int, int, int]:
    if rule is None or not rule.armed or rule.caution:  # a fabric's answers are exact and in time
        return 100 << 20, 0, 0
    widening = limited(f"rule {rule.name}: widen_bp100", "widening", rule.widen_bp100)
    dwell = limited(f"rule {rule.name}: dwell_ns", "dwell", rule.dwell_ns)
    down = rule.both_sides or rule.endangered == "down"
    up = rule.both_sides or rule.endangered == "up"
    effect = widening | rule.size_percent << 20 | down << 27 | up << 28 | 1 << 29
    return effect, dwell & 0xFFFFFFFF, dwell >> 32
