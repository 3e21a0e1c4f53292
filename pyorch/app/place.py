"""``pyorch place`` and ``pyorch bench engines``: the engines of this machine beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from pyorch.app.report.plots import INK, SERIES, figure
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.figures import Figures, machine
from pyorch.inference.placement import Placed, Placement
from pyorch.inference.placement import place as measure

PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
COLUMNS = ("engine", *PERCENTILES, "hand-over", "in time", "bits", "how")
TIMES = len(PERCENTILES) + 1
"""Columns of times, behind the name."""
INSTRUMENTS = 200


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path), required=False)
@click.option(
    "--engine", "names", multiple=True, help="Only these; default: all that are installed."
)
@click.option(
    "--deadline-us", default=100.0, show_default=True, help="From the features to the outputs."
)
@click.option("--ticks", default=20_000, show_default=True, help="For engines of microseconds.")
@click.option(
    "--write", type=click.Path(path_type=Path), help="Configuration of the recommended order."
)
@click.option("--page", type=click.Path(path_type=Path), help="Table and curves as one HTML page.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
def place(
    bundle: Path | None,
    names: tuple[str, ...],
    deadline_us: float,
    ticks: int,
    write: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Which engine for this model on this machine: measured, not believed.

    Every engine that opens here answers the same ticks. The simulated card enters with its cycles, an
    assumed clock and an assumed bus, and is never placed. The order has exact engines within the deadline
    (99.9 % of the ticks) first.
    """
    from pyorch.app.shipped import shipped_bundle
    from pyorch.inference.failover.configuration import EnginesConfig, save_engines

    loaded = Bundle.load(bundle or shipped_bundle())
    found = _measured(loaded, list(names) or None, deadline_us, ticks)
    options = "".join(f" --engine {name}" for name in names)
    command = f"pyorch place{options} --deadline-us {deadline_us:g} --ticks {ticks}"
    if write is not None and found.order:
        config = EnginesConfig(order=found.order, deadline_us=deadline_us)
        where = machine()
        save_engines(config, write, f"{command}, {where['cpu']}, {where['date']}")
    if page is not None:
        write_placement_page(loaded, found, command, page)
    if as_json:
        figures(command, loaded, found).show(True)
    else:
        _print(found)


