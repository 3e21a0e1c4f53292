"""Rings as one market, a surface of tickers, and the second route's JSON-RPC."""

from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.errors import DeviceError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Instrument, Kind, Side
from pyorch.market.feeds.feed_rows import pack_message
from pyorch.market.feeds.ring import FeedRing, FeedRingReader
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import ExchangeSettings, VenueSettings
from pyorch.trading.json_rpc import DeribitRpc, RpcError
from pyorch.trading.live_market import LiveMarket, TickerOption, TickerSurface
from pyorch.trading.plan import make_plan
from pyorch.trading.sample import random_quoting_bundle
from pyorch.trading.surface import YEAR_SECONDS
from sim.feeds.spoken import SpokenOption, spoken_surface
from sim.venues.rpc import RpcStandIn, rpc_served

DAY_NS = 86_400 * 10**9
STRIKES = (61_000, 62_000, 63_000)
EXPIRY_NS = 1_723_161_600 * 10**9 + 7 * DAY_NS
INSTRUMENT = Instrument("A", "deribit", "0.1", "1")


def said(kind: Kind, instrument: int, local_ns: int, price: int, quantity: int) -> EventArray:
    stamp = (local_ns, -1, -1, -1, -1)
    rows = pack_message(stamp, int(kind), instrument, (int(Side.NONE),), (price,), (quantity,))
    return np.frombuffer(rows, EVENT_DTYPE)


def heard(surface: TickerSurface, now_ns: int, volatility: float, skew: float) -> None:
    """Tickers of all strikes at a forward of 61,800."""
    root_years = ((EXPIRY_NS - now_ns) * 1e-9 / YEAR_SECONDS) ** 0.5
    for index, strike in enumerate(STRIKES):
        y = float(np.log(strike / 61_800)) / root_years
        sigma = volatility + skew * y + 0.1 * y * y
        surface.hear(said(Kind.INDEX, index, now_ns, 0, 618_000_000))
        surface.hear(said(Kind.IMPLIED, index, now_ns, round(sigma * 1e6), 0))


def test_a_surface_is_what_the_tickers_lie_on_once_all_were_heard() -> None:
    surface = TickerSurface([TickerOption(strike, EXPIRY_NS) for strike in STRIKES])
    now_ns = EXPIRY_NS - 7 * DAY_NS
    assert surface.take(now_ns) is None
    heard(surface, now_ns, 0.55, -0.06)
    found = surface.take(now_ns)
    assert found is not None and abs(found[0] - 550_000) <= 3 and abs(found[1] + 60_000) <= 30
    surface.hear(said(Kind.IMPLIED, 0, now_ns, 500_000, 0))
    assert surface.take(now_ns) is None, "one of three was heard anew"
    heard(surface, EXPIRY_NS - 1, 0.55, -0.06)
    assert surface.take(EXPIRY_NS) is None, "it has expired"
    with pytest.raises(UsageError, match=r"2 options for a surface: it takes 3 or more of one"):
        TickerSurface([TickerOption(1.0, 1), TickerOption(2.0, 1)])


def test_spoken_tickers_are_the_tapes_surface() -> None:
    tape = simulate(7, 5.0)
    rows = tape.events[tape.events["kind"] == Kind.SURFACE]
    options = [SpokenOption(f"S{strike}", strike) for strike in STRIKES]
    texts = spoken_surface(tape, options, EXPIRY_NS, 0.1)
    assert len(texts) == len(STRIKES) * (1 + len(rows)) and len(rows) > 3


