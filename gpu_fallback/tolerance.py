"""How far a floating-point engine may be from the contract's integers: a bound, derived, not measured.

Both run the same recurrence; each difference is carried through it by the triangle inequality, unit by
unit, with the magnitudes of the actual weights:

- sums: ``δa ≤ |R|·δh + γ(n)·(|W|·|x| + |R|·|h| + |b|)``, ``γ(n) = n·u/(1 - n·u)`` for n operations of unit
  roundoff u (N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1); for
  INT8 also the distance of h to its 8-bit grid;
- activations: ``δσ ≤ e + δa/4``, ``δtanh ≤ e + δa``, e the largest distance of the frozen table from
  the true function over its bins, the clipped outermost ones up to infinity;
- ``δc ≤ |f|·δc + δf·|c| + |i|·δg + δi·|g|`` and ``δh ≤ |o|·δtanh(c) + δo``, with their second-order
  terms and each with its rounding to the format; saturation never widens a difference, as both sides
  are clipped to the same ends.

For any input (`bound_lsb`) forget gates may be 1 and nothing contracts: within a few steps the bound is
the range that the logits can have. Along a run (`bounds_along`) the reference's own gates are known,
and the bound says more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gpu_fallback.export.model import Precision
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray, Rounding
from pyorch.contract.model import Activation, DenseLayer, LstmLayer
from pyorch.inference.reference import activate, lstm_step, zero_state

Floats = NDArray[np.float64]

ROUNDOFF: dict[Precision, float] = {
    "exact": 0.0,
    "fp32": 2.0**-24,
    "fp16": 2.0**-11,
    "int8": 2.0**-24,
}
"""Unit roundoff of the arithmetic around the products."""

FUNCTION_ROUNDOFFS = 8
"""A library's sigmoid and tanh are taken to be within this many units of roundoff."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a step of a layer meets: magnitudes [inputs] of x, [units] of h, c, gates; sums where they
    are known.
    """

    x: Floats
    h: Floats
    c: Floats
    i: Floats
    f: Floats
    g: Floats
    o: Floats
    sums: Floats | None = None
    """[4 units] real values of the gates' sums; None: any."""
    new_c: Floats | None = None
    """[units] real values of the next c; None: any."""


def bound_lsb(bundle: Bundle, precision: Precision, steps: int) -> int:
    """Largest difference of a logit from the reference, in LSB, ``steps`` steps after an equal state,
    for any input.

    Args:
        bundle: the model with its actual weights.
        precision: of the engine.
        steps: at least 1.
    """
    if precision == "exact":
        return 0
    errors = Errors(bundle, precision)
    for _ in range(steps):
        errors.step([_any_sizes(bundle, layer) for layer in bundle.spec.lstm_layers])
    return errors.logits_lsb()


def bounds_along(bundle: Bundle, precision: Precision, features: IntArray) -> IntArray:
    """The same for one run: features [n, F] from zero state → [n] bounds in LSB, each after its step.

    The reference's own gates and sums stand in for the largest possible ones (a running error analysis:
    Higham, section 3.3), so forget gates below 1 make old differences fade.
    """
    bounds = np.zeros(len(features), dtype=np.int64)
    if precision == "exact":
        return bounds
    errors = Errors(bundle, precision)
    state = zero_state(bundle.spec, 1)
    for step, vector in enumerate(np.asarray(features, dtype=np.int64)):
        sizes, value = [], vector[None]
        for k, layer in enumerate(bundle.spec.lstm_layers):
            h, c = state.hidden[k], state.cell[k]
            state.hidden[k], state.cell[k] = lstm_step(layer, bundle.weights, value, h, c)
            sizes.append(_seen_sizes(bundle, layer, value[0], h[0], c[0], state.cell[k][0]))
            value = state.hidden[k]
        errors.step(sizes)
        bounds[step] = errors.logits_lsb()
    return bounds


