"""The report of a build, and the verdicts in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.boards.ecp5_85k import TimingTarget
from hls.build.flow import Build
from pyorch.contract.build_record import BuildRecord
from pyorch.contract.digest import digest_of_file
from pyorch.contract.errors import BuildError, EnvironmentMissingError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import HlsProject, find_target

Begin = Callable[..., Build]
Settle = Callable[[Build], dict[str, str]]


def test_the_report_is_self_contained_and_speaks_the_designs_names(
    begin_build: Begin, tmp_path: Path
) -> None:
    begin_build(tmp_path / "a").run()
    page = (tmp_path / "a" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    cycles = FabricManifest.load(tmp_path / "a" / "fabric").cycles
    idle = f"{cycles['idle_tick'] * 20:.1f} <small>ns"
    cold = f"{cycles['cold_window'] * 0.02:.2f} <small>µs"
    for text in ("fabric.core.h<", "62.00 MHz", idle, cold, "seed 2"):
        assert text in page
    assert "TRELLIS_FF_Q" not in page and "h.0.4" not in page
    for text in (
        "1,000 steps against the reference, 0 different; 1 of 1 figures took the predicted cycles",
        "160 integers out of the synthesised netlist against the reference, 0 different",
        "warnings: 1",
        find_target("ecp5-85k").host,
        'nextpnr-ecp5</td><td class="name">1 (nextpnr-ecp5',
        "SHA-256 " + digest_of_file(tmp_path / "a" / "fabric.bit"),
    ):
        assert " ".join(text.split()) in " ".join(page.split()), text


class Vendor(TimingTarget):
    """A target whose tools are not here."""

    flow, ran = "vivado", False
    tools, release, script = ("vivado",), "2023.2", "build.sh"
    products, reports = ("fabric.bit", "fabric.hwh"), ("timing.rpt",)
    ordering = "a part"

    def for_hls(self) -> "Vendor":
        return self

    def hls_files(self, project: HlsProject, clock_mhz: float) -> dict[str, str]:
        return {}


def test_a_vendors_target_is_emitted_checked_and_reported_with_an_assumed_clock(
    begin_build: Begin, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    message = (
        r"no bitstream: vivado is not run here. .*; cycles are simulated, the clock of 50 MHz is an "
        r"assumption. Not on the path: vivado \(2023.2\). On a machine that has them, this command goes on "
        r"from here, or copy the folder and run target/build.sh in it: it makes fabric.bit and fabric.hwh"
    )
    with pytest.raises(EnvironmentMissingError, match=message):
        begin_build(folder, target=Vendor(), tools=None).run()
    assert list(BuildRecord.load(folder).steps) == ["emit", "lint", "simulate"]
    page = (folder / "report.html").read_text()
    label = "assumption: not run with the vendor&#39;s tool"
    assert page.count(f'<span class="pill off">{label}</span>') == 4
    assert "Critical path" not in page and "Estimates" in page
    with pytest.raises(BuildError, match="must not be loaded: no bitstream"):
        BuildRecord.load(folder).verify(folder)


def test_a_missed_clock_says_by_how_much_and_which_one_is_met(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHZ", "40")
    message = (
        r"the core reaches 42\.00 of 50\.00 MHz, 8\.00 too few \(best of 2 seeds, median 41\.50\); "
        r"--clock 42\.0000 is met by this routing"
    )
    with pytest.raises(BuildError, match=message):
        begin_build(tmp_path / "a").run()
    assert (tmp_path / "a" / "report.html").is_file()
    with pytest.raises(BuildError, match=r"must not be loaded: the core reaches 42"):
        BuildRecord.load(tmp_path / "a").verify(tmp_path / "a")