def test_rows_surfaces_and_timers_stand_between_whole_messages(tmp_path: Path) -> None:
    rings = [FeedRing(tmp_path / name, name, (INSTRUMENT,) * 3, 1 << 10) for name in "ab"]
    readers = [FeedRingReader(tmp_path / name) for name in "ab"]
    surface = TickerSurface([TickerOption(strike, EXPIRY_NS) for strike in STRIKES])
    market = LiveMarket(readers[0], readers[1], surface, shift_ns=1_000, capacity=64)
    sides = (int(Side.BID), int(Side.BID), int(Side.ASK))
    book = pack_message((5_000, -1, 1, 2, 1), int(Kind.DEPTH), 0, sides, (1, 2, 3), (1, 1, 1))
    rows = np.frombuffer(book, EVENT_DTYPE)
    now_ns = EXPIRY_NS - 7 * DAY_NS
    rings[0].write(rows[:2])
    heard(surface, now_ns, 0.5, 0.0)
    assert market.gather(4_000) == 2, "in the middle of a message nothing is put between"
    rings[0].write(rows[2:])
    assert market.gather(4_000) == 2 and market.surfaces == 1
    kinds = market.events["kind"][: market.filled].tolist()
    assert kinds == [Kind.DEPTH] * 3 + [Kind.SURFACE]
    assert market.events["local_ns"][: market.filled].tolist() == [4_000] * 4
    assert market.gather(4_000 + 2 * 10**8 + 1) == 2
    timers = market.events[4 : market.filled]
    assert timers["kind"].tolist() == [Kind.TIMER] * 2
    assert timers["local_ns"].tolist() == [4_000 + 10**8, 4_000 + 2 * 10**8]
    market.gather(10**12)
    assert market.full and market.filled == 63 and market.gather(2 * 10**12) == 0


def test_json_rpc_cancels_all_and_says_what_went_wrong() -> None:
    tape = simulate(7, 3.0)
    bundle = random_quoting_bundle(3, tape)
    plan = make_plan(load_config(), bundle, tape, acknowledged=True)
    settings = ExchangeSettings(venues=(VenueSettings(name=plan.targets[0]),))
    exchange = Exchange(settings, plan, tape)
    first_ns = int(tape.events["local_ns"][0])
    clock = iter(range(first_ns, first_ns + 10**12, 10**6))

    def now_ns() -> int:
        now = next(clock)
        exchange.advance(now)
        return now

    venue = exchange.venues[0]
    venue.deal(2, 0, 100, 7, first_ns)
    venue.deal(3, 1, 100, 5, first_ns)
    stand_in = RpcStandIn(exchange, plan, ("desk", "secret"), now_ns, token_uses=2)
    with rpc_served(stand_in) as port:
        rpc = DeribitRpc(f"http://127.0.0.1:{port}", "desk", "secret", timeout_s=1.0)
        symbols = plan.codec.symbols
        found = {one.instrument: one.size for one in rpc.positions()}
        assert found == {symbols[2]: pytest.approx(0.7), symbols[3]: pytest.approx(-0.5)}
        order = plan.codec_of(0).order(1, first_ns, 4, 0, 1, 3, True)
        exchange.submit(order, first_ns)
        now_ns()
        while not venue.live_orders():
            now_ns()
        assert rpc.cancel_all() == 1 and venue.live_orders() == []
        assert rpc.cancel_all() == 0
        assert stand_in.calls["public/auth"] == 2, "a token that ran out is asked for anew, once"
        assert rpc.order(symbols[5], 0, "0.3", "0.0001", "hedge-1")["order_state"] == "open"
        (resting,) = rpc.open_orders("hedge-1")
        assert (resting["instrument_name"], resting["direction"], resting["amount"]) == (
            symbols[5], "buy", 0.3,
        )  # fmt: skip
        assert rpc.open_orders("hedge-2") == [] and rpc.cancel_labelled("hedge-2") == 0
        assert rpc.cancel_labelled("hedge-1") == 1 and venue.live_orders() == []
        with pytest.raises(RpcError, match=r"private/sell was refused: not_found \(code 13020\)"):
            rpc.order("BTC-NOWHERE", 1, "0.1", "0.01", "x")
        with pytest.raises(RpcError, match=r"price_wrong_tick"):
            rpc.order(symbols[5], 1, "0.1", "0.00001", "x")
        wrong = DeribitRpc(f"http://127.0.0.1:{port}", "desk", "guess", timeout_s=1.0)
        with pytest.raises(RpcError, match=r"public/auth was refused: invalid_credentials .*13004"):
            wrong.cancel_all()
        stand_in.mute = True
        with pytest.raises(DeviceError, match=r"cancel_all: no answer .* in 3 × 1 s .*may be live"):
            rpc.cancel_all()
        with pytest.raises(DeviceError, match=r"private/buy: no answer .* in 1 × 1 s"):
            rpc.order(symbols[5], 0, "0.1", "0.01", "hedge-3")
        assert stand_in.calls["private/buy"] == 2, "an order is not sent again"
        assert stand_in.calls["private/cancel_all"] >= 5, "a mass cancel is"
