"""An emitted fabric against the reference: every logit of every stimulus in every way of serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from firmware.register_map import register_map
from hls.check import adversarial_windows, market_features, real_features
from hls.emit.clocks import Clocks
from hls.emit.project import emit_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import Decisions
from pyorch.contract.fabric import Code, FabricManifest, Kind
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow
from pyorch.features.definitions import extended_schema
from pyorch.inference.complete import random_features
from pyorch.inference.reference import Carried, advance, run_sequence, run_windows, zero_state
from sim.crossing import Crossing, crossings_of
from sim.event_burst import Waterfall
from sim.library import SimulatedFabric
from sim.measure import address, command, cycles_of, settle, start

FRAME_VECTORS = 500
"""Vectors in a SEQUENCE frame."""
TRAFFIC = ((0, 0), (30, 0), (0, 30), (40, 60))
"""Percent of cycles in which the source pauses, and in which the sink is not ready; frames take turns."""

PHASES = 9
"""Phases between two clocks that are measured, both ends among them."""

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done."""


@dataclass(slots=True)
class Comparison:
    """One stimulus in one way of serving.

    Attributes:
        steps: LSTM steps that the fabric computed for it.
        compared: integers; mismatches: of those, how many differ.
    """

    stimulus: str
    serving: str
    steps: int = 0
    compared: int = 0
    mismatches: int = 0
    first: str = ""

    def add(self, actual: IntArray, expected: IntArray, where: str) -> None:
        """Compare [n, k] integers; a missing row counts as wrong."""
        self.compared += expected.size
        if actual.shape != expected.shape:
            self.mismatches += expected.size
            self.first = self.first or f"{where}: {len(actual)} answers instead of {len(expected)}"
            return
        wrong = np.argwhere(actual != expected)
        self.mismatches += len(wrong)
        if len(wrong) and not self.first:
            row, column = (int(k) for k in wrong[0])
            self.first = (
                f"{where}, row {row}, column {column}: {int(actual[row, column])}, the reference says "
                f"{int(expected[row, column])}"
            )


@dataclass(slots=True)
class Verification:
    """All comparisons of a fabric, and its cycles: measured, and as the manifest predicts them.

    Attributes:
        crossings: figures at the ports of a fabric of two clocks, over a sweep of phases.
        clocks: its periods.
        waterfalls: of a feature path, where its cycles go; mhz: clock of the burst among them.
        decisions: of a feature path on the market.
    """

    manifest: FabricManifest
    comparisons: list[Comparison] = field(default_factory=list)
    cycles: dict[str, int] = field(default_factory=dict)
    crossings: list[Crossing] = field(default_factory=list)
    clocks: Clocks | None = None
    waterfalls: list[Waterfall] = field(default_factory=list)
    mhz: float = 0.0
    decisions: Decisions | None = None

    @property
    def mismatches(self) -> int:
        """Integers that differ, in all."""
        return sum(one.mismatches for one in self.comparisons)

    @property
    def wrong_cycles(self) -> list[str]:
        """Names of the figures that are not as predicted."""
        return [
            name for name, value in self.cycles.items() if self.manifest.cycles.get(name) != value
        ]

    @property
    def ok(self) -> bool:
        """Whether every integer and every cycle is as it should be."""
        crossed = all(one.ok for one in self.crossings)
        whole = all(one.lost == 0 for one in self.waterfalls)
        return not self.mismatches and not self.wrong_cycles and crossed and whole


