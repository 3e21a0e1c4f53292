"""The integer arithmetic of the contract as ONNX operators: the same bits wherever they are carried out
as specified.

Dot products run as float32 matrix products of raw integers, exact because every partial sum stays below
2**24 (checked against the actual weights; wider values are split in two). All else is int32: table
look-ups by Gather, shifts as divisions of numbers that were made non-negative first, so that truncation
is floor.
"""

from __future__ import annotations

import numpy as np

from gpu_fallback.export.graph import Graph
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import Activation, DenseLayer, LstmLayer

EXACT_BITS = 24
"""A float32 holds every integer up to 2**24."""

KIND = np.int32
"""Type of features, states and logits at the graph's ports: raw integers."""


def check_exact(bundle: Bundle) -> None:
    """Refuse what does not stay within 32-bit integers.

    Raises:
        ModelError: the message names layer, what, limit.
    """
    for layer in bundle.spec.layers:
        if layer.accumulator.width > 31:
            raise ModelError(
                f"{layer.name}: an accumulator of {layer.accumulator.width} bits; exact ONNX graphs "
                "carry 31. Use the precision fp32, or narrower formats"
            )
        results = [layer.output] if isinstance(layer, DenseLayer) else [layer.cell, layer.hidden]
        if any(form.overflow is Overflow.WRAP for form in results):
            raise ModelError(f"{layer.name}: WRAP is not carried by exact ONNX graphs; use SAT")
        if isinstance(layer, LstmLayer):
            if "hard" in (layer.gate.kind, layer.activation.kind):
                raise ModelError(
                    f"{layer.name}: hard activations are not carried by ONNX graphs; use tables"
                )
            for activation, width, fraction in (
                (layer.gate, layer.accumulator.width, layer.accumulator.fraction),
                (layer.activation, layer.accumulator.width, layer.accumulator.fraction),
                (layer.activation, layer.cell.width, layer.cell.fraction),
            ):
                finer = activation.index_bits - activation.range_bits - fraction
                if width + max(0, finer) > 31:
                    raise ModelError(
                        f"{layer.name}: a table index of {width + finer} bits; exact ONNX graphs carry "
                        "31. Use smaller tables"
                    )
            if not layer.fast:
                raise ModelError(
                    f"{layer.name}: f·c + i·g takes more than 32 bits with c {layer.cell} and tables "
                    f"{layer.table}; use narrower ones, or the precision fp32"
                )


def lstm_step(
    graph: Graph, bundle: Bundle, layer: LstmLayer, x: str, h: str, c: str, at: str
) -> tuple[str, str]:
    """One step of a layer, all values int32 [B, …]; ``at`` prefixes the names. Returns h and c."""
    weights, name, fraction = bundle.weights, layer.name, layer.accumulator.fraction
    products = [
        _product(graph, f"{name}.kernel", weights[f"{name}.kernel"], x, layer.input,
                 fraction - layer.input.fraction - layer.kernel.fraction, f"{at}.xW"),
        _product(graph, f"{name}.recurrent", weights[f"{name}.recurrent"], h, layer.hidden,
                 fraction - layer.hidden.fraction - layer.recurrent.fraction, f"{at}.hR"),
    ]  # fmt: skip
    bias = weights[f"{name}.bias"] << (fraction - layer.bias.fraction)
    total = graph.node("Add", products, f"{at}.products")
    total = graph.node("Add", [total, graph.constant(f"{name}.bias", bias.astype(KIND))], f"{at}.a")
    sums = graph.split(total, [f"{at}.a.{gate}" for gate in "ifgo"], axis=1)
    gate_table, cell_table = weights[f"{name}.gate_table"], weights[f"{name}.cell_table"]

    def look_up(kind: str, value: str, binary_point: int, output: str) -> str:
        table, activation = (
            (gate_table, layer.gate) if kind == "gate" else (cell_table, layer.activation)
        )
        index = _table_index(graph, activation, value, binary_point, output)
        entries = graph.constant(f"{name}.{kind}_table", table.astype(KIND))
        return graph.node("Gather", [entries, index], output, axis=0)

    i, f, o = (look_up("gate", sums[k], fraction, f"{at}.{'ifgo'[k]}") for k in (0, 1, 3))
    g = look_up("cell", sums[2], fraction, f"{at}.g")
    kept, added = layer.table.fraction + layer.cell.fraction, 2 * layer.table.fraction
    finest = max(kept, added)
    terms = [
        _shifted(graph, graph.node("Mul", [f, c], f"{at}.fc"), finest - kept),
        _shifted(graph, graph.node("Mul", [i, g], f"{at}.ig"), finest - added),
    ]
    exact = graph.node("Add", terms, f"{at}.c.exact")
    new_c = _convert(graph, layer.cell, exact, finest, f"{at}.c")
    squashed = look_up("cell", new_c, layer.cell.fraction, f"{at}.tanh_c")
    product = graph.node("Mul", [o, squashed], f"{at}.h.exact")
    return _convert(graph, layer.hidden, product, 2 * layer.table.fraction, f"{at}.h"), new_c


