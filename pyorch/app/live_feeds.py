"""Feeds of a live run: a process a venue, its ring, and the market that they make."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pyorch.app.desk_config import DeskConfig
from pyorch.app.live_place import LivePlace, await_begin, listed_options, surface_options
from pyorch.contract.errors import DeviceError
from pyorch.contract.events import Instrument, Kind
from pyorch.market.feeds.process import FeedPlan, status_path
from pyorch.market.feeds.record import FeedKeeper, open_ring
from pyorch.trading.live_market import LiveMarket, TickerOption, TickerSurface
from pyorch.trading.option_books import OptionBooks
from pyorch.trading.plan import NANO, QuotingPlan

ROWS = 1 << 22
"""Of a run's market; 256 MB."""
BEGINS_S = 60.0
"""For the first book to come."""
WATCH_S = 0.5


class LiveFeeds:
    """A live market and the processes that feed it.

    Attributes:
        place: as it is since the market has begun.
    """

    def __init__(self, market: LiveMarket, place: LivePlace, keepers: list[FeedKeeper]) -> None:
        self.market, self.place, self._keepers = market, place, keepers
        self._watched_s = 0.0

    def now_ns(self) -> int:
        """The market's time."""
        return time.time_ns() - self.place.shift_ns

    @property
    def starts(self) -> int:
        """How often a feed's process was begun."""
        return sum(keeper.starts for keeper in self._keepers)

    def watch(self) -> None:
        """Begin a process that has ended anew."""
        now_s = time.monotonic()
        if now_s - self._watched_s >= WATCH_S:
            self._watched_s = now_s
            _watch(self._keepers)


@contextmanager
def live_feeds(
    venues: Path, place: LivePlace, plan: QuotingPlan, config: DeskConfig, out: Path
) -> Iterator[LiveFeeds]:
    """Feeds at work, and their market with its first book.

    Raises:
        DeviceError: the market does not begin, or no book comes.
    """
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
    web = f"{place.host}:{place.binance}"
    plans = [
        _feed((place.underlying,), name, f"ws://{web}", f"http://{web}"),
        _feed(tuple(place.options), name, f"ws://{place.host}:{place.deribit}", ""),
    ]
    universe = plan.universe
    surface = TickerSurface(
        [
            TickerOption(one.strike_usd, plan.origin_ns + universe.expiries_s[one.expiry] * NANO)
            for one in (universe.options[number] for number in surface_options(plan))
        ]
    )
    books = OptionBooks(listed_options(plan, config), plan.codec)
    with ExitStack() as stack:
        for one in plans:
            stack.callback(status_path(one.ring).unlink, missing_ok=True)
            stack.callback(one.ring.unlink, missing_ok=True)
        keepers = [stack.enter_context(FeedKeeper(one)) for one in plans]
        readers = [
            open_ring(one.ring, keeper.process) for one, keeper in zip(plans, keepers, strict=True)
        ]
        place = await_begin(venues, lambda: _watch(keepers))
        market = LiveMarket(
            readers[0], readers[1], surface, books, place.opening.origin_ns, place.shift_ns, ROWS
        )
        feeds = LiveFeeds(market, place, keepers)
        until_s = time.monotonic() + BEGINS_S
        while not bool((market.events["kind"][: market.filled] == Kind.SNAPSHOT).any()):
            market.gather(feeds.now_ns())
            feeds.watch()  # one that met a ring whose writer was just dying is begun again
            if time.monotonic() > until_s:
                raise DeviceError(
                    f"no book of {place.underlying.symbol} in {BEGINS_S:.0f} s; `pyorch feed` tells what the "
                    "venue answers"
                )
            time.sleep(0.005)
        yield feeds


def _watch(keepers: list[FeedKeeper]) -> None:
    for keeper in keepers:
        keeper.watch()


def _feed(instruments: tuple[Instrument, ...], name: str, url: str, rest: str) -> FeedPlan:
    venue = instruments[0].venue
    return FeedPlan(venue, instruments, Path(f"/dev/shm/pyorch-{name}-{venue}"), url, rest)
