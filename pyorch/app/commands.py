"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyorch.app.desk_commands import DESK_COMMANDS
from pyorch.app.place import place

if TYPE_CHECKING:
    from pyorch.app.replay import Progress

_PATH = click.Path(path_type=Path)
SIMULATED_SEED = 20_240_808
SIMULATED_MINUTES = 5.0


@click.command()
@click.option(
    "--bundle", type=_PATH, help="Model to run; default: the bundle that ships with pyorch."
)
@click.option("--tape", type=_PATH, help="Tape to replay; default: a simulated market.")
@click.option("--seed", default=SIMULATED_SEED, show_default=True, help="Of the simulated market.")
@click.option(
    "--minutes", default=SIMULATED_MINUTES, show_default=True, help="Of simulated market."
)
@click.option("--config", type=_PATH, help="Quoting configuration (TOML); default: the project's.")
@click.option("--chain", type=_PATH, help="Option chain (Parquet) whose surface is transplanted to a tape "
              "that has none.")  # fmt: skip
@click.option("--arm", type=click.Choice(["model", "no-model", "always-widen", "all"]), default="model",
              show_default=True, help="all: each arm into a folder of its own inside OUT.")  # fmt: skip
@click.option(
    "--engine",
    default="cpu",
    show_default=True,
    help="Who answers the ticks: cpu, or card (simulated).",
)
@click.option(
    "--engines",
    "group",
    type=_PATH,
    help="Instead: a card and its shadow, a file as of `pyorch place --write`.",
)
@click.option("--arms", is_flag=True, help="Every arm, an evenly wide one and one on a shuffled signal; "
              "their figures, gains with intervals, and what cannot be concluded.")  # fmt: skip
@click.option("--known-signal", is_flag=True, help="With --arms: the market's own future instead of "
              "the model's scores; shows what the comparison can find.")  # fmt: skip
@click.option("--latency", type=click.Choice(["cpu", "card", "none"]), default="cpu", show_default=True,
              help="With --arms: whose measured latency quotes have.")  # fmt: skip
@click.option("--out", type=_PATH, required=True, help="Folder of the journal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(
    bundle: Path | None,
    tape: Path | None,
    seed: int,
    minutes: float,
    config: Path | None,
    chain: Path | None,
    arm: str,
    engine: str,
    group: Path | None,
    arms: bool,
    known_signal: bool,
    latency: str,
    out: Path,
    as_json: bool,
) -> None:
    """Run the quoting loop over a tape and write its journal.

    The same bundle, tape, configuration and arm give a journal with the same content digest.
    """
    from pyorch.app.replay import ARMS, replay_figures
    from pyorch.app.replay import replay as run
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.figures import Figures
    from pyorch.inference.failover.configuration import load_engines
    from pyorch.market.simulate import simulate
    from pyorch.market.tape import read_tape
    from pyorch.trading.config import load_config

    settings = load_config(config)
    model = Bundle.load(bundle or shipped_bundle())
    market = read_tape(tape) if tape is not None else simulate(seed, 60 * minutes)
    seeds = {} if tape is not None else {"simulated market": seed}
    figures = Figures(_command_line("replay"))
    if arms:
        from pyorch.app.arm_figures import compare_arms

        compare_arms(
            figures, model, market, settings, out, known_signal, chain, seeds, latency, as_json
        )
        return
    for name in ARMS if arm == "all" else (arm,):
        with progress(f"replaying, {name}") as on_progress:
            journal = run(
                model,
                market,
                settings,
                name,
                out / name if arm == "all" else out,
                engine=engine,
                group=load_engines(group) if group is not None else None,
                chain=chain,
                seeds=seeds,
                on_progress=on_progress,
            )
        figures.digests |= journal.run.digests | {f"journal {name}": journal.content_digest}
        found = replay_figures(journal)
        if name == arm or name == "model":
            figures.figures = found
        else:
            figures.peers[name] = found
    figures.show(as_json)


@click.command()
@click.argument("journals", nargs=-1, type=_PATH)
@click.option("--out", type=_PATH, default=Path("report.html"), show_default=True,
              help="The page, one HTML file.")  # fmt: skip
@click.option("--training", type=_PATH, help="training.json; default: what the bundle recorded.")
@click.option("--fabric", "fabrics", type=_PATH, multiple=True,
              help="Emitted fabric whose cycle budget is shown, with or without journals.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(
    journals: tuple[Path, ...],
    out: Path,
    training: Path | None,
    fabrics: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write a report about JOURNALS, the arms of one tape, as one self-contained HTML file.

    A folder that holds a journal for each arm (`pyorch replay --arm all`) stands for all of them.
    """
    from pyorch.app.journal import Journal, journals_in
    from pyorch.app.report.fabric import write_fabric_page
    from pyorch.app.report.page import report_figures, write_report
    from pyorch.app.report.training import Training
    from pyorch.contract.fabric import FabricManifest
    from pyorch.contract.figures import Figures

    figures = Figures(_command_line("report"))
    manifests = [FabricManifest.load(folder) for folder in fabrics]
    for manifest in manifests:
        figures.digests[f"format of {manifest.style}"] = manifest.format_digest
        figures.peers[f"{manifest.name}, {manifest.style}"] = {
            f"{name}_cycles": value for name, value in manifest.cycles.items()
        }
    if manifests and not journals:
        write_fabric_page(manifests, out)
        figures.show(as_json)
        if not as_json:
            click.echo(f"report: {out.resolve()}")
        return
    found = [Journal.load(folder) for given in journals for folder in journals_in(given)]
    record = Training.load(training) if training is not None else None
    comparison = write_report(found, out, training=record, fabrics=manifests)
    for journal in found:
        figures.digests |= journal.run.digests | {
            f"journal {journal.run.arm}": journal.content_digest
        }
    figures.peers |= report_figures(comparison)
    figures.show(as_json)
    if not as_json:
        click.echo(f"report: {out.resolve()}")


@click.command()
@click.option("--quick", is_flag=True, help="Only the first report, from the bundle that ships.")
@click.option("--trained-only", is_flag=True, help="Only what follows the first report.")
@click.option("--tape", "on_tape", is_flag=True,
              help="On the recorded market (PYORCH_DATA or ../shared/data).")  # fmt: skip
@click.option("--out", type=_PATH, default=Path("out/demo"), show_default=True,
              help="Folder of everything it makes.")  # fmt: skip
def demo(quick: bool, trained_only: bool, on_tape: bool, out: Path) -> None:
    """Show the whole way: shipped bundle, report; then train, convert, check, replay and report anew.

    Training needs the extra `train`; scripts/demo installs it between the two halves.
    """
    from pyorch.app.demo import run_demo
    from pyorch.contract.errors import UsageError

    if quick and trained_only:
        raise UsageError("--quick and --trained-only leave nothing to do; give one of them")
    run_demo(out, on_tape, first=not trained_only, trained=not quick)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Say which tools, boards and cards are here, and what each missing one prevents."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from pyorch.app.doctor import diagnose
    from pyorch.app.doctor_tables import show
    from pyorch.contract.figures import machine

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=1.0)
        found = diagnose(lambda name, share: bar.update(task, description=name, completed=share))
    if as_json:
        print(json.dumps({"machine": machine()} | found.to_json(), indent=1))
    else:
        show(found, Console())


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error that is gone when the work is done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _command_line(verb: str) -> str:
    import shlex
    import sys

    return shlex.join(["pyorch", *sys.argv[1:]]) if verb in sys.argv[1:2] else f"pyorch {verb}"


COMMANDS: list[click.Command] = [replay, report, demo, doctor, place, *DESK_COMMANDS]
