"""Verbs around a desk's run: `run`, `audit`, `export-log`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyorch.contract.errors import UsageError

if TYPE_CHECKING:
    from pyorch.app.watch.watching import Watching
    from pyorch.contract.bundle import Bundle
    from pyorch.trading.desk import Desk

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("config", type=_PATH)
@click.option("--bundle", type=_PATH, help="Model; default: the bundle that ships with pyorch.")
@click.option("--out", type=_PATH, default=Path("out/desk"), show_default=True,
              help="Folder of journal and run log.")  # fmt: skip
@click.option("--arm", type=click.Choice(["model", "no-model", "always-widen", "all"]), default="model",
              show_default=True, help="all: each arm into a folder of its own inside OUT.")  # fmt: skip
@click.option("--venues", type=_PATH,
              help="Folder of `pyorch serve-venues`: run over its feeds and FIX sessions.")  # fmt: skip
@click.option("--sessions", is_flag=True, help="The same over sessions, with venues of its own: they begin "
              "with it, outlive a desk that is killed, and end with one that ends.")  # fmt: skip
@click.option("--seconds", type=float,
              help="Over sessions: how long; by default until the market's end.")  # fmt: skip
@click.option("--watch", type=click.IntRange(0, 65535), help="Serve a live page on this port of the loopback "
              "interface; 0: any free one. The address is printed.")  # fmt: skip
@click.option("--alerts", type=_PATH,
              help="Alert rules of the page (TOML); default: those of pyorch.")  # fmt: skip
@click.option("--pace", type=click.FloatRange(min=0.01), help="Seconds of market a second; default: 1 with "
              "--watch, else as fast as it goes.")  # fmt: skip
@click.option("--log", type=_PATH, help="Append what happens around the desk as JSON lines.")
@click.option("--snapshots", help="Latest features for other processes: redis://HOST:PORT/DB or "
              "unix:///path/of/socket.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(
    config: Path, bundle: Path | None, out: Path, arm: str, venues: Path | None, sessions: bool,
    seconds: float | None, watch: int | None, alerts: Path | None, pace: float | None,
    log: Path | None, snapshots: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run a desk (CONFIG, TOML) with the simulated exchange in the loop, then replay its log.

    The journal is for `pyorch report`; the log in it gives the same messages again, byte for byte, which is
    checked before the journal gets its name. With --sessions or --venues market and venues are in other
    processes, spoken to over websockets and FIX; time is the clock's, and a run that was killed goes on in
    the same folder.
    """
    if venues is not None or sessions:
        if venues is not None and sessions:
            raise UsageError("--sessions begins venues of its own, --venues names others: give one")
        if pace is not None or arm != "model":
            raise UsageError(
                "--pace and --arm are for a market in this process; over sessions the model quotes at the "
                "venues' speed"
            )
        watch_options = {"port": watch, "alerts": alerts, "snapshots": snapshots}
        _run_live(config, bundle, out, venues, seconds, log, watch_options, as_json)
        return
    if seconds is not None:
        raise UsageError(
            "--seconds is for a run over sessions; in this process market.seconds says how long"
        )
    from pyorch.app.commands import progress
    from pyorch.app.desk_config import load_desk
    from pyorch.app.desk_figures import paired_gain
    from pyorch.app.desk_run import desk_figures, run_desk
    from pyorch.app.replay import ARMS
    from pyorch.app.shipped import shipped_bundle
    from pyorch.app.watch.watching import watched
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.figures import Figures

    if watch is not None and arm == "all":
        raise UsageError("--watch follows one run: choose one --arm")
    if watch is not None and pace is None:
        pace = 1.0
    settings = load_desk(config)
    model = Bundle.load(bundle or shipped_bundle())
    figures = Figures(f"pyorch run {config}" + (f" --arm {arm}" if arm != "model" else ""))
    fills: dict[str, list[dict[str, Any]]] = {}
    for name in ARMS if arm == "all" else (arm,):
        folder = out / name if arm == "all" else out
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            watched(
                f"{config.stem}-{name}", log, port=watch, alerts=alerts, snapshots=snapshots
            ) as watching,
            progress(f"a desk at work, {name}") as on_progress,
        ):
            journal = run_desk(
                settings, config.parent, model, folder, on_progress, name,
                on_desk=_page_of(watching, model), pace=pace,
            )  # fmt: skip
        figures.digests |= journal.run.digests | {f"journal {name}": journal.content_digest}
        if arm == "all":
            figures.peers[name] = desk_figures(journal)
            fills[name] = journal.run.facts["desk"]["fills"]
        else:
            figures.figures = desk_figures(journal)
    lot_btc = float(journal.run.config["quoting"]["lot_btc"])
    for name in list(fills)[1:]:
        gain = paired_gain(fills["model"], fills[name], lot_btc)
        figures.figures |= {f"model_over_{name}_{k}_a_block": v for k, v in gain.items()}
    figures.show(as_json)
    if not as_json:
        click.echo(f"journal: {out.resolve()}; its log replayed byte for byte")


