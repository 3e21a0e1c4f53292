"""A verification as aligned tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sim.event_burst import STEPS
from sim.netlist_check import NetlistCheck
from sim.verify import Comparison, Verification


def show(found: Verification, console: Console) -> None:
    """Print what was compared and every figure of cycles, measured and predicted."""
    manifest = found.manifest
    chosen = ", ".join(f"{name} {value}" for name, value in manifest.parameters.items())
    title = f"{manifest.name}, {manifest.style} ({chosen}): simulated RTL against the reference"
    _comparisons(title, found.comparisons, console)
    _cycles(found, console)


def show_netlist(found: NetlistCheck, console: Console) -> None:
    """Print what was compared on the netlist, its cells and every figure of cycles."""
    manifest = found.manifest
    cells = ", ".join(f"{count:,} {name}" for name, count in sorted(found.cells.items()))
    title = f"{manifest.name}, {manifest.style}: the netlist ({found.simulator}) against the golden vectors"
    _comparisons(title, found.comparisons, console)
    console.print(f"cells: {cells}")
    _cycles(found, console)


def _comparisons(title: str, comparisons: list[Comparison], console: Console) -> None:
    table = Table(
        title=title,
        title_justify="left",
        box=None,
    )
    table.add_column("stimulus", no_wrap=True)
    table.add_column("served as", no_wrap=True)
    for name in ("steps", "integers", "differ"):
        table.add_column(name, justify="right")
    for one in comparisons:
        table.add_row(
            one.stimulus, one.serving, f"{one.steps:,}", f"{one.compared:,}", f"{one.mismatches:,}"
        )
    console.print(table)
    for one in comparisons:
        if one.first:
            console.print(f"[red]first difference: {one.first}[/]")


def _cycles(found: Verification | NetlistCheck, console: Console) -> None:
    table = Table(title="cycles", title_justify="left", box=None)
    table.add_column("figure", no_wrap=True)
    table.add_column("simulated", justify="right")
    table.add_column("predicted", justify="right")
    for name, value in found.cycles.items():
        predicted = found.manifest.cycles.get(name)
        table.add_row(
            name.replace("_", " "), f"{value:,}", "none" if predicted is None else f"{predicted:,}"
        )
    console.print(table)
    if isinstance(found, Verification) and found.clocks is not None:
        console.print(crossing_table(found))
    if isinstance(found, Verification) and found.waterfalls:
        _waterfalls(found, console)
    console.print("[green]ok[/]" if found.ok else "[bold red]NOT ok[/]")


def _waterfalls(found: Verification, console: Console) -> None:
    burst = found.waterfalls[-1]
    table = Table(
        title=f"cycles from the last beat on the line to the decision; burst: {burst.events:,} events in "
        f"{burst.seconds:,.3f} s at {found.mhz:g} MHz, {burst.lost:,} lost",
        title_justify="left",
        box=None,
    )
    table.add_column("step", no_wrap=True)
    columns = [(one.name, one.at(1.0)) for one in found.waterfalls[:-1]]
    quantiles = (("median", 0.5), ("p99", 0.99), ("worst", 1.0))
    columns += [(f"burst, {name}", burst.at(quantile)) for name, quantile in quantiles]
    for name, _ in columns:
        table.add_column(name, justify="right")
    for k, step in enumerate((*STEPS, "sum")):
        table.add_row(step, *(f"{values[k]:,}" for _, values in columns))
    if found.mhz:
        table.add_row("ns", *(f"{values[-1] * 1000 / found.mhz:,.0f}" for _, values in columns))
    console.print(table)


def crossing_table(found: Verification) -> Table:
    """Figures at the ports of a fabric of two clocks: least and most over the phases."""
    assert found.clocks is not None
    period = found.clocks.aclk_ps
    phases = len(found.crossings[0].simulated)
    table = Table(
        title=f"cycles of aclk ({period:,} ps; core_clk {found.clocks.core_ps:,} ps), {phases} phases",
        title_justify="left",
        box=None,
    )
    table.add_column("figure", no_wrap=True)
    for name in ("least", "most", "predicted", "ns", "wrong beats in"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.crossings:
        ends = min(one.simulated), max(one.simulated)
        table.add_row(
            one.name.replace("_", " "),
            *(f"{cycles:,}" for cycles in ends),
            f"{min(one.predicted):,} to {max(one.predicted):,}",
            " to ".join(f"{cycles * period / 1000:,.1f}" for cycles in ends),
            f"{one.wrong_beats} phases",
        )
    return table
