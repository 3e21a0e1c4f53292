"""A feed in a process of its own, writing into a ring: parsing never shares an interpreter with a tick.

Beside the ring lies its status, a small JSON file that is written anew every second: what an exporter of
metrics or a person reads without touching the feed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path

import msgspec

from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.market.feeds.dialect import Dialect
from pyorch.market.feeds.feed_actions import FeedSettings
from pyorch.market.feeds.live import Feed
from pyorch.market.feeds.live_binance import BinanceDialect
from pyorch.market.feeds.live_bitcom import BitComDialect
from pyorch.market.feeds.live_delta import DeltaDialect
from pyorch.market.feeds.live_deribit import DeribitDialect
from pyorch.market.feeds.ring import DEFAULT_CAPACITY, FeedRing
from pyorch.market.feeds.transport import Transport

VENUES = (
    "binance-spot",
    "binance-usdm",
    "binance-coinm",
    "deribit",
    "bit.com",
    "bit.com-spot",
    "delta",
)
MOST_INSTRUMENTS = 256
WISHES_PERIOD_S = 0.1
"""How often the wishes of readers are looked at."""
STATUS_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What a feed process does.

    Attributes:
        venue: one of `VENUES`.
        instruments: what to subscribe to.
        ring: path of the ring.
        url: of the websocket; empty: the venue's.
        rest: address before the paths of snapshots; empty: the venue's.
        interval: of Deribit's books and tickers.
        settings: times and limits.
        capacity: rows of the ring.
        seed: of the back-off.
    """

    venue: str
    instruments: tuple[Instrument, ...]
    ring: Path
    url: str = ""
    rest: str = ""
    interval: str = "100ms"
    settings: FeedSettings = FeedSettings()
    capacity: int = DEFAULT_CAPACITY
    seed: int = 0


class StreamStatus(msgspec.Struct, frozen=True):
    """One stream of an instrument: messages so far, time since the last one, its delay above the least."""

    instrument: str
    stream: str
    messages: int
    age_ns: int
    delay_ns: int


class FeedStatus(msgspec.Struct, frozen=True):
    """What a feed's status file says.

    Attributes:
        state: of the connection.
        counts: see `pyorch.market.feeds.feed_actions.COUNTS`.
    """

    venue: str
    process: int
    local_ns: int
    state: str
    sound_books: int
    counts: dict[str, int]
    last_error: str
    streams: list[StreamStatus]


def dialect_of(plan: FeedPlan) -> Dialect:
    """The venue's dialect.

    Raises:
        UsageError: there is no such venue, or no instrument, or too many.
    """
    if not 1 <= len(plan.instruments) <= MOST_INSTRUMENTS:
        raise UsageError(
            f"{len(plan.instruments)} instruments for one feed; it takes 1 to {MOST_INSTRUMENTS}: start "
            "several feeds"
        )
    where = {"url": plan.url} if plan.url else {}
    if plan.venue.startswith("binance-"):
        return BinanceDialect(plan.instruments, url=plan.url, rest=plan.rest)
    if plan.venue == "deribit":
        return DeribitDialect(plan.instruments, interval=plan.interval, **where)
    if plan.venue in ("bit.com", "bit.com-spot"):
        return BitComDialect(plan.instruments, pairs=plan.venue == "bit.com-spot", **where)
    if plan.venue == "delta":
        return DeltaDialect(plan.instruments, **where)
    raise UsageError(f"no venue is called {plan.venue!r}; there are {', '.join(VENUES)}")


def run_feed(
    plan: FeedPlan, seconds: float | None = None, *, stop_on: tuple[int, ...] = ()
) -> Feed:
    """Feed a ring until SIGTERM, SIGINT, or for so many seconds; the feed as it stood then.

    Args:
        stop_on: file descriptors; it ends as well when one of them can be read.

    Raises:
        UsageError: the plan cannot be carried out, or the ring cannot be written.
        EnvironmentMissingError: the package ``websockets`` is missing.
    """
    feed = Feed(dialect_of(plan), plan.settings, plan.seed)
    ring = FeedRing(plan.ring, plan.venue, plan.instruments, plan.capacity)
    transport = Transport(feed, ring.write)

    async def serve_readers() -> None:
        served = ring.wanted
        while True:
            await asyncio.sleep(WISHES_PERIOD_S)
            if (wanted := ring.wanted) != served:
                served = wanted
                ring.write(feed.snapshots(time.time_ns()))

    async def tell() -> None:
        while True:
            write_status(plan.ring, feed)
            await asyncio.sleep(STATUS_PERIOD_S)

    async def whole() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        for descriptor in stop_on:
            loop.add_reader(descriptor, stop.set)
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        beside = [asyncio.ensure_future(work()) for work in (serve_readers, tell)]
        running = asyncio.ensure_future(transport.run(stop))
        try:
            await asyncio.wait([running, *beside], return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            await running
        finally:
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
            write_status(plan.ring, feed)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    asyncio.run(whole())
    return feed


def feed_process(plan: FeedPlan) -> None:
    """`run_feed` as the target of a process; it ends with the process that started it."""
    parent = parent_process()
    run_feed(plan, stop_on=(parent.sentinel,) if parent is not None else ())


def status_path(ring: Path) -> Path:
    """Where a ring's status lies."""
    return ring.with_name(ring.name + ".status.json")


def write_status(ring: Path, feed: Feed, clock: Callable[[], int] = time.time_ns) -> None:
    """Write how a feed stands beside its ring."""
    now_ns, instruments = clock(), feed.dialect.instruments
    streams = []
    for (index, name), age_ns in feed.streams.ages_ns(now_ns).items():
        one = feed.streams[index, name]
        streams.append(
            StreamStatus(instruments[index].symbol, name, one.messages, age_ns, one.delay_ns)
        )
    sound = sum(feed.synchronised(index) for index in range(len(instruments)))
    status = FeedStatus(
        feed.dialect.venue, os.getpid(), now_ns, feed.state.value, sound, dict(feed.counts),
        feed.last_error, streams,
    )  # fmt: skip
    write_atomically(status_path(ring), msgspec.json.encode(status))


def read_status(ring: Path) -> FeedStatus:
    """What the status beside a ring says.

    Raises:
        UsageError: there is none.
    """
    path = status_path(ring)
    try:
        return msgspec.json.decode(path.read_bytes(), type=FeedStatus)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path} is no status of a feed ({error}); start one with `pyorch feed`"
        ) from error
