"""What a user does wrong, or a disk does, ends with an exit code and a sentence; nothing is half-written."""

import shutil
import sys
from pathlib import Path

import pytest

from pyorch.app.cli import main
from pyorch.contract.bundle import Bundle
from pyorch.market.simulate import simulate
from pyorch.market.tape import write_tape
from pyorch.trading.config import default_path
from pyorch.trading.sample import random_quoting_bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tape, a bundle and a configuration that work."""
    folder = tmp_path_factory.mktemp("made")
    tape = simulate(3, 20.0)
    write_tape(folder / "tape.parquet", tape)
    random_quoting_bundle(1, tape).save(folder / "bundle")
    shutil.copy(default_path(), folder / "quoting.toml")
    return folder


class Commands:
    """Runs `pyorch` in this process, on copies of what works."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *words: object) -> tuple[int, str]:
        """Exit code, and what was printed without line breaks."""
        sys.argv = ["pyorch", *map(str, words)]
        self._capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        printed = self._capsys.readouterr()
        assert isinstance(code, int)
        return code, " ".join((printed.out + printed.err).split())

    def replay(self, **changes: object) -> tuple[int, str]:
        """`pyorch replay` on the folder's files, some of them named otherwise."""
        names = {"bundle": "bundle", "tape": "tape.parquet", "config": "quoting.toml", "out": "j"}
        options = {name: self.folder / str(changes.get(name, file)) for name, file in names.items()}
        return self("replay", *(w for name, path in options.items() for w in (f"--{name}", path)))


@pytest.fixture
def pyorch(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Commands:
    monkeypatch.setattr(sys, "argv", [])
    shutil.copytree(made, tmp_path / "work")
    return Commands(tmp_path / "work", capsys)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_replay_then_report_succeeds(pyorch: Commands) -> None:
    code, text = pyorch.replay()
    assert code == 0 and "calibrated-down_fired_percent" in text
    page = pyorch.folder / "report.html"
    code, text = pyorch("report", pyorch.folder / "j", "--out", page)
    assert code == 0 and page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["manifest.json", "features.json", "weights/*.kernel.npy"])
def test_a_corrupt_bundle_ends_with_6(pyorch: Commands, name: str) -> None:
    flip(next((pyorch.folder / "bundle").glob(name)))
    code, text = pyorch.replay()
    assert code == 6
    assert text.startswith("BundleError: ")
    assert "changed or damaged" in text or "not a readable manifest" in text
    assert not (pyorch.folder / "j").exists()


def test_a_bundle_with_anothers_features_ends_with_6(pyorch: Commands) -> None:
    from dataclasses import replace

    from pyorch.features.definitions import extended_schema

    bundle = Bundle.load(pyorch.folder / "bundle")
    spec = replace(bundle.spec, feature_schema=extended_schema().digest())
    replace(bundle, spec=spec).save(pyorch.folder / "other")
    code, text = pyorch.replay(bundle="other")
    assert code == 6
    assert "model and features do not belong together" in text


def test_no_bundle_ends_with_6_and_says_how_to_make_one(pyorch: Commands) -> None:
    code, text = pyorch.replay(bundle="nowhere")
    assert code == 6
    assert "make one with `pyorch convert`" in text


def test_a_truncated_tape_ends_with_5(pyorch: Commands) -> None:
    path = pyorch.folder / "tape.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    code, text = pyorch.replay()
    assert code == 5
    assert text.startswith("DataError: ") and "pyorch ingest" in text
    assert not (pyorch.folder / "j").exists()


def test_a_changed_tape_ends_with_5(pyorch: Commands) -> None:
    flip(pyorch.folder / "tape.parquet")
    code, text = pyorch.replay()
    assert code == 5
    assert text.startswith("DataError: ")


def test_a_missing_tape_ends_with_5(pyorch: Commands) -> None:
    code, text = pyorch.replay(tape="nowhere.parquet")
    assert code == 5
    assert "no such tape" in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[universe]", "[universe", "not TOML"),
        ("strikes = 5", "strikes = 0", "universe"),
        ("strikes = 5", "strike = 5", "strike"),
        ("base_half_spread_bp = 2.0", 'base_half_spread_bp = "wide"', "base_half_spread_bp"),
    ],
)
def test_a_bad_configuration_ends_with_4_and_names_the_key(
    pyorch: Commands, old: str, new: str, words: str
) -> None:
    path = pyorch.folder / "quoting.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    code, printed = pyorch.replay()
    assert code == 4
    assert printed.startswith("UsageError: ") and "quoting.toml" in printed and words in printed
    assert not (pyorch.folder / "j").exists()


def test_a_folder_that_is_no_journal_is_not_overwritten(pyorch: Commands) -> None:
    code, text = pyorch.replay(out="bundle")
    assert code == 4
    assert "exists and is not a journal: choose another name for --out" in text
    Bundle.load(pyorch.folder / "bundle")


def test_a_damaged_journal_ends_with_5_and_leaves_the_old_report(pyorch: Commands) -> None:
    pyorch.replay()
    page = pyorch.folder / "report.html"
    page.write_text("old")
    flip(pyorch.folder / "j" / "ticks.bin")
    code, text = pyorch("report", pyorch.folder / "j", "--out", page)
    assert code == 5
    assert "the journal is damaged" in text
    assert page.read_text() == "old"


def test_a_training_record_that_is_none_ends_with_5(pyorch: Commands) -> None:
    pyorch.replay()
    code, text = pyorch(
        "report", pyorch.folder / "j", "--out", pyorch.folder / "r.html",
        "--training", pyorch.folder / "quoting.toml",
    )  # fmt: skip
    assert code == 5
    assert "is not the record of a training run" in text
