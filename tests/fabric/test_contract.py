"""Manifests, weight images and frames: what the emitter, the driver and the simulation must agree on."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls.emit.project import emit_bundle
from pyorch.contract.errors import BundleError
from pyorch.contract.fabric import (
    Code,
    FabricManifest,
    Kind,
    WeightImage,
    beats_of,
    input_lane,
    output_lane,
    pack_lanes,
    rtl_folder,
    unpack_lanes,
)
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> FabricManifest:
    bundle = random_bundle(1, 5, (4,), PRESETS["default"])
    return emit_bundle(bundle, "folded", tmp_path_factory.mktemp("fabric") / "project")


def image() -> WeightImage:
    addresses = np.array([0x01000000, 0x01000001, 0x02000300], np.uint32)
    return WeightImage("aa" * 32, "bb" * 32, addresses, np.array([1, 2**32 - 1, 7], np.uint32))


@given(
    lane=st.sampled_from([8, 16, 32]), rows=st.integers(0, 4), count=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_lanes_come_back_as_they_went(lane: int, rows: int, count: int, seed: int) -> None:
    limit = 1 << (lane - 1)
    values = np.random.default_rng(seed).integers(-limit, limit, (rows, count))
    beats = pack_lanes(values, lane)
    assert beats.shape == (rows, beats_of(count, lane))
    assert np.array_equal(unpack_lanes(beats, lane, count), values)


def test_lanes_fill_a_beat_from_bit_0_in_twos_complement() -> None:
    beats = pack_lanes(np.array([[-1, 2, 3, 4, 5]]), 16)
    assert [hex(beat) for beat in beats[0]] == ["0x400030002ffff", "0x5"]


@pytest.mark.parametrize(("width", "lane"), [(2, 8), (8, 8), (9, 16), (16, 16)])
def test_input_lane_is_the_smallest_that_holds_the_wire_format(width: int, lane: int) -> None:
    assert input_lane(FixedFormat(width, 1)) == lane


@pytest.mark.parametrize(("width", "lane"), [(8, 16), (16, 16), (17, 32), (32, 32)])
def test_output_lane_is_the_smallest_that_holds_a_logit(width: int, lane: int) -> None:
    assert output_lane(FixedFormat(width, 8)) == lane


def test_a_frame_is_its_header_and_its_vectors_each_on_a_new_beat(fabric: FabricManifest) -> None:
    beats = fabric.encode(
        Kind.SEQUENCE, 0x1_0000_0009, np.array([[1, 2, 3, 4, -5], [0, 0, 0, 0, 1]])
    )
    assert fabric.input_lane == 8 and fabric.vector_beats == 1
    assert [hex(beat) for beat in beats] == ["0x900020003", "0xfb04030201", "0x100000000"]


def test_a_result_frame_is_read_with_its_status(fabric: FabricManifest) -> None:
    logits = np.arange(22).reshape(2, 11) - 11
    status = np.uint64(77 << 32 | 2 << 16 | 0b11 << 8 | Code.LONG)
    result = fabric.decode(np.append(pack_lanes(logits, fabric.output_lane).reshape(-1), status))
    assert np.array_equal(result.logits, logits)
    assert (result.code, result.stated, result.sequence) == (Code.LONG, 2, 77)
    assert (result.weight_set, result.saturated) == (1, True)


def test_a_result_frame_may_hold_its_status_alone(fabric: FabricManifest) -> None:
    result = fabric.decode(np.array([5 << 32 | Code.NOT_READY], np.uint64))
    assert len(result.logits) == 0
    assert (result.code, result.stated, result.sequence) == (Code.NOT_READY, 0, 5)


def test_the_crc_of_an_image_is_zlibs_over_addresses_and_data_in_turn() -> None:
    expected = 0
    for address, word in zip(image().addresses.tolist(), image().data.tolist(), strict=True):
        expected = zlib.crc32(struct.pack("<II", address, word), expected)
    assert image().crc() == expected


def test_an_image_is_read_as_it_was_written(tmp_path: Path) -> None:
    image().save(tmp_path / "image.bin")
    found = WeightImage.load(tmp_path / "image.bin")
    assert (found.format_digest, found.model_digest) == ("aa" * 32, "bb" * 32)
    assert np.array_equal(found.addresses, image().addresses)
    assert np.array_equal(found.data, image().data)


@pytest.mark.parametrize("length", [0, 10, 200, 205])
def test_an_image_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "image.bin"
    image().save(path)
    whole = path.read_bytes()
    assert length < len(whole)
    path.write_bytes(whole[:length])
    with pytest.raises(BundleError, match=r"image\.bin: .*emit it again"):
        WeightImage.load(path)


def test_an_image_with_any_word_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.bin"
    image().save(path)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for place in range(start, len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(BundleError, match="cut short or changed"):
            WeightImage.load(path)


def test_a_missing_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.bin: not a weight image"):
        WeightImage.load(tmp_path / "none.bin")


def test_a_manifest_is_read_as_it_was_written(fabric: FabricManifest, tmp_path: Path) -> None:
    fabric.save(tmp_path)
    assert FabricManifest.load(tmp_path) == fabric


def test_a_folder_that_is_no_fabric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no fabric\.json; make one with `pyorch emit`"):
        FabricManifest.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "layout 9, this program reads 1"),
        ({"features": "many"}, "emit the fabric again"),
        ({"state": None}, "emit the fabric again"),
    ],
)
def test_another_manifest_is_refused(
    fabric: FabricManifest, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    fabric.save(tmp_path)
    path = tmp_path / "fabric.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match=message):
        FabricManifest.load(tmp_path)


def test_every_hand_written_source_is_named_as_its_module() -> None:
    sources = sorted(rtl_folder().glob("*.sv"))
    assert len(sources) > 20
    for path in sources:
        text = path.read_text()
        assert f"module {path.stem} " in text or f"package {path.stem};" in text, path.name
        assert text.count("\nendmodule") + text.count("\nendpackage") == 1, path.name
        for line in ("`resetall", "`timescale 1ns / 1ps", "`default_nettype none"):
            assert line in text, f"{path.name}: {line}"
