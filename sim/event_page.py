"""One self-contained page of a feature path's simulation: cycles idle and in the burst, waits, decisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyorch.app.report.plots import BLUE, GREEN, RED, SERIES, figure
from pyorch.app.report.rendering import render_page
from pyorch.contract.decision import Decisions
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from sim.event_burst import STEPS, Waterfall
from sim.verify import Verification

TEMPLATES = Path(__file__).parent
QUANTILES = (("median", 0.5), ("p99", 0.99), ("worst", 1.0))
HALF = 640
"""Width of a card in two columns, in CSS pixels."""


def write_event_page(found: Verification, path: Path) -> None:
    """Write the page.

    Raises:
        UsageError: nothing was decided, so there is nothing to draw.
    """
    burst, words = found.waterfalls[-1], found.decisions
    if words is None or words["void"].all() or not len(burst.steps):
        raise UsageError("no decision: nothing to draw; simulate with more --steps")
    made = words[~words["void"]]
    columns = [(one.name, one.at(1.0)) for one in found.waterfalls[:-1]]
    columns += [(f"burst, {name}", burst.at(quantile)) for name, quantile in QUANTILES]
    assert found.manifest.events is not None
    rules = [
        (number, int((made["fired"] >> number & 1).sum()), int((made["active"] >> number & 1).sum()))
        for number in range(found.manifest.events.rules)
        if (made["active"] >> number & 1).any()
    ]  # fmt: skip
    context = {
        "manifest": found.manifest, "mhz": found.mhz, "burst": burst, "columns": columns, "steps": STEPS,
        "parameters": ", ".join(f"{name} {value}" for name, value in found.manifest.parameters.items()),
        "comparisons": found.comparisons, "ok": found.ok, "rules": rules,
        "ticks": len(made), "voids": len(words) - len(made), "warm": int(made["warm"].sum()),
        "bars": bars(columns, found.mhz), "waits": waits(burst, found.mhz),
        "times": distribution(burst, found.mhz), "spread": spread(made),
    }  # fmt: skip
    write_atomically(path, render_page("event_page.html", context, TEMPLATES).encode())


def bars(columns: list[tuple[str, list[int]]], mhz: float) -> str:
    """A bar for each decision, of its steps one behind the other."""
    with figure(2 * HALF, 40 + 34 * len(columns), margins=(120, 70, 26, 34)) as (plot, (axes,)):
        for row, (_, values) in enumerate(columns):
            begin = 0
            for step, cycles in enumerate(values[:-1]):
                label = STEPS[step] if row == 0 else None
                axes.barh(row, cycles, left=begin, height=0.62, color=SERIES[step], label=label)
                begin += cycles
            text = f"{begin:,}, {begin / mhz:,.2f} µs"
            axes.annotate(text, (begin, row), (6, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(columns)), [name for name, _ in columns])
        axes.invert_yaxis()
        axes.grid(False)
        axes.set_xlabel("cycles from the last beat on the line")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(STEPS))
    return plot.svg


def waits(burst: Waterfall, mhz: float) -> str:
    """Of each decision of the burst, in order, what it waited on the line and what it took in all."""
    with figure(2 * HALF, 240, margins=(60, 12, 26, 40)) as (plot, (axes,)):
        number = np.arange(1, len(burst.steps) + 1)
        axes.plot(number, burst.whole / mhz, color=BLUE, label="to the decision")
        axes.plot(number, burst.steps[:, 0] / mhz, color=RED, label=STEPS[0])
        axes.set_xlabel("decision of the burst")
        axes.set_ylabel("µs")
        axes.set_xlim(1, max(2, len(number)))
        axes.set_ylim(0, None)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return plot.svg


def distribution(burst: Waterfall, mhz: float) -> str:
    """Share of the burst's decisions that took longer."""
    with figure(HALF, 240, margins=(60, 12, 26, 40)) as (plot, (axes,)):
        whole = np.sort(burst.whole) / mhz
        share = 1.0 - np.arange(len(whole)) / len(whole)
        axes.step(whole, share, where="post", color=BLUE)
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_xlabel("µs from the last beat on the line to the decision")
        axes.set_ylabel("share that took as long")
    return plot.svg


def spread(made: Decisions) -> str:
    """What decisions add to the spread, in basis points, over the market's time."""
    with figure(HALF, 240, margins=(60, 12, 26, 40)) as (plot, (axes,)):
        seconds = (made["local_ns"] - made["local_ns"][0]) / 1e9
        for field, label, colour in (
            ("extra_down_bp100", "sides that a fall hurts", RED),
            ("extra_up_bp100", "sides that a rise hurts", GREEN),
        ):
            axes.step(seconds, made[field] / 100, where="post", color=colour, label=label)
        axes.set_ylim(0, None)
        axes.set_xlabel("seconds of the market")
        axes.set_ylabel("extra spread, bp")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return plot.svg
