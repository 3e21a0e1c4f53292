"""Plots as inline SVG whose colours follow the page's light or dark scheme.

Matplotlib draws with stand-in colours, each of which is then replaced by a CSS variable of the page.
Text stays text, in the page's font.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

COLOURS = {  # stand-in → CSS variable
    "#010101": "--ink",
    "#020202": "--muted",
    "#030303": "--line",
    "#040404": "--blue",
    "#050505": "--green",
    "#060606": "--red",
    "#070707": "--amber",
    "#080808": "--violet",
}
INK, MUTED, LINE, BLUE, GREEN, RED, AMBER, VIOLET = COLOURS
SERIES = (BLUE, GREEN, AMBER, VIOLET, RED)
WIDTH = 1320
"""Of a card's inside, in CSS pixels."""
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pyorch",
    "font.family": "sans-serif",
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


class Plot:
    """The SVG text of a plot, known once its `figure` block has ended."""

    svg = ""


@contextmanager
def figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    margins: tuple[float, float, float, float] = (48, 12, 24, 40),
) -> Iterator[tuple[Plot, list[Axes]]]:
    """Draw in the page's style: ``with figure(600, 300) as (plot, (axes,)):``, then read ``plot.svg``.

    Args:
        width, height: in CSS pixels, when the page is at its full width.
        rows, columns: of axes.
        margins: left, right, top and bottom of each axes, for its labels; fixed, since a layout that
            measures its text takes as long again as the drawing.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        drawing = Figure(figsize=(width / 72, height / 72))
        axes = drawing.subplots(rows, columns, squeeze=False)
        left, right, top, bottom = margins
        drawing.subplots_adjust(
            left=left / width,
            right=1 - right / width,
            top=1 - top / height,
            bottom=bottom / height,
            wspace=(left + right) * columns / max(1, width - columns * (left + right)),
            hspace=(top + bottom) * rows / max(1, height - rows * (top + bottom)),
        )
        plot = Plot()
        yield plot, list(axes.flat)
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plot.svg = _inline(buffer.getvalue())


_serial = iter(range(1 << 30))


def _inline(svg: str) -> str:
    """An SVG file → an element for HTML: no prologue, own ids, colours of the page, flexible width."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = f"p{next(_serial)}-"
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", svg)
    for stand_in, variable in COLOURS.items():
        svg = svg.replace(stand_in, f"var({variable})")
    svg = re.sub(r"font: ([^;\"']*?)'[^\"]*?sans-serif", r"font: \1 var(--font)", svg)
    return re.sub(r'(<svg[^>]*?) (?:height|width)="[^"]*"', r"\1", svg, count=1).replace(
        "<svg ", '<svg class="plot" ', 1
    )


def around_trigger(
    seconds: FloatArray,
    fair: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    symbol: str,
) -> str:
    """An option's quote around the explained tick.

    Args:
        seconds: [n] since the tick.
        fair, bid, ask: [n] BTC; NaN where nothing was quoted.
        symbol: of the option.
    """
    with figure(470, 300, margins=(62, 8, 24, 40)) as (plot, (axes,)):
        axes.fill_between(seconds, bid, ask, step="post", color=BLUE, alpha=0.13, linewidth=0)
        axes.step(seconds, ask, where="post", color=BLUE, label="our ask and bid")
        axes.step(seconds, bid, where="post", color=BLUE)
        axes.step(seconds, fair, where="post", color=AMBER, linewidth=1.3, label="fair value")
        axes.axvline(0, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            "tick",
            (0, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="center",
            color=RED,
        )
        axes.set_xlabel(f"seconds since the tick, {symbol}")
        axes.set_ylabel("BTC")
        axes.margins(x=0, y=0.12)
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=12, borderaxespad=0.1
        )
    return plot.svg


