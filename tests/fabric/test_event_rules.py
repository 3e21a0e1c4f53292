"""Every rule of the decision table, in fabric: all that it can do is met, and is what the CPU loop does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hls.emit.events import EventShape
from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import FabricManifest
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.config import load_config
from pyorch.trading.plan import QuotingPlan
from sim.bench.coverage import POINTS, Coverage, holes
from sim.bench.events.decision_player import DecisionPlayer, decided, differences
from sim.bench.events.line import joined, spoilt, with_snapshots
from sim.bench.events.player import STALE_NS
from sim.bench.events.rule_coverage import sample_rules
from sim.bench.events.small import SmallDesk, emit_planned, often, small_desk

SHAPE = EventShape(instruments=2, window_bits=11)
INVALID_FROM = 6
"""Knots of output 0, whose probability is above 1 from there on: such a model decides nothing."""


@pytest.fixture(scope="module")
def desk() -> SmallDesk:
    """A model that is sometimes invalid."""
    desk = small_desk()
    knots = desk.bundle.weights["calibration"].copy()
    knots[0, INVALID_FROM:] = 40_000
    weights = desk.bundle.weights | {"calibration": knots}
    return replace(desk, bundle=replace(desk.bundle, weights=weights))


def test_the_declared_rules_are_those_that_ship() -> None:
    assert tuple(rule.name for rule in load_config().rules) == POINTS["rule"]


def played(
    project: Path, bundle: Bundle, plan: QuotingPlan, frames: Frames, coverage: Coverage
) -> None:
    """Through the fabric; every decision must be the CPU loop's, then it counts."""
    manifest = FabricManifest.load(project)
    player = DecisionPlayer(project)
    try:
        words = player.play(frames, stall=0.1).words
    finally:
        player.close()
    decoded = WireDecoder(SHAPE.instruments, STALE_NS).push(frames.beats, frames.ends)
    expected, _ = decided(bundle, plan, manifest, decoded.events, decoded.numbers)
    assert not differences(words, expected)
    sample_rules(coverage, plan, words)


@pytest.mark.full
def test_each_rule_does_all_that_the_decision_table_says(desk: SmallDesk, tmp_path: Path) -> None:
    """Fires, prolonged by hysteresis, dwells, ends; alone, beside others; cold, invalid, disarmed nothing."""
    rows = with_snapshots(simulate(11, 40.0).events, 40)
    line = joined(
        spoilt(encode(rows, beats_a_frame=FRAME_BEATS).split(), np.random.default_rng(4), 0.005)
    )
    coverage, project = Coverage(), tmp_path / "first"
    manifest = emit_planned(desk.bundle, desk.plan, project, SHAPE)
    decoded = WireDecoder(SHAPE.instruments, STALE_NS).push(line.beats, line.ends)
    seen, _ = decided(desk.bundle, desk.plan, manifest, decoded.events, decoded.numbers)
    scores = seen["scores"][~seen["void"]].astype(np.int64)
    for number, disarmed in enumerate((0b0000, 0b0101, 0b1010)):
        plan, project = often(desk.plan, scores, disarmed), tmp_path / f"path-{number}"
        emit_planned(desk.bundle, plan, project, SHAPE)
        played(project, desk.bundle, plan, line, coverage)
    coverage.save()
    missing = {name: bins for name, bins in holes(coverage).items() if name.startswith("rule")}
    assert not missing, missing
