"""What every test shares: the recordings' folder, how tests are spread over processes, and two tables at
the end: what this run did not cover, and what the benches of fabrics have met.

``PYORCH_TEST_ALL=1`` (``scripts/test --all``): nothing skips for want of Debian's tools.
``CI=true``: nothing skips for want of the recordings.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sim.bench.coverage import VARIABLE, Coverage, table

# The reference multiplies small matrices: BLAS threads cost more than they save. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = pytest.StashKey[set[str]]()
EACH_ON_ITS_OWN = ("tests/fabric/test_styles.py", "tests/fabric/test_top_benches.py")
"""Files whose tests share nothing that takes long to make: any process may take the next one."""
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


def _left_out(config: pytest.Config) -> set[str]:
    return config.stash.setdefault(LEFT_OUT, set())


def pytest_configure(config: pytest.Config) -> None:
    """A folder for the counts of this run's benches, inherited by every process; unless there is one."""
    if VARIABLE in os.environ:
        return
    folder = os.environ[VARIABLE] = tempfile.mkdtemp(prefix="pyorch-coverage-")

    def remove() -> None:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)

    config.add_cleanup(remove)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Tests of the full matrix are left out of other runs; the table says so."""
    for item in items:
        if item.get_closest_marker("full"):
            _left_out(item.config).add(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first, so that no process is left with one; what sums up the run last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (item.get_closest_marker("sums_up") is not None, item.path not in slow)
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the one that began them what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = sorted(_left_out(session.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process has ended; one that crashed told nothing."""
    _left_out(node.config).update(getattr(node, "workeroutput", {}).get("left_out", []))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """The tests of a file in one process, which share what is made for them; files as collected."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return nodeid if file in EACH_ON_ITS_OWN else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the benches met, if any ran, and what was not covered: every skip, grouped by its reason."""
    met = Coverage.merged(Path(os.environ[VARIABLE]))
    if met.counts:
        terminalreporter.section("functional coverage of the fabric's benches")
        for line in table(met):
            terminalreporter.write_line(line)
    groups: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        groups[_reason(report)].append(report.nodeid)
    terminalreporter.section("not covered by this run")
    if left_out := _left_out(terminalreporter.config):
        groups["the full matrix: `./scripts/test --full` runs it"] = sorted(left_out)
    if not groups:
        terminalreporter.write_line("nothing: no test was skipped")
        return
    terminalreporter.write_line(f"{'tests':>5}  reason")
    for reason, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        terminalreporter.write_line(f"{len(names):>5}  {reason}")
        files = sorted({name.split("::")[0] for name in names})
        terminalreporter.write_line(f"       in {', '.join(files)}")
