"""`pyorch replay --arms`: the arms' figures and what follows from them, on the terminal."""

from __future__ import annotations

from pathlib import Path

from pyorch.app.arm_runs import run_arms
from pyorch.app.arms import FillModel
from pyorch.app.latency_tables import NONE, SHIPPED, choose, load_tables
from pyorch.contract.bundle import Bundle
from pyorch.contract.figures import Figures
from pyorch.market.tape import Tape
from pyorch.trading.config import QuotingConfig


def compare_arms(
    figures: Figures,
    bundle: Bundle,
    tape: Tape,
    config: QuotingConfig,
    out: Path,
    known: bool,
    chain: Path | None,
    seeds: dict[str, int],
    latency: str,
    as_json: bool,
) -> None:
    """Run and show all arms."""
    from rich.console import Console

    console = Console(stderr=True)
    table = None if latency == NONE else choose(load_tables(SHIPPED), latency, config.option_count)
    with console.status("replaying") as status:
        found = run_arms(
            bundle, tape, config, out, FillModel(), known=known, chain=chain, seeds=seeds,
            latency=table,
            on_arm=lambda name: status.update(f"replaying, {name}"),
        )  # fmt: skip
    figures.digests |= found.digests
    for name, arm in found.arms.items():
        if arm.model_gains is None:
            figures.figures = dict(arm.figures)
        else:
            gains = {f"model_gain_{key}": value for key, value in arm.model_gains.items()}
            figures.peers[name] = arm.figures | gains
    declared = "nobody traded: takers are simulated and declared (pyorch/app/arms.py)"
    late = "none: quotes rest at once" if table is None else f"{table.in_words()} ({table.how})"
    figures.notes = [*found.verdicts, f"latency: {late}", declared]
    figures.show(as_json)
