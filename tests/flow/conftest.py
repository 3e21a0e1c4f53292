"""What the tests of builds share: a tiny model, and builds whose tools are stand-ins."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hls.build import checks, ecp5
from hls.build.emission import emit_for
from hls.build.flow import Build
from hls.build.jobs import Job
from hls.build.plan import BuildPlan, make_plan
from hls.build.process import run_tool
from hls.build.tools import Tool, Tools
from pyorch.contract.build_record import StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.precision import PRESETS
from pyorch.contract.target import find_target
from pyorch.inference.sample import random_bundle

# Stands in for every tool: outputs follow from inputs, so that equal builds have equal bytes. SLOW: the tool
# that writes half of its output and then sleeps. FAIL: the tool that fails. CUT: the tool
# whose output is cut off.
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
    target.write_text(text[:-1] if os.environ.get("CUT") == name else text)
def cell(kind, **pins):
    ways = {pin: "output" if pin in "QZ" else "input" for pin in pins}
    return {"type": kind, "parameters": {}, "port_directions": ways, "connections": pins}
CHAIN = {
    "a": cell("TRELLIS_FF", DI=[5], Q=[2]),
    "b": cell("LUT4", A=[2], Z=[3]),
    "c": cell("LUT4", A=[3], B=["0"], Z=[5]),
}
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
    if os.environ.get("STALE"):
        older = json.loads(Path("fabric/fabric.json").read_text())
        older["sources"] = dict.fromkeys(older["sources"], "0" * 64)
        Path("simulated/fabric.json").write_text(json.dumps(older))
    print(json.dumps({"ok": True, "figures": {
        "random_stateful_steps": 900, "random_stateful_mismatches": 0, "adversarial_steps": 100,
        "adversarial_mismatches": 0, "clear_cycles": 7, "clear_predicted_cycles": 7,
    }}))
elif name == "yosys":
    cells = json.loads(os.environ.get("CELLS", '{"LUT4": 40, "MULT18X18D": 3}'))
    Path("../resources.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
    made = sha("../synthesise.ys", "fabric_top.sv", "../target/timing_harness.sv")
    put("../netlist.json", json.dumps({"modules": {"timing_harness": {"cells": CHAIN}}, "from": made}))
elif name == "netlist-check":
    if os.environ.get("SLOW") == name:
        put("netlist_check.json", "{}")
    print(json.dumps({"ok": True, "figures": {"steps": 40, "compared": 160, "mismatches": 0}}))
elif name == "nextpnr":
    seed = int(after("--seed"))
    mhz = float(os.environ.get("MHZ", 60)) + seed
    clocks = {"$glbnet$clk": {"achieved": mhz, "constraint": float(after("--freq"))}}
    end = {"cell": "fabric.core.sum_TRELLIS_FF_Q", "port": "D"}
    hops = [
        {"type": "clk-to-q", "delay": 0.5, "to": {"cell": "fabric.core.h_TRELLIS_FF_Q", "port": "Q"}},
        {"type": "routing", "delay": 9.5, "net": "fabric.core.h.0.4_DO_LUT4_A", "to": end},
        {"type": "setup", "delay": 0.0, "to": end},
    ]
    report = {
        "fmax": clocks,
        "utilization": {"MULT18X18D": {"used": 3, "available": 156}, "GSR": {"used": 0, "available": 1}},
        "critical_paths": [{"from": "posedge $glbnet$clk", "to": "posedge $glbnet$clk", "path": hops}],
    }
    Path(after("--report")).write_text(json.dumps(report))
    put(after("--textcfg"), sha("netlist.json", after("--lpf")) + after("--seed") + "x" * 50000 + "\n\n")
elif name == "ecppack":
    if os.environ.get("SLOW") == name:
        put("fabric.bit", "half")
    end = "" if os.environ.get("CUT") == name else "5e000000ffffffff"
    Path("fabric.bit").write_bytes(bytes.fromhex(sha(after("--input")) * 4 + end))
"""


@pytest.fixture(scope="session")
def tiny_model() -> Bundle:
    return random_bundle(1, 2, (4,), PRESETS["narrow"])


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    tiny_model.save(folder)
    return folder


def _plan(model: Bundle) -> BuildPlan:
    return make_plan(
        model, find_target("ecp5-85k"), "folded", {"multipliers": 4},
        clock_mhz=50.0, seeds=(1, 2),
    )  # fmt: skip


Begin = Callable[..., Build]


@pytest.fixture
def begin_build(
    tiny_model: Bundle, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Begin:
    """A build whose tools are stand-ins; ``begin_build(folder)``."""
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE)
    plan = _plan(tiny_model)
    emitted = tmp_path / "emitted"
    emitted.mkdir()
    emit_for(plan, tiny_bundle, emitted)
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
        build = Build(plan, find_target("ecp5-85k"), tiny_bundle, tiny_model, folder, tools)
        return replace(build, **changes)  # type: ignore[arg-type]

    return make


def _settled(build: Build) -> dict[str, str]:
    """Run a build; job → how it was settled."""
    found: dict[str, str] = {}

    def announce(job: Job, how: str, record: StepRecord) -> None:
        found[job.name] = how

    build.announce = announce
    build.run()
    return found


def _contents(folder: Path) -> dict[str, bytes]:
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


@pytest.fixture
def settled() -> Callable[[Build], dict[str, str]]:
    return _settled


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    return _contents
