"""Data sets: features, labels and chronological blocks of one tape, without a look ahead.

Ticks are cut by time into a training, a calibration and a test block. A label whose horizon reaches past
its block is invalid (*purged*); the ticks of the first seconds after a cut belong to no block
(*embargoed*), since their windows still hold what the block before was trained on. Normalisation, knees
and thresholds come from the training block. `pyorch.features.leaks.check_for_leaks` proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import Kind, event_words
from pyorch.contract.fixed import IntArray
from pyorch.contract.schema import FeatureSchema
from pyorch.features import normalise
from pyorch.features.batch import FeatureTable
from pyorch.features.batch import normalise as apply_normalisation
from pyorch.features.definitions import default_schema, surface_names
from pyorch.features.labels import (
    SECOND_NS,
    Label,
    LabelOptions,
    Thresholds,
    effective_size,
    ends_inside,
    episodes,
    make_labels,
)
from pyorch.features.streaming import TickBook, compute_with_book, open_stream
from pyorch.market.tape import Tape

BLOCKS = ("train", "calibration", "test")
TRAINABLE_POSITIVES = 200
"""A head with fewer positives in the training block is not trained, its rule disarmed."""
MAXIMUM_SLIPPAGE_LOTS = 1 << 34

Compute = Callable[[Tape, FeatureSchema], FeatureTable]


@dataclass(frozen=True, slots=True)
class DataSetOptions:
    """How a tape becomes a data set."""

    train: float = 0.6
    """Share of the ticks; the test block gets what training and calibration leave."""
    calibration: float = 0.2
    embargo_ns: int = 2 * SECOND_NS
    labels: LabelOptions = field(default_factory=LabelOptions)

    def __post_init__(self) -> None:
        if not (self.train > 0 and self.calibration >= 0 and self.train + self.calibration <= 1):
            raise UsageError(
                f"blocks of {self.train:g} and {self.calibration:g} leave no room: training needs more "
                "than 0, and both together at most 1"
            )
        if self.embargo_ns < 0:
            raise UsageError(f"embargo_ns is {self.embargo_ns}; it cannot be negative")


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """One label in one block.

    Attributes:
        valid: ticks with the label.
        rates: share of each class; for a value its mean and standard deviation.
        positives: ticks that are not stable (direction) or that have the event; 0 for values.
        episodes: runs of consecutive positives.
        effective: labels without overlap that the valid ones are worth.
        trainable: at least `TRAINABLE_POSITIVES` positives (of each direction); True for values.
    """

    label: str
    block: str
    valid: int
    rates: dict[str, float]
    positives: int
    episodes: int
    effective: float
    threshold: int
    unit: str
    horizon_ns: int
    trainable: bool


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Features and labels of one tape, one row a tick.

    Attributes:
        features: int32 [ticks, F], normalised, in ``schema.format``.
        labels: name → [ticks]; int8 for directions (0 down, 1 stable, 2 up) and events, float32 for
            ``slippage`` (ticks) and ``volatility`` (octaves).
        valid: name → [ticks]: the tick lies in a block, and the label's horizon in block and segment.
        blocks: ``train``, ``calibration``, ``test`` → ticks, in this order in time.
        segments: [segments] first ticks; a carried state begins anew there.
        row, local_ns: [ticks] row of the tape, and time.
        schema: fitted.
        described: name → the label with its horizon, threshold and unit.
        fitted_here: normalisation and thresholds were chosen from this tape's training block.
    """

    tape: Tape
    options: DataSetOptions
    schema: FeatureSchema
    features: NDArray[np.int32]
    raw: IntArray
    row: IntArray
    local_ns: IntArray
    segments: IntArray
    labels: dict[str, NDArray[Any]]
    valid: dict[str, NDArray[np.bool_]]
    blocks: dict[str, slice]
    described: dict[str, Label]
    thresholds: Thresholds
    slippage_lots: int
    book: TickBook
    fitted_here: bool
    compute: Compute

    def runs(self, block: str) -> list[slice]:
        """The ticks of a block, cut where a segment begins: each run starts from zero state."""
        ticks = self.blocks[block]
        inside = self.segments[(self.segments > ticks.start) & (self.segments < ticks.stop)]
        cuts = [ticks.start, *inside.tolist(), ticks.stop]
        return [slice(a, b) for a, b in pairwise(cuts) if b > a]

    def summary(self) -> list[LabelSummary]:
        """Base rates and effective sizes of every label in every block."""
        return [
            self._summarise(label, block) for label in self.described.values() for block in BLOCKS
        ]

    def _summarise(self, label: Label, block: str) -> LabelSummary:
        ticks = self.blocks[block]
        valid, values = self.valid[label.name][ticks], label.values[ticks]
        chosen = values[valid]
        count, positives, runs, trainable = len(chosen), 0, 0, count_is_enough(label, chosen)

        def share(mask: NDArray[Any]) -> float:
            return float(np.mean(mask)) if count else 0.0

        if label.kind == "direction":
            rates = {n: share(chosen == k) for k, n in enumerate(("down", "stable", "up"))}
            moving = (values != 1).astype(np.int8)
            positives, runs = int(np.count_nonzero(chosen != 1)), episodes(moving, valid)
        elif label.kind == "event":
            rates = {"positive": share(chosen > 0)}
            positives, runs = int(np.count_nonzero(chosen)), episodes(values, valid)
        else:
            rates = {"mean": share(chosen), "deviation": float(np.std(chosen)) if count else 0.0}
        return LabelSummary(
            label.name,
            block,
            count,
            rates,
            positives,
            runs,
            effective_size(self.local_ns[ticks], valid, label.horizon_ns),
            label.threshold,
            label.unit,
            label.horizon_ns,
            trainable,
        )


