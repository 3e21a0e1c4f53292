"""The cycle budget of an emitted fabric: a section of the report, or a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyorch.app.report.diagram import timing_diagram
from pyorch.app.report.rendering import render_page
from pyorch.contract.digest import write_atomically
from pyorch.contract.fabric import CYCLE_FIGURES, FabricManifest


@dataclass(frozen=True, slots=True)
class CycleBudget:
    """What the section shows of a fabric.

    Attributes:
        cycles: (name, cycles, meaning).
        share: (part of the idle tick, cycles, share of it), the largest first.
        estimates: (name, number).
    """

    manifest: FabricManifest
    parameters: str
    diagram: str
    cycles: list[tuple[str, int, str]]
    shares: list[tuple[str, int, float]]
    estimates: list[tuple[str, int]]


def cycle_budget(manifest: FabricManifest) -> CycleBudget:
    """The section's content; no diagram where the style predicts no stages."""
    idle = manifest.cycles.get("idle_tick", 0)
    inside = [s for s in manifest.stages if s.awaited and s.end <= idle]
    shares = [(s.title, s.cycles, s.cycles / idle) for s in inside]
    return CycleBudget(
        manifest,
        ", ".join(f"{name} {value}" for name, value in manifest.parameters.items()),
        timing_diagram(manifest.stages) if manifest.stages else "",
        [
            (name.replace("_", " "), manifest.cycles[name], meaning)
            for name, meaning in CYCLE_FIGURES.items()
            if name in manifest.cycles
        ],
        sorted(shares, key=lambda one: -one[1]),
        [(name.replace("_", " "), value) for name, value in manifest.estimates.items()],
    )


def write_fabric_page(manifests: Sequence[FabricManifest], path: Path) -> None:
    """Write the cycle budgets of fabrics as one self-contained HTML file."""
    budgets = [cycle_budget(manifest) for manifest in manifests]
    write_atomically(path, render_page("fabric_page.html", {"fabrics": budgets}).encode())
