"""The functional coverage of the benches of one session: collected, merged, printed at its end."""

import os

import pytest

from sim.bench.coverage import VARIABLE, Coverage, table

JUDGE = "judges_coverage"


@pytest.fixture(scope="session", autouse=True)
def coverage_folder(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    """Where the benches of this session leave their counts: what several sessions share, or its own."""
    folder = os.environ.get(VARIABLE) or str(tmp_path_factory.mktemp("coverage"))
    os.environ[VARIABLE] = folder
    request.config.stash[FOLDER] = folder


FOLDER = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the session's coverage runs after everything that adds to it."""
    items.sort(key=lambda item: item.get_closest_marker(JUDGE) is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, if any bench ran."""
    from pathlib import Path

    folder = terminalreporter.config.stash.get(FOLDER, None)
    found = Coverage.merged(Path(folder)) if folder else Coverage()
    if found.counts:
        terminalreporter.section("functional coverage of the fabric's benches")
        for line in table(found):
            terminalreporter.write_line(line)
