"""Recorded sessions through the live feeds: exact integers, sound books under faults, the session's own
behaviour."""

import gzip
import json
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.errors import DataError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind, Side
from pyorch.market.book import Book
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.feeds.feed_actions import COUNTS, Close, Connect, Send, SessionState, Step
from pyorch.market.feeds.grid import JsonGrid
from pyorch.market.feeds.live import Feed
from pyorch.market.feeds.live_deribit import DeribitDialect, instruments_of
from sim.feeds.catalogue import VENUES, recorded_venue
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.session import SimulatedSession
from sim.feeds.stand_in import StandIn

S = 1_000_000_000
OPTION = Instrument("BTC-27NOV26-90000-C", "deribit", "0.0001", "0.1")
ROUGH = FaultRates(
    drop=0.02, duplicate=0.03, reorder=0.02, garbage=0.02, stall=0.01, close=0.004, mute=0.002
)


class Watcher:
    """Rebuilds books from the events alone and compares them with the venue's at the same id."""

    def __init__(self, feed: Feed, stand_in: StandIn, every: int = 1) -> None:
        self.feed, self.stand_in, self.every = feed, stand_in, every
        self.books = [Book() for _ in feed.dialect.instruments]
        self.known: dict[tuple[int, int], object] = {}
        self.seen: dict[int, int] = {}
        self.changes = 0
        self.compared = self.steps = 0
        self.events: list[EventArray] = []
        advance = stand_in.advance

        def remember() -> list[bytes]:
            texts = advance()
            self.remember()
            return texts

        stand_in.advance = remember  # type: ignore[method-assign]
        self.remember()

    def remember(self) -> None:
        for index, truth in enumerate(self.stand_in.truths):
            if truth.known and truth.sequence != self.seen.get(index):
                self.seen[index] = truth.sequence
                self.changes += 1
                if self.changes % self.every == 0:
                    self.known[index, truth.sequence] = truth.book()

    def __call__(self, step: Step) -> None:
        self.events.append(step.events)
        self.steps += 1
        for row in step.events.tolist():
            self.books[row[10]].apply(row)
        for index in set(step.events["instrument"].tolist()):
            book = self.books[index]
            assert book.valid == self.feed.synchronised(index) == self.feed.book(index).valid
            if book.valid and (self.every == 1 or (index, book.sequence) in self.known):
                shown = tuple(tuple(book.levels(side, 10**6)) for side in (Side.BID, Side.ASK))
                assert shown == self.known[index, book.sequence], (index, book.sequence)
                self.compared += 1

    def counts(self, name: str) -> int:
        return sum(getattr(book.counts, name) for book in self.books)


def run(
    name: str,
    recordings: Path,
    rates: FaultRates,
    seed: int,
    most: int | None = None,
    every: int = 1,
) -> tuple[SimulatedSession, Watcher]:
    venue = recorded_venue(name, recordings, most)
    feed, stand_in = Feed(venue.dialect(), seed=seed), StandIn(venue.dialect(), venue.recorded)
    watcher = Watcher(feed, stand_in, every)
    session = SimulatedSession(feed, stand_in, Faults(rates, seed), watcher)
    session.run()
    session.faults = Faults(FaultRates(), 0)
    return session, watcher


@pytest.mark.tape
@pytest.mark.parametrize("name", VENUES)
def test_a_recorded_session_without_faults_is_heard_completely(name: str, recordings: Path) -> None:
    binance = name.startswith("binance")
    session, watcher = run(
        name, recordings, FaultRates(), 0, 1_500 if binance else None, 20 if binance else 1
    )
    counts = session.feed.counts
    print(name, {key: count for key, count in counts.items() if count})
    assert session.settled and watcher.compared > 10
    for trouble in (
        "gaps",
        "crosses",
        "spoilt",
        "garbled",
        "doubted",
        "lost_connections",
        "refused",
        "foreign",
    ):
        assert counts[trouble] == 0
    expected = {
        "deribit": (10, 36),
        "bit.com": (2, 714),
        "bit.com-spot": (9, 316),
        "delta": (309, 0),
    }
    if (
        name == "bit.com"
    ):  # the recorder connected twice: its second snapshot comes early, the diff up to it is stale
        assert counts["snapshots"] + counts["diffs"] + counts["stale"] >= 717
    elif name in expected:
        assert (counts["snapshots"], counts["diffs"]) == expected[name]
    events = np.concatenate(watcher.events)
    assert (np.diff(events["local_ns"]) >= 0).all()
    assert watcher.counts("gaps") == watcher.counts("stale") == 0


