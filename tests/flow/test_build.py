"""`pyorch build` with stand-ins for its tools: real processes, real kills, real files."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from firmware.boards.ecp5_85k import TimingTarget
from hls.build import report
from hls.build.fit import require_fit
from hls.build.flow import Build, store
from hls.build.jobs import Job, alone
from hls.build.plan import BuildPlan, make_plan
from hls.build.tools import Tool
from hls.emit.project import style_of
from pyorch.contract.build_record import RECORD, BuildRecord, StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, EnvironmentMissingError, PyorchError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import find_target

Begin = Callable[..., Build]


def plan_for(model: Bundle, multipliers: int = 4) -> BuildPlan:
    return make_plan(
        model, find_target("ecp5-85k"), "folded", {"multipliers": multipliers}, seeds=(1, 2)
    )


LATER = 90.0
"""Seconds after which a test gives up waiting for a child."""


def settled(build: Build) -> dict[str, str]:
    """Run a build; job → how it was settled."""
    found: dict[str, str] = {}

    def announce(job: Job, how: str, record: StepRecord) -> None:
        found[job.name] = how

    build.announce = announce
    build.run()
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every result of a build folder; times and logs differ, the report states times."""
    names = (
        "fabric",
        "target",
        "seeds",
        "netlist.json",
        "resources.json",
        "fabric.bit",
        "lint.json",
    )
    found = [path for name in names for path in [folder / name, *(folder / name).rglob("*")]]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if p.is_file()}


def killed_in(build: Build, tool: str, marker: Path) -> None:
    """Run a build in a process of its own and kill that, without warning, while ``tool`` is writing."""
    child = os.fork()
    if child == 0:
        os.environ["SLOW"] = tool
        try:
            build.run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + LATER
    while not marker.exists():
        assert time.monotonic() < deadline, f"{tool} never came to write"
        time.sleep(0.02)
    worker = int(marker.read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while Path(f"/proc/{worker}").exists():
        if "Z" in Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2][:3]:
            break
        assert time.monotonic() < deadline, f"{tool} works on although its build is gone"
        time.sleep(0.02)
    marker.unlink()


def test_results_are_kept_and_restored_and_equal_in_another_folder(
    begin_build: Begin, tmp_path: Path
) -> None:
    first = settled(begin_build(tmp_path / "a"))
    assert set(first.values()) == {"run"}
    assert list(first) == [
        "emit", "lint", "simulate", "synthesise", "netlist check", "place-and-route 1", "place-and-route 2",
        "pack",
    ]  # fmt: skip
    again = settled(begin_build(tmp_path / "a"))
    assert again == {name: "run" if name == "emit" else "kept" for name in first}
    elsewhere = settled(begin_build(tmp_path / "deep" / "er" / "b"))
    assert elsewhere == {name: "run" if name == "emit" else "cache" for name in first}
    assert contents(tmp_path / "a") == contents(tmp_path / "deep" / "er" / "b")
    record = BuildRecord.load(tmp_path / "a")
    assert record.verify(tmp_path / "a", record.model_digest) == tmp_path / "a" / "fabric.bit"
    for step in record.steps.values():
        assert step.seconds > 0 and step.peak_mib > 1 and (tmp_path / "a" / step.log).is_file()


def test_equal_bytes_without_the_cache_too(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_build(tmp_path / "a").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "other"))
    assert set(settled(begin_build(tmp_path / "b")).values()) == {"run"}
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    "tool", ["emit", "verilator", "simulate", "yosys", "netlist-check", "nextpnr", "ecppack"]
)
def test_a_build_killed_in_the_middle_goes_on_where_it_was(
    tool: str, begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "undisturbed"))
    begin_build(tmp_path / "whole").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "a"
    killed_in(begin_build(folder), tool, tmp_path / "marker")
    with pytest.raises(BuildError, match=r"must not be loaded: unfinished, done so far"):
        BuildRecord.load(folder).verify(folder)
    done = set(BuildRecord.load(folder).steps)
    result = settled(begin_build(folder))
    assert {name for name, how in result.items() if how == "kept"} == done - {"emit"}
    if tool == "nextpnr":
        assert result["place-and-route 1"] == "kept" and result["place-and-route 2"] == "run"
    assert contents(folder) == contents(tmp_path / "whole")
    assert not (folder / ".work").exists()
    assert not list(tmp_path.rglob("*.partial"))
    BuildRecord.load(folder).verify(folder)


