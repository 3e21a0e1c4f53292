"""The demonstration: the whole way by the project's own verbs, each shown as it runs.

First a report from the bundle that ships with pyorch; then a model is trained, converted, checked and
replayed, and reported anew. Every step is a command that can be typed; the last table gathers what they
measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

import pyorch
from pyorch.app.report.training import Training
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.errors import DataError

RECORDED = ("binance/coinm_btcusd_perp_20240808.gz", "binance/coinm_btcusd_perp_20240809.gz")
"""The default recorded market: both files are one session."""
RECORDED_CHAIN = "deribit_chain/btc_eth_chain_2025-12-30_2026-01-15.parquet"
"""Options of another time, whose surface is transplanted to it."""
TRAINING_MINUTES = 30
"""Of simulated market to train on; its seed is that of `pyorch train`."""
SHOWN_SEED, SHOWN_MINUTES = 20_240_808, 5
"""The simulated market that is shown: another one."""


def _console() -> Console:
    """Tables keep their lines also where the output is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@dataclass(slots=True)
class Demo:
    """A demonstration in progress.

    Attributes:
        out: folder of everything it makes.
        on_tape: on the recorded market instead of simulated ones.
        steps: how many steps will be shown.
    """

    out: Path
    on_tape: bool
    steps: int
    began: float = field(default_factory=time.monotonic)
    step: int = 0
    console: Console = field(default_factory=_console)

    def verb(self, *words: object) -> dict[str, Any]:
        """Run ``pyorch words --json`` as a step; returns its JSON object.

        Raises:
            click.exceptions.Exit: the verb failed; it has said why, and its code is passed on.
        """
        self.step += 1
        text = " ".join(_short(word) for word in words)
        self.console.print(
            f"[bold cyan]\\[{self.step}/{self.steps}][/] pyorch {escape(text)}", soft_wrap=True
        )
        started = time.monotonic()
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                "from pyorch.app.cli import main; main()",
                *map(str, words),
                "--json",
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode:
            self.console.print(f"[bold red]step {self.step} ended with {result.returncode}[/]")
            raise click.exceptions.Exit(result.returncode)
        self.console.print(f"      [dim]{time.monotonic() - started:.0f} s[/]")
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def finished(self, page: Path) -> None:
        """Say where the report is and how long it took so far."""
        seconds = time.monotonic() - self.began
        self.console.print(
            f"\n[bold green]report[/] file://{page.resolve()}  [dim]({seconds:.0f} s since the start)[/]\n",
            soft_wrap=True,
        )


def recordings() -> list[Path]:
    """The two recorded files.

    Raises:
        DataError: they are not there; the message says where it looked.
    """
    named = os.environ.get("PYORCH_DATA")
    folder = Path(named) if named else Path(pyorch.__file__).parents[2] / "shared" / "data"
    files = [folder / name for name in RECORDED]
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise DataError(
            f"the recorded market is not here: {' and '.join(missing)}; set PYORCH_DATA to the folder "
            "that holds binance/, or run the demonstration without --tape"
        )
    return files


def _surface(files: list[Path]) -> list[str | Path]:
    """Options for `pyorch replay`: a recorded market takes its surface from the recorded chain."""
    chain = files[0].parents[1] / RECORDED_CHAIN if files else None
    return ["--chain", chain] if chain is not None and chain.is_file() else []


def run_demo(out: Path, on_tape: bool, first: bool, trained: bool) -> None:
    """Run the demonstration.

    Args:
        out: folder of everything it makes.
        on_tape: on the recorded market.
        first: show the report of the shipped bundle.
        trained: train, convert, check, and show the report of the result.

    Raises:
        DataError: the recorded market is wanted and not there.
        BundleError: nothing ships with this installation.
    """
    files = recordings() if on_tape else []
    shown = out / ("recorded.parquet" if on_tape else "simulated.parquet")
    fetch = first or not shown.is_file()
    demo = Demo(out, on_tape, fetch + (2 if first else 0) + (5 if trained else 0))
    if fetch:
        _market(demo, files, shown)
    if first:
        figures = demo.verb("replay", "--bundle", shipped_bundle(), "--tape", shown, "--arm", "all",
                            "--out", out / "first", *_surface(files))  # fmt: skip
        arms = demo.verb("report", out / "first", "--out", out / "first.html")
        show_run(demo.console, figures, arms, "the bundle that ships")
        demo.finished(out / "first.html")
    if not trained:
        return
    market: tuple[object, ...] = ("--minutes", TRAINING_MINUTES)
    if on_tape:
        market = ("--tape", shown)
    demo.verb("train", *market, "--out", out / "model")
    bundle = out / "bundle"
    demo.verb("convert", out / "model", "--out", bundle)
    checked = demo.verb("check", bundle, "--tape", shown, "--steps", 100_000)
    figures = demo.verb("replay", "--bundle", bundle, "--tape", shown, "--arm", "all", "--out",
                        out / "trained", *_surface(files))  # fmt: skip
    page = out / "trained.html"
    arms = demo.verb("report", out / "trained", "--out", page)
    show_run(demo.console, figures, arms, "the model just trained")
    show_training(demo.console, Training.load(out / "model" / "training.json"), checked)
    demo.finished(page)


