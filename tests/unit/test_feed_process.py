"""A feed in a process of its own: its ring, its status, recording, and what ends it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch import _native
from pyorch.contract.errors import DataError, DeviceError, UsageError
from pyorch.contract.events import EventArray, Instrument, Kind, Side, event_words
from pyorch.market.book import Book
from pyorch.market.feeds.commands import feed_venue, record
from pyorch.market.feeds.feed_actions import FeedSettings
from pyorch.market.feeds.process import FeedPlan, dialect_of, read_status
from pyorch.market.feeds.record import FeedKeeper, feed_running, open_ring, record_feed
from pyorch.market.feeds.ring import FeedRingReader
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.server import ReplayServer, served
from sim.feeds.spoken import spoken
from sim.feeds.stand_in import StandIn

COINM = Instrument("BTCUSD_PERP", "binance-coinm", "0.1", "1", 100.0)
DERIBIT = Instrument("BTC-PERPETUAL", "deribit", "0.1", "1", 100.0)
MS = 1_000_000
QUICK = FeedSettings(
    silence_ns=400 * MS,
    snapshot_ns=300 * MS,
    calm_ns=50 * MS,
    settled_ns=50 * MS,
    least_wait_ns=10 * MS,
    most_wait_ns=100 * MS,
)
FAULTS = FaultRates(drop=0.02, duplicate=0.02, reorder=0.02, garbage=0.02, close=0.004)


@pytest.fixture(scope="module")
def market() -> Tape:
    return simulate(7, 20.0)


def replay(
    market: Tape, instrument: Instrument, rates: FaultRates, speed: float = 20.0
) -> ReplayServer:
    dialect = dialect_of(FeedPlan(instrument.venue, (instrument,), Path()))
    return ReplayServer(
        StandIn(dialect, spoken(market, 0, instrument)), Faults(rates, 4), speed=speed
    )


def plan_for(instrument: Instrument, ring: Path, port: int) -> FeedPlan:
    rest = f"http://127.0.0.1:{port}" if instrument.venue.startswith("binance") else ""
    return FeedPlan(
        instrument.venue, (instrument,), ring, f"ws://127.0.0.1:{port}", rest, settings=QUICK
    )


def until(seconds: float = 60.0) -> Iterator[None]:
    """Turns of a wait, a moment apart; it fails after so many seconds."""
    ends = time.monotonic() + seconds
    while True:
        yield
        assert time.monotonic() < ends, f"waited {seconds:.0f} s"
        time.sleep(0.002)


def levels_of(events: EventArray) -> tuple[tuple[tuple[int, int], ...], ...]:
    book = Book()
    book.apply_all(events, 0)
    assert book.valid
    return tuple(tuple(book.levels(side, 10**6)) for side in (Side.BID, Side.ASK))


@pytest.mark.parametrize("instrument", [COINM, DERIBIT], ids=["binance", "deribit"])
def test_a_feeds_process_rides_out_faults_and_is_killed_and_followed(
    instrument: Instrument, market: Tape, tmp_path: Path
) -> None:
    ring = tmp_path / "ring"
    with served(partial(replay, market, instrument, FAULTS, 8.0)) as server:
        plan = plan_for(instrument, ring, server.port)
        with feed_running(plan) as process:
            reader = open_ring(ring, process)
            taken: list[EventArray] = []
            for _ in until():
                taken.append(reader.read())
                if sum(map(len, taken)) >= 2_000:
                    break
            process.kill()
            process.join()
        with feed_running(plan) as process:
            for _ in until():
                taken.append(reader.read())
                if server.finished.is_set():
                    break
            connections = server.connections  # before: the feed may be back at once
            server.heal()
            server.break_connection()
            truth, book = server.stand_in.truths[0], _native.Book()
            book.apply_all(event_words(np.concatenate(taken)), 0)
            for _ in until():
                taken.append(reader.read())
                book.apply_all(event_words(taken[-1]), 0)
                assert process.is_alive()
                back = server.connections > connections and book.valid
                if back and book.sequence == truth.sequence:
                    break
        events = np.concatenate(taken)
        assert levels_of(events) == truth.book()
        assert reader.lost == 0 and reader.writers == 2
        status = read_status(ring)
        assert status.venue == instrument.venue and status.counts["connections"] >= 1
        # A second reader begins in the middle: it is given a snapshot.
        assert (events["kind"] == Kind.RESET).any() and (events["kind"] == Kind.SNAPSHOT).any()


def test_recording_gives_the_rows_that_the_venue_sent(market: Tape, tmp_path: Path) -> None:
    with served(partial(replay, market, COINM, FaultRates())) as server:
        port = server.port
        words = ["binance-coinm", "BTCUSD_PERP", "--url", f"ws://127.0.0.1:{port}"]
        words += ["--rest", f"http://127.0.0.1:{port}", "--seconds", "2.0"]
        out = tmp_path / "tape.parquet"
        found = CliRunner().invoke(record, [*words, "--out", str(out)], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        truth = server.stand_in.truths[0]
        tape = read_tape(out)
        assert server.finished.is_set() and levels_of(tape.events) == truth.book()
    events = tape.events
    assert tape.instruments == (COINM,) and (np.diff(events["local_ns"]) >= 0).all()
    assert tape.counts["lost_rows"] == 0 and tape.counts["trade_messages"] > 20
    assert not list(Path("/dev/shm").glob(f"pyorch-record-{os.getpid()}*"))
    ours, theirs = (e[e["kind"] == Kind.TRADE] for e in (events, market.events))
    assert ours["price_ticks"].tolist() == theirs["price_ticks"][-len(ours) :].tolist()


def test_a_feed_ends_with_the_process_that_started_it(market: Tape, tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    with served(partial(replay, market, COINM, FaultRates(), 1.0)) as server:
        plan = plan_for(COINM, ring, server.port)
        pid = os.fork()
        if pid == 0:
            with feed_running(plan):
                time.sleep(600)
            os._exit(1)
        try:
            for _ in until():
                with suppress(DataError):  # the ring is not there yet, or just being made
                    if len(FeedRingReader(ring, oldest=True).read(3_000)) >= 2_500:
                        break
            feed_pid = read_status(ring).process
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for _ in until():  # the feed does not go on without its parent
            if not Path(f"/proc/{feed_pid}/stat").exists() or _state(feed_pid) == "Z":
                break
        status = read_status(ring)
        books = [one for one in status.streams if one.stream == "book"]
        assert [one.instrument for one in books] == ["BTCUSD_PERP"]
        assert books[0].messages > 0 and books[0].age_ns >= 0 and status.sound_books == 1


def test_a_feed_that_dies_is_begun_anew(tmp_path: Path) -> None:
    plan = FeedPlan("deribit", (DERIBIT,), tmp_path / "ring", "ws://127.0.0.1:9", settings=QUICK)
    with FeedKeeper(plan) as keeper:
        open_ring(plan.ring, keeper.process)
        keeper.watch()
        assert keeper.starts == 1
        first = keeper.process
        first.kill()
        first.join()
        keeper.watch()
        assert keeper.starts == 2 and keeper.process.is_alive() and not first.is_alive()
    assert not keeper.process.is_alive()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_what_cannot_be_fed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no venue is called 'nowhere'; there are binance-spot"):
        dialect_of(FeedPlan("nowhere", (COINM,), tmp_path / "ring"))
    with pytest.raises(UsageError, match=r"257 instruments for one feed; it takes 1 to 256"):
        dialect_of(FeedPlan("deribit", (DERIBIT,) * 257, tmp_path / "ring"))
    with pytest.raises(UsageError, match=r"give --tick and --lot, or for Deribit --instruments"):
        CliRunner().invoke(feed_venue, ["deribit", "BTC-PERPETUAL"], catch_exceptions=False)
    listed = tmp_path / "instruments.json"
    listed.write_text('{"result": []}')
    words = ["deribit", "BTC-PERPETUAL", "--instruments", str(listed)]
    with pytest.raises(DataError, match=r"BTC-PERPETUAL: not among the 0 of"):
        CliRunner().invoke(feed_venue, words, catch_exceptions=False)
    with pytest.raises(UsageError, match=r"no status of a feed .*start one with `pyorch feed`"):
        read_status(tmp_path / "ring")


def test_recording_says_why_there_is_nothing(tmp_path: Path) -> None:
    nowhere = FeedPlan("deribit", (DERIBIT,), tmp_path / "ring", "ws://127.0.0.1:9", settings=QUICK)
    with pytest.raises(DataError, match=r"deribit: no market event was received"):
        record_feed(nowhere, 0.2, "deribit")
    assert list(tmp_path.iterdir()) == []
    impossible = FeedPlan("nowhere", (COINM,), tmp_path / "ring")
    with pytest.raises(DeviceError, match=r"feed's process \(exit code 1\) has not made its ring"):
        record_feed(impossible, 0.2, "nowhere")
