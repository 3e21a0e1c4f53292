"""`pyorch build` with stand-ins for its tools: real processes, real kills, real files."""

import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hls.build import checks, ecp5, report
from hls.build.emission import emit_for
from hls.build.fit import require_fit
from hls.build.flow import Build, store
from hls.build.jobs import Job, alone
from hls.build.plan import BuildPlan, make_plan
from hls.build.process import run_tool
from hls.build.tools import Tool, Tools
from hls.emit.project import style_of
from pyorch.contract.build_record import RECORD, BuildRecord, StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, PyorchError
from pyorch.contract.precision import PRESETS
from pyorch.contract.target import find_target
from pyorch.inference.sample import random_bundle

# Stands in for every tool: outputs follow from inputs, so that equal builds have equal bytes. SLOW: the tool
# that writes half of its output and then sleeps. FAIL: the tool that fails.
FAKE = r"""
import hashlib, json, os, sys, time
from pathlib import Path
name, words = sys.argv[1], sys.argv[2:]
if os.environ.get("FAIL") == name:
    print("\n".join(f"note {n}" for n in range(5000)))
    print(os.environ["WORDS"])
    print("\n".join(f"note {n}" for n in range(5000)))
    sys.exit(1)
def put(path, text):
    target = Path(path)
    if os.environ.get("SLOW") == name and (name != "nextpnr" or "seeds/2" in path):
        target.write_text(text[: len(text) // 2])
        marker = Path(os.environ["MARKER"])
        marker.with_suffix(".new").write_text(str(os.getpid()))
        marker.with_suffix(".new").rename(marker)
        time.sleep(60)
    target.write_text(text)
def sha(*paths):
    return hashlib.sha256(b"".join(Path(p).read_bytes() for p in paths)).hexdigest()
def after(option):
    return words[words.index(option) + 1]
if name == "emit":
    for path in sorted(Path(os.environ["EMITTED"]).rglob("*")):
        copy = Path(path.relative_to(os.environ["EMITTED"]))
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        else:
            copy.write_bytes(path.read_bytes())
            if copy.name == "fabric_top.sv":
                put(copy, path.read_text())
elif name == "verilator":
    print("%Warning-WIDTHTRUNC: x.sv:1:1: narrow")
    if os.environ.get("SLOW") == name:
        put("../lint.json", "{}")
elif name == "simulate":
    Path("simulated").mkdir()
    Path("simulated/fabric.json").write_bytes(Path("fabric/fabric.json").read_bytes())
    if os.environ.get("SLOW") == name:
        put("simulation.json", "{}")
    print(json.dumps({"ok": True}))
elif name == "yosys":
    cells = json.loads(os.environ.get("CELLS", '{"LUT4": 40, "MULT18X18D": 3}'))
    modules = {"\\timing_harness": {"num_cells_by_type": cells}}
    Path("../resources.json").write_text(json.dumps({"modules": modules}))
    put("../netlist.json", sha("../synthesise.ys", "fabric_top.sv", "../target/timing_harness.sv"))
elif name == "nextpnr":
    seed = int(after("--seed"))
    mhz = float(os.environ.get("MHZ", 60)) + seed
    clocks = {"$glbnet$clk": {"achieved": mhz, "constraint": 50.0}}
    end = {"cell": "fabric.core.sum_TRELLIS_FF_Q", "port": "D"}
    hops = [
        {"type": "clk-to-q", "delay": 0.5, "to": {"cell": "fabric.core.h_TRELLIS_FF_Q", "port": "Q"}},
        {"type": "routing", "delay": 9.5, "net": "fabric.core.h_LUT4_A", "to": end},
        {"type": "setup", "delay": 0.0, "to": end},
    ]
    report = {
        "fmax": clocks,
        "utilization": {"MULT18X18D": {"used": 3, "available": 156}, "GSR": {"used": 0, "available": 1}},
        "critical_paths": [{"from": "posedge $glbnet$clk", "to": "posedge $glbnet$clk", "path": hops}],
    }
    Path(after("--report")).write_text(json.dumps(report))
    put(after("--textcfg"), sha("netlist.json", after("--lpf")) + after("--seed") + "x" * 50000)
elif name == "ecppack":
    put("fabric.bit", sha(after("--input")) * 4)
"""
LATER = 20.0
"""Seconds after which a test gives up waiting for a child."""


