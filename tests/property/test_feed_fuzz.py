"""Mutated messages crash no feed and make no book silently wrong."""

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyorch.contract.events import Flag, Instrument, Kind, Side
from pyorch.market.book import Book
from pyorch.market.feeds.feed_actions import FeedSettings, Step
from pyorch.market.feeds.live import Feed
from sim.feeds.catalogue import RecordedVenue, recorded_venue
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.mutation import Mutator
from sim.feeds.recorded import Recorded
from sim.feeds.session import SimulatedSession
from sim.feeds.stand_in import StandIn

pytestmark = pytest.mark.tape

STAYS = FeedSettings(
    snapshot_attempts=10**9, garbled_limit=10**9, least_wait_ns=1, calm_ns=0, settled_ns=0
)
Level = tuple[int, Decimal, Decimal]


def independently(text: bytes) -> tuple[str, int, int, list[Level]] | None:
    """Symbol, kind, sequence and levels of a book message, by nothing but Python's own JSON and decimals."""
    one = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if "lastUpdateId" in one:  # Binance by HTTP
        return "", Kind.SNAPSHOT, whole(one["lastUpdateId"]), levels(one["bids"], one["asks"])
    if one.get("method") == "subscription":  # Deribit
        data = one["params"]["data"]
        kind = Kind.SNAPSHOT if data.get("type", "change") == "snapshot" else Kind.DEPTH
        sides = [
            [(p, 0 if action == "delete" else q) for action, p, q in data[s]]
            for s in ("bids", "asks")
        ]
        return data["instrument_name"], kind, whole(data["change_id"]), levels(*sides)
    if one.get("channel") == "depth":  # BIT.COM
        data = one["data"]
        symbol = data.get("pair") or data.get("instrument_id")
        if data["type"] == "snapshot":
            return (
                symbol,
                Kind.SNAPSHOT,
                whole(data["sequence"]),
                levels(data.get("bids", []), data.get("asks", [])),
            )
        changes = [
            (int(s == "sell"), Decimal(p), Decimal(q)) for s, p, q in data.get("changes", [])
        ]
        return symbol, Kind.DEPTH, whole(data["sequence"]), changes
    if one.get("type") == "l2_orderbook":  # Delta
        sides = [
            [(level["limit_price"], level["size"]) for level in one[s]] for s in ("buy", "sell")
        ]
        return one["symbol"], Kind.SNAPSHOT, whole(one["last_sequence_no"]), levels(*sides)
    if "depth" in str(one.get("stream")):  # Binance
        return (
            one["data"]["s"],
            Kind.DEPTH,
            whole(one["data"]["u"]),
            levels(one["data"]["b"], one["data"]["a"]),
        )
    return None


def whole(number: Any) -> int:
    """An integer; 1e999999999, which is one, would take the judge for ever."""
    found = Decimal(number)
    if found.adjusted() > 40:
        raise ValueError
    return int(found)


def levels(bids: Any, asks: Any) -> list[Level]:
    return [
        (side, Decimal(price), Decimal(quantity))
        for side, one in enumerate((bids, asks))
        for price, quantity in one
    ]


class Judge:
    """Each book message that is passed on was received, level by level; the books follow from them."""

    def __init__(self, instruments: tuple[Instrument, ...], feed: Feed) -> None:
        self.instruments, self.feed = instruments, feed
        self.books = [Book() for _ in instruments]
        self.received: dict[tuple[int, int], list[tuple[str, list[Level]]]] = defaultdict(list)
        self.passed = 0

    def heard(self, text: bytes) -> None:
        try:
            found = independently(text)
        except (
            ValueError,
            ArithmeticError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ):
            return  # not a message; if the feed takes it, __call__ finds nothing that it came from
        if found is not None:
            symbol, kind, sequence, of = found
            self.received[kind, sequence].append((symbol, of))

    def __call__(self, step: Step) -> None:
        events = step.events
        for row in events.tolist():
            self.books[row[10]].apply(row)
        begins = np.flatnonzero(events["flags"] & int(Flag.FIRST))
        for rows in np.split(events, begins[1:]) if len(begins) else []:
            if rows["kind"][0] not in (Kind.DEPTH, Kind.SNAPSHOT):
                continue
            one = self.instruments[rows["instrument"][0]]
            tick, lot = Decimal(one.tick_size), Decimal(one.lot_size)
            shown = [
                (int(row["side"]), int(row["price_ticks"]) * tick, int(row["quantity_lots"]) * lot)
                for row in rows
                if row["side"] != Side.NONE
            ]
            of = self.received[int(rows["kind"][0]), int(rows["sequence"][0])]
            assert any(symbol in ("", one.symbol) and shown == same for symbol, same in of), (
                one.symbol,
                rows,
            )
            self.passed += 1
        for index in set(events["instrument"].tolist()):
            book, native = self.books[index], self.feed.book(index)
            assert book.valid == native.valid == self.feed.synchronised(index)
            assert (
                book.sequence == native.sequence
                and book.best(Side.BID) == (native.levels(0, 1) or [(0, 0)])[0]
            )


