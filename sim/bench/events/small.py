"""A small feature path for benches: a simulated market, a model of four units, the shipped policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hls.emit.events import EventShape
from hls.emit.events_project import emit_events
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import PolicyImage
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import IntArray
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.fair_shift import ArmedShift
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.policy_image import policy_image
from pyorch.trading.sample import random_quoting_bundle
from sim.bench.events.decision_player import journal

WARM_UP = 20


@dataclass(frozen=True, slots=True)
class SmallDesk:
    """A model and the plan that both sides decide by, made for a market of 20 s."""

    tape: Tape
    bundle: Bundle
    plan: QuotingPlan


def small_desk(seed: int = 5) -> SmallDesk:
    """The model is another one with each seed; the market stays."""
    tape = insert_timer_ticks(simulate(3, 20.0))
    bundle = random_quoting_bundle(seed, tape, units=(4,))
    plan = replace(make_plan(load_config(), bundle, tape), warm_up_ticks=WARM_UP)
    return SmallDesk(tape, bundle, plan)


def image_of(bundle: Bundle, plan: QuotingPlan, rules: int = EventShape().rules) -> PolicyImage:
    """The plan's policy with the bundle's calibration, for a path with room for ``rules``."""
    return policy_image(
        bundle.spec, bundle.weights["calibration"], plan.rules, plan.fair_shift, plan.warm_up_ticks, rules
    )  # fmt: skip


def emit_planned(
    bundle: Bundle, plan: QuotingPlan, folder: Path, shape: EventShape, style: str = "baked"
) -> FabricManifest:
    """A path with the plan's policy built in, emitted into ``folder``."""
    return emit_events(bundle, style, folder, image_of(bundle, plan, shape.rules), shape)


def often(plan: QuotingPlan, scores: IntArray, disarmed: int = 0) -> QuotingPlan:
    """Rules that fire, hold and release within seconds, by scores [n, O]; a forecast.

    Args:
        disarmed: rules that are not armed, by bits.
    """

    def high(outputs: tuple[int, ...]) -> float:
        return 0.85 if len(outputs) == 1 else 0.5

    rules = tuple(
        replace(
            rule,
            thresholds=tuple(int(np.quantile(scores[:, o], high(rule.outputs))) for o in rule.outputs),
            releases=tuple(
                int(np.quantile(scores[:, o], high(rule.outputs) - 0.2)) for o in rule.outputs
            ),
            widen_bp100=700 + 100 * k, both_sides=k == 0, size_percent=90 - 10 * k,
            dwell_ns=40_000_000 * (k + 1), armed=not disarmed >> k & 1,
        )
        for k, rule in enumerate(plan.rules)
    )  # fmt: skip
    return replace(plan, rules=rules, fair_shift=ArmedShift(2, 0, 500, 300, 90, 4, True, ""))


def lively(desk: SmallDesk) -> SmallDesk:
    """The same with rules that act `often` in its market."""
    ticks = journal(desk.bundle, desk.plan, desk.tape.events)
    scores = ticks["scores"][:, : len(desk.bundle.spec.outputs)].astype(np.int64)
    return replace(desk, plan=often(desk.plan, scores))
