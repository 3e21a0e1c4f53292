"""A fabric whose AXI side and core have clocks of their own: every beat of every phase, resets, registers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from firmware.register_map import register_map
from hls.emit.clocks import Clocks, idle_tick_bounds
from hls.emit.project import emit_bundle, image_for
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import Code, Kind
from pyorch.contract.fixed import IntArray
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_sequence
from pyorch.inference.sample import random_bundle
from sim.commands import simulate
from sim.crossing import crossings_of
from sim.library import SimulatedFabric
from sim.measure import address, command, load_image, settle, start

BUNDLE = random_bundle(1, 9, (6,), PRESETS["narrow"], window=5)
OTHER = random_bundle(2, 9, (6,), PRESETS["narrow"], window=5)
MAP = register_map()
# AXI side and core in MHz: either one faster, equal, a whole ratio, none
RATES = [(100.0, 100.0), (25.0, 100.0), (100.0, 25.0), (250.0, 18.4), (33.3, 77.7)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("clocks") / "project"
    emit_bundle(BUNDLE, "folded", project, multipliers=24, clocks=2)
    return project


@pytest.fixture(params=RATES, ids=lambda rates: f"{rates[0]:g} and {rates[1]:g} MHz")
def fabric(built: Path, request: pytest.FixtureRequest) -> Iterator[SimulatedFabric]:
    one = SimulatedFabric(built, clocks=Clocks.of_mhz(*request.param))
    start(one)
    yield one
    one.close()


def features(ticks: int, seed: int = 1) -> IntArray:
    return random_features(np.random.default_rng(seed), BUNDLE.spec, (ticks,))


def test_every_beat_of_every_phase_is_where_it_was_predicted(fabric: SimulatedFabric) -> None:
    for one in crossings_of(fabric, BUNDLE, features(20), phases=5):
        assert one.wrong_beats == 0, one
        assert one.ok, one
        assert (one.bounds is None) == (one.name != "idle_tick")


def test_the_closed_form_of_an_idle_tick() -> None:
    # 10 cycles and the two registers of the way in, then one edge and two registers of the way out
    assert idle_tick_bounds(10, 2, Clocks(10_000, 10_000)) == (12 + 3, 13 + 3)
    assert idle_tick_bounds(10, 2, Clocks(40_000, 10_000)) == (3 + 3, 3 + 3)
    # the slower core takes both beats of a vector in its own cycles
    assert idle_tick_bounds(10, 2, Clocks(10_000, 40_000)) == (48 + 6 + 3, 52 + 6 + 3)


def test_ticks_swaps_and_registers_cross_under_traffic(fabric: SimulatedFabric) -> None:
    x, manifest = features(60, 3), fabric.manifest
    frames = [manifest.encode(Kind.STEP, k, x[k : k + 1]) for k in range(60)]
    image = image_for(OTHER, manifest)
    load_image(
        fabric, image.addresses.astype(np.int64), image.data.astype(np.int64), image.crc(),
        image.format_digest, image.model_digest,
    )  # fmt: skip
    ask = (150, address("COMMAND"), MAP["COMMAND"].put(swap_clear=1))
    back = fabric.stream(frames, gap_percent=20, stall_percent=40, seed=5, write=ask)
    results = [manifest.decode(frame) for frame in back.frames]
    assert [result.sequence for result in results] == list(range(60))
    sets = [result.weight_set for result in results]
    change = sets.index(1)
    assert 0 < change < 59 and sets == [0] * change + [1] * (60 - change)
    logits = np.concatenate([result.logits for result in results])
    np.testing.assert_array_equal(logits[:change], run_sequence(BUNDLE, x[:change])[0])
    np.testing.assert_array_equal(logits[change:], run_sequence(OTHER, x[change:])[0])
    assert fabric.read(address("STEPS")) == 60
    assert fabric.read(address("IDENTITY")) == MAP.identity
    fabric.write(address("SHAPE"), 0)  # read only: no error, no change
    assert fabric.read(address("SHAPE")) & 0xFFFF == 9


def test_a_soft_reset_forgets_beats_on_both_sides(fabric: SimulatedFabric) -> None:
    x, manifest = features(8, 4), fabric.manifest
    ticks = manifest.encode(Kind.SEQUENCE, 7, x[:3])
    fabric.stream([ticks], results=0)
    fabric.run(4000)  # the sink sleeps: results stand in the queue
    fabric.write(address("CONTROL"), MAP["CONTROL"].put(enable=1, hold=1))
    fabric.stream(
        [manifest.encode(Kind.STEP, 8, x[:1])] * 3, results=0
    )  # and features in the other
    command(fabric, reset=1)
    fabric.write(address("CONTROL"), 1)
    result = fabric.ask(Kind.SEQUENCE, x, 9)
    assert (result.code, result.sequence, result.stated) == (Code.OK, 9, 8)
    np.testing.assert_array_equal(result.logits, run_sequence(BUNDLE, x)[0])
    assert fabric.read(address("STEPS")) == 8


def test_a_hard_reset_at_any_moment_leaves_a_fresh_fabric(fabric: SimulatedFabric) -> None:
    x, manifest = features(6, 5), fabric.manifest
    for moment in range(0, 60, 7):
        fabric.stream([manifest.encode(Kind.SEQUENCE, 1, x)], results=0)
        fabric.run(moment)
        fabric.reset()
        start(fabric)
        result = fabric.ask(Kind.SEQUENCE, x, 2)
        assert (result.code, result.sequence) == (Code.OK, 2)
        np.testing.assert_array_equal(result.logits, run_sequence(BUNDLE, x)[0])


def test_the_mailbox_answers_across_the_clocks(fabric: SimulatedFabric) -> None:
    x, manifest = features(5, 6), fabric.manifest
    settle(fabric)
    fabric.write(address("OWNER"), 0)
    fabric.write(address("OWNER"), 2)
    expected = run_sequence(BUNDLE, x)[0]
    for sequence, vector in enumerate(x, 1):
        words = manifest.encode(Kind.STEP, 0, vector[None])[1:].view("<u4").tolist()
        for k, word in enumerate(words):
            fabric.write(address("MAILBOX_FEATURES") + 4 * k, word)
        fabric.write(address("MAILBOX_DOORBELL"), sequence)
        polls = 0
        while fabric.read(address("MAILBOX_SEQUENCE")) != sequence:
            polls += 1
            assert polls < 200
        count = 2 * manifest.answer_beats
        answer = [fabric.read(address("MAILBOX_ANSWER") + 4 * k) for k in range(count)]
        got = np.array(answer, np.uint32).view(np.int16)[: manifest.outputs]
        np.testing.assert_array_equal(got, expected[sequence - 1])


def test_what_cannot_be_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a fabric of 3 clocks: choose 1 \(aclk\) or 2"):
        emit_bundle(BUNDLE, "folded", tmp_path / "p", clocks=3)
    with pytest.raises(UsageError, match=r"core: 0\.5 MHz; a clock has 1 to 1000 MHz"):
        Clocks.of_mhz(100, 0.5)
    emit_bundle(BUNDLE, "folded", tmp_path / "one")
    with pytest.raises(UsageError, match="has one clock; emit it with --clocks 2"):
        SimulatedFabric(tmp_path / "one", clocks=Clocks())
    for words, text in (
        (["--core-mhz", "50"], "those of a fabric of two clocks: --clocks 2"),
        (["--clocks", "2", "--wave"], "--wave draws a fabric of one clock"),
    ):
        done = CliRunner().invoke(simulate, words)
        assert done.exit_code != 0
        assert text in str(done.exception)