def reliability(
    curves: Sequence[tuple[str, FloatArray, FloatArray, NDArray[np.int64]]],
) -> str:
    """Forecast probability against observed frequency.

    Args:
        curves: (output, mean forecast [b], observed frequency [b], ticks [b]) for each output.
    """
    columns = min(5, max(1, len(curves)))
    rows = -(-len(curves) // columns)
    with figure(WIDTH, 215 * rows, rows, columns) as (plot, axes):
        for axis, (name, forecast, observed, count) in zip(axes, curves, strict=False):
            top = max(0.02, 1.1 * max(forecast.max(initial=0), observed.max(initial=0)))
            axis.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            half = 1.96 * np.sqrt(np.maximum(observed * (1 - observed), 1e-9) / count)
            axis.errorbar(
                forecast, observed, half, color=BLUE, marker="o", markersize=4, linewidth=1.3
            )
            axis.set_title(name)
            axis.set_xlim(0, top)
            axis.set_ylim(0, top)
        for axis in axes[len(curves) :]:
            axis.set_axis_off()
        for axis in axes[::columns]:
            axis.set_ylabel("observed")
        for axis in axes[max(0, len(curves) - columns) : len(curves)]:
            axis.set_xlabel("forecast")
    return plot.svg


def histograms(
    parts: Sequence[tuple[str, FloatArray, str, Sequence[float]]],
    logarithmic: bool,
    columns: int = 5,
) -> str:
    """A grid of histograms.

    Args:
        parts: (title, values, unit, marks: vertical lines such as thresholds).
        logarithmic: whether counts are on a logarithmic axis.
        columns: plots in a row.
    """
    columns = min(columns, max(1, len(parts)))
    rows = -(-len(parts) // columns)
    with figure(WIDTH, 150 * rows, rows, columns, margins=(40, 12, 24, 26)) as (plot, axes):
        for axis, (title, values, unit, marks) in zip(axes, parts, strict=False):
            counts, edges = np.histogram(values, bins=48)
            axis.stairs(counts, edges, baseline=0.5, fill=True, color=BLUE, alpha=0.75)
            if logarithmic:
                axis.set_yscale("log")
                axis.set_ylim(0.5, None)
            axis.minorticks_off()
            axis.locator_params(axis="x", nbins=5)
            for mark in marks:
                axis.axvline(mark, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
            axis.set_title(title)
            if unit:
                axis.set_xlabel(unit, labelpad=1)
            axis.grid(False)
        for axis in axes[len(parts) :]:
            axis.set_axis_off()
    return plot.svg


def durations(parts: Sequence[tuple[str, FloatArray]]) -> str:
    """Histograms of durations in us over a logarithmic axis; (name, [n] us) for each."""
    with figure(520, 165, margins=(44, 8, 22, 38)) as (plot, (axes,)):
        edges = np.geomspace(0.1, 1000.0, 81)
        for colour, (name, values) in zip(SERIES, parts, strict=False):
            counts, _ = np.histogram(np.clip(values, 0.1, 999.9), edges)
            axes.stairs(
                counts, edges, baseline=0.5, fill=True, color=colour, alpha=0.55, label=name
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.5, None)
        axes.minorticks_off()
        axes.set_xticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "≥ 1000"])
        axes.axvline(100, color=RED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_xlabel("event to message bytes, us; counts logarithmic")
        axes.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.18), borderaxespad=0)
    return plot.svg


def curves(parts: Sequence[tuple[str, dict[str, Sequence[float]]]]) -> str:
    """Lines over epochs: (title, name → values an epoch) for each plot."""
    with figure(WIDTH, 220, 1, max(1, len(parts))) as (plot, axes):
        for axis, (title, lines) in zip(axes, parts, strict=True):
            for colour, (name, values) in zip(SERIES, lines.items(), strict=False):
                axis.plot(
                    range(1, len(values) + 1),
                    values,
                    color=colour,
                    label=name,
                    marker="o",
                    markersize=3,
                )
            axis.set_title(title)
            axis.set_xlabel("epoch")
            axis.locator_params(axis="x", integer=True)
            axis.legend(fontsize=12)
    return plot.svg


def market(seconds: FloatArray, usd: FloatArray, triggers: Sequence[tuple[str, FloatArray]]) -> str:
    """The underlying over the run, with the times at which rules acted.

    Args:
        seconds: [n] since the first tick.
        usd: [n] forward.
        triggers: (rule, seconds at which it began to act).
    """
    with figure(WIDTH, 200, margins=(62, 8, 28, 40)) as (plot, (axes,)):
        axes.plot(seconds, usd, color=INK, linewidth=0.9, label="mid of the underlying")
        for colour, (name, times) in zip((RED, GREEN, AMBER, VIOLET), triggers, strict=False):
            if len(times):
                at = np.interp(times, seconds, usd)
                axes.plot(times, at, "o", color=colour, markersize=3.5, alpha=0.8, label=name)
        axes.set_xlabel("seconds")
        axes.set_ylabel("USD")
        axes.margins(x=0)
        axes.legend(fontsize=12, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    return plot.svg
