"""Bounds that follow from formats, tables and constants: which conversions can never leave their range."""

from __future__ import annotations

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow
from pyorch.contract.model import LstmLayer
from pyorch.inference.reference import table_index

WIDEST_IN_LOGIC = 9
"""Table bits up to which products are made of logic: half as wide as a multiplier's operand."""


def _without_limit(form: FixedFormat) -> FixedFormat:
    """The same grid and rounding, so wide that nothing leaves it."""
    return FixedFormat(62, 62 - form.fraction, True, form.rounding, Overflow.WRAP)


def _leaves(form: FixedFormat, values: IntArray, fraction: int) -> bool:
    """Whether any of the values, converted, is outside the format."""
    raw = _without_limit(form).convert(values, fraction)
    return bool((raw < form.minimum).any() or (raw > form.maximum).any())


def _ends(array: IntArray) -> IntArray:
    return np.array([array.min(), array.max()], dtype=np.int64)


def hidden_clamps(bundle: Bundle, layer: LstmLayer) -> bool:
    """Whether some o·tanh(c) of the layer's tables leaves the format of h, which then saturates."""
    if layer.hidden.overflow is not Overflow.SAT:
        return False
    gates = _ends(bundle.weights[f"{layer.name}.gate_table"])
    cells = _ends(bundle.weights[f"{layer.name}.cell_table"])
    return _leaves(layer.hidden, np.outer(gates, cells), 2 * layer.table.fraction)


def products_fit_logic(bundle: Bundle, layer: LstmLayer) -> bool:
    """Whether a unit's products can be of logic: narrow tables, no negative sigmoid, nothing to shift up."""
    return (
        layer.table.width <= WIDEST_IN_LOGIC
        and int(bundle.weights[f"{layer.name}.gate_table"].min()) >= 0
        and layer.hidden.fraction <= 2 * layer.table.fraction
    )


def cells_that_clamp(bundle: Bundle, layer: LstmLayer, sums: list[tuple[int, int]]) -> int:
    """One bit a unit, the first lowest: some f·c + i·g leaves the format of c.

    Proven from the range of each gate's sum, for every c that the format holds: a state that is written
    from outside is covered too.

    Args:
        sums: lowest and highest sum of each row (4 * unit + gate).
    """
    units, fraction = layer.units, layer.accumulator.fraction
    clamped = [layer.cell.overflow is Overflow.SAT] * units
    if clamped[0]:
        tables = [bundle.weights[f"{layer.name}.{name}_table"] for name in ("gate", "cell")]
        cell = np.array([layer.cell.minimum, layer.cell.maximum], dtype=np.int64)
        kept_fraction = layer.table.fraction + layer.cell.fraction
        finest = max(kept_fraction, 2 * layer.table.fraction)
        for unit in range(units):
            i, f, g = (
                _entries(layer, tables[gate == 2], sums[4 * unit + gate], gate == 2, fraction)
                for gate in range(3)
            )
            kept = _ends(np.outer(_ends(f), cell)) << (finest - kept_fraction)
            added = _ends(np.outer(_ends(i), _ends(g))) << (finest - 2 * layer.table.fraction)
            clamped[unit] = _leaves(layer.cell, kept + added, finest)
    return sum(int(one) << unit for unit, one in enumerate(clamped))


def _entries(
    layer: LstmLayer, table: IntArray, sums: tuple[int, int], is_cell: bool, fraction: int
) -> IntArray:
    """The table's entries that sums of a range can reach."""
    activation = layer.activation if is_cell else layer.gate
    low, high = table_index(activation, np.array(sums, dtype=np.int64), fraction)
    reached: IntArray = table[int(low) : int(high) + 1]
    return reached
