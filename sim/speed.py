"""`pyorch bench fabric`: how fast a Verilated fabric runs on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hls.emit.options import as_words, given, style_options

if TYPE_CHECKING:
    from sim.library import SimulatedFabric

_PATH = click.Path(path_type=Path)
BATCH = 250
"""Frames of one call of the simulation."""
IDLE_CYCLES = 200_000


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@style_options
@click.option("--ticks", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fabric(
    bundle: Path | None,
    style: str,
    wire: str | None,
    ticks: int,
    as_json: bool,
    **options: int | None,
) -> None:
    """Clock cycles a second of the Verilated fabric: ticks without a pause, and with nothing to do.

    By processor time of the one thread that simulates, so that other work on the machine matters less;
    every logit is compared. Default: the bundle that ships.
    """
    import tempfile

    import numpy as np
    from rich.console import Console
    from rich.progress import Progress

    from hls.emit.project import emit_bundle
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.fabric import Kind
    from pyorch.contract.figures import Figures
    from pyorch.contract.fixed import FixedFormat
    from pyorch.inference.complete import random_features
    from pyorch.inference.reference import run_sequence
    from sim.library import SimulatedFabric
    from sim.measure import settle, start
    from sim.verify import on_wire

    model = Bundle.load(bundle or shipped_bundle())
    form = FixedFormat.parse(wire) if wire else None
    rng = np.random.default_rng(1)
    with (
        tempfile.TemporaryDirectory(prefix="pyorch-speed-") as folder,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("emitted and compiled", total=ticks)
        project = Path(folder) / "project"
        emit_bundle(model, style, project, wire=form, tools=None, **given(options))
        card = SimulatedFabric(project)
        try:
            start(card)
            settle(card)
            manifest = card.manifest
            sent, inputs = on_wire(random_features(rng, model.spec, (ticks,)), model, manifest)
            expected, _ = run_sequence(model, inputs)
            bar.update(task, description="ticks")
            busy, wrong = Stopwatch(card), 0
            for first in range(0, ticks, BATCH):
                part = range(first, min(first + BATCH, ticks))
                frames = [manifest.encode(Kind.STEP, k, sent[k : k + 1]) for k in part]
                with busy:
                    back = card.stream(frames)
                logits = [manifest.decode(frame).logits for frame in back.frames]
                wrong += int((np.concatenate(logits) != expected[part.start : part.stop]).sum())
                bar.advance(task, len(part))
            settle(card)
            idle = Stopwatch(card)
            with idle:
                card.run(IDLE_CYCLES)
        finally:
            card.close()
    figures = Figures(
        f"pyorch bench fabric {as_words(style, wire, given(options))} --ticks {ticks}",
        {"model": model.digest(), "format": manifest.format_digest},
        {
            "cycles": busy.cycles,
            "cycles_a_tick": round(busy.cycles / ticks, 2),
            "wrong_logits": wrong,
            "busy_million_cycles_a_cpu_second": round(busy.cycles / busy.cpu_s / 1e6, 3),
            "busy_million_cycles_a_second": round(busy.cycles / busy.wall_s / 1e6, 3),
            "idle_million_cycles_a_cpu_second": round(idle.cycles / idle.cpu_s / 1e6, 3),
            "ticks_a_cpu_second": round(ticks / busy.cpu_s, 1),
        },
        ok=wrong == 0,
    )
    figures.show(as_json)
    if not figures.ok:
        raise SystemExit(2)


class Stopwatch:
    """Cycles and seconds between entry and exit, added up.

    Attributes:
        cpu_s: processor time of this thread, which simulates.
    """

    def __init__(self, card: SimulatedFabric) -> None:
        self.card = card
        self.cycles, self.cpu_s, self.wall_s = 0, 0.0, 0.0

    def __enter__(self) -> None:
        self._start = self._now()

    def __exit__(self, *_: object) -> None:
        cycles, cpu, wall = self._now()
        self.cycles += cycles - self._start[0]
        self.cpu_s += cpu - self._start[1]
        self.wall_s += wall - self._start[2]

    def _now(self) -> tuple[int, float, float]:
        return self.card.cycles, time.thread_time(), time.perf_counter()
