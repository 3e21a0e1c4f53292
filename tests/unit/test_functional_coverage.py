"""Functional coverage: only what is declared is counted, sessions add up, holes have names."""

from datetime import date
from pathlib import Path

import pytest

from pyorch.contract.errors import DataError
from sim.bench.coverage import POINTS, VARIABLE, Coverage, declared, holes, page, required, table


def test_what_is_not_declared_is_an_error() -> None:
    with pytest.raises(
        DataError, match=r"'slow' is no declared bin of 'gaps'; declare it .*none, some"
    ):
        Coverage().sample(gaps="slow")
    with pytest.raises(DataError, match=r"no declared bin of 'mood'.*no such point"):
        Coverage().sample(mood="good")
    with pytest.raises(
        DataError, match=r"baked × load was met, which style × event declares impossible"
    ):
        Coverage().sample(style="baked", event="load")


def test_processes_add_up_and_crosses_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for pressure in ("none", "none", "long"):
        one = Coverage()
        one.sample(gaps="some", pressure=pressure)
        one.save()
    found = Coverage.merged(tmp_path)
    assert found.counts["gaps", "some"] == 3
    assert found.counts["gaps × pressure", "some × none"] == 2
    assert "some × long" not in holes(found)["gaps × pressure"]


def test_a_complete_run_has_no_holes_and_an_empty_one_names_them_all() -> None:
    full = Coverage()
    for name, bins in declared().items():
        for bin_ in bins:
            full.counts[name, bin_] = 1
    assert holes(full) == {}
    assert holes(Coverage()) == declared()
    total = sum(map(len, declared().values()))
    assert table(full)[-1].split() == ["all", str(total), "of", str(total)]


def test_what_a_run_cannot_meet_is_waived_with_its_crosses() -> None:
    found = required(Coverage(), {name: "not here" for name in POINTS["simulator"]})
    assert "simulator" not in found and "style × simulator" not in found
    assert found["style"] == list(POINTS["style"])


def test_the_page_holds_every_line_of_the_table() -> None:
    text = page(Coverage(), date(2026, 1, 2))
    assert "2026-01-02" in text
    assert all(line in text for line in table(Coverage()))
