"""`pyorch check`: a bundle's reference against C simulation, stock hls4ml, and the native engine.

The bundle alone is enough: its hls4ml project is built again from it (see `hls.csim.project`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hls.csim.library import Simulation, Trace
from hls.csim.stock import CONFIGURATIONS, stock_features, stock_simulation
from pyorch._native import LstmEngine
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.schema import FeatureSchema
from pyorch.inference.compare import compare_engines
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import SIMD_NAMES
from pyorch.inference.reference import (
    Carried,
    advance,
    answer,
    run_streams,
    run_windows,
    zero_state,
)

SEQUENCE_STEPS = 1000
SEQUENCES = 4
STATES = 2000
"""Single steps from states at the ends of their formats."""
STOCK_WINDOWS = 500
STOCK_SEQUENCES = 6

Progress = Callable[[str, float], None]
"""Called with what is being done and how many of `phases` are done."""


@dataclass(slots=True)
class Comparison:
    """One comparison: integers compared, integers that differ, the first of them in words."""

    name: str
    compared: int = 0
    mismatches: int = 0
    first: str = ""
    unit: str = "logits of the C simulation"
    """What is counted."""

    def add(
        self, actual: IntArray, expected: IntArray, where: Callable[[tuple[int, ...]], str]
    ) -> None:
        """Compare arrays of one shape; ``where`` names an index."""
        wrong = np.argwhere(actual != expected)
        self.compared += expected.size
        self.mismatches += len(wrong)
        if len(wrong) and not self.first:
            at = tuple(int(k) for k in wrong[0])
            self.first = f"{where(at)}: {int(actual[at])}, the reference says {int(expected[at])}"


@dataclass(slots=True)
class Check:
    """All comparisons of a bundle."""

    bundle: Bundle
    simulation_sources: str = ""
    """Digest of the project that was built again from the bundle."""
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def mismatches(self) -> int:
        """Integers that differ, in all."""
        return sum(one.mismatches for one in self.comparisons)

    def show(self, console: Console) -> None:
        """Print an aligned table: what was compared, how many integers, how many differ."""
        title = f"{self.bundle.spec.name}: reference against …"
        table = Table(title=title, title_justify="left", box=None)
        table.add_column("comparison", no_wrap=True)
        table.add_column("compared", justify="right")
        table.add_column("differ", justify="right")
        table.add_column("what", style="dim")
        for one in self.comparisons:
            table.add_row(one.name, f"{one.compared:,}", f"{one.mismatches:,}", one.unit)
        console.print(table)
        console.print("[bold red]NOT ok[/]" if self.mismatches else "[green]ok[/]")


def real_features(bundle: Bundle, ticks: int, tape: Path | None = None) -> IntArray:
    """At least ``ticks`` feature vectors [m, F] of a market, raw, in the input format.

    From the tape, or the simulated market; random vectors for a model that is not on features.

    Raises:
        UsageError: a tape, and the model is not on features.
        DataError: the tape has fewer ticks.
    """
    if bundle.schema is None:
        if tape is not None:
            raise UsageError(
                f"--tape {tape}: {bundle.spec.name} has no feature schema, so no market gives its vectors; "
                "leave it out, or take a bundle of `pyorch train`"
            )
        return random_features(np.random.default_rng(2), bundle.spec, (ticks,))
    return market_features(bundle.schema, ticks, tape)


def market_features(schema: FeatureSchema, ticks: int, tape: Path | None = None) -> IntArray:
    """At least ``ticks`` feature vectors [m, F] of the tape, or of the simulated market.

    Raises:
        DataError: the tape has fewer ticks.
    """
    from pyorch.features.streaming import compute
    from pyorch.market.clock import insert_timer_ticks
    from pyorch.market.simulate import simulate
    from pyorch.market.tape import read_tape

    if tape is not None:
        features = compute(read_tape(tape), schema).features
    else:
        two, seconds = schema.instruments > 1, 60.0
        while True:
            market = insert_timer_ticks(simulate(7, seconds, second=two))
            features = compute(market, schema).features
            if len(features) >= ticks:
                break
            seconds *= 2
    if len(features) < ticks:
        raise DataError(
            f"{tape}: {len(features):,} ticks, {ticks:,} are taken: ask for fewer --windows or --steps"
        )
    return features.astype(np.int64)


def adversarial_windows(bundle: Bundle) -> IntArray:
    """Windows [n, T, F] that drive every gate of the first layer to both ends of its sum.

    Per column of the kernel the inputs at the ends of their format whose products all have one sign,
    held for the whole window, and their alternation; and random ends.
    """
    spec = bundle.spec
    upward, downward = _aligned(bundle.weights[f"{spec.layers[0].name}.kernel"], spec.input)
    held = np.concatenate([upward, downward])[:, None, :].repeat(spec.window, axis=1)
    alternating = held.copy()
    alternating[: len(upward), 1::2] = downward[:, None, :]
    alternating[len(upward) :, 1::2] = upward[:, None, :]
    rng = np.random.default_rng(3)
    ends = rng.choice(_ends(spec.input), (len(held), spec.window, spec.features))
    return np.concatenate([held, alternating, ends])


def adversarial_states(bundle: Bundle, count: int) -> tuple[IntArray, Carried]:
    """Features [n, F] and states (h, c of every layer [n, units]) at the ends of their formats.

    ``count`` random ones; then for each column of the first layer the two in which x and h drive its sum
    to the very ends that the accumulator's width was proven for.
    """
    spec, rng, first = bundle.spec, np.random.default_rng(4), bundle.spec.lstm_layers[0]
    directed = [
        np.concatenate(_aligned(bundle.weights[f"{first.name}.{part}"], form))
        for part, form in (("kernel", spec.input), ("recurrent", first.hidden))
    ]
    rows = count + len(directed[0])
    features = rng.choice(_ends(spec.input), (rows, spec.features))
    hidden = [rng.choice(_ends(layer.hidden), (rows, layer.units)) for layer in spec.lstm_layers]
    cell = [rng.choice(_ends(layer.cell), (rows, layer.units)) for layer in spec.lstm_layers]
    features[count:], hidden[0][count:] = directed
    return features, Carried(hidden, cell)


def _aligned(matrix: IntArray, form: FixedFormat) -> tuple[IntArray, IntArray]:
    """Per column of the matrix the values whose products with it are greatest, and least."""
    positive = matrix.T >= 0
    return (
        np.where(positive, form.maximum, form.minimum),
        np.where(positive, form.minimum, form.maximum),
    )


def _ends(form: FixedFormat) -> IntArray:
    values = {form.minimum, form.minimum + 1, -1, 0, 1, form.maximum - 1, form.maximum}
    return np.array(sorted(v for v in values if form.minimum <= v <= form.maximum), dtype=np.int64)


def phases(steps: int) -> int:
    """How many phases `check_bundle` reports."""
    return 5 + len(CONFIGURATIONS) + (len(LstmEngine.available()) if steps else 0)


def check_bundle(
    bundle: Bundle,
    *,
    windows: int = 2000,
    steps: int = 1_000_000,
    tape: Path | None = None,
    cache: Path | None = None,
    progress: Progress = lambda _text, _done: None,
) -> Check:
    """Every comparison; nothing is raised for a mismatch.

    Args:
        windows: windows of real features.
        steps: steps of reference against native engine, for each SIMD path of this machine; 0: none.
        tape: where features come from; default: the simulated market.
        cache: where compiled simulations are kept.
        progress: called with what is being done.
    """
    check = Check(bundle)
    progress("building the C simulation from the bundle", 0)
    simulation = Simulation.build(bundle, cache=cache)
    check.simulation_sources = simulation.project.digest()
    length = bundle.spec.window
    progress("computing features", 1)
    ticks = max(windows + length - 1, SEQUENCES * SEQUENCE_STEPS)
    features = real_features(bundle, ticks, tape)
    progress(f"{windows:,} windows of real features", 2)
    starts = np.linspace(0, len(features) - length, windows).astype(np.int64)
    real = features[starts[:, None] + np.arange(length)]
    check.comparisons.append(compare_windows("real_windows", bundle, simulation, real))
    progress("adversarial windows and states", 3)
    hard = adversarial_windows(bundle)
    check.comparisons.append(compare_windows("adversarial_windows", bundle, simulation, hard))
    check.comparisons.append(compare_states(bundle, simulation, STATES))
    progress(f"sequences of {SEQUENCE_STEPS:,} steps", 4)
    check.comparisons.append(_compare_sequences(bundle, simulation, features))
    for number, configuration in enumerate(CONFIGURATIONS):
        progress(f"stock hls4ml: {configuration.name}", 5 + number)
        check.comparisons.append(compare_stock(number, cache))
    if steps:
        check.comparisons += _compare_native(bundle, steps, progress)
    return check


def compare_windows(
    name: str, bundle: Bundle, simulation: Simulation, features: IntArray
) -> Comparison:
    """Windows [n, T, F] through the project's top function; a difference is traced to its first state."""
    comparison = Comparison(name)
    expected, _ = run_windows(bundle, features)
    actual = simulation.windows(features)
    comparison.add(actual, expected, lambda at: f"logits, window {at[0]}, output {at[1]}")
    if comparison.mismatches:
        window = int(np.argwhere(actual != expected)[0][0])
        traced = Comparison(name)
        _add_trace(traced, bundle, simulation, features[window], f"window {window}")
        comparison.first = traced.first or comparison.first
    return comparison


