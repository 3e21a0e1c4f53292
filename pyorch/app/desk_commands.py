"""Verbs around a desk's run: `run`, `audit`, `export-log`."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("config", type=_PATH)
@click.option("--bundle", type=_PATH, help="Model; default: the bundle that ships with pyorch.")
@click.option("--out", type=_PATH, default=Path("out/desk"), show_default=True,
              help="Folder of journal and run log.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(config: Path, bundle: Path | None, out: Path, as_json: bool) -> None:
    """Run a desk (CONFIG, TOML) with the simulated exchange in the loop, then replay its log.

    The journal is for `pyorch report`; the log in it gives the same messages again, byte for byte, which is
    checked before the journal gets its name.
    """
    from pyorch.app.commands import progress
    from pyorch.app.desk_config import load_desk
    from pyorch.app.desk_run import desk_figures, run_desk
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.figures import Figures

    settings = load_desk(config)
    model = Bundle.load(bundle or shipped_bundle())
    out.parent.mkdir(parents=True, exist_ok=True)
    with progress("a desk at work") as on_progress:
        journal = run_desk(settings, config.parent, model, out, on_progress)
    figures = Figures(f"pyorch run {config}")
    figures.digests = journal.run.digests | {"journal": journal.content_digest}
    figures.figures = desk_figures(journal)
    figures.show(as_json)
    if not as_json:
        click.echo(f"journal: {out.resolve()}; its log replayed byte for byte")


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
