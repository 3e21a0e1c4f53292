"""The fabric's decisions, Verilated from the wire to the decision word, against the CPU loop: every bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hls.emit.commands import emit
from hls.emit.events import EventShape
from hls.emit.project import emit_bundle, image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import (
    FREEZE,
    HEAD_BEATS,
    SWAP_POLICY,
    Decisions,
    decode_decisions,
)
from pyorch.contract.decision import EventRegister as Register
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.events import Kind
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import scores_of
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.config import load_config
from pyorch.trading.fair_shift import ArmedShift
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.policy import Adjustment, ArmedRule, Policy
from pyorch.trading.policy_image import policy_image
from pyorch.trading.records import RecordArray
from pyorch.trading.sample import random_quoting_bundle
from sim.bench.events.decision_player import (
    DecisionPlayer,
    Played,
    decided,
    differences,
    pulse_ends,
)
from sim.bench.events.line import joined, spoilt, with_snapshots
from sim.bench.events.player import STALE_NS
from sim.bench.events.small import SmallDesk, emit_planned, small_desk
from sim.event_check import FIELDS

RECORDINGS = {
    "coinm_btcusd_perp_2024": (
        13,
        ["coinm_btcusd_perp_20240808.gz", "coinm_btcusd_perp_20240809.gz"],
    ),
    "usdm_btcusdt_2024": (13, ["usdm_btcusdt_20240808.gz"]),
    "spot_btcusdt_2024": (16, ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"]),
    "usdm_btcusdt_2023": (13, ["usdm_btcusdt_20230404.gz", "usdm_btcusdt_20230405.gz"]),
}
SHAPE = EventShape(instruments=2, window_bits=11)


@pytest.fixture(scope="module")
def desk() -> SmallDesk:
    return small_desk()


@pytest.fixture(scope="module")
def tape(desk: SmallDesk) -> Tape:
    return desk.tape


@pytest.fixture(scope="module")
def bundle(desk: SmallDesk) -> Bundle:
    return desk.bundle


@pytest.fixture(scope="module")
def plan(desk: SmallDesk) -> QuotingPlan:
    return desk.plan


@pytest.fixture(scope="module")
def project(bundle: Bundle, plan: QuotingPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events") / "path"
    emit_planned(bundle, plan, folder, SHAPE)
    return folder


def play(
    project: Path, bundle: Bundle, plan: QuotingPlan, frames: Frames, gap: int = 0, idle: float = 0.0,
    stall: float = 0.0,
) -> Played:  # fmt: skip
    """Through the fabric; every decision must be the CPU loop's."""
    manifest = FabricManifest.load(project)
    assert manifest.events is not None
    player = DecisionPlayer(project)
    try:
        played = player.play(frames, gap=gap, idle=idle, stall=stall)
    finally:
        player.close()
    decoded = WireDecoder(manifest.events.instruments, STALE_NS).push(frames.beats, frames.ends)
    expected, _ = decided(bundle, plan, manifest, decoded.events, decoded.numbers)
    assert not differences(played.words, expected)
    return played


def test_decisions_of_a_simulated_market_are_the_cpu_loops(
    project: Path, bundle: Bundle, plan: QuotingPlan, tape: Tape
) -> None:
    words = play(project, bundle, plan, encode(tape.events, beats_a_frame=FRAME_BEATS)).words
    ticks = words[~words["void"]]
    assert len(ticks) > 900 and ticks["warm"].sum() > 700
    assert (ticks["fired"] != 0).any() and (ticks["active"] & ~ticks["fired"] != 0).any()
    assert set(words["policy_digest"].tolist()) == {_digest(project)}
    assert set(words["model_digest"].tolist()) == {int(bundle.digest()[:16], 16)}


def _digest(project: Path) -> int:
    path = FabricManifest.load(project).events
    assert path is not None
    return int(path.policy_digest, 16)


