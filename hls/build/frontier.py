"""The plot of an exploration: latency over area, a colour a style, the front ringed, macro-F1 beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyorch.contract.digest import write_atomically

PLOT = "frontier.html"
STYLES = ("baked", "folded", "loadable")


def write_frontier(folder: Path, found: dict[str, Any]) -> Path:
    """Write the page of a `frontier.json`; returns its path."""
    from pyorch.app.report.rendering import render_page

    points = [point for point in found["points"] if not point["refused"]]
    context = {
        "found": found,
        "plots": [_plot(points, *axis) for axis in _AXES] if points else [],
        "points": sorted(points, key=lambda point: (not point["front"], point["idle_tick_ns"])),
        "refused": [point for point in found["points"] if point["refused"]],
    }
    page = render_page("frontier.html", context, Path(__file__).parent)
    write_atomically(folder / PLOT, page.encode())
    return folder / PLOT


_AXES = (
    ("idle_tick_ns", "idle tick, ns"),
    ("interval_ns", "interval, ns"),
    ("cold_window_ns", "cold window of T vectors, ns"),
)


def label(point: dict[str, Any]) -> str:
    """A point's parameters in short."""
    return ", ".join(f"{name} {value}" for name, value in point["parameters"].items())


_BESIDE = ((7, 6, "left"), (-7, 6, "right"), (7, -13, "left"), (-7, -13, "right"))
"""Where a name may stand: points to the right and up, and its alignment."""


def name_points(axes: Any, points: list[tuple[float, float, str]]) -> None:
    """Write each point's name beside it, where it meets fewest points and names and is within the plot."""
    from matplotlib.transforms import Bbox

    places = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in places]
    for x, y, name in points:
        tried: list[tuple[int, int, Any, Any]] = []
        for right, up, side in _BESIDE:
            text = axes.annotate(
                name, (x, y), xytext=(right, up), textcoords="offset points", ha=side, fontsize=10
            )
            box = text.get_window_extent()
            beyond = not (axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1)
            tried.append((box.count_overlaps(taken) + 2 * beyond, len(tried), box, text))
        (_, _, box, _), *others = sorted(tried, key=lambda one: one[:2])
        for *_, text in others:
            text.remove()
        taken.append(box)


def _plot(points: list[dict[str, Any]], figure_name: str, title: str) -> str:
    from matplotlib.ticker import LogLocator

    from pyorch.app.report.plots import AMBER, BLUE, GREEN, INK, figure

    colours = dict(zip(STYLES, (GREEN, BLUE, AMBER), strict=True))
    with figure(430, 320, margins=(58, 14, 26, 44)) as (plot, (axes,)):
        for style, colour in colours.items():
            mine = [point for point in points if point["style"] == style]
            for routed, marker, alpha in ((True, "o", 1.0), (False, "o", 0.35)):
                chosen = [p for p in mine if (p["basis"] == "routed") == routed]
                axes.scatter(
                    [100 * p["area"] for p in chosen],
                    [p[figure_name] for p in chosen],
                    s=42, color=colour, marker=marker, alpha=alpha, linewidths=0,
                    label=f"{style}{'' if routed else ', not routed'}" if chosen else None,
                )  # fmt: skip
        front = [p for p in points if p["front"]]
        axes.scatter(
            [100 * p["area"] for p in front], [p[figure_name] for p in front],
            s=110, facecolors="none", edgecolors=INK, linewidths=1.2,
        )  # fmt: skip
        axes.set_yscale("log", subs=[])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.margins(x=0.18, y=0.15)
        axes.set_xlabel("share of the scarcest resource, %")
        axes.set_title(title)
        axes.legend(loc="upper right", fontsize=10)
        name_points(axes, [(100 * p["area"], p[figure_name], label(p)) for p in front])
    return plot.svg
