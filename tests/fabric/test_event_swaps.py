"""Weights and policy changed together in a running stream: every decision is of the one or of the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hls.emit.events import EventShape
from hls.emit.project import image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import SWAP_POLICY, SWAP_WEIGHTS, Decisions
from pyorch.contract.decision import EventRegister as Register
from pyorch.contract.events import EventArray
from pyorch.contract.fabric import FabricManifest, WeightImage
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import advance, answer, zero_state
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, encode
from pyorch.market.wire_decoder import Decoded, WireDecoder
from pyorch.trading.policy import Adjustment, Policy
from sim.bench.events.decision_player import DecisionPlayer, decided_alone, differences
from sim.bench.events.line import together
from sim.bench.events.player import STALE_NS
from sim.bench.events.small import WARM_UP, SmallDesk, emit_planned, image_of, lively, small_desk


def load_weights(player: DecisionPlayer, image: WeightImage) -> None:
    for register, text in (
        (Register.LOAD_FORMAT, image.format_digest), (Register.LOAD_MODEL, image.model_digest),
    ):  # fmt: skip
        player.write(register, int(text[:8], 16))
        player.write(register + 4, int(text[8:16], 16))
    player.write(Register.LOAD_START, 0)
    for address, value in zip(image.addresses.tolist(), image.data.tolist(), strict=True):
        player.write(Register.LOAD_ADDRESS, address)
        player.write(Register.LOAD_DATA, value)
    player.write(Register.LOAD_COMMIT, image.crc())


def scores_across(first: Bundle, second: Bundle, features: IntArray, swap: int) -> IntArray:
    """Scores tick by tick; from tick ``swap`` on by the second model, h and c carried over."""
    state, rows = zero_state(first.spec, 1), []
    for at, vector in enumerate(features):
        model = first if at < swap else second
        advance(model, state, vector[None])
        rows.append(answer(model, state.hidden[-1])[1][0])
    return np.array(rows)


@dataclass(frozen=True, slots=True)
class Swapped:
    """Two models with their policies, and the words of a stream in which the second took over."""

    desks: list[SmallDesk]
    manifest: FabricManifest
    line: Decoded
    words: Decisions


def swapped(
    events: EventArray, folder: Path, shape: EventShape, style: str, share: float
) -> Swapped:
    """Weights and policy of the second model loaded, and asked for together after a share of the beats."""
    desks = [lively(small_desk(seed)) for seed in (5, 7)]
    manifest = emit_planned(desks[0].bundle, desks[0].plan, folder, shape, style)
    assert manifest.events is not None
    image = image_of(desks[1].bundle, desks[1].plan, shape.rules)
    frames = encode(events, beats_a_frame=FRAME_BEATS)
    player = DecisionPlayer(folder)
    try:
        load_weights(player, image_for(desks[1].bundle, manifest))
        for register, value in image.writes(manifest.events.policy_format):
            player.write(register, value)
        assert player.read(Register.ERRORS) == 0
        player.write(
            Register.COMMAND, SWAP_WEIGHTS | SWAP_POLICY, after=int(share * len(frames.beats))
        )
        words = player.play(frames).words
        assert player.read(Register.ERRORS) == 0
    finally:
        player.close()
    line = WireDecoder(shape.instruments, STALE_NS).push(frames.beats, frames.ends)
    return Swapped(desks, manifest, line, words)


def check(found: Swapped, instrument: int, least: int) -> None:
    """Of an instrument's first segment every decision is wholly of the one or the other model and policy."""
    words = found.words[found.words["instrument"] == instrument]
    # one segment: where the book becomes void, state and policy begin anew
    whole = len(words) if not words["void"].any() else int(np.argmax(words["void"]))
    words = words[:whole]
    sets = words["policy_set"].astype(int)
    assert (sets == words["weight_set"]).all() and (np.diff(sets) >= 0).all()
    assert least < sets.sum() < len(sets) - least
    for number, desk in enumerate(found.desks):
        own = words[sets == number]
        assert set(own["model_digest"].tolist()) == {int(desk.bundle.digest()[:16], 16)}
        digest = image_of(desk.bundle, desk.plan).digest
        assert set(own["policy_digest"].tolist()) == {digest}
    first, second = found.desks
    expected, ticks = decided_alone(
        first.bundle, first.plan, found.manifest, found.line, instrument
    )
    expected, ticks = expected[:whole], ticks[:whole]
    assert not expected["void"].any()
    swap = int(np.argmax(sets))
    features = ticks["features"][:, : first.bundle.spec.features].astype(np.int64)
    scores = scores_across(first.bundle, second.bundle, features, swap)
    policy = Policy(first.plan.rules, first.plan.fair_shift)
    for at, word in enumerate(expected):
        if at == swap:
            policy.rules, policy.shift = second.plan.rules, second.plan.fair_shift
        word["scores"][: scores.shape[1]] = scores[at]
        adjusted = Adjustment()
        if at >= WARM_UP:
            adjusted = policy.decide(scores[at], int(word["local_ns"]))
        for name in Adjustment._fields[:-1]:
            word[name] = getattr(adjusted, name)
    assert not differences(words, expected)
    acting = expected["active"] != 0
    assert acting[:swap].any() and acting[swap:].any()


@pytest.mark.full
def test_weights_and_policy_swapped_together_under_load_give_no_mixed_decision(
    tmp_path: Path,
) -> None:
    events = insert_timer_ticks(simulate(3, 20.0)).events
    check(swapped(events, tmp_path / "path", EventShape(window_bits=11), "loadable", 0.25), 0, 200)


@pytest.mark.full
def test_a_swap_takes_effect_for_every_instrument_between_two_of_its_ticks(tmp_path: Path) -> None:
    """Several paths: states of all wait in memory meanwhile, and go on under the new weights."""
    rows = together([insert_timer_ticks(simulate(seed, 8.0)).events for seed in (3, 2)])
    shape = EventShape(instruments=2, paths=2, window_bits=11)
    found = swapped(rows, tmp_path / "path", shape, "folded", 0.5)
    sets = found.words["policy_set"].astype(int)
    assert (np.diff(sets) >= 0).all(), "the swap is one moment for all instruments"
    for instrument in range(shape.paths):
        check(found, instrument, 50)
