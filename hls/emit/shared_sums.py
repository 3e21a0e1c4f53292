"""Which pairs of terms several rows have in common: each is summed once.

Greedy, the most frequent pair first (R. I. Hartley, "Subexpression sharing in filters using canonic signed
digit multipliers", IEEE Trans. CAS II 43 (1996)). Only terms of equal depth are paired, so that no tree gets
deeper: it takes ceil(log2(sum of 2**depth)) adders one behind the other, and a pair leaves that sum as it is.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """``sign * (net << shift)``, ``depth`` adders behind a value."""

    depth: int
    net: str
    shift: int
    sign: int


class Pair(NamedTuple):
    """``first + sign * (second << shift)``; a negative shift is one of ``first``."""

    first: str
    second: str
    shift: int
    sign: int


def _pair(a: Part, b: Part) -> tuple[Pair, Part, Part]:
    """The pair that two parts are, up to a shift and a sign, and the parts in its order."""
    if (b.net, b.shift) < (a.net, a.shift):
        a, b = b, a
    return Pair(a.net, b.net, b.shift - a.shift, a.sign * b.sign), a, b


@dataclass(slots=True)
class _Level:
    """Rows during the search among parts of one depth.

    Attributes:
        users: pair → rows that hold it.
    """

    rows: list[list[Part]]
    depth: int
    users: dict[Pair, set[int]]

    def pairs(self, row: int) -> set[Pair]:
        """Pairs of a row."""
        parts = [part for part in self.rows[row] if part.depth == self.depth]
        return {_pair(a, b)[0] for k, a in enumerate(parts) for b in parts[:k]}

    def replace(self, row: int, pair: Pair, net: str) -> None:
        """Put the sum ``net`` where the row holds the pair, as often as it does."""
        while True:
            parts = [part for part in self.rows[row] if part.depth == self.depth]
            found = [
                (first, second)
                for k, a in enumerate(parts)
                for b in parts[:k]
                for it, first, second in [_pair(a, b)]
                if it == pair
            ]
            if not found:
                return
            first, second = found[0]
            self.rows[row].remove(first)
            self.rows[row].remove(second)
            shift = min(first.shift, second.shift)
            self.rows[row].append(Part(self.depth + 1, net, shift, first.sign))


def share(rows: list[list[Part]], make: Callable[[Pair, int], str]) -> list[list[Part]]:
    """The rows with the sums that at least two of them share.

    Args:
        make: called with each pair and the depth of its parts, in the order in which they are needed; returns
            the name of its sum, which is new.
    """
    rows = [list(row) for row in rows]
    depth = 0
    while any(part.depth == depth for row in rows for part in row):
        level = _Level(rows, depth, defaultdict(set))
        for row in range(len(rows)):
            for pair in level.pairs(row):
                level.users[pair].add(row)
        # entries whose count has changed since are put back with the new one
        queue = [(-len(users), pair) for pair, users in level.users.items() if len(users) > 1]
        heapq.heapify(queue)
        while queue:
            count, pair = heapq.heappop(queue)
            users = level.users[pair]
            if len(users) != -count:
                if len(users) > 1:
                    heapq.heappush(queue, (-len(users), pair))
                continue
            net = make(pair, depth)
            for row in sorted(users):
                before = level.pairs(row)
                level.replace(row, pair, net)
                for gone in before - level.pairs(row):
                    level.users[gone].discard(row)
        depth += 1
    return rows
