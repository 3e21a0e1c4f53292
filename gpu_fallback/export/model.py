"""`export_cell` and `export_window`: a bundle as a static ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gpu_fallback.export import exact
from gpu_fallback.export.graph import Graph
from gpu_fallback.export.real import RealCell, check_real
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.model import DenseLayer, LstmLayer

Precision = Literal["exact", "fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LONGEST_WINDOW = 256
"""Most steps that a window is unrolled to: a graph grows by some 40 nodes a step and layer."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """How a precision writes a step and a dense layer, and the type of values at the graph's ports."""

    kind: type[np.generic]
    lstm_step: Callable[[LstmLayer, str, str, str, str], tuple[str, str]]
    dense: Callable[[DenseLayer, str, str], str]


def export_cell(bundle: Bundle, precision: Precision, batch: int = 1) -> bytes:
    """One step as ONNX.

    Inputs ``x`` [B, F] and, for each LSTM layer k, ``h{k}``, ``c{k}`` [B, units]; outputs ``logits``
    [B, O] and ``h{k}_next``, ``c{k}_next``. ``exact``: int32 raw integers; else the real numbers,
    float32 (``fp16``: float16).

    Args:
        bundle: the model.
        precision: ``exact`` (the contract's bits), ``fp32``, ``fp16``, ``int8`` (INT8 products by Q/DQ,
            symmetric, 2**-k scales; all else float32).
        batch: instruments in one launch (B), fixed in the graph.

    Raises:
        ModelError: a layer or format that the precision does not carry.
        UsageError: an unknown precision, or no instrument.
        EnvironmentMissingError: the package onnx is missing.
    """
    return _export(bundle, precision, batch, steps=1, carried=True)


def export_window(
    bundle: Bundle, precision: Precision, length: int | None = None, batch: int = 1
) -> bytes:
    """A window from zero state, unrolled: ``x`` [B, T, F] → ``logits`` [B, O] after the last vector.

    Args:
        bundle: the model.
        precision: as `export_cell`.
        length: vectors (T); default: the model's window.
        batch: windows in one launch (B).

    Raises:
        ModelError, UsageError, EnvironmentMissingError: as `export_cell`; a window longer than
            `LONGEST_WINDOW`.
    """
    steps = bundle.spec.window if length is None else length
    if not 1 <= steps <= LONGEST_WINDOW:
        raise UsageError(
            f"a window of {steps} vectors is outside 1..{LONGEST_WINDOW}; step through it with the cell"
        )
    return _export(bundle, precision, batch, steps, carried=False)


def _writer(graph: Graph, bundle: Bundle, precision: Precision) -> _Writer:
    if precision == "exact":
        exact.check_exact(bundle)
        return _Writer(
            exact.KIND,
            lambda layer, x, h, c, at: exact.lstm_step(graph, bundle, layer, x, h, c, at),
            lambda layer, x, at: exact.dense(graph, bundle, layer, x, at),
        )
    check_real(bundle, precision == "int8")
    kind: type[np.generic] = np.float16 if precision == "fp16" else np.float32
    cell = RealCell(graph, bundle, kind, precision == "int8")
    return _Writer(kind, cell.lstm_step, cell.dense)


def _export(bundle: Bundle, precision: Precision, batch: int, steps: int, carried: bool) -> bytes:
    if precision not in PRECISIONS:
        raise UsageError(f"there is no precision {precision!r}; choose {', '.join(PRECISIONS)}")
    if batch < 1:
        raise UsageError(f"a batch of {batch} instruments; give at least 1")
    spec = bundle.spec
    graph = Graph(f"{spec.name} {'cell' if carried else 'window'} {precision}")
    writer = _writer(graph, bundle, precision)
    if carried:
        vectors = [graph.input("x", writer.kind, [batch, spec.features])]
    else:
        whole = graph.input("x", writer.kind, [batch, steps, spec.features])
        vectors = [
            graph.node(
                "Gather", [whole, graph.constant(f"step:{k}", np.int64(k))], f"x.{k}", axis=1
            )
            for k in range(steps)
        ]
    states: list[tuple[str, str]] = []
    for number, layer in enumerate(spec.lstm_layers):
        shape = [batch, layer.units]
        if carried:
            states.append(
                (
                    graph.input(f"h{number}", writer.kind, shape),
                    graph.input(f"c{number}", writer.kind, shape),
                )
            )
        else:
            zeros = graph.constant(f"zero_state{number}", np.zeros(shape, writer.kind))
            states.append((zeros, zeros))
    value = ""
    for step, value in enumerate(vectors):
        for number, layer in enumerate(spec.lstm_layers):
            h, c = states[number]
            states[number] = writer.lstm_step(layer, value, h, c, f"{layer.name}.{step}")
            value = states[number][0]
    for dense in spec.layers:
        if isinstance(dense, DenseLayer):
            value = writer.dense(dense, value, dense.name)
    graph.output("logits", value, writer.kind, [batch, len(spec.outputs)])
    if carried:
        for number, (layer, (h, c)) in enumerate(zip(spec.lstm_layers, states, strict=True)):
            graph.output(f"h{number}_next", h, writer.kind, [batch, layer.units])
            graph.output(f"c{number}_next", c, writer.kind, [batch, layer.units])
    return graph.serialise()
