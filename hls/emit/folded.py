"""The style `folded`: weights in block RAM, a chosen number of multipliers a layer (`lstm_folded.sv`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hls.emit.folded_blocks import share_blocks
from hls.emit.folded_estimates import folded_estimates
from hls.emit.folded_passes import Passes
from hls.emit.style import (
    Block,
    Memory,
    StylePlan,
    format_parameters,
    pack_words,
    proven_width,
    refuse_unsupported,
)
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import DenseLayer, LstmLayer

RTL = (
    "convert.sv",
    "table_index.sv",
    "bank_memory.sv",
    "bank_table.sv",
    "sum_grown.sv",
    "sum_now.sv",
    "stage.sv",
    "gated_sum.sv",
    "product_in_logic.sv",
    "multiply.sv",
    "lut_ram.sv",
    "copies.sv",
    "gather.sv",
    "sum_with_half.sv",
    "next_cell.sv",
    "folded_tail.sv",
    "lstm_folded.sv",
    "dense_folded.sv",
)
MULTIPLIERS = 128
WIDEST_CHUNK = 8
"""Units a cycle of a tail that are tried where none are given."""
MOST_SPREAD = 256
"""Inputs a cycle whose products one unit can add."""
WIDEST_WORD = 256 * 32
"""Bits of a loadable word: its 32-bit lanes are numbered with 8 bits."""
MOST_WORDS = 1 << 16
SUFFIXES = ("weights", "biases", "gates", "cells")


def plan(
    bundle: Bundle,
    *,
    multipliers: int = MULTIPLIERS,
    chunk: int = 0,
    blocks: int = 0,
    **unknown: Any,
) -> StylePlan:
    """Plan a bundle.

    Args:
        multipliers: of each layer's array, at most; a multiple of 4 (the four gates of a unit).
        chunk: units whose sums are computed at once, and turned into h; a power of two, at most a quarter of
            the multipliers. The tail has 3 multipliers for each, a dense layer as many as it has outputs.
            0: for each layer the one with the fewest cycles.
        blocks: multiplier blocks of the chip that the fabric may take; products beyond them are made in
            logic. 0: all in blocks.

    Raises:
        ModelError: a layer that no fabric carries.
        UsageError: parameters outside their range, or unknown.
    """
    if unknown:
        raise UsageError(
            f"folded: unknown parameters {sorted(unknown)}; it takes multipliers, chunk, blocks"
        )
    if multipliers < 4 or multipliers % 4:
        raise UsageError(
            f"folded: {multipliers} multipliers; give a multiple of 4 (the four gates), such as "
            f"{max(4, multipliers // 4 * 4)}"
        )
    if chunk < 0 or chunk & (chunk - 1) or 4 * chunk > multipliers:
        raise UsageError(
            f"folded: chunk {chunk} with {multipliers} multipliers; give a power of two up to "
            f"{multipliers // 4}, or 0 for the best"
        )
    refuse_unsupported(bundle)
    chain: list[Block] = []
    memories: list[Memory] = []
    incoming = 1
    for layer in bundle.spec.layers:
        first = len(memories)
        if isinstance(layer, LstmLayer):
            passes = passes_of(layer, multipliers, chunk)
            refuse_large_lstm(layer, passes)
            chain.append(_lstm_block(layer, passes, first))
            memories += _lstm_memories(bundle, layer, passes, first)
            incoming = passes.chunk
        else:
            refuse_large_dense(layer, incoming)
            chain.append(_dense_block(layer, incoming, first))
            memories += _dense_memories(bundle, layer, incoming, first)
            incoming = layer.units
    chain = share_blocks(chain, blocks)
    return StylePlan(
        style="folded",
        parameters={"multipliers": multipliers, "chunk": chunk, "blocks": blocks},
        blocks=tuple(chain),
        rtl=RTL,
        memories=tuple(memories),
        estimates=folded_estimates(chain, memories),
    )


def passes_of(layer: LstmLayer, multipliers: int, chunk: int) -> Passes:
    """The division of a layer's array with the fewest words, then the smallest tail and array."""
    lanes = multipliers // 4
    widest = 1 << (layer.units - 1).bit_length()
    chunks = [1 << k for k in range(WIDEST_CHUNK.bit_length())] if not chunk else [chunk]
    candidates = [
        Passes(layer.inputs, layer.units, used, spread)
        for used in sorted({min(one, widest) for one in chunks if one <= lanes})
        for spread in range(1, min(lanes // used, layer.inputs + layer.units, MOST_SPREAD) + 1)
    ]
    return min(candidates, key=lambda one: (one.words, one.chunk, one.spread))


def refuse_large_lstm(layer: LstmLayer, passes: Passes) -> None:
    """What the load port cannot reach.

    Raises:
        ModelError: words that are too wide or too many; the message says what would fit.
    """
    width = max(layer.kernel.width, layer.recurrent.width)
    lanes, chunk = passes.lanes, passes.chunk
    bits = 4 * lanes * width
    if bits > WIDEST_WORD:
        raise ModelError(
            f"{layer.name}: {4 * lanes} multipliers read words of {bits} bits, the load port reaches "
            f"{WIDEST_WORD}; give at most {WIDEST_WORD // (4 * width) * 4} multipliers"
        )
    if 4 * chunk * layer.bias.width > WIDEST_WORD:
        raise ModelError(
            f"{layer.name}: the biases of {chunk} units are {4 * chunk * layer.bias.width} bits, the load "
            f"port reaches {WIDEST_WORD}; give a smaller chunk"
        )
    words = len(passes.schedule())
    if words > MOST_WORDS:
        raise ModelError(
            f"{layer.name}: {words:,} words of weights with {4 * lanes} multipliers, the load port reaches "
            f"{MOST_WORDS:,}; give at least {4 * -(-words * lanes // MOST_WORDS)} multipliers"
        )


def refuse_large_dense(layer: DenseLayer, chunk: int) -> None:
    """As `refuse_large_lstm`; ``chunk``: inputs that come in one cycle."""
    bits = layer.units * max(chunk * layer.kernel.width, layer.bias.width)
    if bits > WIDEST_WORD:
        raise ModelError(
            f"{layer.name}: {layer.units} units on {chunk} inputs a cycle read words of {bits} bits, the "
            f"load port reaches {WIDEST_WORD}; use fewer units in this layer or before it, or a smaller chunk"
        )


def _rows(bundle: Bundle, layer: LstmLayer, passes: Passes) -> IntArray:
    """Weights in the order of the array, a row beside each other: [words, chunk x 4 gates x spread]."""
    both = np.concatenate(
        [bundle.weights[f"{layer.name}.kernel"], bundle.weights[f"{layer.name}.recurrent"]]
    )
    places = np.array(passes.schedule())
    unit, value = places[:, :, 0], places[:, :, 1]
    gates = [np.where(value >= 0, both[value, gate * layer.units + unit], 0) for gate in range(4)]
    lanes = np.stack(gates, axis=2).reshape(len(places), passes.chunk, passes.spread, 4)
    rows: IntArray = lanes.transpose(0, 1, 3, 2).reshape(len(places), -1)
    return rows


def _lstm_memories(bundle: Bundle, layer: LstmLayer, passes: Passes, first: int) -> list[Memory]:
    weights, name, units, chunk = bundle.weights, layer.name, layer.units, passes.chunk
    # a word a chunk of the tail: its units, four gates each
    biases = np.zeros((-(-units // chunk) * chunk, 4), dtype=np.int64)
    biases[:units] = weights[f"{name}.bias"].reshape(4, units).T
    width = max(layer.kernel.width, layer.recurrent.width)
    table = layer.table.width
    contents = (
        pack_words(_rows(bundle, layer, passes), width),
        pack_words(biases.reshape(-1, 4 * chunk), layer.bias.width),
        pack_words(weights[f"{name}.gate_table"][:, None], table),
        pack_words(weights[f"{name}.cell_table"][:, None], table),
    )
    return [
        Memory(first + k, f"{name}_{suffix}.hex", words)
        for k, (suffix, words) in enumerate(zip(SUFFIXES, contents, strict=True))
    ]


def _lstm_block(layer: LstmLayer, passes: Passes, first: int) -> Block:
    fraction = max(
        layer.input.fraction + layer.kernel.fraction,
        layer.hidden.fraction + layer.recurrent.fraction,
        layer.bias.fraction,
    )
    parameters: dict[str, int | str] = {
        "INPUTS": layer.inputs,
        "UNITS": layer.units,
        "LANES": passes.lanes,
        "CHUNK": passes.chunk,
        "BLOCKS": MOST_SPREAD,
        "X_WIDTH": layer.input.width,
        **format_parameters("H", layer.hidden),
        **format_parameters("C", layer.cell),
        "W_WIDTH": max(layer.kernel.width, layer.recurrent.width),
        "B_WIDTH": layer.bias.width,
        "X_SHIFT": fraction - layer.input.fraction - layer.kernel.fraction,
        "R_SHIFT": fraction - layer.hidden.fraction - layer.recurrent.fraction,
        "B_SHIFT": fraction - layer.bias.fraction,
        "A_WIDTH": proven_width(
            [
                (layer.inputs, layer.input, layer.kernel),
                (layer.units, layer.hidden, layer.recurrent),
            ],
            layer.bias,
        ),
        "A_FRACTION": fraction,
        "T_WIDTH": layer.table.width,
        "T_FRACTION": layer.table.fraction,
        "GATE_INDEX_BITS": layer.gate.index_bits,
        "CELL_INDEX_BITS": layer.activation.index_bits,
        "GATE_TOWARDS_ZERO": int(layer.gate.index == "hls4ml"),
        "CELL_TOWARDS_ZERO": int(layer.activation.index == "hls4ml"),
        "MEMORY": first,
        "WEIGHT_INIT": f"{layer.name}_weights.hex",
        "BIAS_INIT": f"{layer.name}_biases.hex",
        "GATE_INIT": f"{layer.name}_gates.hex",
        "CELL_INIT": f"{layer.name}_cells.hex",
    }
    return Block(layer.name, "lstm", "lstm_folded", parameters, passes.chunk)


def _dense_memories(bundle: Bundle, layer: DenseLayer, chunk: int, first: int) -> list[Memory]:
    kernel = bundle.weights[f"{layer.name}.kernel"]
    chunks = math.ceil(layer.inputs / chunk)
    padded = np.zeros((chunks * chunk, layer.units), dtype=np.int64)
    padded[: layer.inputs] = kernel
    rows = padded.reshape(chunks, chunk, layer.units).transpose(0, 2, 1).reshape(chunks, -1)
    bias = bundle.weights[f"{layer.name}.bias"][None, :]
    return [
        Memory(first, f"{layer.name}_weights.hex", pack_words(rows, layer.kernel.width)),
        Memory(first + 1, f"{layer.name}_biases.hex", pack_words(bias, layer.bias.width)),
    ]


def _dense_block(layer: DenseLayer, chunk: int, first: int) -> Block:
    fraction = max(layer.input.fraction + layer.kernel.fraction, layer.bias.fraction)
    parameters: dict[str, int | str] = {
        "INPUTS": layer.inputs,
        "UNITS": layer.units,
        "CHUNK": chunk,
        "BLOCKS": MOST_SPREAD,
        "H_WIDTH": layer.input.width,
        "W_WIDTH": layer.kernel.width,
        "B_WIDTH": layer.bias.width,
        "P_SHIFT": fraction - layer.input.fraction - layer.kernel.fraction,
        "B_SHIFT": fraction - layer.bias.fraction,
        "A_WIDTH": proven_width([(layer.inputs, layer.input, layer.kernel)], layer.bias),
        "A_FRACTION": fraction,
        **format_parameters("Y", layer.output),
        "RELU": int(layer.activation == "relu"),
        "MEMORY": first,
        "WEIGHT_INIT": f"{layer.name}_weights.hex",
        "BIAS_INIT": f"{layer.name}_biases.hex",
    }
    return Block(layer.name, "dense", "dense_folded", parameters)
