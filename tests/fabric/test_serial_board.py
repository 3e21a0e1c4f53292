"""The engine `serial` on the simulated ULX3S: ticks, state, weights; no fault of the line gets through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from firmware.serial.engine import SerialEngine
from firmware.serial.link import LinkCounts, SerialLink
from firmware.serial.packets import Command
from hls.emit.project import image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, MismatchError
from pyorch.contract.fabric import Kind
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_sequence, run_windows
from pyorch.inference.sample import random_bundle

pytest.importorskip("serial", reason="needs the extra `board`")
from sim.board import Noise, SimulatedBoard

SHAPE = (5, (7,), PRESETS["narrow"])
HEADS = (Head("direction", "softmax", ("down", "stable", "up"), "probability"),)
BUNDLE = random_bundle(
    6, *SHAPE, heads=HEADS
)  # that of the conformance suite: compiled once for both
OTHER = random_bundle(60, *SHAPE, heads=HEADS)
WAIT_S = 0.5
ATTEMPTS = 200
"""On a busy machine the board answers late: how many attempts an answer takes says nothing."""
TO, FROM = "to the board", "from the board"


@pytest.fixture(scope="module")
def board() -> Iterator[SimulatedBoard]:
    opened = SimulatedBoard(BUNDLE)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def free_board() -> Iterator[SimulatedBoard]:
    """A second one, whose port nobody has opened."""
    opened = SimulatedBoard(BUNDLE)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def opened(board: SimulatedBoard) -> Iterator[SerialEngine]:
    engine = open_on(board)
    yield engine
    engine.close()


@pytest.fixture
def engine(board: SimulatedBoard, opened: SerialEngine) -> SerialEngine:
    """The same engine for every test, its session, fabric and counts begun anew."""
    board.quiet()
    link = opened.driver.link
    link.wait_s, link.attempts, link.counts = WAIT_S, ATTEMPTS, LinkCounts()
    opened.driver.connect()
    opened.driver.start()
    opened.reset()
    return opened


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


def test_a_state_moves_over_the_line(engine: SerialEngine) -> None:
    x = features(30, 3)
    logits = run_sequence(BUNDLE, x)[0]
    np.testing.assert_array_equal(engine.run(x[:12])[0], logits[:12])
    state = engine.state()
    assert state.steps == 12 and state.cell[0].any()
    engine.run(x[20:])
    engine.load_state(state)
    np.testing.assert_array_equal(engine.run(x[12:])[0], logits[12:])


def test_frames_longer_than_a_packet_go_in_parts(engine: SerialEngine) -> None:
    x = features(300)  # a window of 2,408 bytes
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


def test_a_board_with_another_model_is_refused_or_loaded(free_board: SimulatedBoard) -> None:
    with pytest.raises(MismatchError, match=r"holds model [0-9a-f]{16}, the bundle is"):
        open_on(free_board, OTHER)
    x = features(10, 2)
    opened = open_on(free_board, OTHER, load=image_for(OTHER, free_board.manifest))
    np.testing.assert_array_equal(opened.run(x)[0], run_sequence(OTHER, x)[0])
    opened.close()


# ---- faults of the line
def check_accounts(engine: SerialEngine, board: SimulatedBoard, before: dict[str, int]) -> None:
    """What the bridge counted is what its twin in Python saw on the same bytes; nothing ran twice."""
    engine.driver.link.wait_s = 60.0  # the reading itself is not to be repeated
    after = engine.driver.bridge_counters()
    change = {name: (count - before[name]) % 65536 for name, count in after.items()}
    seen = board.to_board
    assert seen.accepted + seen.damaged + seen.too_long == sum(
        after[name] for name in ("accepted", "damaged", "too_long", "dropped")
    )
    assert change["executed"] + change["repeated"] == change["accepted"]
    for name in ("strangers", "out_of_order", "bad_programs", "bus_errors", "timeouts"):
        assert change[name] == 0, change


def steps_under_noise(
    board: SimulatedBoard, engine: SerialEngine, noise: Noise, ticks: int
) -> None:
    x = features(ticks, noise.seed)
    logits, scores = run_sequence(BUNDLE, x)
    # a program that reads the counters is not yet counted in them
    requests, before = engine.driver.link.counts.requests, engine.driver.bridge_counters()
    done = engine.driver.get("STEPS")
    board.disturb(noise)
    for tick, vector in enumerate(x):
        outputs = engine.step(vector)
        np.testing.assert_array_equal(outputs.logits, logits[tick], err_msg=f"tick {tick}")
        np.testing.assert_array_equal(outputs.scores, scores[tick], err_msg=f"tick {tick}")
    board.quiet()
    assert engine.driver.get("STEPS") == done + ticks
    requests = engine.driver.link.counts.requests - requests
    after = engine.driver.bridge_counters()
    assert after["executed"] - before["executed"] == requests
    counts = engine.driver.link.counts
    assert counts.sent > counts.requests, "no fault hit anything: this noise proves nothing"


def test_ticks_under_noise_drops_and_delays_are_exact_and_every_fault_is_counted(
    engine: SerialEngine, board: SimulatedBoard
) -> None:
    engine.driver.link.wait_s = 0.1
    before = engine.driver.bridge_counters()
    noise = Noise(seed=5, flip=0.002, drop=0.001, insert=0.001, delay=0.02, delay_s=0.15)
    steps_under_noise(board, engine, noise, 150)
    check_accounts(engine, board, before)
    assert {f"{what} {way}" for what in ("flipped", "delayed") for way in (TO, FROM)} <= set(
        noise.counts
    )


@pytest.mark.full
def test_ten_thousand_ticks_under_noise_are_exact_and_every_fault_is_counted(
    engine: SerialEngine, board: SimulatedBoard
) -> None:
    engine.driver.link.wait_s = 0.1
    before = engine.driver.bridge_counters()
    noise = Noise(seed=6, flip=0.001, drop=0.0005, insert=0.0005, delay=0.01, delay_s=0.15)
    steps_under_noise(board, engine, noise, 10_000)
    check_accounts(engine, board, before)


def test_glitches_on_the_line_itself_let_nothing_wrong_through(
    engine: SerialEngine, board: SimulatedBoard
) -> None:
    engine.driver.link.wait_s = 0.1
    before = engine.driver.bridge_counters()
    steps_under_noise(board, engine, Noise(seed=7, glitches_a_million=150), 60)
    after = engine.driver.bridge_counters()
    assert board.glitches > 20
    assert after["bad_bytes"] > before["bad_bytes"] and after["damaged"] > before["damaged"]


def everything_counted(engine: SerialEngine) -> dict[str, int]:
    bridge = engine.driver.bridge_counters()
    host = engine.driver.link.counts.as_dict()
    counted = {f"bridge {n}": c for n, c in bridge.items() if n not in ("accepted", "executed")}
    return counted | {f"host {n}": c for n, c in host.items() if n not in ("requests", "sent")}


@pytest.mark.parametrize("what", ["flipped", "dropped", "inserted"])
@pytest.mark.parametrize("way", [TO, FROM])
def test_one_fault_in_any_byte_is_counted_and_does_not_change_the_answer(
    engine: SerialEngine, board: SimulatedBoard, way: str, what: str
) -> None:
    engine.driver.link.wait_s = 0.05
    x = features(31, 9)  # a request of 31 bytes, an answer of 27
    logits = run_sequence(BUNDLE, x)[0]
    for position in range(31 if way == TO else 27):
        before = everything_counted(engine)
        noise = Noise()
        noise.plant(way, position, what)
        board.disturb(noise)
        np.testing.assert_array_equal(engine.step(x[position]).logits, logits[position])
        board.quiet()
        assert noise.counts == {f"{what} {way}": 1}
        after = everything_counted(engine)
        counted = {
            name: after[name] - before[name] for name in after if after[name] != before[name]
        }
        # a lost opening flag is no fault: the closing one of the packet before does as well
        assert counted or (what == "dropped" and position == 0), position


# ---- what the bridge refuses
def test_a_tick_that_gets_no_answer_is_an_error_in_time_and_a_start_recovers(
    engine: SerialEngine,
) -> None:
    driver = engine.driver
    engine.step(features(1)[0])
    driver.put("CONTROL", enable=1, hold=1)
    with pytest.raises(DeviceError, match=r"with TIMEOUT: the fabric did not answer within"):
        engine.step(features(1)[0])
    assert driver.bridge_counters()["timeouts"] >= 1
    driver.start()
    engine.reset()
    x = features(5)
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])


def test_another_host_takes_the_session_and_the_first_one_is_told(engine: SerialEngine) -> None:
    link = engine.driver.link
    other = SerialLink(link.port, link.baud, wait_s=WAIT_S)
    other.connect()
    with pytest.raises(DeviceError, match="STRANGER: it has forgotten this session"):
        engine.step(features(1)[0])
    link.connect()
    assert engine.driver.bridge_counters()["strangers"] >= 1


def test_a_number_that_is_not_the_next_is_refused(engine: SerialEngine) -> None:
    link = engine.driver.link
    link._sequence += 5
    with pytest.raises(DeviceError, match="ORDER: it expects another sequence number"):
        link.run(b"", 0)
    link.connect()
    assert engine.driver.bridge_counters()["out_of_order"] >= 1


def test_programs_that_cannot_be_run_are_refused_and_counted(engine: SerialEngine) -> None:
    driver, link = engine.driver, engine.driver.link
    before = driver.bridge_counters()
    for program in (b"\x09", b"\x01\x20\x00", b"\x03\x00\x00\x01", b"\x03\x02\x00\x01" + bytes(8)):
        with pytest.raises(DeviceError, match="PROGRAM: it did not understand"):
            link.run(program, 0)
        driver.link.connect()
    driver.start()
    for access in ((0x2000, None), (0x1010, 1), (0x4020, 1)):
        with pytest.raises(DeviceError, match="BUS: the fabric refused a register access"):
            driver.script([access])
    with pytest.raises(DeviceError, match="LONG_RESULT: the results are longer"):
        link.run(bytes([Command.READ, 0, 0]) * 600, 2400)
    after = driver.bridge_counters()
    assert after["bad_programs"] - before["bad_programs"] == 4
    assert after["bus_errors"] - before["bus_errors"] == 3
    assert after["long_results"] - before["long_results"] == 1


def test_a_packet_longer_than_the_buffer_is_refused_and_counted(engine: SerialEngine) -> None:
    link = engine.driver.link
    link.attempts, link.wait_s = 1, 0.05
    with pytest.raises(
        DeviceError, match=r"no valid answer to request \d+ in 1 attempts of .*refused.*FIRE1"
    ):
        link.run(bytes(3000), 0)
    link.attempts, link.wait_s = ATTEMPTS, WAIT_S
    link.connect()
    assert engine.driver.bridge_counters()["too_long"] >= 1


def test_the_button_resets_and_the_host_is_told(
    engine: SerialEngine, board: SimulatedBoard
) -> None:
    engine.step(features(1)[0])
    board.press(True)
    link = engine.driver.link
    link.attempts, link.wait_s = 2, 0.05
    with pytest.raises(DeviceError, match="no valid answer"):
        engine.step(features(1)[0])
    board.press(False)
    link.attempts, link.wait_s = ATTEMPTS, WAIT_S
    with pytest.raises(DeviceError, match="STRANGER"):
        engine.step(features(1)[0])
    board.to_board.accepted = board.to_board.damaged = board.to_board.too_long = 0


def test_another_fabric_behind_the_port_is_refused(engine: SerialEngine) -> None:
    driver = engine.driver
    ours = driver.manifest
    fields = {name: getattr(ours, name) for name in ours.__struct_fields__}
    driver.manifest = type(ours)(**fields | {"format_digest": "f" * 64})
    with pytest.raises(MismatchError, match=r"format digest is .*, the project's ffffffff"):
        driver.connect()
    driver.manifest = ours
    driver.connect()


def test_a_port_without_a_board_is_an_error_in_time(board: SimulatedBoard) -> None:
    master, slave = os.openpty()
    with pytest.raises(DeviceError, match=r"no valid answer to request 0 in 8 attempts of"):
        SerialEngine.open(
            BUNDLE, port=os.ttyname(slave), project=board.project, baud=10_000_000, wait_s=0.01
        )
    os.close(master)
    with pytest.raises(DeviceError, match=r"serial port .* at 3,000,000 baud: .*dialout"):
        SerialEngine.open(BUNDLE, port="/dev/absent", project=board.project)
    os.close(slave)
    with pytest.raises(EnvironmentMissingError, match=r"needs a port \(option port, or PYORCH_S"):
        SerialEngine.open(BUNDLE)


def test_a_wrong_answer_of_the_fabric_is_found_by_the_golden_vectors(
    free_board: SimulatedBoard,
) -> None:
    changed = BUNDLE.golden["window_logits"] + 1
    wrong = replace(BUNDLE, golden=BUNDLE.golden | {"window_logits": changed})
    with pytest.raises(
        MismatchError, match=r"engine serial \(folded at .*golden window logits differ"
    ):
        open_on(free_board, wrong)