def test_decisions_of_spoilt_streams_are_the_cpu_loops(
    project: Path, bundle: Bundle, plan: QuotingPlan
) -> None:
    """Lost, doubled, swapped, cut frames, flipped bits, a sink that stalls; books that leave the window."""
    voids = acted = 0
    for seed in range(3):
        rows = with_snapshots(simulate(seed, 12.0, second=True).events, 40)
        frames = encode(rows, session=seed, beats_a_frame=(0, FRAME_BEATS)[seed & 1]).split()
        line = joined(spoilt(frames, np.random.default_rng(seed), 0.005))
        words = play(project, bundle, plan, line, idle=0.1 * seed, stall=0.3 * (seed & 1)).words
        voids, acted = voids + int(words["void"].sum()), acted + int((words["active"] != 0).sum())
    assert voids > 5 and acted > 20, (voids, acted)


def other_policy(
    bundle: Bundle, plan: QuotingPlan, ticks: RecordArray
) -> tuple[IntArray, IntArray, QuotingPlan]:
    """Another calibration, the ticks' scores by it, and rules that act on some of them; a forecast."""
    rng = np.random.default_rng(8)
    knots = np.sort(rng.integers(0, 32769, bundle.weights["calibration"].shape), axis=1)
    logits = ticks["logits"][:, : len(bundle.spec.outputs)].astype(np.int64)
    scores = scores_of(bundle.spec, bundle.weights | {"calibration": knots}, logits)

    def high(rule: ArmedRule) -> float:
        return 0.85 if len(rule.outputs) == 1 else 0.5

    rules = tuple(
        replace(
            rule,
            thresholds=tuple(int(np.quantile(scores[:, o], high(rule))) for o in rule.outputs),
            releases=tuple(int(np.quantile(scores[:, o], high(rule) - 0.2)) for o in rule.outputs),
            widen_bp100=700 + 100 * k, both_sides=k == 0, size_percent=90 - 10 * k,
            dwell_ns=40_000_000 * k,
        )
        for k, rule in enumerate(plan.rules)
    )  # fmt: skip
    shift = ArmedShift(2, 0, 500, 300, 90, 4, True, "")
    return knots, scores, replace(plan, rules=rules, fair_shift=shift)


def swapped_at(
    first: QuotingPlan, second: QuotingPlan, scores: IntArray, words: Decisions, expected: Decisions
) -> Decisions:
    """The CPU loop's decisions, from where the words name policy set 1 on with the other policy."""
    policy, result = Policy(first.rules, first.fair_shift), expected.copy()
    outputs, count, since = scores.shape[1], -1, 0
    for at, word in enumerate(words):
        if word["void"]:
            policy.reset()
            since = 0
            continue
        count += 1
        if word["policy_set"]:
            policy.rules, policy.shift = second.rules, second.fair_shift
            result["scores"][at, :outputs] = scores[count]
        result["warm"][at] = warm = since >= first.warm_up_ticks
        since += 1
        found = Adjustment()
        if warm:
            own = result["scores"][at, :outputs].astype(np.int64)
            found = policy.decide(own, int(word["local_ns"]))
        for name in Adjustment._fields[:-1]:
            result[name][at] = getattr(found, name)
    return result


def rules_met(policy: QuotingPlan, words: Decisions) -> set[tuple[int, str]]:
    """What each rule of the decision table has done in words that equal the CPU loop's."""
    met = set()
    for number, rule in enumerate(policy.rules):
        bit, before = 1 << number, False
        for word in words:
            fires, acts = bool(word["fired"] & bit), bool(word["active"] & bit)
            kept = all(
                word["scores"][o] >= t for o, t in zip(rule.outputs, rule.releases, strict=True)
            )
            how = "fires" if fires else "quiet" if not acts else "prolonged" if kept else "dwells"
            met |= {(number, how)} | ({(number, "ends")} if before and not acts else set())
            others = int(word["active"]) & ~bit
            met |= {(number, "with others" if others else "alone")} if acts else set()
            before = acts
    return met


