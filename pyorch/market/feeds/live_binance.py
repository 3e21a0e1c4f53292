"""Binance spot, USD-margined and coin-margined: diffs with snapshots by REST, best quotes, trades, marks.

Messages are those of `pyorch.market.feeds.binance_messages`. Sources: the venue's API documentation ("Live
subscribing/unsubscribing to streams", "How to manage a local order book correctly"), and the recorded
sessions. The venue sends websocket pings, which the transport answers; ``LIST_SUBSCRIPTIONS`` is our probe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.market.feeds.binance_messages import (
    Levels as TextLevels,
)
from pyorch.market.feeds.binance_messages import (
    decode_best,
    decode_depth,
    decode_mark,
    decode_snapshot,
    decode_trade,
)
from pyorch.market.feeds.dialect import (
    ABSENT,
    ASK,
    BEST,
    BID,
    MARK,
    NONE,
    TRADE,
    Accepted,
    Ask,
    Heard,
    Levels,
    Names,
    Other,
    Refused,
    Said,
    SpoiltError,
    milliseconds,
)
from pyorch.market.feeds.grid import Grid


@dataclass(frozen=True, slots=True)
class _Market:
    url: str
    rest: str
    path: str
    depth: str
    streams: tuple[str, ...]


_MARKETS = {
    "binance-spot": _Market(
        "wss://stream.binance.com:9443/stream",
        "https://api.binance.com",
        "/api/v3/depth",
        "depth@100ms",
        ("bookTicker", "trade"),
    ),
    "binance-usdm": _Market(
        "wss://fstream.binance.com/stream",
        "https://fapi.binance.com",
        "/fapi/v1/depth",
        "depth@0ms",
        ("bookTicker", "trade", "markPrice@1s"),
    ),
    "binance-coinm": _Market(
        "wss://dstream.binance.com/stream",
        "https://dapi.binance.com",
        "/dapi/v1/depth",
        "depth@0ms",
        ("bookTicker", "trade", "markPrice@1s"),
    ),
}


class _Text(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = ABSENT
    id: int = -1
    error: msgspec.Raw = ABSENT


_text = msgspec.json.Decoder(_Text).decode


class BinanceDialect:
    """One connection's subscriptions to the instruments of one Binance market.

    Raises:
        UsageError: the instruments are of several markets, or of none of Binance's.
    """

    overlaps = True

    def __init__(self, instruments: Sequence[Instrument], *, url: str = "", rest: str = "") -> None:
        venues = {one.venue for one in instruments}
        if len(venues) != 1 or not venues <= _MARKETS.keys():
            raise UsageError(
                f"instruments of {', '.join(sorted(venues)) or 'no venue'} on one "
                f"connection; it takes those of one of {', '.join(_MARKETS)}"
            )
        self.venue = venues.pop()
        self._market = _MARKETS[self.venue]
        self.url, self.rest = url or self._market.url, rest or self._market.rest
        self.instruments = tuple(instruments)
        self._index = Names(self.instruments)
        self._ticks = [Grid(one.tick_size) for one in self.instruments]
        self._lots = [Grid(one.lot_size) for one in self.instruments]
        self._rate = Grid("0.00000001")
        self._id = 0

    def opening(self) -> Sequence[str]:
        """One subscription to all streams."""
        streams = (self._market.depth, *self._market.streams)
        names = [f"{one.symbol.lower()}@{stream}" for stream in streams for one in self.instruments]
        return [self._request("SUBSCRIBE", names)]

    def ask(self, instrument: int) -> Ask:
        """The book by REST, 1,000 levels a side."""
        return Ask(
            path=f"{self._market.path}?symbol={self.instruments[instrument].symbol}&limit=1000"
        )

    def probe(self) -> str:
        """A request that is answered at once."""
        return self._request("LIST_SUBSCRIPTIONS", None)

    def snapshot(self, text: bytes, instrument: int) -> Levels:
        """See `Dialect.snapshot`."""
        found = decode_snapshot(text)
        try:
            at = milliseconds(found.T if found.T >= 0 else found.E)
            levels = self._levels(instrument, found.bids, found.asks)
        except ValueError as error:
            raise SpoiltError(instrument, True, str(error)) from error
        return Levels(instrument, True, at, -1, found.lastUpdateId, -1, *levels)

    def hear(self, text: bytes) -> list[Heard]:
        """See `Dialect.hear`."""
        one = _text(text)
        if not one.stream:
            if bytes(one.error) != b"null":
                return [Refused(bytes(one.error)[:200].decode("utf-8", "replace"))]
            if one.id < 0:
                raise ValueError("neither a stream's message nor an answer")
            return [Accepted()]
        symbol, _, stream = one.stream.partition("@")
        index = self._index.get(symbol.upper())
        if index is None:
            return [Other(foreign=True)]
        kind = stream.partition("@")[0]
        try:
            return [self._heard(index, kind, one.data)]
        except (ValueError, msgspec.MsgspecError) as error:
            raise SpoiltError(index, kind == "depth", str(error)) from error

    def _heard(self, index: int, kind: str, data: msgspec.Raw) -> Heard:
        ticks, lots = self._ticks[index], self._lots[index]
        if kind == "depth":
            diff = decode_depth(data)
            self._named(index, diff.s)
            if not 0 <= diff.U <= diff.u or diff.pu > diff.u:
                raise ValueError(f"a diff from {diff.U} to {diff.u} after {diff.pu}")
            if (diff.pu >= 0) == (self.venue == "binance-spot"):
                raise ValueError(
                    f"a diff with {'an' if diff.pu >= 0 else 'no'} id before it on {self.venue}"
                )
            at = milliseconds(diff.T if diff.T >= 0 else diff.E)
            return Levels(
                index, False, at, diff.U, diff.u, diff.pu, *self._levels(index, diff.b, diff.a)
            )
        if kind == "bookTicker":
            best = decode_best(data)
            self._named(index, best.s)
            at = milliseconds(best.T if best.T >= 0 else best.E)
            quantities = [lots[best.B], lots[best.A]]
            return Said(
                index, BEST, at, best.u, (BID, ASK), [ticks[best.b], ticks[best.a]], quantities
            )
        if kind == "trade":
            trade = decode_trade(data)
            self._named(index, trade.s)
            if trade.X != "MARKET":  # insurance fund and auto-deleveraging: no one took the book
                return Other()
            sides = (ASK if trade.m else BID,)  # m: the buyer was resting
            prices, quantities = [ticks[trade.p]], [lots[trade.q]]
            return Said(index, TRADE, milliseconds(trade.T), trade.t, sides, prices, quantities)
        if kind == "markPrice":
            mark = decode_mark(data)
            self._named(index, mark.s)
            rate = self._rate[mark.r] if mark.r else 0
            return Said(
                index, MARK, milliseconds(mark.E), -1, (NONE,), [ticks.nearest(mark.p)], [rate]
            )
        return Other()

    def _named(self, index: int, symbol: str) -> None:
        if symbol != self.instruments[index].symbol:
            raise ValueError(
                f"a message of {symbol} on a stream of {self.instruments[index].symbol}"
            )

    def _levels(
        self, index: int, bids: TextLevels, asks: TextLevels
    ) -> tuple[list[int], list[int], list[int]]:
        ticks, lots, levels = self._ticks[index], self._lots[index], bids + asks
        quantities = [lots[quantity] for _, quantity in levels]
        if quantities and min(quantities) < 0:
            raise ValueError("a level with a negative quantity")
        return (
            [BID] * len(bids) + [ASK] * len(asks),
            [ticks[price] for price, _ in levels],
            quantities,
        )

    def _request(self, method: str, params: list[str] | None) -> str:
        self._id += 1
        request: dict[str, object] = {"method": method, "id": self._id}
        return json.dumps(request if params is None else request | {"params": params})
