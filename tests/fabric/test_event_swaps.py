"""Weights and policy changed together in a running stream: every decision is of the one or of the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hls.emit.events import EventShape
from hls.emit.project import image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import SWAP_POLICY, SWAP_WEIGHTS
from pyorch.contract.decision import EventRegister as Register
from pyorch.contract.fabric import WeightImage
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import advance, answer, zero_state
from pyorch.market.wire import FRAME_BEATS, encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.policy import Adjustment, Policy
from sim.bench.events.decision_player import DecisionPlayer, decided, differences
from sim.bench.events.player import STALE_NS
from sim.bench.events.small import WARM_UP, emit_planned, image_of, small_desk

SHAPE = EventShape(window_bits=11)


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


@pytest.mark.full
def test_weights_and_policy_swapped_together_under_load_give_no_mixed_decision(
    tmp_path: Path,
) -> None:
    desks = [small_desk(seed) for seed in (5, 7)]
    tape, models, plans = desks[0].tape, [one.bundle for one in desks], [one.plan for one in desks]
    images = [image_of(model, plan, SHAPE.rules) for model, plan in zip(models, plans, strict=True)]
    manifest = emit_planned(models[0], plans[0], tmp_path / "path", SHAPE, "loadable")
    assert manifest.events is not None
    frames = encode(tape.events, beats_a_frame=FRAME_BEATS)
    player = DecisionPlayer(tmp_path / "path")
    try:
        load_weights(player, image_for(models[1], manifest))
        for register, value in images[1].writes(manifest.events.policy_format):
            player.write(register, value)
        assert player.read(Register.ERRORS) == 0
        player.write(Register.COMMAND, SWAP_WEIGHTS | SWAP_POLICY, after=len(frames.beats) // 4)
        words = player.play(frames).words
        assert player.read(Register.ERRORS) == 0
    finally:
        player.close()
    # one segment: where the book becomes void, state and policy begin anew
    whole = len(words) if not words["void"].any() else int(np.argmax(words["void"]))
    words = words[:whole]
    sets = words["policy_set"].astype(int)
    assert (sets == words["weight_set"]).all() and (np.diff(sets) >= 0).all()
    assert 200 < sets.sum() < len(sets) - 200
    for number, (model, image) in enumerate(zip(models, images, strict=True)):
        own = words[sets == number]
        assert set(own["model_digest"].tolist()) == {int(model.digest()[:16], 16)}
        assert set(own["policy_digest"].tolist()) == {image.digest}
    decoded = WireDecoder(1, STALE_NS).push(frames.beats, frames.ends)
    expected, ticks = decided(models[0], plans[0], manifest, decoded.events, decoded.numbers)
    expected, ticks = expected[:whole], ticks[:whole]
    assert not expected["void"].any()
    swap = int(np.argmax(sets))
    features = ticks["features"][:, : models[0].spec.features].astype(np.int64)
    scores = scores_across(models[0], models[1], features, swap)
    policy = Policy(plans[0].rules, plans[0].fair_shift)
    for at, word in enumerate(expected):
        if at == swap:
            policy.rules, policy.shift = plans[1].rules, plans[1].fair_shift
        word["scores"][: scores.shape[1]] = scores[at]
        found = Adjustment()
        if at >= WARM_UP:
            found = policy.decide(scores[at], int(word["local_ns"]))
        for name in Adjustment._fields[:-1]:
            word[name] = getattr(found, name)
    assert not differences(words, expected)
    acting = expected["active"] != 0
    assert acting[:swap].any() and acting[swap:].any()
