"""The code is formatted, linted, typed, and its native stub is current."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command", [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]], ids=" ".join
)
def test_tool_finds_nothing(command: list[str]) -> None:
    result = subprocess.run(
        [str(BIN / command[0]), *command[1:]], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_native_stub_is_current(tmp_path: Path) -> None:
    """`pyorch/_native.pyi` is what nanobind's stub generator writes for the built module."""
    written = tmp_path / "_native.pyi"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "nanobind.stubgen",
            "-q",
            "-m",
            "pyorch._native",
            "-o",
            str(written),
        ],
        check=True,
        cwd=ROOT,
    )
    assert written.read_text() == (ROOT / "pyorch" / "_native.pyi").read_text()
