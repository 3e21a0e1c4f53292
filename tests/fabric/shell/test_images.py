"""Images of weights: wrong and interrupted ones never become valid, swaps under load mix nothing."""

from pathlib import Path

import numpy as np
import pytest

from hls.emit.project import emit_bundle
from pyorch.contract.fabric import Code, Kind, WeightImage
from pyorch.contract.fixed import IntArray
from sim.bench.shell.model import ReferenceCore
from sim.bench.shell.rig import (
    FEATURES,
    FIRST,
    INPUT,
    MAP,
    MULTIPLIERS,
    SECOND,
    WIRE,
    agree,
    errors,
    lanes,
    load,
    model,
    second_image,
    status,
)
from sim.library import SimulatedFabric
from sim.measure import address, command, settle, start


def test_models_of_one_format_share_a_library_and_keep_their_names(
    fabric: SimulatedFabric, tmp_path: Path
) -> None:
    emit_bundle(SECOND, "folded", tmp_path / "second", wire=WIRE, multipliers=MULTIPLIERS)
    other = SimulatedFabric(tmp_path / "second")
    assert other.library_path == fabric.library_path
    for one, bundle in ((fabric, FIRST), (other, SECOND)):
        digits = [one.read(address(f"SET_0_MODEL_{k}")) for k in (0, 1)]
        assert digits == [int(bundle.digest()[8 * k : 8 * k + 8], 16) for k in (0, 1)]
    other.close()


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
    histories = [with_swap(raw, k, keep) for k in range(41)]
    cycles = 39 * fabric.manifest.cycles["interval_in_sequence"]  # of the stream, and some more
    for at in range(0, cycles, 37):
        command(fabric, reset=1)
        load(fabric, image)
        kind = Kind.SEQUENCE if at % 2 else Kind.STEP
        size = 40 if at % 2 else 1
        frames = [fabric.manifest.encode(kind, k, x[k : k + size]) for k in range(0, 40, size)]
        back = fabric.stream(frames, write=(at, *write))
        logits = np.concatenate([fabric.manifest.decode(frame).logits for frame in back.frames])
        assert status(fabric, "active_set") == 1 and fabric.read(address("SWAPS")) == 1
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