@pytest.fixture(scope="module")
def model() -> Bundle:
    return random_bundle(1, 2, (4,), PRESETS["narrow"])


@pytest.fixture(scope="module")
def bundle(model: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    model.save(folder)
    return folder


def plan_for(model: Bundle, clock_mhz: float = 50.0, multipliers: int = 4) -> BuildPlan:
    return make_plan(
        model, find_target("ecp5-85k"), "folded", {"multipliers": multipliers},
        clock_mhz=clock_mhz, seeds=(1, 2),
    )  # fmt: skip


Begin = Callable[..., Build]


@pytest.fixture
def begin(model: Bundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """A build whose tools are stand-ins; ``begin(folder)``."""
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE)
    plan = plan_for(model)
    emitted = tmp_path / "emitted"
    emitted.mkdir()
    emit_for(plan, bundle, emitted)
    monkeypatch.setenv("EMITTED", str(emitted))
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))

    def fakes(name: str, command: list[str], *rest: object, **options: object) -> object:
        words = [sys.executable, "-I", "-S", str(fake), name, *map(str, command[1:])]
        return run_tool(name, words, *rest, **options)  # type: ignore[arg-type]

    for module in (ecp5, checks):
        monkeypatch.setattr(module, "run_tool", fakes)
    tools = Tools(*(Tool(n, ("x",), "1", f"{n}-1") for n in ("yosys", "nextpnr-ecp5", "ecppack")))

    def make(folder: Path, **changes: object) -> Build:
        build = Build(plan, find_target("ecp5-85k"), bundle, model, folder, tools)
        return replace(build, **changes)  # type: ignore[arg-type]

    return make


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
    begin: Begin, tmp_path: Path
) -> None:
    first = settled(begin(tmp_path / "a"))
    assert set(first.values()) == {"run"}
    assert list(first) == [
        "emit", "lint", "simulate", "synthesise", "place-and-route 1", "place-and-route 2", "pack",
    ]  # fmt: skip
    again = settled(begin(tmp_path / "a"))
    assert again == {name: "run" if name == "emit" else "kept" for name in first}
    elsewhere = settled(begin(tmp_path / "deep" / "er" / "b"))
    assert elsewhere == {name: "run" if name == "emit" else "cache" for name in first}
    assert contents(tmp_path / "a") == contents(tmp_path / "deep" / "er" / "b")
    record = BuildRecord.load(tmp_path / "a")
    assert record.verify(tmp_path / "a", record.model_digest) == tmp_path / "a" / "fabric.bit"
    for step in record.steps.values():
        assert step.seconds > 0 and step.peak_mib > 1 and (tmp_path / "a" / step.log).is_file()


def test_equal_bytes_without_the_cache_too(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "a").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "other"))
    assert set(settled(begin(tmp_path / "b")).values()) == {"run"}
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("tool", ["emit", "verilator", "simulate", "yosys", "nextpnr", "ecppack"])
def test_a_build_killed_in_the_middle_goes_on_where_it_was(
    tool: str, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "undisturbed"))
    begin(tmp_path / "whole").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "a"
    killed_in(begin(folder), tool, tmp_path / "marker")
    with pytest.raises(BuildError, match=r"must not be loaded: unfinished, done so far"):
        BuildRecord.load(folder).verify(folder)
    done = set(BuildRecord.load(folder).steps)
    result = settled(begin(folder))
    assert {name for name, how in result.items() if how == "kept"} == done - {"emit"}
    if tool == "nextpnr":
        assert result["place-and-route 1"] == "kept" and result["place-and-route 2"] == "run"
    assert contents(folder) == contents(tmp_path / "whole")
    assert not (folder / ".work").exists()
    assert not list(tmp_path.rglob("*.partial"))
    BuildRecord.load(folder).verify(folder)


