"""Streaming features equal the batch definition on whole markets, simulated and recorded."""

import gzip
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.events import event_words
from pyorch.contract.schema import FeatureSchema
from pyorch.features import batch, streaming
from pyorch.features.dataset import build_dataset
from pyorch.features.definitions import (
    default_schema,
    extended_schema,
    schema_with_basis,
    surface_schema,
)
from pyorch.features.leaks import check_for_leaks
from pyorch.features.streaming import open_stream
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape


def assert_same(tape: Tape, schema: FeatureSchema) -> batch.FeatureTable:
    defined, streamed = batch.compute(tape, schema), streaming.compute(tape, schema)
    for name in ("row", "local_ns", "segments", "raw", "features"):
        np.testing.assert_array_equal(
            getattr(streamed, name), getattr(defined, name), err_msg=name, strict=True
        )
    return defined


@pytest.mark.parametrize("seed", [1, 2])
def test_streaming_equals_batch_on_a_simulated_market(seed: int) -> None:
    tape = insert_timer_ticks(simulate(seed, 60.0))
    assert len(assert_same(tape, extended_schema()).row) > 4_000


def test_streaming_equals_batch_with_a_second_instrument() -> None:
    tape = insert_timer_ticks(simulate(3, 30.0, second=True))
    table = assert_same(tape, schema_with_basis(*tape.instruments))
    basis = table.raw[:, -2:]
    assert np.count_nonzero(basis) > len(basis), "the basis moves against both of its averages"


def test_streaming_equals_batch_with_a_surface() -> None:
    tape = insert_timer_ticks(simulate(3, 60.0))
    table = assert_same(tape, surface_schema())
    changes, age = table.raw[:, -5:-1], table.raw[:, -1]
    assert np.all(np.count_nonzero(changes, axis=0) > len(changes) / 2), "the surface moves"
    assert len(np.unique(age)) > 100


def test_an_event_costs_less_than_microseconds_natively() -> None:
    """A bound that only a broken implementation misses on a busy machine."""
    tape = insert_timer_ticks(simulate(4, 20.0))
    words = event_words(tape.events)
    best = min(open_stream(default_schema()).time_events(words)[0] for _ in range(3))
    assert best / len(words) < 5_000.0


def first_lines(recording: Path, lines: int, folder: Path) -> Path:
    """The beginning of a recording, as a file of its own."""
    short = folder / f"{recording.stem}_{lines}.txt"
    with gzip.open(recording, "rb") as file:
        short.write_bytes(b"".join(islice(file, lines)))
    return short


@pytest.mark.tape
@pytest.mark.parametrize(
    "name",
    [
        "coinm_btcusd_perp_20240808",
        "usdm_btcusdt_20240808",
        "spot_btcusdt_20240808",
        "usdm_btcusdt_20230404",
    ],
)
def test_streaming_equals_batch_on_the_beginning_of_each_recording(
    recordings: Path, name: str, tmp_path: Path
) -> None:
    short = first_lines(recordings / "binance" / f"{name}.gz", 8_000, tmp_path)
    table = assert_same(insert_timer_ticks(read_recordings([short])), extended_schema())
    assert len(table.row) > 1_000


@pytest.mark.tape
def test_streaming_equals_batch_on_the_recorded_basis(recordings: Path, tmp_path: Path) -> None:
    quoted, other = (
        first_lines(recordings / "binance" / f"{name}_20240808.gz", 8_000, tmp_path)
        for name in ("coinm_btcusd_perp", "spot_btcusdt")
    )
    tape = insert_timer_ticks(read_recordings([quoted], [other]))
    table = assert_same(tape, schema_with_basis(*tape.instruments))
    assert np.count_nonzero(table.raw[:, -1]) > 1_000


@pytest.mark.tape
def test_the_whole_default_recording_is_equal_and_its_data_set_has_no_leak(
    recordings: Path,
) -> None:
    paths = sorted((recordings / "binance").glob("coinm_btcusd_perp_*.gz"))
    tape = insert_timer_ticks(read_recordings(paths))
    table = assert_same(tape, default_schema())
    dataset = build_dataset(tape)
    np.testing.assert_array_equal(dataset.row, table.row)
    assert len(dataset.row) == 50_009
    assert check_for_leaks(dataset, prefixes=1) == []
    stable = {one.label: one for one in dataset.summary() if one.block == "train"}["direction"]
    assert stable.rates["stable"] == pytest.approx(0.5, abs=0.01)
