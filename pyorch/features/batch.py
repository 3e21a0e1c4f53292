"""Features of a whole tape in NumPy: the definition that the streaming features equal bit for bit.

Windows are differences of cumulative sums, book values come from the readable book; only the moving
averages are loops. `pyorch.features.streaming.compute` returns the same, faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import UsageError
from pyorch.contract.events import Flag, Kind, Side
from pyorch.contract.fixed import IntArray
from pyorch.contract.schema import Feature, FeatureSchema
from pyorch.features.arithmetic import (
    MOVE_LIMIT,
    QUANTITY_LIMIT,
    SPREAD_LIMIT,
    log2_256,
    micro_offset,
    soft_log,
)
from pyorch.features.definitions import (
    BASIS_LIMIT,
    EMA_FRACTION,
    SURFACE_LIMIT,
    WINDOW_BUCKETS,
    check_schema,
)
from pyorch.features.history import BookHistory, book_history
from pyorch.market.tape import Tape

TICK_KINDS = (Kind.DEPTH, Kind.SNAPSHOT, Kind.TRADE, Kind.TIMER)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """The features of a tape, one row a tick.

    Attributes:
        features: int32 [ticks, F], normalised, in the schema's format.
        raw: int64 [ticks, F], before normalisation.
        row: int64 [ticks], row of the tape that made the tick.
        local_ns: int64 [ticks], ``now``.
        segments: int64 [segments], the first tick of each segment; models begin anew there.
    """

    features: NDArray[np.int32]
    raw: IntArray
    row: IntArray
    local_ns: IntArray
    segments: IntArray


def normalise(raw: IntArray, schema: FeatureSchema) -> NDArray[np.int32]:
    """Raw features [ticks, F] → ``saturate(((raw - offset)·multiplier + half) >> shift)``."""
    offset = np.array([one.offset for one in schema.features], dtype=np.int64)
    multiplier = np.array([one.multiplier for one in schema.features], dtype=np.int64)
    shift = np.array([one.shift for one in schema.features], dtype=np.int64)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    scaled = ((raw - offset) * multiplier + half) >> shift
    form = schema.format
    features: NDArray[np.int32] = np.clip(scaled, form.minimum, form.maximum).astype(np.int32)
    return features


def compute(tape: Tape, schema: FeatureSchema) -> FeatureTable:
    """All features of a tape.

    Raises:
        UsageError: the schema cannot be computed, or reads more instruments than the tape has.
    """
    check_schema(schema)
    if schema.instruments > len(tape.instruments):
        raise UsageError(
            f"the schema reads {schema.instruments} instruments, the tape {tape.name} has "
            f"{len(tape.instruments)}: use default_schema(), or a tape with the second instrument"
        )
    columns = _Columns(tape, schema)
    raw = np.empty((len(columns.row), len(schema.features)), dtype=np.int64)
    for position, feature in enumerate(schema.features):
        raw[:, position] = _COMPUTE[feature.kind](columns, feature)
    return FeatureTable(
        normalise(raw, schema), raw, columns.row, columns.now[columns.row], columns.starts
    )


class _Columns:
    """What the features of one tape share."""

    def __init__(self, tape: Tape, schema: FeatureSchema) -> None:
        self.tape, events = tape, tape.events
        self.now: IntArray = np.maximum.accumulate(events["local_ns"])
        deepest = max([one.parameters.get("depth", 1) for one in schema.features])
        self.book = book_history(tape, 0, deepest)
        quotable = self.book.quotable
        before = np.concatenate([[False], quotable[:-1]])
        begins = quotable & ~before
        self.continues = quotable & before
        """[n] the message before left a quotable book too."""
        self.segment: IntArray = np.cumsum(begins)
        """[n] number of the segment (from 1) of each book message."""
        self.begin_of_segment: IntArray = np.concatenate([[0], np.flatnonzero(begins)])
        """[segment] its first book message."""
        # For each row, the latest book message up to it (-1: none yet).
        self.book_at: IntArray = (
            np.searchsorted(self.book.rows, np.arange(len(events)), side="right") - 1
        )
        self.active: NDArray[np.bool_] = (self.book_at >= 0) & np.concatenate([quotable, [False]])[
            self.book_at
        ]
        ticking = (
            (events["instrument"] == 0)
            & ((events["flags"] & Flag.LAST) > 0)
            & np.isin(events["kind"], TICK_KINDS)
            & self.active
        )
        self.row: IntArray = np.flatnonzero(ticking)
        self.at: IntArray = self.book_at[self.row]
        """[ticks] the book message that each tick sees."""
        changed = np.diff(self.segment[self.at], prepend=0) != 0
        self.starts: IntArray = np.flatnonzero(changed)

    def spread(self) -> IntArray:
        """[n] ticks."""
        ticks = self.book.ticks
        wide = np.clip(ticks[:, 1, 0] - ticks[:, 0, 0], 1, SPREAD_LIMIT)
        return np.asarray(wide)

    def micro_offset(self) -> IntArray:
        """[n] 1/256 half-tick."""
        lots = self.book.lots
        return micro_offset(self.spread(), lots[:, 0, 0], lots[:, 1, 0])

    def micro(self) -> IntArray:
        """[ticks] 1/256 half-tick."""
        price: IntArray = 256 * self.book.mid + self.micro_offset()
        return price[self.at]

    def moves(self) -> IntArray:
        """[n] change of mid with each book message of a segment, half-ticks."""
        change = np.clip(np.diff(self.book.mid, prepend=0), -MOVE_LIMIT, MOVE_LIMIT)
        return np.where(self.continues, change, 0)

    def trades(self) -> tuple[IntArray, IntArray, IntArray]:
        """Rows of the trades of instrument 0 in a segment, their lots, their aggressors' side."""
        events = self.tape.events
        rows = np.flatnonzero(
            (events["kind"] == Kind.TRADE) & (events["instrument"] == 0) & self.active
        )
        lots = np.clip(events["quantity_lots"][rows], 0, QUANTITY_LIMIT)
        return rows, lots, events["side"][rows]

    def surfaces(self) -> IntArray:
        """Rows of the surface of instrument 0 in a segment."""
        events = self.tape.events
        return np.flatnonzero(
            (events["kind"] == Kind.SURFACE) & (events["instrument"] == 0) & self.active
        )

    def surface_changes(self, field: str) -> tuple[IntArray, IntArray]:
        """Rows of the surface, and the field's change with each since the row before in its segment."""
        rows = self.surfaces()
        values = np.clip(self.tape.events[field][rows], -SURFACE_LIMIT, SURFACE_LIMIT)
        segment = self.segment[self.book_at[rows]]
        first = np.diff(segment, prepend=0) != 0
        return rows, np.where(first, 0, np.diff(values, prepend=0))

    def segment_row(self) -> IntArray:
        """[ticks] row of the tape that began the segment."""
        began: IntArray = self.book.rows[self.begin_of_segment[self.segment[self.at]]]
        return began

    def window(self, rows: IntArray, values: IntArray, bucket_bits: int) -> IntArray:
        """[ticks] sum of the values (at rows of the tape) over the 8 buckets that end with ``now``."""
        bucket = self.now >> bucket_bits
        oldest = bucket[self.row] - (WINDOW_BUCKETS - 1)
        end = np.searchsorted(rows, self.row, side="right")
        begin = np.maximum(
            np.searchsorted(bucket[rows], oldest, side="left"),
            np.searchsorted(rows, self.segment_row()),
        )
        total = np.concatenate([[0], np.cumsum(values)])
        return np.asarray(total[end] - total[np.minimum(begin, end)])

    def average(self, values: IntArray, bucket_bits: int, shift: int) -> IntArray:
        """[ticks] moving average, with `EMA_FRACTION` more bits, of a value that ticks change."""
        points = zip(
            (self.now[self.row] >> bucket_bits).tolist(),
            values.tolist(),
            np.isin(np.arange(len(values)), self.starts).tolist(),
            strict=True,
        )
        return np.array(list(_averages(points, shift)), dtype=np.int64)