class Errors:
    """Bounds on the differences of h and c, carried from step to step."""

    def __init__(self, bundle: Bundle, precision: Precision) -> None:
        self._bundle, self._precision, self._u = bundle, precision, ROUNDOFF[precision]
        self._h = [np.zeros(layer.units) for layer in bundle.spec.lstm_layers]
        self._c = [np.zeros(layer.units) for layer in bundle.spec.lstm_layers]

    def step(self, sizes: list[Sizes]) -> None:
        """One step of every layer."""
        entering: Floats = np.zeros(self._bundle.spec.features)
        for k, layer in enumerate(self._bundle.spec.lstm_layers):
            self._h[k], self._c[k] = self._lstm_step(
                layer, sizes[k], entering, self._h[k], self._c[k]
            )
            entering = self._h[k]

    def logits_lsb(self) -> int:
        """Bound on the difference of a logit after the last step."""
        error = self._h[-1]
        for layer in self._bundle.spec.layers:
            if isinstance(layer, DenseLayer):
                error = self._dense(layer, error)
        logits = self._bundle.spec.logits
        # one more LSB: the engine's real logit is rounded to the format as well
        return min(ceil(float(error.max()) / logits.lsb) + 1, logits.maximum - logits.minimum)

    def _lstm_step(
        self, layer: LstmLayer, sizes: Sizes, x_error: Floats, h_error: Floats, c_error: Floats
    ) -> tuple[Floats, Floats]:
        name, weights, u = layer.name, self._bundle.weights, self._u
        a_error = self._sum_error(
            [
                (f"{name}.kernel", layer.kernel, layer.input, sizes.x, x_error),
                (f"{name}.recurrent", layer.recurrent, layer.hidden, sizes.h, h_error),
            ],
            _magnitudes(self._bundle, f"{name}.bias", layer.bias),
        )
        gate_table, cell_table = weights[f"{name}.gate_table"], weights[f"{name}.cell_table"]
        library = FUNCTION_ROUNDOFFS * u
        gate_error = table_error(layer.gate, gate_table, layer.table) + library
        tanh_error = table_error(layer.activation, cell_table, layer.table) + library
        di, df, dg, do = np.split(a_error, 4)
        ai, af, ag, ao = (None,) * 4 if sizes.sums is None else tuple(np.split(sizes.sums, 4))
        i = np.minimum(gate_error + _slope("sigmoid", ai, di) * di, 1.0)
        f = np.minimum(gate_error + _slope("sigmoid", af, df) * df, 1.0)
        g = np.minimum(tanh_error + _slope("tanh", ag, dg) * dg, 2.0)
        o = np.minimum(gate_error + _slope("sigmoid", ao, do) * do, 1.0)
        # |f'c' - fc| with f' = f + df, c' = c + dc; and so on: second-order terms included
        new_c = sizes.f * c_error + f * (sizes.c + c_error) + sizes.i * g + i * (sizes.g + g)
        new_c = new_c + _rounding(layer.cell) + _gamma(3, u) * (sizes.c + c_error + 1)
        new_c = np.minimum(new_c, 2 * _largest(layer.cell))
        squashed = np.minimum(tanh_error + _slope("tanh", sizes.new_c, new_c) * new_c, 2.0)
        # the clip of h at its highest number, just below 1, counts as one more LSB
        new_h = (sizes.o + o) * squashed + o + _rounding(layer.hidden) + layer.hidden.lsb
        return np.minimum(new_h + _gamma(1, u), 2.0), new_c

    def _dense(self, layer: DenseLayer, x_error: Floats) -> Floats:
        size = np.full(layer.inputs, _largest(layer.input))
        error = self._sum_error(
            [(f"{layer.name}.kernel", layer.kernel, layer.input, size, x_error)],
            _magnitudes(self._bundle, f"{layer.name}.bias", layer.bias),
        )
        return error + _rounding(layer.output)

    def _sum_error(
        self, terms: list[tuple[str, FixedFormat, FixedFormat, Floats, Floats]], bias: Floats
    ) -> Floats:
        """Error of a sum of products: terms are (weights, their format, values' format, sizes, errors)."""
        carried: Floats = np.zeros_like(bias)
        size, operations = bias, 2
        for name, weights, values, magnitude, error in terms:
            matrix = _magnitudes(self._bundle, name, weights)
            carried = carried + (error + _grid_error(values, self._precision)) @ matrix
            size = size + (magnitude + error) @ matrix
            operations += matrix.shape[0] + 2
        return carried + _gamma(operations, self._u) * size