def count_is_enough(label: Label, values: NDArray[Any]) -> bool:
    """Whether these values of a label hold enough positives to train on."""
    if label.kind == "value":
        return len(values) >= TRAINABLE_POSITIVES
    if label.kind == "event":
        return int(np.count_nonzero(values)) >= TRAINABLE_POSITIVES
    return min(np.count_nonzero(values == 0), np.count_nonzero(values == 2)) >= TRAINABLE_POSITIVES


def build_dataset(
    tape: Tape,
    schema: FeatureSchema | None = None,
    options: DataSetOptions | None = None,
    *,
    thresholds: Thresholds | None = None,
    compute: Compute | None = None,
) -> DataSet:
    """Features, labels and blocks of a tape.

    Args:
        schema: a fitted schema is applied as it is; None, or one without normalisation, is fitted on the
            training block.
        thresholds: of another data set, so that labels mean the same; None: from the training block.
        compute: what computes features; the native stream unless a test plants something else.

    Raises:
        DataError: the tape has too few ticks for its blocks.
        UsageError: schema, options and tape do not fit together.
    """
    options = options or DataSetOptions()
    wanted = schema or default_schema()
    blind = surface_names(wanted)
    if blind and not np.any(tape.events["kind"] == Kind.SURFACE):
        raise UsageError(
            f"features {', '.join(blind)} read the volatility surface, and the tape {tape.name} has no "
            "SURFACE row to learn from: leave them out, or take a tape with a surface"
        )
    lots = slippage_lots(tape, options.labels.slippage_btc)
    table, book = _features(tape, wanted, options, lots, compute)
    blocks = cut_blocks(table.local_ns, options)
    training = blocks["train"]
    fits = not is_fitted(wanted)
    if fits:
        wanted = normalise.fit_knees(wanted, table.raw[training])
        table, book = _features(tape, wanted, options, lots, compute)
        wanted = normalise.fit(wanted, table.raw[training])
        table = replace(table, features=apply_normalisation(table.raw, wanted))
    labels, chosen = make_labels(table, book, options.labels, lots, training, thresholds)
    return DataSet(
        tape,
        options,
        wanted,
        table.features,
        table.raw,
        table.row,
        table.local_ns,
        table.segments,
        {name: label.values for name, label in labels.items()},
        {name: purged(label, table.local_ns, blocks) for name, label in labels.items()},
        blocks,
        labels,
        chosen,
        lots,
        book,
        fits,
        compute or _native,
    )


