"""Emitted fabrics of every style: every logit is the reference's, every cycle the predicted one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyorch.contract.digest import write_atomically
from sim.matrix import FULL, QUICK, MatrixCase, table
from sim.verify import Verification

TABLE = Path(__file__).parents[2] / "docs" / "measurements" / "fabric.md"


@pytest.fixture(scope="module")
def measured() -> Iterator[list[tuple[MatrixCase, Verification]]]:
    """What the full matrix found; with ``PYORCH_TEST_FULL=1`` a complete run becomes `TABLE`."""
    start = time.monotonic()
    rows: list[tuple[MatrixCase, Verification]] = []
    yield rows
    if os.environ.get("PYORCH_TEST_FULL") == "1" and len(rows) == len(FULL):
        write_atomically(TABLE, table(rows, time.monotonic() - start).encode())


def check(case: MatrixCase, folder: Path) -> Verification:
    found = case.verify(folder)
    assert [one for one in found.comparisons if one.mismatches] == []
    assert found.cycles == found.manifest.cycles
    assert found.ok
    return found


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_fabric_is_the_reference_in_the_predicted_cycles(case: MatrixCase, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("case", FULL, ids=lambda case: case.name)
def test_every_fabric_is_the_reference_in_the_predicted_cycles(
    case: MatrixCase, tmp_path: Path, measured: list[tuple[MatrixCase, Verification]]
) -> None:
    measured.append((case, check(case, tmp_path)))
