"""Generated adder trees compute their rows, in as few levels as their digits allow; bounds are proofs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from msgspec.structs import replace

from hls.digits import digits_per_row, within_budget
from hls.emit.adders import Adders, Kernel, kernel, tree_depth
from hls.emit.bounds import cells_that_clamp, hidden_clamps, products_fit_logic
from hls.emit.shared_sums import Pair, Part, share
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow
from pyorch.contract.model import LstmLayer
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle


def settled(text: str, values: list[int], bases: list[int], width: int) -> tuple[list[int], int]:
    """Sums of a module whose inputs are held until every register has followed, and its registers."""
    nets: dict[str, int] = {}
    sums: dict[int, int] = {}
    registers = 0

    def value_of(expression: str) -> int:
        found = re.sub(
            r"\$signed\(base\[(\d+)\+:\d+\]\)", lambda m: str(bases[int(m[1]) // width]), expression
        )
        found = re.sub(r"[a-z]\w*", lambda m: f"({nets[m[0]]})", found)
        return int(eval(found.replace("<<<", "<<")))

    for line in text.splitlines():
        line = line.strip()
        if match := re.match(r"wire signed \[(\d+):0\] (\w+) = (.*);", line):
            if match[3].startswith("values["):
                nets[match[2]] = values[int(match[2].split("_")[1])]
            else:
                nets[match[2]] = value_of(match[3])
            assert abs(2 * nets[match[2]] + 1) < 2 << int(match[1]), f"{line}: {nets[match[2]]}"
        elif match := re.match(r"always @\(posedge clk\) if \(move\) (\w+) <= (\w+);", line):
            nets[match[1]] = nets[match[2]]
            registers += 1
        elif match := re.match(r"assign sums\[(\d+)\+:\d+\] = (\w+);", line):
            sums[int(match[1]) // width] = nets[match[2]]
    return [sums[row] for row in range(len(sums))], registers


def written(matrix: IntArray, adders: Adders, cuts: tuple[int, ...], copies: int = 1) -> Kernel:
    rows = matrix.shape[1]
    return kernel("rows", matrix, 8, 2, 24, [(-900, 700)] * rows, adders, cuts=cuts, copies=copies)


@pytest.mark.parametrize(("cuts", "copies"), [((), 1), ((2,), 1), ((0,), 3), ((1, 4), 2)])
def test_rows_are_base_and_products_at_every_end_of_the_values(
    cuts: tuple[int, ...], copies: int
) -> None:
    rng = np.random.default_rng(3)
    matrix = np.where(rng.random((7, 12)) < 0.2, 0, rng.integers(-32, 32, (7, 12)))
    matrix[:, 5] = 0
    made = written(matrix, Adders(), cuts, copies)
    for _ in range(60):
        values = rng.choice([-128, 127, 0, 1, int(rng.integers(-128, 128))], 7)
        bases = rng.choice([-900, 700], 12)
        got, registers = settled(made.text, values.tolist(), bases.tolist(), 24)
        assert got == (bases + (values @ matrix << 2)).tolist()
        assert (registers > 0) == bool(cuts)
        for (low, high), one in zip(made.ranges, got, strict=True):
            assert low <= one <= high


def test_a_budget_of_digits_bounds_the_depth_and_registers_share_it_out() -> None:
    matrix = within_budget(np.random.default_rng(4).integers(-32, 32, (20, 16)), 16, 31)
    assert digits_per_row(matrix).max() == 16
    assert tree_depth(matrix) == 4
    whole, ends, halves = Adders(), Adders(), Adders()
    for adders, cuts in ((whole, ()), (ends, (4,)), (halves, (2, 4))):
        written(matrix, adders, cuts)
    assert (whole.depth, ends.depth, halves.depth) == (5, 4, 2)
    assert (whole.registers, whole.count) == (0, ends.count)
    assert halves.registers > ends.registers > 16 * 8


def lstm_of(bundle: Bundle) -> LstmLayer:
    layer = bundle.spec.lstm_layers[0]
    return layer


def test_narrow_h_cannot_leave_its_format_but_a_smaller_format_can_be_left() -> None:
    bundle = random_bundle(1, 3, (4,), PRESETS["narrow"])
    layer = lstm_of(bundle)
    assert not hidden_clamps(bundle, layer)
    assert products_fit_logic(bundle, layer)
    assert hidden_clamps(bundle, replace(layer, hidden=FixedFormat(7, 0)))
    wrapping = FixedFormat(7, 0, overflow=Overflow.WRAP)
    assert not hidden_clamps(bundle, replace(layer, hidden=wrapping))
    wide = random_bundle(1, 3, (4,), PRESETS["default"])
    assert not products_fit_logic(wide, lstm_of(wide))


def test_a_unit_clamps_c_unless_no_state_and_no_sum_can_leave_its_format() -> None:
    bundle = random_bundle(1, 3, (3,), PRESETS["narrow"])
    layer = lstm_of(bundle)
    one = 1 << layer.accumulator.fraction
    anything, forgets = (-9 * one, 9 * one), (-9 * one, one)
    # unit 0: any gate; unit 1: forgets at least a quarter a step; unit 2: remembers, and takes nothing
    sums = [anything] * 4 + [anything, forgets, anything, anything]
    sums += [(-9 * one, -8 * one), anything, (0, 0), anything]
    assert cells_that_clamp(bundle, layer, sums) == 0b001
    assert cells_that_clamp(bundle, replace(layer, cell=FixedFormat(16, 2)), sums) == 0b011
    wrapping = replace(layer, cell=FixedFormat(16, 4, overflow=Overflow.WRAP))
    assert cells_that_clamp(bundle, wrapping, sums) == 0


def test_sums_that_rows_share_are_made_once_and_no_tree_gets_deeper() -> None:
    matrix = within_budget(np.random.default_rng(5).integers(-32, 32, (20, 80)), 16, 31)
    adders = Adders()
    made = kernel("rows", matrix, 8, 0, 24, [(0, 0)] * 80, adders)
    alone = int(digits_per_row(matrix).sum())  # one adder a digit, the last for the base
    assert adders.count < 0.7 * alone
    assert adders.depth == tree_depth(matrix) + 1 == 5
    used = [len(re.findall(rf"\bv0_{k}\b", made.text)) - 1 for k in range(20)]
    apart = [sum(int(n) for n in digits_per_row(matrix[k][None])) for k in range(20)]
    assert max(used) < 0.5 * max(apart)  # a value goes to fewer adders, so it is sooner everywhere


def test_pairs_of_rows_that_share_nothing_stay_apart() -> None:
    rows = [[Part(0, "a", 0, 1), Part(0, "b", 2, -1)], [Part(0, "a", 0, 1), Part(0, "b", 3, -1)]]
    assert share(rows, lambda pair, depth: pytest.fail(f"{pair}")) == rows


def test_a_pair_is_found_again_shifted_and_negated() -> None:
    rows = [[Part(0, "a", 0, 1), Part(0, "b", 2, -1)], [Part(0, "b", 5, 1), Part(0, "a", 3, -1)]]
    asked: list[tuple[Pair, int]] = []

    def make(pair: Pair, depth: int) -> str:
        asked.append((pair, depth))
        return "sum"

    assert share(rows, make) == [[Part(1, "sum", 0, 1)], [Part(1, "sum", 3, -1)]]
    assert asked == [(Pair("a", "b", 2, -1), 0)]
