"""The softmax block against the reference, for other numbers of outputs than a shipped model has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import probabilities

SOURCES = ("softmax.sv", "constant_memory.sv", "constant_table.sv", "stage.sv")
pytestmark = pytest.mark.debian


def logits(count: int, width: int) -> IntArray:
    """Ties of two and of all, both ends of the format, near and far ones: [n, count]."""
    random = np.random.default_rng(count)
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    wild = random.integers(low, high + 1, (300, count))
    near = random.integers(-300, 300, (300, count))
    ends = random.choice([low, low + 1, -1, 0, 1, high - 1, high], (300, count))
    tied = near.copy()
    tied[:, random.integers(1, count)] = tied[:, 0]
    same = np.repeat(near[:, :1], count, axis=1)
    return np.concatenate([wild, near, ends, tied, same])


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("bits_a_cycle", [2, 4, 8])
def test_shares_are_the_references(
    run_bench: Callable[..., IntArray], tmp_path: Path, count: int, bits_a_cycle: int
) -> None:
    bundle = Bundle.load(shipped_bundle())
    spec, table = bundle.spec, bundle.weights["exp_table"]
    head = next(head for head in spec.heads if head.kind == "softmax")
    width, values = spec.logits.width, logits(count, spec.logits.width)
    (tmp_path / "table.hex").write_text("".join(f"{int(entry):x}\n" for entry in table))
    mask = (1 << width) - 1
    words = (sum((int(v) & mask) << (width * k) for k, v in enumerate(row)) for row in values)
    (tmp_path / "logits.hex").write_text("".join(f"{word:x}\n" for word in words))
    shares = ", ".join(f"shares[{16 * k}+:16]" for k in range(count))
    bench = f"""`timescale 1ns / 1ps
module bench;
    reg clk = 0, start = 0;
    always #1 clk = !clk;
    reg [{count * width - 1}:0] rows [0:{len(values) - 1}], row;
    wire [{16 * count - 1}:0] shares;
    softmax #(
        .COUNT({count}), .Y_WIDTH({width}), .SHIFT({spec.exp_shift}),
        .INDEX_BITS({len(table).bit_length() - 1}), .DIVIDE_BITS({bits_a_cycle}), .INIT("table.hex")
    ) dut (.clk(clk), .start(start), .logits(row), .shares(shares));
    integer k;
    initial begin
        $readmemh("logits.hex", rows);
        for (k = 0; k < {len(values)}; k = k + 1) begin
            @(negedge clk) row = rows[k]; start = 1;
            @(negedge clk) start = 0;
            repeat ({2 + 16 // bits_a_cycle}) @(negedge clk);
            $display("{" ".join(["%0d"] * count)}", {shares});
        end
        $finish;
    end
endmodule
"""
    np.testing.assert_array_equal(
        run_bench(bench, SOURCES), probabilities(spec, bundle.weights, head, values)
    )
