"""`--style hls4ml`: its project of a bundle, compiled against the reference, its scripts under `tclsh`."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from firmware.block_design import DMA, HLS, HLS_VLNV
from firmware.vendor.alveo import ALVEO_U50, AlveoTarget
from firmware.vendor.zynq import KRIA_KV260, PYNQ_Z2, ZynqTarget
from hls.build import hls4ml
from hls.build.emission import emit_for
from hls.build.hls4ml import HlsBuild, hls_target
from hls.build.plan import BuildPlan, make_plan
from hls.build.process import Usage
from hls.vitis.compiled import CompiledStream, check_constants
from hls.vitis.project import write_vendor_project
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError, MismatchError, UsageError
from pyorch.contract.precision import PRESETS
from pyorch.contract.target import HlsProject, find_target
from pyorch.inference.reference import run_windows
from pyorch.inference.sample import random_bundle
from sim.vivado.session import run_vivado
from sim.vivado.synthesis import run_vitis_hls
from sim.vivado.tclsh import CommandError

Vendor = ZynqTarget | AlveoTarget
BUNDLE = random_bundle(1, 6, (8,), PRESETS["narrow"], window=5)
pytestmark = pytest.mark.tensorflow
needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: tcl)")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HlsProject]:
    """hls4ml's project of the bundle."""
    folder = tmp_path_factory.mktemp("hls4ml") / "hls4ml"
    return folder, write_vendor_project(BUNDLE, folder, PYNQ_Z2.ordering, 50.0)


def lay_out(target: Vendor, written: tuple[Path, HlsProject], folder: Path) -> Path:
    shutil.copytree(written[0], folder / "hls4ml")
    (folder / "target").mkdir()
    for name, text in target.for_hls().hls_files(written[1], target.clock_mhz).items():
        (folder / "target" / name).write_text(text)
    return folder / "target"


def test_the_stream_that_synthesis_gets_is_the_reference_bit_for_bit(
    written: tuple[Path, HlsProject], tmp_path: Path
) -> None:
    stream = CompiledStream(written[0], BUNDLE)
    form = BUNDLE.spec.input
    windows = np.random.default_rng(3).integers(form.minimum, form.maximum + 1, (200, 5, 6))
    expected = run_windows(BUNDLE, windows)[0]
    np.testing.assert_array_equal([stream.run(window) for window in windows], expected)
    with pytest.raises(
        MismatchError, match=r"model_stream: -?\d+ beats for a window of 6, expected"
    ):
        stream.run(np.concatenate([windows[0], windows[1][:1]]))
    changed = tmp_path / "weights"
    shutil.copytree(written[0] / "firmware" / "weights", changed)
    parts = [BUNDLE.weights[f"{layer.name}.kernel"] for layer in BUNDLE.spec.layers]
    parts += [BUNDLE.weights[f"{layer.name}.bias"] for layer in BUNDLE.spec.layers]
    lstm = BUNDLE.spec.lstm_layers[0].name
    parts += [BUNDLE.weights[f"{lstm}.recurrent"], BUNDLE.weights[f"{lstm}.bias"]]
    assert check_constants(changed) == sum(part.size for part in parts)
    header = changed / "b3.h"
    header.write_text(re.sub(r"\{-?\d", "{7", header.read_text()))
    with pytest.raises(MismatchError, match=r"b3.h: 11 constants, 11 numbers in b3.txt, 1 of them"):
        check_constants(changed)


@needs_tclsh
@pytest.mark.debian
@pytest.mark.parametrize("target", [PYNQ_Z2, KRIA_KV260, ALVEO_U50], ids=lambda target: target.name)
def test_synthesis_and_build_run_to_their_ends(
    target: Vendor, written: tuple[Path, HlsProject], tmp_path: Path
) -> None:
    place = lay_out(target, written, tmp_path / "b")
    synthesis = run_vitis_hls(place / "synthesis.tcl")
    assert synthesis.ports == {"s_axis": "Slave", "m_axis": "Master"}
    assert (synthesis.part, synthesis.top) == (target.ordering, "model_stream")
    assert synthesis.period_ns == pytest.approx(1000 / target.clock_mhz)
    state = run_vivado(place / "build.tcl")
    design = next(d for p in [*state.closed, state.project] if p for d in p.designs.values())
    assert design.cells[HLS].ip.vlnv == HLS_VLNV
    assert [entry.segment for entry in design.assigned if "S_AXI_LITE" in entry.segment] == [
        f"{DMA}/S_AXI_LITE/Reg"
    ]
    made = {path.name for path in (tmp_path / "b" / "vendor").iterdir()}
    wanted = {*target.products, "csynth.xml"} - {"fabric.xclbin"}
    assert wanted <= made