@click.command()
@click.option(
    "--bundle", type=click.Path(exists=True, path_type=Path), help="Default: the shipped model."
)
@click.option(
    "--engine", "names", multiple=True, help="Only these; default: all that are installed."
)
@click.option("--deadline-us", default=100.0, show_default=True)
@click.option("--ticks", default=20_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def engines(
    bundle: Path | None, names: tuple[str, ...], deadline_us: float, ticks: int, as_json: bool
) -> None:
    """All engines of this machine in one run, and 200 instruments on the native one.

    ONNX Runtime and OpenVINO are the peers; their cells are those of `pyorch export`.
    """
    from pyorch.app.shipped import shipped_bundle

    loaded = Bundle.load(bundle or shipped_bundle())
    found = _measured(loaded, list(names) or None, deadline_us, ticks)
    options = "".join(f" --engine {name}" for name in names)
    command = f"pyorch bench engines{options} --deadline-us {deadline_us:g} --ticks {ticks}"
    result = figures(command, loaded, found)
    result.figures |= many_instruments(loaded, INSTRUMENTS, ticks)
    result.show(as_json)


def _measured(bundle: Bundle, names: list[str] | None, deadline_us: float, ticks: int) -> Placement:
    from rich.console import Console
    from rich.progress import Progress

    from pyorch.inference.registry import engine_names

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("engines", total=len(names or engine_names()) + 1)

        def begun(name: str) -> None:
            progress.update(task, description=name, advance=1)

        return measure(bundle, 1000 * deadline_us, ticks, names, begun=begun)


def figures(command: str, bundle: Bundle, found: Placement) -> Figures:
    """Percentiles, hand-over and exactness of each engine; ours over the peers."""
    result = Figures(command, digests={"model": bundle.digest()})
    for one in found.engines:
        if one.info is None:
            continue
        values: dict[str, float] = {
            f"{label.replace('.', '')}_ns": one.percentile(share)
            for label, share in PERCENTILES.items()
        }
        values |= {"exact": int(one.info.exact), "bound_lsb": one.info.bound_lsb}
        values |= {"computed": int(one.computed), "ticks": one.ns.size}
        if one.hand_over_ns >= 0:
            values["hand_over_ns"] = one.hand_over_ns
        result.peers[one.name] = values
    for place_, name in enumerate(found.order, 1):
        result.peers[name]["order"] = place_
    if "cpu" in result.peers:
        for peer in ("onnxruntime", "openvino"):
            if peer in result.peers:
                ratio = result.peers[peer]["p50_ns"] / result.peers["cpu"]["p50_ns"]
                result.figures[f"{peer}_over_cpu_p50"] = round(ratio, 1)
    return result


def many_instruments(bundle: Bundle, instruments: int, ticks: int) -> dict[str, float]:
    """Round robin over so many streams of the native engine, each tick timed alone."""
    import resource

    from pyorch.inference.complete import random_features
    from pyorch.inference.cpu import native_engine

    streams = [native_engine(bundle) for _ in range(instruments)]
    features = random_features(np.random.default_rng(2), bundle.spec, (64,)).astype(np.int32)
    times = []
    for turn in range(max(2, ticks // instruments)):
        one = np.ascontiguousarray(features[turn % 64 : turn % 64 + 1])
        times += [int(stream.time_ticks(one)[0][0]) for stream in streams]
    ns = np.array(times[instruments:])
    return {
        f"instruments_{instruments}_p50_ns": float(np.percentile(ns, 50)),
        f"instruments_{instruments}_p99_ns": float(np.percentile(ns, 99)),
        f"instruments_{instruments}_ticks_per_s": round(1e9 / float(ns.mean())),
        "process_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _print(found: Placement) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(COLUMNS[:-1]):
        right = 0 < number <= TIMES
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    shown = sorted(found.engines, key=lambda e: e.percentile(99.9) if e.ns.size else np.inf)
    rows = [_row(one, found.deadline_ns) for one in shown if one.info is not None]
    for row in rows:
        table.add_row(*row[:-1])
    console.print(
        f"us from the features to the outputs; deadline {found.deadline_ns / 1000:,.0f} us"
    )
    console.print(table)
    for row in rows:
        console.print(f"[dim]{row[0]}: {row[-1]}[/]")
    for one in found.engines:
        if one.info is None:
            console.print(f"[dim]{one.name}: {one.refused}[/]")
    console.print(f"order: {', '.join(found.order) or 'none: no engine opens here'}")


def _row(one: Placed, deadline_ns: float) -> list[str]:
    assert one.info is not None
    bits = "exact" if one.info.exact else f"within {one.info.bound_lsb} LSB"
    times = [microseconds(one.percentile(share)) for share in PERCENTILES.values()]
    hand_over = microseconds(one.hand_over_ns) if one.hand_over_ns >= 0 else "-"
    in_time = "yes" if one.within(deadline_ns) else "no"
    return [one.name, *times, hand_over, in_time, bits, f"{one.info.device}: {one.basis}"]


def microseconds(ns: float) -> str:
    """``1.23``."""
    return f"{ns / 1000:,.2f}"


def write_placement_page(bundle: Bundle, found: Placement, command: str, path: Path) -> None:
    """Table and complementary distribution as one self-contained page."""
    from pyorch.app.report.rendering import render_page

    rows: list[dict[str, Any]] = [
        {"cells": _row(one, found.deadline_ns), "order": _order(found, one.name)}
        for one in found.engines
        if one.info is not None
    ]
    rows.sort(key=lambda row: row["order"] or len(rows) + 1)
    context = {
        "bundle": bundle,
        "command": command,
        "machine": machine(),
        "columns": COLUMNS,
        "times": TIMES,
        "rows": rows,
        "refused": [one for one in found.engines if one.info is None],
        "order": found.order,
        "deadline": microseconds(found.deadline_ns),
        "plot": exceedance(found),
    }
    write_atomically(path, render_page("placement.html", context).encode())


def _order(found: Placement, name: str) -> int:
    return found.order.index(name) + 1 if name in found.order else 0


def exceedance(found: Placement) -> str:
    """Share of the ticks that take longer than a time, for each engine, both axes logarithmic."""
    with figure(1280, 380, margins=(64, 150, 24, 44)) as (plot, (axes,)):
        shown = [one for one in found.engines if one.ns.size]
        for number, one in enumerate(shown):
            share = 1 - np.arange(one.ns.size) / one.ns.size
            style = (0, (4, 3)) if one.computed else "solid"
            colour = SERIES[number % len(SERIES)]
            if one.ns.size == 1:
                axes.axvline(one.ns[0] / 1000, color=colour, linestyle=style, label=one.name)
            else:
                axes.step(
                    one.ns / 1000, share, where="post", color=colour, label=one.name,
                    linestyle="solid" if number < len(SERIES) else (0, (1, 1)),
                )  # fmt: skip
        axes.axvline(found.deadline_ns / 1000, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(
            "us from the features to the outputs; dotted: the deadline; dashed: computed"
        )
        axes.set_ylabel("share of ticks that take longer")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return plot.svg