def _any_sizes(bundle: Bundle, layer: LstmLayer) -> Sizes:
    """The largest magnitudes that formats and tables allow."""
    one = np.ones(layer.units)
    gate = layer.table.to_float(np.abs(bundle.weights[f"{layer.name}.gate_table"]).max())
    cell = layer.table.to_float(np.abs(bundle.weights[f"{layer.name}.cell_table"]).max())
    return Sizes(
        np.full(layer.inputs, _largest(layer.input)), one * _largest(layer.hidden),
        one * _largest(layer.cell), one * gate, one * gate, one * cell, one * gate,
    )  # fmt: skip


def _seen_sizes(
    bundle: Bundle, layer: LstmLayer, x: IntArray, h: IntArray, c: IntArray, new_c: IntArray
) -> Sizes:
    """The magnitudes of a step of the reference."""
    weights, name = bundle.weights, layer.name
    real_x, real_h = layer.input.to_float(x), layer.hidden.to_float(h)
    sums = (
        real_x @ layer.kernel.to_float(weights[f"{name}.kernel"])
        + real_h @ layer.recurrent.to_float(weights[f"{name}.recurrent"])
        + layer.bias.to_float(weights[f"{name}.bias"])
    )
    # float64 carries these sums exactly; a scaled integer gives the table index without doubt
    raw = np.rint(sums * 2.0**layer.accumulator.fraction).astype(np.int64)
    i, f, g, o = np.split(raw, 4)

    def gate(kind: str, values: IntArray) -> Floats:
        activation = layer.gate if kind == "gate" else layer.activation
        table = weights[f"{name}.{kind}_table"]
        entries = activate(activation, table, layer.table, values, layer.accumulator.fraction)
        return np.abs(layer.table.to_float(entries))

    return Sizes(
        np.abs(real_x), np.abs(real_h), np.abs(layer.cell.to_float(c)),
        gate("gate", i), gate("gate", f), gate("cell", g), gate("gate", o),
        sums, layer.cell.to_float(new_c),
    )  # fmt: skip


def _slope(function: str, at: Floats | None, reach: Floats) -> Floats:
    """Largest slope of a function within ``reach`` of ``at``."""
    steepest = 0.25 if function == "sigmoid" else 1.0
    if at is None:
        return np.full_like(reach, steepest)
    nearest = np.maximum(np.abs(at) - reach, 0.0)
    value = _function(function, nearest)
    slope: Floats = value * (1 - value) if function == "sigmoid" else 1 - value**2
    return slope


def _largest(form: FixedFormat) -> float:
    return max(abs(form.minimum), form.maximum) * form.lsb


def _rounding(form: FixedFormat) -> float:
    """Distance between a value and its conversion, saturation apart."""
    return form.lsb / 2 if form.rounding is Rounding.RND else form.lsb


def _gamma(operations: int, u: float) -> float:
    return operations * u / (1 - operations * u)


def _magnitudes(bundle: Bundle, name: str, form: FixedFormat) -> Floats:
    return np.abs(form.to_float(bundle.weights[name]))


def _grid_error(form: FixedFormat, precision: Precision) -> float:
    """Distance of a value to the 8-bit grid on which it enters an INT8 product."""
    if precision != "int8" or form.width <= 8:
        return 0.0
    # half a step inside, a whole one where the upper end is clipped
    return 2.0 ** (form.integer - 8)


def table_error(activation: Activation, table: NDArray[np.int64], form: FixedFormat) -> float:
    """Largest distance of a frozen table from its function, over all real arguments."""
    size = len(table)
    span = 2.0**activation.range_bits
    place = np.arange(size) - size // 2
    lower, upper = place.astype(np.float64), place + 1.0
    if activation.index == "hls4ml":
        # truncation towards zero: negative arguments belong to the entry above, zero's bin is double
        lower, upper = np.where(place <= 0, place - 1.0, lower), np.where(place < 0, place, upper)
    lower, upper = lower * span / size, upper * span / size
    lower[0], upper[-1] = -np.inf, np.inf
    values = form.to_float(table)
    ends = [_function(activation.function, side) for side in (lower, upper)]
    return float(max(np.abs(values - end).max() for end in ends))


def _function(name: str, x: Floats) -> Floats:
    tanh: Floats = np.tanh(x / 2 if name == "sigmoid" else x)
    return (1 + tanh) / 2 if name == "sigmoid" else tanh
