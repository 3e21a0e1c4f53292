"""The verbs of the features: base rates of a tape, and the benchmark."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyorch.contract.errors import DataError
from pyorch.features.commands import bench_features, labels
from pyorch.market.simulate import simulate
from pyorch.market.tape import write_tape


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("tapes") / "short.parquet"
    write_tape(written, simulate(5, 40.0))
    return written


def test_labels_prints_rates_and_sizes_of_every_label(path: Path) -> None:
    result = CliRunner().invoke(labels, [str(path), "--check-leaks", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["figures"]["leaks"] == 0
    assert len(found["peers"]) == 10 * 3
    direction = found["peers"]["direction, train"]
    assert direction["rate_stable"] == pytest.approx(0.5, abs=0.05)
    assert 0 < direction["effective"] < 40
    table = CliRunner().invoke(labels, [str(path)])
    assert "withdrawal_bid, test" in table.output
    assert "jump_up_100ms, test (too few to train on)" in table.output.replace("\n", " ")


def test_labels_of_a_missing_tape_is_a_data_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(labels, [str(tmp_path / "none.parquet")])
    assert isinstance(result.exception, DataError)


def test_bench_features_measures_and_checks_equality(path: Path) -> None:
    result = CliRunner().invoke(bench_features, ["--tape", str(path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["ok"]
    assert found["figures"]["features"] == 16
    assert found["figures"]["native_book_event_ns"] > 0
    assert found["peers"]["NumPy batch"]["event_ns"] > 0