def _page_of(watching: Watching, model: Bundle) -> Callable[[Desk, str], None]:
    def attach(desk: Desk, engine: str) -> None:
        address = watching.attach(desk, model, engine)
        if address is not None:
            click.echo(f"page: {address}", err=True)

    return attach


def _run_live(
    config: Path, bundle: Path | None, out: Path, venues: Path | None, seconds: float | None,
    log: Path | None, watch_options: dict[str, Any], as_json: bool,
) -> None:  # fmt: skip
    """Over sessions; without ``venues`` with those of its own."""
    import signal
    from contextlib import nullcontext

    from pyorch.app.commands import progress
    from pyorch.app.desk_config import load_desk
    from pyorch.app.live_run import run_live
    from pyorch.app.shipped import shipped_bundle
    from pyorch.app.venue_process import venues_of_own
    from pyorch.app.watch.watching import watched
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.figures import Figures
    from pyorch.trading.live_desk import LiveDesk

    settings = load_desk(config)
    model = Bundle.load(bundle or shipped_bundle())
    served = nullcontext(venues) if venues else venues_of_own(config, bundle, out / "venues")
    with (
        served as folder,
        watched(f"{config.stem}-live", log, **watch_options) as watching,
        progress("a desk at work, over sessions") as on_progress,
    ):
        attach = _page_of(watching, model)

        def begin_with(desk: LiveDesk, engine: str) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: desk.stop())
            attach(desk, engine)

        found = run_live(
            settings, config.parent, model, out, folder, seconds, on_progress, begin_with
        )
    how = f"--venues {venues}" if venues else "--sessions"
    how += f" --seconds {seconds:g}" if seconds is not None else ""
    figures = Figures(f"pyorch run {config} {how}", figures=found.figures)
    figures.digests = {"model": model.digest()}
    figures.show(as_json)
    if not as_json:
        click.echo(f"log: {found.log.resolve()}, replayed byte for byte; positions are the venues'")


@click.command()
@click.argument("journal", type=_PATH)
@click.option("--quote", type=int, required=True, help="Number of the quote record, from 0.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def audit(journal: Path, quote: int, as_json: bool) -> None:
    """Explain a quote of JOURNAL: from its price back to rules, scores and features, on to its fills."""
    import json

    from pyorch.app.audit import explain_quote, render
    from pyorch.app.journal import Journal

    found = explain_quote(Journal.load(journal), quote)
    click.echo(json.dumps(found, indent=1) if as_json else render(found))


@click.command("export-log")
@click.argument("journal", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Folder of the Parquet files.")
def export_log(journal: Path, out: Path) -> None:
    """Write JOURNAL as Parquet tables: ticks, quotes, messages, and of a desk inputs and fills."""
    from pyorch.app.audit import export_parquet
    from pyorch.app.journal import Journal

    for path, rows in export_parquet(Journal.load(journal), out):
        click.echo(f"{path}: {rows:,} rows")


DESK_COMMANDS: list[click.Command] = [run, audit, export_log]
