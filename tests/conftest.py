"""What every test shares: the recordings' folder, and a table of what this run did not cover.

``PYORCH_TEST_ALL=1`` (``scripts/test --all``): nothing skips for want of Debian's tools.
``CI=true``: nothing skips for want of the recordings.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

# The reference multiplies small matrices: BLAS threads cost more than they save. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = pytest.StashKey[list[str]]()
MUST_RUN = {  # marker → (environment variable, its value, what is then promised)
    "debian": ("PYORCH_TEST_ALL", "1", "every Debian tool is there"),
    "tape": ("CI", "true", "the recordings are there"),
}


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded markets; the test is skipped where there is none."""
    named = os.environ.get("PYORCH_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "binance").is_dir():
        pytest.skip("no recorded markets (set PYORCH_DATA or provide ../shared/data)")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip that the environment forbids becomes a failure."""
    report = yield
    if not report.skipped or hasattr(report, "wasxfail"):
        return report
    for marker, (variable, value, promise) in MUST_RUN.items():
        if item.get_closest_marker(marker) and os.environ.get(variable) == value:
            report.outcome = "failed"
            report.longrepr = (
                f"skipped ({_reason(report)}), but {variable}={value} says that {promise}"
            )
    return report


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Tests of the full matrix are left out of other runs; the table says so."""
    if items:
        items[0].config.stash[LEFT_OUT] = [
            item.nodeid for item in items if item.get_closest_marker("full")
        ]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Every skip, grouped by its reason, as a table of what was not covered."""
    groups: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        groups[_reason(report)].append(report.nodeid)
    terminalreporter.section("not covered by this run")
    left_out = terminalreporter.config.stash.get(LEFT_OUT, [])
    if left_out:
        groups["the full matrix: `./scripts/test --full` runs it"] = left_out
    if not groups:
        terminalreporter.write_line("nothing: no test was skipped")
        return
    terminalreporter.write_line(f"{'tests':>5}  reason")
    for reason, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        terminalreporter.write_line(f"{len(names):>5}  {reason}")
        files = sorted({name.split("::")[0] for name in names})
        terminalreporter.write_line(f"       in {', '.join(files)}")
