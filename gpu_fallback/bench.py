"""``pyorch bench gpu``: what a tick costs on this machine's GPU, from the bus alone to whole runtimes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import PyorchError, UsageError
from pyorch.contract.fixed import IntArray

SHAPES: dict[str, tuple[int, int, int, int]] = {
    "2x96_t64_f128": (2, 64, 128, 96),
    "3x160_t96_f192": (3, 96, 192, 160),
    "2x100_t50_f100": (2, 50, 100, 100),
}
"""Name → layers, steps of a window, features, units of each layer."""
DEMO = "demo"
CHUNK = 10_000
WINDOWS = 200
"""How often a window is timed."""
SEED = 1

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A model to measure.

    Attributes:
        steps: vectors of a window.
    """

    name: str
    bundle: Bundle
    steps: int


@click.command()
@click.option(
    "--bundle",
    type=click.Path(exists=True, path_type=Path),
    help="Of the case `demo`; default: the shipped model.",
)
@click.option(
    "--case", "names", multiple=True, help=f"Only these; default: {DEMO}, {', '.join(SHAPES)}."
)
@click.option("--ticks", default=20_000, show_default=True, help="Timed ticks of each body.")
@click.option(
    "--checked",
    default=100_000,
    show_default=True,
    help="Ticks compared bit for bit, a case.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def gpu(
    bundle: Path | None, names: tuple[str, ...], ticks: int, checked: int, as_json: bool
) -> None:
    """Ticks on the GPU: the bus, the persistent kernel, launches of the same cell, TensorRT, torch.

    ping_pong: one word to the GPU and back, what no tick can beat. persistent: the exact kernel that never
    ends. graph, launch: the same cell as one launch a tick, by a captured graph and plain. window: all
    vectors of a window in one request. These are timed by a native caller, windows, TensorRT and torch from
    Python; torch computes in float32 and float16. Before it is timed, the kernel's answers are compared with
    the native engine's. What is not installed is named and left out.
    """
    from rich.console import Console
    from rich.progress import Progress as Bars

    from gpu_fallback.kernels.library import Kernel
    from pyorch.contract.figures import Figures

    console = Console(stderr=True)
    chosen = list(cases(bundle, names))
    kernel = Kernel.load()
    device, capability = kernel.device()
    options = "".join(f" --case {name}" for name in names)
    figures = Figures(f"pyorch bench gpu{options} --ticks {ticks} --checked {checked}")
    figures.digests["gpu"] = f"{device}, compute capability {capability / 10:.1f}"
    with Bars(console=console, transient=True) as bars:
        task = bars.add_task("ping-pong", total=len(chosen) + 1)
        figures.figures |= spread("ping_pong", ping_pong(kernel, ticks))
        bars.advance(task)
        for case in chosen:
            bars.update(task, description=case.name)
            found, left_out = measure(kernel, case, ticks, checked)
            figures.peers[case.name] = found
            figures.digests[f"model {case.name}"] = case.bundle.digest()
            figures.ok = figures.ok and found["wrong_logits"] == 0
            bars.advance(task)
            for name, reason in left_out.items():
                bars.console.print(f"{case.name}: {name} not measured: {reason}")
    figures.show(as_json)
    if not figures.ok:
        raise SystemExit(1)


def cases(bundle: Path | None, names: tuple[str, ...]) -> Iterator[Case]:
    """The cases by name, all where none is named.

    Raises:
        UsageError: there is no such case.
    """
    from dataclasses import replace

    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.fixed import FixedFormat
    from pyorch.contract.precision import PRESETS
    from pyorch.inference.sample import random_bundle

    known = (DEMO, *SHAPES)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no case is called {unknown[0]!r}; there are {', '.join(known)}")
    # h of 8 bits: what shared memory of one cluster holds of the larger shapes
    narrow_h = replace(PRESETS["default"], hidden=FixedFormat(8, 1))
    for name in names or known:
        if name == DEMO:
            loaded = Bundle.load(bundle or shipped_bundle())
            yield Case(name, loaded, loaded.spec.window)
        else:
            layers, steps, features, units = SHAPES[name]
            yield Case(name, random_bundle(SEED, features, layers * (units,), narrow_h), steps)


