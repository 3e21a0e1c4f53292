"""The ring in shared memory: whole rows only, losses counted, readers and writers that die."""

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyorch import _native
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind
from pyorch.market.feeds.ring import FeedRing, FeedRingReader, NumpyRingReader

INSTRUMENTS = (Instrument("A", "deribit", "0.1", "1"), Instrument("B", "deribit", "0.1", "1"))
CAPACITY = 1 << 12
FORK = multiprocessing.get_context("fork")


def rows_from(first: int, count: int) -> EventArray:
    """Rows that tell by every word which record they are."""
    number = np.arange(first, first + count, dtype=np.int64)
    rows = np.zeros(count, EVENT_DTYPE)
    rows["local_ns"], rows["exchange_ns"] = number, ~number
    rows["first_sequence"], rows["sequence"] = number * 3, number ^ 0x5555_5555_5555
    rows["previous_sequence"], rows["price_ticks"] = number << 7, -number
    rows["quantity_lots"] = number * 0x9E37_79B9
    rows["kind"], rows["flags"] = Kind.TRADE, Flag.FIRST | Flag.LAST
    rows["instrument"], rows["reserved"] = number & 1, number & 0xFFFF_FFFF
    return rows


def whole(rows: EventArray) -> bool:
    """Every word of every row is of the same record."""
    numbers = rows["local_ns"]
    expected = rows_from(0, 1).repeat(len(rows))
    expected["local_ns"], expected["exchange_ns"] = numbers, ~numbers
    expected["first_sequence"], expected["sequence"] = numbers * 3, numbers ^ 0x5555_5555_5555
    expected["previous_sequence"], expected["price_ticks"] = numbers << 7, -numbers
    expected["quantity_lots"] = numbers * 0x9E37_79B9
    expected["instrument"], expected["reserved"] = numbers & 1, numbers & 0xFFFF_FFFF
    return rows.tobytes() == expected.tobytes()


def ring(path: Path, capacity: int = CAPACITY) -> FeedRing:
    return FeedRing(path, "test", INSTRUMENTS, capacity)


def test_rows_come_back_and_the_description_too(tmp_path: Path) -> None:
    writer = ring(tmp_path / "ring")
    reader = FeedRingReader(tmp_path / "ring")
    assert reader.instruments == INSTRUMENTS and reader.name == "test" and writer.wanted == 1
    writer.write(rows_from(0, 1_000))
    assert reader.read(600).tobytes() == rows_from(0, 600).tobytes()
    assert reader.read().tobytes() == rows_from(600, 400).tobytes()
    assert len(reader.read()) == reader.lost == 0


@pytest.mark.parametrize("twin", [False, True])
def test_what_was_overwritten_is_counted_and_every_book_reset(tmp_path: Path, twin: bool) -> None:
    writer = ring(tmp_path / "ring")
    reader = FeedRingReader(tmp_path / "ring", twin=twin)
    writer.write(rows_from(0, 3 * CAPACITY))
    events = reader.read(100)
    assert events["kind"][:2].tolist() == [Kind.RESET] * 2 and events["instrument"][
        :2
    ].tolist() == [0, 1]
    at = 3 * CAPACITY - CAPACITY // 2
    assert events[2:].tobytes() == rows_from(at, 100).tobytes()
    assert reader.lost == at and writer.wanted == 2
    assert reader.read(10).tobytes() == rows_from(at + 100, 10).tobytes()


def test_after_a_loss_reading_goes_on_where_a_message_begins(tmp_path: Path) -> None:
    writer = ring(tmp_path / "ring")
    reader = FeedRingReader(tmp_path / "ring")
    rows = rows_from(0, 3 * CAPACITY)
    rows["flags"] = 0
    rows["flags"][-200] = Flag.FIRST
    rows["flags"][-1] = Flag.LAST
    writer.write(rows)
    got = [reader.read(1_000) for _ in range(5)]
    events = np.concatenate(got)
    assert events["kind"][:2].tolist() == [Kind.RESET] * 2
    assert events[2:].tobytes() == rows[-200:].tobytes()


def test_both_readers_see_the_same(tmp_path: Path) -> None:
    writer = ring(tmp_path / "ring")
    native, twin = (FeedRingReader(tmp_path / "ring", twin=twin) for twin in (False, True))
    rng, at = np.random.default_rng(1), 0
    for _ in range(40):
        count = int(rng.integers(1, CAPACITY))
        writer.write(rows_from(at, count))
        at += count
        if rng.random() < 0.7:
            most = int(rng.integers(1, CAPACITY))
            assert native.read(most).tobytes() == twin.read(most).tobytes()
            assert native.lost == twin.lost


