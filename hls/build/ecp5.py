"""The jobs of an ECP5 build: Yosys, nextpnr, ecppack."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hls.build.anchors import ANCHORED, anchor, recipe
from hls.build.emission import FABRIC, ORDER, TARGET
from hls.build.jobs import Job
from hls.build.multipliers import timed_multipliers
from hls.build.plan import BuildPlan
from hls.build.process import Report, TimeLimitError, Usage, run_tool
from hls.build.tools import Tools, package_folder
from pyorch.contract.build_record import BITSTREAM
from pyorch.contract.digest import canonical_json
from pyorch.contract.errors import BuildError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import Target

NETLIST = "netlist.json"
RESOURCES = "resources.json"
ROUTED = "routed.config"
TIMING = "timing.json"

FABRIC_TOP, EVENTS_TOP = "fabric_top", "events_top"
"""Either stays a module of the netlist, so that the netlist that is routed can be simulated at its ports."""
_ADDERS = Path(__file__).with_name("adders.v")
_MAPPING = "+&scorr;&sweep;&dc2;&dch,-f,-r;&ps;&if,{W},{D},{R},-v;&mfs,-C,10"
"""Technology mapping as Yosys has it, but for two things that took most of the time of synthesis: a limit of
conflicts in the search for smaller logic at its end, and its own check, for the netlist is simulated."""
_SIZES = {"LFE5U-12F": "--12k", "LFE5U-25F": "--25k", "LFE5U-45F": "--45k", "LFE5U-85F": "--85k"}


def synthesis_script(files: Sequence[str], top: str, fabric_top: str = FABRIC_TOP) -> str:
    """The Yosys script; paths are relative to the folder ``fabric``, where the memories lie.

    Args:
        top: of the build; fabric_top: of the fabric within, which stays a module of the netlist.
    """
    lines = [
        "read_verilog -lib -specify +/ecp5/cells_sim.v +/ecp5/cells_bb.v",
        "read_verilog -lib -specify -overwrite ../multipliers.v",
        f"read_verilog -sv -defer -DFABRIC_ECP5 {' '.join(files)}",
        f"hierarchy -check -top {top}",
        f"setattr -mod -set keep_hierarchy 1 {fabric_top}",
        "proc",
        "flatten",
        "opt_expr",
        "opt_clean",
        "techmap -map ../adders.v",
        f"scratchpad -set abc9.script {_MAPPING}",
        "scratchpad -set abc9.verify false",
        f"synth_ecp5 -top {top} -run coarse:",
        "setattr -unset src",
        "setattr -mod -unset src",
        f"tee -q -o ../{RESOURCES} stat -json",
        f"write_json ../{NETLIST}",
    ]
    return "".join(f"{line}\n" for line in lines)


def sources(folder: Path) -> list[str]:
    """Fabric and target in the order of compilation, relative to the folder ``fabric``."""
    own = (folder / TARGET / ORDER).read_text().split()
    return [*fabric_sources(folder), *(f"../{TARGET}/{name}" for name in own)]


def fabric_sources(folder: Path) -> list[str]:
    """The fabric's sources in the order of compilation, relative to its folder."""
    return (folder / FABRIC / "project.f").read_text().split()


def emit_job(plan: BuildPlan, bundle: Path, config: Path | None = None) -> Job:
    """Sources of the fabric and of the target. Cheap, so always run: later keys see what it writes."""

    def work(stage: Path, log: Path, report: Report) -> Usage:
        (stage / "plan.json").write_bytes(canonical_json(plan.to_json()))
        command = [
            sys.executable,
            "-P",
            "-m",
            "hls.build.emission",
            "plan.json",
            str(bundle.resolve()),
            *([str(config.resolve())] if config else []),
        ]
        return run_tool("emit", command, stage, log, report)

    return Job("emit", {"plan": plan.to_json()}, (), (FABRIC, TARGET), work, cached=False)


