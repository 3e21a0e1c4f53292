"""The style `baked`: weights as constants, all rows at once (`baked_control.sv`, generated adder trees)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hls.emit.adders import Adders, kernel, tree_depth
from hls.emit.baked_cycles import TAIL_CUTS, X_CYCLES
from hls.emit.bounds import cells_that_clamp, hidden_clamps, products_fit_logic
from hls.emit.loadable import activation_tables, by_row
from hls.emit.style import Block, StylePlan, format_parameters, refuse_unsupported
from hls.emit.text import CLOSE, OPEN, instance
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import DenseLayer, LstmLayer

RTL = (
    "convert.sv",
    "table_index.sv",
    "gather.sv",
    "stage.sv",
    "flow.sv",
    "constant_table.sv",
    "gated_sum.sv",
    "product_in_logic.sv",
    "multiply.sv",
    "small_product.sv",
    "sum_with_half.sv",
    "next_cell.sv",
    "parallel_tail.sv",
    "baked_control.sv",
    "baked_answers.sv",
)
MOST_CUTS = 127
R_CUT, R_MIDDLE_CUT = 32, 64
"""Cuts of R·h: behind its adder trees, and in their middle; passed before the next vector is known."""
DEFAULT_CUTS = R_CUT + 4
"""Three cycles a step of about the same length: R·h; gates and products; c, tanh(c) and h."""

_LSTM_PORTS = """    input  wire clk,
    input  wire rst,
    input  wire x_valid,
    output wire x_ready,
    input  wire [{x}-1:0] x,
    input  wire x_first,
    input  wire x_answer,
    output wire h_valid,
    output wire h_last,
    output wire [{h}-1:0] h,
    output wire h_first,
    output wire h_answer,
    input  wire h_ready,
    input  wire clear,
    input  wire swap,
    output wire drained,
    output wire idle,
    input  wire state_write,
    input  wire [12:0] state_address,
    input  wire [31:0] state_write_data,
    output wire [31:0] state_read_data,
    input  wire load_write,
    input  wire [31:0] load_address,
    input  wire [31:0] load_data
"""

_DENSE_PORTS = """    input  wire clk,
    input  wire rst,
    input  wire h_valid,
    input  wire h_last,
    input  wire [{h}-1:0] h,
    input  wire h_first,
    input  wire h_answer,
    output wire h_ready,
    output wire y_valid,
    input  wire y_ready,
    output wire [{y}-1:0] y,
    output wire y_first,
    output wire y_answer,
    input  wire swap,
    output wire drained,
    output wire idle,
    input  wire load_write,
    input  wire [31:0] load_address,
    input  wire [31:0] load_data
