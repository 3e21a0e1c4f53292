"""The shared RTL primitives against the contract's Python, value by value, on Icarus Verilog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import Activation
from pyorch.inference.reference import table_index

Bench = Callable[..., IntArray]
pytestmark = pytest.mark.debian


def evaluate(
    run_bench: Bench, folder: Path, module: str, cases: list[tuple[dict[str, int], IntArray]]
) -> list[IntArray]:
    """A combinational module from `value` on, (parameters, inputs) a case, all in one simulation."""
    width_name, output, output_name = {
        "convert": ("FROM_WIDTH", "converted", "TO_WIDTH"),
        "table_index": ("WIDTH", "index", "INDEX_BITS"),
    }[module]
    lines, body = ["`timescale 1ns/1ps", "module bench;", "  integer k;"], []
    for number, (parameters, values) in enumerate(cases):
        width = parameters[width_name]
        text = [f"{int(value) & ((1 << width) - 1):x}" for value in values]
        (folder / f"in_{number}.hex").write_text("\n".join(text) + "\n")
        settings = ", ".join(f".{name}({value})" for name, value in parameters.items())
        lines += [
            f"  reg [{width - 1}:0] values_{number} [0:{len(values) - 1}], in_{number};",
            f"  wire [{parameters[output_name] - 1}:0] out_{number};",
            f"  {module} #({settings}) dut_{number} (.value(in_{number}), .{output}(out_{number}));",
        ]
        body += [
            f'    $readmemh("in_{number}.hex", values_{number});',
            f"    for (k = 0; k < {len(values)}; k = k + 1) begin",
            f'      in_{number} = values_{number}[k]; #1; $display("{number} %0d", out_{number});',
            "    end",
        ]
    bench = [*lines, "  initial begin", *body, "  end", "endmodule"]
    rows = run_bench("\n".join(bench) + "\n", (f"{module}.sv",))
    return [rows[rows[:, 0] == number, 1] for number in range(len(cases))]


def samples(width: int, seed: int) -> IntArray:
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    near = np.arange(-20, 21)
    ends = np.concatenate([low + np.arange(20), high - np.arange(20)])
    wild = np.random.default_rng(seed).integers(low, high + 1, 60)
    small = wild >> (width // 2)
    return np.clip(np.concatenate([near, ends, wild, small]), low, high)


def test_convert_is_the_contracts_conversion_in_every_mode(
    run_bench: Bench, tmp_path: Path
) -> None:
    formats = [
        (24, 12, 12, 8), (20, 8, 12, 8), (12, 4, 20, 9), (30, 22, 8, 7), (16, 20, 6, 2), (8, 3, 4, 6),
    ]  # fmt: skip
    cases, expected = [], []
    for seed, (width, fraction, out, out_fraction) in enumerate(formats):
        for rounding in Rounding:
            for overflow in Overflow:
                form = FixedFormat(out, out - out_fraction, True, rounding, overflow)
                values = samples(width, seed)
                parameters = {
                    "FROM_WIDTH": width, "FROM_FRACTION": fraction,
                    "TO_WIDTH": out, "TO_FRACTION": out_fraction,
                    "ROUND": int(rounding is Rounding.RND), "SATURATE": int(overflow is Overflow.SAT),
                }  # fmt: skip
                cases.append((parameters, values))
                expected.append(form.convert(values, fraction) & ((1 << out) - 1))
    got = evaluate(run_bench, tmp_path, "convert", cases)
    for (parameters, values), is_now, wanted in zip(cases, got, expected, strict=True):
        np.testing.assert_array_equal(is_now, wanted, err_msg=f"{parameters} of {values}")


def test_table_index_is_the_contracts_index_for_both_rules(
    run_bench: Bench, tmp_path: Path
) -> None:
    cases, expected = [], []
    shapes = [(22, 12, 10), (24, 18, 8), (8, 3, 10), (30, 18, 9), (12, 2, 8), (16, 12, 4)]
    for seed, (width, fraction, bits) in enumerate(shapes):
        for function in ("sigmoid", "tanh"):
            for number, rule in enumerate(("mid", "hls4ml")):
                activation = Activation(function, "table", rule, bits)  # type: ignore[arg-type]
                values = samples(width, seed)
                parameters = {
                    "WIDTH": width, "FRACTION": fraction, "INDEX_BITS": bits,
                    "RANGE_BITS": activation.range_bits, "TOWARDS_ZERO": number,
                }  # fmt: skip
                cases.append((parameters, values))
                expected.append(table_index(activation, values, fraction))
    got = evaluate(run_bench, tmp_path, "table_index", cases)
    for (parameters, values), is_now, wanted in zip(cases, got, expected, strict=True):
        np.testing.assert_array_equal(is_now, wanted, err_msg=f"{parameters} of {values}")


def chip_models(folder: Path) -> list[str]:
    """Arguments of Icarus Verilog for sources with an ECP5's carry chains: Yosys' model of the cell."""
    pyosys = pytest.importorskip("pyosys", reason="the cell models of Yosys")
    shapes = (("LUT4", "A, B, C, D", "D, C, B, A"), ("LUT2", "A, B", "B, A"))
    text = [
        f"module {name} #(parameter INIT = 0) (input {pins}, output Z);\n"
        f"  assign Z = (INIT >> {{{places}}}) & 1;\nendmodule\n"
        for name, pins, places in shapes
    ]
    (folder / "luts.v").write_text("".join(text))
    share = Path(pyosys.__file__).parent / "share" / "ecp5"
    return ["-DFABRIC_ECP5", "-gno-specify", "luts.v", str(share / "ccu2c_sim.vh")]


CHIPS = pytest.mark.parametrize("chip", [False, True], ids=["plain", "carry chains of an ECP5"])


@CHIPS
def test_small_product_is_the_converted_product_for_every_pair(
    run_bench: Bench, tmp_path: Path, chip: bool
) -> None:
    form = FixedFormat(8, 1, True, Rounding.RND, Overflow.SAT)
    bench = (
        "`timescale 1ns/1ps\nmodule bench;\n  reg [6:0] a; reg signed [7:0] b; wire signed [7:0] y;\n"
        "  small_product #(.A_WIDTH(7), .B_WIDTH(8), .FRACTION(14), .TO_WIDTH(8), .TO_FRACTION(7))\n"
        "  dut (.a(a), .b(b), .converted(y));\n  integer i, j;\n  initial\n"
        "    for (i = 0; i < 128; i = i + 1) for (j = -128; j < 128; j = j + 1) begin\n"
        '      a = i; b = j; #1; $display("%0d", y);\n    end\nendmodule\n'
    )
    models = chip_models(tmp_path) if chip else []
    got = run_bench(bench, ("convert.sv", "gated_sum.sv", "small_product.sv"), *models)[:, 0]
    products = np.outer(np.arange(128), np.arange(-128, 128)).ravel()
    np.testing.assert_array_equal(got, form.convert(products, 14))


@CHIPS
def test_sum_with_half_adds_both_and_half_an_lsb(
    run_bench: Bench, tmp_path: Path, chip: bool
) -> None:
    cases = [(9, 0), (9, 3), (10, 8), (26, 6)]
    random = np.random.default_rng(3)
    operands = [random.integers(0, 1 << width, (300, 2)) for width, _ in cases]
    for width, pairs in zip((w for w, _ in cases), operands, strict=True):
        ends = np.array([0, 1, (1 << width) - 1, 1 << (width - 1)])
        pairs[:16] = np.stack(np.meshgrid(ends, ends), -1).reshape(-1, 2)
    lines, body = ["`timescale 1ns/1ps", "module bench;", "  integer k;"], []
    for number, (width, half) in enumerate(cases):
        text = [f"{int(a) << width | int(b):x}" for a, b in operands[number]]
        (tmp_path / f"in_{number}.hex").write_text("\n".join(text) + "\n")
        lines += [
            f"  reg [{2 * width - 1}:0] pairs_{number} [0:{len(text) - 1}], in_{number};",
            f"  wire [{width - 1}:0] out_{number};",
            f"  sum_with_half #(.WIDTH({width}), .HALF({half})) dut_{number} ("
            f".a(in_{number}[{width}+:{width}]), .b(in_{number}[{width - 1}:0]), .sum(out_{number}));",
        ]
        body += [
            f'    $readmemh("in_{number}.hex", pairs_{number});',
            f"    for (k = 0; k < {len(text)}; k = k + 1) begin",
            f'      in_{number} = pairs_{number}[k]; #1; $display("{number} %0d", out_{number});',
            "    end",
        ]
    bench = [*lines, "  initial begin", *body, "  end", "endmodule"]
    models = chip_models(tmp_path) if chip else []
    rows = run_bench("\n".join(bench) + "\n", ("sum_with_half.sv",), *models)
    for number, (width, half) in enumerate(cases):
        wanted = (operands[number].sum(1) + (1 << half)) & ((1 << width) - 1)
        np.testing.assert_array_equal(rows[rows[:, 0] == number, 1], wanted, err_msg=str(width))


@CHIPS
def test_product_in_logic_is_the_product_for_every_pair(
    run_bench: Bench, tmp_path: Path, chip: bool
) -> None:
    shapes = [(8, 6), (7, 5), (9, 2), (3, 8), (6, 3)]
    lines, body = ["`timescale 1ns/1ps", "module bench;", "  integer i, j;"], []
    for number, (a, b) in enumerate(shapes):
        lines += [
            f"  reg signed [{a - 1}:0] a_{number}; reg signed [{b - 1}:0] b_{number};",
            f"  wire signed [{a + b - 1}:0] y_{number};",
            f"  product_in_logic #(.A_WIDTH({a}), .B_WIDTH({b}), .MIDDLE(0), .OUTPUT(0)) dut_{number} ("
            f".clk(1'b0), .a(a_{number}), .b(b_{number}), .product(y_{number}));",
        ]
        body += [
            f"    for (i = 0; i < {1 << a}; i = i + 1) for (j = 0; j < {1 << b}; j = j + 1) begin",
            f"      a_{number} = i; b_{number} = j; #1;",
            f'      $display("%0d %0d %0d", a_{number}, b_{number}, y_{number});',
            "    end",
        ]
    text = [*lines, "  initial begin", *body, "  end", "endmodule", ""]
    models = chip_models(tmp_path) if chip else []
    got = run_bench("\n".join(text), ("stage.sv", "gated_sum.sv", "product_in_logic.sv"), *models)
    assert len(got) == sum(1 << a + b for a, b in shapes)
    np.testing.assert_array_equal(got[:, 2], got[:, 0] * got[:, 1])