def test_a_kill_while_the_report_is_written_leaves_none_and_the_next_run_writes_it(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, marker = tmp_path / "a", tmp_path / "marker"
    begin(folder, last="pack").run()

    def dawdle(path: Path, data: bytes) -> None:
        path.with_name(f".{path.name}.{2**22}.partial").write_bytes(data[: len(data) // 2])
        marker.write_text("0")
        time.sleep(60)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(report, "write_atomically", dawdle)
        try:
            begin(folder).run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + LATER
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not (folder / "report.html").exists()
    assert settled(begin(folder))["pack"] == "kept"
    assert (folder / "report.html").is_file() and not list(folder.glob(".*.partial"))


def test_a_tools_error_is_shown_in_its_one_line_and_the_log_is_complete(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "yosys")
    monkeypatch.setenv("WORDS", "ERROR: Module `\\EHXPLLL' is not part of the design.")
    with pytest.raises(BuildError) as caught:
        begin(tmp_path / "a").run()
    log = tmp_path / "a" / "logs" / "synthesise.log"
    assert str(caught.value).splitlines() == [
        "yosys failed with exit status 1:",
        "ERROR: Module `\\EHXPLLL' is not part of the design.",
        f"complete log: {log}",
    ]
    assert len(log.read_text().splitlines()) == 10_002
    monkeypatch.delenv("FAIL")
    assert settled(begin(tmp_path / "a"))["simulate"] == "kept"


def test_an_unroutable_request_says_how_far_it_came_and_what_to_try(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        begin(tmp_path / "a").run()


def test_place_and_route_is_given_up_at_its_limit(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "nextpnr")
    with pytest.raises(BuildError, match=r"nextpnr was stopped after 0\.0 minutes, its limit"):
        begin(tmp_path / "a", limit_s=1.0).run()


def test_a_missed_clock_says_by_how_much_and_which_one_is_met(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHZ", "40")
    message = (
        r"the core reaches 42\.00 of 50\.00 MHz, 8\.00 too few \(best of 2 seeds, median 41\.50\); "
        r"--clock 42\.0000 is met by this routing"
    )
    with pytest.raises(BuildError, match=message):
        begin(tmp_path / "a").run()
    assert (tmp_path / "a" / "report.html").is_file()
    with pytest.raises(BuildError, match=r"must not be loaded: the core reaches 42"):
        BuildRecord.load(tmp_path / "a").verify(tmp_path / "a")


def test_what_does_not_fit_says_by_how_much_and_what_would(model: Bundle) -> None:
    target = find_target("ecp5-85k")
    estimated = style_of("folded").plan(model, multipliers=12).estimates["multipliers"]
    with pytest.raises(
        BuildError,
        match=r"folded does not fit LFE5U-85F CABGA381, speed 8: multipliers 160 of 156, over by 4; what to "
        r"try: --multipliers 4 \(the emitter counts 18 of them in all\)",
    ):
        cells = {"MULT18X18D": 160, "LUT4": 10}
        require_fit(plan_for(model, multipliers=12), target, model, cells, estimated)
    with pytest.raises(
        BuildError, match=r"logic 83,800 of 83,640, over by 160; .* --multipliers with"
    ):
        cells = {"CCU2C": 41_900}
        require_fit(plan_for(model), target, model, cells, estimated)


def test_nothing_is_routed_of_what_does_not_fit(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLS", '{"MULT18X18D": 160, "LUT4": 10}')
    with pytest.raises(BuildError, match="over by 4"):
        begin(tmp_path / "a").run()
    assert not (tmp_path / "a" / "seeds").exists()


def test_a_flipped_byte_is_refused_and_made_good_by_the_next_build(
    begin: Begin, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    begin(folder).run()
    good = (folder / "fabric.bit").read_bytes()
    (folder / "fabric.bit").write_bytes(bytes([good[0] ^ 1]) + good[1:])
    with pytest.raises(BuildError, match=r"fabric\.bit is not the file that was built"):
        BuildRecord.load(folder).verify(folder)
    assert settled(begin(folder))["pack"] == "cache"
    assert (folder / "fabric.bit").read_bytes() == good


def test_a_flipped_byte_in_the_cache_is_never_used(begin: Begin, tmp_path: Path) -> None:
    begin(tmp_path / "a").run()
    (kept,) = (tmp_path / "cache").rglob("fabric.bit")
    good = kept.read_bytes()
    kept.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert settled(begin(tmp_path / "b"))["pack"] == "run"
    assert (tmp_path / "b" / "fabric.bit").read_bytes() == good


def test_another_tool_or_clock_is_another_build(
    begin: Begin, model: Bundle, tmp_path: Path
) -> None:
    begin(tmp_path / "a").run()
    ours = begin(tmp_path / "a")
    ours.tools = replace(ours.tools, nextpnr=Tool("nextpnr-ecp5", ("x",), "2", "nextpnr-2"))
    result = settled(ours)
    assert (result["synthesise"], result["place-and-route 1"]) == ("kept", "run")


def test_a_record_of_another_model_is_refused(begin: Begin, tmp_path: Path) -> None:
    begin(tmp_path / "a").run()
    with pytest.raises(BuildError, match=r"was built from the model .*…, the bundle is 0000"):
        BuildRecord.load(tmp_path / "a").verify(tmp_path / "a", "0" * 64)
    (tmp_path / "a" / RECORD).write_text('{"format": 1}')
    with pytest.raises(
        BuildError, match=r"build\.json: Object missing required field .*; build again"
    ):
        BuildRecord.load(tmp_path / "a")


def test_two_builds_do_not_share_a_folder(begin: Begin, tmp_path: Path) -> None:
    with (
        alone(tmp_path / "a"),
        pytest.raises(BuildError, match=r"another build is at work in .*choose another --out"),
    ):
        begin(tmp_path / "a").run()


def test_a_full_disk_in_a_tool_is_said_and_nothing_half_written_stays(
    begin: Begin, tmp_path: Path
) -> None:
    """RLIMIT_FSIZE: no file may exceed 30 kB, the routed design has 50."""
    folder = tmp_path / "a"
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        try:
            begin(folder).run()
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
    assert settled(begin(folder))["synthesise"] == "kept"


def test_a_full_disk_in_the_build_itself_is_said(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    begin(tmp_path / "a", last="lint").run()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(
            BuildError,
            match=r"simulate: no room to write .*fabric\.json \(No space left on device; [\d,]+ MiB are free "
            r"there\); make room and run the same command again, finished steps are kept",
        ):
            begin(tmp_path / "a").run()
    assert settled(begin(tmp_path / "a"))["lint"] == "kept"


def test_a_later_step_needs_the_earlier_ones(begin: Begin, tmp_path: Path) -> None:
    begin(tmp_path / "a").run()
    result = settled(begin(tmp_path / "a", first="pack"))
    assert (result["place-and-route 2"], result["pack"]) == ("kept", "run")
    with pytest.raises(PyorchError, match="--from pack lies behind --to synthesise"):
        begin(tmp_path / "a", first="pack", last="synthesise").run()


def test_the_bundle_takes_the_results_and_stays_whole(
    begin: Begin, bundle: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(bundle, mine)
    record = begin(tmp_path / "a").run()
    place = store(record, tmp_path / "a", mine)
    assert Bundle.load(mine).digest() == record.model_digest
    assert (place / "fabric.bit").read_bytes() == (tmp_path / "a" / "fabric.bit").read_bytes()
    assert store(record, tmp_path / "a", mine) == place
    assert [path.name for path in (mine / "artifacts").iterdir()] == [place.name]
    (place / "fabric.bit").write_bytes(b"no")
    with pytest.raises(PyorchError, match=r"fabric\.bit has SHA-256"):
        Bundle.load(mine)


def test_the_report_is_self_contained_and_speaks_the_designs_names(
    begin: Begin, tmp_path: Path
) -> None:
    begin(tmp_path / "a").run()
    page = (tmp_path / "a" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    for text in ("fabric.core.h", "62.00 MHz", "540.0 <small>ns", "10.80 <small>µs", "seed 2"):
        assert text in page
    assert "TRELLIS_FF_Q" not in page