@pytest.mark.tape
@pytest.mark.parametrize("name", ["deribit", "bit.com", "bit.com-spot", "delta"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_under_faults_no_book_is_silently_wrong_and_all_come_back(
    name: str, seed: int, recordings: Path
) -> None:
    session, watcher = run(name, recordings, ROUGH, seed)
    assert session.settle()
    session.break_connection()
    assert session.settle()
    for index, truth in enumerate(session.stand_in.truths):
        if truth.known:
            book = session.feed.book(index)
            assert tuple(tuple(book.levels(side, 10**6)) for side in (0, 1)) == truth.book()
    assert watcher.compared > 20 and watcher.counts("gaps") == 0


@pytest.mark.tape
def test_binance_recovers_by_rest_under_faults(recordings: Path) -> None:
    session, watcher = run("binance-usdm", recordings, ROUGH, 5, 2_000, 20)
    assert session.settle() and session.feed.counts["resyncs"] > 3
    session.break_connection()
    assert session.settle()
    book, truth = session.feed.book(0), session.stand_in.truths[0]
    assert tuple(tuple(book.levels(side, 10**6)) for side in (0, 1)) == truth.book()
    assert watcher.compared > 20
    print(
        {key: count for key, count in session.feed.counts.items() if count}, session.faults.counts
    )


@pytest.mark.tape
def test_the_same_seed_gives_the_same_events(recordings: Path) -> None:
    first, second = (run("deribit", recordings, ROUGH, 9)[1] for _ in range(2))
    assert np.concatenate(first.events).tobytes() == np.concatenate(second.events).tobytes()


@pytest.mark.tape
def test_live_binance_rows_are_those_of_the_reader_of_recordings(
    recordings: Path, tmp_path: Path
) -> None:
    begin = tmp_path / "begin.gz"
    with gzip.open(recordings / "binance" / "usdm_btcusdt_20240808.gz") as lines:
        begin.write_bytes(gzip.compress(b"".join(islice(lines, 1_000))))
    _, watcher = run("binance-usdm", recordings, FaultRates(), 0, 1_000, 1_000)
    live, tape = np.concatenate(watcher.events), read_recordings([begin]).events
    for kind in (Kind.DEPTH, Kind.TRADE, Kind.BEST):
        ours, whole = live[live["kind"] == kind], tape[tape["kind"] == kind]
        theirs = whole[len(whole) - len(ours) :]
        assert len(ours) > 100
        for column in set(EVENT_DTYPE.names or ()) - {"local_ns"}:
            np.testing.assert_array_equal(ours[column], theirs[column])


def deribit() -> Feed:
    feed = Feed(DeribitDialect([OPTION]), seed=3)
    feed.start(0)
    feed.opened(S)
    return feed


def book_text(
    kind: str, change: int, before: int | None = None, bids: str = "[]", asks: str = "[]"
) -> bytes:
    previous = "" if before is None else f',"prev_change_id":{before}'
    head = f'"type":"{kind}","timestamp":1700000000000,"instrument_name":"{OPTION.symbol}"'
    body = f'{{{head},"change_id":{change}{previous},"bids":{bids},"asks":{asks}}}'
    return notification("book", body)


def notification(stream: str, data: str) -> bytes:
    params = f'{{"channel":"{stream}.{OPTION.symbol}.100ms","data":{data}}}'
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{params}}}'.encode()


SNAPSHOT = book_text("snapshot", 10, None, '[["new",1.0e-3,5.0]]', '[["new",0.0012,2.5]]')


def test_an_opened_connection_subscribes_and_asks_for_signs_of_life() -> None:
    feed = Feed(DeribitDialect([OPTION]))
    begin = feed.start(0)
    assert begin.events["kind"].tolist() == [Kind.RESET]
    assert begin.actions == [Connect("wss://www.deribit.com/ws/api/v2")]
    sent = [json.loads(one.text) for one in feed.opened(S).actions if isinstance(one, Send)]
    assert [one["method"] for one in sent] == ["public/set_heartbeat", "public/subscribe"]
    assert sent[1]["params"]["channels"] == [
        f"{kind}.{OPTION.symbol}.100ms" for kind in ("book", "trades", "ticker")
    ]


