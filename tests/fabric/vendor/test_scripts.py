"""Scripts for the vendor's tools, each run under `tclsh` with stand-ins that judge what it builds."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from firmware.block_design import DMA, FABRIC, FABRIC_VLNV
from firmware.driver import FabricDriver
from firmware.register_map import register_map
from firmware.vendor.alveo import ALVEO_U50, AlveoTarget
from firmware.vendor.documents import DOCUMENTS
from firmware.vendor.zynq import KRIA_KV260, PYNQ_Z2, ZynqTarget
from hls.build.commands import build
from hls.build.flow import Build, store
from hls.build.plan import make_plan
from hls.build.whole import is_whole
from pyorch.contract.build_record import BuildRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError, UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.precision import PRESETS
from pyorch.contract.target import VendorTarget, find_target
from pyorch.inference.sample import random_bundle
from sim.vivado.session import run_vivado
from sim.vivado.state import State

Vendor = ZynqTarget | AlveoTarget
LayOut = Callable[[Vendor, int], Path]
TARGETS = [PYNQ_Z2, KRIA_KV260, ALVEO_U50]
BUNDLE = random_bundle(1, 6, (8,), PRESETS["narrow"], window=5)
pytestmark = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: tcl)"),
]


@pytest.mark.parametrize("clocks", [1, 2])
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_script_runs_to_its_end_and_its_design_has_the_register_maps_addresses(
    target: Vendor, clocks: int, lay_out: LayOut
) -> None:
    place = lay_out(target, clocks)
    state = run_vivado(place / "build.tcl")
    made = {path.name for path in (place.parent / "vendor").iterdir()}
    assert {name for name in target.products if not name.endswith(".xclbin")} <= made
    design = next(d for p in [*state.closed, state.project] if p for d in p.designs.values())
    assert design.validated and design.saved
    bases = {a.segment.split("/")[0]: (a.base, a.size) for a in design.assigned[:2]}
    expected = {
        "pynq-z2": {DMA: (0x4040_0000, 0x1_0000), FABRIC: (0x4041_0000, 0x1000)},
        "kria-kv260": {DMA: (0xA000_0000, 0x1_0000), FABRIC: (0xA001_0000, 0x1000)},
        "alveo-u50": {DMA: (0x0000, 0x1000), FABRIC: (0x1000, 0x1000)},
    }
    assert bases == expected[target.name]
    assert max(register.offset for register in register_map().registers.values()) < bases[FABRIC][1]
    assert design.cells[FABRIC].ip.vlnv == FABRIC_VLNV and FABRIC_VLNV in FabricDriver.bindto
    assert ("core_clk" in design.wires) == (clocks == 2)


def handoff(path: Path) -> dict[str, dict[object, str]]:
    """Modules, buses and addresses of a handoff."""
    root = ElementTree.parse(path).getroot()
    found: dict[str, dict[object, str]] = {"module": {}, "bus": {}, "address": {}}
    for module in root.iter("MODULE"):
        name = module.attrib["INSTANCE"]
        found["module"][name] = module.attrib["VLNV"]
        for bus in module.iter("BUSINTERFACE"):
            found["bus"][name, bus.attrib["NAME"], bus.attrib["TYPE"]] = bus.attrib["BUSNAME"]
        for memory in module.iter("MEMRANGE"):
            keys = ("INSTANCE", "SLAVEBUSINTERFACE", "MASTERBUSINTERFACE")
            place = tuple(memory.attrib[key] for key in keys)
            found["address"][place] = memory.attrib["BASEVALUE"] + memory.attrib["HIGHVALUE"]
    return found


@pytest.mark.parametrize("target", [PYNQ_Z2, KRIA_KV260], ids=lambda target: target.name)
def test_the_handoff_that_comes_from_the_same_data_is_that_of_the_recorded_design(
    target: ZynqTarget, lay_out: LayOut
) -> None:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynqmetadata.frontends import Metadata

    place = lay_out(target, 1)
    run_vivado(place / "build.tcl")
    ours = handoff(place / "expected.hwh")
    recorded = handoff(place.parent / "vendor/fabric.hwh")
    assert ours["module"] == recorded["module"] and ours["address"] == recorded["address"]
    assert len(ours["address"]) == 2 and ours["bus"].items() <= recorded["bus"].items()
    parser = RuntimeMetadataParser(Metadata(input=str(place / "expected.hwh")))
    assert parser.ip_dict[FABRIC]["type"] == FABRIC_VLNV
    clock = parser.clock_dict[0]
    a, b = int(clock["divisor0"]), int(clock["divisor1"])
    assert clock["enable"] and target.processor.pll_mhz / (a * b) == target.clock_mhz


def test_every_property_names_the_document_that_states_it(
    fabrics: dict[int, tuple[Path, FabricManifest]],
) -> None:
    seen = 0
    for target in TARGETS:
        for name, text in target.files(fabrics[2][1], target.clock_mhz).items():
            for line in text.splitlines():
                if "set_property" in line:
                    cited = re.search(r";# (\w+), (.+)$", line)
                    assert cited and DOCUMENTS[cited[1]] == cited[2], (name, line)
                    seen += 1
    assert seen > 100


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "model"
    BUNDLE.save(folder)
    return folder


def begin(target: VendorTarget, saved: Path, folder: Path) -> Build:
    plan = make_plan(Bundle.load(saved), target, "folded", {"multipliers": 4}, simulated_steps=0)
    return Build(plan, target, saved, Bundle.load(saved), folder, None)


def test_a_build_without_the_tools_says_what_is_missing_and_what_to_run(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = find_target("alveo-u50")
    assert isinstance(target, VendorTarget) and not target.ran
    folder = tmp_path / "b"
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))
    where = r"vitis is not run here.* Not on the path: vivado, v\+\+, xclbinutil .*run target/build.sh in it"
    with pytest.raises(EnvironmentMissingError, match=where):
        begin(target, saved, folder).run()
    report = json.loads((folder / "report.json").read_text())
    assert report["clock"]["basis"] == "assumption: not run with the vendor's tool"
    assert "not run with the vendor&#39;s tool" in (folder / "report.html").read_text()
    assert not any((folder / product).exists() for product in target.products)
    ended = subprocess.run(["bash", folder / "target/build.sh"], capture_output=True, check=False)
    assert ended.returncode == 5 and b"ERROR: vivado is not on the path" in ended.stderr


@pytest.mark.parametrize("name", ["pynq-z2", "alveo-u50"])
def test_a_build_goes_on_where_the_tools_are(
    name: str,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put_on_path: Callable[[tuple[str, ...]], None],
) -> None:
    target = find_target(name)
    assert isinstance(target, VendorTarget)
    folder = tmp_path / "b"
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))
    put_on_path(target.tools)
    record = begin(target, saved, folder).run()
    assert record.verdict == "ok" and record.tools["vivado"] == "vivado stand-in 2023.2"
    assert all((folder / product).is_file() for product in target.products)
    assert record.verify(folder).name == target.products[name == "alveo-u50"]
    basis = json.loads((folder / "report.json").read_text())["clock"]["basis"]
    assert basis.startswith(("the vendor's timing analysis: setup slack 0.500", "asked of the"))
    assert BuildRecord.load(folder).changed_files(folder) == []
    if name == "pynq-z2":
        cut = tmp_path / "cut.bit"
        made = (folder / "fabric.bit").read_bytes()
        for size in (len(made) - 1, 40):
            cut.write_bytes(made[:size])
            assert is_whole(folder / "fabric.bit") and not is_whole(cut)
    kept = store(record, folder, saved)
    assert {path.name for path in kept.iterdir()} >= {*target.products, "report.json"}


def test_exploring_is_for_parts_that_the_open_tools_route() -> None:
    result = CliRunner().invoke(build, ["--explore", "--target", "pynq-z2"])
    assert isinstance(result.exception, UsageError)
    assert "which have no xc7z020 clg400, speed -1; choose --target ecp5-85k" in str(
        result.exception
    )


def test_clocks_that_a_target_cannot_make_are_refused() -> None:
    assert PYNQ_Z2.programmed_mhz(60) == pytest.approx(1000 / 17)
    for target, mhz in ((PYNQ_Z2, 400), (KRIA_KV260, 0.1), (ALVEO_U50, 600)):
        with pytest.raises(UsageError, match=rf"{target.name} makes .*clocks .* not {mhz:g}"):
            target.programmed_mhz(mhz)


def test_two_clocks_of_a_state_are_those_of_the_plan(lay_out: LayOut) -> None:
    state: State = run_vivado(lay_out(PYNQ_Z2, 2) / "build.tcl")
    assert state.project is not None
    config = state.project.designs["fabric_card"].cells["processing_system7_0"].config
    assert config["PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "100"
    assert config["PCW_FPGA1_PERIPHERAL_FREQMHZ"] == "50"
