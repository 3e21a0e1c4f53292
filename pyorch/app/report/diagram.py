"""Timing diagrams as inline SVG: the stages of a tick as bars, signals as waves, over the same cycles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from pyorch.contract.fabric import Stage

WIDTH, GUTTER, RIGHT = 1320, 210, 24
"""Of the drawing, of the names on its left, of the margin on its right, in CSS pixels."""
ROW, BAR, HEAD, FOOT = 26, 16, 30, 18
MOST_TICKS = 26
COLOURS = {
    "x·W": "--blue",
    "gates, c, h": "--green",
    "h out": "--violet",
    "dense": "--amber",
}
"""Of a bar; others are the frames around the core."""
OTHER = "--muted"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal over the cycles of a diagram, from its first cycle on.

    Attributes:
        values: one a cycle; 0 and 1, or None where it is unknown.
    """

    name: str
    values: Sequence[int | None]


def timing_diagram(
    stages: Sequence[Stage],
    signals: Sequence[Signal] = (),
    *,
    first: int = 0,
    last: int | None = None,
    cycle_ns: float | None = None,
) -> str:
    """An SVG element whose colours follow the page.

    Args:
        first: cycle at the left end; signals begin there.
        last: cycle at the right end; default: the end of the last stage.
        cycle_ns: length of a cycle; given, the same axis stands below in nanoseconds.
    """
    end = last if last is not None else max(stage.end for stage in stages)
    scale = (WIDTH - GUTTER - RIGHT) / max(end - first, 1)
    rows = len(stages) + len(signals)
    bottom = HEAD + rows * ROW
    height = bottom + (10 if cycle_ns is None else FOOT)

    def at(cycle: int) -> float:
        return round(GUTTER + (cycle - first) * scale, 2)

    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" font-family="var(--font)" font-size="12">'
    ]
    step = _tick_step(end - first)
    for cycle in range(first + -first % step, end + 1, step):
        parts.append(
            f'<line x1="{at(cycle)}" x2="{at(cycle)}" y1="{HEAD - 6}" y2="{bottom}" stroke="var(--line)"/>'
            f'<text x="{at(cycle)}" y="{HEAD - 12}" fill="var(--muted)" text-anchor="middle">{cycle}</text>'
        )
        if cycle_ns is not None:
            parts.append(
                f'<text x="{at(cycle)}" y="{bottom + 14}" fill="var(--muted)" text-anchor="middle">'
                f"{cycle * cycle_ns:,.0f}</text>"
            )
    parts.append(f'<text x="0" y="{HEAD - 12}" fill="var(--muted)">cycle</text>')
    if cycle_ns is not None:
        parts.append(f'<text x="0" y="{bottom + 14}" fill="var(--muted)">ns</text>')
    for row, stage in enumerate(stages):
        parts += _bar(stage, HEAD + row * ROW, at(max(stage.begin, first)), at(min(stage.end, end)))
    for row, signal in enumerate(signals, len(stages)):
        parts += _wave(signal, HEAD + row * ROW, first, at)
    return "".join(parts) + "</svg>"


def _bar(stage: Stage, top: float, left: float, right: float) -> list[str]:
    colour = COLOURS.get(stage.name, OTHER) if stage.awaited else OTHER
    width = max(round(right - left, 2), 1.5)
    middle = top + ROW / 2 + 4
    name = escape(stage.title)
    text = f"{stage.cycles:,}"
    title = f"{name}: cycles {stage.begin:,} to {stage.end - 1:,}"
    return [
        f'<text x="0" y="{middle}" fill="var(--ink)">{escape(stage.name)} '
        f'<tspan fill="var(--muted)">{escape(stage.block)}</tspan></text>',
        f'<rect x="{left}" y="{top + (ROW - BAR) / 2}" width="{width}" height="{BAR}" rx="3" '
        f'fill="var({colour})" opacity="{0.9 if stage.awaited else 0.3}"><title>{title}</title></rect>',
        _label(text, left, width, middle, stage.awaited),
    ]


def _label(text: str, left: float, width: float, y: float, dark: bool) -> str:
    """Number of cycles: inside its bar, or beside a short one."""
    if width > 8 * len(text) + 6:
        fill = "--card" if dark else "--ink"
        return (
            f'<text x="{round(left + width / 2, 2)}" y="{y}" fill="var({fill})" '
            f'text-anchor="middle">{text}</text>'
        )
    x, anchor = left + width + 5, "start"
    if x + 8 * len(text) > WIDTH:
        x, anchor = left - 5, "end"
    return (
        f'<text x="{round(x, 2)}" y="{y}" fill="var(--muted)" text-anchor="{anchor}">{text}</text>'
    )


def _wave(signal: Signal, top: float, first: int, at: Callable[[int], float]) -> list[str]:
    levels = {0: top + ROW - 7, 1: top + 7, None: top + ROW / 2}
    path: list[str] = []
    before: float | None = None
    for cycle, value in enumerate(signal.values, first):
        level = levels[value]
        if level != before:
            path.append(f"{'L' if path else 'M'}{at(cycle)} {level}")
        path.append(f"L{at(cycle + 1)} {level}")
        before = level
    return [
        f'<text x="0" y="{top + ROW / 2 + 4}" fill="var(--ink)" font-family="var(--mono)" '
        f'font-size="11.5">{escape(signal.name)}</text>',
        f'<path d="{"".join(path)}" fill="none" stroke="var(--blue)" stroke-width="1.4"/>',
    ]


def _tick_step(cycles: int) -> int:
    """The smallest of 1, 2, 5, 10, 20... with no more than `MOST_TICKS` steps."""
    decade = 1
    while True:
        for factor in (1, 2, 5):
            if cycles <= MOST_TICKS * factor * decade:
                return factor * decade
        decade *= 10
