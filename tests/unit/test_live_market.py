"""Rings as one market, a surface of tickers, and the second route's JSON-RPC."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyorch.contract.errors import DataError, DeviceError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Instrument, Kind, Side
from pyorch.market.feeds.feed_rows import pack_message
from pyorch.market.feeds.live import Feed
from pyorch.market.feeds.live_deribit import DeribitDialect
from pyorch.market.feeds.ring import FeedRing, FeedRingReader
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import ExchangeSettings, VenueSettings
from pyorch.trading.execution import ExecutionSettings, ParentTable
from pyorch.trading.executor import PROGRESS, Executor
from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.inputs import InputArray, InputKind, make_input
from pyorch.trading.json_rpc import DeribitRpc, RpcError
from pyorch.trading.listing import Listed, listed_of
from pyorch.trading.live_market import LiveMarket, TickerOption, TickerSurface
from pyorch.trading.option_books import OptionBooks
from pyorch.trading.parent_progress import go_on, progress_of, progressed
from pyorch.trading.plan import Opening, make_plan, make_universe
from pyorch.trading.pricing import Option
from pyorch.trading.quoting import Sent
from pyorch.trading.records import Reason
from pyorch.trading.risk import Quote
from pyorch.trading.sample import random_quoting_bundle
from pyorch.trading.surface import YEAR_SECONDS
from sim.feeds.spoken import SpokenBook, SpokenOption, spoken_surface
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
    assert len(texts) == len(STRIKES) * len(rows) and len(rows) > 3


def test_rows_surfaces_and_timers_stand_between_whole_messages(tmp_path: Path) -> None:
    rings = [FeedRing(tmp_path / name, name, (INSTRUMENT,) * 3, 1 << 10) for name in "ab"]
    readers = [FeedRingReader(tmp_path / name) for name in "ab"]
    surface = TickerSurface([TickerOption(strike, EXPIRY_NS) for strike in STRIKES])
    books = OptionBooks((), codec())
    market = LiveMarket(
        readers[0], readers[1], surface, books, first_ns=3_500, shift_ns=1_000, capacity=64
    )
    early = pack_message((4_000, -1, -1, -1, -1), int(Kind.RESET), 0, (int(Side.NONE),), (0,), (0,))
    assert market.gather(9_999_999_999) == 0, "no timers before the first row"
    rings[0].write(np.frombuffer(early, EVENT_DTYPE))
    assert market.gather(3_400) == 1 and market.events["local_ns"][0] == 3_500
    sides = (int(Side.BID), int(Side.BID), int(Side.ASK))
    book = pack_message((5_000, -1, 1, 2, 1), int(Kind.DEPTH), 0, sides, (1, 2, 3), (1, 1, 1))
    rows = np.frombuffer(book, EVENT_DTYPE)
    now_ns = EXPIRY_NS - 7 * DAY_NS
    rings[0].write(rows[:2])
    heard(surface, now_ns, 0.5, 0.0)
    assert market.gather(4_000) == 2, "in the middle of a message nothing is put between"
    rings[0].write(rows[2:])
    assert market.gather(4_000) == 2 and market.surfaces == 1
    kinds = market.events["kind"][1 : market.filled].tolist()
    assert kinds == [Kind.DEPTH] * 3 + [Kind.SURFACE]
    assert market.events["local_ns"][1 : market.filled].tolist() == [4_000] * 4
    assert market.gather(4_000 + 2 * 10**8 + 1) == 2
    timers = market.events[5 : market.filled]
    assert timers["kind"].tolist() == [Kind.TIMER] * 2
    assert timers["local_ns"].tolist() == [4_000 + 10**8, 4_000 + 2 * 10**8]
    market.gather(10**12)
    assert market.full and market.filled == 63 and market.gather(2 * 10**12) == 0


def codec() -> FixCodec:
    sizes = Decimals.of("0.0001"), Decimals.of("0.1")
    return FixCodec("US", "THEM", "ACCOUNT", "BTC", ("A", "B", "C"), *sizes)


def test_what_others_show_in_an_option_is_the_book_without_ours() -> None:
    books, ours = OptionBooks((2,), codec()), codec()
    called = Instrument("C", "deribit", "0.0001", "0.1")
    dialect, spoken = DeribitDialect((called,)), SpokenBook(called)
    feed = Feed(dialect)
    feed.start(1)
    feed.opened(2)
    now_ns = 1_700_000_000 * 10**9

    def say(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        text = spoken.say((bids, asks), now_ns)
        assert text is not None
        books.hear(feed.received(now_ns, text).events)

    assert books.best(2, now_ns) == (0, 0, 0, 0), "no book yet"
    say([(100, 7), (99, 5)], [(103, 4)])
    assert books.best(2, now_ns) == (100, 7, 103, 4)
    assert books.best(1, now_ns) == (0, 0, 0, 0), "its book is not listened to"
    assert spoken.say(([(100, 7), (99, 5)], [(103, 4)]), now_ns) is None, "nothing has changed"

    books.sent(
        ours.mass_quotes(1, now_ns, [Sent(2, Reason.MOVE, Quote(101, 103, 20, 3))])[0], now_ns
    )
    say([(101, 20), (100, 7), (99, 5)], [(103, 7)])
    assert books.best(2, now_ns) == (100, 7, 103, 4)
    books.sent(
        ours.mass_quotes(2, now_ns, [Sent(2, Reason.MOVE, Quote(99, 104, 20, 3))])[0], now_ns
    )
    assert books.best(2, now_ns) == (100, 7, 103, 4), "the book does not know the new quote yet"
    say([(100, 7), (99, 25)], [(103, 4), (104, 3)])
    assert books.best(2, now_ns) == (100, 7, 103, 1), "some of 103 may still be ours"
    assert books.best(2, now_ns + 10**9) == (100, 7, 103, 4)
    say([(101, 6), (99, 25)], [(104, 3), (105, 1)])
    assert books.best(2, now_ns) == (99, 5, 105, 1), "101 was ours a moment ago"
    assert books.best(2, now_ns + 10**9) == (101, 6, 105, 1)
    books.sent(ours.order(3, now_ns, 2, 0, 102, 4, True), now_ns)
    say([(102, 4), (101, 6)], [(104, 3), (105, 1)])
    assert books.best(2, now_ns + 10**9) == (101, 6, 105, 1)
    books.sent(ours.cancel_all(4, now_ns), now_ns)
    say([(101, 6)], [(105, 1)])
    books.hear(feed.closed(now_ns, "gone").events)
    assert books.best(2, now_ns) == (0, 0, 0, 0), "the book is void"


def test_parent_orders_go_on_where_the_log_and_the_sessions_leave_them() -> None:
    tables = (ParentTable(at_s=1.0, over_s=9.0, option=2, side="buy", contracts=3.0),)

    def made() -> Executor:
        return Executor(ExecutionSettings(), tables, None, (0, 0, 0), 0.1, 0)

    first = made()
    before = progress_of(first)
    said = dict.fromkeys(PROGRESS, 0) | {"arrival_half_ticks": 205, "actions": {"small": 1}}
    said |= {"refused": {}, "paper_lots": 9}
    order = codec().order(17, 10**18, 2, 0, 102, 4, True).decode("latin-1")
    texts: list[dict[str, Any]] = [
        {"parent": 0, "progress": said, "fix": order},
        {"order": "PAUSE"},
    ]

    def filled(sequence: int, lots: int, option: int = 2, value: int = 1) -> InputArray:
        return make_input(
            InputKind.FILLED, 0, option=option, sequence=sequence, lots=lots, price_ticks=101,
            value=value,
        )  # fmt: skip

    inputs = [filled(17, 2), filled(17, 5, option=1), filled(17, 5, value=0), filled(16, 5)]
    after = progressed(before, texts, [np.concatenate(inputs), filled(17, 1)])
    assert before == progress_of(first), "nothing of the log's first block is changed"
    second = made()
    go_on(second, after)
    (one,) = second.parents
    assert (one.done_lots, one.paid_ticks, one.children, one.sent) == (3, 303, 1, {17})
    assert (one.arrival_half_ticks, one.paper_lots, one.actions) == (205, 9, {"small": 1})
    assert one.child is None and progress_of(second) == after
    other = Executor(ExecutionSettings(), (), None, (0,), 0.1, 0)
    with pytest.raises(
        DataError, match=r"the log has the parent orders .* the configuration others"
    ):
        go_on(other, after)


def test_a_universe_is_chosen_among_what_a_venue_lists() -> None:
    config = load_config()
    tape = simulate(7, 1.0)
    opening = Opening.of(tape)
    made = make_universe(config, opening)
    origin_s = opening.origin_ns // 10**9

    def as_listed(option: Option, later_s: int = 0, lot: str = "0.1") -> Listed:
        expiry_s = origin_s + made.expiries_s[option.expiry] + later_s
        return Listed(option.symbol, option.strike_usd, expiry_s, option.right, "1e-04", lot)

    listed = [as_listed(one) for one in made.options]
    assert make_universe(config, opening, listed[::-1]) == made
    later = make_universe(config, opening, [as_listed(one, 86_400) for one in made.options])
    assert later.expiries_s == tuple(one + 86_400 for one in made.expiries_s)
    with pytest.raises(
        UsageError, match=r"ticks of 1e-04 and lots of 1 at the venue, .*lot_btc 0.1"
    ):
        make_universe(config, opening, [as_listed(one, lot="1") for one in made.options])
    few = [one for one in listed if one.strike_usd != listed[0].strike_usd]
    with pytest.raises(
        UsageError, match=r"strikes 1000 USD apart .* too few around 618\d\d USD for 5"
    ):
        make_universe(config, opening, few)
    with pytest.raises(UsageError, match=r"lists 1 expiries, none for universe.expiries_days\[1\]"):
        make_universe(
            config, opening, [one for one in listed if one.expiry_s == listed[0].expiry_s]
        )
    with pytest.raises(DataError, match=r"no list of options: KeyError\('strike'\)"):
        listed_of([{"instrument_name": "BTC-PERPETUAL"}])


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
        listed = listed_of(rpc.instruments())
        assert len(listed) > len(symbols) and listed_of(rpc.instruments("ETH")) == ()
        again = make_plan(load_config(), bundle, tape, acknowledged=True, listed=listed)
        assert again.universe == plan.universe and stand_in.calls["public/auth"] == 1
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
