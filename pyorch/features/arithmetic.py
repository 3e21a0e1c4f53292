"""The integer arithmetic that features and labels share: logarithms, compression, micro-price.

Everything here is adds, shifts, comparisons and two small tables, so that C++ and generated hardware
return the same bits. Arrays are int64; every function works on arrays of any shape.

Inputs beyond what a market can hold are clamped, so that no sum or square leaves 64 bits: prices to
±`PRICE_LIMIT` ticks, quantities to `QUANTITY_LIMIT` lots, arguments of a logarithm to `LOG_LIMIT`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyorch.contract.fixed import IntArray

PRICE_LIMIT = 1 << 40
"""Prices are clamped to plus and minus this many ticks."""
QUANTITY_LIMIT = (1 << 40) - 1
"""Quantities are clamped to this many lots."""
SPREAD_LIMIT = 1 << 20
"""Spreads are clamped to 1 … this many ticks."""
MOVE_LIMIT = 1 << 20
"""Changes of the mid are clamped to plus and minus this many half-ticks before they are squared."""
LOG_LIMIT = (1 << 52) - 1
"""Arguments of `log2_256` are clamped to 1 … this."""

LOG2_TABLE: IntArray = np.array(
    [(((256 + k) ** 512).bit_length() - 4096) >> 1 for k in range(256)], dtype=np.int64
)
"""256 · log2(1 + k/256) to the nearest integer, from exact integer powers: the same on every machine."""

MICRO_TABLE_SIZE = 2048
MICRO_TABLE_FRACTION = 15


def _micro_table() -> IntArray:
    # (2^x - 1) / (2^x + 1) at x = k/256 octaves: the share (qb - qa) / (qb + qa) when log2(qb/qa) = x.
    ratio = np.exp2(np.arange(MICRO_TABLE_SIZE) / 256.0)
    share = (ratio - 1.0) / (ratio + 1.0)
    table: IntArray = np.floor(share * (1 << MICRO_TABLE_FRACTION) + 0.5).astype(np.int64)
    return table


MICRO_TABLE: IntArray = _micro_table()
"""Share (qb - qa)/(qb + qa), 15 fractional bits, by log2(qb/qa) in 1/256 octave, 0 … 8 octaves.

The model of the micro-price offset without a divider; its digest is pinned by a test."""


def log2_256(values: Any) -> IntArray:
    """log2 in 1/256 octave: 256·(position of the leading one) + `LOG2_TABLE`[next 8 bits].

    Exact to the rounding of the table below 512; above, the bits behind the ninth are dropped, which
    loses less than 1/256 of the argument. Arguments are clamped to 1 … `LOG_LIMIT`.
    """
    clamped = np.clip(np.asarray(values, dtype=np.int64), 1, LOG_LIMIT)
    # frexp is exact for integers below 2^53: the exponent is the number of bits.
    position = np.frexp(clamped.astype(np.float64))[1].astype(np.int64) - 1
    mantissa = np.where(
        position >= 8,
        clamped >> np.maximum(position - 8, 0),
        clamped << np.maximum(8 - position, 0),
    )
    result: IntArray = (position << 8) + LOG2_TABLE[mantissa & 255]
    return result


def soft_log(values: Any, knee: int = 0) -> IntArray:
    """Signed compression: sign(x)·(log2(2^knee + |x|) - knee), in 1/256 octave.

    Linear for |x| well below 2^knee, logarithmic above: heavy-tailed flows keep their sign and order.
    """
    array = np.asarray(values, dtype=np.int64)
    # |x| of the smallest int64 does not exist; the clamp makes both ends alike.
    magnitude = np.abs(np.clip(array, -LOG_LIMIT, LOG_LIMIT))
    result: IntArray = np.sign(array) * (log2_256((1 << knee) + magnitude) - (knee << 8))
    return result


def micro_offset(spread_ticks: Any, bid_lots: Any, ask_lots: Any) -> IntArray:
    """Micro-price minus mid, in 1/256 half-tick.

    The micro-price is the mean of bid and ask, each weighted by the other side's quantity:
    mid + spread/2 · (qb - qa)/(qb + qa). In half-ticks the factor before the share is the spread in
    ticks. The share comes from `MICRO_TABLE` by the difference of logarithms: ``(spread · share) >> 7``.
    """
    ratio = log2_256(bid_lots) - log2_256(ask_lots)
    share = np.sign(ratio) * MICRO_TABLE[np.minimum(np.abs(ratio), MICRO_TABLE_SIZE - 1)]
    result: IntArray = (np.asarray(spread_ticks, dtype=np.int64) * share) >> np.int64(
        MICRO_TABLE_FRACTION - 8
    )
    return result
