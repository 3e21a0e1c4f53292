"""`pyorch build`: the steps of a plan in their order, each kept, restored or run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hls.build.checks import lint_job, netlist_job, simulate_job
from hls.build.ecp5 import (
    TIMING,
    cells,
    emit_job,
    pack_job,
    route_job,
    synthesise_job,
)
from hls.build.emission import FABRIC
from hls.build.fit import require_fit
from hls.build.jobs import Job, Workshop, alone
from hls.build.plan import STEPS, BuildPlan
from hls.build.process import Report
from hls.build.report import PAGE, REPORT, write_report
from hls.build.timing import Timing, read_timing
from hls.build.tools import Tools
from hls.build.vendor import missing_tools, not_run, vendor_job, versions
from pyorch.contract.build_record import BITSTREAM, RECORD, BuildRecord, StepRecord
from pyorch.contract.bundle import Bundle, add_artifact
from pyorch.contract.errors import BuildError, EnvironmentMissingError, UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import Target, VendorTarget

WITHOUT_PLACEMENT = ("emit", "lint", "simulate", "time", "report")
"""Steps of a target whose tools are a vendor's."""


@dataclass(slots=True)
class Build:
    """A build under way.

    Attributes:
        bundle: its folder; ``model`` is its content.
        tools: the open ones; None: a target of a vendor's tools, which is emitted, checked and reported.
        limit_s: place and route of a seed is stopped after it.
        config: quoting configuration of a top that takes events; None: the default one.
        first, last: names of steps: those from ``first`` on are run in any case, those after ``last`` not.
    """

    plan: BuildPlan
    target: Target
    bundle: Path
    model: Bundle
    folder: Path
    tools: Tools | None
    first: str = ""
    last: str = STEPS[-1]
    limit_s: float = 3 * 3600.0
    report: Report = lambda line: None
    announce: Callable[[Job, str, StepRecord], None] = lambda job, how, record: None
    config: Path | None = None

    def run(self) -> BuildRecord:
        """Do all steps.

        Raises:
            BuildError: a step failed, the design does not fit, or its clock was missed; what was done stays,
                and the same command goes on from there.
        """
        for name in (self.first, self.last):
            if name and name not in STEPS:
                raise UsageError(f"there is no step {name!r}; steps: {', '.join(STEPS)}")
        if self.first and STEPS.index(self.first) > STEPS.index(self.last):
            raise UsageError(f"--from {self.first} lies behind --to {self.last}")
        with alone(self.folder):
            shop = Workshop(self.folder, self._record(), report=self.report, announce=self.announce)
            self._steps(shop)
            return shop.record

    def _record(self) -> BuildRecord:
        """A record of this plan; finished steps of an earlier one are kept and judged by their keys."""
        record = BuildRecord(
            plan=self.plan.to_json(),
            plan_digest=self.plan.digest(),
            model_digest=self.plan.model_digest,
            target=self.target.name,
            part=str(self.target.part),
            clock_mhz=self.plan.clock_mhz,
            tools=self.tools.versions() if self.tools else {},
        )
        if (self.folder / RECORD).is_file():
            try:
                record.steps = dict(BuildRecord.load(self.folder).steps)
            except BuildError:  # unreadable: nothing in it counts, every step is judged anew
                record.steps = {}
        record.save(self.folder)
        return record

    def _wanted(self) -> tuple[str, ...]:
        """The steps up to ``last``; where no open tool can go on, those that need none."""
        steps = STEPS[: STEPS.index(self.last) + 1]
        if self.tools is not None:
            return steps
        here = ("synthesise",) if not missing_tools(self.target) else ()
        return tuple(s for s in steps if s in (*WITHOUT_PLACEMENT, *here))

    def _anew(self, step: str) -> bool:
        return bool(self.first) and STEPS.index(step) >= STEPS.index(self.first)

    def _steps(self, shop: Workshop) -> None:
        record, folder, plan = shop.record, self.folder, self.plan
        routed: dict[int, Timing] = {}
        for step in self._wanted():
            anew = self._anew(step)
            if step == "emit":
                shop.do(emit_job(plan, self.bundle, self.config), anew=True)
                record.format_digest = FabricManifest.load(folder / FABRIC).format_digest
            elif step == "lint":
                shop.do(lint_job(folder, self.target), anew=anew)
            elif step == "simulate" and plan.simulated_steps:
                shop.do(simulate_job(folder, plan, self.bundle, self.config), anew=anew)
            elif step == "time":
                record.steps = {name: record.steps[name] for name in shop.settled}
                self._judge(record, routed)
            elif step == "report":
                write_report(folder, record, self.target, self.model, routed)
            elif step == "synthesise" and isinstance(self.target, VendorTarget):
                record.tools = versions(self.target)
                shop.do(vendor_job(self.target, record.tools), anew=anew)
            elif self.tools is not None:
                routed |= self._open_step(shop, step, self.tools, routed, anew)
        self._end(record, self.tools is None and bool(missing_tools(self.target)))

    def _end(self, record: BuildRecord, missing: bool) -> None:
        """After the last step: an error unless all is in order."""
        if self.last == STEPS[-1] and record.verdict != "ok":
            if missing:
                raise EnvironmentMissingError(record.verdict)
            raise BuildError(record.verdict)

    def _open_step(
        self, shop: Workshop, step: str, tools: Tools, routed: dict[int, Timing], anew: bool
    ) -> dict[int, Timing]:
        """A step of the open tools; the timing of the seeds, once they are routed."""
        folder, plan = self.folder, self.plan
        if step == "synthesise":
            shop.do(synthesise_job(folder, self.target, tools), anew=anew)
            counted = FabricManifest.load(folder / FABRIC).estimates["multipliers"]
            require_fit(plan, self.target, self.model, cells(folder), counted)
        elif step == "netlist check":
            shop.do(netlist_job(plan, self.bundle, self.config), anew=anew)
        elif step == "place-and-route":
            for seed in plan.seeds:
                shop.do(route_job(folder, plan, self.target, tools, seed, self.limit_s), anew=anew)
            return {seed: read_timing(folder / f"seeds/{seed}/{TIMING}") for seed in plan.seeds}
        elif step == "pack":
            shop.do(pack_job(tools, self._best(routed)), anew=anew)
        return {}

    def _best(self, routed: dict[int, Timing]) -> int:
        """The seed with the fastest core; of equal ones the first."""
        return max(routed, key=lambda seed: routed[seed].core(self.plan.clock_mhz)[1])

    def _judge(self, record: BuildRecord, routed: dict[int, Timing]) -> None:
        """Whether the clock is met; the verdict goes into the record."""
        if not routed:
            ran = "synthesise" in record.steps
            record.verdict = "ok" if ran else not_run(self.target, self.folder, self.plan.clock_mhz)
            record.save(self.folder)
            return
        wanted = self.plan.clock_mhz
        achieved = {seed: timing.core(wanted)[1] for seed, timing in routed.items()}
        best = self._best(routed)
        others = []
        for net, (found, asked) in routed[best].clocks.items():
            if found < asked and abs(asked - wanted) >= 0.01 * wanted:
                others.append(f"{net} {found:.1f} of {asked:.1f} MHz")
        if achieved[best] >= wanted and not others:
            record.verdict = "ok"
        elif others:
            record.verdict = f"a clock beside the core's misses its goal: {'; '.join(others)}"
        else:
            missed = wanted - achieved[best]
            reachable = self.target.programmed_mhz(achieved[best])
            median = statistics.median(achieved.values())
            record.verdict = (
                f"the core reaches {achieved[best]:.2f} of {wanted:.2f} MHz, {missed:.2f} too few (best of "
                f"{len(achieved)} seeds, median {median:.2f}); --clock {reachable:.4f} is met by this "
                "routing, registers (--cuts) or more --seeds may reach more"
            )
        record.save(self.folder)


def store(record: BuildRecord, folder: Path, bundle: Path) -> Path:
    """Put bitstream and report into the bundle they were built from; returns their folder."""
    made = record.steps["pack" if "pack" in record.steps else "synthesise"].outputs
    results = [name for name in made if "/" not in name]
    sources = {name: folder / name for name in (*results, REPORT, PAGE)}
    facts = {
        "target": record.target,
        "part": record.part,
        "clock_mhz": record.clock_mhz,
        "style": record.plan["style"],
        "parameters": record.plan["parameters"],
        "plan_digest": record.plan_digest,
        "format_digest": record.format_digest,
        "bitstream": made[next((name for name in results if name == BITSTREAM), results[-1])],
    }
    top = "-events" if record.plan.get("top") == "events" else ""
    return add_artifact(bundle, f"{record.target}-{record.plan['style']}{top}", sources, facts)
