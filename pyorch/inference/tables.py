"""Frozen tables: activation and probability tables as integers, the same on every machine.

Entries come from 40-digit decimal arithmetic (`decimal` is specified to the last digit and needs no
libm), are rounded once, and are stored in the bundle: no engine ever rebuilds them. hls4ml's own tables
are built with float32 libm and differ between C libraries; a bundle may carry such tables too.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal, localcontext
from functools import lru_cache

import numpy as np

from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray, Rounding
from pyorch.contract.model import PROBABILITY, Activation

DIGITS = 40
"""Significant digits of the arithmetic: no entry lies within 1e-35 of a rounding boundary by chance."""

PROBABILITY_ENTRIES = 1024
"""Entries of the exp and sigmoid tables of the heads."""

EXP_ONE = 65535
"""The exp table's value for e^0 at the start of its first bin; entries are unsigned 16-bit."""

EXP_SPAN = 11.1
"""The exp table reaches at least e^-11.1, where its 16-bit entries vanish."""

SIGMOID_SPAN = 8.0
"""The sigmoid table reaches at least ±8, where a probability is within 0.0004 of 0 or 1."""


def activation_table(activation: Activation, table: FixedFormat) -> IntArray:
    """The table of an LSTM activation: ``2**index_bits`` raw integers in ``table``.

    Entry ``k`` covers ``[lowest + k * bin, lowest + (k + 1) * bin)``; its value is f at the bin's middle
    (``index="mid"``) or left edge (``index="hls4ml"``), converted once to ``table``.

    Raises:
        ModelError: ``index_bits`` is outside 1..16.
    """
    if not 1 <= activation.index_bits <= 16:
        raise ModelError(
            f"a table of 2**{activation.index_bits} entries is outside 2**1..2**16; "
            "choose index_bits in 1..16"
        )
    entries = _activation_entries(
        activation.function,
        activation.index == "mid",
        activation.index_bits,
        activation.range_bits,
        table,
    )
    return np.array(entries, dtype=np.int64)


def probability_shifts(logits: FixedFormat) -> tuple[int, int]:
    """(``exp_shift``, ``sigmoid_shift``): the finest bins whose tables still span what matters."""
    exp_units = EXP_SPAN * 2.0**logits.fraction
    sigmoid_units = 2 * SIGMOID_SPAN * 2.0**logits.fraction
    return _shift_for(exp_units), _shift_for(sigmoid_units)


def exp_table(logits: FixedFormat, exp_shift: int) -> IntArray:
    """Entry ``k``: ``65535 * exp(-d)``, d at the middle of ``k << exp_shift .. ((k+1) << exp_shift) - 1``.

    The shared factor of half a bin cancels in a softmax.
    """
    return np.array(_exp_entries(logits.fraction, exp_shift), dtype=np.int64)


def sigmoid_table(logits: FixedFormat, sigmoid_shift: int) -> IntArray:
    """Entry ``k``: sigmoid at the middle of its integers, in 15-bit probabilities (0..32768)."""
    return np.array(_sigmoid_entries(logits.fraction, sigmoid_shift), dtype=np.int64)


def identity_calibration(outputs: int) -> IntArray:
    """The calibration map that changes nothing: ``[outputs, 17]`` knots ``k << 11``."""
    return np.tile(np.arange(17, dtype=np.int64) << 11, (outputs, 1))


def _shift_for(units: float) -> int:
    shift = 0
    while (PROBABILITY_ENTRIES << shift) < units:
        shift += 1
    return shift


def _sigmoid(value: Decimal) -> Decimal:
    return 1 / (1 + (-value).exp())


def _tanh(value: Decimal) -> Decimal:
    doubled = (2 * value).exp()
    return (doubled - 1) / (doubled + 1)


def _rounded(value: Decimal, rounding: Rounding = Rounding.RND) -> int:
    half = Decimal("0.5") if rounding is Rounding.RND else Decimal(0)
    return int((value + half).to_integral_value(rounding=ROUND_FLOOR))


@lru_cache(maxsize=64)
def _activation_entries(
    function: str, middle: bool, index_bits: int, range_bits: int, table: FixedFormat
) -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        size = 1 << index_bits
        offset = Decimal("0.5") if middle else Decimal(0)
        evaluate = _sigmoid if function == "sigmoid" else _tanh
        scale = Decimal(2) ** table.fraction
        values = [
            evaluate((k - size // 2 + offset) * (1 << range_bits) / size) for k in range(size)
        ]
        raw = [_rounded(value * scale, table.rounding) for value in values]
    return tuple(int(value) for value in table.fit(np.array(raw, dtype=np.int64)))


@lru_cache(maxsize=16)
def _exp_entries(fraction: int, shift: int) -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        middle = Decimal((1 << shift) - 1) / 2
        scale = Decimal(2) ** fraction
        return tuple(
            _rounded(EXP_ONE * (-((k << shift) + middle) / scale).exp())
            for k in range(PROBABILITY_ENTRIES)
        )


@lru_cache(maxsize=16)
def _sigmoid_entries(fraction: int, shift: int) -> tuple[int, ...]:
    with localcontext() as context:
        context.prec = DIGITS
        middle = Decimal((1 << shift) - 1) / 2
        scale, one, size = Decimal(2) ** fraction, 1 << PROBABILITY.fraction, PROBABILITY_ENTRIES
        return tuple(
            _rounded(one * _sigmoid((((k - size // 2) << shift) + middle) / scale))
            for k in range(size)
        )
