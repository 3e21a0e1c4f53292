"""The first half of the demonstration, on a short market; and what it says when it cannot run."""

import json
from pathlib import Path

import click
import pytest

from pyorch.app import demo
from pyorch.app.demo import Demo, recordings, run_demo
from pyorch.contract.errors import DataError

pytestmark = pytest.mark.slow


def test_the_first_report_comes_from_the_bundle_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SHOWN_MINUTES", 0.5)
    run_demo(tmp_path / "out", on_tape=False, first=True, trained=False)
    printed = capfd.readouterr().out
    assert "[1/3] pyorch simulate-market" in printed and "[3/3] pyorch report" in printed
    for title in ("Rules fired", "Latency of ticks that quote", "Arms (fills are simulated)"):
        assert title in printed
    assert (tmp_path / "out" / "first.html").read_text().startswith("<!doctype html>")


def test_a_verb_that_fails_ends_the_demonstration_with_its_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as stop:
        Demo(tmp_path, False, 1).verb(
            "replay", "--bundle", tmp_path / "none", "--out", tmp_path / "j"
        )
    assert stop.value.exit_code == 6
    assert "is not a bundle" in " ".join(capfd.readouterr().err.split())


def test_without_recordings_it_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYORCH_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        recordings()
    assert str(tmp_path / "binance" / "coinm_btcusd_perp_20240808.gz") in str(error.value)
    assert "without --tape" in str(error.value)


def test_a_verbs_json_is_one_object(tmp_path: Path) -> None:
    found = Demo(tmp_path, False, 1).verb(
        "simulate-market", "--minutes", "0.1", "--out", tmp_path / "t.parquet"
    )
    assert json.dumps(found["digests"]) and found["figures"]["duration_s"] > 5
