"""The golden integer model: the executable definition of the contract's arithmetic.

Everything is raw integers. `docs/numeric_contract.md` states the rules in words. All functions work on a
batch of independent streams at once: the first axis is the stream.

Sums are exact, so their order and the type that carries them do not matter: where a bound on the actual
values shows that every partial sum is below 2**53, float64 BLAS computes the same integers faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo, Outputs, State
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import (
    CALIBRATION_SEGMENTS,
    PROBABILITY,
    Activation,
    DenseLayer,
    Head,
    LstmLayer,
    ModelSpec,
)
from pyorch.inference.model_check import check_model
from pyorch.inference.stream import StreamEngine

Weights = dict[str, IntArray]


@dataclass(slots=True)
class Carried:
    """State of a batch of streams: per LSTM layer h and c, each [n, units]."""

    hidden: list[IntArray]
    cell: list[IntArray]


def zero_state(spec: ModelSpec, streams: int) -> Carried:
    """h = c = 0 for ``streams`` streams."""
    shapes = [(streams, layer.units) for layer in spec.lstm_layers]
    return Carried(
        [np.zeros(shape, dtype=np.int64) for shape in shapes],
        [np.zeros(shape, dtype=np.int64) for shape in shapes],
    )


def run_windows(bundle: Bundle, features: IntArray) -> tuple[IntArray, IntArray]:
    """Windows from zero state: features [n, T, F] → logits [n, O], scores [n, O] after the last vector."""
    features = np.asarray(features, dtype=np.int64)
    state = zero_state(bundle.spec, features.shape[0])
    for step in range(features.shape[1]):
        advance(bundle, state, features[:, step])
    return answer(bundle, state.hidden[-1])


def run_streams(bundle: Bundle, features: IntArray) -> tuple[IntArray, IntArray]:
    """Stateful streams from zero state: features [n, m, F] → logits [n, m, O], scores [n, m, O]."""
    features = np.asarray(features, dtype=np.int64)
    streams, steps, _ = features.shape
    state = zero_state(bundle.spec, streams)
    last = np.empty((streams, steps, bundle.spec.lstm_layers[-1].units), dtype=np.int64)
    for step in range(steps):
        advance(bundle, state, features[:, step])
        last[:, step] = state.hidden[-1]
    logits, scores = answer(bundle, last.reshape(streams * steps, last.shape[-1]))
    shape = (streams, steps, logits.shape[-1])
    return logits.reshape(shape), scores.reshape(shape)


def run_sequence(bundle: Bundle, features: IntArray) -> tuple[IntArray, IntArray]:
    """What an engine's `step` answers, tick by tick from reset: features [m, F] → logits, scores [m, O].

    Stateful: h and c are carried. Windowed: the last T vectors, or as many as there are.
    """
    features = np.asarray(features, dtype=np.int64)
    if bundle.spec.mode == "stateful":
        logits, scores = run_streams(bundle, features[None])
        return logits[0], scores[0]
    length = bundle.spec.window
    logits, scores = run_streams(bundle, features[None, : length - 1])
    if len(features) < length:
        return logits[0], scores[0]
    windows = np.lib.stride_tricks.sliding_window_view(features, length, axis=0)
    full_logits, full_scores = run_windows(bundle, windows.transpose(0, 2, 1))
    return np.concatenate([logits[0], full_logits]), np.concatenate([scores[0], full_scores])


def advance(bundle: Bundle, state: Carried, features: IntArray) -> None:
    """One step of every LSTM layer, in place: features [n, F]."""
    values = features
    for number, layer in enumerate(bundle.spec.lstm_layers):
        state.hidden[number], state.cell[number] = lstm_step(
            layer, bundle.weights, values, state.hidden[number], state.cell[number]
        )
        values = state.hidden[number]


def lstm_step(
    layer: LstmLayer, weights: Weights, x: IntArray, h: IntArray, c: IntArray
) -> tuple[IntArray, IntArray]:
    """One step: x [n, inputs], h and c [n, units] → h and c."""
    name, fraction = layer.name, layer.accumulator.fraction
    a = (
        _aligned(exact_product(x, weights[f"{name}.kernel"]), layer.input, layer.kernel, fraction)
        + _aligned(
            exact_product(h, weights[f"{name}.recurrent"]), layer.hidden, layer.recurrent, fraction
        )
        + (weights[f"{name}.bias"] << (fraction - layer.bias.fraction))
    )
    gate_table = weights.get(f"{name}.gate_table")
    cell_table = weights.get(f"{name}.cell_table")
    blocks = np.split(a, 4, axis=1)
    i = activate(layer.gate, gate_table, layer.table, blocks[0], fraction)
    f = activate(layer.gate, gate_table, layer.table, blocks[1], fraction)
    g = activate(layer.activation, cell_table, layer.table, blocks[2], fraction)
    o = activate(layer.gate, gate_table, layer.table, blocks[3], fraction)
    # f*c + i*g at full precision, ONE conversion
    kept, added = layer.table.fraction + layer.cell.fraction, 2 * layer.table.fraction
    finest = max(kept, added)
    c = layer.cell.convert(
        ((f * c) << (finest - kept)) + ((i * g) << (finest - added)), fraction=finest
    )
    squashed = activate(layer.activation, cell_table, layer.table, c, layer.cell.fraction)
    h = layer.hidden.convert(o * squashed, fraction=2 * layer.table.fraction)
    return h, c


def activate(
    activation: Activation,
    table: IntArray | None,
    values: FixedFormat,
    raw: IntArray,
    fraction: int,
) -> IntArray:
    """An activation: raw integers with ``fraction`` fractional bits → raw integers in ``values``."""
    if activation.kind == "hard":
        return hard(activation, values, raw, fraction)
    assert table is not None
    return np.asarray(table[table_index(activation, raw, fraction)])


def table_index(activation: Activation, raw: IntArray, fraction: int) -> IntArray:
    """The table entry of each value: floor (``mid``) or truncation towards zero (``hls4ml``), clipped."""
    size = 1 << activation.index_bits
    shift = fraction + activation.range_bits - activation.index_bits
    if shift < 0:
        scaled = raw << -shift
    elif activation.index == "mid":
        scaled = raw >> shift
    else:
        scaled = np.where(raw < 0, -((-raw) >> shift), raw >> shift)
    clipped: IntArray = np.clip(scaled + size // 2, 0, size - 1)
    return clipped


def hard(activation: Activation, values: FixedFormat, raw: IntArray, fraction: int) -> IntArray:
    """``slope * 2**-slope_fraction * a + offset``: one rounding, then clipped to what ``values`` holds of
    [0, 1] (sigmoid) or [-1, 1] (tanh)."""
    finest = fraction + activation.slope_fraction
    line = raw * activation.slope
    if activation.function == "sigmoid":
        # one more bit, so that the half of the offset is an integer at any binary point
        finest += 1
        line = (line << 1) + (1 << (finest - 1))
    one = 1 << values.fraction
    lowest = 0 if activation.function == "sigmoid" else max(-one, values.minimum)
    rounded = FixedFormat(64, 64 - values.fraction, True, values.rounding, values.overflow).convert(
        line, finest
    )
    clipped: IntArray = np.clip(rounded, lowest, min(one, values.maximum))
    return clipped


def dense(layer: DenseLayer, weights: Weights, x: IntArray) -> IntArray:
    """A dense layer: x [n, inputs] → [n, units] in ``output``."""
    fraction = layer.accumulator.fraction
    a = _aligned(
        exact_product(x, weights[f"{layer.name}.kernel"]), layer.input, layer.kernel, fraction
    ) + (weights[f"{layer.name}.bias"] << (fraction - layer.bias.fraction))
    if layer.activation == "relu":
        a = np.maximum(a, 0)
    return layer.output.convert(a, fraction)


def answer(bundle: Bundle, hidden: IntArray) -> tuple[IntArray, IntArray]:
    """The last LSTM layer's h [n, units] → logits [n, O], scores [n, O]."""
    values = hidden
    for layer in bundle.spec.layers:
        if isinstance(layer, DenseLayer):
            values = dense(layer, bundle.weights, values)
    return values, scores_of(bundle.spec, bundle.weights, values)


