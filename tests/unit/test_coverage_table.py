"""The suite says what it did not cover, and fails where a skip was forbidden."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim.bench.coverage import VARIABLE

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
SUITE = """
import pytest

@pytest.mark.debian
def test_tool():
    pytest.skip("iverilog is not installed")

@pytest.mark.tape
def test_recording(recordings):
    raise AssertionError("there are no recordings here")

def test_unmarked():
    pytest.skip("iverilog is not installed")

def test_passes():
    pass

@pytest.mark.full
def test_of_the_matrix():
    pass
"""
OTHER = """
import json, os
from pathlib import Path
import pytest

def meets(name, simulator):
    counts = [["simulator", simulator, 2]]
    (Path(os.environ["PYORCH_COVERAGE"]) / name).write_text(json.dumps(counts))

def test_tool():
    pytest.skip("iverilog is not installed")

def test_one():
    meets("one.json", "icarus")

@pytest.mark.slow
def test_two():
    meets("two.json", "verilator")
"""
TWO_PROCESSES = ("-p", "xdist.plugin", "-n", "2", "--dist", "loadfile")


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "tests").mkdir()
    shutil.copy(CONFTEST, folder / "tests" / "conftest.py")
    (folder / "tests" / "test_suite.py").write_text(SUITE)
    (folder / "tests" / "test_other.py").write_text(OTHER)
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  debian: x\n  tape: x\n  slow: x\n  full: x\n"
    )
    own = ("CI", "PYORCH_TEST_ALL", VARIABLE)
    inherited = {
        k: v for k, v in os.environ.items() if k not in own and not k.startswith("PYTEST_")
    }
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            "not full",
            *options,
            "tests",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=inherited
        | {"PYORCH_DATA": str(folder / "absent"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | environment,
    )


@pytest.mark.parametrize("options", [(), TWO_PROCESSES], ids=["one process", "two processes"])
def test_skips_are_grouped_by_reason_and_counts_added_up(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    result = run(tmp_path, *options)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("not covered by this run") == 1
    assert "    3  iverilog is not installed" in result.stdout
    assert "    1  the full matrix: `./scripts/test --full` runs it" in result.stdout
    assert "in tests/test_other.py, tests/test_suite.py" in result.stdout
    met = [line.split() for line in result.stdout.splitlines() if line.startswith("simulator ")]
    assert met == [["simulator", "2", "of", "2", "4"]]
    assert "    1  no recorded markets (set PYORCH_DATA or provide ../shared/data)" in result.stdout
    assert "in tests/test_suite.py" in result.stdout


def test_a_forbidden_skip_fails_with_its_reason(tmp_path: Path) -> None:
    result = run(tmp_path, PYORCH_TEST_ALL="1", CI="true")
    assert result.returncode == 1
    assert (
        "(iverilog is not installed), but PYORCH_TEST_ALL=1 says that every Debian" in result.stdout
    )
    assert "CI=true says that the recordings are there" in result.stdout
    assert "1 failed, 3 passed, 2 skipped, 1 deselected, 1 error" in result.stdout


def test_counts_of_an_earlier_run_stay_and_are_added_to(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "before.json").write_text('[["style", "folded", 5]]')
    result = run(tmp_path, **{VARIABLE: str(earlier)})
    assert result.returncode == 0, result.stdout
    assert len(list(earlier.glob("*.json"))) == 3
    assert "1 of 3          5" in result.stdout
