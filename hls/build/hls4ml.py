"""`pyorch build --style hls4ml`: hls4ml's project of a bundle, up to the vendor's tools or through them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from hls.build.checks import SIMULATION
from hls.build.emission import HLS, TARGET
from hls.build.flow import Build
from hls.build.jobs import Job, Workshop
from hls.build.process import Report, Usage, run_tool
from hls.build.report import write_hls_report
from hls.build.tools import package_folder
from hls.build.vendor import RESULTS, UNKNOWN, missing_tools, not_run, vendor_job, versions
from pyorch.contract.digest import canonical_json, digest_of, digest_of_file
from pyorch.contract.errors import BuildError, UsageError
from pyorch.contract.target import Target, VendorTarget

STYLE = "hls4ml"
SYNTHESIS_REPORT = f"{RESULTS}/csynth.xml"


def hls_target(target: Target, parameters: dict[str, int], wire: str | None) -> VendorTarget:
    """The target with the tools that C++ takes.

    Raises:
        UsageError: not a vendor's board, or an option of our own styles.
    """
    if not isinstance(target, VendorTarget):
        raise UsageError(
            f"--style hls4ml is C++ for a vendor's synthesis, which {target.name} has none of; choose "
            "--target pynq-z2, kria-kv260 or alveo-u50"
        )
    given = [f"--{name.replace('_', '-')}" for name in parameters] + ["--wire"] * bool(wire)
    if given:
        raise UsageError(
            f"{', '.join(given)} is of our own styles; --style hls4ml takes none of them"
        )
    return target.for_hls()


@dataclass(slots=True)
class HlsBuild(Build):
    """A build of hls4ml's C++ under way: emit, simulate, the vendor's tools where they are, report."""

    def _steps(self, shop: Workshop) -> None:
        record, folder, target = shop.record, self.folder, self.target
        assert isinstance(target, VendorTarget)
        for step in self._wanted():
            anew = self._anew(step)
            if step == "emit":
                shop.do(hls_emit_job(self), anew=True)
            elif step == "simulate" and self.plan.simulated_steps:
                shop.do(stream_job(self), anew=anew)
            elif step == "synthesise":
                record.tools = versions(target)
                shop.do(vendor_job(target, record.tools, (HLS, TARGET)), anew=anew)
            elif step == "time":
                record.steps = {name: record.steps[name] for name in shop.settled}
                ran = "synthesise" in record.steps
                why = not_run(target, folder, self.plan.clock_mhz, UNKNOWN)
                record.verdict = "ok" if ran else why
                record.save(folder)
            elif step == "report":
                write_hls_report(folder, record, target, self.model, worst_cycles(folder))
        self._end(record, bool(missing_tools(target)))


def hls_emit_job(build: Build) -> Job:
    """Sources and scripts, in a process of its own; hls4ml brings TensorFlow along."""
    plan, bundle = build.plan, build.bundle

    def work(stage: Path, log: Path, report: Report) -> Usage:
        (stage / "plan.json").write_bytes(canonical_json(plan.to_json()))
        command = [
            sys.executable, "-P", "-m", "hls.build.emission", "plan.json", str(bundle.resolve()),
        ]  # fmt: skip
        return run_tool("emit", command, stage, log, report)

    return Job("emit", {"plan": plan.to_json()}, (), (HLS, TARGET), work, cached=False)


def stream_job(build: Build) -> Job:
    """The very C++, compiled by g++, against the reference."""
    windows = max(1, build.plan.simulated_steps // build.model.spec.window)

    def work(stage: Path, log: Path, report: Report) -> Usage:
        command = [
            sys.executable, "-P", "-m", "hls.vitis.compare", HLS, str(build.bundle.resolve()), str(windows),
        ]  # fmt: skip
        return run_tool("compare", command, stage, log, report, answer=stage / SIMULATION)

    code = package_folder("hls", "The package hls", "train") / "vitis"
    files = {
        path.name: digest_of_file(path) for path in sorted(code.rglob("*.[hp]*")) if path.is_file()
    }
    settings: dict[str, object] = {
        "windows": windows,
        "model": build.plan.model_digest,
        "comparison": digest_of(files),
    }
    return Job("simulate", settings, (HLS,), (SIMULATION,), work)


def worst_cycles(folder: Path) -> int | None:
    """Cycles of a window by the vendor's synthesis; None: not run, or it states none.

    Raises:
        BuildError: its report is not one.
    """
    path = folder / SYNTHESIS_REPORT
    if not path.is_file():
        return None
    found = re.search(r"<Worst-caseLatency>\s*(\w+)\s*</Worst-caseLatency>", path.read_text())
    if found is None:
        raise BuildError(f"{path} states no latency; see the log of the synthesis")
    return int(found[1]) if found[1].isdigit() else None
