"""A bundle packed for the CUDA kernel: twin of the structures in `cell.cuh`.

Rows of a layer (four a unit, side by side) are dealt to blocks, each row of a block to `lanes`
neighbouring threads; weights lie in the order in which threads read them, so that a warp reads 32
neighbouring words of shared memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import Activation, DenseLayer, LstmLayer

VERSION = 1
LARGEST_LAYERS = 5
SHARED_BYTES = 227 * 1024
"""Shared memory of a block on compute capability 9.0 (CUDA C++ Programming Guide, table of technical
specifications).
"""

THREADS = 1024
BLOCKS = (1, 2, 4, 8)
"""Blocks of a cluster; 8 is the largest portable one."""

Words = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a model is spread: blocks of a cluster, threads of a block, lanes of a row."""

    blocks: int
    threads: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed model.

    Attributes:
        data: `Program` of `cell.cuh` and the arrays after it.
        geometry: blocks, threads, lanes.
        shared_bytes: of each block: weights, tables, values.
        state_values: h and c of all LSTM layers.
    """

    data: bytes
    geometry: Geometry
    shared_bytes: int
    state_values: int


def pack(bundle: Bundle, blocks: int | None = None) -> Packed:
    """Pack a model.

    Args:
        bundle: the model.
        blocks: of its cluster; default: the fewest whose shared memory and threads hold it.

    Raises:
        ModelError: formats or shapes that the kernel does not carry; the message names layer, what, limit.
    """
    _check(bundle)
    failure = ""
    for count in BLOCKS if blocks is None else (blocks,):
        packed, failure = _try(bundle, count)
        if packed is not None:
            return packed
    raise ModelError(f"{bundle.spec.name}: {failure}; use the CPU engine, or a smaller model")


def _check(bundle: Bundle) -> None:
    layers = bundle.spec.layers
    if len(layers) > LARGEST_LAYERS:
        raise ModelError(
            f"{bundle.spec.name}: {len(layers)} layers, the CUDA kernel carries {LARGEST_LAYERS}"
        )
    if not isinstance(layers[-1], DenseLayer):
        raise ModelError(f"{layers[-1].name}: the CUDA kernel's last layer is dense; add one")
    for layer in layers:
        name = layer.name
        weights = [layer.kernel] + ([layer.recurrent] if isinstance(layer, LstmLayer) else [])
        values = [layer.input] + ([layer.hidden] if isinstance(layer, LstmLayer) else [])
        for what, forms, most in (("weights", weights, 8), ("values", values, 16)):
            for form in forms:
                if form.width > most or not form.signed:
                    raise ModelError(
                        f"{name}: {what} {form}; the CUDA kernel carries signed {what} of at most "
                        f"{most} bits"
                    )
        if layer.accumulator.width > 31:
            raise ModelError(
                f"{name}: an accumulator of {layer.accumulator.width} bits; the CUDA kernel carries 31"
            )
        results = (layer.cell, layer.hidden) if isinstance(layer, LstmLayer) else (layer.output,)
        if any(form.overflow is Overflow.WRAP for form in results):
            raise ModelError(f"{name}: WRAP is not carried by the CUDA kernel; use SAT")
        if isinstance(layer, LstmLayer):
            _check_tail(layer)


def _check_tail(layer: LstmLayer) -> None:
    if "hard" in (layer.gate.kind, layer.activation.kind):
        raise ModelError(f"{layer.name}: hard activations are not carried by the CUDA kernel")
    if not layer.fast:
        raise ModelError(
            f"{layer.name}: f·c + i·g takes more than 32 bits with c {layer.cell} and tables "
            f"{layer.table}; the CUDA kernel carries the fast class only"
        )
    if layer.table.width > 16:
        raise ModelError(f"{layer.name}: tables {layer.table}; the CUDA kernel carries 16 bits")
    for activation, form in (
        (layer.gate, layer.accumulator),
        (layer.activation, layer.accumulator),
        (layer.activation, layer.cell),
    ):
        left = activation.index_bits - activation.range_bits - form.fraction
        if form.width + max(0, left) > 31:
            raise ModelError(
                f"{layer.name}: a table index of {form.width + left} bits; the CUDA kernel carries 31"
            )


def _words(count: int) -> int:
    """Words of four values."""
    return -(-count // 4)


def _try(bundle: Bundle, blocks: int) -> tuple[Packed | None, str]:
    spec = bundle.spec
    for layer in spec.lstm_layers:
        if layer.units % blocks:
            return None, f"{layer.name}: {layer.units} units do not divide among {blocks} blocks"
    rows = max(
        4 * layer.units // blocks if isinstance(layer, LstmLayer) else layer.units
        for layer in spec.layers
    )
    if rows > THREADS:
        return None, f"{rows} rows in a block of {blocks}, at most {THREADS} threads"
    # a unit's four rows stay within a warp, so at most 8 lanes a row; more lanes than words would idle
    lanes = 1
    while lanes < 8 and 2 * lanes * rows <= THREADS and 2 * lanes <= _words(spec.features):
        lanes *= 2
    threads = -(-rows * lanes // 32) * 32
    geometry = Geometry(blocks, threads, lanes)
    packed = _Packing(bundle, geometry)
    if packed.shared_bytes > SHARED_BYTES:
        return None, (
            f"{packed.shared_bytes} bytes of shared memory in each of {blocks} blocks, the limit is "
            f"{SHARED_BYTES}"
        )
    return Packed(packed.data(), geometry, packed.shared_bytes, packed.state_values), ""


class _Packing:
    """The arrays of one geometry."""

    def __init__(self, bundle: Bundle, geometry: Geometry) -> None:
        self._bundle, self._geometry = bundle, geometry
        self._layers: list[int] = []
        self._weights: list[list[Words]] = [[] for _ in range(geometry.blocks)]
        self._block_words = 0
        self._biases: list[IntArray] = []
        self._bias_entries = 0
        self._tables: list[IntArray] = []
        self._table_entries = 0
        self._values = 0
        spec = bundle.spec
        for layer in spec.layers:
            self._layers += self._layer(layer)
        self._layers += [0] * (LARGEST_LAYERS * _LAYER_INTEGERS - len(self._layers))
        self.state_values = 2 * sum(layer.units for layer in spec.lstm_layers)
        # values: x, and h of every layer in two buffers, as 16-bit pairs; then what a block keeps of
        # its own
        self.shared_bytes = (
            4 * self._block_words + 4 * self._bias_entries + 2 * (self._table_entries + 1)
            + 4 * self._values + 256
        )  # fmt: skip

    def _layer(self, layer: LstmLayer | DenseLayer) -> list[int]:
        lanes, threads = self._geometry.lanes, self._geometry.threads
        weights, name, fraction = self._bundle.weights, layer.name, layer.accumulator.fraction
        lstm = isinstance(layer, LstmLayer)
        kernel = _by_unit(weights[f"{name}.kernel"]) if lstm else weights[f"{name}.kernel"]
        bias = weights[f"{name}.bias"] << (fraction - layer.bias.fraction)
        bias = _by_unit(bias[None])[0] if lstm else bias
        rounds_x = -(-_words(layer.inputs) // lanes)
        rounds_h = -(-_words(layer.units) // lanes) if lstm else 0
        self._values += 2 * (rounds_x + 2 * rounds_h) * lanes
        matrices = [(kernel, rounds_x)]
        if lstm:
            matrices.append((_by_unit(weights[f"{name}.recurrent"]), rounds_h))
        first_word, first_bias = self._block_words, self._bias_entries
        blocks = self._geometry.blocks if lstm else 1
        for matrix, rounds in matrices:
            parts = np.split(matrix, blocks, axis=1)
            for block in range(self._geometry.blocks):
                part = parts[block] if block < blocks else parts[0][:, :0]
                self._weights[block].append(_in_thread_order(part, rounds, lanes, threads))
            self._block_words += rounds * threads
        self._biases.append(bias)
        self._bias_entries += len(bias)
        rows = kernel.shape[1]
        head = [
            int(lstm),
            layer.inputs,
            layer.units,
            rows,
            rounds_x,
            rounds_h,
            first_word,
            first_bias,
        ]
        shift_x = fraction - layer.input.fraction - layer.kernel.fraction
        none = [0] * 6
        if isinstance(layer, DenseLayer):
            relu = int(layer.activation == "relu")
            result = _convert(layer.output, fraction)
            return [*head, shift_x, 0, relu, 0, 0, *none, *none, *none, *[0] * 5, *result]
        shift_h = fraction - layer.hidden.fraction - layer.recurrent.fraction
        kept, added = layer.table.fraction + layer.cell.fraction, 2 * layer.table.fraction
        finest = max(kept, added)
        gate = self._table(weights[f"{name}.gate_table"])
        cell = self._table(weights[f"{name}.cell_table"])
        return [
            *head, shift_x, shift_h, 0, finest - kept, finest - added,
            *_lookup(layer.gate, fraction, gate),
            *_lookup(layer.activation, fraction, cell),
            *_lookup(layer.activation, layer.cell.fraction, cell),
            *_convert(layer.cell, finest), *_convert(layer.hidden, added),
        ]  # fmt: skip

    def _table(self, table: IntArray) -> int:
        offset = self._table_entries
        self._tables.append(table)
        self._table_entries += len(table)
        return offset

    def data(self) -> bytes:
        """The program and its arrays."""
        spec, geometry = self._bundle.spec, self._geometry
        weights = b"".join(np.concatenate(block).astype("<i4").tobytes() for block in self._weights)
        arrays = (
            weights
            + np.concatenate(self._biases).astype("<i4").tobytes()
            + np.concatenate(self._tables).astype("<i2").tobytes()
        )
        head = [
            VERSION, 4 * (12 + len(self._layers)) + len(arrays),
            len(spec.layers), spec.features, len(spec.outputs),
            geometry.blocks, geometry.threads, geometry.lanes, self._block_words,
            self._table_entries, self._bias_entries, self.state_values, *self._layers,
        ]  # fmt: skip
        return np.array(head, "<i4").tobytes() + arrays


_LAYER_INTEGERS = 13 + 3 * 6 + 2 * 5


def _by_unit(matrix: IntArray) -> IntArray:
    """Columns i…, f…, g…, o… → i f g o of unit 0, of unit 1, …"""
    inputs, columns = matrix.shape
    ordered: IntArray = matrix.reshape(inputs, 4, columns // 4).transpose(0, 2, 1)
    return ordered.reshape(inputs, columns)


def _in_thread_order(matrix: IntArray, rounds: int, lanes: int, threads: int) -> Words:
    """[inputs, rows] of 8 bits → [rounds * threads] words: word ``k`` of round r and thread ``row*lanes
    + lane`` holds the weights of inputs ``4*(lane + lanes*r)`` to ``+ 3``."""
    inputs, rows = matrix.shape
    padded = np.zeros((rounds * lanes * 4, threads // lanes), np.int64)
    padded[:inputs, :rows] = matrix
    quads = padded.reshape(rounds, lanes, 4, threads // lanes) & 0xFF
    words = (quads << (8 * np.arange(4))[None, None, :, None]).sum(axis=2)
    ordered = words.transpose(0, 2, 1).reshape(rounds, -1)
    # threads beyond the last row read zeros
    filled = np.zeros((rounds, threads), np.int64)
    filled[:, : ordered.shape[1]] = ordered
    return filled.reshape(-1).astype(np.uint32).view(np.int32)


def _convert(form: FixedFormat, fraction: int) -> list[int]:
    """`Convert`: left, half, right, lowest, highest."""
    drop = fraction - form.fraction
    right = max(0, drop)
    half = 1 << (right - 1) if right and form.rounding is Rounding.RND else 0
    return [max(0, -drop), half, right, form.minimum, form.maximum]


def _lookup(activation: Activation, fraction: int, table: int) -> list[int]:
    """`Lookup`: left, right, towards zero, lowest, highest, table."""
    shift = fraction + activation.range_bits - activation.index_bits
    half = 1 << (activation.index_bits - 1)
    rule = int(activation.index == "hls4ml")
    return [max(0, -shift), max(0, shift), rule, -half, half - 1, table]
