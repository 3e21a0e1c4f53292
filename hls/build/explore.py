"""`pyorch build --explore`: styles and their parameters, synthesised; the front of them, routed.

A point is compared before routing by its predicted cycles, the longest path of its netlist (`depth`), taken
as the shortest that routing may make of it, and its share of the part's scarcest resource; only points that
no other beats in all of them are routed, and so on until every point of the front is. Every synthesis and
every route is a job of the build's cache, so an exploration that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hls.build.depth import longest_path_ns
from hls.build.ecp5 import NETLIST, TIMING, cells
from hls.build.emission import FABRIC
from hls.build.fit import CAPACITY, demand
from hls.build.flow import Build
from hls.build.jobs import Job
from hls.build.plan import make_plan
from hls.build.process import Report
from hls.build.report import accuracy
from hls.build.timing import read_timing
from hls.build.tools import Tools
from hls.emit.project import style_of
from pyorch.contract.build_record import StepRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import canonical_json, write_atomically
from pyorch.contract.errors import BuildError, PyorchError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import Target

FRONTIER = "frontier.json"
ASKED_SHARE = 0.8
"""Of the clock that the netlist alone allows, what routing is asked for.

More takes routing many times as long where a part is nearly full, and gains nothing: what it achieves counts.
"""
HOPED_SHARE = 0.8
"""Of the netlist's longest path, what routing may make of it.

The clock of routed points was 0.86 to 1.22 times that of the estimate (docs/measurements/build.md): a point
is left unrouted only if it would be beaten even then.
"""
GRID: tuple[tuple[str, dict[str, int]], ...] = (
    *(("folded", {"multipliers": number}) for number in (16, 32, 64)),
    *(("folded", {"multipliers": number, "blocks": 140}) for number in (128, 256)),
    *(("loadable", {"planes": number}) for number in (1, 2, 4)),
    *(("baked", {"cuts": number}) for number in (0, 36)),
)
"""What is explored: style and parameters."""


@dataclass(slots=True)
class Point:
    """A style with its parameters, for one model.

    Attributes:
        model: the bundle's folder.
        macro_f1: of the model; None where its bundle states none.
        refused: why it was not synthesised; empty: it was.
        cycles: predicted figures.
        path_ns: longest path of the netlist.
        resources: kind → (needed, there).
        achieved_mhz, programmed_mhz: once routed.
    """

    model: Path
    style: str
    parameters: dict[str, int]
    macro_f1: float | None = None
    refused: str = ""
    cycles: dict[str, int] = field(default_factory=dict)
    path_ns: float = 0.0
    resources: dict[str, tuple[int, int]] = field(default_factory=dict)
    front: bool = False
    achieved_mhz: float = 0.0
    programmed_mhz: float = 0.0

    @property
    def name(self) -> str:
        """As a folder's name."""
        words = [f"{key}-{value}" for key, value in self.parameters.items()]
        return "-".join([self.model.name, self.style, *words])

    @property
    def area(self) -> float:
        """Share of the scarcest resource."""
        return max((needed / there for needed, there in self.resources.values()), default=0.0)

    @property
    def cycle_ns(self) -> float:
        """Of the programmed clock once routed, else the netlist's longest path."""
        return 1000 / self.programmed_mhz if self.programmed_mhz else self.path_ns

    def aims(self) -> tuple[float, ...]:
        """What is to be small: idle tick and interval in ns (hoped for until routed), area, 1 - macro-F1."""
        hoped = 1.0 if self.programmed_mhz else HOPED_SHARE
        latency = [self.cycles[name] * hoped * self.cycle_ns for name in ("idle_tick", "interval")]
        return (*latency, self.area, 1 - (self.macro_f1 or 0.0))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        stated: dict[str, Any] = {
            "model": self.model.name,
            "style": self.style,
            "parameters": self.parameters,
            "macro_f1": self.macro_f1,
            "refused": self.refused,
            "front": self.front,
        }
        if self.cycles:
            stated |= {
                "cycles": self.cycles,
                "basis": "routed" if self.programmed_mhz else "netlist, before routing",
                "clock_mhz": 1000 / self.cycle_ns,
                "achieved_mhz": self.achieved_mhz or None,
                "idle_tick_ns": self.cycles["idle_tick"] * self.cycle_ns,
                "interval_ns": self.cycles["interval"] * self.cycle_ns,
                "cold_window_ns": self.cycles["cold_window"] * self.cycle_ns,
                "area": self.area,
                "resources": {k: {"used": n, "available": t} for k, (n, t) in self.resources.items()},
            }  # fmt: skip
        return stated