def dense(graph: Graph, bundle: Bundle, layer: DenseLayer, x: str, at: str) -> str:
    """A dense layer on int32 [B, inputs] → int32 [B, units]."""
    weights, name, fraction = bundle.weights, layer.name, layer.accumulator.fraction
    shift = fraction - layer.input.fraction - layer.kernel.fraction
    product = _product(
        graph, f"{name}.kernel", weights[f"{name}.kernel"], x, layer.input, shift, f"{at}.xW"
    )
    bias = weights[f"{name}.bias"] << (fraction - layer.bias.fraction)
    total = graph.node(
        "Add", [product, graph.constant(f"{name}.bias", bias.astype(KIND))], f"{at}.a"
    )
    if layer.activation == "relu":
        total = graph.node("Max", [total, graph.scalar(0, KIND)], f"{at}.relu")
    return _convert(graph, layer.output, total, fraction, f"{at}.y")


def _product(
    graph: Graph, name: str, matrix: IntArray, x: str, form: FixedFormat, shift: int, at: str
) -> str:
    """``(x·matrix) << shift`` of raw integers, exact: [B, inputs] int32 → [B, units] int32."""
    # terms of both signs may cancel late: the bound is on the sum of magnitudes
    heaviest = int(np.abs(matrix).sum(axis=0).max(initial=0))
    largest = max(abs(form.minimum), form.maximum)
    low_bits = 0
    while -(-largest >> low_bits) * heaviest >= 1 << EXACT_BITS:
        low_bits += 1
    if ((1 << low_bits) - 1) * heaviest >= 1 << EXACT_BITS:
        raise ModelError(
            f"{name}: weights of a unit add up to {heaviest}; exact ONNX graphs carry sums of two halves "
            f"of {form} below 2**{EXACT_BITS}. Use narrower formats, or the precision fp32"
        )
    weights = graph.constant(f"{name}.float32", matrix.astype(np.float32))

    def multiplied(values: str, output: str) -> str:
        real = graph.cast(values, np.float32, f"{output}.real")
        product = graph.node("MatMul", [real, weights], f"{output}.float32")
        return graph.cast(product, KIND, output)

    if low_bits == 0:
        return _shifted(graph, multiplied(x, at), shift)
    # x = high * 2**low_bits + low, both halves exact in float32
    high = _floor_divided(graph, x, low_bits, form.minimum, form.maximum, f"{at}.high")
    scaled = _shifted(graph, high, low_bits)
    low = graph.node("Sub", [x, scaled], f"{at}.low")
    high_product = _shifted(graph, multiplied(high, f"{at}.of_high"), low_bits)
    both = graph.node("Add", [high_product, multiplied(low, f"{at}.of_low")], f"{at}.both")
    return _shifted(graph, both, shift)


def _shifted(graph: Graph, value: str, shift: int) -> str:
    """``value << shift``."""
    if shift == 0:
        return value
    return graph.node("Mul", [value, graph.scalar(1 << shift, KIND)], f"{value}<<{shift}")


def _floor_divided(
    graph: Graph, value: str, shift: int, lowest: int, highest: int, output: str
) -> str:
    """``clip(value >> shift, lowest >> shift, highest >> shift)`` for int32.

    Clipping comes first and the range is moved to non-negative numbers, where division truncates to floor.
    """
    start = (lowest >> shift) << shift
    end = ((highest >> shift) << shift) + (1 << shift) - 1
    if end - start >= 1 << 31:
        raise ModelError(
            f"{output}: a range of {(end - start).bit_length()} bits before rounding; exact ONNX "
            "graphs carry 31. Use narrower formats, or the precision fp32"
        )
    bounded = graph.node("Max", [value, graph.scalar(start, KIND)], f"{output}.low_bound")
    bounded = graph.node("Min", [bounded, graph.scalar(end, KIND)], f"{output}.bounded")
    moved = graph.node("Sub", [bounded, graph.scalar(start, KIND)], f"{output}.moved")
    divided = graph.node("Div", [moved, graph.scalar(1 << shift, KIND)], f"{output}.divided")
    return graph.node("Add", [divided, graph.scalar(start >> shift, KIND)], output)


def _convert(graph: Graph, form: FixedFormat, value: str, fraction: int, output: str) -> str:
    """`FixedFormat.convert` of saturating formats, on int32."""
    drop = fraction - form.fraction
    if drop <= 0:
        value = _shifted(graph, value, -drop)
        bounded = graph.node("Max", [value, graph.scalar(form.minimum, KIND)], f"{output}.bounded")
        return graph.node("Min", [bounded, graph.scalar(form.maximum, KIND)], output)
    if form.rounding is Rounding.RND:
        value = graph.node("Add", [value, graph.scalar(1 << (drop - 1), KIND)], f"{output}.half")
    return _floor_divided(graph, value, drop, form.minimum << drop, form.maximum << drop, output)


def _table_index(
    graph: Graph, activation: Activation, value: str, fraction: int, output: str
) -> str:
    """`pyorch.inference.reference.table_index` on int32."""
    size = 1 << activation.index_bits
    shift = fraction + activation.range_bits - activation.index_bits
    lowest, highest = -(size // 2), size // 2 - 1
    index = f"{output}.index"
    if shift <= 0 or activation.index == "hls4ml":
        if shift > 0:
            # division truncates towards zero, as this rule does
            value = graph.node("Div", [value, graph.scalar(1 << shift, KIND)], f"{index}.scaled")
        else:
            value = _shifted(graph, value, -shift)
        bounded = graph.node("Max", [value, graph.scalar(lowest, KIND)], f"{index}.low_bound")
        bounded = graph.node("Min", [bounded, graph.scalar(highest, KIND)], f"{index}.bounded")
    else:
        bounded = _floor_divided(
            graph, value, shift, lowest << shift, highest << shift, f"{index}.bounded"
        )
    return graph.node("Add", [bounded, graph.scalar(size // 2, KIND)], index)
