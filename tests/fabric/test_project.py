"""An emitted project: whole, reproducible, and readable by three tools."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hls.emit import project
from hls.emit.project import emit_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import BundleError, ModelError, UsageError
from pyorch.contract.fabric import FabricManifest, WeightImage
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

LOADABLE: list[tuple[str, dict[str, int]]] = [("folded", {"multipliers": 28}), ("loadable", {})]
STYLES = [*LOADABLE, ("baked", {"cuts": 4}), ("folded", {"multipliers": 28, "clocks": 2})]


@pytest.fixture(scope="module")
def small() -> Bundle:
    return random_bundle(
        1, 6, (8, 5), PRESETS["narrow"], hidden_dense=(4,), window=5, mode="window"
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("style", "parameters"), STYLES)
def test_a_project_holds_what_its_manifest_names_and_nothing_else(
    style: str, parameters: dict[str, int], small: Bundle, tmp_path: Path
) -> None:
    manifest = emit_bundle(small, style, tmp_path / "p", **parameters)
    found = contents(tmp_path / "p")
    own = {"fabric.json", "image.bin", "project.f"}
    assert set(found) == own | set(manifest.sources) | set(manifest.memories)
    for name, digest in (manifest.sources | manifest.memories).items():
        assert digest_of_bytes(found[name]) == digest, name
    assert found["project.f"].decode().split() == list(manifest.sources)
    assert FabricManifest.load(tmp_path / "p") == manifest
    assert manifest.model_digest == small.digest()


@pytest.mark.parametrize(("style", "parameters"), STYLES)
def test_equal_bundles_give_equal_bytes(
    style: str, parameters: dict[str, int], small: Bundle, tmp_path: Path
) -> None:
    emit_bundle(small, style, tmp_path / "a", **parameters)
    emit_bundle(small, style, tmp_path / "b", **parameters)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(("style", "parameters"), LOADABLE)
def test_other_weights_change_memories_but_no_source(
    style: str, parameters: dict[str, int], small: Bundle, tmp_path: Path
) -> None:
    other = random_bundle(
        2, 6, (8, 5), PRESETS["narrow"], hidden_dense=(4,), window=5, mode="window"
    )
    ours = emit_bundle(small, style, tmp_path / "a", **parameters)
    theirs = emit_bundle(other, style, tmp_path / "b", **parameters)
    assert ours.format_digest == theirs.format_digest
    assert ours.sources == theirs.sources
    changed = {name for name in ours.memories if ours.memories[name] != theirs.memories[name]}
    assert changed > {"model_digest.hex"}


@pytest.mark.parametrize(("style", "parameters"), LOADABLE)
def test_the_image_is_what_the_loadable_memories_hold_at_reset(
    style: str, parameters: dict[str, int], small: Bundle, tmp_path: Path
) -> None:
    manifest = emit_bundle(small, style, tmp_path / "p", **parameters)
    image = WeightImage.load(tmp_path / "p" / "image.bin")
    assert len(image.data) == manifest.image_words
    assert len(set(image.addresses.tolist())) == manifest.image_words, "a word is written twice"
    plan = project.style_of(style).plan(small, **parameters)
    written: dict[int, dict[int, dict[int, int]]] = {}
    for address, word in zip(image.addresses.tolist(), image.data.tolist(), strict=True):
        rows = written.setdefault(address >> 24, {})
        rows.setdefault(address >> 8 & 0xFFFF, {})[address & 0xFF] = word
    for memory in plan.memories:
        lines = (tmp_path / "p" / memory.file).read_text().split()
        rows = written.pop(memory.number)
        assert sorted(rows) == list(range(len(lines)))
        for row, line in enumerate(lines):
            value = sum(word << 32 * lane for lane, word in rows[row].items())
            assert value == int(line, 16), f"{memory.file}, word {row}"
    assert not written


def test_baked_weights_are_sources_and_take_no_image(small: Bundle, tmp_path: Path) -> None:
    other = random_bundle(
        2, 6, (8, 5), PRESETS["narrow"], hidden_dense=(4,), window=5, mode="window"
    )
    ours = emit_bundle(small, "baked", tmp_path / "a")
    theirs = emit_bundle(other, "baked", tmp_path / "b")
    assert not ours.loadable
    assert ours.image_words == len(WeightImage.load(tmp_path / "a" / "image.bin").data) == 0
    assert ours.format_digest != theirs.format_digest
    assert ours.sources["baked_layer_0.sv"] != theirs.sources["baked_layer_0.sv"]
    with pytest.raises(ModelError, match="the style baked has its weights in the logic; emit"):
        project.image_for(other, ours)


def test_a_project_is_replaced_but_no_other_folder(small: Bundle, tmp_path: Path) -> None:
    emit_bundle(small, "folded", tmp_path / "p", multipliers=28)
    (tmp_path / "p" / "left_over.sv").write_text("")
    manifest = emit_bundle(small, "loadable", tmp_path / "p")
    assert FabricManifest.load(tmp_path / "p") == manifest
    assert not (tmp_path / "p" / "left_over.sv").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="mine exists and is not an emitted fabric"):
        emit_bundle(small, "loadable", tmp_path / "mine")
    thesis = tmp_path / "mine" / "thesis.txt"
    for within in ("p", "a/b"):
        with pytest.raises(
            BundleError, match=r"cannot be a folder: .*thesis.txt is a file; choose"
        ):
            emit_bundle(small, "loadable", thesis / within)
    assert thesis.read_text() == "years of work"


def test_nothing_is_left_of_an_emission_that_fails(
    small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit_bundle(small, "folded", tmp_path / "p", multipliers=28)
    before = contents(tmp_path / "p")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(WeightImage, "save", fail)
    with pytest.raises(OSError, match="no space"):
        emit_bundle(small, "loadable", tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert contents(tmp_path / "p") == before


def test_the_wire_format_is_part_of_the_format_digest(small: Bundle, tmp_path: Path) -> None:
    same = emit_bundle(small, "loadable", tmp_path / "a", wire=small.spec.input)
    wider = emit_bundle(small, "loadable", tmp_path / "b", wire=FixedFormat(14, 6))
    assert (same.wire, same.input_lane) == (str(small.spec.input), 8)
    assert (wider.input_lane, wider.vector_beats) == (16, 2)
    assert same.format_digest != wider.format_digest


@pytest.mark.parametrize("wire", ["fixed<17,6,RND,SAT>", "ufixed<8,3,RND,SAT>"])
def test_wire_formats_that_no_lane_carries_are_refused(
    wire: str, small: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="a lane is signed and has at most 16 bits"):
        emit_bundle(small, "loadable", tmp_path / "a", wire=FixedFormat.parse(wire))


def test_vectors_that_the_mailbox_does_not_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a vector of 65 beats .* the mailbox holds 64"):
        emit_bundle(random_bundle(1, 513, (2,)), "folded", tmp_path / "a")


SHAPES: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = [
    (6, (8, 5), (4,)), (1, (3,), ()), (17, (1, 2, 3, 4), (7, 2)),
]  # fmt: skip


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize(("features", "units", "dense"), SHAPES)
@pytest.mark.parametrize(("style", "parameters"), STYLES)
def test_icarus_elaborates_the_top(
    style: str, parameters: dict[str, int], features: int, units: tuple[int, ...],
    dense: tuple[int, ...], tmp_path: Path,
) -> None:  # fmt: skip
    bundle = random_bundle(1, features, units, PRESETS["narrow"], hidden_dense=dense, mode="window")
    manifest = emit_bundle(bundle, style, tmp_path / "p", **parameters)
    command = ["iverilog", "-g2012", "-t", "null", "-s", manifest.top, "-c", "project.f"]
    done = subprocess.run(command, cwd=tmp_path / "p", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("style", "parameters"), STYLES)
def test_yosys_reads_the_top(
    style: str, parameters: dict[str, int], small: Bundle, tmp_path: Path
) -> None:
    libyosys = pytest.importorskip("pyosys.libyosys", reason="needs the extra `fpga`")
    emit_bundle(small, style, tmp_path / "p", **parameters)
    program = (
        "from pyosys import libyosys as ys\n"
        "design = ys.Design()\n"
        "names = open('project.f').read().split()\n"
        "ys.run_pass('read_verilog -sv -defer ' + ' '.join(names), design)\n"
        "ys.run_pass('hierarchy -check -top fabric_top', design)\n"
        "ys.run_pass('proc', design)\n"
    )
    assert libyosys
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "p",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