def _market(demo: Demo, files: list[Path], tape: Path) -> None:
    if files:
        demo.verb("ingest", *files, "--out", tape)
    else:
        demo.verb(
            "simulate-market", "--seed", SHOWN_SEED, "--minutes", SHOWN_MINUTES, "--out", tape
        )


def _short(word: object) -> str:
    """A word of a command line, paths relative to here where they can be."""
    if isinstance(word, Path) and word.is_absolute() and word.is_relative_to(Path.cwd()):
        return str(word.relative_to(Path.cwd()))
    return str(word)


def _table(console: Console, title: str, *columns: str) -> Table:
    """An empty table, its title printed."""
    console.print(f"\n[bold]{escape(title)}[/]", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        justify: JustifyMethod = "left" if index == 0 else "right"
        table.add_column(name, justify=justify, header_style="dim", no_wrap=index == 0)
    return table


def show_run(console: Console, figures: dict[str, Any], arms: dict[str, Any], title: str) -> None:
    """Print rules, latency and arms of a run.

    Args:
        console: where to.
        figures, arms: JSON objects of `pyorch replay --arm all` and of `pyorch report`.
        title: what was run.
    """
    found = figures["figures"]
    rules = _table(console, f"Rules fired, {title}", "rule", "fired", "acted")
    for name in [
        key.removesuffix("_fired_percent") for key in found if key.endswith("_fired_percent")
    ]:
        rules.add_row(
            name,
            f"{found[f'{name}_fired_percent']:.3g} %",
            f"{found[f'{name}_acted_percent']:.3g} %",
        )
    console.print(rules)
    latency = _table(console, "Latency of ticks that quote, us", "stage", "p50", "p99")
    for key, value in found.items():
        if key.startswith("quoting_tick_") and key.endswith("_p50_us"):
            stage = key.removeprefix("quoting_tick_").removesuffix("_p50_us")
            latency.add_row(stage, f"{value:.2f}", f"{found[f'quoting_tick_{stage}_p99_us']:.2f}")
    console.print(latency)
    table = _table(console, "Arms (fills are simulated)", "arm", "width bp", "informed + random fills",
                   "mark-out 1 s, bp", "of informed fills")  # fmt: skip
    for name, arm in arms["peers"].items():
        marks = [
            f"{arm[key]:+.2f}" if key in arm else "none"
            for key in ("markout_1000ms_bp", "informed_markout_1000ms_bp")
        ]
        fills = f"{arm['informed_fills']:,} + {arm['random_fills']:,}"
        table.add_row(name, f"{arm['quoted_width_bp']:.1f}", fills, *marks)
    console.print(table)


def show_training(console: Console, training: Training, checked: dict[str, Any]) -> None:
    """Print quality with baselines and intervals, and what the checks compared."""
    for quality in training.tables:
        if quality.wide:
            continue
        table = _table(console, f"{quality.title}: {quality.note}", *quality.columns)
        for row in quality.rows:
            table.add_row(*row)
        console.print(table)
    fidelity = _table(
        console, "Fidelity: integers compared", "comparison", "compared", "mismatches"
    )
    figures = checked["figures"]
    for key, value in figures.items():
        if key.endswith("_compared_count"):
            name = key.removesuffix("_compared_count")
            fidelity.add_row(name, f"{value:,}", f"{figures[f'{name}_mismatches_count']:,}")
    console.print(fidelity)
