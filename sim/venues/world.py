"""All that a desk has outside of it, in one process: feeds, FIX sessions, JSON-RPC of a market played again.

Binance's websocket speaks the market's order book, Deribit's the books of some options and the tickers that
a surface is made of; the exchange's venues take orders over FIX 4.4 in Deribit's dialect, requests for quotes
come over a session of their own, JSON-RPC is the second route. The market waits until both feeds are listened
to, then goes on whether a desk is there or not, so that one may be killed and begun anew.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pyorch.app.desk_config import DeskConfig
from pyorch.app.desk_run import market_of, plan_of
from pyorch.app.live_place import (
    SECRETS,
    LivePlace,
    listed_options,
    live_place_path,
    surface_options,
    venues_lock,
)
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.contract.exclusive import exclusively, is_held
from pyorch.market.feeds.process import FeedPlan, dialect_of
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.request_speech import ASKED, REQUESTS
from pyorch.trading.fix.dialects import deribit
from pyorch.trading.plan import NANO, Opening
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.server import ReplayServer
from sim.feeds.spoken import SpokenBook, SpokenOption, spoken, spoken_surface
from sim.feeds.stand_in import StandIn
from sim.venues.clock import MarketClock
from sim.venues.fix_end import AskersEnd, FarEnd, VenueEnd
from sim.venues.rpc import RpcStandIn, rpc_served

STEP_S = 0.001
STATUS_S = 0.5
BOOKS_NS = 100_000_000
"""Between two looks at the options' books: Deribit's ``100ms`` channels."""
LINGERS_NS = 30 * NANO
"""After the market's last row, for whoever compares what was booked."""
HOST = "127.0.0.1"


