"""What a training run recorded about itself, as tables and curves of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyorch.app.journal import Journal


@dataclass(frozen=True, slots=True)
class QualityTable:
    """A table of text cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Training:
    """Tables of quality with baselines, and curves over epochs."""

    tables: tuple[QualityTable, ...] = ()
    curves: tuple[tuple[str, dict[str, Sequence[float]]], ...] = field(default=())

    @classmethod
    def of(cls, journal: Journal) -> Training:
        """What the bundle's provenance holds."""
        return cls()