def scores_of(spec: ModelSpec, weights: Weights, logits: IntArray) -> IntArray:
    """Logits [n, O] → calibrated probabilities (15 fractional bits); logits themselves for linear heads."""
    scores = logits.copy()
    start = 0
    for head in spec.heads:
        columns = slice(start, start + len(head.outputs))
        start = columns.stop
        if head.kind == "linear":
            continue
        raw = probabilities(spec, weights, head, logits[:, columns])
        scores[:, columns] = calibrate(weights["calibration"][columns], raw)
    return scores


def probabilities(spec: ModelSpec, weights: Weights, head: Head, logits: IntArray) -> IntArray:
    """A head's logits [n, k] → uncalibrated probabilities [n, k] with 15 fractional bits."""
    if head.kind == "softmax":
        table = weights["exp_table"]
        below = (logits.max(axis=1, keepdims=True) - logits) >> spec.exp_shift
        e = table[np.minimum(below, len(table) - 1)]
        shares: IntArray = (e << PROBABILITY.fraction) // e.sum(axis=1, keepdims=True)
        return shares
    table = weights["sigmoid_table"]
    index = (logits >> spec.sigmoid_shift) + len(table) // 2
    return np.asarray(table[np.clip(index, 0, len(table) - 1)])


def calibrate(knots: IntArray, probability: IntArray) -> IntArray:
    """Calibration maps ``knots`` [k, 17] on probabilities [n, k]: linear between knots 2**11 apart."""
    segment = np.minimum(probability >> 11, CALIBRATION_SEGMENTS - 1)
    outputs = np.arange(knots.shape[0])
    left, right = knots[outputs, segment], knots[outputs, segment + 1]
    mapped: IntArray = left + (((right - left) * (probability - (segment << 11))) >> 11)
    return mapped