def synthesise_job(folder: Path, target: Target, tools: Tools) -> Job:
    """Netlist and its cells."""
    fabric = FabricManifest.load(folder / FABRIC)
    script = synthesis_script(sources(folder), target.top, fabric.top)
    adders = _ADDERS.read_text()
    models = package_folder("pyosys", "Yosys (the package pyosys)", "fpga") / "share" / "ecp5"
    multipliers = timed_multipliers(models / "cells_bb.v")

    def work(stage: Path, log: Path, report: Report) -> Usage:
        (stage / "synthesise.ys").write_text(script)
        (stage / "adders.v").write_text(adders)
        (stage / "multipliers.v").write_text(multipliers)
        command = [*tools.yosys.command, "../synthesise.ys"]
        return run_tool("yosys", command, stage / FABRIC, log, report)

    settings: dict[str, object] = {
        "script": script, "adders": adders, "multipliers": multipliers, "tool": tools.yosys.digest,
    }  # fmt: skip
    return Job("synthesise", settings, (FABRIC, TARGET), (NETLIST, RESOURCES), work)


def constraints(folder: Path) -> str:
    """The target's one `.lpf`, relative to the build folder."""
    return next(f"{TARGET}/{path.name}" for path in sorted((folder / TARGET).glob("*.lpf")))


def route_job(
    folder: Path, plan: BuildPlan, target: Target, tools: Tools, seed: int, limit_s: float
) -> Job:
    """Place and route with one seed."""
    out = f"seeds/{seed}"
    limits = constraints(folder)
    arguments = [
        _SIZES[target.part.device], "--package", target.part.package, "--speed", target.part.speed,
        "--json", ANCHORED, "--lpf", limits, "--freq", f"{plan.clock_mhz:.6g}", "--router", "router2",
        "--seed", str(seed), "--timing-allow-fail", "--textcfg", f"{out}/{ROUTED}",
        "--report", f"{out}/{TIMING}",
    ]  # fmt: skip

    def work(stage: Path, log: Path, report: Report) -> Usage:
        (stage / out).mkdir(parents=True)
        anchor(stage / NETLIST, stage / ANCHORED, target.part.device)
        command = [*tools.nextpnr.command, *arguments]
        try:
            return run_tool("nextpnr", command, stage, log, report, limit_s=limit_s)
        except BuildError as error:
            raise _unroutable(error, log, seed) or error from None

    settings: dict[str, object] = {
        "arguments": arguments, "anchors": recipe(), "tool": tools.nextpnr.digest,
    }  # fmt: skip
    name = f"place-and-route {seed}"
    return Job(name, settings, (NETLIST, limits), (f"{out}/{ROUTED}", f"{out}/{TIMING}"), work)


def _unroutable(error: BuildError, log: Path, seed: int) -> BuildError | None:
    """The same error in words, if it was the router that got stuck; else None."""
    rounds = re.findall(r"iter=(\d+) wires=\d+ overused=(\d+)", log.read_text(errors="replace"))
    stuck = isinstance(error, TimeLimitError) or "rout" in str(error).lower()
    if not rounds or not stuck:
        return None
    number, overused = int(rounds[-1][0]), int(rounds[-1][1])
    return BuildError(
        f"seed {seed} cannot be routed: after {number} rounds {overused:,} wires are still used twice. What "
        "to try: another seed (--seeds), fewer --multipliers or --planes, a model with a smaller "
        f"--digit-budget, a longer --limit. {error}"
    )


def pack_job(tools: Tools, seed: int) -> Job:
    """The bitstream of a seed."""
    source = f"seeds/{seed}/{ROUTED}"
    arguments = ["--compress", "--input", source, "--bit", BITSTREAM]

    def work(stage: Path, log: Path, report: Report) -> Usage:
        return run_tool("ecppack", [*tools.ecppack.command, *arguments], stage, log, report)

    settings: dict[str, object] = {"arguments": arguments, "tool": tools.ecppack.digest}
    return Job("pack", settings, (source,), (BITSTREAM,), work)


def cells(folder: Path) -> dict[str, int]:
    """Cell type → number, of the synthesised netlist."""
    text = json.loads((folder / RESOURCES).read_text())
    counts: dict[str, int] = text["design"]["num_cells_by_type"]
    return {
        name: count
        for name, count in counts.items()
        if not name.startswith("$") and name not in (FABRIC_TOP, EVENTS_TOP)
    }
