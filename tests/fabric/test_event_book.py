"""The fabric's decoder and book, Verilated, against the definitions: spoilt streams, any rows, tapes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.events import EVENT_DTYPE, Flag, Kind, Side
from pyorch.market.book import Book
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.market.window_book import WindowBook
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.events.line import joined, spoilt, with_snapshots
from sim.bench.events.player import COLUMNS, STALE_NS, Player, Shape, Table, defined

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PYORCH_DATA", ROOT.parent / "shared" / "data")) / "binance"
SHAPE = Shape(instruments=2, window_bits=10, levels=5)
CYCLES = COLUMNS.index("cycles")


def play(
    shape: Shape, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0
) -> tuple[Table, dict[str, int]]:
    """Through the fabric; every record and count must be the definition's."""
    player = Player(shape)
    try:
        records, counts = player.play(frames, gap=gap, idle=idle, stall=stall), player.counts()
    finally:
        player.close()
    decoded = WireDecoder(shape.instruments, STALE_NS).push(frames.beats, frames.ends)
    expected, expected_counts = defined(decoded.events, decoded.numbers, decoded.stale, shape)
    assert len(records) == len(expected)
    different = np.flatnonzero(
        (np.delete(records, CYCLES, 1) != np.delete(expected, CYCLES, 1)).any(1)
    )
    assert len(different) == 0, (records[different[:1]].tolist(), expected[different[:1]].tolist())
    assert counts == expected_counts
    return records, counts


def test_books_of_spoilt_streams_are_the_definitions() -> None:
    total: dict[str, int] = {}
    for seed in range(6):
        part = with_snapshots(simulate(seed, 5.0, second=True).events[:3000], 40)
        own = (part["instrument"] == 0) & (part["kind"] <= Kind.SNAPSHOT)
        if seed > 2:  # levels farther apart than a window of 1,024 ticks
            part["price_ticks"] += np.where(
                own, (part["price_ticks"] - 618_000) * (4 * seed - 6), 0
            )
        if seed == 5:  # levels on the wrong side now and then
            part["side"][::89] ^= (part["side"] < Side.NONE)[::89]
        frames = encode(part, session=seed, beats_a_frame=(0, FRAME_BEATS)[seed & 1]).split()
        rng = np.random.default_rng(seed)
        line = joined(spoilt(frames, rng, 0.02 * (seed > 0)))
        _, counts = play(SHAPE, line, idle=0.1 * (seed & 1), stall=0.3 * (seed & 1))
        assert counts["messages"] > (10 if seed == 5 else 40 if seed > 2 else 150), (seed, counts)
        total = {name: total.get(name, 0) + count for name, count in counts.items()}
    assert all(total.values()), total


