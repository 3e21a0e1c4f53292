"""Tapes come back as they were written, or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind, Side
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.tape import METADATA_KEY, Tape, read_tape, write_tape

PERPETUAL = Instrument("BTCUSD_PERP", "binance-coinm", "0.1", "1", 100.0)


def events_at(*local_ns: int) -> EventArray:
    events = np.zeros(len(local_ns), EVENT_DTYPE)
    events["local_ns"] = local_ns
    events["flags"] = Flag.FIRST | Flag.LAST
    events["price_ticks"] = 618_000 + np.arange(len(local_ns))
    events["kind"] = Kind.TRADE
    return events


def a_tape() -> Tape:
    return Tape(events_at(*range(0, 3_000_000, 1_000)), (PERPETUAL,), "small", {"messages": 3_000})


def test_tape_comes_back_as_written(tmp_path: Path) -> None:
    tape = a_tape()
    write_tape(tmp_path / "a.parquet", tape)
    back = read_tape(tmp_path / "a.parquet")
    np.testing.assert_array_equal(back.events, tape.events)
    assert (back.instruments, back.name, back.counts) == (tape.instruments, tape.name, tape.counts)
    assert back.digest() == tape.digest()
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_digest_sees_every_field() -> None:
    base = a_tape()
    for name in EVENT_DTYPE.names or ():
        events = base.events.copy()
        events[name][-1] = 1 if name in ("kind", "side", "flags") else events[name][-1] + 1
        if name == "instrument":
            events["instrument"] = 0
            changed = Tape(events, (Instrument("X", "simulated", "0.1", "1"),), "small")
        elif name == "flags":
            continue
        else:
            changed = Tape(events, (PERPETUAL,), "small")
        assert changed.digest() != base.digest(), name


def test_empty_tape_round_trips(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.parquet", Tape(events_at(), (PERPETUAL,), "empty"))
    assert len(read_tape(tmp_path / "a.parquet").events) == 0


def test_truncated_tape_is_refused_at_every_length(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.parquet", a_tape())
    whole = (tmp_path / "a.parquet").read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        (tmp_path / "b.parquet").write_bytes(whole[:length])
        with pytest.raises(
            DataError, match=r"not a readable Parquet file, or cut short \([\d,]+ bytes"
        ):
            read_tape(tmp_path / "b.parquet")


def test_garbled_tape_never_reads_as_another(tmp_path: Path) -> None:
    tape = a_tape()
    write_tape(tmp_path / "a.parquet", tape)
    whole = (tmp_path / "a.parquet").read_bytes()
    refused = 0
    for position in range(0, len(whole), max(1, len(whole) // 300)):
        garbled = whole[:position] + bytes([whole[position] ^ 0x40]) + whole[position + 1 :]
        (tmp_path / "b.parquet").write_bytes(garbled)
        try:
            back = read_tape(tmp_path / "b.parquet")
        except DataError:
            refused += 1
        else:  # bytes that nobody reads, such as statistics
            np.testing.assert_array_equal(back.events, tape.events)
            assert (back.instruments, back.name, back.counts) == (
                tape.instruments,
                tape.name,
                tape.counts,
            )
    assert refused > 100


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"a\.parquet cannot be written: .*; choose another place"):
        write_tape(tmp_path / "file" / "a.parquet", a_tape())


def test_edited_metadata_is_refused(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.parquet", a_tape())
    table = pq.read_table(tmp_path / "a.parquet")
    header = table.schema.metadata[METADATA_KEY].replace(b'"messages":3000', b'"messages":3001')
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: header}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="the tape's metadata was damaged or edited"):
        read_tape(tmp_path / "a.parquet")


def test_foreign_parquet_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"not a tape: its metadata has no 'pyorch.tape'"):
        read_tape(tmp_path / "x.parquet")


def test_edited_events_are_refused(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.parquet", a_tape())
    table = pq.read_table(tmp_path / "a.parquet")
    prices = table.column("price_ticks").to_numpy().copy()
    prices[7] += 1
    edited = table.set_column(
        table.column_names.index("price_ticks"), "price_ticks", pa.array(prices)
    )
    pq.write_table(edited.replace_schema_metadata(table.schema.metadata), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"its metadata says .* damaged or edited"):
        read_tape(tmp_path / "a.parquet")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    write_tape(tmp_path / "a.parquet", a_tape())
    table = pq.read_table(tmp_path / "a.parquet")
    header = table.schema.metadata[METADATA_KEY].replace(b'"version":1', b'"version":9')
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: header}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="tape format 9, this program reads 1; ingest it again"):
        read_tape(tmp_path / "a.parquet")


def test_absent_tape_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such tape; write one with `pyorch ingest`"):
        read_tape(tmp_path / "a.parquet")


def test_rows_that_contradict_a_tape_are_refused() -> None:
    backwards = events_at(5, 4)
    with pytest.raises(DataError, match="runs backwards 1 times, first at row 1"):
        Tape(backwards, (PERPETUAL,), "t")
    unknown = events_at(1)
    unknown["instrument"] = 1
    with pytest.raises(DataError, match="instrument 1, the limit is 0"):
        Tape(unknown, (PERPETUAL,), "t")
    torn = events_at(1)
    torn["flags"] = Flag.FIRST
    with pytest.raises(DataError, match="cut short"):
        Tape(torn, (PERPETUAL,), "t")


def test_silence_becomes_timer_ticks() -> None:
    tape = Tape(events_at(0, 10, 110, 211, 450), (PERPETUAL,), "t")
    ticked = insert_timer_ticks(tape, 100)
    assert ticked.events["local_ns"].tolist() == [0, 10, 110, 210, 211, 311, 411, 450]
    timers = ticked.events[ticked.events["kind"] == Kind.TIMER]
    assert timers["local_ns"].tolist() == [210, 311, 411]
    assert set(timers["side"].tolist()) == {int(Side.NONE)}
    assert ticked.counts["timer_ticks"] == 3
    np.testing.assert_array_equal(insert_timer_ticks(ticked, 100).events, ticked.events)


def test_timer_period_must_be_positive() -> None:
    with pytest.raises(UsageError, match="a timer period of 0 ns"):
        insert_timer_ticks(a_tape(), 0)
