"""`pyorch feed` and `pyorch record`: live venues into a ring, and from there onto a tape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pyorch.contract.events import Instrument
    from pyorch.market.feeds.process import FeedPlan

_PATH = click.Path(path_type=Path)


def _feed_options(verb: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.argument("venue"),
            click.argument("symbols", nargs=-1, required=True),
            click.option("--tick", default="", help="Tick size of the symbols."),
            click.option("--lot", default="", help="Lot size of the symbols."),
            click.option(
                "--instruments",
                type=_PATH,
                help="Deribit's answer to public/get_instruments, for tick and lot sizes.",
            ),
            click.option(
                "--interval", default="100ms", show_default=True, help="Of Deribit's books."
            ),
            click.option("--url", default="", help="Of the websocket; else the venue's."),
            click.option("--rest", default="", help="Of snapshots by HTTP; else the venue's."),
        ]
    ):
        verb = option(verb)
    return verb


@click.command("feed")
@_feed_options
@click.option("--ring", type=_PATH, help="Default: /dev/shm/pyorch-VENUE.")
@click.option("--seconds", type=float, help="Stop after so long; by default when it is told to.")
def feed_venue(ring: Path | None, seconds: float | None, **where: Any) -> None:
    """Feed a ring in shared memory from a venue: one process a venue, any number of readers.

    VENUE is binance-spot, binance-usdm, binance-coinm, deribit, bit.com, bit.com-spot or delta. Beside the
    ring lies RING.status.json, written anew every second.
    """
    from pyorch.market.feeds.process import run_feed

    plan = _plan(ring, **where)
    click.echo(f"{plan.venue} into {plan.ring}", err=True)
    feed = run_feed(plan, seconds)
    for name, count in feed.counts.items():
        click.echo(f"{name:>20} {count:,}")
    if feed.last_error:
        click.echo(f"the last fault: {feed.last_error}", err=True)


@click.command()
@_feed_options
@click.option("--seconds", type=float, required=True, help="For how long.")
@click.option("--out", required=True, type=_PATH, help="Tape to write (Parquet).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def record(seconds: float, out: Path, as_json: bool, **where: Any) -> None:
    """Record a venue's live feed to a tape.

    The feed runs in a process of its own and writes into a ring, which is read here.
    """
    import os

    from rich.console import Console
    from rich.progress import Progress

    from pyorch.contract.figures import Figures
    from pyorch.market.feeds.record import record_feed
    from pyorch.market.tape import write_tape

    plan = _plan(Path(f"/dev/shm/pyorch-record-{os.getpid()}"), **where)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"recording {plan.venue}", total=seconds)
        tape = record_feed(
            plan, seconds, plan.venue, on_seconds=lambda s: bar.update(task, completed=s)
        )
    write_tape(out, tape)
    command = (
        f"pyorch record {plan.venue} {' '.join(where['symbols'])} --seconds {seconds:g} --out {out}"
    )
    figures: dict[str, float] = {"duration_s": tape.duration_s}
    Figures(command, {"tape": tape.digest()}, figures | tape.counts).show(as_json)


def _plan(
    ring: Path | None,
    venue: str,
    symbols: tuple[str, ...],
    tick: str,
    lot: str,
    instruments: Path | None,
    interval: str,
    url: str,
    rest: str,
) -> FeedPlan:
    """What the options say.

    Raises:
        UsageError: tick and lot size are needed and not given.
        DataError: a symbol is not in the list, or Binance's sizes are not known.
    """
    from pyorch.contract.events import Instrument
    from pyorch.market.feeds.process import FeedPlan

    if tick and lot:
        found = tuple(Instrument(symbol, venue, tick, lot) for symbol in symbols)
    else:
        found = _known(venue, symbols, instruments)
    place = ring or Path(f"/dev/shm/pyorch-{venue}")
    return FeedPlan(venue, found, place, url, rest, interval)


def _known(venue: str, symbols: tuple[str, ...], listed: Path | None) -> tuple[Instrument, ...]:
    from pyorch.contract.errors import DataError, UsageError
    from pyorch.market.feeds.binance_messages import instrument_named
    from pyorch.market.feeds.live_deribit import instruments_of

    if venue.startswith("binance-"):
        return tuple(instrument_named(venue, symbol) for symbol in symbols)
    if venue != "deribit" or listed is None:
        raise UsageError(
            f"tick and lot size of {', '.join(symbols)} of {venue} are not known; give --tick and --lot, or "
            "for Deribit --instruments with its answer to public/get_instruments"
        )
    try:
        text = listed.read_bytes()
    except OSError as error:
        raise UsageError(f"{listed} cannot be read: {error.strerror}; give another path") from error
    there = {one.symbol: one for one in instruments_of(text)}
    missing = [symbol for symbol in symbols if symbol not in there]
    if missing:
        raise DataError(f"{', '.join(missing)}: not among the {len(there):,} of {listed}")
    return tuple(there[symbol] for symbol in symbols)


COMMANDS: list[click.Command] = [feed_venue, record]