def verify(
    bundle: Bundle,
    style: str,
    project: Path,
    *,
    steps: int = 10_000,
    tape: Path | None = None,
    wire: FixedFormat | None = None,
    periods: Clocks | None = None,
    phases: int = PHASES,
    progress: Progress = lambda _text, _share: None,
    **parameters: int,
) -> Verification:
    """Emit into ``project``, compile, compare, measure.

    Args:
        steps: LSTM steps of each stimulus in each way of serving.
        tape: market of the recorded features; default: the simulated market.
        periods: of a fabric of two clocks (``clocks=2`` among the parameters).
        phases: how many phases between two clocks are measured.
        parameters: of the style.

    Raises:
        ModelError, UsageError, BundleError: as `emit_bundle`.
        EnvironmentMissingError, BuildError: no Verilator, or it refuses the project.
    """
    progress("emitting", 0)
    emit_bundle(bundle, style, project, wire=wire, tools=None, **parameters)
    progress("compiling the RTL", 0.05)
    fabric = SimulatedFabric(project, clocks=periods)
    try:
        found = Verification(fabric.manifest)
        start(fabric)
        todo = list(stimuli(bundle, steps, tape))
        servings = ("sliding",) if bundle.spec.mode == "window" else ("stateful",)
        for number, (name, vectors) in enumerate(todo):
            for serving in (*servings, "cold windows"):
                progress(f"{name}, {serving}", 0.2 + 0.7 * number / len(todo))
                found.comparisons.append(compare(fabric, bundle, name, vectors, serving))
        progress("states", 0.9)
        if bundle.spec.mode == "stateful":
            found.comparisons.append(compare_state(fabric, bundle))
        progress("cycles", 0.95)
        rng = np.random.default_rng(11)
        found.cycles = cycles_of(
            fabric, random_features(rng, bundle.spec, (3 * bundle.spec.window + 8,))
        )
        if fabric.manifest.clocks == 2:
            progress("phases", 0.98)
            found.clocks = fabric.clocks
            vectors = random_features(rng, bundle.spec, (bundle.spec.window + 12,))
            found.crossings = crossings_of(fabric, bundle, vectors, phases)
        return found
    finally:
        fabric.close()


def stimuli(bundle: Bundle, steps: int, tape: Path | None) -> Iterator[tuple[str, IntArray]]:
    """(name, vectors [steps, F]): random, of a market, adversarial."""
    yield "random", random_features(np.random.default_rng(1), bundle.spec, (steps,))
    yield ("recorded" if tape else "simulated market"), of_market(bundle, steps, tape)
    hard = adversarial_windows(bundle).reshape(-1, bundle.spec.features)
    yield "adversarial", np.resize(hard, (steps, bundle.spec.features))


def of_market(bundle: Bundle, steps: int, tape: Path | None) -> IntArray:
    """Features of a market [steps, F], raw, in the input format.

    A model that is not on features gets those of the extended schema: the first F, from the start again
    where there are fewer, converted to its format.

    Raises:
        DataError: the tape has fewer ticks.
    """
    if bundle.schema is not None:
        return real_features(bundle, steps, tape)[:steps]
    schema, form = extended_schema(), bundle.spec.input
    rows = market_features(schema, steps, tape)[:steps].astype(np.int64)
    columns = np.arange(bundle.spec.features) % rows.shape[1]
    return form.convert(rows[:, columns], schema.format.fraction)


def on_wire(
    vectors: IntArray, bundle: Bundle, manifest: FabricManifest
) -> tuple[IntArray, IntArray]:
    """Vectors [n, F] of the model's input format → in the wire format, and what the fabric makes of them.

    A wire format of its own gets lower bits to round, and every eighth vector leaves the model's range.
    """
    wire, form = FixedFormat.parse(manifest.wire), bundle.spec.input
    if wire == form:
        return vectors, vectors
    rng, finer = np.random.default_rng(len(vectors)), wire.fraction - form.fraction
    sent = vectors << finer if finer >= 0 else vectors >> -finer
    sent[::8] *= 4
    sent += rng.integers(0, 1 << max(finer, 0), vectors.shape)
    limit = 1 << (manifest.input_lane - 1)
    sent = np.clip(sent, -limit, limit - 1)
    return sent, replace(form, overflow=Overflow.SAT).convert(sent, wire.fraction)


