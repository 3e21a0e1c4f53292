"""``pyorch bench failover``: every fault at many ticks of a market; what was lost, what wrong, how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress

from pyorch.contract.bundle import Bundle
from pyorch.contract.figures import Figures
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import FATAL, MemberState
from sim.failover_world import Ticks, World
from sim.faults import Fault
from sim.native_failover_bench import MODES as NATIVE_MODES
from sim.native_failover_bench import native_in_real_time, strike_native

FAULTS = (
    Fault.KILL, Fault.HANG, Fault.SLOW, Fault.WEIGHT, Fault.STATE, Fault.ANSWER, Fault.UNPLUG,
)  # fmt: skip
BASE = FailoverSettings(checkpoint_ticks=32, probation_ticks=16, retry_ns=50_000_000)
MODES: dict[str, tuple[FailoverSettings, int]] = {
    "lockstep": (BASE, 0),
    "every_8th": (replace(BASE, every=8), 8),
    "fast": (replace(BASE, mode="fast"), 1),
    "safe": (replace(BASE, mode="safe"), 0),
}
"""Mode → settings, and how many wrong answers a fault may bring into use."""

SETTLE_TICKS = 64
MOST_SETTLE_TICKS = 20_000
SIMULATED_SEED, SIMULATED_S = 1, 120.0


@click.command()
@click.option(
    "--bundle", type=click.Path(exists=True, path_type=Path), help="Default: the shipped model."
)
@click.option(
    "--tape", type=click.Path(exists=True, path_type=Path), help="Default: a simulated market."
)
@click.option("--faults", default=1000, help="Random ticks at which each fault strikes, a mode.")
@click.option("--real-ticks", default=1_000_000, help="Ticks on the machine's clock and threads.")
@click.option("--seed", default=1, help="Of the ticks that are struck.")
@click.option("--native-only", is_flag=True, help="The tick loop's pair alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def failover(
    bundle: Path | None,
    tape: Path | None,
    faults: int,
    real_ticks: int,
    seed: int,
    native_only: bool,
    as_json: bool,
) -> None:
    """Faults at random ticks of a market, in simulated time; then a healthy pair in real time.

    Simulated: two exact engines on devices of 20 and 25 us that fail on command, ticks at the tape's own
    times, deadline 1 ms. Every answer is compared with a run without the fault. `ticks_lost`: without an
    answer by the deadline. `wrong_used`: answers used that differ. `died_out`: faults that changed no
    answer and no state that was compared (a bit of h that rounding swallows). `first_good_ns`: from the
    features of the tick that was struck to the first answer that is right. Real: the native engine on a
    thread and inline; false failovers are faults found in a healthy engine, patience missed: answers of an
    engine later than half the deadline, late answers: used after the deadline. Native: the tick loop's own
    pair, one tick every 2 ms, a register 100 ns, a tick 5 us on a card in software.
    """
    from pyorch.app.shipped import shipped_bundle

    loaded = Bundle.load(bundle or shipped_bundle())
    ticks, digests = market_ticks(loaded, tape)
    figures = Figures(
        f"pyorch bench failover --faults {faults} --real-ticks {real_ticks} --seed {seed}"
        + (" --native-only" if native_only else ""),
        digests={"model": loaded.digest()} | digests,
    )
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("faults", total=len(MODES) * len(FAULTS) * faults)
        for mode in () if native_only else MODES:
            for fault in FAULTS:
                progress.update(task, description=f"{mode}: {fault.value}")
                found, good = strike(
                    loaded, ticks, mode, fault, faults, seed, lambda: progress.advance(task)
                )
                figures.figures |= found
                figures.ok = figures.ok and good
        task = progress.add_task("tick loop", total=len(NATIVE_MODES) * len(Fault))
        for mode in NATIVE_MODES:
            for fault in Fault:
                found, good = strike_native(loaded, ticks, mode, fault, faults, seed)
                figures.figures |= found
                figures.ok = figures.ok and good
                progress.advance(task)
        if real_ticks:
            task = progress.add_task("tick loop, real time", total=real_ticks)
            found, good = native_in_real_time(
                loaded, ticks, real_ticks, lambda done: progress.advance(task, done)
            )
            figures.figures |= found
            figures.ok = figures.ok and good
        found, good = in_real_time(loaded, ticks, 0 if native_only else real_ticks, progress)
        figures.figures |= found
        figures.ok = figures.ok and good
    figures.show(as_json)
    if not figures.ok:
        raise SystemExit(1)


def market_ticks(bundle: Bundle, tape: Path | None) -> tuple[Ticks, dict[str, str]]:
    """The features of a market, its own times between ticks, and its digest."""
    from pyorch.features.streaming import compute
    from pyorch.market.clock import insert_timer_ticks
    from pyorch.market.simulate import simulate
    from pyorch.market.tape import read_tape

    market = read_tape(tape) if tape is not None else simulate(SIMULATED_SEED, SIMULATED_S)
    assert bundle.schema is not None
    table = compute(insert_timer_ticks(market), bundle.schema)
    gap_ns = np.diff(table.local_ns, append=table.local_ns[-1] + 1_000_000)
    resets = frozenset(int(first) for first in table.segments)
    return Ticks(table.features.astype(np.int64), gap_ns, resets), {"tape": market.digest()}


def strike(
    bundle: Bundle,
    ticks: Ticks,
    mode: str,
    fault: Fault,
    count: int,
    seed: int,
    advance: Callable[[], None],
) -> tuple[dict[str, float], bool]:
    """One fault in one mode at ``count`` random ticks, each after the group has recovered."""
    settings, exposure = MODES[mode]
    world = World(bundle, settings, ticks=ticks)
    rng = np.random.default_rng([seed, FAULTS.index(fault)])
    first_good: list[int] = []
    wrong_used = most = died_out = late = 0
    for _ in range(count):
        world.tick(int(rng.integers(1, SETTLE_TICKS)))
        begin, before = len(world.predictions), len(world.wrong)
        newest = world.group.records[-1]
        if fault is Fault.UNPLUG:
            world.plans["card"].openings = 2
        world.tick(1, ("card", fault))
        waited = world.predictions[begin].ns
        while world.wrong[-1:] == [len(world.predictions)]:
            waited += int(ticks.gap_ns[(len(world.predictions) - 1) % len(ticks.gap_ns)])
            world.tick(1)
        first_good.append(waited)
        world.tick(settings.checkpoint_ticks + settings.every)
        died_out += world.group.records[-1] is newest
        if fault in (Fault.HANG, Fault.SLOW):
            world.plans["card"].fault = None
        for _ in range(MOST_SETTLE_TICKS):
            if all(world.state_of(name) is MemberState.HEALTHY for name in world.names):
                break
            world.tick(1)
        struck = len(world.wrong) - before
        wrong_used += struck
        most = max(most, struck)
        late += sum(p.late for p in world.predictions[begin:])
        advance()
    name = f"{mode}_{fault.name.lower()}"
    unanswered = world.predictions[-1].sequence - len(world.predictions)
    latency = np.array(first_good)
    found = {
        f"{name}_ticks": len(world.predictions),
        f"{name}_ticks_lost": unanswered + late,
        f"{name}_died_out": died_out,
        f"{name}_wrong_used": wrong_used,
        f"{name}_most_wrong_used_a_fault": most,
        f"{name}_stated_exposure_ticks": exposure,
        f"{name}_first_good_p50_ns": float(np.percentile(latency, 50)),
        f"{name}_first_good_p99_ns": float(np.percentile(latency, 99)),
        f"{name}_first_good_max_ns": float(latency.max()),
    }
    return found, unanswered + late == 0 and most <= exposure


def in_real_time(
    bundle: Bundle, ticks: Ticks, count: int, progress: Progress
) -> tuple[dict[str, float], bool]:
    """A healthy pair on threads and the machine's clock."""
    from pyorch.inference.cpu import CpuEngine
    from pyorch.inference.failover.group import EngineGroup

    if count == 0:
        return {}, True
    group = EngineGroup(
        bundle,
        {"threaded": lambda: CpuEngine.open(bundle), "inline": lambda: CpuEngine.open(bundle)},
        inline=("inline",),
    )
    native = CpuEngine.open(bundle)
    task = progress.add_task("real time", total=count)
    spent, wrong = np.empty(count, np.int64), 0
    begin = time.monotonic_ns()
    for n in range(count):
        features = ticks.features[n % len(ticks.features)]
        prediction = group.predict(features)
        spent[n] = prediction.ns
        wrong += not np.array_equal(prediction.outputs.logits, native.step(features).logits)
        group.attend()
        if n % 1000 == 999:
            progress.advance(task, 1000)
    seconds = (time.monotonic_ns() - begin) / 1e9
    group.close()
    false = sum(group.counts[incident.value] for incident in FATAL)
    return {
        "real_ticks": count,
        "real_wrong": wrong,
        "real_false_failovers": false,
        "real_patience_missed": group.counts["late"],
        "real_late_answers": group.counts["late_answers"],
        "real_hand_overs": group.counts["hand_overs"],
        "real_tick_p50_ns": float(np.percentile(spent, 50)),
        "real_tick_p99_ns": float(np.percentile(spent, 99)),
        "real_tick_max_ns": float(spent.max()),
        "real_ticks_per_s": count / seconds,
    }, wrong == 0
