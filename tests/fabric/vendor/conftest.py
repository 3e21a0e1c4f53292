"""What tests of the vendor's scripts share: fabrics, and build folders up to the vendor's step."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.vendor.alveo import AlveoTarget
from firmware.vendor.zynq import ZynqTarget
from hls.emit.project import emit_bundle
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

Vendor = ZynqTarget | AlveoTarget
LayOut = Callable[[Vendor, int], Path]


@pytest.fixture(scope="session")
def fabrics(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, FabricManifest]]:
    """Clocks → an emitted fabric."""
    bundle = random_bundle(1, 6, (8,), PRESETS["narrow"], window=5)
    found = {}
    for clocks in (1, 2):
        folder = tmp_path_factory.mktemp("vendor") / "fabric"
        found[clocks] = folder, emit_bundle(bundle, "folded", folder, multipliers=4, clocks=clocks)
    return found


@pytest.fixture
def lay_out(fabrics: dict[int, tuple[Path, FabricManifest]], tmp_path: Path) -> LayOut:
    """``lay_out(target, clocks)``: a build folder as far as the vendor's step; returns its ``target``."""

    def make(target: Vendor, clocks: int) -> Path:
        source, manifest = fabrics[clocks]
        folder = tmp_path / f"{target.name}-{clocks}"
        shutil.copytree(source, folder / "fabric")
        (folder / "target").mkdir()
        for name, text in target.files(manifest, target.clock_mhz).items():
            (folder / "target" / name).write_text(text)
        return folder / "target"

    return make


@pytest.fixture
def put_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[tuple[str, ...]], None]:
    """``put_on_path(names)``: stand-ins of these programs come first on the path."""

    def put(names: tuple[str, ...]) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in names:
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sim.vivado {name} "$@"\n')
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put
