"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

EXISTING = click.Path(path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=EXISTING)
@click.option("--out", required=True, type=EXISTING, help="Tape to write (Parquet).")
@click.option(
    "--second",
    multiple=True,
    type=EXISTING,
    help="Recording of a second instrument, merged by local time; repeat for more files.",
)
@click.option("--name", help="Name of the tape in reports; by default of the first file.")
@click.option(
    "--refuse-gaps",
    is_flag=True,
    help="Stop at a sequence gap; by default the book is void after it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def ingest(
    files: tuple[Path, ...],
    out: Path,
    second: tuple[Path, ...],
    name: str | None,
    refuse_gaps: bool,
    as_json: bool,
) -> None:
    """Turn recorded Binance streams into a tape, checked against the venue's best quotes.

    FILES are one instrument's, in order; the first holds the depth snapshot. The tape is written only
    where the rebuilt book equals the recorded best quotes at every comparable point and never crosses.
    """
    from pyorch.contract.errors import DataError
    from pyorch.contract.figures import Figures
    from pyorch.market.feeds.binance import read_recordings, recorded_bytes
    from pyorch.market.feeds.binance_messages import COUNTS
    from pyorch.market.tape import write_tape
    from pyorch.market.validate import validate

    began = time.perf_counter()
    with _progress("reading", sum(recorded_bytes(path) for path in (*files, *second))) as advance:
        tape = read_recordings(files, second, name=name, refuse_gaps=refuse_gaps, on_bytes=advance)
    took_s = time.perf_counter() - began
    lines = sum(count for key, count in tape.counts.items() if key.endswith("lines"))
    figures: dict[str, float] = {
        "rows": len(tape.events),
        "duration_s": tape.duration_s,
        "lines": lines,
        "lines_per_s": round(lines / took_s),
    }
    checked: dict[str, dict[str, float]] = {}
    for index, instrument in enumerate(tape.instruments):
        found = validate(tape, index)
        prefix = "second_" if index else ""
        checked[f"{instrument.symbol} of {instrument.venue}"] = {
            **{key: tape.counts[prefix + key] for key in COUNTS},
            "book_messages": found.book_messages,
            "book_gaps": found.gaps,
            "book_crosses": found.crosses,
            "comparable_points": found.comparable,
            "agreeing_points": found.agreeing,
            "agreement_percent": found.agreement_percent,
        }
        if not found.ok:
            raise DataError(
                f"the rebuilt book of {instrument.symbol} agrees with the recorded best quotes at "
                f"{found.agreeing:,} of {found.comparable:,} comparable points and crosses "
                f"{found.crosses:,} times; all must agree and none may cross; {out} was not written: "
                "check that the files are complete and of one recording"
            )
    write_tape(out, tape)
    words = [*files, *(word for path in second for word in ("--second", path)), "--out", out]
    command = f"pyorch ingest {' '.join(str(word) for word in words)}"
    Figures(command, {"tape": tape.digest()}, figures, checked).show(as_json)


@click.command(name="simulate-market")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--minutes", default=30.0, show_default=True, help="Simulated minutes.")
@click.option("--second", is_flag=True, help="Add a second instrument, for the basis.")
@click.option("--out", required=True, type=EXISTING, help="Tape to write (Parquet).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def simulate_market(seed: int, minutes: float, second: bool, out: Path, as_json: bool) -> None:
    """Write a tape of a simulated market: everything runs on it without recordings."""
    from pyorch.contract.figures import Figures
    from pyorch.market.simulate import simulate
    from pyorch.market.tape import write_tape

    began = time.perf_counter()
    done_s = 0.0
    with _progress("simulating", round(minutes * 60)) as advance:

        def report(now_s: float) -> None:
            nonlocal done_s
            advance(int(now_s) - int(done_s))
            done_s = now_s

        tape = simulate(seed, minutes * 60, second=second, on_progress=report)
    figures: dict[str, float] = {
        "rows": len(tape.events),
        "duration_s": tape.duration_s,
        "took_s": round(time.perf_counter() - began, 2),
    }
    write_tape(out, tape)
    command = f"pyorch simulate-market --seed {seed} --minutes {minutes:g} --out {out}"
    command += " --second" if second else ""
    Figures(command, {"tape": tape.digest()}, figures | tape.counts).show(as_json)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that is gone when the work is done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)

        def advance(amount: int) -> None:
            bar.advance(task, amount)

        yield advance


COMMANDS: list[click.Command] = [ingest, simulate_market]