def test_rows_of_any_order_give_the_definitions_book() -> None:
    """Torn messages, snapshots within messages, ids missing, stale or ahead, levels all over the window."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = np.zeros(4000, EVENT_DTYPE)
        rows["local_ns"] = np.arange(len(rows)) // rng.integers(1, 6)
        rows["kind"] = rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 4, 6], len(rows))
        runs = np.repeat(rng.integers(0, 2, len(rows)), rng.integers(1, 9, len(rows)))[: len(rows)]
        rows["kind"] = np.where(runs, 0, rows["kind"])
        rows["flags"] = rng.choice([0, 1, 2, 3], len(rows), p=[0.3, 0.3, 0.1, 0.3])
        rows["sequence"] = rng.choice(
            [-1, 100, 101, 102, 200], len(rows), p=[0.7, 0.1, 0.1, 0.05, 0.05]
        )
        rows["previous_sequence"] = rows["sequence"] - rng.integers(-1, 3, len(rows))
        rows["side"] = rng.choice([0, 1, 2], len(rows), p=[0.48, 0.48, 0.04])
        away = rng.integers(1, 200, len(rows)) ** rng.choice([1, 1, 1, 1.3], len(rows))
        rows["price_ticks"] = 5000 + np.where(rows["side"] == 0, -away, away)
        rows["quantity_lots"] = rng.choice([0, 0, 1, 7, 1 << 45, -3], len(rows))
        rows["instrument"] = rng.random(len(rows)) < 0.02
        play(SHAPE, encode(rows, beats_a_frame=60), stall=0.1)


def test_an_event_on_an_idle_path_takes_the_stated_cycles() -> None:
    events = simulate(4, 6.0).events
    records, _ = play(SHAPE, encode(events), gap=120)
    cycles, kinds = records[:, CYCLES], records[:, 0]
    passed = ~np.isin(kinds, [Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET])
    last = np.append(records[1:, 4] != records[:-1, 4], True)  # of its event
    assert set(cycles[passed & last].tolist()) == {2, 3}  # alone, or behind another row
    depth = cycles[(kinds == Kind.DEPTH) & (records[:, 8] == 1)]
    print("DEPTH: cycles from the last beat", np.unique(depth, return_counts=True))
    # nine and one for each level, and one or more for a further word of the map
    assert depth.min() == 9 + SHAPE.levels and depth.max() <= 13 + SHAPE.levels


def test_a_word_of_the_map_that_was_emptied_costs_one_cycle_once() -> None:
    best, more = 5000, range(5064, 5069)  # where two words of the map begin
    bids = [(Side.BID, best - away, 1) for away in range(1, 6)]
    asks = [(Side.ASK, price, 1) for price in (best, *more)]
    changes = [(Side.ASK, 5065, 2), (Side.ASK, best, 0), (Side.ASK, 5066, 2), (Side.ASK, 5067, 2)]
    rows = np.zeros(len(bids + asks + changes), EVENT_DTYPE)
    rows["side"], rows["price_ticks"], rows["quantity_lots"] = zip(
        *asks, *bids, *changes, strict=True
    )
    rows["kind"][: len(bids + asks)], rows["sequence"] = Kind.SNAPSHOT, -1
    rows["previous_sequence"], rows["local_ns"] = -1, np.arange(len(rows))
    rows["flags"][0] = Flag.FIRST
    rows["flags"][len(bids + asks) - 1 :] = Flag.LAST
    records, _ = play(SHAPE, encode(rows), gap=120)
    cycles = records[-len(changes) :, CYCLES].tolist()
    one_word = 9 + SHAPE.levels
    assert cycles == [one_word, one_word + 1, one_word, one_word]


def test_a_window_book_shows_the_full_books_levels_whenever_it_is_valid() -> None:
    for seed, stretch in ((1, 1), (2, 6), (3, 12)):
        events = with_snapshots(simulate(seed, 8.0).events, 50)
        own = events["kind"] <= Kind.SNAPSHOT
        events["price_ticks"] += np.where(own, (events["price_ticks"] - 618_000) * (stretch - 1), 0)
        full, window = Book(), WindowBook(10, 5)
        valid = 0
        for row in events.tolist():
            full.apply(row)
            window.apply(row)
            if window.valid and row[9] & 1:
                valid += 1
                assert full.valid
                for side in (Side.BID, Side.ASK):
                    assert window.best_levels(side) == full.levels(side, 5)
        assert valid > 10
        assert stretch == 1 or window.window_counts.outside


RECORDINGS = {
    "coinm_btcusd_perp_2024": (
        13,
        ["coinm_btcusd_perp_20240808.gz", "coinm_btcusd_perp_20240809.gz"],
    ),
    "usdm_btcusdt_2024": (13, ["usdm_btcusdt_20240808.gz"]),
    "spot_btcusdt_2024": (16, ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"]),
    "usdm_btcusdt_2023": (13, ["usdm_btcusdt_20230404.gz", "usdm_btcusdt_20230405.gz"]),
}


def recording(name: str) -> Tape:
    paths = [FOLDER / file for file in RECORDINGS[name][1]]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no recordings in {FOLDER}; PYORCH_DATA names their folder's parent")
    return read_recordings(paths)


def play_recording(name: str, events: np.ndarray) -> None:
    shape = Shape(1, RECORDINGS[name][0], 10)
    records, counts = play(shape, encode(events, beats_a_frame=FRAME_BEATS))
    assert counts["escapes"] == counts["thin"] == counts["gaps"] == counts["crosses"] == 0
    # and so the full book's
    full, at = Book(), 1
    for row in events.tolist():
        full.apply(row)
        if row[7] > Kind.SNAPSHOT or row[9] & 1:
            if full.valid and row[7] <= Kind.SNAPSHOT:
                levels = [pair for side in (Side.BID, Side.ASK) for pair in full.levels(side, 10)]
                assert records[at, len(COLUMNS) :].tolist() == [v for pair in levels for v in pair]
            at += 1
    assert at == len(records)
    print(
        f"{name}: {len(events):,} rows, {len(records):,} records, {records.size:,} integers equal"
    )


@pytest.mark.tape
@pytest.mark.full
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_fabrics_book_is_the_full_book_on_every_recording_complete(name: str) -> None:
    play_recording(name, recording(name).events)