def test_a_policy_is_loaded_and_swapped_in_the_stream_and_a_decision_kept_for_audit(
    project: Path, bundle: Bundle, plan: QuotingPlan, tape: Tape
) -> None:
    manifest = FabricManifest.load(project)
    assert manifest.events is not None
    frames = encode(tape.events, beats_a_frame=FRAME_BEATS)
    decoded = WireDecoder(2, STALE_NS).push(frames.beats, frames.ends)
    expected, ticks = decided(bundle, plan, manifest, decoded.events, decoded.numbers)
    knots, scores, second = other_policy(bundle, plan, ticks)
    image = policy_image(
        bundle.spec, knots, second.rules, second.fair_shift, second.warm_up_ticks, SHAPE.rules
    )
    player = DecisionPlayer(project)
    try:
        assert player.read(Register.IDENTITY) == 0x50594556
        assert player.read(Register.POLICY_WORDS) == len(image.addresses)
        player.write(Register.COMMAND, SWAP_POLICY)  # there is none
        assert player.read(Register.ERRORS) == 4
        writes = image.writes(manifest.events.policy_format)
        for register, value in [*writes[:-1], (Register.POLICY_COMMIT, 1)]:
            player.write(register, value)
        assert player.read(Register.ERRORS) == 6 and player.read(Register.STATUS) & 0x60 == 0x20
        player.write(Register.ERRORS, 7)
        for register, value in writes:
            player.write(register, value)
        assert player.read(Register.ERRORS) == 0 and player.read(Register.STATUS) & 0x60 == 0x60
        player.write(Register.COMMAND, SWAP_POLICY, after=len(frames.beats) // 4)
        player.write(Register.COMMAND, FREEZE, after=len(frames.beats) * 3 // 8)
        words = player.play(frames).words
        assert player.read(Register.STATUS) & 0x102 == 0x100  # kept; and the weights are the first
        kept = [player.read(Register.RECORD + 4 * k) for k in range(112)]
        counts = [player.read(Register.COUNTERS + 4 * k) for k in range(10)]
    finally:
        player.close()
    sets = words["policy_set"].astype(int)
    assert 300 < sets.sum() < 700 and (np.diff(sets) >= 0).all()
    assert len(set(words["policy_digest"][sets == 1].tolist()) ^ {image.digest}) == 0
    both = swapped_at(plan, second, scores, words, expected)
    assert not differences(words, both)
    later = both[sets == 1]
    assert (later["extra_down_bp100"] != later["extra_up_bp100"]).any() and later[
        "forecast_bp100"
    ].any()
    always = {"fires", "quiet", "ends", "with others", "alone"}
    rules = range(len(second.rules))
    wanted = {(k, how) for k in rules for how in always | ({"prolonged", "dwells"} if k else set())}
    assert not wanted - rules_met(second, later[later["warm"]])
    assert counts[0] == frames.events and counts[1] == 0
    beats = (np.array(kept[1:32:2], np.uint64) << np.uint64(32)) | np.array(kept[0:32:2], np.uint64)
    length = HEAD_BEATS + (len(bundle.spec.outputs) + 1) // 2
    record = decode_decisions(beats[:length], np.arange(length) == length - 1)[0]
    at = int(np.flatnonzero(words["number"] == record["number"])[0])
    assert record == words[at] and len(words) // 4 < at < len(words)
    tick = ticks[int((~words["void"][:at]).sum())]
    raw = np.array(kept[32:64], np.uint32).view(np.uint8)[: bundle.spec.features].view(np.int8)
    assert raw.tolist() == tick["features"][: bundle.spec.features].tolist()
    raw_logits = np.array(kept[48:64], np.uint32).view(np.int16)[: len(bundle.spec.outputs)]
    assert raw_logits.tolist() == tick["logits"][: len(bundle.spec.outputs)].tolist()


@pytest.mark.full
def test_the_command_line_emits_a_feature_path(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "bundle")
    run = CliRunner().invoke(
        emit,
        [str(tmp_path / "bundle"), "--top", "events", "--style", "loadable", "--rules", "5", "--json",
         "--out", str(tmp_path / "path")],
        catch_exceptions=False,
    )  # fmt: skip
    figures = json.loads(run.output)
    manifest = FabricManifest.load(tmp_path / "path")
    assert manifest.top == "events_top" and manifest.events and manifest.events.rules == 5
    assert figures["figures"]["trade_to_decision_cycles"] == manifest.cycles["trade_to_decision"]
    with pytest.raises(UsageError, match=r"belong to --top events"):
        CliRunner().invoke(emit, [str(tmp_path / "bundle"), "--rules", "5"], catch_exceptions=False)


def test_an_image_with_other_scores_or_features_is_refused_by_a_feature_path(
    bundle: Bundle, plan: QuotingPlan, tmp_path: Path
) -> None:
    fabric = emit_planned(bundle, plan, tmp_path / "path", SHAPE, "loadable")
    weights = {name: value.copy() for name, value in bundle.weights.items()}
    weights[f"{bundle.spec.layers[-1].name}.bias"][0] ^= 1
    image = image_for(replace(bundle, weights=weights), fabric)
    assert image.format_digest == fabric.format_digest
    assert (
        fabric.format_digest != emit_bundle(bundle, "loadable", tmp_path / "frames").format_digest
    )
    weights["exp_table"][3] += 1
    assert bundle.schema is not None
    first = replace(bundle.schema.features[0], offset=bundle.schema.features[0].offset + 1)
    schema = replace(bundle.schema, features=(first, *bundle.schema.features[1:]))
    for other in (replace(bundle, weights=weights), replace(bundle, schema=schema)):
        with pytest.raises(
            ModelError, match=r"does not fit .*has tables of scores, heads, features"
        ):
            image_for(other, fabric)


def test_what_a_feature_path_cannot_carry_is_refused(
    bundle: Bundle, plan: QuotingPlan, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"--levels 2: the features read 10 levels"):
        emit_planned(bundle, plan, tmp_path / "p", EventShape(levels=2))
    with pytest.raises(UsageError, match=r"4 rules in a fabric with room for 3"):
        emit_planned(bundle, plan, tmp_path / "p", EventShape(rules=3))
    with pytest.raises(UsageError, match=r"has no feature schema"):
        emit_planned(replace(bundle, schema=None), plan, tmp_path / "p", SHAPE)
    windowed = replace(bundle, spec=replace(bundle.spec, mode="window"))
    with pytest.raises(
        ModelError, match=r"is served from windows; the feature path carries stateful"
    ):
        emit_planned(windowed, plan, tmp_path / "p", SHAPE)
    long = tuple(replace(rule, dwell_ns=1 << 48) for rule in plan.rules)
    with pytest.raises(
        UsageError, match=r"rule article-down: dwell_ns is 281474976710656; a register"
    ):
        emit_planned(bundle, replace(plan, rules=long), tmp_path / "p", SHAPE)
    assert not (tmp_path / "p").exists()


def test_an_event_on_an_idle_path_takes_the_predicted_cycles_stage_by_stage(
    project: Path, bundle: Bundle, plan: QuotingPlan, tape: Tape
) -> None:
    played = play(project, bundle, plan, encode(tape.events[:700]), gap=400)
    manifest = FabricManifest.load(project)
    for kind, name in ((Kind.TRADE, "trade"), (Kind.DEPTH, "levels")):
        chosen = (played.words["kind"] == kind) & ~played.words["void"]
        fastest = np.argmin(np.where(chosen, played.since[:, -1], 1 << 30))
        assert played.since[fastest, -1] == manifest.cycles[f"{name}_to_decision"]
        assert played.words["cycles"][fastest] == played.since[fastest, -1]
    assert played.since[fastest].tolist() == pulse_ends(manifest)
    blocks = [stage.block for stage in manifest.stages if stage.block]
    assert set(blocks) == {layer.name for layer in bundle.spec.layers}


@pytest.mark.tape
@pytest.mark.full
@pytest.mark.parametrize("name", RECORDINGS)
def test_decisions_are_the_cpu_loops_on_every_recording_complete(
    name: str, recordings: Path, tmp_path: Path
) -> None:
    bits, files = RECORDINGS[name]
    tape = insert_timer_ticks(read_recordings([recordings / "binance" / file for file in files]))
    bundle = random_quoting_bundle(6, tape, units=(4,))
    plan = make_plan(load_config(), bundle, tape)
    emit_planned(bundle, plan, tmp_path / "path", EventShape(window_bits=bits))
    frames = encode(tape.events, beats_a_frame=FRAME_BEATS)
    words = play(tmp_path / "path", bundle, plan, frames).words
    assert len(words) > 1000 and (words["active"] != 0).any()
    integers = sum(words[field].size for field in FIELDS)
    print(
        f"{name}: {len(tape.events):,} rows, {len(words):,} decisions, {integers:,} integers equal"
    )