@needs_tclsh
@pytest.mark.debian
def test_hls4mls_own_script_runs_with_the_options_that_are_set(
    written: tuple[Path, HlsProject], tmp_path: Path
) -> None:
    place = tmp_path / "hls4ml"
    shutil.copytree(written[0], place)
    session = run_vitis_hls(place / "build_prj.tcl")
    assert session.simulated and session.top == "model" and session.period_ns == 20.0
    assert set(session.ports.values()) == {"wires"}
    assert any(words[0] == "export_design" for words in session.log)
    lines = (place / "tb_data/tb_input_features.dat").read_text().splitlines()
    answers = (place / "tb_data/tb_output_predictions.dat").read_text().splitlines()
    raw = np.array([line.split() for line in lines], float) / BUNDLE.spec.input.lsb
    expected = run_windows(BUNDLE, raw.astype(np.int64).reshape(len(lines), 5, 6))[0]
    logits = np.array([line.split() for line in answers], float) / BUNDLE.spec.logits.lsb
    np.testing.assert_array_equal(logits, expected)


FAULTS = [
    ("a missing source", "hls4ml/firmware/model.cpp", None, "", r"there is no file \S+model.cpp"),
    (
        "a missing header",
        "hls4ml/firmware/nnet_utils/nnet_recurrent.h",
        None,
        "",
        r"parameters.h includes nnet_utils/nnet_recurrent.h, which is not there",
    ),
    (
        "no such top",
        "target/synthesis.tcl",
        "set_top model_stream",
        "set_top model_streams",
        r"0 sources define the top model_streams",
    ),
    (
        "a port without an interface",
        "hls4ml/firmware/model_stream.cpp",
        "#pragma HLS INTERFACE axis port=m_axis",
        "",
        r"model_stream has no interface for m_axis",
    ),
    (
        "an unknown part",
        "target/synthesis.tcl",
        "set_part xc7z020clg400-1",
        "set_part xc7z020",
        r"no part xc7z020",
    ),
    (
        "no clock",
        "target/synthesis.tcl",
        "create_clock -period 20.0000 -name default",
        "",
        r"clock is missing",
    ),
    (
        "an unknown option",
        "target/synthesis.tcl",
        "-ipname lstm",
        "-name lstm",
        r"there is no option -name",
    ),
    (
        "another IP than the design's",
        "target/synthesis.tcl",
        "-ipname lstm",
        "-ipname gru",
        r"the catalogue has no ip pyorch:hls4ml:lstm:1.0; it has .*pyorch:hls4ml:gru:1.0",
    ),
    (
        "an open stream",
        "target/design.tcl",
        "connect_bd_intf_net -intf_net features",
        "#",
        r"bus hls4ml_0/s_axis is not connected",
    ),
]


@needs_tclsh
@pytest.mark.debian
@pytest.mark.parametrize(
    ("name", "old", "new", "message"), [pytest.param(*fault[1:], id=fault[0]) for fault in FAULTS]
)
def test_a_planted_fault_is_caught(
    name: str,
    old: str | None,
    new: str,
    message: str,
    written: tuple[Path, HlsProject],
    tmp_path: Path,
) -> None:
    place = lay_out(PYNQ_Z2, written, tmp_path / "b")
    path = tmp_path / "b" / name
    if old is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CommandError, match=message):
        run_vitis_hls(place / "synthesis.tcl")
        run_vivado(place / "build.tcl")


@needs_tclsh
@pytest.mark.debian
def test_a_build_stops_without_the_tools_and_goes_on_with_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put_on_path: Callable[[tuple[str, ...]], None],
) -> None:
    saved, folder = tmp_path / "model", tmp_path / "b"
    BUNDLE.save(saved)
    target = hls_target(find_target("pynq-z2"), {}, None)
    plan = make_plan(Bundle.load(saved), target, "hls4ml", {}, simulated_steps=0)
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))

    def emit(name: str, command: list[str], stage: Path, *rest: object) -> Usage:
        given = json.loads((stage / "plan.json").read_text()) | {"seeds": (1,)}
        emit_for(BuildPlan(**given), saved, stage)
        return Usage(0.1, 0.1, 1.0)

    monkeypatch.setattr(hls4ml, "run_tool", emit)
    build = HlsBuild(plan, target, saved, Bundle.load(saved), folder, None)
    where = r"its latency at 50 MHz is not known before .* Not on the path: vitis_hls, vivado \(2023.2\)"
    with pytest.raises(EnvironmentMissingError, match=where):
        build.run()
    report = json.loads((folder / "report.json").read_text())
    assert report["latency"] == {} and report["style"] == "hls4ml"
    assert report["clock"]["basis"] == "assumption: not run with the vendor's tool"
    assert "not run with the vendor&#39;s tool" in (folder / "report.html").read_text()

    put_on_path(target.tools)
    record = build.run()
    assert record.verdict == "ok" and record.verify(folder).is_file()
    report = json.loads((folder / "report.json").read_text())
    assert report["latency"]["cold_window"]["cycles"] == 4321  # what the stand-in states
    assert report["clock"]["setup_slack_ns"] == 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "ecp5-85k"], "which ecp5-85k has none of; choose --target pynq-z2"),
        (["--target", "pynq-z2", "--multipliers", "4"], "--multipliers is of our own styles"),
        (["--target", "pynq-z2", "--wire", "fixed<8,3>"], "--wire is of our own styles"),
    ],
)
def test_what_hls4mls_style_cannot_have_is_refused(words: list[str], message: str) -> None:
    from hls.build.commands import build

    result = CliRunner().invoke(build, ["--style", "hls4ml", *words])
    assert isinstance(result.exception, UsageError) and message in str(result.exception)