def _advance(average: int, value: int, steps: int, shift: int) -> int:
    """``steps`` edges with one value; it stops early where the average no longer changes."""
    while steps > 0 and (change := (value - average) >> shift):
        average += change
        steps -= 1
    return average


def _averages(points: Iterator[tuple[int, int, bool]], shift: int) -> Iterator[int]:
    average = held = since = 0
    for bucket, value, begins in points:
        value <<= EMA_FRACTION
        average = value if begins else _advance(average, held, bucket - since, shift)
        held, since = value, bucket
        yield average


def _micro_offset(columns: _Columns, feature: Feature) -> IntArray:
    return columns.micro_offset()[columns.at]


def _spread(columns: _Columns, feature: Feature) -> IntArray:
    return log2_256(columns.spread())[columns.at]


def _imbalance(columns: _Columns, feature: Feature) -> IntArray:
    total = columns.book.lots[:, :, : feature.parameters["depth"]].sum(axis=2)
    return (log2_256(total[:, 0]) - log2_256(total[:, 1]))[columns.at]


def _density(columns: _Columns, feature: Feature) -> IntArray:
    book, side = columns.book, feature.parameters["side"]
    levels = np.minimum(book.depth[:, side], feature.parameters["depth"])
    total = book.lots[:, side, : feature.parameters["depth"]].sum(axis=1)
    ticks = book.ticks[:, side]
    furthest = np.take_along_axis(ticks, np.maximum(levels - 1, 0)[:, None], axis=1)[:, 0]
    span = np.abs(ticks[:, 0] - furthest) + 1
    return (log2_256(total) - log2_256(span))[columns.at]


