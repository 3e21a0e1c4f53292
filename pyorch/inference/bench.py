"""``pyorch bench cpu``: the native engine, beside ONNX Runtime and OpenVINO on the same model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pyorch.contract.bundle import Bundle
from pyorch.contract.figures import Figures
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import LstmLayer
from pyorch.contract.precision import PRESETS, Precision
from pyorch.inference.sample import random_bundle

EIGHT_BIT = replace(PRESETS["default"], hidden=FixedFormat(8, 1))
"""Weights, inputs and h of 8 bits, c of 16: the formats of the large case."""

CASES: dict[str, tuple[int, tuple[int, ...], Precision]] = {
    "f16_u32_default": (16, (32,), PRESETS["default"]),
    "f16_u32_narrow": (16, (32,), PRESETS["narrow"]),
    "f100_u100x2_8bit": (100, (100, 100), EIGHT_BIT),
}
"""Name → features, units of each layer, formats."""

CHECKED_STEPS = 5_000
CHUNK_TICKS = 200
FLOOR_RUNS = 50_000
PEER_CALLS = 400
SHORT, LONG = 8, 208
"""Sequence lengths whose difference in time is that of the bare kernel."""


@click.command()
@click.option("--simd", default="auto", help="auto, avx512vnni, avx2, neon or scalar.")
@click.option("--chunks", default=1500, help="Repetitions of 200 ticks a case.")
@click.option("--no-peers", is_flag=True, help="Leave the other runtimes out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def cpu(simd: str, chunks: int, no_peers: bool, as_json: bool) -> None:
    """Tick latency and throughput of the native engine, with peers in the same run.

    Tick latency: one step with the preparation done before it. Throughput: all work counted, ticks back to
    back; `run` is the same in one call for 200 ticks known beforehand. All from the vector to calibrated
    scores, clock readings included. Floor: the step's dot-product instructions alone, in the same run
    (AVX-512 VNNI). Of a shared machine the minimum says what the code does, the median what the machine
    left of it. Parts: each repeated alone over the same ticks, less what an empty call costs; in the whole
    they overlap, or wait for each other. The part `lstm` is all work of the LSTM layers, from the vector to
    h and R·h + b for the next, without the answer.
    """
    from rich.console import Console
    from rich.progress import Progress

    from pyorch.inference.compare import compare_engines
    from pyorch.inference.cpu import native_engine

    options = f"--simd {simd} --chunks {chunks}" + (" --no-peers" if no_peers else "")
    figures = Figures(f"pyorch bench cpu {options}", figures={"clock_ns": _clock_ns()})
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("bench cpu", total=len(CASES) * (1 if no_peers else 3))
        for case, (features, units, precision) in CASES.items():
            progress.update(task, description=case)
            bundle = random_bundle(1, features, units, precision)
            figures.digests[case] = bundle.digest()
            result = compare_engines(bundle, CHECKED_STEPS, simd=simd)
            figures.figures[f"{case}_checked_steps"] = result.steps
            figures.figures[f"{case}_mismatches"] = result.mismatches
            figures.ok = figures.ok and result.mismatches == 0
            figures.figures |= _size(case, bundle)
            engine = native_engine(bundle, simd)
            ticks = np.ascontiguousarray(_ticks(bundle, CHUNK_TICKS), dtype=np.int32)
            figures.figures |= {
                f"{case}_{name}": value for name, value in _measure(engine, ticks, chunks).items()
            }
            figures.figures |= {
                f"{case}_{name}": value for name, value in _parts(engine, ticks, chunks).items()
            }
            floor = _floor(engine, _instruction_bytes(bundle), FLOOR_RUNS)
            figures.figures |= {f"{case}_{name}": value for name, value in floor.items()}
            progress.advance(task)
            if not no_peers:
                for peer in ("ONNX Runtime", "OpenVINO"):
                    measured = _measure_peer(peer, bundle)
                    figures.peers[f"{peer}, {case}"] = measured | _ratios(
                        measured, figures.figures, case
                    )
                    progress.advance(task)
    figures.show(as_json)


def _ticks(bundle: Bundle, count: int) -> NDArray[np.int64]:
    from pyorch.inference.complete import random_features

    return random_features(np.random.default_rng(2), bundle.spec, (count,))


def _clock_ns() -> float:
    """What one pair of clock readings costs, in Python; the native clock costs less."""
    return min(-(time.perf_counter_ns() - time.perf_counter_ns()) for _ in range(2000))


def _size(case: str, bundle: Bundle) -> dict[str, float]:
    """Multiplications a step, and bytes of weights that a step reads at 8 bits each."""
    products = 0
    for layer in bundle.spec.layers:
        recurrent = isinstance(layer, LstmLayer)
        columns = layer.units * (4 if recurrent else 1)
        products += columns * (layer.inputs + (layer.units if recurrent else 0))
    return {f"{case}_weight_bytes": products}


def _instruction_bytes(bundle: Bundle) -> int:
    """64 bytes for every dot-product instruction of a step: inputs in fours, outputs in sixteens, an h of
    more than 8 bits in two planes."""
    vectors = 0
    for layer in bundle.spec.layers:
        planes = 1 + (layer.input.width > 8)
        if isinstance(layer, LstmLayer):
            columns = -(-4 * layer.units // 16)
            vectors += columns * -(-layer.inputs // 4) * planes
            vectors += columns * -(-layer.units // 4) * (1 + (layer.hidden.width > 8))
        else:
            vectors += -(-layer.units // 16) * -(-layer.inputs // 4) * planes
    return 64 * vectors


def _measure(engine: Any, ticks: NDArray[np.int32], chunks: int) -> dict[str, float]:
    steps = np.empty((chunks, len(ticks)), dtype=np.int64)
    together, run = np.empty(chunks), np.empty(chunks)
    for chunk in range(chunks):
        steps[chunk], one_by_one, in_one_call = engine.time_ticks(ticks)
        together[chunk], run[chunk] = one_by_one / len(ticks), in_one_call / len(ticks)
    return {
        "tick_min_ns": float(steps.min()),
        "tick_p50_ns": float(np.percentile(steps, 50)),
        "tick_p99_ns": float(np.percentile(steps, 99)),
        "throughput_min_ns_per_step": round(float(together.min()), 1),
        "throughput_p50_ns_per_step": round(float(np.median(together)), 1),
        "run_min_ns_per_step": round(float(run.min()), 1),
        "run_p50_ns_per_step": round(float(np.median(run)), 1),
    }


def _parts(engine: Any, ticks: NDArray[np.int32], chunks: int) -> dict[str, float]:
    """Each part of a tick alone, ns: its minimum and median, less those of an empty part."""
    from pyorch._native import LstmPart

    times = {
        part.name: np.array([engine.time_part(part, ticks) for _ in range(-(-chunks // 4))])
        / len(ticks)
        for part in LstmPart
    }
    call = times.pop("call")
    return {
        f"part_{name}_{what}_ns": round(float(of(values) - of(call)), 1)
        for name, values in times.items()
        for what, of in (("min", np.min), ("p50", np.median))
    }


def _floor(engine: Any, bytes_read: int, runs: int) -> dict[str, float]:
    """The dot products alone, as fast as this machine issues them right now; a clock reading is taken off."""
    clock = engine.time_floor(0, runs)
    times = engine.time_floor(bytes_read, runs)
    if len(times) == 0:
        return {}
    return {
        "floor_min_ns": float(times.min() - clock.min()),
        "floor_p50_ns": float(np.median(times) - np.median(clock)),
    }


def _measure_peer(peer: str, bundle: Bundle) -> dict[str, float]:
    """One stateful step as a user calls it from Python, and the kernel alone: the slope of time over T."""
    from pyorch.inference.peers import onnx_model, onnxruntime_call, openvino_call
    from pyorch.inference.reference import run_sequence

    model = onnx_model(bundle)
    call = onnxruntime_call(model) if peer == "ONNX Runtime" else openvino_call(model)
    raw = _ticks(bundle, LONG)
    values = bundle.spec.input.to_float(raw).astype(np.float32)[:, None]
    state = {
        f"{name}{number}": np.zeros((1, 1, layer.units), dtype=np.float32)
        for number, layer in enumerate(bundle.spec.lstm_layers)
        for name in ("h", "c")
    }
    logits = bundle.spec.logits.to_float(run_sequence(bundle, raw)[0])
    differences = []
    carried = dict(state)
    for step in range(40):
        results = call({"x": values[step : step + 1], **carried})
        differences.append(np.abs(results["logits"][0] - logits[step]).max())
        carried = {name: np.array(results[f"{name}_next"]) for name in state}
    one = _times_us(lambda: call({"x": values[:1], **carried}), PEER_CALLS)
    short = _times_us(lambda: call({"x": values[:SHORT], **state}), PEER_CALLS // 4)
    long = _times_us(lambda: call({"x": values[:LONG], **state}), PEER_CALLS // 4)
    return {
        "step_min_us": round(float(one.min()), 2),
        "step_p50_us": round(float(np.percentile(one, 50)), 2),
        "step_p99_us": round(float(np.percentile(one, 99)), 2),
        "kernel_min_us_per_step": round(float(long.min() - short.min()) / (LONG - SHORT), 3),
        "kernel_p50_us_per_step": round(
            float(np.median(long) - np.median(short)) / (LONG - SHORT), 3
        ),
        "largest_logit_difference": round(float(max(differences)), 4),
    }


def _ratios(peer: dict[str, float], ours: dict[str, float], case: str) -> dict[str, float]:
    """The peer's bare kernel, which has all vectors in one call, over ours with all work: tick by tick, and
    in one call too; minimum and median."""
    return {
        f"kernel_over_{way}_{what}": round(
            1e3 * peer[f"kernel_{what}_us_per_step"] / ours[f"{case}_{way}_{what}_ns_per_step"], 2
        )
        for way in ("throughput", "run")
        for what in ("min", "p50")
    }


def _times_us(run: Callable[[], object], count: int) -> NDArray[np.float64]:
    for _ in range(10):
        run()
    times = np.empty(count)
    for number in range(count):
        start = time.perf_counter_ns()
        run()
        times[number] = time.perf_counter_ns() - start
    return times / 1e3