def one_session(venue: RecordedVenue, mutator: Mutator, seed: int) -> dict[str, int]:
    """The whole recording with mutated messages between, then a new connection; what the feed counted."""
    feed, stand_in = Feed(venue.dialect(), STAYS), StandIn(venue.dialect(), venue.recorded)
    judge = Judge(feed.dialect.instruments, feed)
    hear, read, mutates = feed.received, feed.fetched, True

    def mutate(text: bytes) -> list[bytes]:
        mutants = [mutator.mutant(text) for _ in range(mutator.choose((0, 1, 2, 4)))]
        return mutants + [text] * mutator.choose((1, 1, 1, 0))

    def receive(now_ns: int, text: bytes) -> Step:
        judge.heard(text)
        if feed.counts["messages"] % 4:
            return hear(now_ns, text)
        steps: list[Step] = []
        mutator.watched(text, lambda: steps.append(hear(now_ns, text)))
        return steps[0]

    def fetched(now_ns: int, fetch: Any, body: bytes | None) -> Step:
        if body is not None:
            body = mutator.mutant(body) if mutates and mutator.choose((1, 0, 0)) else body
            judge.heard(body)
        return read(now_ns, fetch, body)

    feed.received, feed.fetched = receive, fetched  # type: ignore[method-assign]
    session = SimulatedSession(feed, stand_in, Faults(FaultRates(drop=0.01), seed), judge, mutate)
    session.run()
    mutates, session.faults = False, Faults(FaultRates(), 0)
    session.break_connection()
    assert session.settle()
    for index, truth in enumerate(stand_in.truths):
        if truth.known:
            book = judge.books[index]
            assert (
                tuple(tuple(book.levels(side, 10**6)) for side in (Side.BID, Side.ASK))
                == truth.book()
            )
    return feed.counts | {"passed": judge.passed}


def fuzz(venue: RecordedVenue, mutants: int, seed: int) -> dict[str, int]:
    """Sessions until so many messages were received; what the feeds counted."""
    mutator, total = Mutator(seed), defaultdict[str, int](int)
    while total["messages"] < mutants:
        for name, count in one_session(venue, mutator, seed + total["connections"]).items():
            total[name] += count
    print(f"{len(mutator.reached):,} line pairs, {len(mutator.corpus)} texts kept", dict(total))
    return total


def shortened(venue: RecordedVenue) -> RecordedVenue:
    """The same with the snapshot's best 20 levels a side, which is much quicker."""
    recorded = []
    for one in venue.recorded:
        if b'"lastUpdateId"' in one.text[:40]:
            whole = json.loads(one.text)
            short = whole | {"bids": whole["bids"][:20], "asks": whole["asks"][:20]}
            one = Recorded(one.local_ns, json.dumps(short).encode())
        recorded.append(one)
    return RecordedVenue(recorded, venue.dialect)


EVERY_TIME = ("deribit", "bit.com", "delta", "binance-usdm")
IN_FULL = (*EVERY_TIME, "bit.com-spot", "binance-spot", "binance-coinm")


@pytest.mark.parametrize(
    ("name", "mutants"),
    [(name, 10_000) for name in EVERY_TIME]
    + [
        pytest.param(name, 1_000_000, marks=[pytest.mark.full, pytest.mark.slow])
        for name in IN_FULL
    ],
)
def test_mutated_messages_crash_nothing_and_no_book_is_silently_wrong(
    name: str, mutants: int, recordings: Path
) -> None:
    venue = recorded_venue(name, recordings, 400 if name.startswith("binance") else None)
    counts = fuzz(shortened(venue), mutants, 1)
    for met in ("garbled", "spoilt", "resyncs", "passed"):
        assert counts[met] > 50, met
