"""`pyorch load`: only an unchanged bitstream of the right model reaches openFPGALoader, a stand-in here."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.load import program_board
from pyorch.app.cli import _load_commands, cli
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.build_record import BITSTREAM, BuildRecord, StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_file
from pyorch.contract.errors import (
    BuildError,
    DeviceError,
    EnvironmentMissingError,
    MismatchError,
    UsageError,
)

MODEL = "a" * 64


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that records how it was called; returns the record's path."""
    folder, record = tmp_path / "bin", tmp_path / "called"
    folder.mkdir()
    program = folder / "openFPGALoader"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {record}\necho "Loading: 100%"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return record


def made_build(
    folder: Path, *, target: str = "ulx3s", model: str = MODEL, verdict: str = "ok"
) -> Path:
    folder.mkdir()
    (folder / BITSTREAM).write_bytes(bytes(range(256)) * 8)
    step = StepRecord(
        key="k", source="run", seconds=1.0, cpu_seconds=1.0, peak_mib=1.0,
        outputs={BITSTREAM: digest_of_file(folder / BITSTREAM)},
    )  # fmt: skip
    BuildRecord(
        plan={}, plan_digest="p", model_digest=model, target=target, part="LFE5U-85F", clock_mhz=40.0,
        steps={"pack": step}, verdict=verdict,
    ).save(folder)  # fmt: skip
    return folder


def test_an_unchanged_bitstream_is_programmed(tmp_path: Path, loader: Path) -> None:
    build = made_build(tmp_path / "build")
    done = program_board(build, MODEL)
    assert loader.read_text().split() == ["-b", "ulx3s", str(build / BITSTREAM)]
    assert (done.sha256, done.size_bytes) == (digest_of_file(build / BITSTREAM), 2048)
    program_board(build, flash=True)
    assert loader.read_text().split()[3:] == ["-b", "ulx3s", "-f", str(build / BITSTREAM)]


def test_a_flipped_byte_is_refused_before_anything_runs(tmp_path: Path, loader: Path) -> None:
    build = made_build(tmp_path / "build")
    data = bytearray((build / BITSTREAM).read_bytes())
    data[1000] ^= 1
    (build / BITSTREAM).write_bytes(data)
    with pytest.raises(BuildError, match=r"fabric\.bit is not the file that was built .*SHA-256"):
        program_board(build)
    assert not loader.exists()


def test_another_models_bitstream_is_refused(tmp_path: Path, loader: Path) -> None:
    build = made_build(tmp_path / "build")
    with pytest.raises(
        BuildError, match=r"built from the model aaaaaaaaaaaa…, the bundle is bbbbb"
    ):
        program_board(build, "b" * 64)
    assert not loader.exists()


def test_an_unfinished_or_failed_build_is_refused(tmp_path: Path, loader: Path) -> None:
    for number, (verdict, text) in enumerate(
        {
            "": "unfinished, done so far: pack",
            "missed its clock by 3 MHz": "missed its clock",
        }.items()
    ):
        with pytest.raises(BuildError, match=f"must not be loaded: {text}"):
            program_board(made_build(tmp_path / f"build{number}", verdict=verdict))
    with pytest.raises(BuildError, match=r"holds no build\.json; make a build with `pyorch build`"):
        program_board(tmp_path)
    assert not loader.exists()


def test_a_target_that_is_no_board_is_refused(tmp_path: Path, loader: Path) -> None:
    with pytest.raises(
        UsageError, match=r"built for ecp5-85k, which openFPGALoader does not program; .*: .*ulx3s"
    ):
        program_board(made_build(tmp_path / "build", target="ecp5-85k"))


def test_a_missing_or_failing_or_hanging_loader_is_named(
    tmp_path: Path, loader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = made_build(tmp_path / "build")
    program = tmp_path / "bin" / "openFPGALoader"
    program.write_text("#!/bin/sh\necho unable to open ftdi device: -3\nexit 1\n")
    with pytest.raises(
        DeviceError,
        match=r"-b ulx3s .* failed \(exit status 1\); is the board(.|\n)*ftdi device: -3",
    ):
        program_board(build)
    program.write_text("#!/bin/sh\nexec sleep 5\n")
    with pytest.raises(DeviceError, match=r"was not done within 0\.1 s; unplug the board"):
        program_board(build, timeout_s=0.1)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentMissingError, match=r"missing: sudo apt-get install -y openfpga"):
        program_board(build)


def test_the_verb_programs_and_refuses(tmp_path: Path, loader: Path) -> None:
    _load_commands()
    bundle = shipped_bundle()
    build = made_build(tmp_path / "build", model=Bundle.load(bundle).digest())
    done = CliRunner().invoke(cli, ["load", str(build), "--bundle", str(bundle)])
    assert done.exit_code == 0, done.output
    assert "ulx3s: openFPGALoader -b ulx3s" in done.output and "2,048" in done.output
    refused = CliRunner().invoke(cli, ["load", str(build), "--port", "/dev/ttyUSB0"])
    assert isinstance(refused.exception, UsageError)
    assert "give --bundle, too" in str(refused.exception)
    made_build(tmp_path / "other")
    refused = CliRunner().invoke(cli, ["load", str(tmp_path / "other"), "--bundle", str(bundle)])
    assert isinstance(refused.exception, BuildError | MismatchError)