def test_numbers_with_exponents_are_exact_and_off_grid_ones_void_the_book() -> None:
    feed = deribit()
    rows = feed.received(2 * S, SNAPSHOT).events
    assert rows["price_ticks"].tolist() == [10, 12] and rows["quantity_lots"].tolist() == [50, 25]
    assert feed.synchronised(0) and rows["local_ns"].tolist() == [2 * S] * 2
    step = feed.received(3 * S, book_text("change", 11, 10, '[["change",0.00105,1.0]]'))
    assert step.events["kind"].tolist() == [Kind.RESET] and not feed.synchronised(0)
    assert feed.counts["spoilt"] == 1 and "0.00105 is not a multiple of 0.0001" in feed.last_error


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (book_text("change", 12, 11), "gaps"),
        (book_text("change", 11, 10, '[["new",0.0012,1.0]]'), "crosses"),
        (book_text("change", 11, 10, '[["delete",0.001,1.0]]'), "spoilt"),
        (book_text("change", 11, 10, '[["moved",0.001,1.0]]'), "spoilt"),
        (book_text("change", 11, 10, '[["new",0.0009,99999999999999999999]]'), "spoilt"),
        (book_text("change", 11, 10, '[["new",0.0009,-1.0]]'), "spoilt"),
        (book_text("change", -5, 10, '[["new",0.0009,1.0]]'), "spoilt"),
        (book_text("change", 11, None, '[["new",0.0009,1.0]]'), "spoilt"),
        (book_text("snapshot", 2**70, None), "spoilt"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_voids_the_book_and_a_new_subscription_mends_it(
    text: bytes, count: str
) -> None:
    feed = deribit()
    feed.received(2 * S, SNAPSHOT)
    step = feed.received(20 * S, text)
    assert feed.counts[count] == 1 and not feed.synchronised(0)
    assert step.events["kind"][-1] == Kind.RESET
    methods = [json.loads(one.text)["method"] for one in step.actions if isinstance(one, Send)]
    assert methods == ["public/unsubscribe", "public/subscribe"]
    rows = feed.received(
        21 * S, book_text("snapshot", 40, None, '[["new",0.001,5.0]]', "[]")
    ).events
    assert rows["kind"].tolist() == [Kind.SNAPSHOT] and feed.synchronised(0)


def test_a_snapshot_is_asked_for_at_once_if_the_last_one_held_for_a_second() -> None:
    feed = deribit()
    now, waits = 2 * S, []
    for number, held_ns in enumerate((S, S, S - 1, S // 2, S // 2, S), 1):
        feed.received(now, b'{"id":2,"result":["book"]}')
        feed.received(now, book_text("snapshot", 10 * number, None, '[["new",0.001,5.0]]'))
        now += held_ns
        step = feed.received(now, book_text("change", 10 * number + 2, 10 * number + 1))
        assert step.events["kind"].tolist() == [Kind.RESET]
        asked = now
        while not any(isinstance(one, Send) for one in step.actions):
            asked = feed.wake_ns
            step = feed.poll(asked)
        waits.append(asked - now)
        now = asked
    assert waits == [0, 0, S // 4, S // 2, S, 0]


def test_a_test_request_is_answered() -> None:
    heartbeat = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    (answer,) = deribit().received(2 * S, heartbeat).actions
    assert isinstance(answer, Send) and json.loads(answer.text)["method"] == "public/test"


def test_silence_is_probed_then_the_connection_is_given_up_and_opened_later() -> None:
    feed = deribit()
    feed.received(2 * S, b'{"id":2,"result":["book"]}')
    feed.received(2 * S, SNAPSHOT)
    assert feed.wake_ns == 17 * S
    (probe,) = feed.poll(17 * S).actions
    assert isinstance(probe, Send) and json.loads(probe.text)["method"] == "public/test"
    step = feed.poll(feed.wake_ns)
    assert step.actions == [Close("nothing was received, not even an answer to a probe")]
    assert step.events["kind"].tolist() == [Kind.RESET] and feed.state is SessionState.WAITING
    wait_ns = feed.wake_ns - 32 * S
    assert S // 8 <= wait_ns <= S // 4
    assert feed.poll(feed.wake_ns).actions == [Connect(feed.dialect.url)]


def test_waits_between_connections_double_up_to_half_a_minute() -> None:
    feed = Feed(DeribitDialect([OPTION]), seed=1)
    feed.start(0)
    now, waits = 0, []
    for _ in range(12):
        feed.closed(now, "refused")
        waits.append(feed.wake_ns - now)
        now = feed.wake_ns
        feed.poll(now)
    whole = [min(S // 4 << attempt, 30 * S) for attempt in range(12)]
    assert all(most // 2 <= wait <= most for wait, most in zip(waits, whole, strict=True))
    assert len(set(waits)) == 12


def test_a_book_whose_id_was_spoilt_upwards_is_doubted_and_comes_back() -> None:
    feed = deribit()
    feed.received(2 * S, SNAPSHOT)
    feed.received(3 * S, book_text("change", 9_000, 10))
    for change in range(11, 27):
        step = feed.received(20 * S + change, book_text("change", change, change - 1))
    assert feed.counts["doubted"] == 1 and step.events["kind"].tolist() == [Kind.RESET]


def test_garbled_texts_in_a_row_end_the_connection() -> None:
    feed = deribit()
    steps = [feed.received(2 * S, b"\xff{" * 9) for _ in range(8)]
    assert feed.counts["garbled"] == 8 and isinstance(steps[-1].actions[0], Close)
    assert "8 garbled texts in a row" in feed.last_error


def test_a_venue_that_refuses_is_left_alone_for_a_while() -> None:
    feed = deribit()
    step = feed.received(2 * S, b'{"id":2,"error":{"code":10009,"message":"not_enough"}}')
    assert isinstance(step.actions[0], Close) and "10009" in step.actions[0].why
    assert feed.counts["refused"] == 1


def test_the_ticker_becomes_best_mark_index_volatilities_and_greeks() -> None:
    data = (
        '{"timestamp":1700000000000,"instrument_name":"BTC-27NOV26-90000-C","best_bid_price":0.001,'
        '"best_bid_amount":3.5,"best_ask_price":0.0,"best_ask_amount":0.0,"mark_price":0.00125,"mark_iv":55.12,'
        '"bid_iv":50.0,"ask_iv":0.0,"index_price":90000.12,"underlying_price":90100.5,'
        '"greeks":{"delta":0.5,"gamma":1.0e-5,"vega":12.3,"theta":-4.5,"rho":0.25}}'
    )
    text = notification("ticker", data)
    feed = deribit()
    rows = feed.received(2 * S, text).events
    values = [tuple(row) for row in rows[["kind", "side", "price_ticks", "quantity_lots"]].tolist()]
    assert values == [
        (Kind.BEST, Side.BID, 10, 35),
        (Kind.BEST, Side.ASK, 0, 0),
        (Kind.MARK, Side.NONE, 13, 0),
        (Kind.INDEX, Side.NONE, 900_001_200, 901_005_000),
        (Kind.IMPLIED, Side.BID, 500_000, 100_000),
        (Kind.IMPLIED, Side.ASK, 0, 0),
        (Kind.IMPLIED, Side.NONE, 551_200, 125_000),
        (Kind.GREEKS, Side.NONE, 50_000_000, 1_000),
        (Kind.GREEKS, Side.NONE, 1_230_000_000, -450_000_000),
        (Kind.GREEKS, Side.NONE, 25_000_000, 0),
    ]
    assert (rows["flags"] & Flag.FIRST > 0).sum() == 5
    assert feed.streams[0, "ticker"].local_ns == 2 * S
    assert feed.streams.stale(9 * S, {"ticker": 5 * S}) == [(0, "ticker", 7 * S)]


def test_snapshots_for_a_late_reader_make_the_same_book() -> None:
    feed = deribit()
    feed.received(2 * S, SNAPSHOT)
    feed.received(3 * S, book_text("change", 11, 10, '[["change",0.001,7.0]]'))
    book = Book()
    book.apply_all(feed.snapshots(4 * S))
    assert book.levels(Side.BID, 9) == [(10, 70)] and book.sequence == 11 and book.valid


def test_grids_of_json_numbers_are_exact() -> None:
    grid = JsonGrid("0.0001")
    for text in ("1e-4", "1.5E-3", "2e3", "12.34e-2", "0.1", "0e5", "-1.0e-4", "120e0", "1.25e1"):
        assert grid[text] == Decimal(text) / Decimal("0.0001"), text
    for text in ("1e-5", "1.00001e-1", "e3", "1e", "1e400", "nan", "1.2.3e1", "١e1"):
        with pytest.raises(ValueError, match=r"is not a (multiple of 0\.0001|decimal number)"):
            grid[text]


@pytest.mark.tape
def test_deribits_instruments_are_read_with_their_smallest_tick(recordings: Path) -> None:
    line = (recordings / "ws_captures" / "DERIBIT.0").read_text().splitlines()[0]
    found = instruments_of(line[line.index("{") :].encode())
    by_name = {one.symbol: one for one in found}
    assert by_name["BTC-24SEP21-40000-P"] == Instrument(
        "BTC-24SEP21-40000-P", "deribit", "0.0005", "0.1"
    )
    assert by_name["BTC-PERPETUAL"] == Instrument("BTC-PERPETUAL", "deribit", "0.5", "10.0", 1.0)
    with pytest.raises(DataError, match="no answer to public/get_instruments"):
        instruments_of(b'{"result":[{"kind":"option"}]}')


def test_every_count_is_named() -> None:
    assert set(deribit().counts) == set(COUNTS)