def measure(
    kernel: Any, case: Case, ticks: int, checked: int
) -> tuple[dict[str, float], dict[str, str]]:
    """(figures of a case, name of a body that is not measured → why)."""
    from gpu_fallback.kernels.program import pack
    from pyorch.inference.complete import random_features

    found: dict[str, float] = {"checked_ticks": checked}
    left_out: dict[str, str] = {}
    vectors = random_features(np.random.default_rng(SEED), case.bundle.spec, (CHUNK,))
    packed = pack(case.bundle)
    found["blocks"], found["shared_bytes"] = packed.geometry.blocks, packed.shared_bytes
    found["wrong_logits"] = wrong_logits(kernel, case.bundle, checked)
    with_cell = _cell(kernel, case.bundle)
    found |= spread("persistent", with_cell.times(np.resize(vectors, (ticks, vectors.shape[1]))))
    found |= spread(
        "window", _timed(lambda: with_cell.window(_kind(vectors[: case.steps])), WINDOWS)
    )
    with_cell.close()
    for name, graph in (("graph", 1), ("launch", 0)):
        cell = _cell(kernel, case.bundle)
        found |= spread(name, cell.launch_times(graph, ticks))
        cell.close()
    bodies: dict[str, Callable[[], dict[str, float]]] = {
        "tensorrt": lambda: _tensorrt(case.bundle, vectors[:ticks]),
        "torch": lambda: _torch(case, WINDOWS),
    }
    for name, body in bodies.items():
        try:
            found |= body()
        except (PyorchError, ImportError, RuntimeError) as error:
            left_out[name] = str(error)
    return found, left_out


def wrong_logits(kernel: Any, bundle: Bundle, ticks: int) -> int:
    """Logits of the kernel that differ from the native engine's, over so many ticks of one stream."""
    from pyorch.inference.complete import random_features
    from pyorch.inference.cpu import native_engine

    native, cell, wrong = native_engine(bundle), _cell(kernel, bundle), 0
    rng = np.random.default_rng(SEED + 1)
    for begin in range(0, ticks, CHUNK):
        vectors = random_features(rng, bundle.spec, (min(CHUNK, ticks - begin),)).astype(np.int32)
        expected = np.asarray(native.run(vectors)[0])
        for vector, right in zip(vectors, expected, strict=True):
            wrong += int((cell.step(vector[None])[0] != right).sum())
    cell.close()
    return wrong


def ping_pong(kernel: Any, count: int) -> IntArray:
    """ns of one word to the GPU and back."""
    ns = np.empty(count, np.int64)
    kernel.call("time_ping_pong", count, ns.ctypes.data_as(ctypes.c_void_p))
    return ns


def spread(name: str, ns: IntArray) -> dict[str, float]:
    """p50, p99 and max in ns."""
    return {
        f"{name}_p50_ns": float(np.percentile(ns, 50)),
        f"{name}_p99_ns": float(np.percentile(ns, 99)),
        f"{name}_max_ns": float(ns.max()),
    }


def _cell(kernel: Any, bundle: Bundle) -> Any:
    from gpu_fallback.kernels.engine import CudaCell
    from gpu_fallback.kernels.program import pack

    units = [layer.units for layer in bundle.spec.lstm_layers for _ in range(2)]
    return CudaCell(kernel, pack(bundle), units, len(bundle.spec.outputs))


def _kind(vectors: IntArray) -> Any:
    return np.ascontiguousarray(vectors[:, None], np.int32)


def _timed(call: Callable[[], Any], count: int) -> IntArray:
    import time

    call()
    ns = np.empty(count, np.int64)
    for n in range(count):
        begin = time.perf_counter_ns()
        call()
        ns[n] = time.perf_counter_ns() - begin
    return ns


def _tensorrt(bundle: Bundle, vectors: IntArray) -> dict[str, float]:
    from gpu_fallback.trt.engine import TensorRtEngine
    from pyorch.inference.placement import engine_times

    engine = TensorRtEngine.open(bundle)
    try:
        return spread("tensorrt", engine_times(engine, vectors)[0])
    finally:
        engine.close()


def _torch(case: Case, count: int) -> dict[str, float]:
    """An LSTM of the same shape in torch, a window and a step, each one launch of a captured CUDA graph."""
    import torch

    if not torch.cuda.is_available():
        raise UsageError("torch finds no GPU")
    spec = case.bundle.spec
    layers = spec.lstm_layers
    found: dict[str, float] = {}
    for kind, name in ((torch.float32, "fp32"), (torch.float16, "fp16")):
        model = torch.nn.LSTM(spec.features, layers[0].units, len(layers)).cuda().to(kind).eval()
        for what, length in (("window", case.steps), ("step", 1)):
            given = torch.zeros(length, 1, spec.features, device="cuda", dtype=kind)
            state = tuple(
                torch.zeros(len(layers), 1, layers[0].units, device="cuda", dtype=kind)
                for _ in "hc"
            )
            found |= spread(f"torch_{name}_{what}", _torch_times(torch, model, given, state, count))
    return found


def _torch_times(torch: Any, model: Any, given: Any, state: Any, count: int) -> IntArray:
    with torch.inference_mode():
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                model(given, state)
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            model(given, state)

        def call() -> None:
            graph.replay()
            torch.cuda.synchronize()

        return _timed(call, count)
