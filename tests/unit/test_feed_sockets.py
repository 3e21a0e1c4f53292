"""Feeds over real sockets on the loopback: a venue that replays recordings, with faults."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.events import EventArray, Side
from pyorch.market.book import Book
from pyorch.market.feeds.feed_actions import FeedSettings
from pyorch.market.feeds.live import Feed
from pyorch.market.feeds.transport import Transport
from sim.feeds.catalogue import recorded_venue
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.server import ReplayServer
from sim.feeds.stand_in import StandIn

pytestmark = pytest.mark.tape

MS = 1_000_000
QUICK = FeedSettings(
    silence_ns=300 * MS,
    snapshot_ns=300 * MS,
    calm_ns=50 * MS,
    settled_ns=50 * MS,
    least_wait_ns=10 * MS,
    most_wait_ns=100 * MS,
)
FAULTS = FaultRates(drop=0.02, duplicate=0.02, reorder=0.02, garbage=0.02, close=0.01, mute=0.004)


async def served(
    name: str, recordings: Path, rates: FaultRates, most: int | None
) -> tuple[Feed, StandIn, EventArray]:
    venue = recorded_venue(name, recordings, most)
    stand_in = StandIn(venue.dialect(), venue.recorded)
    events: list[EventArray] = []
    async with ReplayServer(stand_in, Faults(rates, 4), speed=200.0) as server:
        where = {"url": f"ws://127.0.0.1:{server.port}"}
        if stand_in.dialect.rest:
            where["rest"] = f"http://127.0.0.1:{server.port}"
        feed, stop = Feed(venue.dialect(**where), QUICK), asyncio.Event()
        running = asyncio.ensure_future(Transport(feed, events.append).run(stop))
        async with asyncio.timeout(60.0):
            await server.finished.wait()
            connections = server.connections
            server.heal()
            server.break_connection()
            while not (
                server.connections > connections
                and all(feed.synchronised(k) for k, one in enumerate(stand_in.truths) if one.known)
            ):
                await asyncio.sleep(0.02)
                assert not running.done()
        stop.set()
        await running
    return feed, stand_in, np.concatenate(events)


@pytest.mark.parametrize("name", ["deribit", "binance-usdm"])
def test_books_over_sockets_come_back_from_every_fault(name: str, recordings: Path) -> None:
    most = 1_200 if name.startswith("binance") else None
    feed, stand_in, events = asyncio.run(served(name, recordings, FAULTS, most))
    print(name, {key: count for key, count in feed.counts.items() if count})
    for index, truth in enumerate(stand_in.truths):
        if truth.known:
            book = Book()
            book.apply_all(events, index)
            assert book.valid and book.counts.gaps == 0
            assert (
                tuple(tuple(book.levels(side, 10**6)) for side in (Side.BID, Side.ASK))
                == truth.book()
            )
    assert feed.counts["connections"] > 1
