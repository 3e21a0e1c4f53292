"""The model that every engine runs: layers, formats and heads, as data.

`docs/numeric_contract.md` states the arithmetic; `pyorch.inference.reference` is its executable
definition. Weights are raw integers kept beside the specification (see `pyorch.contract.bundle`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from pyorch.contract.digest import digest_of
from pyorch.contract.errors import BundleError
from pyorch.contract.fixed import FixedFormat, Overflow, Rounding

PROBABILITY = FixedFormat(16, 1, signed=False, rounding=Rounding.TRN, overflow=Overflow.SAT)
"""Probabilities: unsigned, 15 fractional bits, 32768 is 1.0."""

CALIBRATION_SEGMENTS = 16
"""A calibration map has this many linear segments of equal width over [0, 1]: 17 knots."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation inside an LSTM cell, from accumulator to table format.

    ``table``: entry ``k`` of ``2**index_bits`` holds f at the middle of its bin (``index="mid"``), or
    at its left edge (``index="hls4ml"``, index truncated towards zero). The table spans [-8, 8) for
    ``sigmoid`` and [-4, 4) for ``tanh``; indices outside are clipped.

    ``hard``: ``slope * 2**-slope_fraction * a + offset`` (offset is 0.5 for a sigmoid, 0 for a tanh) at
    full precision, ONE conversion to the table format, clipped to [0, 1] or [-1, 1].
    """

    function: Literal["sigmoid", "tanh"]
    kind: Literal["table", "hard"] = "table"
    index: Literal["mid", "hls4ml"] = "mid"
    index_bits: int = 10
    slope: int = 0
    slope_fraction: int = 0

    @property
    def range_bits(self) -> int:
        """log2 of the table's span: 4 for sigmoid ([-8, 8)), 3 for tanh ([-4, 4))."""
        return 4 if self.function == "sigmoid" else 3


class LstmLayer(msgspec.Struct, frozen=True, tag="lstm", tag_field="kind"):
    """One LSTM layer. Gates lie in blocks of ``units`` in the order i, f, g, o.

    Weights: ``{name}.kernel`` [inputs, 4 units], ``{name}.recurrent`` [units, 4 units],
    ``{name}.bias`` [4 units]; tables ``{name}.gate_table`` and ``{name}.cell_table`` where the
    activations are tables.

    A step, on raw integers (`a` has ``accumulator``'s binary point; every product is exact)::

        a = align(x·kernel) + align(h·recurrent) + align(bias)
        i, f, o = gate(a[i]), gate(a[f]), gate(a[o]);  g = activation(a[g])       in ``table``
        c = cell.convert(f*c + i*g)                        one conversion of the exact sum
        h = hidden.convert(o * activation(c))              one conversion of the exact product
    """

    name: str
    inputs: int
    units: int
    input: FixedFormat
    kernel: FixedFormat
    recurrent: FixedFormat
    bias: FixedFormat
    accumulator: FixedFormat
    """Exact: fraction is the largest of the three terms', width proven from the actual weights."""
    table: FixedFormat
    cell: FixedFormat
    hidden: FixedFormat
    gate: Activation = Activation("sigmoid")
    activation: Activation = Activation("tanh")

    @property
    def fast(self) -> bool:
        """Whether the tail (f*c + i*g, o*tanh c) stays within 32 bits (contract rule 3)."""
        tail = max(self.table.fraction, self.cell.fraction) + self.table.fraction
        return self.cell.integer + tail <= 30


class DenseLayer(msgspec.Struct, frozen=True, tag="dense", tag_field="kind"):
    """``y = output.convert(activation(x·kernel + bias))``, one conversion of the exact sum.

    Weights: ``{name}.kernel`` [inputs, units], ``{name}.bias`` [units].
    """

    name: str
    inputs: int
    units: int
    input: FixedFormat
    kernel: FixedFormat
    bias: FixedFormat
    accumulator: FixedFormat
    output: FixedFormat
    activation: Literal["linear", "relu"] = "linear"


@dataclass(frozen=True, slots=True)
class Head:
    """Consecutive outputs of the last dense layer, and what becomes of them.

    ``softmax``: ``e = exp_table[min((max - logit) >> exp_shift, size - 1)]``, ``p = (e << 15) // sum(e)``.
    ``sigmoid``: ``p = sigmoid_table[clip((logit >> sigmoid_shift) + size/2, 0, size - 1)]``.
    Both give 16-bit probabilities with 15 fractional bits, then pass the calibration map of their output
    (``calibration`` [outputs, 17]):
    ``k = min(p >> 11, 15); y[k] + (((y[k+1] - y[k]) * (p - (k << 11))) >> 11)``.
    ``linear``: the logit itself.
    """

    name: str
    kind: Literal["softmax", "sigmoid", "linear"]
    outputs: tuple[str, ...]
    unit: str
    """``probability``, or the unit of a linear output's value."""
    trainable: bool = True
    """False: fewer than 200 positives; rules that use it are disarmed and shown so."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model: layers in order, heads over the last layer's outputs, and how it is served."""

    name: str
    mode: Literal["window", "stateful"]
    window: int
    """Vectors in a window (T); for a stateful model the length it was trained on."""
    layers: tuple[LstmLayer | DenseLayer, ...]
    heads: tuple[Head, ...]
    feature_schema: str = ""
    """Digest of the feature schema that the inputs follow; empty for models that are not on features."""
    exp_shift: int = 0
    sigmoid_shift: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Inputs a step (F)."""
        return self.layers[0].inputs

    @property
    def input(self) -> FixedFormat:
        """Format of the input features."""
        return self.layers[0].input

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(name for head in self.heads for name in head.outputs)

    @property
    def logits(self) -> FixedFormat:
        """Format of the last layer's outputs."""
        last = self.layers[-1]
        return last.output if isinstance(last, DenseLayer) else last.hidden

    @property
    def lstm_layers(self) -> tuple[LstmLayer, ...]:
        """The recurrent layers, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, LstmLayer))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; formats as text."""
        value: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_encode)
        return value

    @classmethod
    def from_json(cls, value: Any) -> ModelSpec:
        """The inverse of `to_json`.

        Raises:
            BundleError: a field is missing, unknown or of a wrong type; the message names it.
        """
        try:
            return msgspec.convert(value, cls, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise BundleError(f"model specification: {error}") from error

    def digest(self) -> str:
        """SHA-256 of the specification's canonical JSON (weights not included)."""
        return digest_of(self.to_json())


def _encode(value: Any) -> Any:
    if isinstance(value, FixedFormat):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not part of a model specification")


def _decode(kind: type, value: Any) -> Any:
    if kind is FixedFormat:
        return FixedFormat.parse(value)
    raise NotImplementedError(f"{kind.__name__} is not part of a model specification")