def test_a_new_writer_goes_on_where_the_last_one_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    process = FORK.Process(target=_write_and_die, args=(path,))
    process.start()
    process.join(60)
    reader = FeedRingReader(path, oldest=True)
    assert reader.writers == 1 and reader.read().tobytes() == rows_from(0, 500).tobytes()
    # What a writer leaves that dies within a record, and one that dies before it published a whole one.
    words = np.memmap(path, np.uint64, mode="r+")
    words[8] -= 1
    words[512 + 500] = 2 * 500 + 1
    writer = ring(path)
    assert writer.published == 500
    writer.write(rows_from(500, 10))
    assert reader.read().tobytes() == rows_from(500, 10).tobytes()
    assert reader.writers == 2 and reader.lost == 0


def _write_and_die(path: Path) -> None:
    writer = ring(path)
    writer.write(rows_from(0, 500))
    os._exit(9)


def test_what_is_no_ring_or_not_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    writer = ring(path)
    with pytest.raises(UsageError, match="another process writes into it"):
        ring(path)
    del writer
    with pytest.raises(UsageError, match="a ring of another capacity is there"):
        ring(path, 2 * CAPACITY)
    with pytest.raises(UsageError, match="a ring of other instruments is there"):
        FeedRing(path, "test", INSTRUMENTS[:1], CAPACITY)
    with pytest.raises(UsageError, match="capacity must be a power of two"):
        ring(tmp_path / "odd", 1_000)
    with pytest.raises(DataError, match="No such file or directory; is the feed running"):
        FeedRingReader(tmp_path / "none")
    (tmp_path / "other").write_bytes(b"x" * 100_000)
    with pytest.raises(DataError, match="not a ring of events"):
        FeedRingReader(tmp_path / "other")


def _write_many(path: Path, count: int, began: Any) -> None:
    writer = ring(path)
    began.wait()
    for at in range(0, count, 1_000):
        writer.write(rows_from(at, min(1_000, count - at)))


def _read_many(path: Path, count: int, twin: bool, began: Any, results: Any) -> None:
    reader = _native.FeedRingReader(str(path), True)
    rows_of: Any = NumpyRingReader(path, reader.next) if twin else reader
    begin = at = rows_of.next
    if began is not None:
        began.wait()
    read = torn = disordered = 0
    while at < count:
        words, broken = rows_of.read(4096)
        rows = np.asarray(words).view(EVENT_DTYPE).reshape(-1)
        if len(rows) == 0:
            time.sleep(0)
            continue
        numbers = rows["local_ns"]
        first = int(numbers[0])
        torn += not whole(rows)
        disordered += (
            first < at or (first != at and not broken) or bool((np.diff(numbers) != 1).any())
        )
        at = int(numbers[-1]) + 1
        read += len(rows)
    results.put((begin, read, rows_of.lost, torn, disordered))


@pytest.mark.parametrize(
    "count", [1_000_000, pytest.param(100_000_000, marks=[pytest.mark.full, pytest.mark.slow])]
)
def test_no_read_is_torn_and_every_loss_is_counted_while_a_reader_is_killed(
    count: int, tmp_path: Path
) -> None:
    path = tmp_path / "ring"
    ring(path)
    results, began = FORK.Queue(), FORK.Barrier(5)
    readers = [
        FORK.Process(target=_read_many, args=(path, count, twin, began, results))
        for twin in (False, False, True)
    ]
    victim = FORK.Process(target=_read_many, args=(path, 1 << 60, False, began, results))
    writer = FORK.Process(target=_write_many, args=(path, count, began))
    for process in (*readers, victim, writer):
        process.start()
    watch = _native.FeedRingReader(str(path))
    while watch.published < count // 2:
        assert writer.exitcode in (None, 0)
        time.sleep(0.002)
    victim.kill()
    again = FORK.Process(target=_read_many, args=(path, count, False, None, results))
    again.start()
    for process in (writer, *readers, again):
        process.join()
        assert process.exitcode == 0
    for _ in range(len(readers) + 1):
        begin, read, lost, torn, disordered = results.get(timeout=60)
        print(f"read {read:,}, lost {lost:,}, begun at {begin:,}")
        assert (torn, disordered) == (0, 0) and begin + read + lost == count
