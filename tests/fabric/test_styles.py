"""Emitted fabrics of every style: every logit is the reference's, every cycle the predicted one."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import DataError
from pyorch.contract.precision import PRESETS
from pyorch.features.definitions import default_schema, schema_of
from pyorch.inference.sample import random_bundle
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.tape import write_tape
from sim.bench.coverage import VARIABLE
from sim.commands import simulate
from sim.matrix import FULL, QUICK, MatrixCase, Row, rows_in, table
from sim.verify import Verification, of_market

SMALL = random_bundle(1, 6, (8,), PRESETS["narrow"])
"""Of the shape and formats of other tests' fabrics: one compilation for all."""
TABLE = Path(__file__).parents[2] / "docs" / "measurements" / "fabric.md"


@pytest.fixture(scope="module")
def tape(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded market."""
    recording = recordings / "binance" / "coinm_btcusd_perp_20240808.gz"
    path = tmp_path_factory.mktemp("recorded") / "tape.parquet"
    write_tape(path, insert_timer_ticks(read_recordings([recording])))
    return path


def check(case: MatrixCase, folder: Path, tape: Path | None = None) -> Verification:
    found = case.verify(folder, tape)
    assert [one for one in found.comparisons if one.mismatches] == []
    assert found.cycles == found.manifest.cycles
    assert found.ok
    return found


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_fabric_is_the_reference_in_the_predicted_cycles(case: MatrixCase, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.tape
def test_a_recorded_market_passes_through_features_and_fabric_without_a_mismatch(
    tape: Path, tmp_path: Path
) -> None:
    schema, spec = schema_of(default_schema().names[:6]), SMALL.spec
    spec = replace(spec, feature_schema=schema.digest())
    bundle = replace(SMALL, spec=spec, schema=schema)
    bundle.save(tmp_path / "bundle")
    out = ["--out", str(tmp_path / "fabric"), "--tape", str(tape), "--json"]
    given = [str(tmp_path / "bundle"), "--wire", "fixed<12,4,RND,SAT>", "--multipliers", "28"]
    result = CliRunner().invoke(simulate, [*given, "--steps", "2000", *out])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert figures["recorded_stateful_steps"] == 2000
    assert not any(v for name, v in figures.items() if name.endswith("mismatches"))


@pytest.mark.tape
def test_more_steps_than_the_tape_has_ticks_are_refused(tape: Path) -> None:
    with pytest.raises(
        DataError, match=r": [\d,]+ ticks, 60,000 are taken: ask for fewer --windows"
    ):
        of_market(SMALL, 60_000, tape)


def test_vectors_of_a_market_fit_a_model_that_is_not_on_features() -> None:
    wide = random_bundle(1, 28, (4,), PRESETS["narrow"])
    rows, form = of_market(wide, 200, None), wide.spec.input
    assert rows.shape == (200, 28)
    assert len(np.unique(rows, axis=0)) > 100
    assert form.minimum <= rows.min() < 0 < rows.max() <= form.maximum
    np.testing.assert_array_equal(rows[:, 20:], rows[:, :8])


@pytest.mark.full
@pytest.mark.parametrize("case", FULL, ids=lambda case: case.name)
def test_every_fabric_is_the_reference_in_the_predicted_cycles(
    case: MatrixCase, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    try:
        recorded = request.getfixturevalue("tape")
    except pytest.skip.Exception:
        recorded = None  # then the market is a simulated one
    start = time.monotonic()
    found = check(case, tmp_path, recorded)
    Row.of(case, found, time.monotonic() - start).save(Path(os.environ[VARIABLE]))


@pytest.mark.full
@pytest.mark.sums_up
def test_every_fabric_of_the_matrix_has_been_verified() -> None:
    """With ``PYORCH_TEST_FULL=1`` a complete matrix becomes `TABLE`."""
    rows = rows_in(Path(os.environ[VARIABLE]))
    assert {row.name for row in rows} == {case.name for case in FULL}
    if os.environ.get("PYORCH_TEST_FULL") == "1":
        write_atomically(TABLE, table(rows).encode())