"""


def plan(bundle: Bundle, *, cuts: int = DEFAULT_CUTS, copies: int = 1, **unknown: Any) -> StylePlan:
    """Plan a bundle.

    Args:
        cuts: registers inside the recurrent loop, bit by bit: index 1, gates 2, products 4, c 8, tanh 16,
            R·h 32, the middle of its adder trees 64. A step takes one cycle more for each.
        copies: of the registers of h, each for its share of the units' rows.

    Raises:
        ModelError: a layer that no fabric carries.
        UsageError: parameters outside their range, or unknown.
    """
    if unknown:
        raise UsageError(f"baked: unknown parameters {sorted(unknown)}; it takes cuts, copies")
    if not 0 <= cuts <= MOST_CUTS:
        raise UsageError(
            f"baked: cuts {cuts}; give 0 to {MOST_CUTS} (the sum of 1, 2, 4, 8, 16, 32, 64)"
        )
    refuse_unsupported(bundle)
    fewest = min(layer.units for layer in bundle.spec.lstm_layers)
    if not 1 <= copies <= fewest:
        raise UsageError(
            f"baked: {copies} copies of h; give 1 to {fewest}, one for each unit at most"
        )
    blocks: list[Block] = []
    generated: dict[str, str] = {}
    constants: dict[str, str] = {}
    total = Adders()
    for number, layer in enumerate(bundle.spec.layers):
        module = f"baked_layer_{number}"
        if isinstance(layer, LstmLayer):
            following = bundle.spec.layers[number + 1 : number + 2]
            pipelined = bool(following) and isinstance(following[0], DenseLayer)
            text = _lstm_text(bundle, layer, module, (cuts, copies), pipelined, total)
            constants |= activation_tables(bundle, layer)
            blocks.append(Block(layer.name, "lstm", module, {}, layer.units))
        else:
            after = number > 0 and isinstance(bundle.spec.layers[number - 1], DenseLayer)
            text = _dense_text(bundle, layer, module, after, total)
            blocks.append(Block(layer.name, "dense", module, {}))
        generated[f"{module}.sv"] = (
            f"// Layer {layer.name}: constants as adders.\n{OPEN}{text}{CLOSE}"
        )
    return StylePlan(
        style="baked",
        parameters={"cuts": cuts, "copies": copies},
        blocks=tuple(blocks),
        rtl=RTL,
        generated=generated,
        constants=constants,
        baked=bundle.digest(),
        estimates={
            "multipliers": sum(
                (0 if products_fit_logic(bundle, layer) else 3) * layer.units
                for layer in bundle.spec.lstm_layers
            ),
            "adders": total.count,
            "adder_bits": total.bits,
            "adder_registers": total.registers,
            "adder_depth": total.depth,
        },
        loadable=False,
    )


def _constants(values: IntArray, width: int) -> str:
    """Constants side by side, the first lowest."""
    mask = (1 << width) - 1
    return "{" + ", ".join(f"{width}'h{int(v) & mask:x}" for v in values[::-1]) + "}"


def _exact(values: IntArray) -> list[tuple[int, int]]:
    """Constants as ranges."""
    return [(int(value), int(value)) for value in values]


def _lstm_text(
    bundle: Bundle,
    layer: LstmLayer,
    module: str,
    chosen: tuple[int, int],
    pipelined: bool,
    total: Adders,
) -> str:
    """``chosen``: cuts and copies."""
    (cuts, copies), weights, units = chosen, bundle.weights, layer.units
    of_x = by_row(weights[f"{layer.name}.kernel"], units)
    of_h = by_row(weights[f"{layer.name}.recurrent"], units)
    width, fraction = layer.accumulator.width, layer.accumulator.fraction
    bias = by_row(weights[f"{layer.name}.bias"][None], units)[0] << (fraction - layer.bias.fraction)
    x_shift = fraction - layer.input.fraction - layer.kernel.fraction
    r_shift = fraction - layer.hidden.fraction - layer.recurrent.fraction
    r_depth = tree_depth(of_h)
    r_cuts: tuple[int, ...] = (r_depth // 2,) if cuts & R_MIDDLE_CUT else ()
    r_cuts += (r_depth,) if cuts & R_CUT else ()
    x_kernel = kernel(
        f"{module}_x", of_x, layer.input.width, x_shift, width, _exact(bias), total,
        cuts=(tree_depth(of_x) // 2,),
    )  # fmt: skip
    r_kernel = kernel(
        f"{module}_h", of_h, layer.hidden.width, r_shift, width, x_kernel.ranges, total,
        cuts=r_cuts, copies=copies,
    )  # fmt: skip
    text = x_kernel.text + "\n" + r_kernel.text
    rows = 4 * units
    parameters: dict[str, int | str] = {
        "INPUTS": layer.inputs,
        "UNITS": units,
        "X_CYCLES": X_CYCLES,
        "CUTS": cuts & TAIL_CUTS,
        "R_CYCLES": len(r_cuts),
        "COPIES": copies,
        "PIPELINED": int(pipelined),
        "X_WIDTH": layer.input.width,
        **format_parameters("H", layer.hidden),
        "H_SATURATE": int(hidden_clamps(bundle, layer)),
        "IN_LOGIC": int(products_fit_logic(bundle, layer)),
        **format_parameters("C", layer.cell),
        "A_WIDTH": width,
        "A_FRACTION": fraction,
        "T_WIDTH": layer.table.width,
        "T_FRACTION": layer.table.fraction,
        "GATE_INDEX_BITS": layer.gate.index_bits,
        "CELL_INDEX_BITS": layer.activation.index_bits,
        "GATE_TOWARDS_ZERO": int(layer.gate.index == "hls4ml"),
        "CELL_TOWARDS_ZERO": int(layer.activation.index == "hls4ml"),
        "C_CLAMPED": cells_that_clamp(bundle, layer, r_kernel.ranges),
        "GATE_INIT": f"{layer.name}_gates.hex",
        "CELL_INIT": f"{layer.name}_cells.hex",
    }
    same = (
        "clk", "rst", "x_valid", "x_ready", "x_first", "x_answer", "move", "h_copies", "sums", "h_valid",
        "h_last", "h", "h_first", "h_answer", "h_ready", "clear", "drained", "idle", "state_write",
        "state_address", "state_write_data", "state_read_data",
    )  # fmt: skip
    ports = _LSTM_PORTS.format(x=layer.inputs * layer.input.width, h=units * layer.hidden.width)
    body = (
        f"\nmodule {module} (\n{ports});\n"
        "    wire move;\n"
        f"    wire [{copies * units * layer.hidden.width - 1}:0] h_copies;\n"
        f"    wire [{rows * width - 1}:0] x_sums, sums;\n"
        f"    wire [{rows * width - 1}:0] bias = {_constants(bias, width)};\n"
        "    // W·x + b of the next step\n"
        f"    reg [{rows * width - 1}:0] base;\n"
        "    always @(posedge clk) if (move) base <= x_sums;\n"
    )
    clocked = {"clk": "clk", "move": "move"}
    body += instance(
        f"{module}_x", "of_x", {}, clocked | {"values": "x", "base": "bias", "sums": "x_sums"}
    )
    clocked = {"clk": "clk", "move": "1'b1"} if r_cuts else {}
    body += instance(
        f"{module}_h", "of_h", {}, clocked | {"values": "h_copies", "base": "base", "sums": "sums"}
    )
    body += instance("baked_control", "control", parameters, {name: name for name in same})
    return text + body + "endmodule\n"


def _dense_text(
    bundle: Bundle, layer: DenseLayer, module: str, after_dense: bool, total: Adders
) -> str:
    width, fraction = layer.accumulator.width, layer.accumulator.fraction
    shift = fraction - layer.input.fraction - layer.kernel.fraction
    bias = bundle.weights[f"{layer.name}.bias"] << (fraction - layer.bias.fraction)
    matrix = bundle.weights[f"{layer.name}.kernel"]
    rows = kernel(
        f"{module}_h", matrix, layer.input.width, shift, width, _exact(bias), total,
        cuts=((tree_depth(matrix) + 1) // 2,),
    )  # fmt: skip
    parameters: dict[str, int | str] = {
        "UNITS": layer.units,
        "A_WIDTH": width,
        "A_FRACTION": fraction,
        **format_parameters("Y", layer.output),
        "RELU": int(layer.activation == "relu"),
        "HANDSHAKE": int(after_dense),
    }
    ports = _DENSE_PORTS.format(
        h=layer.inputs * layer.input.width, y=layer.units * layer.output.width
    )
    body = (
        f"\nmodule {module} (\n{ports});\n"
        f"    wire [{layer.units * width - 1}:0] sums;\n"
        f"    wire [{layer.units * width - 1}:0] bias = {_constants(np.asarray(bias), width)};\n"
        "    assign y_first = 1'b0;\n    assign y_answer = 1'b1;\n    assign idle = drained;\n"
    )
    body += instance(
        f"{module}_h", "of_h", {},
        {"clk": "clk", "move": "1'b1", "values": "h", "base": "bias", "sums": "sums"},
    )  # fmt: skip
    names = (
        "clk", "rst", "h_valid", "h_answer", "h_ready", "sums", "y_valid", "y_ready", "y", "drained",
    )  # fmt: skip
    body += instance("baked_answers", "answers", parameters, {name: name for name in names})
    return rows.text + body + "endmodule\n"
