"""The fabric under test, compiled once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hls.emit.project import emit_bundle
from sim.bench.shell.rig import FIRST, MULTIPLIERS, WIRE
from sim.library import SimulatedFabric
from sim.measure import start


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("shell") / "project"
    emit_bundle(FIRST, "folded", project, wire=WIRE, multipliers=MULTIPLIERS)
    return project


@pytest.fixture
def fabric(built: Path) -> Iterator[SimulatedFabric]:
    one = SimulatedFabric(built)
    start(one)
    yield one
    one.close()
