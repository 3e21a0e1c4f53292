"""The matrix of fabrics that are verified: shapes, formats, styles, ways of serving; and its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import precision_of
from pyorch.inference.sample import random_bundle
from sim.verify import Verification, verify


@dataclass(frozen=True, slots=True)
class MatrixCase:
    """One fabric of a random model."""

    style: str
    features: int
    units: tuple[int, ...]
    formats: str = "default"
    mode: Literal["window", "stateful"] = "stateful"
    hidden_dense: tuple[int, ...] = ()
    parameters: dict[str, int] = field(default_factory=dict)
    steps: int = 10_000
    window: int = 20
    wire: str = ""
    table_bits: int = 0
    """Tables of 2^N entries; 0: the formats' own."""

    @property
    def name(self) -> str:
        """Style, shape, formats and serving in one word."""
        units = "+".join(map(str, self.units))
        dense = "".join(f"-dense{count}" for count in self.hidden_dense)
        chosen = "".join(f"-{key}{value}" for key, value in sorted(self.parameters.items()))
        last = ("-wire" if self.wire else "") + (
            f"-tables{self.table_bits}" * bool(self.table_bits)
        )
        return (
            f"{self.style}-{self.features}x{units}{dense}-{self.formats}-{self.mode}{chosen}{last}"
        )

    def bundle(self) -> Bundle:
        """The model."""
        precision = precision_of(self.formats, self.table_bits or None)
        return random_bundle(
            1, self.features, self.units, precision, mode=self.mode, window=self.window,
            hidden_dense=self.hidden_dense,
        )  # fmt: skip

    def verify(self, folder: Path, tape: Path | None = None) -> Verification:
        """Emit, compile, compare, measure; ``tape``: of the market's features, default simulated."""
        chosen: dict[str, Any] = dict(self.parameters)
        if self.wire:
            chosen["wire"] = FixedFormat.parse(self.wire)
        return verify(
            self.bundle(), self.style, folder / self.name, steps=self.steps, tape=tape, **chosen
        )


def _both(style: str, features: int, units: tuple[int, ...], **parameters: int) -> list[MatrixCase]:
    """Both ways of serving, wide formats in one and narrow ones in the other."""
    return [
        MatrixCase(style, features, units, "default", "stateful", parameters=parameters),
        MatrixCase(style, features, units, "narrow", "window", parameters=parameters),
    ]


QUICK = (
    MatrixCase(
        "folded",
        6,
        (20,),
        "default",
        "stateful",
        (12, 5),
        {"multipliers": 28, "blocks": 20},
        300,
        6,
    ),
    MatrixCase(
        "folded", 1, (9, 9), "narrow", "window", (), {"multipliers": 16}, 300, 6, table_bits=5
    ),
    MatrixCase("loadable", 4, (6,), "narrow", "window", (), {}, 300, 6, table_bits=5),
    MatrixCase(
        "baked",
        3,
        (5, 4),
        "narrow",
        "stateful",
        (4,),
        {"cuts": 101, "copies": 2},
        300,
        6,
        "fixed<14,6,RND,SAT>",
    ),
)
"""A fabric of every style, small enough for every commit."""

FULL = (
    *_both("folded", 6, (20,), multipliers=112),
    *_both("folded", 16, (16,), multipliers=112),
    *_both("folded", 16, (32,), multipliers=128),
    MatrixCase("folded", 16, (32,), parameters={"multipliers": 112}),
    MatrixCase("folded", 16, (32,), parameters={"multipliers": 256, "blocks": 140}),
    MatrixCase("folded", 16, (32,), parameters={"multipliers": 256, "blocks": 140}, table_bits=5),
    *_both("folded", 1, (9, 9), multipliers=112),
    *_both("folded", 28, (32,), multipliers=112),
    MatrixCase("folded", 16, (32,), parameters={"multipliers": 16}),
    MatrixCase("folded", 100, (100, 100), parameters={"multipliers": 112}),
    *_both("loadable", 6, (20,)),
    *_both("loadable", 1, (9, 9)),
    *_both("loadable", 16, (16,)),
    MatrixCase("loadable", 16, (32,), "narrow"),
    MatrixCase("loadable", 16, (32,), "narrow", table_bits=5),
    MatrixCase("loadable", 28, (32,), "narrow"),
    *_both("baked", 6, (20,)),
    MatrixCase("baked", 6, (20,), table_bits=5),
    MatrixCase("baked", 16, (16,), "narrow"),
    *_both("baked", 1, (9, 9), cuts=31),
)
"""All shapes."""


