"""The native engine on aarch64 (PYNQ boards are ARM), cross-compiled, under qemu: golden vectors equal."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference.flat import flat_model
from pyorch.inference.sample import random_bundle

ROOT = Path(__file__).resolve().parents[2]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
KERNELS = ["neon", "avx2", "avx512", "fused_avx512"]
SOURCES = ["engine", "prepare", "batches", "tables", "fused", "model", "scores", *KERNELS]
WIDE = replace(
    PRESETS["default"],
    hidden=FixedFormat(20, 2),
    cell=FixedFormat(24, 6),
    table=FixedFormat(18, 2),
)
BUNDLES = {
    "default": random_bundle(31),
    "narrow window": random_bundle(32, precision=PRESETS["narrow"], mode="window", window=6),
    "odd shapes": random_bundle(33, 1, (7, 1, 13), extreme=True),
    "dense stack": random_bundle(34, 5, (9,), hidden_dense=(6,)),
    "64-bit path": random_bundle(35, 6, (9,), WIDE),
}


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: g++-aarch64-linux-gnu, qemu-user)")
    program = tmp_path_factory.mktemp("aarch64") / "lstm_driver"
    native = ROOT / "pyorch" / "native"
    sources = [str(native / f"lstm_{name}.cpp") for name in SOURCES]
    subprocess.run(
        [COMPILER, "-std=c++20", "-O2", "-ffp-contract=off", "-static", f"-I{native}",
         str(Path(__file__).with_name("lstm_driver.cpp")), *sources, "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


def written(bundle: Bundle, path: Path) -> Path:
    """The bundle's model and golden vectors in the driver's flat format."""
    model = flat_model(bundle)
    parts = [np.array([model.size]), model]
    for kind in ("window", "sequence"):
        features = bundle.golden[f"{kind}_features"]
        vectors = features.shape[1] if kind == "window" else 1
        parts.append(np.array([features.shape[0], vectors]))
        parts += [
            bundle.golden[f"{kind}_{what}"].ravel() for what in ("features", "logits", "scores")
        ]
    np.concatenate(parts).astype("<i8").tofile(path)
    return path


@pytest.mark.debian
@pytest.mark.parametrize("simd", ["neon", "scalar"])
@pytest.mark.parametrize("name", BUNDLES)
def test_golden_vectors_come_out_on_aarch64(
    driver: Path, tmp_path: Path, name: str, simd: str
) -> None:
    bundle = BUNDLES[name]
    command = [EMULATOR, str(driver), str(written(bundle, tmp_path / "bundle")), simd]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    entries = sum(len(bundle.golden[f"{kind}_features"]) for kind in ("window", "sequence"))
    assert result.stdout == f"{simd} {entries} equal\n", result.stderr


@pytest.mark.debian
def test_the_driver_sees_a_wrong_golden_vector(driver: Path, tmp_path: Path) -> None:
    bundle = BUNDLES["default"]
    logits = bundle.golden["sequence_logits"].copy()
    logits[5, 3] += 1
    changed = replace(bundle, golden=bundle.golden | {"sequence_logits": logits})
    result = subprocess.run(
        [EMULATOR, str(driver), str(written(changed, tmp_path / "bundle")), "neon"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stdout.startswith("neon entry 13 output 3: logit ")
