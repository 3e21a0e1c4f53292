"""The shell of an emitted fabric: bad frames, wrong images, swaps under load, random register writes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.register_map import generated, register_map
from hls.emit.project import emit_bundle, image_for
from pyorch.contract.fabric import Beats, Code, FabricManifest, Kind, Result, WeightImage
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.precision import PRESETS
from pyorch.inference.reference import Carried
from pyorch.inference.sample import random_bundle
from sim.bench.shell.model import ReferenceCore, ShellModel
from sim.library import SimulatedFabric
from sim.measure import address, command, load_image, settle, start

FEATURES = 6
WIRE = FixedFormat.parse("fixed<12,4,RND,SAT>")
FIRST = random_bundle(1, FEATURES, (8,), PRESETS["narrow"])
SECOND = random_bundle(2, FEATURES, (8,), PRESETS["narrow"])
INPUT = FIRST.spec.input
MAP = register_map()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("shell") / "project"
    emit_bundle(FIRST, "folded", project, wire=WIRE, multipliers=28)
    return project


@pytest.fixture
def fabric(built: Path) -> Iterator[SimulatedFabric]:
    one = SimulatedFabric(built)
    start(one)
    yield one
    one.close()


def model() -> ShellModel:
    return ShellModel(ReferenceCore(FIRST), FEATURES, 16, WIRE, INPUT)


def lanes(rng: np.random.Generator, count: int) -> IntArray:
    """Vectors as a wire may carry them, also beyond what the model takes."""
    return rng.integers(-3000, 3000, (count, FEATURES))


def second_image(manifest: FabricManifest) -> WeightImage:
    return image_for(SECOND, manifest)


def load(fabric: SimulatedFabric, image: WeightImage, **changes: object) -> None:
    given = {
        "addresses": image.addresses.astype(np.int64), "data": image.data.astype(np.int64),
        "crc": image.crc(), "format_digest": image.format_digest, "model_digest": image.model_digest,
    }  # fmt: skip
    load_image(fabric, **(given | changes))  # type: ignore[arg-type]


def status(fabric: SimulatedFabric, name: str) -> int:
    return MAP["STATUS"].get(fabric.read(address("STATUS")), name)


def errors(fabric: SimulatedFabric) -> set[str]:
    word = fabric.read(address("ERRORS"))
    return {name for name in MAP["ERRORS"].fields if MAP["ERRORS"].get(word, name)}


def agree(
    fabric: SimulatedFabric, twin: ShellModel, frames: list[Beats], **options: int
) -> list[Result]:
    """Each frame has one result, the expected one."""
    back = fabric.stream(frames, **options)
    results = [fabric.manifest.decode(beats) for beats in back.frames]
    assert len(results) == len(frames)
    for frame, result in zip(frames, results, strict=True):
        wanted = twin.frame([int(beat) for beat in frame])
        assert (result.code, result.sequence, result.stated, result.saturated) == (
            wanted.code, wanted.sequence, len(wanted.answers), wanted.saturated,
        )  # fmt: skip
        assert result.logits.tolist() == wanted.answers
    return results


def malformed(rng: np.random.Generator, manifest: FabricManifest, sequence: int) -> Beats:
    """A frame of any kind, cut, extended, or with another header; a third of them whole."""
    kind = [Kind.STEP, Kind.WINDOW, Kind.SEQUENCE][rng.integers(3)]
    count = 1 if kind is Kind.STEP else int(rng.integers(1, 6))
    frame = manifest.encode(kind, sequence, lanes(rng, count))
    change = rng.integers(6)
    if change == 0:
        frame = frame[: rng.integers(1, len(frame))]
    elif change == 1:
        more = rng.integers(0, 2**63, rng.integers(1, 40), dtype=np.uint64)
        frame = np.concatenate([frame, more])
    elif change == 2:
        frame[0] ^= np.uint64(int(rng.integers(1, 256)))
    elif change == 3:
        frame[0] = frame[0] & ~np.uint64(0xFFFF0000) | np.uint64(int(rng.integers(0, 9)) << 16)
    return frame


def test_the_generated_files_are_those_of_the_register_map() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"{path}: run `python -m firmware.register_map`"


def test_registers_do_not_overlap_and_fields_fit() -> None:
    words = [r.offset + 4 * k for r in MAP.registers.values() for k in range(r.words)]
    assert len(set(words)) == len(words)
    assert max(words) < 1 << 12
    for register in MAP.registers.values():
        bits = [low + k for low, count in register.fields.values() for k in range(count)]
        assert len(set(bits)) == len(bits) and max(bits, default=0) < 32, register.name


def test_models_of_one_format_share_a_library_and_keep_their_names(
    fabric: SimulatedFabric, tmp_path: Path
) -> None:
    emit_bundle(SECOND, "folded", tmp_path / "second", wire=WIRE, multipliers=28)
    other = SimulatedFabric(tmp_path / "second")
    assert other.library_path == fabric.library_path
    for one, bundle in ((fabric, FIRST), (other, SECOND)):
        digits = [one.read(address(f"SET_0_MODEL_{k}")) for k in (0, 1)]
        assert digits == [int(bundle.digest()[8 * k : 8 * k + 8], 16) for k in (0, 1)]
    other.close()


def test_every_bad_frame_has_exactly_one_result_and_the_state_goes_on(
    fabric: SimulatedFabric,
) -> None:
    rng, twin, seen = np.random.default_rng(5), model(), set()
    bad = 0
    for part in range(8):
        frames = [malformed(rng, fabric.manifest, 100 * part + k) for k in range(40)]
        results = agree(
            fabric, twin, frames, gap_percent=10 * part, stall_percent=8 * part, seed=part + 1
        )
        seen |= {result.code for result in results}
        bad += sum(result.code is not Code.OK for result in results)
    assert seen == {Code.OK, Code.SHORT, Code.LONG, Code.KIND, Code.COUNT}
    assert fabric.read(address("BAD_FRAMES")) == bad
    assert errors(fabric) == {"frame"}


@pytest.mark.parametrize(
    ("setting", "value", "code"), [("CONTROL", 0, Code.NOT_READY), ("OWNER", 0, Code.OWNER)]
)
def test_frames_that_may_not_tick_are_answered_and_change_nothing(
    setting: str, value: int, code: Code, fabric: SimulatedFabric
) -> None:
    rng, twin = np.random.default_rng(6), model()
    good = [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 3))]
    agree(fabric, twin, good)
    fabric.write(address(setting), value)
    twin.enabled, twin.owner = setting != "CONTROL", 0 if setting == "OWNER" else 1
    results = agree(
        fabric, twin, [malformed(rng, fabric.manifest, k) for k in range(30)], stall_percent=50
    )
    assert {result.code for result in results} == {code}
    fabric.write(address(setting), 1)
    twin.enabled, twin.owner = True, 1
    agree(fabric, twin, good)


def wrong_images(image: WeightImage) -> dict[str, dict[str, object]]:
    addresses, data = image.addresses.astype(np.int64), image.data.astype(np.int64)
    flipped = data.copy()
    flipped[len(data) // 2] ^= 1
    other = WeightImage("", "", addresses[:-1].astype(np.uint32), data[:-1].astype(np.uint32))
    return {
        "a bit differs": {"data": flipped},
        "half": {"addresses": addresses[: len(data) // 2], "data": data[: len(data) // 2]},
        "a word less, with its own CRC": {"addresses": addresses[:-1], "data": data[:-1], "crc": other.crc()},
        "a word twice": {"addresses": np.append(addresses, addresses[-1]), "data": np.append(data, data[-1])},
        "wrong CRC": {"crc": image.crc() ^ 1},
        "another fabric's": {"format_digest": "0" * 64},
    }  # fmt: skip


def test_wrong_images_are_refused_and_the_old_weights_go_on(fabric: SimulatedFabric) -> None:
    rng, twin, image = np.random.default_rng(7), model(), second_image(fabric.manifest)
    for name, change in wrong_images(image).items():
        load(fabric, image, **change)
        assert not status(fabric, "set_1_valid"), name
        assert errors(fabric) == {"load"}, name
        command(fabric, swap_keep=1)
        assert errors(fabric) == {"load", "swap"}, name
        fabric.write(address("ERRORS"), MAP["ERRORS"].put(load=1))
        assert errors(fabric) == {"swap"}, name
        fabric.write(address("ERRORS"), 0xFFFFFFFF)
        assert not errors(fabric)
        agree(fabric, twin, [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 4))])
    load(fabric, image)
    assert status(fabric, "set_1_valid") and not errors(fabric)
    assert fabric.read(address("SET_1_MODEL_0")) == int(image.model_digest[:8], 16)
    load(fabric, image, addresses=image.addresses[:1], data=image.data[:1])
    assert not status(fabric, "set_1_valid"), "one new word makes the set invalid"


def test_a_load_that_a_soft_reset_interrupts_must_begin_anew(fabric: SimulatedFabric) -> None:
    image = second_image(fabric.manifest)
    load(fabric, image)
    command(fabric, swap_keep=1)
    settle(fabric)
    half = len(image.data) // 2
    head = {"addresses": image.addresses[:half], "data": image.data[:half]}
    fabric.write(address("LOAD_START"), 1)
    for place, word in zip(head["addresses"].tolist(), head["data"].tolist(), strict=True):
        fabric.write(address("LOAD_ADDRESS"), place)
        fabric.write(address("LOAD_DATA"), word)
    command(fabric, reset=1)  # set 0, half written over, is the active one again
    assert status(fabric, "active_set") == 0 and not status(fabric, "set_0_valid")
    for place, word in zip(
        image.addresses[half:].tolist(), image.data[half:].tolist(), strict=True
    ):
        fabric.write(address("LOAD_ADDRESS"), place)
        fabric.write(address("LOAD_DATA"), word)
    fabric.write(address("LOAD_COMMIT"), image.crc())
    assert "load" in errors(fabric)
    assert not status(fabric, "set_0_valid") and not status(fabric, "set_1_valid")
    result = fabric.ask(Kind.STEP, np.zeros((1, FEATURES), np.int64))
    assert result.code is Code.NOT_READY


def test_a_reset_does_not_call_overwritten_weights_valid(fabric: SimulatedFabric) -> None:
    image, twin = second_image(fabric.manifest), model()
    load(fabric, image)
    fabric.reset()
    start(fabric)
    rng = np.random.default_rng(1)
    agree(fabric, twin, [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 3))])
    load(fabric, image)
    command(fabric, swap_keep=1)
    load(fabric, image)
    fabric.reset()
    start(fabric)
    assert not status(fabric, "set_0_valid")
    assert fabric.ask(Kind.STEP, lanes(rng, 1)).code is Code.NOT_READY


@pytest.mark.parametrize("keep", [True, False])
def test_a_swap_under_full_load_loses_no_tick_and_mixes_no_weights(
    keep: bool, fabric: SimulatedFabric
) -> None:
    rng, image = np.random.default_rng(8), second_image(fabric.manifest)
    x = lanes(rng, 40)
    raw = INPUT.convert(x, WIRE.fraction)
    bits = {"swap_keep": 1} if keep else {"swap_clear": 1}
    write = (address("COMMAND"), MAP["COMMAND"].put(**bits))
    changes = set()
    for at in range(0, 980, 37):
        command(fabric, reset=1)
        load(fabric, image)
        kind = Kind.SEQUENCE if at % 2 else Kind.STEP
        size = 40 if at % 2 else 1
        frames = [fabric.manifest.encode(kind, k, x[k : k + size]) for k in range(0, 40, size)]
        back = fabric.stream(frames, write=(at, *write))
        logits = np.concatenate([fabric.manifest.decode(frame).logits for frame in back.frames])
        assert status(fabric, "active_set") == 1 and fabric.read(address("SWAPS")) == 1
        histories = [with_swap(raw, k, keep) for k in range(41)]
        found = [k for k, wanted in enumerate(histories) if np.array_equal(logits, wanted)]
        assert found, f"swap asked in cycle {at}: the answers fit no tick at which it was done"
        changes |= set(found)
        answer = np.arange(len(back.out)) - np.cumsum(back.out_last) + back.out_last
        starts = np.flatnonzero((answer % fabric.manifest.answer_beats == 0) & (back.out_last == 0))
        gaps = np.diff(back.out_cycles[starts].astype(np.int64))
        if 4 < found[0] < 36:  # in the midst of the stream
            wanted_gap = fabric.manifest.cycles["swap_in_stream"]
            assert gaps[found[0] - 1] == gaps.max() == wanted_gap, f"asked in cycle {at}"
    assert len(changes) > 15


def with_swap(raw: IntArray, at: int, keep: bool) -> IntArray:
    """Logits of a stream whose weights change before tick ``at``."""
    core = ReferenceCore(FIRST)
    logits = []
    for k, x in enumerate(raw):
        if k == at:
            core.bundle = SECOND
            if not keep:
                core.clear()
        logits.append(core.step(x.tolist()))
    return np.array(logits)


def test_the_mailbox_answers_and_counts_refused_doorbells(fabric: SimulatedFabric) -> None:
    rng, twin = np.random.default_rng(9), model()
    fabric.write(address("MAILBOX_DOORBELL"), 1)  # without the lock
    assert fabric.read(address("REFUSED_DOORBELLS")) == 1
    fabric.write(address("OWNER"), 2)  # the stream has it
    assert errors(fabric) == {"access", "doorbell"}
    fabric.write(address("OWNER"), 0)
    fabric.write(address("OWNER"), 2)
    assert status(fabric, "owner") == 2
    beats = fabric.manifest.vector_beats
    for sequence in range(1, 30):
        frame = fabric.manifest.encode(Kind.STEP, sequence, lanes(rng, 1))
        words = frame[1:].view("<u4").tolist()
        assert len(words) == 2 * beats
        for k, word in enumerate(words):
            fabric.write(address("MAILBOX_FEATURES") + 4 * k, word)
        fabric.write(address("MAILBOX_DOORBELL"), sequence)
        for _ in range(200):
            if fabric.read(address("MAILBOX_SEQUENCE")) == sequence:
                break
        twin.owner = 1
        wanted = twin.frame([int(beat) for beat in frame])
        answer = [
            fabric.read(address("MAILBOX_ANSWER") + 4 * k)
            for k in range(2 * fabric.manifest.answer_beats)
        ]
        got = np.array(answer, np.uint32).view(np.int16)[: fabric.manifest.outputs]
        assert got.tolist() == wanted.answers[0]
        assert fabric.read(address("MAILBOX_SET")) == 2 * wanted.saturated
    fabric.write(address("CONTROL"), MAP["CONTROL"].put(enable=1, hold=1))
    for sequence in (100, 101, 102):
        fabric.write(address("MAILBOX_DOORBELL"), sequence)
    assert fabric.read(address("REFUSED_DOORBELLS")) == 3
    assert fabric.read(address("MAILBOX_SEQUENCE")) == 29
    fabric.write(address("OWNER"), 0)  # refused: a tick is under way
    assert status(fabric, "owner") == 2
    fabric.write(address("CONTROL"), 1)
    settle(fabric)
    assert fabric.read(address("MAILBOX_SEQUENCE")) == 100


def put_place(fabric: SimulatedFabric, **place: int) -> None:
    fabric.write(address("STATE_ADDRESS"), MAP["STATE_ADDRESS"].put(**place))


def element(fabric: SimulatedFabric, **place: int) -> int:
    put_place(fabric, **place)
    word = fabric.read(address("STATE_DATA"))
    return word - (word >> 31 << 32)


def test_states_are_staged_where_there_is_a_unit_and_taken_by_a_load(
    fabric: SimulatedFabric,
) -> None:
    def write(value: int, **place: int) -> set[str]:
        put_place(fabric, **place)
        fabric.write(address("STATE_DATA"), value)
        found = errors(fabric)
        fabric.write(address("ERRORS"), 31)
        return found

    assert write(5, cell=1, unit=6) == set()
    fabric.write(address("STATE_DATA"), 0xFFFFFFFD)  # the unit after it
    assert element(fabric, cell=1, unit=6) == element(fabric, cell=1, unit=7) == 0
    for layer, unit in ((0, 8), (0, 4095), (1, 0), (3, 0)):
        assert write(1, layer=layer, cell=1, unit=unit) == {"access"}, (layer, unit)
    fabric.write(address("WINDOW_FILL"), 0)
    assert errors(fabric) == {"access"}, "a stateful model keeps no vectors"
    command(fabric, load=1)
    settle(fabric)
    assert (element(fabric, cell=1, unit=6), element(fabric, cell=1, unit=7)) == (5, -3)
    assert fabric.read(address("PAUSE_LAST")) == fabric.manifest.cycles["state_load"]
    command(fabric, clear=1)
    settle(fabric)
    assert element(fabric, cell=1, unit=7) == 0
    command(fabric, load=1)  # what is staged stays
    settle(fabric)
    assert element(fabric, cell=1, unit=7) == -3


def test_staging_waits_for_no_tick_but_not_while_a_load_waits(fabric: SimulatedFabric) -> None:
    put_place(fabric)
    fabric.write(address("CONTROL"), MAP["CONTROL"].put(enable=1, hold=1))
    frame = fabric.manifest.encode(Kind.STEP, 1, np.zeros((1, FEATURES), np.int64))
    fabric.stream([frame], results=0)  # a tick waits
    fabric.write(address("STATE_DATA"), 1)
    assert not errors(fabric)
    twin_before = element(fabric, unit=0)
    command(fabric, load=1)
    settle_pending(fabric)
    assert (twin_before, element(fabric, unit=0)) == (0, 1), "a held fabric loads"
    fabric.write(address("CONTROL"), 1)
    busy = fabric.manifest.encode(Kind.SEQUENCE, 2, np.zeros((200, FEATURES), np.int64))
    fabric.stream([busy], results=0)  # the load has to wait for a boundary
    command(fabric, load=1)
    fabric.write(address("STATE_DATA"), 1)
    assert errors(fabric) == {"access"}


def settle_pending(fabric: SimulatedFabric) -> None:
    for _ in range(100):
        if not status(fabric, "pending"):
            return
    raise AssertionError("a load waits")


@pytest.mark.parametrize("at", range(1, 320, 43))
def test_a_swap_takes_weights_and_staged_state_at_one_tick(
    at: int, fabric: SimulatedFabric
) -> None:
    rng = np.random.default_rng(at)
    load(fabric, second_image(fabric.manifest))
    staged = {name: rng.integers(-30, 30, 8) for name in ("h", "c")}
    for kind, values in enumerate(staged.values()):
        put_place(fabric, cell=kind)
        for value in values.tolist():
            fabric.write(address("STATE_DATA"), value)
    x = lanes(rng, 20)
    frames = [fabric.manifest.encode(Kind.STEP, k, x[k : k + 1]) for k in range(20)]
    ask = (at, address("COMMAND"), MAP["COMMAND"].put(swap_load=1))
    back = fabric.stream(frames, write=ask)
    logits = np.concatenate([fabric.manifest.decode(frame).logits for frame in back.frames])
    sets = [fabric.manifest.decode(frame).weight_set for frame in back.frames]
    change = sets.index(1)
    assert sets == [0] * change + [1] * (20 - change)
    raw, core, wanted = INPUT.convert(x, WIRE.fraction), ReferenceCore(FIRST), []
    for k, vector in enumerate(raw):
        if k == change:
            core.bundle = SECOND
            core.state = Carried([staged["h"][None]], [staged["c"][None]])
        wanted.append(core.step(vector.tolist()))
    assert logits.tolist() == wanted


def test_ten_thousand_random_register_writes_neither_hang_nor_falsify(
    fabric: SimulatedFabric,
) -> None:
    rng, codes = np.random.default_rng(10), set()
    offsets = [r.offset + 4 * k for r in MAP.registers.values() for k in range(r.words)]
    favoured = [r.offset for r in MAP.registers.values() if r.words == 1]
    for number in range(10_000):
        at = int(rng.choice(favoured if rng.random() < 0.8 else [*offsets, 0x0F0, 0xFFC]))
        value = int(rng.integers(0, 2**32)) if rng.random() < 0.5 else int(rng.integers(0, 8))
        fabric.write(at, value)
        if number % 25 == 0:
            enable = int(rng.random() < 0.8)
            fabric.write(address("CONTROL"), enable)  # not held: a held fabric waits, as it should
            if rng.random() < 0.7:
                settle(fabric)
                fabric.write(address("OWNER"), 0)
                fabric.write(address("OWNER"), 1)
            command(fabric, clear=1)
            twin = model()
            twin.enabled, twin.owner = bool(enable), status(fabric, "owner")
            assert status(fabric, "active_set") == 0 and status(fabric, "set_0_valid")
            frames = [malformed(rng, fabric.manifest, k) for k in range(3)]
            codes |= {result.code for result in agree(fabric, twin, frames)}
    assert codes == set(Code)
    command(fabric, reset=1)
    fabric.write(address("OWNER"), 0)
    start(fabric)
    agree(fabric, model(), [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 50))])
