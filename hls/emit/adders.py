"""Constant products as adders: CSD digits, sums shared between rows, balanced trees of exact widths.

The tree of a row of d digits is ceil(log2(d)) adders deep, whatever it shares with others.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

from hls.digits import csd_digits, digits_per_row
from hls.emit.shared_sums import Pair, Part, share
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
    _nets: dict[str, Term] = field(default_factory=dict)
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

    def products(self, values: list[Term], matrix: IntArray) -> list[list[Term]]:
        """Terms of each row of constants: ``matrix`` [inputs, rows] with the values that each row uses.

        Args:
            values: [row * inputs + input]; equal terms are the same value.
        """
        inputs, rows = matrix.shape
        parts: list[list[Part]] = []
        for row in range(rows):
            own: list[Part] = []
            for value, constant in zip(values[row * inputs :], matrix[:, row], strict=False):
                self._nets[value.net] = value
                sign = -1 if constant < 0 else 1
                own += [
                    Part(0, value.net, place, sign * digit)
                    for digit, place in csd_digits(abs(int(constant)))
                ]
            parts.append(own)
        return [[self._term(part) for part in row] for row in share(parts, self._share)]

    def _share(self, pair: Pair, depth: int) -> str:
        """Write the sum of a pair."""
        first, second = max(0, -pair.shift), max(0, pair.shift)
        name = f"shared{len(self._nets)}"
        self._nets[name] = self._add(
            self._term(Part(depth, pair.first, first, 1)),
            self._term(Part(depth, pair.second, second, pair.sign)),
            name,
        )
        return name

    def _term(self, part: Part) -> Term:
        net = self._nets[part.net]
        return replace(net, shift=net.shift + part.shift, sign=net.sign * part.sign)

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
    return max(int(digits - 1).bit_length() if digits else 0 for digits in digits_per_row(matrix))


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
    values = [
        Term(0, 0, f"v{row * copies // rows}_{k}", 1, low, high, 0)
        for row in range(rows)
        for k in range(inputs)
    ]
    products = tree.products(values, matrix)
    for row, ((least, most), terms) in enumerate(zip(bases, products, strict=True)):
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