def _order_flow(columns: _Columns, feature: Feature) -> IntArray:
    book: BookHistory = columns.book
    (bid, ask), (qb, qa) = book.ticks[:, :, 0].T, book.lots[:, :, 0].T
    flow = np.zeros(len(book.rows), dtype=np.int64)
    flow[1:] = (
        np.where(bid[1:] >= bid[:-1], qb[1:], 0)
        - np.where(bid[1:] <= bid[:-1], qb[:-1], 0)
        - np.where(ask[1:] <= ask[:-1], qa[1:], 0)
        + np.where(ask[1:] >= ask[:-1], qa[:-1], 0)
    )
    flow = np.where(columns.continues, flow, 0)
    return soft_log(
        columns.window(book.rows, flow, feature.parameters["bucket_bits"]),
        feature.parameters["knee"],
    )


def _trade_flow(columns: _Columns, feature: Feature) -> IntArray:
    rows, lots, side = columns.trades()
    signed = np.where(side == Side.BID, lots, np.where(side == Side.ASK, -lots, 0))
    return soft_log(
        columns.window(rows, signed, feature.parameters["bucket_bits"]), feature.parameters["knee"]
    )


def _trade_intensity(columns: _Columns, feature: Feature) -> IntArray:
    rows, lots, _ = columns.trades()
    return log2_256(1 + columns.window(rows, np.ones_like(lots), feature.parameters["bucket_bits"]))


def _aggressor_ratio(columns: _Columns, feature: Feature) -> IntArray:
    rows, lots, side = columns.trades()
    bits = feature.parameters["bucket_bits"]
    bought = columns.window(rows, np.where(side == Side.BID, lots, 0), bits)
    sold = columns.window(rows, np.where(side == Side.ASK, lots, 0), bits)
    return log2_256(1 + bought) - log2_256(1 + sold)


def _volatility(columns: _Columns, feature: Feature) -> IntArray:
    squares = columns.moves() ** 2
    return log2_256(
        1 + columns.window(columns.book.rows, squares, feature.parameters["bucket_bits"])
    )


def _momentum(columns: _Columns, feature: Feature) -> IntArray:
    parameters, micro = feature.parameters, columns.micro()
    average = columns.average(micro, parameters["bucket_bits"], parameters["shift"])
    return soft_log(micro - (average >> EMA_FRACTION), parameters["knee"])


