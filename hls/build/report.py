"""The figures of a build: `report.json`, and the same as one self-contained page, `report.html`."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import msgspec

from hls.build.blocks import cells_by_block
from hls.build.checks import LINT, NETLIST_CHECK, SIMULATION
from hls.build.ecp5 import NETLIST
from hls.build.emission import FABRIC
from hls.build.plan import STEPS
from hls.build.timing import Timing, TimingPath
from hls.build.vendor import vendor_clock
from pyorch.contract.build_record import BITSTREAM, BuildRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import canonical_json, write_atomically
from pyorch.contract.fabric import CYCLE_FIGURES, FabricManifest, input_lane, output_lane
from pyorch.contract.target import Target

REPORT = "report.json"
PAGE = "report.html"
ASSUMPTION = "assumption: not run with the vendor's tool"
ESTIMATE = "place and route's own timing estimate for this part and speed grade, not a sign-off"
SPAN = "the core: quantised features at s_axis to logits at m_axis; no host, bus or feature computation"
EVENT_SPAN = (
    "the feature path: market events at s_axis to decision words at m_axis; book, features, model, scores "
    "and policy are within, host and network are not"
)
SLIDING = {
    "window": "a tick of the sliding window: last beat to answer, T − 1 steps of it computed before",
    "stateful": "equal to the idle tick: h and c are carried, no window is computed again",
}
_MAPPED = re.compile(
    r"(_(TRELLIS_|LUT4|CCU2C|PFUMX|L6MUX21|DP16KD|PDPW16KD|MULT18X18D|D[IO](_|$|\[))|\$).*"
)
_PIECES = re.compile(r"(\.\d+)+$")
"""A memory's pieces are numbered: ``begun.0.8``."""


def latencies(manifest: FabricManifest, clock_mhz: float) -> dict[str, dict[str, Any]]:
    """Name → cycles, ns and what the figure spans."""
    named = [(n, manifest.cycles[n], s) for n, s in CYCLE_FIGURES.items() if n in manifest.cycles]
    if "idle_tick" in manifest.cycles:
        sliding = ("sliding_window_idle", manifest.cycles["idle_tick"], SLIDING[manifest.mode])
        named.insert(1, sliding)
    return {
        name: {"cycles": cycles, "ns": cycles * 1000 / clock_mhz, "spans": spans}
        for name, cycles, spans in named
    }


def own_name(net: str) -> str:
    """The design's own part of a name that synthesis made longer; a wholly generated one stays."""
    plain = net.removeprefix("$glbnet$")
    return _PIECES.sub("", _MAPPED.sub("", plain)) or plain


def clock_of(record: BuildRecord, routed: dict[int, Timing]) -> dict[str, Any]:
    """Programmed clock, and what each seed achieved; or that the clock is assumed."""
    clock = record.clock_mhz
    if not routed:
        return {"programmed_mhz": clock, "basis": ASSUMPTION}
    achieved = {seed: timing.core(clock)[1] for seed, timing in routed.items()}
    best = max(achieved, key=lambda seed: achieved[seed])
    return {
        "programmed_mhz": clock,
        "basis": ESTIMATE,
        "achieved_mhz": achieved[best],
        "median_mhz": statistics.median(achieved.values()),
        "seeds": {str(seed): mhz for seed, mhz in achieved.items()},
        "best_seed": best,
    }


def accuracy(model: Bundle) -> dict[str, Any] | None:
    """Macro-F1 of direction at exactly these formats, from the bundle's training; None: it states none."""
    training = model.provenance.get("training", {})
    try:
        found = training["direction"]["quantised"]["macro_f1"]
        value = {name: float(found[name]) for name in ("value", "low", "high")}
    except (KeyError, TypeError, ValueError):
        return None
    return {
        "macro_f1": value["value"],
        "low": value["low"],
        "high": value["high"],
        "ticks": training.get("test_ticks"),
        "what": "macro-F1 of direction on held-out ticks, in the integers that this fabric computes",
    }


def report_of(
    record: BuildRecord,
    target: Target,
    model: Bundle,
    manifest: FabricManifest,
    routed: dict[int, Timing],
) -> dict[str, Any]:
    """All figures of a build as plain JSON values."""
    clock = clock_of(record, routed)
    packed = record.steps.get("pack")
    report: dict[str, Any] = {
        "model": model.spec.name,
        "style": manifest.style,
        "parameters": manifest.parameters,
        "layers": list(manifest.layers),
        "target": target.name,
        "part": str(target.part),
        "verdict": record.verdict,
        "digests": {
            "model": record.model_digest,
            "format": record.format_digest,
            "plan": record.plan_digest,
            **({"bitstream": packed.outputs[BITSTREAM]} if packed else {}),
        },
        "span": SPAN if manifest.events is None else EVENT_SPAN,
        "clock": clock,
        "latency": latencies(manifest, record.clock_mhz),
        "accuracy": accuracy(model),
        "host": target.host,
        "tools": record.tools,
        "steps": {
            name: {
                "seconds": step.seconds,
                "cpu_seconds": step.cpu_seconds,
                "peak_mib": step.peak_mib,
                "source": step.source,
            }
            for name, step in sorted(record.steps.items(), key=lambda item: _place(item[0]))
        },
    }
    if routed:
        best = routed[clock["best_seed"]]
        net, _ = best.core(record.clock_mhz)
        report["critical_path"] = _path(best.critical(net))
        report["clocks"] = {
            own_name(name): {"achieved_mhz": achieved, "asked_mhz": asked}
            for name, (achieved, asked) in best.clocks.items()
        }
        report["crossings"] = [_path(path) for path in best.crossings()]
        report["resources"] = {
            kind: {"used": used, "available": available}
            for kind, (used, available) in best.resources.items()
            if used
        }
    else:
        report["estimates"] = manifest.estimates
    return report


