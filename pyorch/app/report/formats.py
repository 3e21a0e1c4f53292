"""How numbers look on the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pyorch.app.arms import MarkOut

NOTHING = "–"
MINUS = "−"


def fixed(value: float, digits: int) -> str:
    """Digits behind the point, a true minus sign."""
    if math.isnan(value):
        return NOTHING
    return f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int) -> str:
    """As `fixed`, always with its sign."""
    if math.isnan(value):
        return NOTHING
    return f"{value:+.{digits}f}".replace("-", MINUS)


def count(value: float) -> str:
    """An integer with thousands separated."""
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share in percent with two or three digits that count."""
    if share is None or math.isnan(share):
        return NOTHING
    value = 100 * share
    if value == 0 or value >= 99.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def us(value: float) -> str:
    """Microseconds, or milliseconds where there are many."""
    if value >= 1000:
        return f"{value / 1000:.0f} ms" if value >= 10_000 else f"{value / 1000:.1f} ms"
    return (
        f"{value:.0f} µs"
        if value >= 100
        else f"{value:.1f} µs"
        if value >= 10
        else f"{value:.2f} µs"
    )


def short(value: float) -> str:
    """About three digits that count."""
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 1 else f"{value:.2f}"
    return text.replace("-", MINUS)


def usd(value: float) -> str:
    """Dollars with cents."""
    return f"{value:,.2f}"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def interval(markout: MarkOut) -> str:
    """The interval of a mark-out; how many fills where there is none."""
    if math.isnan(markout.low_bp):
        return f"[n = {markout.fills}]"
    return f"[{signed(markout.low_bp, 2)}, {signed(markout.high_bp, 2)}]"


FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (fixed, signed, count, percent, us, short, usd, duration, interval)
}