class World:
    """The venues of a desk's configuration.

    Args:
        beside: folder that the configuration's paths start from; folder: where `LivePlace` is written.
        rates: faults of both feeds.
        ends: it ends by itself a while after the market's last row.
    """

    def __init__(
        self,
        config: DeskConfig,
        beside: Path,
        bundle: Bundle,
        folder: Path,
        rates: FaultRates,
        seed: int,
        ends: bool = False,
    ) -> None:
        self.folder, self._ends = folder, ends
        self._tape = market_of(config, beside)
        self._opening = Opening.of(self._tape)
        self.last_ns = int(self._tape.events["local_ns"][-1])
        _, self._plan = plan_of(config, beside, bundle, self._opening, "model")
        self.exchange = Exchange(config.exchange, self._plan, self._tape)
        self._rates, self._seed = rates, seed
        options, codec = self._plan.universe.options, self._plan.codec
        self._underlying = self._tape.instruments[0]
        if not self._underlying.venue.startswith("binance-"):
            self._underlying = Instrument("BTCUSD_PERP", "binance-coinm", "0.1", "1", 100.0)
        self._listed = listed_options(self._plan, config)
        sizes = codec.price.text(1).decode(), codec.size.text(1).decode()
        self._called = [
            Instrument(options[number].symbol, "deribit", *sizes) for number in self._listed
        ]
        of_surface = [options[number] for number in surface_options(self._plan)]
        expiry_ns = self._opening.origin_ns
        expiry_ns += self._plan.universe.expiries_s[of_surface[0].expiry] * NANO
        self._texts = {
            "binance": spoken(self._tape, 0, self._underlying),
            "deribit": spoken_surface(
                self._tape, [SpokenOption(one.symbol, one.strike_usd) for one in of_surface],
                expiry_ns, self._plan.surface_ppm[2][0] / 1e6,
            ),
        }  # fmt: skip
        self._books = [SpokenBook(one) for one in self._called]
        self._spoken_ns = 0
        self.clock = MarketClock(self._opening.origin_ns)
        self.ends = [
            VenueEnd(
                number, self.exchange, self._plan.codec_of(number), deribit(*SECRETS),
                self.clock.now_ns,
            )
            for number in range(len(self.exchange.venues))
        ]  # fmt: skip
        self.askers = AskersEnd(self.exchange, replace(codec, target=REQUESTS), self.clock.now_ns)

    async def run(self, stop: asyncio.Event, on_ready: Callable[[LivePlace], None]) -> None:
        """Until ``stop`` is set, or the end has passed.

        Raises:
            UsageError: others are served in the folder.
        """
        lock = venues_lock(self.folder)
        if is_held(lock):
            raise UsageError(
                f"venues are served in {self.folder} already; end them, or give another folder"
            )
        rpc = RpcStandIn(self.exchange, self._plan, SECRETS[:2], self.clock.now_ns)
        with exclusively(lock), rpc_served(rpc) as rpc_port:
            async with AsyncExitStack() as stack:
                binance = await stack.enter_async_context(
                    self._server("binance", [self._underlying])
                )
                options = await stack.enter_async_context(self._server("deribit", self._called))
                every: list[FarEnd] = [*self.ends, self.askers]
                working = [asyncio.ensure_future(end.acceptor.serve(HOST, 0)) for end in every]
                try:
                    while not all(end.acceptor.port for end in every):
                        await asyncio.sleep(STEP_S)
                    place = LivePlace(
                        market=secrets.token_hex(8), process=os.getpid(), begun=False, shift_ns=0,
                        last_ns=self.last_ns, opening=self._opening, host=HOST, binance=binance.port,
                        deribit=options.port, rpc=rpc_port,
                        fix=[end.acceptor.port for end in self.ends],
                        requests=self.askers.acceptor.port, underlying=self._underlying,
                        options=self._called,
                    )  # fmt: skip
                    self.tell()
                    self._say_where(place)
                    on_ready(place)
                    working.append(asyncio.ensure_future(self._begun((binance, options), place)))
                    await self._moved(options, stop)
                finally:
                    for task in working:
                        task.cancel()
                    await asyncio.gather(*working, return_exceptions=True)

    def _server(self, name: str, instruments: list[Instrument]) -> ReplayServer:
        plan = FeedPlan(instruments[0].venue, tuple(instruments), Path())
        stand_in = StandIn(dialect_of(plan), self._texts[name])
        faults = Faults(self._rates, self._seed)
        return ReplayServer(stand_in, faults, now_ns=self.clock.now_ns)

    def _say_where(self, place: LivePlace) -> None:
        write_atomically(live_place_path(self.folder), msgspec.json.encode(place))

    async def _begun(self, feeds: tuple[ReplayServer, ...], place: LivePlace) -> None:
        """The market begins when all of it is listened to."""
        for feed in feeds:
            await feed.subscribed.wait()
        self.clock.begin()
        self._say_where(msgspec.structs.replace(place, begun=True, shift_ns=self.clock.shift_ns))

    async def _moved(self, options: ReplayServer, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        told_s = 0.0
        while not stop.is_set():
            for end in self.ends:
                end.watch()
            now_ns = self.clock.now_ns()
            rows = self.exchange.advance(now_ns)
            for at in range(len(rows)):
                row = rows[at : at + 1].copy()
                if row["kind"][0] in ASKED:
                    self.askers.report(row)
                else:
                    self.ends[int(row["venue"][0])].report(row)
            if now_ns - self._spoken_ns >= BOOKS_NS:
                self._spoken_ns = now_ns
                await self._speak(options, now_ns)
            if loop.time() - told_s >= STATUS_S:
                told_s = loop.time()
                self.tell()
            if self._ends and now_ns > self.last_ns + LINGERS_NS:
                break
            await asyncio.sleep(STEP_S)
        self.tell()

    async def _speak(self, options: ReplayServer, now_ns: int) -> None:
        """Books of the listed options, where they have changed."""
        for number, book in zip(self._listed, self._books, strict=True):
            text = book.say(self.exchange.levels(number, now_ns), now_ns)
            if text is not None:
                await options.say(text)

    def tell(self) -> None:
        """Write what the venues have booked, for whoever compares."""
        asked = self.askers.link.session.state
        status: dict[str, Any] = {
            "positions_lots": self.exchange.positions_lots(),
            "fills": len(self.exchange.fills),
            "fills_by": _counts([fill.by for fill in self.exchange.fills]),
            "requests": {"sent": asked.next_out - 1, "heard": asked.next_in - 1},
            "venues": [
                {
                    "name": venue.settings.name, "taken_in": venue.last_sequence,
                    "duplicates": venue.duplicates, "dropped": venue.dropped,
                    "live": len(venue.live_orders()), "waiting": len(end.waiting),
                    "sent": end.link.session.state.next_out - 1,
                    "heard": end.link.session.state.next_in - 1,
                    "resent": end.link.session.counts.resent,
                }
                for venue, end in zip(self.exchange.venues, self.ends, strict=True)
            ],
        }  # fmt: skip
        write_atomically(self.folder / "status.json", msgspec.json.encode(status))


def _counts(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def serve_world(world: World, seconds: float | None, on_ready: Callable[[LivePlace], None]) -> None:
    """Until SIGTERM or SIGINT, for so many seconds, or until it ends by itself."""

    async def whole() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        await world.run(stop, on_ready)

    asyncio.run(whole())
