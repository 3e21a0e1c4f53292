"""What each rule of the decision table has done in a fabric's words, as bins of the functional coverage."""

from __future__ import annotations

from pyorch.contract.decision import Decisions
from pyorch.trading.plan import QuotingPlan
from sim.bench.coverage import Coverage


def sample_rules(coverage: Coverage, plan: QuotingPlan, words: Decisions) -> None:
    """Count what every rule did at every tick of words that equal the CPU loop's by this plan."""
    for number, rule in enumerate(plan.rules):
        bit, before = 1 << number, False
        for word in words:
            if word["void"]:
                if before:
                    coverage.sample(rule=rule.name, rule_did="withdrawn")
                before = False
                continue
            scores = word["scores"]
            met = all(scores[o] >= t for o, t in zip(rule.outputs, rule.thresholds, strict=True))
            kept = all(scores[o] >= t for o, t in zip(rule.outputs, rule.releases, strict=True))
            fires, acts = bool(word["fired"] & bit), bool(word["active"] & bit)
            counts = word["book_valid"] and word["model_valid"] and word["warm"]
            if not counts:
                assert not fires and not acts, f"{rule.name} at a tick that does not count"
                what = "cold" if not word["warm"] else "model invalid"
            elif not rule.armed:
                assert not fires and not acts, f"{rule.name} is disarmed"
                what = "disarmed"
            elif fires:
                what = "fires"
            elif acts:
                what = "prolonged" if kept else "dwells"
            else:
                what = "ends" if before else "quiet"
            if what in ("cold", "model invalid", "disarmed") and not met:
                continue  # it would not have fired anyway
            coverage.sample(rule=rule.name, rule_did=what)
            if acts:
                others = int(word["active"]) & ~bit
                coverage.sample(rule=rule.name, rule_did="with others" if others else "alone")
            before = acts if counts else before
