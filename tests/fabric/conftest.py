"""Small benches on Icarus Verilog, for a module of the RTL alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import firmware
from pyorch.contract.fixed import IntArray

RTL = Path(firmware.__file__).parent / "rtl"


@pytest.fixture
def run_bench(tmp_path: Path) -> Callable[..., IntArray]:
    """`run_bench(text, sources, *models)`: what module ``bench`` of ``text`` prints, [line, column].

    ``sources`` are names in the RTL's folder, ``models`` further arguments of Icarus Verilog; the bench
    runs in the test's own folder and finds its files there.
    """
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")

    def run(text: str, sources: tuple[str, ...], *models: str) -> IntArray:
        (tmp_path / "bench.sv").write_text(text)
        files = [*models, *(str(RTL / name) for name in sources), "bench.sv"]
        for command in (
            ["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", *files],
            ["vvp", "bench.vvp"],
        ):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr or done.stdout
        lines = done.stdout.splitlines()
        rows = [line.split() for line in lines if "$finish called" not in line]
        return np.array(rows, dtype=np.int64)

    return run
