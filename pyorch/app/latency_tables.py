"""Measured distributions of how long a decision takes, for paired arms (`pyorch replay --arms --latency`).

`latency_tables.json` beside this file is what `pyorch bench latency` wrote: quantiles of the time from an
event to its messages' bytes, over ticks that sent quotes, per engine and number of options, with machine,
load, date and command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, structs
from numpy.typing import NDArray

from pyorch.app.arms import IntArray, Quotes
from pyorch.contract.errors import DataError, UsageError

SHIPPED = Path(__file__).with_name("latency_tables.json")
NONE = "none"
"""No latency: quotes rest at once."""
SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


class LatencyTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine's distribution.

    Attributes:
        engine: ``cpu`` or ``card``; options: of the configuration that was measured.
        ticks: that sent quotes; shares, nanoseconds: quantiles, both rising.
        cycles, mhz: of a card; its fabric's time is in every quantile.
        how: what was measured, and what is not in it; machine, load, date, command: of the measurement.
    """

    engine: str
    options: int
    ticks: Annotated[int, Meta(ge=1)]
    shares: tuple[float, ...]
    nanoseconds: tuple[float, ...]
    how: str
    machine: str
    load: float
    date: str
    command: str
    cycles: int = 0
    mhz: float = 0.0

    @property
    def fabric_ns(self) -> int:
        """From a vector to its answer in a card's fabric; 0 for a CPU."""
        return round(1000 * self.cycles / self.mhz) if self.mhz else 0

    def with_fabric(self, cycles: int, mhz: float) -> LatencyTable:
        """The same measurement of what is around the fabric, with another one.

        Raises:
            UsageError: it is not a card's.
        """
        if not self.mhz:
            raise UsageError(
                f"the latency of {self.engine}, {self.options} options, has no fabric in it to take another "
                "one for: measure with pyorch bench latency"
            )
        card = structs.replace(self, cycles=cycles, mhz=mhz, how=card_in_words(cycles, mhz))
        by = card.fabric_ns - self.fabric_ns
        return structs.replace(
            card, nanoseconds=tuple(round(ns + by, 1) for ns in self.nanoseconds)
        )

    def draw_ns(self, count: int, seed: int) -> IntArray:
        """[count] delays; the same seed gives the same first ones."""
        drawn = np.random.default_rng(seed).random(count)
        return np.rint(np.interp(drawn, self.shares, self.nanoseconds)).astype(np.int64)

    def in_words(self) -> str:
        """``cpu, 200 options: p50 40.1 us, p99 60.0 us``."""
        p50, p99 = np.interp([0.5, 0.99], self.shares, self.nanoseconds) / 1000
        return f"{self.engine}, {self.options} options: p50 {p50:.1f} us, p99 {p99:.1f} us"


def card_in_words(cycles: int, mhz: float) -> str:
    """What a card's distribution is."""
    return (
        f"the CPU's with {cycles} cycles at {mhz:g} MHz instead of its engine; without the way to the card "
        "and back"
    )


def load_tables(path: Path) -> tuple[LatencyTable, ...]:
    """Read a file of `pyorch bench latency`.

    Raises:
        DataError: it is not one.
    """
    try:
        tables = msgspec.json.decode(path.read_bytes(), type=tuple[LatencyTable, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"{path} holds no latency tables ({error}); write them with: pyorch bench latency --out {path}"
        ) from error
    for table in tables:
        for name, values in (("shares", table.shares), ("nanoseconds", table.nanoseconds)):
            if len(values) != len(table.shares) or len(values) < 2 or (np.diff(values) < 0).any():
                raise DataError(
                    f"{path}: {name} of {table.engine}, {table.options} options, are {len(values)} numbers "
                    f"that must rise, as many as shares ({len(table.shares)}); write them with: "
                    "pyorch bench latency"
                )
    return tables


def choose(tables: tuple[LatencyTable, ...], engine: str, options: int) -> LatencyTable:
    """The table of an engine with the number of options nearest to what is quoted.

    Raises:
        UsageError: none of that engine.
    """
    mine = [table for table in tables if table.engine == engine]
    if not mine:
        known = ", ".join(sorted({table.engine for table in tables}))
        raise UsageError(f"no latency of {engine!r} was measured; choose {known}, or {NONE}")
    return min(mine, key=lambda table: abs(table.options - options))


def delayed(quotes: Quotes, latency_ns: IntArray) -> Quotes:
    """The same quotes, each resting so much later; what they are worth does not wait.

    Args:
        latency_ns: [n] from each tick to its quotes; a tick's quotes never overtake those before it.

    Returns:
        At the ticks, and where quotes change between them.
    """
    times = quotes.local_ns
    if not len(times):
        return quotes
    since = np.maximum.accumulate(times + latency_ns)
    changed = np.ones(len(times), np.bool_)
    changed[1:] = (
        _differ(quotes.bid)
        | _differ(quotes.ask)
        | _differ(quotes.bid_lots)
        | _differ(quotes.ask_lots)
    )
    grid = np.union1d(times, since[changed])
    grid = grid[grid <= times[-1]]
    value = np.searchsorted(times, grid, side="right") - 1
    live = np.searchsorted(since, grid, side="right") - 1
    none = live < 0

    def prices(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(none[:, None], np.nan, values[live])

    def lots(values: IntArray) -> IntArray:
        return np.where(none[:, None], 0, values[live])

    return Quotes(
        grid, prices(quotes.bid), prices(quotes.ask), lots(quotes.bid_lots), lots(quotes.ask_lots),
        quotes.fair[value], quotes.lot_btc,
    )  # fmt: skip


def _differ(values: NDArray[np.float64] | IntArray) -> NDArray[np.bool_]:
    """[n - 1] whether a row is another than the one before; NaN is NaN."""
    before, after = values[:-1], values[1:]
    same = (before == after) | ((before != before) & (after != after))
    return np.asarray(~same.all(axis=1))
