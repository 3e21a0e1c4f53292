"""Canonical signed digits of weights: what a constant costs as adders, and a budget of them a row.

A. Avizienis, "Signed-digit number representations for fast parallel arithmetic", IRE Trans. EC-10 (1961).
A row of constants needs a tree of ceil(log2(digits + 1)) adders one behind the other.
"""

from __future__ import annotations

import numpy as np

from pyorch.contract.fixed import IntArray


def csd_digits(value: int) -> list[tuple[int, int]]:
    """(sign, place) of the canonical signed digits: value = Σ sign · 2^place, no two places adjacent."""
    digits, place = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((sign, place))
            value -= sign
        value >>= 1
        place += 1
    return digits


def digits_per_row(weights: IntArray) -> IntArray:
    """Digits of each row (column of ``weights`` [inputs, rows]) in all."""
    counts = {int(value): len(csd_digits(int(value))) for value in np.unique(weights)}
    count = np.vectorize(counts.__getitem__, otypes=[np.int64])(weights)
    total: IntArray = count.sum(axis=0)
    return total


def within_budget(weights: IntArray, budget: int, maximum: int) -> IntArray:
    """The weights [inputs, rows] with at most ``budget`` digits a row: the smallest digits are dropped.

    Among digits of one size the one whose weight loses the smaller share of itself goes first. A digit
    without which the weight would exceed ``maximum`` (127 = 128 - 1) stays until it is the only one left.
    """
    kept = weights.copy()
    for row in np.flatnonzero(digits_per_row(weights) > budget):
        digits = sorted(
            (place, -abs(int(value)), number, sign)
            for number, value in enumerate(weights[:, row])
            for sign, place in csd_digits(int(value))
        )
        while len(digits) > budget:
            position = next(
                k
                for k, (place, _, number, sign) in enumerate(digits)
                if kept[number, row] - (sign << place) <= maximum
            )
            place, _, number, sign = digits.pop(position)
            kept[number, row] -= sign << place
    return kept
