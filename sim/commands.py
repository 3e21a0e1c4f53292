"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

from pathlib import Path

import click

from hls.emit.options import as_words, given, style_options

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@style_options
@click.option("--steps", type=click.IntRange(1), default=10_000, show_default=True,
              help="LSTM steps of each stimulus in each way of serving.")  # fmt: skip
@click.option("--tape", type=_PATH, help="Market of the features; default: the simulated market.")
@click.option("--wave", is_flag=True,
              help="Also write a step as waveform (VCD) and timing diagram (HTML).")  # fmt: skip
@click.option("--out", type=_PATH, help="The project's folder; default: out/fabric-STYLE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def simulate(
    bundle: Path | None,
    style: str,
    wire: str | None,
    steps: int,
    tape: Path | None,
    wave: bool,
    out: Path | None,
    as_json: bool,
    **options: int | None,
) -> None:
    """Emit BUNDLE as RTL and compare the simulated hardware with the reference, bit for bit.

    Random, market and adversarial features, with idle and back-pressure, as a stream of ticks and as cold
    windows; states at the ends of their formats; every predicted figure of cycles. Default: the bundle
    that ships.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.figures import Figures
    from pyorch.contract.fixed import FixedFormat
    from sim.show import show
    from sim.verify import verify
    from sim.wave import record_step

    loaded = Bundle.load(bundle or shipped_bundle())
    parameters = given(options)
    form = FixedFormat.parse(wire) if wire else None
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), console=console,
        transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=1.0)
        project = out or Path(f"out/fabric-{style}")
        found = verify(
            loaded, style, project, steps=steps, tape=tape, wire=form,
            progress=lambda text, share: bar.update(task, description=text, completed=share),
            **parameters,
        )  # fmt: skip
        pictures = record_step(loaded, project) if wave else None
    figures = Figures(
        f"pyorch simulate {as_words(style, wire, parameters)} --steps {steps}",
        {"model": loaded.digest(), "format": found.manifest.format_digest},
    )
    for one in found.comparisons:
        key = f"{one.stimulus}_{one.serving}".replace(" ", "_")
        figures.figures |= {f"{key}_steps": one.steps, f"{key}_mismatches": one.mismatches}
    for name, value in found.cycles.items():
        figures.figures[f"{name}_cycles"] = value
        if name in found.manifest.cycles:
            figures.figures[f"{name}_predicted_cycles"] = found.manifest.cycles[name]
    figures.ok = found.ok and not (pictures and pictures.differences)
    if as_json:
        figures.show(True)
    else:
        show(found, Console())
        if pictures:
            for line in pictures.differences:
                Console().print(f"[red]{line}[/]")
            click.echo(f"timing diagram: {pictures.page.resolve()}")
            click.echo(f"waveform: {pictures.vcd.resolve()}")
    if not figures.ok:
        raise SystemExit(2)


COMMANDS = [simulate]
