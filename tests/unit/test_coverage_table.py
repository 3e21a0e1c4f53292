"""The suite says what it did not cover, and fails where a skip was forbidden."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "tests").mkdir()
    shutil.copy(CONFTEST, folder / "tests" / "conftest.py")
    (folder / "tests" / "test_suite.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  debian: x\n  tape: x\n")
    inherited = {k: v for k, v in os.environ.items() if k not in ("CI", "PYORCH_TEST_ALL")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=inherited
        | {"PYORCH_DATA": str(folder / "absent"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | environment,
    )


def test_skips_are_grouped_by_reason(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "    2  iverilog is not installed" in result.stdout
    assert "    1  no recorded markets (set PYORCH_DATA or provide ../shared/data)" in result.stdout
    assert "in tests/test_suite.py" in result.stdout


def test_a_forbidden_skip_fails_with_its_reason(tmp_path: Path) -> None:
    result = run(tmp_path, PYORCH_TEST_ALL="1", CI="true")
    assert result.returncode == 1
    assert (
        "(iverilog is not installed), but PYORCH_TEST_ALL=1 says that every Debian" in result.stdout
    )
    assert "CI=true says that the recordings are there" in result.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 error" in result.stdout
