"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

import time
from pathlib import Path

import click

SIMULATED_SEED = 1
SIMULATED_S = 120.0
REPETITIONS = 15
PIECE = 2_000


@click.command()
@click.argument("tape_path", metavar="TAPE", type=click.Path(path_type=Path))
@click.option("--check-leaks", is_flag=True, help="Prove that nothing looks ahead (recomputes).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def labels(tape_path: Path, check_leaks: bool, as_json: bool) -> None:
    """Base rate and effective sample size of every label of a tape, block by block.

    Effective: the time that labels cover, over their horizon; labels that overlap share their outcome.
    """
    from pyorch.contract.errors import DataError
    from pyorch.contract.figures import Figures
    from pyorch.features.dataset import build_dataset
    from pyorch.features.leaks import check_for_leaks
    from pyorch.market.clock import insert_timer_ticks
    from pyorch.market.tape import read_tape

    tape = insert_timer_ticks(read_tape(tape_path))
    dataset = build_dataset(tape)
    leaks = check_for_leaks(dataset) if check_leaks else []
    figures: dict[str, float] = {
        "ticks": len(dataset.row),
        "segments": len(dataset.segments),
        "slippage_lots": dataset.slippage_lots,
    }
    if check_leaks:
        figures["leaks"] = len(leaks)
    groups: dict[str, dict[str, float]] = {}
    for one in dataset.summary():
        groups[f"{one.label}, {one.block}"] = {
            "valid": one.valid,
            **{f"rate_{name}": round(rate, 4) for name, rate in one.rates.items()},
            "positives": one.positives,
            "episodes": one.episodes,
            "effective": round(one.effective, 1),
            "threshold": one.threshold,
            "horizon_ms": round(one.horizon_ns / 1e6, 3),
            "trainable": int(one.trainable),
        }
    digests = {"tape": tape.digest(), "schema": dataset.schema.digest()}
    command = f"pyorch labels {tape_path}{' --check-leaks' if check_leaks else ''}"
    result = Figures(command, digests, figures, groups, ok=not leaks)
    if as_json:
        result.show(as_json=True)
    else:
        _show(result)
    if leaks:
        first = leaks[0]
        raise DataError(
            f"{len(leaks)} leaks; the first: {first.check} of {first.what}: {first.message}"
        )


def _show(result: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from pyorch.contract.figures import Figures

    assert isinstance(result, Figures)
    console = Console()
    console.width = max(console.width, 110)
    console.print(", ".join(f"{name} {value:,.0f}" for name, value in result.figures.items()))
    table = Table(box=None)
    for name in ("label, block", "valid", "base rate", "positives", "episodes", "effective"):
        left = name in ("label, block", "base rate")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for name, row in result.peers.items():
        rates = [f"{k[5:]} {v:.3f}" for k, v in row.items() if k.startswith("rate_")]
        table.add_row(
            name if row["trainable"] else f"{name} (too few to train on)",
            f"{row['valid']:,.0f}",
            " ".join(rates),
            f"{row['positives']:,.0f}",
            f"{row['episodes']:,.0f}",
            f"{row['effective']:,.0f}",
        )
    console.print(table)


@click.command(name="features")
@click.option(
    "--tape",
    "tape_path",
    type=click.Path(path_type=Path),
    help="A tape; by default a simulated one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def bench_features(tape_path: Path | None, as_json: bool) -> None:
    """Book and features an event, native beside NumPy, equal bit for bit."""
    import numpy as np

    from pyorch import _native
    from pyorch.contract.events import event_words
    from pyorch.contract.figures import Figures
    from pyorch.features import batch, streaming
    from pyorch.features.definitions import default_schema
    from pyorch.market.clock import insert_timer_ticks
    from pyorch.market.simulate import simulate
    from pyorch.market.tape import read_tape

    tape = read_tape(tape_path) if tape_path else simulate(SIMULATED_SEED, SIMULATED_S)
    tape, schema = insert_timer_ticks(tape), default_schema()
    words = event_words(tape.events)
    pieces = [words[at : at + PIECE] for at in range(0, len(words), PIECE)]
    took_ns = np.zeros((2, REPETITIONS, len(pieces)))
    ticks = 0
    for repetition in range(REPETITIONS):
        stream, book, ticks = streaming.open_stream(schema), _native.Book(), 0
        for at, piece in enumerate(pieces):
            took_ns[0, repetition, at], made = stream.time_events(piece)
            ticks += made
            began = time.perf_counter_ns()
            book.apply_all(piece)
            took_ns[1, repetition, at] = time.perf_counter_ns() - began
    # Each piece's best repetition: a piece is shorter than what other processes take away at a time.
    native_ns, book_ns = took_ns.min(axis=1).sum(axis=1).tolist()
    events = len(words)
    began = time.perf_counter_ns()
    defined = batch.compute(tape, schema)
    numpy_ns = time.perf_counter_ns() - began
    streamed = streaming.compute(tape, schema)
    figures = {
        "events": events,
        "ticks": ticks,
        "features": len(schema.features),
        "native_event_ns": native_ns / events,
        "native_event_median_ns": float(np.median(took_ns[0].sum(axis=1))) / events,
        "native_book_event_ns": book_ns / events,
        "native_tick_ns": native_ns / ticks,
        "native_features_tick_ns": (native_ns - book_ns) / ticks,
        "native_events_per_s": events * 1e9 / native_ns,
    }
    Figures(
        f"pyorch bench features{f' --tape {tape_path}' if tape_path else ''}",
        {"tape": tape.digest(), "schema": schema.digest()},
        figures,
        {"NumPy batch": {"event_ns": numpy_ns / events, "tick_ns": numpy_ns / ticks}},
        ok=bool(np.array_equal(defined.features, streamed.features)),
    ).show(as_json)


COMMANDS: list[click.Command] = [labels]