def checks_of(folder: Path, record: BuildRecord) -> dict[str, dict[str, int]]:
    """What the checking steps of this build found; a step that was left out is not in it."""
    found: dict[str, dict[str, int]] = {}
    files = {"lint": LINT, "simulate": SIMULATION, "netlist check": NETLIST_CHECK}
    for step in files.keys() & record.steps.keys():
        said = json.loads((folder / files[step]).read_bytes())
        if step == "lint":
            found[step] = {"warnings": sum(said.values())}
            continue
        figures: dict[str, int] = said["figures"]
        kind = "_steps" if step == "simulate" else "compared"
        predicted = [name for name in figures if name.endswith("_predicted_cycles")]
        found[step] = {
            "compared": sum(value for name, value in figures.items() if name.endswith(kind)),
            "mismatches": sum(
                value for name, value in figures.items() if name.endswith("mismatches")
            ),
            "cycle_figures": len(predicted),
            "as_predicted": sum(
                figures[name] == figures[name.replace("_predicted", "")] for name in predicted
            ),
        }
    return found


def _place(job: str) -> tuple[int, str]:
    """Of a job in the order of the steps."""
    return next((n for n, step in enumerate(STEPS) if job.startswith(step)), len(STEPS)), job


def write_report(
    folder: Path, record: BuildRecord, target: Target, model: Bundle, routed: dict[int, Timing]
) -> dict[str, Any]:
    """Write `report.json` and `report.html`; returns the former."""
    manifest = FabricManifest.load(folder / FABRIC)
    report = report_of(record, target, model, manifest, routed)
    report["checks"] = checks_of(folder, record)
    report["stages"] = [msgspec.to_builtins(stage) for stage in manifest.stages]
    if (folder / NETLIST).is_file() and "synthesise" in record.steps and manifest.events:
        report["blocks"] = cells_by_block(folder / NETLIST, manifest.top)
    if target.flow != "ecp5" and "synthesise" in record.steps:
        report["clock"] = vendor_clock(folder, record.clock_mhz)
    write_atomically(folder / PAGE, page_of(report, manifest).encode())
    write_atomically(folder / REPORT, canonical_json(report) + b"\n")
    return report


def write_hls_report(
    folder: Path, record: BuildRecord, target: Target, model: Bundle, window_cycles: int | None
) -> dict[str, Any]:
    """The same for hls4ml's C++, whose only latency is the one that the vendor's synthesis states."""
    cycles = {} if window_cycles is None else {"cold_window": window_cycles}
    report = report_of(record, target, model, cpp_manifest(model, cycles), {})
    del report["digests"]["format"]
    report["checks"] = checks_of(folder, record)
    if "synthesise" in record.steps:
        report["clock"] = vendor_clock(folder, record.clock_mhz)
    write_atomically(folder / PAGE, page_of(report, cpp_manifest(model, cycles)).encode())
    write_atomically(folder / REPORT, canonical_json(report) + b"\n")
    return report


def cpp_manifest(model: Bundle, cycles: dict[str, int]) -> FabricManifest:
    """What hls4ml's stream has in common with a fabric: shape, lanes, and no predicted cycles."""
    spec = model.spec
    return FabricManifest(
        name=spec.name, style="hls4ml", parameters={}, model_digest=model.digest(), format_digest="",
        mode=spec.mode, window=spec.window, features=spec.features, outputs=len(spec.outputs),
        input=str(spec.input), wire=str(spec.input), logits=str(spec.logits),
        input_lane=input_lane(spec.input), output_lane=output_lane(spec.logits),
        layers=tuple(f"{layer.name}: {layer.inputs} × {layer.units}, hls4ml" for layer in spec.layers),
        state=(), loadable=False, image_words=0, cycles=cycles, estimates={}, top="model_stream",
        sources={}, memories={},
    )  # fmt: skip


def page_of(report: dict[str, Any], manifest: FabricManifest) -> str:
    """The report as HTML."""
    from pyorch.app.report.diagram import timing_diagram
    from pyorch.app.report.rendering import render_page

    cycle_ns = 1000 / report["clock"]["programmed_mhz"]
    order = (
        "idle_tick", "interval", "cold_window", "sliding_window_idle", "trade_to_decision",
        "levels_to_decision",
    )  # fmt: skip
    return render_page(
        "build.html",
        {
            "report": report,
            "events": manifest.events is not None,
            "first": [(n, report["latency"][n]) for n in order if n in report["latency"]],
            "rest": [(n, entry) for n, entry in report["latency"].items() if n not in order],
            "diagram": timing_diagram(manifest.stages, cycle_ns=cycle_ns)
            if manifest.stages
            else "",
            "cycle_ns": cycle_ns,
        },
        Path(__file__).parent,
    )


def _path(path: TimingPath) -> dict[str, Any]:
    """A path as JSON; pieces that follow each other under one name are one piece."""
    pieces: list[dict[str, Any]] = []
    total = 0.0
    for hop in path.hops:
        name = own_name(hop.name)
        total += hop.delay_ns
        if not pieces or pieces[-1]["name"] != name:
            pieces.append({"name": name, "logic_ns": 0.0, "routing_ns": 0.0})
        pieces[-1]["routing_ns" if hop.kind == "routing" else "logic_ns"] += hop.delay_ns
        pieces[-1]["until_ns"] = total
    return {
        "from": own_name(path.begin),
        "to": own_name(path.end),
        "begins": pieces[0]["name"] if pieces else "",
        "ends": pieces[-1]["name"] if pieces else "",
        "ns": path.delay_ns,
        "routing_share": path.routing_share,
        "pieces": pieces,
    }
