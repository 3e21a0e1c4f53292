"""The style `loadable`: distributed arithmetic in LUT RAM, weights at run time (`lstm_loadable.sv`)."""

from __future__ import annotations

from typing import Any

import numpy as np

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
from pyorch.contract.digest import digest_of
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import DenseLayer, LstmLayer

RTL = (
    "convert.sv",
    "table_index.sv",
    "bank_memory.sv",
    "sum_now.sv",
    "sum_grown.sv",
    "gather.sv",
    "lut_ram.sv",
    "stage.sv",
    "multiply.sv",
    "sum_with_half.sv",
    "next_cell.sv",
    "constant_table.sv",
    "constant_memory.sv",
    "loadable_tail.sv",
    "copies.sv",
    "da_memory.sv",
    "da_terms.sv",
    "chosen_sum.sv",
    "da_accumulate.sv",
    "lstm_loadable.sv",
    "dense_loadable.sv",
)
PLANES = 1
"""Bits of x and h a cycle that fit beside 16 inputs and 32 units in an ECP5-85F."""
HEAD_PLANES = 2
"""Bits of h a cycle in a dense layer for each in an LSTM layer: it has few rows."""
OFFSET_BITS = 2
"""By which sums of offset values exceed those of signed ones."""


def plan(
    bundle: Bundle,
    *,
    planes: int = PLANES,
    **unknown: Any,
) -> StylePlan:
    """Plan a bundle.

    Args:
        planes: bits of x and h a cycle.

    Raises:
        ModelError: a layer that no fabric carries.
        UsageError: parameters outside their range, or unknown.
    """
    if unknown:
        raise UsageError(f"loadable: unknown parameters {sorted(unknown)}; it takes planes")
    refuse_unsupported(bundle)
    layers = bundle.spec.lstm_layers
    most = min(min(layer.input.width, layer.hidden.width) for layer in layers)
    if not 1 <= planes <= most:
        raise UsageError(f"loadable: planes {planes}; give 1 to {most} bits a cycle")
    blocks: list[Block] = []
    memories: list[Memory] = []
    constants: dict[str, str] = {}
    cells = 0
    for layer in bundle.spec.layers:
        first = len(memories)
        if isinstance(layer, LstmLayer):
            blocks.append(_lstm_block(layer, planes, first))
            memories += _lstm_memories(bundle, layer, first)
            width = max(layer.kernel.width, layer.recurrent.width) + 2
            groups = -(-layer.inputs // 4) + -(-layer.units // 4)
            cells += groups * planes * 16 * 4 * layer.units * width
            constants |= activation_tables(bundle, layer)
        else:
            blocks.append(_dense_block(layer, planes, first))
            memories += _dense_memories(bundle, layer, first)
            bits = head_planes(layer, planes)
            cells += -(-layer.inputs // 4) * bits * 16 * layer.units * (layer.kernel.width + 2)
    return StylePlan(
        style="loadable",
        parameters={"planes": planes},
        blocks=tuple(blocks),
        rtl=RTL,
        memories=tuple(memories),
        constants=constants,
        baked=digest_of(constants),
        estimates={
            "multipliers": sum(3 * layer.units for layer in bundle.spec.lstm_layers),
            "lut_ram_bits": cells,
            "block_ram_bits": 2 * sum(32 * memory.words.size for memory in memories),
        },
    )


def head_planes(layer: DenseLayer, planes: int) -> int:
    """Bits of its input that a dense layer takes a cycle."""
    return min(HEAD_PLANES * planes, layer.input.width)


def _bias_parts(corrected: IntArray, sum_width: int, entry_width: int) -> IntArray:
    """Biases [rows] → parts of the width of an entry [parts, rows], lowest first."""
    parts = -(-sum_width // entry_width)
    shifted: IntArray = corrected[None] >> (entry_width * np.arange(parts)[:, None])
    return shifted


def _entries(matrix: IntArray) -> IntArray:
    """Weights [inputs, rows] → entries [16 * groups, rows]: the sums of the subsets of every four."""
    inputs, rows = matrix.shape
    groups = -(-inputs // 4)
    padded = np.zeros((4 * groups, rows), dtype=np.int64)
    padded[:inputs] = matrix
    subsets = np.arange(16)[:, None] >> np.arange(4) & 1  # [16, 4]
    entries: IntArray = np.einsum("sk,gkr->gsr", subsets, padded.reshape(groups, 4, rows))
    return entries.reshape(-1, rows)


def by_row(matrix: IntArray, units: int) -> IntArray:
    """Columns in blocks of gates → columns 4 * unit + gate."""
    return matrix.reshape(-1, 4, units).transpose(0, 2, 1).reshape(matrix.shape[0], -1)


def _lstm_memories(bundle: Bundle, layer: LstmLayer, first: int) -> list[Memory]:
    weights, name, units = bundle.weights, layer.name, layer.units
    kernel = by_row(weights[f"{name}.kernel"], units)
    recurrent = by_row(weights[f"{name}.recurrent"], units)
    bias = by_row(weights[f"{name}.bias"][None], units)[0]
    shifts = _lstm_shifts(layer)
    corrected = (bias << shifts["B_SHIFT"]) - (
        (kernel.sum(axis=0) << (layer.input.width - 1)) << shifts["X_SHIFT"]
    )
    corrected -= (recurrent.sum(axis=0) << (layer.hidden.width - 1)) << shifts["R_SHIFT"]
    width = max(layer.kernel.width, layer.recurrent.width) + 2
    words = np.concatenate(
        [_entries(kernel), _entries(recurrent), _bias_parts(corrected, shifts["A_WIDTH"], width)]
    )
    return [Memory(first, f"{name}_entries.hex", pack_words(words, width))]


def activation_tables(bundle: Bundle, layer: LstmLayer) -> dict[str, str]:
    """Hex files of a layer's two tables, an entry a line."""
    mask = (1 << layer.table.width) - 1
    return {
        f"{layer.name}_{suffix}.hex": "".join(
            f"{int(entry) & mask:x}\n" for entry in bundle.weights[f"{layer.name}.{table}"]
        )
        for suffix, table in (("gates", "gate_table"), ("cells", "cell_table"))
    }


def _lstm_shifts(layer: LstmLayer) -> dict[str, int]:
    fraction = max(
        layer.input.fraction + layer.kernel.fraction,
        layer.hidden.fraction + layer.recurrent.fraction,
        layer.bias.fraction,
    )
    terms = [
        (layer.inputs, layer.input, layer.kernel),
        (layer.units, layer.hidden, layer.recurrent),
    ]
    return {
        "X_SHIFT": fraction - layer.input.fraction - layer.kernel.fraction,
        "R_SHIFT": fraction - layer.hidden.fraction - layer.recurrent.fraction,
        "B_SHIFT": fraction - layer.bias.fraction,
        "A_WIDTH": proven_width(terms, layer.bias) + OFFSET_BITS,
        "A_FRACTION": fraction,
    }


def _lstm_block(layer: LstmLayer, planes: int, first: int) -> Block:
    shifts = _lstm_shifts(layer)
    parameters: dict[str, int | str] = {
        "INPUTS": layer.inputs,
        "UNITS": layer.units,
        "PLANES": planes,
        "X_WIDTH": layer.input.width,
        **format_parameters("H", layer.hidden),
        **format_parameters("C", layer.cell),
        "W_WIDTH": max(layer.kernel.width, layer.recurrent.width),
        **{name: value for name, value in shifts.items() if name != "B_SHIFT"},
        "T_WIDTH": layer.table.width,
        "T_FRACTION": layer.table.fraction,
        "GATE_INDEX_BITS": layer.gate.index_bits,
        "CELL_INDEX_BITS": layer.activation.index_bits,
        "GATE_TOWARDS_ZERO": int(layer.gate.index == "hls4ml"),
        "CELL_TOWARDS_ZERO": int(layer.activation.index == "hls4ml"),
        "MEMORY": first,
        "WEIGHT_INIT": f"{layer.name}_entries.hex",
        "GATE_INIT": f"{layer.name}_gates.hex",
        "CELL_INIT": f"{layer.name}_cells.hex",
    }
    return Block(layer.name, "lstm", "lstm_loadable", parameters, layer.units)


def _dense_shifts(layer: DenseLayer) -> dict[str, int]:
    fraction = max(layer.input.fraction + layer.kernel.fraction, layer.bias.fraction)
    return {
        "P_SHIFT": fraction - layer.input.fraction - layer.kernel.fraction,
        "B_SHIFT": fraction - layer.bias.fraction,
        "A_WIDTH": proven_width([(layer.inputs, layer.input, layer.kernel)], layer.bias)
        + OFFSET_BITS,
        "A_FRACTION": fraction,
    }


def _dense_memories(bundle: Bundle, layer: DenseLayer, first: int) -> list[Memory]:
    kernel, bias = bundle.weights[f"{layer.name}.kernel"], bundle.weights[f"{layer.name}.bias"]
    shifts = _dense_shifts(layer)
    corrected = (bias << shifts["B_SHIFT"]) - (
        (kernel.sum(axis=0) << (layer.input.width - 1)) << shifts["P_SHIFT"]
    )
    width = layer.kernel.width + 2
    words = np.concatenate([_entries(kernel), _bias_parts(corrected, shifts["A_WIDTH"], width)])
    return [Memory(first, f"{layer.name}_entries.hex", pack_words(words, width))]


def _dense_block(layer: DenseLayer, planes: int, first: int) -> Block:
    shifts = _dense_shifts(layer)
    parameters: dict[str, int | str] = {
        "INPUTS": layer.inputs,
        "UNITS": layer.units,
        "PLANES": head_planes(layer, planes),
        "H_WIDTH": layer.input.width,
        "W_WIDTH": layer.kernel.width,
        **{name: value for name, value in shifts.items() if name != "B_SHIFT"},
        **format_parameters("Y", layer.output),
        "RELU": int(layer.activation == "relu"),
        "MEMORY": first,
        "WEIGHT_INIT": f"{layer.name}_entries.hex",
    }
    return Block(layer.name, "dense", "dense_loadable", parameters)
