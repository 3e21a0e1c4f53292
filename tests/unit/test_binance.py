"""Recorded Binance streams become a tape by the venue's rules, and what is damaged is named."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.contract.errors import DataError, PyorchError, SequenceGapError, UsageError
from pyorch.contract.events import Kind, Side, event_words
from pyorch.market.commands import ingest
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.feeds.grid import Grid
from pyorch.market.validate import validate

START_NS = 1_723_161_256_000_000_000

Line = tuple[int, object]


def depth(u: int, pu: int, bids: Sequence[object] = (), asks: Sequence[object] = ()) -> object:
    data = {"e": "depthUpdate", "E": 1723161257440, "T": 1723161257432, "s": "BTCUSD_PERP"}
    data |= {"ps": "BTCUSD", "U": pu + 5, "u": u, "pu": pu, "b": list(bids), "a": list(asks)}
    return {"stream": "btcusd_perp@depth@0ms", "data": data}


def spot_depth(
    first: int, last: int, bids: Sequence[object], asks: Sequence[object] = ()
) -> object:
    data = {"e": "depthUpdate", "E": 1723161255208, "s": "BTCUSDT", "U": first, "u": last}
    return {"stream": "btcusdt@depth@100ms", "data": data | {"b": list(bids), "a": list(asks)}}


def best(u: int, bid: str, ask: str, bid_lots: str = "5", ask_lots: str = "7") -> object:
    data = {"e": "bookTicker", "u": u, "s": "BTCUSD_PERP", "b": bid, "B": bid_lots, "a": ask}
    data |= {"A": ask_lots, "T": 1723161257465, "E": 1723161257476}
    return {"stream": "btcusd_perp@bookTicker", "data": data}


def trade(identity: int, price: str, buyer_rests: bool, what: str = "MARKET") -> object:
    data = {"e": "trade", "E": 1, "T": 1723161257679, "s": "BTCUSD_PERP", "t": identity}
    data |= {"p": price, "q": "4", "X": what, "m": buyer_rests}
    return {"stream": "btcusd_perp@trade", "data": data}


def snapshot(last: int) -> object:
    levels = {"bids": [["100.0", "5"], ["99.9", "3"]], "asks": [["100.1", "7"], ["100.4", "2"]]}
    return {"lastUpdateId": last, "E": 1723161257835, "T": 1723161257823, **levels}


def write(path: Path, messages: Sequence[object], start_ns: int = START_NS) -> Path:
    lines = [f"{start_ns + k * 1_000_000} {json.dumps(one)}\n" for k, one in enumerate(messages)]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


MESSAGES = [
    depth(110, 90, bids=[["98.0", "1"]]),
    best(112, "100.0", "100.1"),
    depth(120, 110, bids=[["97.0", "1"]]),
    depth(130, 120, bids=[["96.0", "1"]]),
    snapshot(125),
    trade(1, "100.1", False),
    depth(140, 130, asks=[["100.1", "0"]]),
    best(140, "100.0", "100.4", ask_lots="2"),
    trade(2, "100.0", True),
    depth(150, 140),
]


def test_diffs_around_the_snapshot_follow_the_venues_rule(tmp_path: Path) -> None:
    tape = read_recordings([write(tmp_path / "a.gz", MESSAGES)])
    assert tape.instruments[0].venue == "binance-coinm"
    assert tape.instruments[0].contract_usd == 100
    assert tape.counts["contained"] == 2  # up to 110 and up to 120: inside the snapshot at 125
    assert tape.counts["waited"] == 1  # up to 130 came before the snapshot and continues it
    events = tape.events
    kinds = [Kind(kind).name for kind in events["kind"]]
    assert kinds[:8] == ["BEST"] * 2 + ["SNAPSHOT"] * 4 + ["DEPTH", "TRADE"]
    waited = events[6]
    assert waited["price_ticks"] == 960
    assert waited["local_ns"] == START_NS + 4_000_000  # not before the snapshot made it usable
    assert events["flags"].tolist() == [2, 1, 2, 0, 0, 1, 3, 3, 3, 2, 1, 3, 3]
    assert [Side(side).name for side in events["side"][[7, 11]]] == ["BID", "ASK"]
    assert events[-1]["side"] == Side.NONE  # a diff without levels still carries the sequence on
    found = validate(tape)
    assert (found.comparable, found.agreeing, found.crosses, found.gaps) == (1, 1, 0, 0)
    assert validate(tape, use_twin=True) == found


def test_times_in_microseconds_are_told_by_their_magnitude(tmp_path: Path) -> None:
    lines = [f"{START_NS // 1000 + k} {json.dumps(one)}\n" for k, one in enumerate(MESSAGES)]
    (tmp_path / "a.txt").write_text("".join(lines))
    events = read_recordings([tmp_path / "a.txt"]).events
    assert events["local_ns"][0] == START_NS + 1_000
    assert events["exchange_ns"][0] == 1723161257465_000_000


def test_gap_voids_the_book_until_the_next_snapshot(tmp_path: Path) -> None:
    messages = [
        depth(130, 120),
        snapshot(125),
        depth(140, 130),
        depth(160, 150, bids=[["100.0", "9"]]),
        depth(170, 160, bids=[["100.0", "8"]]),
        snapshot(90),
        snapshot(165),
        depth(180, 170, bids=[["100.0", "6"]]),
    ]
    tape = read_recordings([write(tmp_path / "a.gz", messages)])
    assert (tape.counts["gaps"], tape.counts["snapshots"], tape.counts["waited"]) == (1, 2, 2)
    kinds = tape.events["kind"].tolist()
    assert kinds.count(Kind.RESET) == 1
    from pyorch import _native

    book = _native.Book()
    trace = book.trace(event_words(tape.events))
    void = kinds.index(Kind.RESET)
    assert trace[void].tolist() == [0, 0, 0, 0, 0, -1]
    assert trace[-1].tolist() == [1000, 6, 1001, 7, 1, 180]
    wanted = (
        r"line 4: the diff covers update ids 155 to 160 after 150, the book stands at 140: messages"
    )
    with pytest.raises(SequenceGapError, match=wanted):
        read_recordings([tmp_path / "a.gz"], refuse_gaps=True)
    assert book.counts["gaps"] == 0  # the reader marked the gap; the book meets no other


def test_snapshot_older_than_the_diffs_is_not_used(tmp_path: Path) -> None:
    messages = [depth(140, 130), snapshot(100), snapshot(135), depth(150, 140)]
    tape = read_recordings([write(tmp_path / "a.gz", messages)])
    assert (tape.counts["snapshots_too_old"], tape.counts["snapshots"]) == (1, 1)


def test_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    messages = [*MESSAGES, depth(140, 130), trade(2, "100.0", True), trade(3, "1.0", True, "NA")]
    tape = read_recordings([write(tmp_path / "a.gz", messages)])
    counts = tape.counts
    assert (counts["duplicates"], counts["duplicate_trades"], counts["other_trades"]) == (1, 1, 1)
    assert (tape.events["kind"] == Kind.TRADE).sum() == 2


def test_spot_chains_by_first_and_last_id(tmp_path: Path) -> None:
    messages = [
        spot_depth(90, 99, [["1.00", "1"]]),
        spot_depth(100, 110, [["99.99000000", "0.00000001"]]),
        {"lastUpdateId": 105, "bids": [["100.00000000", "1.5"]], "asks": [["100.01000000", "2"]]},
        spot_depth(111, 120, []),
        spot_depth(122, 130, []),
    ]
    tape = read_recordings([write(tmp_path / "a.gz", messages)])
    assert tape.instruments[0].venue == "binance-spot"
    assert (tape.counts["contained"], tape.counts["waited"], tape.counts["gaps"]) == (1, 1, 1)
    snapshot_row = tape.events[tape.events["kind"] == Kind.SNAPSHOT][0]
    assert (snapshot_row["price_ticks"], snapshot_row["quantity_lots"]) == (10_000, 150_000_000)
    assert snapshot_row["exchange_ns"] == -1


def test_local_time_that_runs_backwards_is_held_and_counted(tmp_path: Path) -> None:
    lines = [f"{START_NS - (k == 5)} {json.dumps(one)}\n" for k, one in enumerate(MESSAGES)]
    (tmp_path / "a.txt").write_text("".join(lines))
    tape = read_recordings([tmp_path / "a.txt"])
    assert tape.counts["out_of_order_local"] == 1
    assert np.diff(tape.events["local_ns"]).min() >= 0


def test_two_recordings_are_merged_by_local_time(tmp_path: Path) -> None:
    spot = [
        spot_depth(100, 110, [["99.99", "1"]]),
        {"lastUpdateId": 105, "bids": [["100.00", "1.5"]], "asks": [["100.01", "2"]]},
        spot_depth(111, 120, []),
    ]
    first, second = (
        write(tmp_path / "a.gz", MESSAGES),
        write(tmp_path / "b.gz", spot, START_NS + 500),
    )
    tape = read_recordings([first], [second])
    assert [one.venue for one in tape.instruments] == ["binance-coinm", "binance-spot"]
    assert set(tape.events["instrument"].tolist()) == {0, 1}
    assert tape.counts["second_waited"] == 1
    assert validate(tape, 1).book_messages == 3
    late = write(tmp_path / "c.gz", spot, START_NS + 3_600_000_000_000)
    with pytest.raises(DataError, match="do not overlap in local time: 3,600 s lie between them"):
        read_recordings([first], [late])


def test_grid_is_exact_and_refuses_the_rest() -> None:
    assert Grid("0.1")["61773.6"] == 617_736
    assert Grid("0.01")["61837.63000000"] == 6_183_763
    assert Grid("0.00000001")["92233720368.54775807"] == 2**63 - 1
    assert Grid("0.1").nearest("28147.25") == 281_473
    assert Grid("0.00000001")["-0.00002760"] == -2_760
    for text in ("0.05", "1e3", "", "nan", "1.", " 1"):
        with pytest.raises(ValueError, match=r"not a (multiple of 0\.1|decimal number)"):
            Grid("0.1")[text]


def damaged(lines: list[bytes], path: Path) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def test_garbled_line_is_named(tmp_path: Path) -> None:
    lines = gzip.decompress(write(tmp_path / "a.gz", MESSAGES).read_bytes()).splitlines(True)
    half = damaged([*lines[:6], lines[6][:80] + b"\n"], tmp_path / "half.gz")
    with pytest.raises(DataError, match=r"half\.gz: line 7: .*cut short or garbled"):
        read_recordings([half])
    no_time = damaged([lines[0], b'{"stream":"x"}\n'], tmp_path / "time.gz")
    with pytest.raises(DataError, match=r"time\.gz: line 2: begins .* a local time in digits"):
        read_recordings([no_time])
    field = damaged([lines[0], lines[1].replace(b'"u": 112', b'"u": "x"')], tmp_path / "field.gz")
    with pytest.raises(
        DataError, match=r"field\.gz: line 2: Expected `int`, got `str` - at `\$\.u`"
    ):
        read_recordings([field])
    grid = damaged([*lines[:4], lines[4].replace(b"99.9", b"99.95")], tmp_path / "grid.gz")
    with pytest.raises(DataError, match=r"grid\.gz: line 5: 99\.95 is not a multiple of 0\.1"):
        read_recordings([grid])


def test_truncated_gzip_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    many = [*MESSAGES, *(depth(150 + k, 149 + k, [["99.0", str(k)]]) for k in range(1, 3_000))]
    whole = write(tmp_path / "a.gz", many).read_bytes()
    for share in (0.99, 0.5, 0.1):
        (tmp_path / "cut.gz").write_bytes(whole[: int(len(whole) * share)])
        arguments = [str(tmp_path / "cut.gz"), "--out", str(tmp_path / "out" / "t.parquet")]
        result = CliRunner().invoke(ingest, arguments)
        assert isinstance(result.exception, DataError)
        assert "cut.gz: line " in str(result.exception)
        assert "cut short or damaged" in str(result.exception)
        assert not (tmp_path / "out").exists()


def test_any_damaged_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    """Only the project's own errors come out, whatever byte of a recording is hit."""
    whole = write(tmp_path / "a.gz", MESSAGES).read_bytes()
    expected = read_recordings([tmp_path / "a.gz"]).digest()
    refused = 0
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        hit = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        (tmp_path / "b.gz").write_bytes(hit)
        try:
            assert read_recordings([tmp_path / "b.gz"]).digest() == expected
        except PyorchError:
            refused += 1
    assert refused > 100


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    early = write(tmp_path / "early.gz", MESSAGES)
    late = write(tmp_path / "late.gz", [depth(160, 150)], START_NS + 10**10)
    assert read_recordings([early, late]).counts["depth_messages"] == 6
    with pytest.raises(
        DataError, match=r"early\.gz: begins 10\.000 s before the end of the file before"
    ):
        read_recordings([late, early])
    with pytest.raises(
        DataError, match=r"late\.gz: no depth snapshot .* the one with the snapshot first"
    ):
        read_recordings([late])
    spot = write(tmp_path / "spot.gz", [spot_depth(1, 2, [])], START_NS + 10**10)
    with pytest.raises(DataError, match="a recording is of one instrument"):
        read_recordings([early, spot])
    mixed = write(tmp_path / "mixed.gz", [*MESSAGES, spot_depth(1, 2, [])])
    with pytest.raises(
        DataError, match=r"line 11: a message of BTCUSDT in a recording of BTCUSD_PERP"
    ):
        read_recordings([mixed])
    with pytest.raises(DataError, match="holds no depth diff"):
        read_recordings([write(tmp_path / "t.gz", [trade(1, "1.0", True)])])
    with pytest.raises(DataError, match="no such recording"):
        read_recordings([tmp_path / "absent.gz"])
    with pytest.raises(UsageError, match="name at least one file"):
        read_recordings([])


def test_ingest_refuses_a_book_that_disagrees_with_the_venue(tmp_path: Path) -> None:
    wrong = write(tmp_path / "a.gz", [*MESSAGES[:7], best(140, "100.0", "100.3")])
    result = CliRunner().invoke(ingest, [str(wrong), "--out", str(tmp_path / "t.parquet")])
    assert isinstance(result.exception, DataError)
    assert "at 0 of 1 comparable points" in str(result.exception)
    assert not (tmp_path / "t.parquet").exists()


def test_ingest_prints_one_json_object(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", MESSAGES)
    arguments = [str(path), "--out", str(tmp_path / "t.parquet"), "--json"]
    result = CliRunner().invoke(ingest, arguments, catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert printed["figures"]["rows"] == 13
    assert printed["peers"]["BTCUSD_PERP of binance-coinm"]["agreement_percent"] == 100
    assert printed["ok"]
