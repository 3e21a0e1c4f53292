"""Constant products as adders: CSD digits, multiples shared between rows, balanced trees of exact widths.

A constant costs one adder less than it has digits; a row's tree is
ceil(log2(terms)) deep.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

from hls.digits import csd_digits
from pyorch.contract.fixed import IntArray


def signed_width(low: int, high: int) -> int:
    """Bits of two's complement that hold low..high."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """``sign * (net << shift)``; the net is signed and holds low..high.

    ``depth``: adders between it and a value; ``since``: those behind the last register.
    """

    depth: int
    shift: int
    net: str
    sign: int
    low: int
    high: int
    since: int


@dataclass(slots=True)
class Adders:
    """SystemVerilog of a set of rows, as it grows.

    Attributes:
        lines: declarations; count, bits: adders and their width in all; registers: their bits.
        depth: the most adders one behind the other, between registers where there are some.
        cuts: registers behind so many adders, rising.
    """

    lines: list[str] = field(default_factory=list)
    count: int = 0
    bits: int = 0
    depth: int = 0
    registers: int = 0
    cuts: tuple[int, ...] = ()
    _multiples: dict[tuple[str, int], Term] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    def add(self, part: Adders) -> None:
        """Count a part."""
        self.count += part.count
        self.bits += part.bits
        self.registers += part.registers
        self.depth = max(self.depth, part.depth)

    def behind(self, term: Term, depth: int) -> Term:
        """The term for an adder of that depth: behind the registers of all cuts between them."""
        for cut in self.cuts:
            if not term.depth <= cut < depth:
                continue
            held = f"{term.net}_held{cut}"
            if held not in self._held:
                width = signed_width(term.low, term.high)
                self.lines.append(
                    f"    reg signed [{width - 1}:0] {held};\n"
                    f"    always @(posedge clk) if (move) {held} <= {term.net};\n"
                )
                self.registers += width
                self._held.add(held)
            term = replace(term, net=held, since=0)
        return term

    def multiple(self, value: Term, constant: int) -> Term:
        """``value * constant``; odd parts are shared between all rows."""
        sign = -1 if constant < 0 else 1
        magnitude, shift = abs(constant), 0
        while magnitude % 2 == 0:
            magnitude, shift = magnitude // 2, shift + 1
        key = (value.net, magnitude)
        if key not in self._multiples:
            terms = [
                Term(value.depth, place, value.net, s, value.low, value.high, value.since)
                for s, place in csd_digits(magnitude)
            ]
            self._multiples[key] = self.sum(terms, f"{value.net}_times_{magnitude}")
        found = self._multiples[key]
        return Term(
            found.depth,
            found.shift + shift,
            found.net,
            found.sign * sign,
            found.low,
            found.high,
            found.since,
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
        depth = max(a.depth, b.depth) + 1
        a, b = self.behind(a, depth), self.behind(b, depth)
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
        since = max(a.since, b.since) + 1
        self.depth = max(self.depth, since)
        return Term(depth, common, name, sign, low, high, since)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Rows ``sums = base + (values · matrix << shift)`` as a module.

    Attributes:
        text: SystemVerilog; ports values, base, sums, and with cuts clk and move.
        ranges: lowest and highest sum of each row.
    """

    text: str
    ranges: list[tuple[int, int]]


def tree_depth(matrix: IntArray) -> int:
    """Adders one behind the other in the deepest row of constants [inputs, rows], without its base."""
    tree = Adders()
    deepest = 0
    for row in range(matrix.shape[1]):
        terms = [
            tree.multiple(Term(0, 0, f"v{k}", 1, -1, 1, 0), int(value))
            for k, value in enumerate(matrix[:, row])
            if value
        ]
        deepest = max(deepest, tree.sum(terms, f"row{row}").depth if terms else 0)
    return deepest


def kernel(
    module: str,
    matrix: IntArray,
    value_width: int,
    shift: int,
    width: int,
    bases: list[tuple[int, int]],
    adders: Adders,
    *,
    cuts: tuple[int, ...] = (),
    copies: int = 1,
) -> Kernel:
    """Write the rows.

    Args:
        matrix: constants [inputs, rows].
        value_width: bits of a value; width: of a sum.
        bases: lowest and highest base of each row.
        adders: counts what was made.
        cuts: registers, enabled by ``move``, behind so many adders; the base is added behind all of them.
        copies: of the values, one behind the other; rows are shared out among them in order.
    """
    inputs, rows = matrix.shape
    low, high = -(1 << (value_width - 1)), (1 << (value_width - 1)) - 1
    tree = Adders(cuts=cuts)
    ends: list[str] = []
    ranges: list[tuple[int, int]] = []
    last = max(cuts, default=0)
    for row, (least, most) in enumerate(bases):
        copy = row * copies // rows
        terms = [
            tree.multiple(Term(0, 0, f"v{copy}_{k}", 1, low, high, 0), int(matrix[k, row]))
            for k in range(inputs)
            if matrix[k, row]
        ]
        given = f"$signed(base[{row * width}+:{signed_width(least, most)}])"
        if terms:
            total = tree.sum(terms, f"row{row}")
            total = tree.behind(total, max(total.depth, last) + 1)
            place = total.shift + shift
            product = f"({total.net} <<< {place})" if place else total.net
            bounds = (total.low << place, total.high << place)
            # in a wire that holds it, so that the shift loses nothing
            tree.lines.append(
                f"    wire signed [{signed_width(*bounds) - 1}:0] product{row} = {product};\n"
            )
            given += f" {'+' if total.sign > 0 else '-'} product{row}"
            least += bounds[0] if total.sign > 0 else -bounds[1]
            most += bounds[1] if total.sign > 0 else -bounds[0]
            tree.count += 1
            tree.bits += signed_width(least, most)
            tree.depth = max(tree.depth, total.since + 1)
        # no wider than the row can be: the bits above are copies of its sign
        ends.append(
            f"    wire signed [{signed_width(least, most) - 1}:0] sum{row} = {given};\n"
            f"    wire signed [{width - 1}:0] whole{row} = sum{row};\n"
            f"    assign sums[{row * width}+:{width}] = whole{row};\n"
        )
        ranges.append((least, most))
    adders.add(tree)
    ports = "    input  wire clk,\n    input  wire move,\n" if cuts else ""
    ports += (
        f"    input  wire [{copies * inputs * value_width - 1}:0] values,\n"
        f"    input  wire [{rows * width - 1}:0] base,\n"
        f"    output wire [{rows * width - 1}:0] sums\n"
    )
    nets = "".join(
        f"    wire signed [{value_width - 1}:0] v{copy}_{k} = "
        f"values[{(copy * inputs + k) * value_width}+:{value_width}];\n"
        for copy in range(copies)
        for k in range(inputs)
    )
    text = f"module {module} (\n{ports});\n{nets}{''.join(tree.lines)}{''.join(ends)}endmodule\n"
    return Kernel(text, ranges)
