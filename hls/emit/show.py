"""An emitted fabric as aligned tables, and the stages of a tick as bars."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pyorch.contract.fabric import CYCLE_FIGURES, FabricManifest

BAR_COLUMNS = 32


def show(manifest: FabricManifest, console: Console) -> None:
    """Print layers, cycles, stages and estimates."""
    chosen = ", ".join(f"{name} {value}" for name, value in manifest.parameters.items())
    console.print(
        f"[bold]{manifest.name}[/], style {manifest.style}" + (f" ({chosen})" if chosen else "")
    )
    for layer in manifest.layers:
        console.print(f"  {layer}", highlight=False)
    if manifest.cycles:
        table = _table("cycles, predicted")
        for name, meaning in CYCLE_FIGURES.items():
            if name in manifest.cycles:
                table.add_row(name.replace("_", " "), f"{manifest.cycles[name]:,}", meaning)
        console.print(table)
    if manifest.stages:
        console.print(stage_table(manifest))
    table = _table("estimates before synthesis")
    for name, value in manifest.estimates.items():
        table.add_row(name.replace("_", " "), f"{value:,}", "")
    if manifest.loadable:
        words = manifest.image_words
        table.add_row("words of a weight image", f"{words:,}", f"{words * 4 / 1024:,.1f} KiB")
    console.print(table)


def stage_table(manifest: FabricManifest) -> Table:
    """A bar a stage; what prepares the next tick is drawn lighter."""
    length = max(stage.end for stage in manifest.stages)
    table = Table(
        title="an idle tick; its last beat is taken in cycle 0",
        title_justify="left", box=None,
    )  # fmt: skip
    for name in ("stage", "layer"):
        table.add_column(name, no_wrap=True)
    for name in ("from", "to", "cycles"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for stage in manifest.stages:
        left = stage.begin * BAR_COLUMNS // length
        width = max(1, stage.end * BAR_COLUMNS // length - left)
        bar = " " * left + ("█" if stage.awaited else "░") * width
        table.add_row(
            stage.name,
            stage.block,
            f"{stage.begin:,}",
            f"{stage.end - 1:,}",
            f"{stage.cycles:,}",
            bar,
        )
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column()
    return table
