"""The step of a vendor's tools: run where they are; where not, a word on what is missing and what to run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from hls.build.emission import FABRIC, TARGET
from hls.build.jobs import Job
from hls.build.process import Report, Usage, run_tool
from pyorch.contract.errors import BuildError
from pyorch.contract.target import Target, VendorTarget

RESULTS = "vendor"
FIGURES = f"{RESULTS}/figures.json"
VERSION_S = 60.0
ASKED = {
    "vivado": "-version",
    "vitis_hls": "-version",
    "v++": "--version",
    "xclbinutil": "--version",
}
"""How each tool is asked for its version."""


def missing_tools(target: Target) -> list[str]:
    """Programs that the target's script starts and that are not on the path."""
    if not isinstance(target, VendorTarget):
        return [target.flow]
    return [name for name in target.tools if shutil.which(name) is None]


SIMULATED = "cycles are simulated, the clock of {:g} MHz is an assumption"
UNKNOWN = "its latency at {:g} MHz is not known before the vendor's synthesis states it"


def not_run(target: Target, folder: Path, clock_mhz: float, figures: str = SIMULATED) -> str:
    """Why there is no bitstream, and where to make one.

    Args:
        figures: what stands in the report instead.
    """
    text = (
        f"no bitstream: {target.flow} is not run here. The project for {target.name} is complete in "
        f"{folder}; {figures.format(clock_mhz)}"
    )
    if isinstance(target, VendorTarget):
        text += (
            f". Not on the path: {', '.join(missing_tools(target))} ({target.release}). On a machine that "
            "has them, this command goes on from here, or copy the folder and run "
            f"{TARGET}/{target.script} in it: it makes {' and '.join(target.products)} in {RESULTS}/"
        )
    return text


def versions(target: VendorTarget) -> dict[str, str]:
    """Tool → the first line that it says about its version.

    Raises:
        BuildError: one does not answer.
    """
    found = {}
    for name in target.tools:
        try:
            said = subprocess.run(
                [name, ASKED[name]], capture_output=True, text=True, timeout=VERSION_S, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BuildError(
                f"{name} {ASKED[name]} does not answer: {error}; is {target.release} set up?"
            ) from error
        found[name] = next(iter(said.stdout.splitlines()), "").strip()
    return found


def vendor_job(
    target: VendorTarget, tools: dict[str, str], inputs: tuple[str, ...] = (FABRIC, TARGET)
) -> Job:
    """Bitstream and reports, by the target's script."""
    reports = tuple(f"{RESULTS}/{name}" for name in target.reports)

    def work(stage: Path, log: Path, report: Report) -> Usage:
        usage = run_tool(target.tools[0], ["bash", f"{TARGET}/{target.script}"], stage, log, report)
        for name in target.products:
            made = stage / RESULTS / name
            if not made.is_file():
                raise BuildError(f"{target.script} ended well but wrote no {name}; see {log}")
            made.replace(stage / name)
        return usage

    settings: dict[str, object] = {"tools": tools, "script": target.script}
    return Job("synthesise", settings, inputs, (*target.products, *reports), work)


def vendor_clock(folder: Path, clock_mhz: float) -> dict[str, object]:
    """The clock as the vendor's tools judged it."""
    if not (folder / FIGURES).is_file():
        return {
            "programmed_mhz": clock_mhz,
            "basis": f"asked of the vendor's linker; what it made of it: {RESULTS}/xclbin.txt",
        }
    slack_ns = float(json.loads((folder / FIGURES).read_bytes())["setup_slack_ns"])
    return {
        "programmed_mhz": clock_mhz,
        "basis": f"the vendor's timing analysis: setup slack {slack_ns:.3f} ns at this clock",
        "setup_slack_ns": slack_ns,
    }
