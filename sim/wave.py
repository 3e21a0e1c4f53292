"""A step of a simulated fabric as waveform: recorded, read back, compared with its prediction, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hls.emit.project import style_of
from hls.emit.stages import Activity, stages_of
from hls.emit.style import StylePlan
from pyorch.app.report.diagram import Signal, timing_diagram
from pyorch.app.report.rendering import render_page
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import DataError
from pyorch.contract.fabric import FabricManifest, Kind, Stage
from pyorch.contract.fixed import IntArray
from pyorch.inference.complete import random_features
from sim.library import SimulatedFabric
from sim.measure import settle, start

CLOCK_TIME = 10
"""Units of VCD time a cycle (`shim.cpp`); at a cycle's begin it holds what the rising edge will see."""
LEAD_CYCLES = 4
"""Of silence before the frame."""
SCOPES = (("fabric_top",), ("fabric_top", "core"), ("fabric_top", "shell"))


class Wave:
    """Signals of a waveform file, cycle by cycle.

    Args:
        path: a VCD file.
        first: the cycle in which it begins.
        wanted: names of signals of the top, the core or the shell.

    Raises:
        DataError: a signal is not in the file.
    """

    def __init__(self, path: Path, first: int, wanted: Sequence[str]) -> None:
        codes: dict[str, list[str]] = {}
        changes: dict[str, list[tuple[int, int]]] = {}
        scope: list[str] = []
        time = 0
        with path.open() as lines:
            for line in lines:
                words = line.split()
                if not words:
                    continue
                if words[0] == "$scope":
                    scope.append(words[2])
                elif words[0] == "$upscope":
                    scope.pop()
                elif words[0] == "$var" and tuple(scope[1:]) in SCOPES:
                    if words[4] in wanted:
                        codes.setdefault(words[3], []).append(words[4])
                elif line[0] == "#":
                    time = int(words[0][1:])
                elif line[0] in "01xz":
                    if words[0][1:] in codes:
                        changes.setdefault(words[0][1:], []).append((time, int(line[0] == "1")))
                elif line[0] == "b" and words[1] in codes:
                    value = int(words[0][1:].replace("x", "0").replace("z", "0"), 2)
                    changes.setdefault(words[1], []).append((time, value))
        self.first, self.cycles = first, time // CLOCK_TIME - first + 1
        self.values: dict[str, IntArray] = {}
        for code, names in codes.items():
            values = np.zeros(self.cycles, np.int64)
            for at, value in changes.get(code, []):
                values[max(0, -(-at // CLOCK_TIME) - first) :] = value
            self.values |= dict.fromkeys(names, values)
        missing = [name for name in wanted if name not in self.values]
        if missing:
            raise DataError(f"{path} has no signals {missing}; simulate again with --wave")

    def __getitem__(self, name: str) -> IntArray:
        return self.values[name]

    def when(self, *names: str) -> list[int]:
        """Cycles, from the wave's first one on, in which all of these signals are high."""
        high = np.ones(self.cycles, bool)
        for name in names:
            high &= self.values[name] != 0
        return [int(cycle) for cycle in np.flatnonzero(high)]


@dataclass(frozen=True, slots=True)
class Recording:
    """An idle tick as it was simulated.

    Attributes:
        tick: cycle of the wave in which the last beat of the tick was taken.
        stages: read off the wave.
        vcd, page: the files: waveform and timing diagram.
    """

    manifest: FabricManifest
    wave: Wave
    tick: int
    stages: tuple[Stage, ...]
    vcd: Path
    page: Path

    @property
    def differences(self) -> list[str]:
        """Where the simulated stages are not the predicted ones."""
        found = [
            f"{a.title}: cycles {a.begin} to {a.end - 1}, predicted {b.begin} to {b.end - 1}"
            for a, b in zip(self.stages, self.manifest.stages, strict=False)
            if a != b
        ]
        if len(self.stages) != len(self.manifest.stages):
            found.append(f"{len(self.stages)} stages, predicted {len(self.manifest.stages)}")
        return found


def record_step(bundle: Bundle, project: Path) -> Recording:
    """Simulate one idle tick of an emitted bundle; write ``PROJECT.vcd`` and ``PROJECT.html`` beside it.

    Raises:
        EnvironmentMissingError, BuildError: no Verilator, or it refuses the project.
    """
    manifest = FabricManifest.load(project)
    plan = style_of(manifest.style).plan(bundle, **manifest.parameters)
    count = bundle.spec.window + 1 if manifest.mode == "window" else 1
    vectors = random_features(np.random.default_rng(0), bundle.spec, (count,))
    recording = record(project, plan, vectors, project.with_name(f"{project.name}.vcd"))
    draw(recording, recording.page)
    return recording


def record(project: Path, plan: StylePlan, vectors: IntArray, path: Path) -> Recording:
    """Simulate an idle tick of a project and keep its waveform.

    Args:
        plan: of the project.
        vectors: [T + 1, F]; all but the last go before, so that a window is full.
        path: the VCD file to write.

    Raises:
        EnvironmentMissingError, BuildError: no Verilator, or it refuses the project.
    """
    fabric = SimulatedFabric(project, trace=True)
    try:
        manifest = fabric.manifest
        start(fabric)
        for number in range(len(vectors) - 1):
            fabric.ask(Kind.STEP, vectors[number : number + 1], number)
        settle(fabric)
        first = fabric.cycles
        fabric.trace(path)
        frame = manifest.encode(Kind.STEP, len(vectors) - 1, vectors[-1:])
        sent = fabric.stream([frame], after=LEAD_CYCLES)
        settle(fabric)
        fabric.run(2)
        fabric.trace(None)
    finally:
        fabric.close()
    blocks = _blocks(plan)
    wave = Wave(path, first, [name for group in _signals(blocks).values() for name in group])
    tick = int(sent.in_cycles[-1]) - first
    stages = stages_of(_activity(wave, blocks, tick), plan, manifest.mode == "window")
    return Recording(manifest, wave, tick, stages, path, path.with_suffix(".html"))


def _blocks(plan: StylePlan) -> list[str]:
    return [f"{block.kind}_{number}" for number, block in enumerate(plan.blocks)]


def _signals(blocks: list[str]) -> dict[str, list[str]]:
    """Kind → nets of the generated core and top."""
    lstms = [name for name in blocks if name.startswith("lstm")]
    denses = [name for name in blocks if name.startswith("dense")]
    between = [f"whole_{number}" for number in range(len(lstms) - 1)]
    return {
        "in": ["s_axis_tvalid", "s_axis_tready"],
        "x": [f"{name}_{part}" for name in ("x", *between) for part in ("valid", "ready")],
        "h": [f"{name}_valid" for name in lstms],
        "y": [f"{name}_valid" for name in denses[:-1]] + ["y_valid"],
        "out": ["m_axis_tvalid", "m_axis_tready", "m_axis_tlast"],
        "idle": ["blocks_idle", "prepared"],
    }


def _activity(wave: Wave, blocks: list[str], tick: int) -> Activity:
    lstms = [name for name in blocks if name.startswith("lstm")]
    denses = [name for name in blocks if name.startswith("dense")]
    into = ["x", *(f"whole_{number}" for number in range(len(lstms) - 1))]
    out = [f"{name}_valid" for name in denses[:-1]] + (["y_valid"] if denses else [])

    def after(cycles: list[int]) -> list[int]:
        return [cycle - tick for cycle in cycles if cycle >= tick]

    def quiet(values: IntArray) -> int:
        """The first cycle from which on all are set."""
        unset = np.flatnonzero(values[tick:] == 0)
        return int(unset[-1]) + 1 if len(unset) else 0

    return Activity(
        taken=[after(wave.when(f"{name}_valid", f"{name}_ready")) for name in into],
        pushed=[after(wave.when(f"{name}_valid")) for name in lstms],
        answered=[after(wave.when(name))[0] for name in out],
        beats=after(wave.when("m_axis_tvalid", "m_axis_tready")),
        idle=[quiet(wave["blocks_idle"] >> number & 1) for number in range(len(lstms))],
        prepared=quiet(wave["prepared"]),
    )


def draw(recording: Recording, page: Path) -> None:
    """Write stages and signals over the same cycles as one self-contained HTML page."""
    end = max(stage.end for stage in recording.stages) + 1
    left, right = -LEAD_CYCLES, min(end, recording.wave.cycles - recording.tick)
    signals = [
        Signal(name, _levels(recording, name, left, right))
        for names in _signals(_names(recording.manifest)).values()
        for name in names
        if name != "blocks_idle"
    ]
    diagram = timing_diagram(recording.stages, signals, first=left, last=right)
    context: Mapping[str, object] = {
        "manifest": recording.manifest, "diagram": diagram, "differences": recording.differences,
        "parameters": ", ".join(f"{k} {v}" for k, v in recording.manifest.parameters.items()),
    }  # fmt: skip
    write_atomically(page, render_page("wave.html", context).encode())


def _names(manifest: FabricManifest) -> list[str]:
    return [f"{layer.split()[0]}_{number}" for number, layer in enumerate(manifest.layers)]


def _levels(recording: Recording, name: str, left: int, right: int) -> list[int | None]:
    values = recording.wave[name]
    return [
        int(values[cycle] != 0) if 0 <= cycle < len(values) else None
        for cycle in range(recording.tick + left, recording.tick + right)
    ]
