"""Books rebuilt from every recording equal the venue's best quotes at every comparable point."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pyorch import _native
from pyorch.contract.events import EVENT_DTYPE, Kind, Side, event_words
from pyorch.market.book import Book
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.tape import Tape, merge_tapes, read_tape, write_tape
from pyorch.market.validate import Validation, validate
from pyorch.market.wire import encode, normal_form
from pyorch.market.wire_decoder import WireDecoder

pytestmark = pytest.mark.tape

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PYORCH_DATA", ROOT.parent / "shared" / "data")) / "binance"

RECORDINGS = {
    "coinm_btcusd_perp_2024": ["coinm_btcusd_perp_20240808.gz", "coinm_btcusd_perp_20240809.gz"],
    "usdm_btcusdt_2024": ["usdm_btcusdt_20240808.gz"],
    "spot_btcusdt_2024": ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
    "usdm_btcusdt_2023": ["usdm_btcusdt_20230404.gz", "usdm_btcusdt_20230405.gz"],
}
COMPARABLE = {
    "coinm_btcusd_perp_2024": 1885,
    "usdm_btcusdt_2024": 629,
    "spot_btcusdt_2024": 1072,
    "usdm_btcusdt_2023": 1565,
}


def recording(name: str) -> list[Path]:
    paths = [FOLDER / file for file in RECORDINGS[name]]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no recordings in {FOLDER}; PYORCH_DATA names their folder's parent")
    return paths


@cache
def tape_of(name: str) -> Tape:
    return read_recordings(recording(name))


@pytest.mark.parametrize("name", RECORDINGS)
def test_rebuilt_book_equals_every_comparable_best_quote(name: str) -> None:
    recording(name)
    tape = tape_of(name)
    found = validate(tape)
    print(name, found)
    assert (found.gaps, found.crosses) == (0, 0)
    assert found.agreeing == found.comparable == COMPARABLE[name]
    counts = tape.counts
    assert counts["gaps"] == counts["duplicates"] == counts["out_of_order_local"] == 0
    assert counts["snapshots"] == 1


@pytest.mark.parametrize("name", RECORDINGS)
def test_twin_equals_native_book_after_every_row_of_the_recordings(name: str) -> None:
    recording(name)
    events = tape_of(name).events
    twin, native = Book(), _native.Book()
    np.testing.assert_array_equal(native.trace(event_words(events)), twin.trace(events))
    assert native.counts == twin.count_table()
    for side in (Side.BID, Side.ASK):
        assert native.levels(side, 10**6) == twin.levels(side, 10**6)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_cross_the_wire_and_the_book_stays_the_same(name: str) -> None:
    recording(name)
    events = tape_of(name).events
    frames = encode(events)
    beats, ends, count = _native.wire_encode(event_words(events))
    np.testing.assert_array_equal(np.asarray(beats), frames.beats)
    np.testing.assert_array_equal(np.asarray(ends) > 0, frames.ends)
    decoder = _native.WireDecoder(1)
    words, numbers, _ = decoder.push(frames.beats, frames.ends.astype(np.uint8))
    rows = np.asarray(words).view(EVENT_DTYPE)
    assert rows["kind"][0] == Kind.RESET and count == decoder.counts["events"] == frames.events
    np.testing.assert_array_equal(rows[1:], normal_form(events))
    before, after = (_native.Book().trace(event_words(one)) for one in (events, rows[1:]))
    np.testing.assert_array_equal(after, before)
    print(name, f"{frames.events:,} events, {8 * len(beats) / count:.1f} bytes each")
    part = slice(0, int(np.flatnonzero(frames.ends)[3_000]) + 1)
    twin = WireDecoder(1).push(frames.beats[part], frames.ends[part])
    np.testing.assert_array_equal(twin.events, rows[: len(twin.events)])
    np.testing.assert_array_equal(twin.numbers, np.asarray(numbers)[: len(twin.numbers)])


def test_twin_reaches_the_same_verdict() -> None:
    recording("usdm_btcusdt_2023")
    tape = tape_of("usdm_btcusdt_2023")
    expected = Validation(16111, 0, 0, 44205, 1565, 1565)
    assert validate(tape, use_twin=True) == validate(tape) == expected


def test_default_tape_has_the_known_size(tmp_path: Path) -> None:
    recording("coinm_btcusd_perp_2024")
    tape = tape_of("coinm_btcusd_perp_2024")
    assert (tape.counts["depth_messages"], tape.counts["trades"]) == (44_795, 5_235)
    assert round(tape.duration_s) == 647
    offset_s = np.median((tape.events["local_ns"] - tape.events["exchange_ns"]) / 1e9)
    assert -1.4 < offset_s < -1.1  # two clocks
    write_tape(tmp_path / "t.parquet", tape)
    assert read_tape(tmp_path / "t.parquet").digest() == tape.digest()


def test_recordings_of_2023_are_in_nanoseconds_after_reading() -> None:
    recording("usdm_btcusdt_2023")
    tape = tape_of("usdm_btcusdt_2023")
    assert round(tape.duration_s) == 514
    assert (tape.events["kind"] == Kind.MARK).sum() == 514


def test_perpetual_and_spot_share_a_tape() -> None:
    recording("coinm_btcusd_perp_2024"), recording("spot_btcusdt_2024")
    tape = merge_tapes(tape_of("coinm_btcusd_perp_2024"), tape_of("spot_btcusdt_2024"))
    assert validate(tape, 0).agreeing == COMPARABLE["coinm_btcusd_perp_2024"]
    assert validate(tape, 1).agreeing == COMPARABLE["spot_btcusdt_2024"]
    words = event_words(tape.events)
    first, second = _native.Book().trace(words, 0), _native.Book().trace(words, 1)
    both = (first[:, 4] == 1) & (second[:, 4] == 1)
    basis_usd = first[both, 0] / 10 - second[both, 0] / 100
    assert abs(np.median(basis_usd)) < 100
