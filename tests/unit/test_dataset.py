"""Data sets: chronological, purged, embargoed, fitted on training alone; planted leaks are caught."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, Flag, Kind, Side
from pyorch.contract.schema import FeatureSchema
from pyorch.features import normalise, streaming
from pyorch.features.batch import FeatureTable
from pyorch.features.batch import normalise as apply_normalisation
from pyorch.features.dataset import BLOCKS, DataSet, DataSetOptions, build_dataset
from pyorch.features.definitions import default_schema
from pyorch.features.labels import LabelOptions, Thresholds
from pyorch.features.leaks import check_for_leaks
from pyorch.market.book import Book
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape

SECOND_NS = 1_000_000_000
OPTIONS = DataSetOptions(
    embargo_ns=SECOND_NS, labels=LabelOptions(slippage_btc=1.0, volatility_ns=2 * SECOND_NS)
)


def reset_at(tape: Tape, share: float) -> Tape:
    """The tape with a reset at a share of its rows, then a snapshot of the book as it was."""
    events = tape.events
    at = int(share * len(events))
    while not events["flags"][at - 1] & Flag.LAST:
        at += 1
    book = Book()
    book.apply_all(events[:at])
    rows = [(Side.NONE, 0, 0)]
    for side in (Side.BID, Side.ASK):
        rows += [(side, *level) for level in book.levels(side, 1_000)]
    later = np.zeros(len(rows), EVENT_DTYPE)
    later["side"], later["price_ticks"], later["quantity_lots"] = np.array(rows).T
    later["kind"] = [Kind.RESET] + [Kind.SNAPSHOT] * (len(rows) - 1)
    later["flags"][[0, 1]] |= Flag.FIRST
    later["flags"][[0, -1]] |= Flag.LAST
    later["sequence"], later["local_ns"] = book.sequence, events["local_ns"][at]
    joined = np.concatenate([events[:at], later, events[at:]])
    return Tape(joined, tape.instruments, "with a reset", tape.counts)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return reset_at(insert_timer_ticks(simulate(21, 60.0)), 0.3)


@pytest.fixture(scope="module")
def dataset(tape: Tape) -> DataSet:
    return build_dataset(tape, options=OPTIONS)


def test_shapes_formats_and_names(dataset: DataSet) -> None:
    ticks = len(dataset.row)
    assert dataset.features.shape == (ticks, 16)
    assert dataset.features.dtype == np.int32
    form = dataset.schema.format
    assert form.minimum <= dataset.features.min() < dataset.features.max() <= form.maximum
    assert list(dataset.labels) == [
        "direction",
        "direction_events",
        "jump_down_50ms",
        "jump_up_50ms",
        "jump_down_100ms",
        "jump_up_100ms",
        "withdrawal_bid",
        "withdrawal_ask",
        "slippage",
        "volatility",
    ]
    for name, values in dataset.labels.items():
        assert values.shape == dataset.valid[name].shape == (ticks,)
        assert dataset.valid[name].any()


def test_blocks_are_chronological_with_an_embargo_and_purged(dataset: DataSet) -> None:
    now = dataset.local_ns
    for earlier, later in (BLOCKS[:2], BLOCKS[1:]):
        a, b = dataset.blocks[earlier], dataset.blocks[later]
        assert a.stop <= b.start
        assert now[b.start] - now[a.stop - 1] >= SECOND_NS
    outside = np.ones(len(now), bool)
    for block in dataset.blocks.values():
        outside[block] = False
        for name, label in dataset.described.items():
            used = dataset.valid[name][block]
            assert np.all(label.end_ns[block][used] <= now[block.stop - 1])
            unused = label.valid[block] & ~used
            assert np.all(label.end_ns[block][unused] >= now[block.stop - 1])
    for valid in dataset.valid.values():
        assert not valid[outside].any()


def test_a_reset_cuts_runs_and_horizons(dataset: DataSet) -> None:
    assert len(dataset.segments) == 2
    cut = int(dataset.segments[1])
    runs = dataset.runs("train")
    assert [(run.start, run.stop) for run in runs] == [
        (0, cut),
        (cut, dataset.blocks["train"].stop),
    ]
    before = slice(cut - 3, cut)
    assert not dataset.valid["direction"][before].any()
    assert not dataset.valid["volatility"][cut : cut + 20].any()


def test_normalisation_is_that_of_the_training_block(tape: Tape, dataset: DataSet) -> None:
    training = dataset.raw[dataset.blocks["train"]]
    plain = replace(
        dataset.schema,
        features=tuple(
            replace(one, offset=0, multiplier=1, shift=0) for one in dataset.schema.features
        ),
    )
    assert normalise.fit(plain, training) == dataset.schema
    again = build_dataset(tape, dataset.schema, OPTIONS, thresholds=dataset.thresholds)
    np.testing.assert_array_equal(again.features, dataset.features)
    assert again.thresholds == dataset.thresholds
    assert not again.fitted_here
    assert check_for_leaks(again) == []


def test_summary_states_rates_and_sizes(dataset: DataSet) -> None:
    summary = {(one.label, one.block): one for one in dataset.summary()}
    assert len(summary) == 10 * 3
    direction = summary["direction", "train"]
    assert sum(direction.rates.values()) == pytest.approx(1.0)
    assert direction.rates["stable"] == pytest.approx(0.5, abs=0.02)
    assert 0 < direction.episodes <= direction.positives <= direction.valid
    seconds = np.ptp(dataset.local_ns[dataset.blocks["train"]]) / 1e9
    assert 0.8 * seconds < direction.effective < seconds + 1
    jump = summary["jump_up_100ms", "train"]
    assert jump.trainable == (jump.positives >= 200)
    assert direction.threshold == dataset.thresholds["direction"]


def test_an_honest_data_set_has_no_leak(dataset: DataSet) -> None:
    assert check_for_leaks(dataset) == []


def future_label_as_feature(d: DataSet) -> DataSet:
    features = d.features.copy()
    features[:, 4] = d.labels["jump_up_100ms"].astype(np.int32) * 32
    return replace(d, features=features)


def peeking_features(d: DataSet) -> DataSet:
    def compute(tape: Tape, schema: FeatureSchema) -> FeatureTable:
        table = streaming.compute(tape, schema)
        raw = table.raw.copy()
        raw[:-1, 2] = table.raw[1:, 2]  # one tick early
        return replace(table, raw=raw, features=apply_normalisation(raw, schema))

    return build_dataset(d.tape, default_schema(), OPTIONS, compute=compute)


def statistics_of_the_whole_tape(d: DataSet) -> DataSet:
    plain = tuple(replace(one, offset=0, multiplier=1, shift=0) for one in d.schema.features)
    schema = normalise.fit(replace(d.schema, features=plain), d.raw)
    return replace(d, schema=schema, features=apply_normalisation(d.raw, schema))


def thresholds_of_the_whole_tape(d: DataSet) -> DataSet:
    wrong = Thresholds(d.thresholds, direction=d.thresholds["direction"] + 1)
    return replace(d, thresholds=wrong)


def labels_not_purged(d: DataSet) -> DataSet:
    valid = dict(d.valid)
    valid["direction"] = d.described["direction"].valid
    return replace(d, valid=valid)


def labels_shifted(d: DataSet) -> DataSet:
    return replace(d, labels=d.labels | {"direction": np.roll(d.labels["direction"], 1)})


def no_embargo(d: DataSet) -> DataSet:
    blocks = dict(d.blocks)
    blocks["test"] = slice(blocks["calibration"].stop, blocks["test"].stop)
    return replace(d, blocks=blocks)


@pytest.mark.parametrize(
    ("plant", "check", "what"),
    [
        (future_label_as_feature, "features", "imbalance_10"),
        (peeking_features, "features", "imbalance_1"),
        (statistics_of_the_whole_tape, "normalisation", "density_bid_5"),
        (thresholds_of_the_whole_tape, "thresholds", "direction"),
        (labels_not_purged, "purge", "direction"),
        (labels_shifted, "labels", "direction"),
        (no_embargo, "embargo", "test"),
    ],
)
def test_a_planted_leak_is_caught(
    dataset: DataSet, plant: Callable[[DataSet], DataSet], check: str, what: str
) -> None:
    found = check_for_leaks(plant(dataset))
    assert (check, what) in {(leak.check, leak.what) for leak in found}, found


def test_a_tape_without_a_book_is_refused(tape: Tape) -> None:
    rows = tape.events[tape.events["kind"] == Kind.TRADE].copy()
    with pytest.raises(DataError, match="never has a valid, two-sided book"):
        build_dataset(Tape(rows, tape.instruments, "trades"))


def test_a_short_tape_is_refused() -> None:
    with pytest.raises(DataError, match="with an embargo of 2 s: use a longer tape"):
        build_dataset(insert_timer_ticks(simulate(1, 5.0)))


def test_a_notional_beyond_the_arithmetic_is_refused(tape: Tape) -> None:
    labels = LabelOptions(slippage_btc=1e9)
    with pytest.raises(UsageError, match="choose a smaller notional"):
        build_dataset(tape, options=DataSetOptions(labels=labels))


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.9, 0.2), (0.5, -0.1)])
def test_impossible_blocks_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="leave no room"):
        DataSetOptions(*shares)
