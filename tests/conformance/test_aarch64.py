"""Engine and quoting path on aarch64 (PYNQ boards are ARM), cross-compiled, under qemu: the bits of here."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference.flat import flat_model
from pyorch.inference.sample import random_bundle
from pyorch.trading.records import QUOTE_DTYPE

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


def compiled(folder: Path, name: str, sources: list[str]) -> Path:
    """The driver beside this file, with sources of the native module."""
    for tool in (COMPILER, EMULATOR):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: g++-aarch64-linux-gnu, qemu-user)")
    program, native = folder / name, ROOT / "pyorch" / "native"
    subprocess.run(
        [COMPILER, "-std=c++20", "-O2", "-ffp-contract=off", "-static", f"-I{native}",
         str(Path(__file__).with_name(f"{name}.cpp")),
         *(str(native / f"{source}.cpp") for source in sources), "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = [f"lstm_{name}" for name in SOURCES]
    return compiled(tmp_path_factory.mktemp("aarch64"), "lstm_driver", sources)


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


def quoting_settings() -> _native.QuotingSettings:
    """Those of quoting_driver.cpp."""
    settings = _native.QuotingSettings()
    settings.strikes_usd = list(range(58_000, 62_001, 500))
    settings.expiries_s, settings.half_tick_usd = [2 * 86_400, 28 * 86_400], 0.05
    surface = [[550_000, 580_000], [-50_000, -40_000], [100_000, 90_000], [900_000] * 2]
    settings.set_surface([*surface, [700_000] * 2], 0)
    settings.add_rule(
        armed=True, endangered_down=True, both_sides=True, outputs=[0], thresholds=[30_000],
        releases=[25_000], widen_bp100=1500, size_percent=70, dwell_ns=5_000_000, reach=1, caution=False,
    )  # fmt: skip
    settings.set_fair_shift(
        up=0, down=0, move_bp100=400, deadband=2000, maximum_bp100=250, step_bp100=20, armed=False
    )
    settings.set_inventory(
        delta_skew_bp100=300, delta_scale_lots=40, position_skew_bp100=200, position_scale_lots=50
    )
    settings.set_terms(
        tick_nano=100_000, coarse_tick_factor=5, coarse_from_nano=5_000_000, base_nano=500_000, size_lots=50,
        minimum_size_lots=1, minimum_change_ticks=2, minimum_interval_ns=20_000_000,
    )  # fmt: skip
    settings.set_limits(
        price_collar_ticks=200, bounds=[500, 10**9, 5 * 10**8, 2 * 10**10, 4000], quotes_per_second=2000,
        quotes_burst=300, positions_lots=list(range(-18, 18)), venues=[0] * 36, acknowledged=False,
        acknowledge_ns=0, reference_interval_ns=10**9, reference_age_ns=0,
        protection=[10**9, 400, 2 * 10**8, 0],
    )  # fmt: skip
    settings.set_fix(
        sender="ME", target="YOU", account="ACC", underlying="BTCUSD",
        symbols=[f"BTC-{option}" for option in range(36)],
        price_units=1, price_places=4, size_units=1, size_places=1,
    )  # fmt: skip
    settings.probability_outputs = [0]
    return settings


def digest(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 & 0xFFFF_FFFF_FFFF_FFFF
    return value


@pytest.mark.debian
def test_quotes_and_messages_come_out_on_aarch64(tmp_path: Path) -> None:
    rng, ticks = np.random.default_rng(5), 600
    rows = np.zeros((ticks, 4), np.int64)
    rows[:, 0] = np.cumsum(rng.integers(1, 8_000_000, ticks))
    rows[:, 1] = 1_200_000 + np.cumsum(rng.integers(-60, 61, ticks))
    rows[:, 2], rows[:, 3] = rows[:, 1] // 2, rng.integers(0, 32_769, ticks)
    rows.tofile(tmp_path / "ticks")
    native = _native.QuotingPath(quoting_settings())
    for tick, (local_ns, forward, price, score) in enumerate(rows.tolist()):
        native.trade(price, local_ns)
        scores = np.array([score])
        native.tick(tick, local_ns, tick, forward, np.zeros(1, np.int32), scores, scores, True)
    _, quotes, fix = native.drain()
    count = len(quotes) // QUOTE_DTYPE.itemsize
    assert count > 1000
    sources = [
        f"{part}_{kind}"
        for part in ("black76", "quote_columns")
        for kind in ("generic", "avx2", "avx512")
    ]
    program = compiled(tmp_path, "quoting_driver", ["pricing", "surface", *sources])
    result = subprocess.run(
        [EMULATOR, str(program), str(tmp_path / "ticks")],
        capture_output=True,
        text=True,
        check=True,
    )
    messages = fix.count(b"8=FIX.4.4\x01")
    assert result.stdout == (
        f"{messages} messages {count} quotes {digest(fix):016x} {digest(quotes):016x}\n"
    )