def compare(
    fabric: SimulatedFabric, bundle: Bundle, name: str, vectors: IntArray, serving: str
) -> Comparison:
    """One stimulus: as one long stream of ticks, or as windows from zero state.

    Sliding windows cost T steps a tick, so a T-th of the vectors makes as many steps.
    """
    manifest, length = fabric.manifest, bundle.spec.window
    found = Comparison(name, serving)
    command(fabric, clear=1)
    settle(fabric)
    if serving == "cold windows":
        sent, inputs = on_wire(vectors[: len(vectors) // length * length], bundle, manifest)
        windows = sent.reshape(-1, length, vectors.shape[1])
        frames = [manifest.encode(Kind.WINDOW, k, window) for k, window in enumerate(windows)]
        expected, _ = run_windows(bundle, inputs.reshape(windows.shape))
        groups = [range(k, min(k + 25, len(frames))) for k in range(0, len(frames), 25)]
        found.steps = windows.shape[0] * length
    else:
        if serving == "sliding":
            vectors = vectors[: max(len(vectors) // length, 2 * length)]
        sent, inputs = on_wire(vectors, bundle, manifest)
        parts = [sent[k : k + FRAME_VECTORS] for k in range(0, len(sent), FRAME_VECTORS)]
        frames = [manifest.encode(Kind.SEQUENCE, k, part) for k, part in enumerate(parts)]
        expected, _ = run_sequence(bundle, inputs)
        groups = [range(k, k + 1) for k in range(len(frames))]
        found.steps = len(vectors) * (length if serving == "sliding" else 1)
    answers: list[IntArray] = []
    for number, group in enumerate(groups):
        gap, stall = TRAFFIC[number % len(TRAFFIC)]
        back = fabric.stream(
            [frames[k] for k in group], gap_percent=gap, stall_percent=stall, seed=number + 1
        )
        for k, frame in zip(group, back.frames, strict=True):
            result = manifest.decode(frame)
            if (
                result.code != Code.OK
                or result.sequence != k
                or result.stated != len(result.logits)
            ):
                found.mismatches += 1
                found.first = found.first or f"frame {k}: status {result.code.name}"
            answers.append(result.logits)
    found.add(np.concatenate(answers), expected, f"{name}, {serving}")
    return found


def compare_state(fabric: SimulatedFabric, bundle: Bundle, rounds: int = 20) -> Comparison:
    """States at the ends of their formats, written; a tick; h, c and logits, read and compared."""
    found = Comparison("extreme states", "stateful")
    rng, spec = np.random.default_rng(3), bundle.spec
    for number in range(rounds):
        state = zero_state(spec, 1)
        for k, layer in enumerate(spec.lstm_layers):
            for values, form in ((state.hidden[k], layer.hidden), (state.cell[k], layer.cell)):
                ends = np.array([form.minimum, form.maximum, 0, -1])
                values[0] = rng.choice(ends, layer.units)
        write_state(fabric, state)
        sent, vector = on_wire(random_features(rng, spec, (1,)), bundle, fabric.manifest)
        expected = Carried([h.copy() for h in state.hidden], [c.copy() for c in state.cell])
        advance(bundle, expected, vector)
        fabric.ask(Kind.STEP, sent, number)
        settle(fabric)
        actual = read_state(fabric, spec_units(bundle))
        for k in range(len(spec.lstm_layers)):
            found.add(actual.hidden[k], expected.hidden[k], f"h of layer {k}, round {number}")
            found.add(actual.cell[k], expected.cell[k], f"c of layer {k}, round {number}")
        found.steps += 1
    return found


def spec_units(bundle: Bundle) -> list[int]:
    """Units of each LSTM layer."""
    return [layer.units for layer in bundle.spec.lstm_layers]


def write_state(fabric: SimulatedFabric, state: Carried) -> None:
    """Write h and c [1, units] of every layer, and load them between two ticks."""
    for layer, (hidden, cell) in enumerate(zip(state.hidden, state.cell, strict=True)):
        for kind, values in enumerate((hidden[0], cell[0])):
            fabric.write(address("STATE_ADDRESS"), _place(layer, kind, 0))
            for value in values.tolist():
                fabric.write(address("STATE_DATA"), value)
    command(fabric, load=1)
    settle(fabric)


def _place(layer: int, kind: int, unit: int) -> int:
    return register_map()["STATE_ADDRESS"].put(layer=layer, cell=kind, unit=unit)


def read_state(fabric: SimulatedFabric, units: list[int]) -> Carried:
    """h and c [1, units] of every layer."""
    found = zero_state_of(units)
    for layer, count in enumerate(units):
        for kind, values in enumerate((found.hidden[layer], found.cell[layer])):
            for unit in range(count):
                fabric.write(address("STATE_ADDRESS"), _place(layer, kind, unit))
                word = fabric.read(address("STATE_DATA"))
                values[0, unit] = word - (1 << 32) if word >> 31 else word
    return found


def zero_state_of(units: list[int]) -> Carried:
    """h = c = 0 for layers of so many units."""
    return Carried(
        [np.zeros((1, n), np.int64) for n in units], [np.zeros((1, n), np.int64) for n in units]
    )