MARKET = 2
"""Which comparison of a verification is the first one with features of a market."""
SUFFIX = ".row"


@dataclass(frozen=True, slots=True)
class Row:
    """What the verification of one fabric of the matrix found, as its line in the table.

    Attributes:
        name: of the case.
        market: the stimulus of a market: a recorded one or a simulated one.
        seconds: it took.
    """

    name: str
    market: str
    steps: int
    compared: int
    mismatches: int
    cycles: dict[str, int]
    multipliers: int
    seconds: float

    @classmethod
    def of(cls, case: MatrixCase, found: Verification, seconds: float) -> Row:
        """Of a verification."""
        return cls(
            case.name,
            found.comparisons[MARKET].stimulus,
            sum(one.steps for one in found.comparisons),
            sum(one.compared for one in found.comparisons),
            found.mismatches,
            dict(found.cycles),
            found.manifest.estimates.get("multipliers", 0),
            seconds,
        )

    def save(self, folder: Path) -> None:
        """Write it into a folder that the processes of a run share."""
        write_atomically(folder / f"{self.name}{SUFFIX}", json.dumps(asdict(self)).encode())


def rows_in(folder: Path) -> list[Row]:
    """The rows that were saved there, in the order of `FULL`."""
    paths = [folder / f"{case.name}{SUFFIX}" for case in FULL]
    return [Row(**json.loads(path.read_text())) for path in paths if path.is_file()]


def table(rows: Sequence[Row]) -> str:
    """The measured matrix as Markdown."""
    markets, cases = {row.market for row in rows}, {case.name: case for case in FULL}
    figures = ("idle_tick", "interval", "cold_window", "clear", "state_load", "swap", "swap_load")
    lines = [
        "# Fabrics in simulation",
        "",
        "Emitted RTL under Verilator against the reference, written by `./scripts/test --full`. Cycles are "
        "measured at the ports; every one equals the prediction of the manifest, or the run fails. Weights "
        "are random: bits and cycles do not depend on them, accuracy is not looked at here. `interval` of a "
        "windowed model is that of sliding windows of 20 vectors. Multipliers: array + tail + dense. "
        "Features: random, of a market (its features in the model's shape), at the ends of their format.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {len(rows)} of the {len(FULL)} fabrics of the matrix, "
        f"{sum(row.seconds for row in rows) / 60:.0f} minutes of one process; "
        f"market: {', '.join(sorted(markets))}.",
        "",
        "| style | features × units | formats | served | parameters | steps | compared | mismatches | "
        + " | ".join(name.replace("_", " ") for name in figures)
        + " | multipliers |",
        "|" + "---|" * (9 + len(figures)),
    ]
    for row in rows:
        case = cases[row.name]
        cycles = [str(row.cycles.get(name, "–")) for name in figures]
        cells = [
            case.style,
            f"{case.features} × {' + '.join(map(str, case.units))}",
            case.formats + f", tables of {1 << case.table_bits}" * bool(case.table_bits),
            case.mode,
            ", ".join(f"{key} {value}" for key, value in sorted(case.parameters.items()))
            or "default",
            f"{row.steps:,}",
            f"{row.compared:,}",
            str(row.mismatches),
            *cycles,
            str(row.multipliers),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
