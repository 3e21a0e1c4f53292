"""Signed digits: exact, canonical, and within a budget."""

from itertools import pairwise

import numpy as np
import pytest

from hls.digits import csd_digits, digits_per_row, within_budget


def test_digits_are_canonical_and_sum_to_the_value() -> None:
    for value in range(-300, 301):
        digits = csd_digits(value)
        assert sum(sign << place for sign, place in digits) == value
        places = [place for _, place in digits]
        assert all(b - a >= 2 for a, b in pairwise(places))


@pytest.mark.parametrize("budget", [1, 5, 12, 100])
def test_a_budget_is_kept_and_changes_no_row_that_was_within_it(budget: int) -> None:
    weights = np.random.default_rng(1).integers(-128, 128, (20, 12))
    kept = within_budget(weights, budget, 127)
    assert kept.min() >= -128 and kept.max() <= 127
    assert digits_per_row(kept).max() <= budget
    inside = digits_per_row(weights) <= budget
    np.testing.assert_array_equal(kept[:, inside], weights[:, inside])


def test_the_smallest_digits_go_first() -> None:
    weights = np.array([[65], [3], [16]])  # 64 + 1, 4 - 1, 16
    np.testing.assert_array_equal(within_budget(weights, 4, 127)[:, 0], [64, 3, 16])
    np.testing.assert_array_equal(within_budget(weights, 3, 127)[:, 0], [64, 4, 16])
    np.testing.assert_array_equal(within_budget(weights, 1, 127)[:, 0], [64, 0, 0])
