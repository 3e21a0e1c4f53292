"""``pyorch bench tick``: event to FIX bytes, natively, beside the Python twin in the same run."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError
from pyorch.contract.figures import Figures
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.proof import prove
from pyorch.trading.records import STAGES, JournalBatch, TickFlag, without_clock
from pyorch.trading.sample import random_quoting_bundle
from pyorch.trading.twin import run_twin

PERCENTILES = (("p50", 50.0), ("p99", 99.0), ("p999", 99.9))
SIMULATED_SEED = 1
SIMULATED_S = 300.0


def distribution(name: str, values_ns: NDArray[Any]) -> dict[str, float]:
    """``{name}_p50_ns`` to ``{name}_max_ns``."""
    if len(values_ns) == 0:
        return {}
    found = {
        f"{name}_{label}_ns": float(np.percentile(values_ns, p, method="higher"))
        for label, p in PERCENTILES
    }
    return found | {f"{name}_max_ns": float(values_ns.max())}


def corrected_ns(local_ns: NDArray[Any], service_ns: NDArray[Any]) -> NDArray[Any]:
    """Latency with the tape's own arrival times: a tick also waits for those before it.

    Replaying as fast as possible leaves out what a late tick does to the next ones (coordinated
    omission). Here tick i begins at max(arrival i, end of tick i - 1).
    """
    arrival = local_ns - local_ns[0]
    total = np.cumsum(service_ns.astype(np.int64))
    # end_i = max over k <= i of (arrival_k + service_k + ... + service_i)
    begin = np.maximum.accumulate(arrival - (total - service_ns))
    result: NDArray[Any] = begin + total - arrival
    return result


def typical_ns(row: NDArray[Any], total_ns: NDArray[Any]) -> NDArray[Any]:
    """Per tick of the tape the lower median over its passes: what is left when neighbours take the core."""
    order = np.lexsort((total_ns, row))
    _, start, count = np.unique(row[order], return_index=True, return_counts=True)
    result: NDArray[Any] = total_ns[order][start + (count - 1) // 2]
    return result


def first_seconds(tape: Tape, seconds: float) -> Tape:
    """The beginning of a tape."""
    local_ns = tape.events["local_ns"]
    rows = int(np.searchsorted(local_ns, local_ns[0] + int(seconds * 1e9)))
    return replace(tape, events=tape.events[:rows].copy())


def measure_native(
    bundle: Bundle, config: QuotingConfig, tape: Tape, ticks: int, progress: Progress
) -> tuple[dict[str, float], int]:
    """Replay until ``ticks`` ticks were made; latencies from the journal; passes that it took."""
    probe = TickLoop(bundle, config, tape)
    probe.run_unread()
    per_pass = max(1, probe.summary().ticks)
    passes = -(-ticks // per_pass)
    cores = sorted(os.sched_getaffinity(0))
    loop = TickLoop(bundle, config, tape, passes=passes, cpu=cores[-1])
    task = progress.add_task("native loop", total=passes * per_pass)
    columns = (
        "row",
        "local_ns",
        "flags",
        "quotes",
        *(f"{stage}_ns" for stage in (*STAGES, "total")),
    )
    parts = []
    for batch in loop.run():
        parts.append(np.array(batch.ticks[list(columns)]))
        progress.advance(task, len(batch.ticks))
    summary = loop.summary()
    journal = np.concatenate(parts)
    journal = journal[(journal["flags"] & TickFlag.BOOK_VALID) != 0]
    figures: dict[str, float] = {"ticks": summary.ticks, "events": summary.events}
    figures |= distribution("tick", journal["total_ns"])
    figures |= distribution(
        "tick_as_it_arrived", corrected_ns(journal["local_ns"], journal["total_ns"])
    )
    if passes > 2:
        figures |= distribution(
            "tick_median_of_passes", typical_ns(journal["row"], journal["total_ns"])
        )
    for stage in STAGES:
        figures |= distribution(stage, journal[f"{stage}_ns"])
    most = int(journal["quotes"].max())
    figures[f"ticks_with_{most}_quotes"] = int(np.count_nonzero(journal["quotes"] == most))
    figures |= distribution(
        f"tick_with_{most}_quotes", journal["total_ns"][journal["quotes"] == most]
    )
    figures["quotes"] = int(journal["quotes"].sum())
    figures["events_per_s_journal_read"] = summary.events_per_s
    figures["ring_waits"] = summary.ring_waits
    figures["involuntary_switches"] = summary.involuntary_switches
    return figures, passes


def measure_twin(
    bundle: Bundle, config: QuotingConfig, tape: Tape, seconds: float
) -> tuple[dict[str, float], bool]:
    """The Python twin on the beginning of the tape; whether native wrote the same there."""
    part = first_seconds(tape, seconds)
    begin = time.perf_counter()
    twin = run_twin(bundle, config, part)
    elapsed_s = time.perf_counter() - begin
    native = JournalBatch.join(list(TickLoop(bundle, config, part).run()))
    same = (
        native.fix == twin.fix
        and np.array_equal(without_clock(native.ticks), twin.ticks)
        and np.array_equal(native.quotes, twin.quotes)
    )
    figures = {
        "ticks": float(len(twin.ticks)),
        "mean_tick_ns": 1e9 * elapsed_s / max(1, len(twin.ticks)),
        "events_per_s": len(part.events) / elapsed_s,
    }
    return figures, same


@click.command("tick")
@click.option("--tape", type=click.Path(path_type=Path), help="A converted tape; else simulated.")
@click.option("--bundle", type=click.Path(path_type=Path), help="A bundle; else random weights.")
@click.option("--config", type=click.Path(path_type=Path), help="Quoting TOML; else the default.")
@click.option("--seconds", default=SIMULATED_S, show_default=True, help="Of the simulated market.")
@click.option("--ticks", default=1_000_000, show_default=True, help="Ticks to measure, at least.")
@click.option("--twin-seconds", default=20.0, show_default=True, help="Of the tape, for the twin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def tick(
    tape: Path | None,
    bundle: Path | None,
    config: Path | None,
    seconds: float,
    ticks: int,
    twin_seconds: float,
    as_json: bool,
) -> None:
    """Event to FIX bytes: book, features, LSTM, policy, quotes, risk, encoding; stateful."""
    quoting = load_config(config)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        if tape is not None:
            market = read_tape(tape)
        else:
            task = progress.add_task("simulated market", total=seconds)
            market = simulate(
                SIMULATED_SEED,
                seconds,
                on_progress=lambda done: progress.update(task, completed=done),
            )
            progress.update(task, completed=seconds)
        model = Bundle.load(bundle) if bundle is not None else random_quoting_bundle(1, market)
        figures, passes = measure_native(model, quoting, market, ticks, progress)
        task = progress.add_task("Python twin, proof of no system call", total=2)
        twin, same = measure_twin(model, quoting, market, twin_seconds)
        progress.advance(task)
        ok = same
        try:
            proof = prove(model, market, passes, config)
        except EnvironmentMissingError as error:
            console.print(f"not proven: {error}", markup=False)
        else:
            ok = ok and proof.system_calls == proof.allocations == proof.locks == 0
            figures |= {
                "guarded_ticks": proof.ticks,
                "system_calls": proof.system_calls,
                "allocations": proof.allocations,
                "locks": proof.locks,
                "events_per_s": proof.events_per_s,
            }
    Figures(
        command=" ".join(["pyorch bench tick", *(["--tape", str(tape)] if tape else [])]),
        digests={
            "model": model.digest(),
            "tape": market.digest(),
            "configuration": quoting.digest(),
        },
        figures=figures,
        peers={"Python twin": twin},
        ok=ok,
    ).show(as_json)
