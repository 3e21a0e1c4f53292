"""The engine `serial` on the simulated ULX3S: ticks, state, weights; no fault of the line gets through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from firmware.serial.engine import SerialEngine
from hls.emit.project import image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import MismatchError
from pyorch.contract.fabric import Kind
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_sequence, run_windows
from pyorch.inference.sample import random_bundle

pytest.importorskip("serial", reason="needs the extra `board`")
from sim.board import Noise, SimulatedBoard

BUNDLE = random_bundle(31, 6, (8,), window=5)
OTHER = random_bundle(32, 6, (8,), window=5)
WAIT_S = 0.5


@pytest.fixture(scope="module")
def board() -> Iterator[SimulatedBoard]:
    opened = SimulatedBoard(BUNDLE, multipliers=28)
    yield opened
    opened.close()


@pytest.fixture
def engine(board: SimulatedBoard) -> Iterator[SerialEngine]:
    board.quiet(Noise())
    opened = open_on(board)
    yield opened
    board.quiet(Noise())
    opened.close()


def open_on(board: SimulatedBoard, bundle: Bundle = BUNDLE, **options: object) -> SerialEngine:
    return SerialEngine.open(
        bundle, port=board.port, project=board.project, baud=board.baud, wait_s=WAIT_S, **options
    )


def features(ticks: int, seed: int = 1) -> np.ndarray:
    return random_features(np.random.default_rng(seed), BUNDLE.spec, (ticks,))


def faults(counters: dict[str, int]) -> dict[str, int]:
    return {
        name: count
        for name, count in counters.items()
        if name not in ("accepted", "executed") and count
    }


def test_ticks_windows_and_sequences_are_the_references(engine: SerialEngine) -> None:
    x = features(30)
    before = engine.driver.bridge_counters()
    logits, scores = run_sequence(BUNDLE, x)
    for tick, vector in enumerate(x[:20]):
        outputs = engine.step(vector)
        np.testing.assert_array_equal(outputs.logits, logits[tick])
        np.testing.assert_array_equal(outputs.scores, scores[tick])
    np.testing.assert_array_equal(engine.run(x[20:])[0], logits[20:])
    np.testing.assert_array_equal(
        engine.window(x[:5]).logits, run_windows(BUNDLE, x[None, :5])[0][0]
    )
    after = engine.driver.bridge_counters()
    assert faults(after) == faults(before)
    assert engine.driver.link.counts.sent == engine.driver.link.counts.requests


def test_a_tick_is_one_request(engine: SerialEngine) -> None:
    engine.step(features(1)[0])
    before = engine.driver.link.counts.requests
    for vector in features(3):
        engine.step(vector)
    assert engine.driver.link.counts.requests == before + 3


def test_frames_longer_than_a_packet_go_in_parts(engine: SerialEngine) -> None:
    x = features(600)  # a window of 4,808 bytes
    outputs = engine.driver.ask(Kind.WINDOW, x, 7)
    np.testing.assert_array_equal(outputs.logits[0], run_windows(BUNDLE, x[None])[0][0])
    engine.reset()
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])


def test_weights_are_loaded_and_swapped_over_the_line(engine: SerialEngine) -> None:
    x = features(10, 2)
    driver = engine.driver
    before = driver.active_set
    driver.load(image_for(OTHER, driver.manifest))
    assert driver.model_digest(1 - before) == OTHER.digest()[:16]
    driver.swap(clear=True)
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(OTHER, x)[0])


def test_a_board_with_another_model_is_refused_or_loaded(board: SimulatedBoard) -> None:
    with pytest.raises(MismatchError, match=r"holds model [0-9a-f]{16}, the bundle is"):
        open_on(board, OTHER)
    x = features(10, 2)
    opened = open_on(board, OTHER, load=image_for(OTHER, board.manifest))
    np.testing.assert_array_equal(opened.run(x)[0], run_sequence(OTHER, x)[0])
    opened.close()
