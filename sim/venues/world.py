"""All that a desk has outside of it, in one process: feeds, FIX sessions, JSON-RPC of a simulated market.

Binance's websocket speaks the market's order book, Deribit's the tickers of options that its surface is made
of; the exchange's venues take orders over FIX 4.4 in Deribit's dialect; JSON-RPC is the second route. The
market goes on whether a desk is there or not, so that one may be killed and begun anew.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from pyorch.app.desk_config import DeskConfig
from pyorch.app.desk_run import market_of, plan_of
from pyorch.app.live_place import SECRETS, LivePlace, live_place_path, surface_options
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.events import Instrument
from pyorch.market.feeds.process import FeedPlan, dialect_of
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.fix.dialects import deribit
from pyorch.trading.plan import NANO
from sim.feeds.faults import FaultRates, Faults
from sim.feeds.server import ReplayServer
from sim.feeds.spoken import SpokenOption, spoken, spoken_surface
from sim.feeds.stand_in import StandIn
from sim.venues.clock import MarketClock
from sim.venues.fix_end import VenueEnd
from sim.venues.rpc import RpcStandIn, rpc_served

STEP_S = 0.001
STATUS_S = 0.5
HOST = "127.0.0.1"


class World:
    """The venues of a desk's configuration.

    Args:
        beside: folder that the configuration's paths start from; folder: where `LivePlace` is written.
        rates: faults of both feeds.
    """

    def __init__(
        self,
        config: DeskConfig,
        beside: Path,
        bundle: Bundle,
        folder: Path,
        rates: FaultRates,
        seed: int,
    ) -> None:
        self.folder = folder
        self._tape = market_of(config, beside)
        _, self._plan = plan_of(config, beside, bundle, self._tape, "model")
        self.exchange = Exchange(config.exchange, self._plan, self._tape)
        self._rates, self._seed = rates, seed
        first_ns = int(self._tape.events["local_ns"][0])
        universe, curvature = self._plan.universe, self._plan.surface_ppm[2][0] / 1e6
        listed = [universe.options[index] for index in surface_options(self._plan)]
        expiry_ns = first_ns + universe.expiries_s[listed[0].expiry] * NANO
        self._underlying = Instrument("BTCUSD_PERP", "binance-coinm", "0.1", "1", 100.0)
        self._listed = tuple(Instrument(one.symbol, "deribit", "0.0001", "0.1") for one in listed)
        names = [SpokenOption(one.symbol, one.strike_usd) for one in listed]
        self._sessions = {
            "binance": (self._underlying,),
            "deribit": self._listed,
        }
        self._texts = {
            "binance": spoken(self._tape, 0, self._underlying),
            "deribit": spoken_surface(self._tape, names, expiry_ns, curvature),
        }
        self.ends: list[VenueEnd] = []

    async def run(self, stop: asyncio.Event, on_ready: Callable[[LivePlace], None]) -> None:
        """Until ``stop`` is set."""
        clock = MarketClock(int(self._tape.events["local_ns"][0]))
        rpc = RpcStandIn(self.exchange, self._plan, SECRETS[:2], clock.now_ns)
        self.ends = [
            VenueEnd(number, self.exchange, self._plan.codec_of(number), deribit(*SECRETS), clock.now_ns)
            for number in range(len(self.exchange.venues))
        ]  # fmt: skip
        with rpc_served(rpc) as rpc_port:
            async with AsyncExitStack() as stack:
                servers = {}
                for name, instruments in self._sessions.items():
                    venue = instruments[0].venue
                    stand_in = StandIn(
                        dialect_of(FeedPlan(venue, instruments, Path())), self._texts[name]
                    )
                    server = ReplayServer(
                        stand_in, Faults(self._rates, self._seed), now_ns=clock.now_ns
                    )
                    servers[name] = await stack.enter_async_context(server)
                listening = [asyncio.ensure_future(self._serve(end)) for end in self.ends]
                try:
                    while not all(end.acceptor.port for end in self.ends):
                        await asyncio.sleep(STEP_S)
                    place = LivePlace(
                        os.getpid(), clock.shift_ns, HOST, servers["binance"].port,
                        servers["deribit"].port, rpc_port, [end.acceptor.port for end in self.ends],
                        self._underlying, list(self._listed),
                    )  # fmt: skip
                    self.tell()
                    write_atomically(live_place_path(self.folder), msgspec.json.encode(place))
                    on_ready(place)
                    await self._moved(clock, stop)
                finally:
                    for task in listening:
                        task.cancel()
                    await asyncio.gather(*listening, return_exceptions=True)

    async def _serve(self, end: VenueEnd) -> None:
        await end.acceptor.serve(HOST, 0)

    async def _moved(self, clock: MarketClock, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        told_s = 0.0
        while not stop.is_set():
            for end in self.ends:
                end.watch()
            rows = self.exchange.advance(clock.now_ns())
            for at in range(len(rows)):
                row = rows[at : at + 1].copy()
                self.ends[int(row["venue"][0])].report(row)
            if loop.time() - told_s >= STATUS_S:
                told_s = loop.time()
                self.tell()
            await asyncio.sleep(STEP_S)
        self.tell()

    def tell(self) -> None:
        """Write what the venues have booked, for whoever compares."""
        status: dict[str, Any] = {
            "positions_lots": self.exchange.positions_lots(),
            "fills": len(self.exchange.fills),
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


def serve_world(
    config: DeskConfig,
    beside: Path,
    bundle: Bundle,
    folder: Path,
    rates: FaultRates,
    seed: int,
    seconds: float | None,
    on_ready: Callable[[LivePlace], None],
) -> None:
    """Until SIGTERM or SIGINT, or for so many seconds."""
    world = World(config, beside, bundle, folder, rates, seed)

    async def whole() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        await world.run(stop, on_ready)

    asyncio.run(whole())