def _ema_difference(columns: _Columns, feature: Feature) -> IntArray:
    parameters, micro = feature.parameters, columns.micro()
    fast = columns.average(micro, parameters["bucket_bits"], parameters["fast"])
    slow = columns.average(micro, parameters["bucket_bits"], parameters["slow"])
    return soft_log((fast - slow) >> EMA_FRACTION, parameters["knee"])


def _mid_age(columns: _Columns, feature: Feature) -> IntArray:
    begins = columns.book.quotable & ~columns.continues
    changes = np.flatnonzero(begins | (columns.moves() != 0))
    latest = changes[np.searchsorted(changes, columns.at, side="right") - 1]
    age = columns.now[columns.row] - columns.now[columns.book.rows[latest]]
    return log2_256(1 + (age >> 20))


def _surface_change(columns: _Columns, feature: Feature, field: str) -> IntArray:
    rows, changes = columns.surface_changes(field)
    moved = columns.window(rows, changes, feature.parameters["bucket_bits"])
    return soft_log(moved, feature.parameters["knee"])


def _atm_volatility_change(columns: _Columns, feature: Feature) -> IntArray:
    return _surface_change(columns, feature, "price_ticks")


def _skew_change(columns: _Columns, feature: Feature) -> IntArray:
    return _surface_change(columns, feature, "quantity_lots")


def _surface_age(columns: _Columns, feature: Feature) -> IntArray:
    rows = np.concatenate([[-1], columns.surfaces()])
    latest = rows[np.searchsorted(rows, columns.row, side="right") - 1]
    since = columns.now[np.maximum(latest, columns.segment_row())]
    return log2_256(1 + ((columns.now[columns.row] - since) >> 20))


def _basis_momentum(columns: _Columns, feature: Feature) -> IntArray:
    parameters = feature.parameters
    bits, shift = parameters["bucket_bits"], parameters["shift"]
    other = book_history(columns.tape, 1, 1)
    own_at = {row: k for k, row in enumerate(columns.book.rows.tolist())}
    other_at = {row: k for k, row in enumerate(other.rows.tolist())}
    ticks = set(columns.row.tolist())
    mids: list[int | None] = [None, None]
    result: list[int] = []
    average = held = since = 0
    running = False
    for row in sorted(own_at.keys() | other_at.keys() | ticks):
        bucket = int(columns.now[row]) >> bits
        if running:
            average = _advance(average, held << EMA_FRACTION, bucket - since, shift)
        since = bucket
        for which, (book, at) in enumerate(((columns.book, own_at), (other, other_at))):
            if row in at:
                k = at[row]
                mids[which] = int(book.mid[k]) if book.quotable[k] else None
        if mids[0] is None or mids[1] is None:
            running = False
        else:
            basis = parameters["scale_0"] * mids[0] - parameters["scale_1"] * mids[1]
            held = min(max(basis, -BASIS_LIMIT), BASIS_LIMIT)
            if not running:
                running, average = True, held << EMA_FRACTION
        if row in ticks:
            result.append(held - (average >> EMA_FRACTION) if running else 0)
    return soft_log(np.array(result, dtype=np.int64), parameters["knee"])


_COMPUTE: dict[str, Callable[[_Columns, Feature], IntArray]] = {
    "micro_offset": _micro_offset,
    "spread": _spread,
    "imbalance": _imbalance,
    "density": _density,
    "order_flow": _order_flow,
    "trade_flow": _trade_flow,
    "trade_intensity": _trade_intensity,
    "aggressor_ratio": _aggressor_ratio,
    "volatility": _volatility,
    "momentum": _momentum,
    "ema_difference": _ema_difference,
    "mid_age": _mid_age,
    "basis_momentum": _basis_momentum,
    "atm_volatility_change": _atm_volatility_change,
    "skew_change": _skew_change,
    "surface_age": _surface_age,
}