def _compare_sequences(bundle: Bundle, simulation: Simulation, features: IntArray) -> Comparison:
    comparison = Comparison("sequences", unit="h, c and logits of the C simulation")
    for number in range(SEQUENCES):
        start = number * (len(features) - SEQUENCE_STEPS) // max(SEQUENCES - 1, 1)
        part = features[start : start + SEQUENCE_STEPS]
        _add_trace(comparison, bundle, simulation, part, f"sequence {number}")
    hard = adversarial_windows(bundle).reshape(-1, bundle.spec.features)[:SEQUENCE_STEPS]
    _add_trace(comparison, bundle, simulation, hard, "adversarial sequence")
    return comparison


def compare_states(bundle: Bundle, simulation: Simulation, count: int) -> Comparison:
    """Single steps from states at the ends of their formats: every state and logit."""
    comparison = Comparison("adversarial_states", unit="h, c and logits of the C simulation")
    features, state = adversarial_states(bundle, count)
    traces = [
        simulation.steps(
            features[k : k + 1], [h[k] for h in state.hidden], [c[k] for c in state.cell]
        )
        for k in range(len(features))
    ]
    advance(bundle, state, features)
    logits, _ = answer(bundle, state.hidden[-1])
    _add_states(comparison, bundle, _joined(traces), state.hidden, state.cell, logits, "state")
    return comparison