def test_a_kill_while_the_report_is_written_leaves_none_and_the_next_run_writes_it(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, marker = tmp_path / "a", tmp_path / "marker"
    begin_build(folder, last="pack").run()

    def dawdle(path: Path, data: bytes) -> None:
        path.with_name(f".{path.name}.{2**22}.partial").write_bytes(data[: len(data) // 2])
        marker.write_text("0")
        time.sleep(60)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(report, "write_atomically", dawdle)
        try:
            begin_build(folder).run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + LATER
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not (folder / "report.html").exists()
    assert settled(begin_build(folder))["pack"] == "kept"
    assert (folder / "report.html").is_file() and not list(folder.glob(".*.partial"))


def test_a_tools_error_is_shown_in_its_one_line_and_the_log_is_complete(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_what_does_not_fit_says_by_how_much_and_what_would(tiny_model: Bundle) -> None:
    target = find_target("ecp5-85k")
    estimated = style_of("folded").plan(tiny_model, multipliers=12).estimates["multipliers"]
    with pytest.raises(
        BuildError,
        match=r"folded does not fit LFE5U-85F CABGA381, speed 8: multipliers 160 of 156, over by 4; what to "
        r"try: --multipliers 4 \(the emitter counts 18 of them in all\)",
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
    begin_build: Begin, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    begin_build(folder).run()
    good = (folder / "fabric.bit").read_bytes()
    (folder / "fabric.bit").write_bytes(bytes([good[0] ^ 1]) + good[1:])
    with pytest.raises(BuildError, match=r"fabric\.bit is not the file that was built"):
        BuildRecord.load(folder).verify(folder)
    assert settled(begin_build(folder))["pack"] == "cache"
    assert (folder / "fabric.bit").read_bytes() == good


def test_a_flipped_byte_in_the_cache_is_never_used(begin_build: Begin, tmp_path: Path) -> None:
    begin_build(tmp_path / "a").run()
    (kept,) = (tmp_path / "cache").rglob("fabric.bit")
    good = kept.read_bytes()
    kept.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert settled(begin_build(tmp_path / "b"))["pack"] == "run"
    assert (tmp_path / "b" / "fabric.bit").read_bytes() == good


def test_another_tool_or_clock_is_another_build(
    begin_build: Begin, tiny_model: Bundle, tmp_path: Path
) -> None:
    begin_build(tmp_path / "a").run()
    ours = begin_build(tmp_path / "a")
    assert ours.tools is not None
    ours.tools = replace(ours.tools, nextpnr=Tool("nextpnr-ecp5", ("x",), "2", "nextpnr-2"))
    result = settled(ours)
    assert (result["synthesise"], result["place-and-route 1"]) == ("kept", "run")


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
    begin_build: Begin, tmp_path: Path
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


def test_a_full_disk_in_the_build_itself_is_said(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_later_step_needs_the_earlier_ones(begin_build: Begin, tmp_path: Path) -> None:
    begin_build(tmp_path / "a").run()
    result = settled(begin_build(tmp_path / "a", first="pack"))
    assert (result["place-and-route 2"], result["pack"]) == ("kept", "run")
    with pytest.raises(PyorchError, match="--from pack lies behind --to synthesise"):
        begin_build(tmp_path / "a", first="pack", last="synthesise").run()


def test_the_bundle_takes_the_results_and_stays_whole(
    begin_build: Begin, tiny_bundle: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tiny_bundle, mine)
    record = begin_build(tmp_path / "a").run()
    place = store(record, tmp_path / "a", mine)
    assert Bundle.load(mine).digest() == record.model_digest
    assert (place / "fabric.bit").read_bytes() == (tmp_path / "a" / "fabric.bit").read_bytes()
    assert store(record, tmp_path / "a", mine) == place
    assert [path.name for path in (mine / "artifacts").iterdir()] == [place.name]
    (place / "fabric.bit").write_bytes(b"no")
    with pytest.raises(PyorchError, match=r"fabric\.bit has SHA-256"):
        Bundle.load(mine)


def test_the_report_is_self_contained_and_speaks_the_designs_names(
    begin_build: Begin, tmp_path: Path
) -> None:
    begin_build(tmp_path / "a").run()
    page = (tmp_path / "a" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    cycles = FabricManifest.load(tmp_path / "a" / "fabric").cycles
    idle = f"{cycles['idle_tick'] * 20:.1f} <small>ns"
    cold = f"{cycles['cold_window'] * 0.02:.2f} <small>µs"
    for text in ("fabric.core.h", "62.00 MHz", idle, cold, "seed 2"):
        assert text in page
    assert "TRELLIS_FF_Q" not in page


class Vendor(TimingTarget):
    """A target whose tools are not here."""

    name, flow, ran = "vendor", "vivado", False


def test_a_vendors_target_is_emitted_checked_and_reported_with_an_assumed_clock(
    begin_build: Begin, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    message = (
        r"no bitstream: vivado is not run here. .*; cycles are simulated, the clock of 50 MHz is an"
    )
    with pytest.raises(EnvironmentMissingError, match=message):
        begin_build(folder, target=Vendor(), tools=None).run()
    assert list(BuildRecord.load(folder).steps) == ["emit", "lint", "simulate"]
    page = (folder / "report.html").read_text()
    assert "assumption: not run with the vendor&#39;s tool" in page
    assert "Critical path" not in page and "Estimates" in page
    with pytest.raises(BuildError, match="must not be loaded: no bitstream"):
        BuildRecord.load(folder).verify(folder)


def test_steps_of_an_earlier_plan_do_not_stay_in_the_record(
    begin_build: Begin, tiny_model: Bundle, tmp_path: Path
) -> None:
    begin_build(tmp_path / "a").run()
    one_seed = replace_plan(begin_build(tmp_path / "a"), seeds=(1,))
    assert "place-and-route 2" not in one_seed.run().steps


def replace_plan(build: Build, **changes: object) -> Build:
    build.plan = msgspec.structs.replace(build.plan, **changes)
    return build
