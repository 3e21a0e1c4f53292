"""The verbs of the serial board: loaded and asked through its port, and its round trip measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyorch.app.cli import _load_commands, cli
from pyorch.contract.build_record import BITSTREAM, BuildRecord, StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_file
from pyorch.contract.errors import DeviceError, MismatchError
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

pytest.importorskip("serial", reason="needs the extra `board`")
from sim.board import SimulatedBoard

SHAPE = (5, (7,), PRESETS["narrow"])
HEADS = (Head("direction", "softmax", ("down", "stable", "up"), "probability"),)
BUNDLE = random_bundle(6, *SHAPE, heads=HEADS)  # as in test_serial_board.py: compiled once for both
OTHER = random_bundle(60, *SHAPE, heads=HEADS)


@pytest.fixture(scope="module")
def board() -> Iterator[SimulatedBoard]:
    opened = SimulatedBoard(BUNDLE)
    yield opened
    opened.close()


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An openFPGALoader that succeeds without a board."""
    program = tmp_path / "bin" / "openFPGALoader"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def words_to_load(folder: Path, bundle: Bundle, project: Path, port: str) -> list[str]:
    """`pyorch load` of a build of the bundle around a project."""
    _load_commands()
    bundle.save(folder / "bundle")
    build = folder / "build"
    build.mkdir()
    (build / "fabric").symlink_to(project)
    (build / BITSTREAM).write_bytes(bytes(100))
    step = StepRecord(
        key="k", source="run", seconds=1.0, cpu_seconds=1.0, peak_mib=1.0,
        outputs={BITSTREAM: digest_of_file(build / BITSTREAM)},
    )  # fmt: skip
    BuildRecord(
        plan={}, plan_digest="p", model_digest=bundle.digest(), target="ulx3s", part="LFE5U-85F",
        clock_mhz=40.0, steps={"pack": step}, verdict="ok",
    ).save(build)  # fmt: skip
    return ["load", str(build), "--bundle", str(folder / "bundle"), "--port", port, "--json"]


def test_a_loaded_board_replays_the_golden_vectors_behind_its_port(
    board: SimulatedBoard, tmp_path: Path, loader: None
) -> None:
    done = CliRunner().invoke(cli, words_to_load(tmp_path, BUNDLE, board.project, board.port))
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["figures"]["golden_vectors"] > 0


def test_a_board_that_still_holds_another_model_after_loading_is_an_error(
    board: SimulatedBoard, tmp_path: Path, loader: None
) -> None:
    done = CliRunner().invoke(cli, words_to_load(tmp_path, OTHER, board.project, board.port))
    assert isinstance(done.exception, MismatchError)
    assert f"the bundle is {OTHER.digest()[:16]}: load its bitstream" in str(done.exception)


def test_a_port_that_does_not_open_after_loading_is_an_error(
    board: SimulatedBoard, tmp_path: Path, loader: None
) -> None:
    done = CliRunner().invoke(cli, words_to_load(tmp_path, BUNDLE, board.project, "/dev/absent"))
    assert isinstance(done.exception, DeviceError)
    assert "`pyorch doctor` lists the ports" in str(done.exception)


@pytest.mark.parametrize("noise", [(), ("--noise", "4")])
def test_the_honest_round_trip_is_the_bytes_and_a_little_more(
    tmp_path: Path, noise: tuple[str, ...]
) -> None:
    _load_commands()
    BUNDLE.save(tmp_path / "bundle")
    ticks = 40 if noise else 5
    words = ["bench", "serial", str(tmp_path / "bundle"), "--baud", "10000000", "--json", *noise]
    done = CliRunner().invoke(cli, [*words, "--ticks", str(ticks)])
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    figures = value["figures"]
    assert (figures["request_bytes"], figures["answer_bytes"]) == (31, 27)
    assert figures["wire_computed_us"] == 58.0 and figures["wrong_answers"] == 0
    if noise:
        put_in = value["peers"]["faults put in"]
        assert sum(put_in.values()) > 2
        bridge, host = (
            value["peers"]["counted by the bridge"],
            value["peers"]["counted by the host"],
        )
        seen = bridge["damaged"] + bridge["dropped"] + bridge["repeated"]
        assert seen + host["damaged"] + host["silent"] + host["stale"] > 0
    else:
        # gathering, the core and the results on top, and a byte in 128 escaped
        assert 58.0 < figures["wire_and_board_simulated_p50_us"] < 58.0 * 1.25
        assert figures["core_idle_tick_us"] < 0.1 * figures["wire_computed_us"]
        assert value["peers"] == {}
