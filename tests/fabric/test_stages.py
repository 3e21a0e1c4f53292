"""The stages of an idle tick: they follow each other and make up the predicted cycles."""

import re
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from rich.console import Console

from hls.emit.project import emit_bundle
from hls.emit.show import show
from pyorch.app.commands import report
from pyorch.app.report.diagram import GUTTER, RIGHT, WIDTH, Signal, timing_diagram
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest, Stage
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

Mode = Literal["window", "stateful"]
SHAPES: list[tuple[int, tuple[int, ...], tuple[int, ...], Mode]] = [
    (16, (10,), (), "stateful"),
    (6, (8, 5), (4,), "window"),
    (17, (3, 2, 4), (7, 2), "stateful"),
]


def emit(
    out: Path, features: int, units: tuple[int, ...], dense: tuple[int, ...], mode: Mode,
    style: str = "folded",
) -> FabricManifest:  # fmt: skip
    bundle = random_bundle(
        1, features, units, PRESETS["narrow"], hidden_dense=dense, window=5, mode=mode
    )
    return emit_bundle(bundle, style, out / style)


@pytest.mark.parametrize("style", ["folded", "loadable", "baked"])
@pytest.mark.parametrize(("features", "units", "dense", "mode"), SHAPES)
def test_awaited_stages_make_up_the_idle_tick(
    features: int, units: tuple[int, ...], dense: tuple[int, ...], mode: Mode, style: str, tmp_path: Path,
) -> None:  # fmt: skip
    manifest = emit(tmp_path, features, units, dense, mode, style)
    awaited = [stage for stage in manifest.stages if stage.awaited]
    assert awaited[0].begin == 0
    for before, after in pairwise(awaited):
        assert before.end == after.begin
    assert [stage.name for stage in awaited[-2:]] == ["answer out", "status"]
    assert awaited[-2].begin == manifest.cycles["idle_tick"]
    assert awaited[-2].cycles == manifest.answer_beats
    layers = [f"lstm_{k}" for k in range(len(units))] + [
        f"dense_{k}" for k in range(len(dense) + 1)
    ]
    assert list(dict.fromkeys(stage.block for stage in awaited if stage.block)) == layers


def test_what_prepares_the_next_tick_is_not_awaited(tmp_path: Path) -> None:
    stateful = emit(tmp_path, 16, (32,), (), "stateful")
    (background,) = [stage for stage in stateful.stages if not stage.awaited]
    assert (background.name, background.block) == ("next R·h + b", "lstm_0")
    windowed = emit(tmp_path, 6, (8, 5), (4,), "window")
    (background,) = [stage for stage in windowed.stages if not stage.awaited]
    assert background.name == "next window"
    # T - 1 = 4 steps of it
    assert background.cycles > 4 * 8


def test_emission_prints_cycles_stages_and_estimates(tmp_path: Path) -> None:
    manifest = emit(tmp_path, 16, (32,), (), "stateful")
    console = Console(width=80, record=True, file=StringIO())
    show(manifest, console)
    lines = console.export_text().splitlines()
    for name, value in manifest.cycles.items():
        assert any(
            line.split()[: len(name.split("_")) + 1] == [*name.split("_"), f"{value:,}"]
            for line in lines
        )
    assert sum("█" in line for line in lines) == sum(stage.awaited for stage in manifest.stages)
    assert any(
        line.split()[:2] == ["multipliers", f"{manifest.estimates['multipliers']:,}"]
        for line in lines
    )


def test_report_shows_the_cycle_budgets_of_fabrics_alone(tmp_path: Path) -> None:
    folded = emit(tmp_path, 16, (32,), (), "stateful")
    emit(tmp_path, 6, (8, 5), (4,), "window", "loadable")
    page = tmp_path / "fabric.html"
    command = ["report", "--out", str(page)]
    command += [
        word for style in ("folded", "loadable") for word in ("--fabric", str(tmp_path / style))
    ]
    done = CliRunner().invoke(report, command[1:])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert "<h2>Cycle budget: folded" in text and "<h2>Cycle budget: loadable" in text
    assert "http" not in text.replace("http://www.w3.org", ""), "the page fetches something"
    for stage in folded.stages:
        span = f"cycles {stage.begin:,} to {stage.end - 1:,}</title>"
        assert f"<title>{stage.name} {stage.block}".strip() in text and span in text
    idle = folded.cycles["idle_tick"]
    assert f'<td>idle tick</td><td class="n">{idle}</td>' in text


def test_a_diagram_names_its_cycles_and_draws_waves_in_their_places() -> None:
    stages = [Stage("x·W", "lstm_0", 0, 10, True), Stage("status", "", 10, 11, True)]
    svg = timing_diagram(stages, [Signal("x_valid", [None, 0, 1, 1, 0])])
    scale = (WIDTH - GUTTER - RIGHT) / 11
    assert [int(text) for text in re.findall(r'text-anchor="middle">(\d+)</text>', svg)][
        :12
    ] == list(range(12))
    (path,) = re.findall(r'<path d="([^"]+)"', svg)
    points = [tuple(float(v) for v in point.split()) for point in re.split("[ML]", path)[1:]]
    rises = [a[0] for a, b in pairwise(points) if a[1] > b[1] and a[0] == b[0]]
    assert rises == [round(GUTTER + 2 * scale, 2)]
    assert ElementTree.fromstring(svg).tag == "svg"


def test_a_report_needs_a_journal_or_a_fabric() -> None:
    done = CliRunner().invoke(report, [])
    assert isinstance(done.exception, UsageError)
    assert "no journal given" in str(done.exception)