def is_fitted(schema: FeatureSchema) -> bool:
    """Whether any feature has a normalisation other than none."""
    return any((one.offset, one.multiplier, one.shift) != (0, 1, 0) for one in schema.features)


def slippage_lots(tape: Tape, btc: float) -> int:
    """Lots of a BTC notional at the price of the first tick.

    Raises:
        DataError: the tape has no tick.
        UsageError: the notional is more lots than the arithmetic carries.
    """
    stream, words = open_stream(default_schema()), event_words(tape.events)
    at, step = 0, 4096
    while at < len(words):
        found: dict[str, Any] = stream.run(words[at : at + step])
        if len(found["mid"]):
            lots = round(tape.instruments[0].lots_for_btc(btc, int(found["mid"][0]) / 2))
            if lots > MAXIMUM_SLIPPAGE_LOTS:
                raise UsageError(
                    f"{btc:g} BTC are {lots:,} lots; slippage is computed for at most "
                    f"{MAXIMUM_SLIPPAGE_LOTS:,}: choose a smaller notional"
                )
            return max(1, lots)
        at += step
    raise DataError(
        f"tape {tape.name}: no tick in {len(tape.events):,} rows: instrument 0 never has a valid, "
        "two-sided book (is a snapshot missing?)"
    )


def cut_blocks(local_ns: IntArray, options: DataSetOptions) -> dict[str, slice]:
    """Chronological blocks by share of ticks, each begun an embargo after the end of the one before.

    A block ends with the last tick of its time: ticks that share their time are never parted.

    Raises:
        DataError: a block has no tick.
    """
    count = len(local_ns)
    wanted = (round(count * options.train), round(count * (options.train + options.calibration)))
    stops = [*(_after_equal_times(local_ns, stop) for stop in wanted), count]
    blocks, begin = {}, 0
    for name, stop in zip(BLOCKS, stops, strict=True):
        blocks[name] = slice(min(begin, stop), stop)
        if stop < count:
            begin = int(np.searchsorted(local_ns, local_ns[stop - 1] + options.embargo_ns, "right"))
        else:
            begin = count
    if blocks["train"].stop == 0 or (options.calibration > 0 and _empty(blocks["calibration"])):
        raise DataError(
            f"{count:,} ticks are too few for blocks of {options.train:g} and {options.calibration:g} "
            f"with an embargo of {options.embargo_ns / 1e9:g} s: use a longer tape"
        )
    return blocks


def _after_equal_times(local_ns: IntArray, stop: int) -> int:
    if stop == 0 or stop >= len(local_ns):
        return stop
    return int(np.searchsorted(local_ns, local_ns[stop - 1], "right"))


def purged(label: Label, local_ns: IntArray, blocks: dict[str, slice]) -> NDArray[np.bool_]:
    """Valid ticks of a label that lie in a block and look no further than its end."""
    kept = np.zeros(len(local_ns), dtype=bool)
    for block in blocks.values():
        if not _empty(block):
            kept[block] = label.valid[block] & ends_inside(
                label.end_ns[block], local_ns, block.stop
            )
    return kept


def _empty(block: slice) -> bool:
    return bool(block.stop <= block.start)


def _native(tape: Tape, schema: FeatureSchema) -> FeatureTable:
    return compute_with_book(tape, schema, 1, 1)[0]


def _features(
    tape: Tape, schema: FeatureSchema, options: DataSetOptions, lots: int, compute: Compute | None
) -> tuple[FeatureTable, TickBook]:
    table, book = compute_with_book(tape, schema, options.labels.near_levels, lots)
    return (table if compute is None else compute(tape, schema)), book