def _add_trace(
    comparison: Comparison, bundle: Bundle, simulation: Simulation, features: IntArray, where: str
) -> None:
    """Every state and logit of a sequence [m, F] from zero state."""
    state = zero_state(bundle.spec, 1)
    hidden: list[list[IntArray]] = [[] for _ in bundle.spec.lstm_layers]
    cell: list[list[IntArray]] = [[] for _ in bundle.spec.lstm_layers]
    for vector in features:
        advance(bundle, state, vector[None])
        for number in range(len(hidden)):
            hidden[number].append(state.hidden[number][0])
            cell[number].append(state.cell[number][0])
    logits, _ = answer(bundle, np.stack(hidden[-1]))
    expected = [np.stack(part) for part in hidden], [np.stack(part) for part in cell]
    _add_states(comparison, bundle, simulation.steps(features), *expected, logits, f"{where}, step")


def _add_states(
    comparison: Comparison,
    bundle: Bundle,
    trace: Trace,
    hidden: list[IntArray],
    cell: list[IntArray],
    logits: IntArray,
    where: str,
) -> None:
    """Compare in the order of computation, so that the first mismatch is the cause: earliest row first."""
    stages: list[tuple[str, IntArray, IntArray]] = []
    for number, layer in enumerate(bundle.spec.lstm_layers):
        stages.append((f"{layer.name}.c", trace.cell[number], cell[number]))
        stages.append((f"{layer.name}.h", trace.hidden[number], hidden[number]))
    stages.append(("logits", trace.logits, logits))
    wrong = np.zeros(len(logits), dtype=bool)
    for _, actual, expected in stages:
        wrong |= (actual != expected).any(axis=1)
    rows = np.flatnonzero(wrong)
    first = int(rows[0]) if len(rows) else 0
    for stage, actual, expected in stages:
        units = np.flatnonzero(actual[first] != expected[first])
        if len(units) and not comparison.first:
            unit = int(units[0])
            comparison.first = (
                f"{stage}, {where} {first}, unit {unit}: {int(actual[first, unit])}, "
                f"the reference says {int(expected[first, unit])}"
            )
        comparison.mismatches += int(np.count_nonzero(actual != expected))
        comparison.compared += expected.size


def compare_stock(number: int, cache: Path | None = None) -> Comparison:
    """The reference against hls4ml as it ships, in one of the configurations that compile."""
    configuration = CONFIGURATIONS[number]
    bundle, simulation = stock_simulation(configuration, cache)
    comparison = Comparison(f"stock_{number + 1}", unit=f"stock hls4ml: {configuration.name}")
    count = STOCK_SEQUENCES if configuration.sequences else STOCK_WINDOWS
    features = stock_features(configuration, count)
    actual = simulation.windows(features)
    if configuration.sequences:
        expected, _ = run_streams(bundle, features)
        comparison.add(
            actual, expected, lambda at: f"h, sequence {at[0]}, step {at[1]}, unit {at[2]}"
        )
    else:
        expected, _ = run_windows(bundle, features)
        comparison.add(actual, expected, lambda at: f"logits, window {at[0]}, output {at[1]}")
    return comparison


def _compare_native(bundle: Bundle, steps: int, progress: Progress) -> list[Comparison]:
    found = []
    for number, simd in enumerate(LstmEngine.available()):
        text, done = f"{steps:,} steps of the native engine, {simd}", 0
        before = 5 + len(CONFIGURATIONS) + number

        def advance(more: int, text: str = text, before: int = before) -> None:
            nonlocal done
            done += more
            progress(text, before + min(1.0, done / steps))

        advance(0)
        result = compare_engines(bundle, steps, simd=simd, progress=advance)
        unit = f"steps of the native engine, {SIMD_NAMES[simd]}"
        found.append(
            Comparison(f"native_{simd}", result.steps, result.mismatches, result.first, unit)
        )
    return found


def _joined(traces: list[Trace]) -> Trace:
    layers = range(len(traces[0].hidden))
    return Trace(
        tuple(np.concatenate([trace.hidden[k] for trace in traces]) for k in layers),
        tuple(np.concatenate([trace.cell[k] for trace in traces]) for k in layers),
        np.concatenate([trace.logits for trace in traces]),
    )