def mark_front(points: Sequence[Point]) -> None:
    """Mark those that no other point equals or beats in every aim, and beats in one."""
    fit = [point for point in points if not point.refused]
    for point in fit:
        mine = point.aims()
        point.front = not any(
            all(b <= a for a, b in zip(mine, other.aims(), strict=True)) and other.aims() != mine
            for other in fit
        )


@dataclass(slots=True)
class Exploration:
    """Points of some models on a target.

    Attributes:
        grid: style and parameters of every point.
        routing: whether the front is routed, or compared as synthesised.
    """

    target: Target
    models: list[tuple[Path, Bundle]]
    folder: Path
    tools: Tools
    grid: Sequence[tuple[str, dict[str, int]]] = GRID
    routing: bool = True
    limit_s: float = 3 * 3600.0
    report: Report = lambda line: None
    announce: Callable[[Job, str, StepRecord], None] = lambda job, how, record: None
    remark: Callable[[str], None] = lambda text: None

    def run(self) -> list[Point]:
        """Synthesise all, route until the whole front is routed, write `frontier.json` after every point."""
        points: list[tuple[Point, Bundle]] = []
        for path, model in self.models:
            known = accuracy(model)
            score = known["macro_f1"] if known else None
            points += [
                (Point(path, style, dict(chosen), score), model) for style, chosen in self.grid
            ]
        for point, model in points:
            self._synthesise(point, model)
            self._write([one for one, _ in points])
        everything = [point for point, _ in points]
        while True:
            mark_front(everything)
            self._write(everything)
            waiting = [pair for pair in points if pair[0].front and not pair[0].programmed_mhz]
            if not (self.routing and waiting):
                return everything
            self._route(*waiting[0])

    def _build(self, point: Point, model: Bundle, last: str, clock_mhz: float) -> Build:
        plan = make_plan(
            model, self.target, point.style, point.parameters, clock_mhz=clock_mhz, simulated_steps=0
        )  # fmt: skip
        return Build(
            plan, self.target, point.model, model, self.folder / point.name, self.tools,
            last=last, limit_s=self.limit_s, report=self.report, announce=self.announce,
        )  # fmt: skip

    def _synthesise(self, point: Point, model: Bundle) -> None:
        there = CAPACITY[self.target.part.device]
        self.remark(point.name)
        try:
            estimates = style_of(point.style).plan(model, **point.parameters).estimates
            adders = estimates.get("adder_bits", 0)
            if adders > there["logic"]:
                raise BuildError(
                    f"the emitter counts {adders:,} bits of adders, the part has {there['logic']:,} cells"
                )
            build = self._build(point, model, "synthesise", self.target.clock_mhz)
            build.run()
        except PyorchError as error:
            point.refused = str(error).splitlines()[0]
            self.remark(f"  left out: {point.refused}")
            return
        counted = demand(cells(build.folder))
        point.resources = {kind: (counted[kind], limit) for kind, limit in there.items()}
        point.cycles = FabricManifest.load(build.folder / FABRIC).cycles
        point.path_ns = longest_path_ns(build.folder / NETLIST)

    def _route(self, point: Point, model: Bundle) -> None:
        """Route for a share of the netlist's clock; what routing achieves is programmed."""
        self.remark(f"{point.name}: on the front, routed")
        wanted = self.target.programmed_mhz(ASKED_SHARE * 1000 / point.path_ns)
        build = self._build(point, model, "place-and-route", wanted)
        try:
            build.run()
        except BuildError as error:
            point.refused = str(error).splitlines()[0]
            self.remark(f"  left out: {point.refused}")
            return
        seed = build.plan.seeds[0]
        timing = read_timing(build.folder / f"seeds/{seed}/{TIMING}")
        _, point.achieved_mhz = timing.core(wanted)
        point.programmed_mhz = self.target.programmed_mhz(point.achieved_mhz)

    def _write(self, points: list[Point]) -> None:
        found = {
            "target": self.target.name,
            "part": str(self.target.part),
            "aims": ["idle_tick_ns", "interval_ns", "area", "macro_f1"],
            "area": "share of the part's scarcest resource",
            "tools": self.tools.versions(),
            "points": [point.to_json() for point in points],
        }
        write_atomically(self.folder / FRONTIER, canonical_json(found) + b"\n")
