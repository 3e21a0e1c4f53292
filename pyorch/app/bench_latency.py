"""``pyorch bench latency``: distributions of the time to a decision, for `pyorch replay --arms`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.progress import Progress

from pyorch.app.arms import IntArray
from pyorch.app.latency_tables import SHARES, LatencyTable, card_in_words, load_tables
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.figures import Figures, machine
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.bench_decide import with_options
from pyorch.trading.bench_tick import SIMULATED_SEED, typical_ns
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.records import TickFlag

OPTIONS = (20, 200)


def measure(
    bundle: Bundle, config: QuotingConfig, tape: Tape, passes: int, progress: Progress
) -> tuple[IntArray, IntArray]:
    """Of ticks that quoted in most passes, by their median: event to bytes, and that without the engine."""
    loop = TickLoop(bundle, config, tape, passes=passes)
    task = progress.add_task(f"{config.option_count} options", total=None)
    parts = []
    for batch in loop.run():
        made = batch.ticks[batch.ticks["flags"] & TickFlag.QUOTED != 0]
        parts.append(made[["row", "total_ns", "engine_ns"]].copy())
        progress.advance(task)
    ticks = np.concatenate(parts)
    rows, counts = np.unique(ticks["row"], return_counts=True)
    ticks = ticks[np.isin(ticks["row"], rows[2 * counts >= passes])]  # once is no median
    whole = ticks["total_ns"].astype(np.int64)
    return (
        typical_ns(ticks["row"], whole).astype(np.int64),
        typical_ns(ticks["row"], whole - ticks["engine_ns"].astype(np.int64)).astype(np.int64),
    )


def table_of(
    engine: str,
    options: int,
    values_ns: IntArray,
    how: str,
    command: str,
    cycles: int = 0,
    mhz: float = 0.0,
) -> LatencyTable:
    """The quantiles of a measurement."""
    where = machine()
    found = np.quantile(values_ns, SHARES)
    return LatencyTable(
        engine=engine, options=options, ticks=len(values_ns), shares=SHARES,
        nanoseconds=tuple(round(float(one), 1) for one in found), how=how,
        machine=where["cpu"], load=where["load_1min"],
        date=where["date"], command=command, cycles=cycles, mhz=mhz,
    )  # fmt: skip


@click.command("latency")
@click.option("--seconds", default=60.0, show_default=True, help="Of the simulated market.")
@click.option(
    "--passes", default=9, show_default=True, help="Over it; each tick counts by its median."
)
@click.option("--card-cycles", default=142, show_default=True, help="From a vector to its answer.")
@click.option("--card-mhz", default=60.0, show_default=True, help="The fabric's clock.")
@click.option(
    "--around",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Measure nothing: FILE's tables with another fabric in the card's.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables (JSON).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def latency(
    seconds: float,
    passes: int,
    card_cycles: int,
    card_mhz: float,
    around: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Event to message bytes over ticks that quote: the native engine, and a card by its cycles.

    The card's figure is the CPU's without its engine, with the fabric's cycles at its clock instead: cycles
    are those that `pyorch simulate` counts. The way to the card and back is not in it.
    """
    fabric = f"--card-cycles {card_cycles} --card-mhz {card_mhz:g}"
    digests: dict[str, str] = {}
    if around is not None:
        command = f"pyorch bench latency --around {around} {fabric}"
        tables = [
            one.with_fabric(card_cycles, card_mhz) if one.mhz else one
            for one in load_tables(around)
        ]
    else:
        command = f"pyorch bench latency --seconds {seconds:g} --passes {passes} {fabric}"
        tables, digests = measured_tables(seconds, passes, card_cycles, card_mhz, command)
    if out is not None:
        write_atomically(out, msgspec.json.format(msgspec.json.encode(tables)) + b"\n")
    figures = {
        f"{one.engine}_{one.options}_p{100 * share:g}_ns": value
        for one in tables
        for share, value in zip(one.shares, one.nanoseconds, strict=True)
        if share >= 0.5
    }
    Figures(command, digests, figures).show(as_json)


def measured_tables(
    seconds: float, passes: int, card_cycles: int, card_mhz: float, command: str
) -> tuple[list[LatencyTable], dict[str, str]]:
    """The tables of this machine, and the digests of what was run."""
    from pyorch.app.shipped import shipped_bundle

    bundle, market = Bundle.load(shipped_bundle()), simulate(SIMULATED_SEED, seconds)
    tables = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for options in OPTIONS:
            config = with_options(load_config(), options)
            whole, around = measure(bundle, config, market, passes, progress)
            how = f"event to message bytes, native, each tick by the median of {passes} passes"
            tables.append(table_of("cpu", options, whole, how, command))
            by_card = around + round(1000 * card_cycles / card_mhz)
            how = card_in_words(card_cycles, card_mhz)
            tables.append(table_of("card", options, by_card, how, command, card_cycles, card_mhz))
    return tables, {"bundle": bundle.digest(), "tape": market.digest()}