def exact_product(values: IntArray, matrix: IntArray) -> IntArray:
    """The exact integer product [n, k]·[k, m]."""
    if values.size == 0 or matrix.size == 0:
        return np.zeros((values.shape[0], matrix.shape[1]), dtype=np.int64)
    bound = float(np.abs(values).max()) * float(np.abs(matrix).max()) * matrix.shape[0]
    if bound < 2.0**53:
        product = values.astype(np.float64) @ matrix.astype(np.float64)
        return product.astype(np.int64)
    return values @ matrix


def _aligned(raw: IntArray, values: FixedFormat, weights: FixedFormat, fraction: int) -> IntArray:
    aligned: IntArray = raw << (fraction - values.fraction - weights.fraction)
    return aligned


class ReferenceEngine(StreamEngine):
    """The definition itself behind the engine protocol: slow, and right."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._carried = zero_state(bundle.spec, 1)
        self._vectors = np.zeros((0, bundle.spec.features), dtype=np.int64)
        self._steps = 0

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> ReferenceEngine:
        """Load a bundle and replay its golden vectors; takes no options.

        Raises:
            ModelError: the bundle is no model of the contract.
            MismatchError: the golden vectors did not come out.
        """
        cls.refuse_options(options)
        check_model(bundle)
        engine = cls(bundle)
        engine.replay_golden()
        return engine

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""
        return EngineInfo("reference", "NumPy integers", exact=True)

    def _step(self, features: IntArray) -> Outputs:
        self._steps += 1
        if self.spec.mode == "window":
            window = np.concatenate([self._vectors, features[None]])
            self._vectors = window[max(0, len(window) - self.spec.window + 1) :]
            return self._window(window)
        advance(self.bundle, self._carried, features[None])
        logits, scores = answer(self.bundle, self._carried.hidden[-1])
        return Outputs(logits[0], scores[0])

    def _window(self, features: IntArray) -> Outputs:
        logits, scores = run_windows(self.bundle, features[None])
        return Outputs(logits[0], scores[0])

    def _stream_state(self) -> State:
        if self.spec.mode == "window":
            return State((), (), self._vectors.copy(), self._steps)
        hidden = tuple(h[0].copy() for h in self._carried.hidden)
        cell = tuple(c[0].copy() for c in self._carried.cell)
        return State(hidden, cell, self._vectors, self._steps)

    def _load_stream(self, state: State) -> None:
        self._reset_stream()
        self._steps = state.steps
        self._vectors = np.array(state.vectors, dtype=np.int64)
        if self.spec.mode == "stateful":
            self._carried = Carried(
                [np.array(h, dtype=np.int64)[None] for h in state.hidden],
                [np.array(c, dtype=np.int64)[None] for c in state.cell],
            )

    def _reset_stream(self) -> None:
        self._carried = zero_state(self.spec, 1)
        self._vectors = np.zeros((0, self.spec.features), dtype=np.int64)
        self._steps = 0
