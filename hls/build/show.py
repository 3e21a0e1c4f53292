"""A build on the terminal: what is at work and since when, what each step took, the figures at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hls.build.jobs import Job
from hls.build.report import PAGE, REPORT
from pyorch.contract.build_record import BITSTREAM, RECORD, BuildRecord, StepRecord
from pyorch.contract.figures import Figures

SETTLED = {"run": "", "cache": "from the cache", "kept": "as it was"}


class Screen:
    """Progress on the error stream; results on the output."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the progress line."""
        self._bar.stop()

    def line(self, text: str) -> None:
        """Show the last line of the tool at work."""
        width = max(20, self._console.width - 24)
        self._bar.update(self._task, description=text[:width].replace("[", "\\["))

    def remark(self, text: str) -> None:
        """Say something between two jobs."""
        self._console.print(text, markup=False, highlight=False)

    def done(self, job: Job, how: str, record: StepRecord) -> None:
        """A job is settled."""
        self._bar.reset(self._task, description="")
        took = f"{record.seconds:8.1f} s {record.peak_mib:7.0f} MiB"
        self._console.print(f"{job.name:<20}{took}  {SETTLED[how]}", highlight=False)

    def summary(self, folder: Path, command: str) -> None:
        """The figures of the report that a finished build wrote."""
        if not (folder / REPORT).is_file() or not (folder / RECORD).is_file():
            return
        record = BuildRecord.load(folder)
        report = json.loads((folder / REPORT).read_bytes())
        if not record.verdict or report["digests"]["plan"] != record.plan_digest:
            return
        figures = Figures(command, dict(report["digests"]), ok=record.verdict == "ok")
        clock = report["clock"]
        names = [f"{name}_mhz" for name in ("programmed", "achieved", "median")]
        figures.figures = {name: clock[name] for name in names if name in clock}
        if report["accuracy"]:
            figures.figures["macro_f1"] = report["accuracy"]["macro_f1"]
        figures.figures["longest_step_s"] = max(one["seconds"] for one in report["steps"].values())
        figures.figures["peak_memory_mib"] = max(
            one["peak_mib"] for one in report["steps"].values()
        )
        for name, latency in report["latency"].items():
            figures.figures |= {f"{name}_cycles": latency["cycles"], f"{name}_ns": latency["ns"]}
        for kind, entry in report.get("resources", {}).items():
            figures.figures[f"{kind}_used"] = entry["used"]
        if self._as_json:
            figures.show(True)
            return
        console = Console()
        console.print(self._latency(report))
        if "critical_path" in report:
            console.print(self._resources(report))
            path = report["critical_path"]
            console.print(
                f"critical path: {path['ns']:.2f} ns from {path['begins']} to {path['ends']}, "
                f"{path['routing_share']:.0%} of it in wires", markup=False, highlight=False,
            )  # fmt: skip
        if record.verdict == "ok":
            click.echo(f"bitstream: {(folder / BITSTREAM).resolve()}")
        click.echo(f"report: {(folder / PAGE).resolve()}")

    def _latency(self, report: dict[str, Any]) -> Table:
        clock = report["clock"]
        seeds = len(clock.get("seeds", ()))
        reached = f"{clock['achieved_mhz']:.2f} achieved" if seeds else clock["basis"]
        if seeds > 1:
            reached += f" (best of {seeds} seeds, median {clock['median_mhz']:.2f})"
        table = Table(
            title=f"{report['part']}: {clock['programmed_mhz']:.3f} MHz programmed, {reached}",
            title_justify="left", box=None,
        )  # fmt: skip
        for name in ("figure", "cycles", "ns"):
            table.add_column(name, justify="left" if name == "figure" else "right")
        table.add_column("from, to")
        for name, entry in report["latency"].items():
            table.add_row(
                name.replace("_", " "), f"{entry['cycles']:,}", f"{entry['ns']:,.1f}", entry["spans"]
            )  # fmt: skip
        return table

    def _resources(self, report: dict[str, Any]) -> Table:
        table = Table(title="resources", title_justify="left", box=None, show_header=False)
        for justify in ("left", "right", "right"):
            table.add_column(justify=justify)
        for kind, entry in report["resources"].items():
            share = entry["used"] / entry["available"]
            table.add_row(kind, f"{entry['used']:,} of {entry['available']:,}", f"{share:.0%}")
        return table
