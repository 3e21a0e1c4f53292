"""The record of a training run becomes tables; the one that ships is read."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pyorch.app.demo import show_training
from pyorch.app.report.training import Training
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError

RECORD = shipped_bundle().parent / "training.json"


def test_the_record_that_ships_has_quality_with_baselines_and_intervals() -> None:
    training = Training.load(RECORD)
    direction = training.tables[0]
    rows = {row[0]: row for row in direction.rows}
    figures = json.loads(RECORD.read_text())["figures"]["direction"]["quantised"]["macro_f1"]
    assert rows["quantised LSTM (what runs)"][1] == (
        f"{figures['value']:.3f} [{figures['low']:.3f}, {figures['high']:.3f}]"
    )
    assert {"logistic regression", "majority class"} <= rows.keys()
    assert all(len(row) == len(table.columns) for table in training.tables for row in table.rows)
    assert [title for title, _ in training.curves][-1] == "held-out macro-F1"


def test_the_bundle_that_ships_carries_the_same_record() -> None:
    inside = Bundle.load(shipped_bundle()).provenance["training"]
    assert Training.from_record(inside) == Training.load(RECORD)


def test_the_closing_table_names_every_comparison() -> None:
    out = StringIO()
    checked = {"figures": {"sequences_compared_count": 1000, "sequences_mismatches_count": 0}}
    show_training(Console(file=out, width=120), Training.load(RECORD), checked)
    text = out.getvalue()
    assert "macro-F1" in text and "logistic regression" in text
    assert any(line.split() == ["sequences", "1,000", "0"] for line in text.splitlines())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"figures": {"direction": 1}}'])
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "training.json"
    path.write_text(content)
    with pytest.raises(DataError, match="is not the record of a training run"):
        Training.load(path)
