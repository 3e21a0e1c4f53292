"""``pyorch bench decide``: event to risk-checked decision with 20 and 200 options, natively."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
import msgspec
import numpy as np
import tomli_w
from rich.console import Console
from rich.progress import Progress

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError
from pyorch.contract.figures import Figures
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.bench_tick import SIMULATED_S, SIMULATED_SEED, distribution, typical_ns
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.proof import prove
from pyorch.trading.records import TickFlag
from pyorch.trading.sample import random_quoting_bundle

DECIDING = ("book", "features", "engine", "policy", "pricing")
"""Stages up to the risk-checked decision; what follows is encoding."""


def with_options(config: QuotingConfig, options: int) -> QuotingConfig:
    """The configuration with 20 options, or with 200 on four expiries and limits to match."""
    if options == config.option_count:
        return config
    replace = msgspec.structs.replace
    expiries = 4
    universe = replace(
        config.universe, strikes=25, strike_step_usd=500, expiries_days=(7, 14, 28, 56)
    )
    surface = replace(
        config.surface,
        **{
            name: (getattr(config.surface, name)[0],) * expiries
            for name in ("skew", "curvature", "put_wing", "call_wing")
        },
        atm_volatility=(0.55, 0.56, 0.58, 0.60),
    )
    risk = replace(
        config.risk, notional_limit_lots=40_000, delta_limit_btc=1000.0, gamma_limit_btc=500.0,
        vega_limit_btc=20.0, quotes_per_second=50_000, quotes_burst=5000,
    )  # fmt: skip
    return replace(config, universe=universe, surface=surface, risk=risk)


def measure(
    bundle: Bundle, config: QuotingConfig, tape: Tape, ticks: int, progress: Progress
) -> tuple[dict[str, float], int]:
    """Decision latencies of ``ticks`` ticks, with the journal read by Python; passes that it took."""
    probe = TickLoop(bundle, config, tape)
    probe.run_unread()
    per_pass = max(1, probe.summary().ticks)
    passes = -(-ticks // per_pass)
    cores = sorted(os.sched_getaffinity(0))
    loop = TickLoop(bundle, config, tape, passes=passes, cpu=cores[-1])
    task = progress.add_task(f"{config.option_count} options", total=passes * per_pass)
    rows, totals, quotes = [], [], []
    for batch in loop.run():
        made = batch.ticks[batch.ticks["flags"] & TickFlag.BOOK_VALID != 0]
        rows.append(made["row"].copy())
        totals.append(sum(made[f"{stage}_ns"].astype(np.int64) for stage in DECIDING))
        quotes.append(made["quotes"].copy())
        progress.advance(task, len(batch.ticks))
    total, sent, row = np.concatenate(totals), np.concatenate(quotes), np.concatenate(rows)
    name = f"decide_{config.option_count}"
    figures = {f"{name}_ticks": float(len(total))}
    figures |= distribution(name, total)
    figures |= (
        distribution(f"{name}_median_of_passes", typical_ns(row, total)) if passes > 2 else {}
    )
    figures |= distribution(f"{name}_when_quoting", total[sent > 0])
    figures[f"{name}_most_quotes_in_a_tick"] = float(sent.max())
    return figures, passes


@click.command("decide")
@click.option("--seconds", default=SIMULATED_S, show_default=True, help="Of the simulated market.")
@click.option("--ticks", default=1_000_000, show_default=True, help="Ticks to measure, at least.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def decide(seconds: float, ticks: int, as_json: bool) -> None:
    """Event to risk-checked decision with 20 and 200 options; then the same in a guarded process."""
    console = Console(stderr=True)
    market = simulate(SIMULATED_SEED, seconds)
    model = random_quoting_bundle(1, market)
    figures: dict[str, float] = {}
    digests = {"model": model.digest(), "tape": market.digest()}
    ok = True
    with Progress(console=console, transient=True) as progress:
        for options in (20, 200):
            config = with_options(load_config(), options)
            digests[f"configuration, {options} options"] = config.digest()
            found, passes = measure(model, config, market, ticks, progress)
            figures |= found
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "quoting.toml"
                path.write_text(tomli_w.dumps(_without_none(msgspec.to_builtins(config))))
                try:
                    proof = prove(model, market, passes, path)
                except EnvironmentMissingError as error:
                    console.print(f"not proven: {error}", markup=False)
                    continue
            counts = {
                "guarded_ticks": proof.ticks,
                "system_calls": proof.system_calls,
                "allocations": proof.allocations,
                "locks": proof.locks,
            }
            figures |= {f"decide_{options}_{name}": float(count) for name, count in counts.items()}
            ok &= proof.system_calls == proof.allocations == proof.locks == 0 and proof.ticks > 0
    Figures("pyorch bench decide", digests, figures, ok=ok).show(as_json)


def _without_none(values: object) -> dict[str, object]:
    """For TOML, which has no null."""

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {key: clean(one) for key, one in value.items() if one is not None}
        if isinstance(value, list | tuple):
            return [clean(one) for one in value]
        return value

    cleaned = clean(values)
    assert isinstance(cleaned, dict)
    return cleaned
