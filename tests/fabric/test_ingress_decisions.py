"""From the pins of two PHYs to decision words, simulated: `sim.bench.ingress.bench_decisions`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hls.emit.events import EventShape
from hls.emit.events_project import emit_events
from hls.emit.ingress import DEFAULT_LISTEN, made_of
from sim.bench.events.small import image_of, lively, small_desk
from sim.bench.ingress import bench_line
from sim.bench.runner import project_design, run_bench

BENCH = Path(bench_line.__file__).parent / "decisions_bench.sv"


@pytest.mark.full
def test_decisions_of_events_from_two_lossy_lines_are_the_cpu_loops(tmp_path: Path) -> None:
    desk, shape, project = lively(small_desk()), EventShape(window_bits=11), tmp_path / "path"
    image = image_of(desk.bundle, desk.plan, shape.rules)
    ingress = made_of("mii", DEFAULT_LISTEN, None)
    emit_events(desk.bundle, "baked", project, image, shape, ingress=ingress)
    design = project_design(project)
    design = replace(design, top="decisions_bench", sources=(*design.sources, BENCH))
    environment = {"PYORCH_PROJECT": str(project)}
    run_bench(
        tmp_path / "bench", "verilator", design, "sim.bench.ingress.bench_decisions", environment
    )
