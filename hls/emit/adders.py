"""Constant products as adders: CSD digits, multiples shared between rows, balanced trees of exact widths.

A constant costs one adder less than it has digits; a row's tree is
ceil(log2(terms)) deep.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from hls.digits import csd_digits
from pyorch.contract.fixed import IntArray


def signed_width(low: int, high: int) -> int:
    """Bits of two's complement that hold low..high."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """``sign * (net << shift)``; the net is signed and holds low..high."""

    depth: int
    net: str
    shift: int
    sign: int
    low: int
    high: int


@dataclass(slots=True)
class Adders:
    """SystemVerilog of a set of rows, as it grows.

    Attributes:
        lines: declarations; count, bits: adders and their width in all; depth: the deepest tree.
    """

    lines: list[str] = field(default_factory=list)
    count: int = 0
    bits: int = 0
    depth: int = 0
    _multiples: dict[tuple[str, int], Term] = field(default_factory=dict)

    def multiple(self, value: Term, constant: int) -> Term:
        """``value * constant``; odd parts are shared between all rows."""
        sign = -1 if constant < 0 else 1
        magnitude, shift = abs(constant), 0
        while magnitude % 2 == 0:
            magnitude, shift = magnitude // 2, shift + 1
        key = (value.net, magnitude)
        if key not in self._multiples:
            terms = [
                Term(value.depth, value.net, place, s, value.low, value.high)
                for s, place in csd_digits(magnitude)
            ]
            self._multiples[key] = self.sum(terms, f"{value.net}_times_{magnitude}")
        found = self._multiples[key]
        return Term(
            found.depth, found.net, found.shift + shift, found.sign * sign, found.low, found.high
        )

    def sum(self, terms: list[Term], name: str) -> Term:
        """A balanced tree: always the two shallowest terms next."""
        heap = list(terms)
        heapq.heapify(heap)
        number = 0
        while len(heap) > 1:
            a, b = heapq.heappop(heap), heapq.heappop(heap)
            heapq.heappush(heap, self._add(a, b, f"{name}_{number}"))
            number += 1
        return heap[0]

    def _add(self, a: Term, b: Term, name: str) -> Term:
        if a.sign < b.sign:
            a, b = b, a
        sign = a.sign  # both negative: minus their sum
        common = min(a.shift, b.shift)
        up_a, up_b = a.shift - common, b.shift - common
        subtract = a.sign != b.sign
        low_b, high_b = (-b.high, -b.low) if subtract else (b.low, b.high)
        low = (a.low << up_a) + (low_b << up_b)
        high = (a.high << up_a) + (high_b << up_b)
        width = signed_width(low, high)
        left = f"({a.net} <<< {up_a})" if up_a else a.net
        right = f"({b.net} <<< {up_b})" if up_b else b.net
        self.lines.append(
            f"    wire signed [{width - 1}:0] {name} = {left} {'-' if subtract else '+'} {right};\n"
        )
        self.count += 1
        self.bits += width
        depth = max(a.depth, b.depth) + 1
        self.depth = max(self.depth, depth)
        return Term(depth, name, common, sign, low, high)


def kernel_text(
    module: str, matrix: IntArray, value_width: int, shift: int, width: int, adders: Adders
) -> str:
    """A module ``sums = base + (values · matrix << shift)``, without registers.

    Args:
        matrix: constants [inputs, rows].
        value_width: bits of a value; width: of a sum.
        adders: an empty one; counts what was made.
    """
    inputs, rows = matrix.shape
    half = 1 << (value_width - 1)
    values = [Term(0, f"v{k}", 0, 1, -half, half - 1) for k in range(inputs)]
    ends = []
    for row in range(rows):
        terms = [
            adders.multiple(values[k], int(matrix[k, row])) for k in range(inputs) if matrix[k, row]
        ]
        given = f"$signed(base[{row * width}+:{width}])"
        if terms:
            total = adders.sum(terms, f"row{row}")
            place = total.shift + shift
            product = f"({total.net} <<< {place})" if place else total.net
            # in a wire of the sum's width, so that the shift loses nothing
            adders.lines.append(f"    wire signed [{width - 1}:0] product{row} = {product};\n")
            given += f" {'+' if total.sign > 0 else '-'} product{row}"
            adders.count += 1
            adders.bits += width
            adders.depth = max(adders.depth, total.depth + 1)
        ends.append(f"    assign sums[{row * width}+:{width}] = {given};\n")
    ports = (
        f"    input  wire [{inputs * value_width - 1}:0] values,\n"
        f"    input  wire [{rows * width - 1}:0] base,\n"
        f"    output wire [{rows * width - 1}:0] sums\n"
    )
    nets = "".join(
        f"    wire signed [{value_width - 1}:0] v{k} = values[{k * value_width}+:{value_width}];\n"
        for k in range(inputs)
    )
    return f"module {module} (\n{ports});\n{nets}{''.join(adders.lines)}{''.join(ends)}endmodule\n"
