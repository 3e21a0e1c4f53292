"""Delta Exchange: books that are whole in every message, trades, tickers with Greeks and volatilities.

Source: a recorded session of 2021 (``l2_orderbook``). What it does not hold is not compared with the venue's
documentation: ``all_trades``, ``v2/ticker``, ``ping``. Each book message is a snapshot, so a lost one costs
nothing but time, and nothing is asked for: the next one comes by itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from pyorch.contract.events import Instrument
from pyorch.market.feeds.dialect import (
    ABSENT,
    ASK,
    BEST,
    BID,
    GREEKS,
    IMPLIED,
    INDEX,
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
    microseconds,
)
from pyorch.market.feeds.grid import JsonGrid


class _Head(msgspec.Struct):
    type: str
    symbol: str = ""


class _Level(msgspec.Struct):
    limit_price: msgspec.Raw
    size: msgspec.Raw


class _Book(msgspec.Struct):
    last_sequence_no: int
    timestamp: int
    buy: list[_Level]
    sell: list[_Level]


class _Trade(msgspec.Struct):
    price: msgspec.Raw
    size: msgspec.Raw
    timestamp: int
    buyer_role: str


class _Quotes(msgspec.Struct):
    best_bid: msgspec.Raw = ABSENT
    best_ask: msgspec.Raw = ABSENT
    bid_size: msgspec.Raw = ABSENT
    ask_size: msgspec.Raw = ABSENT
    bid_iv: msgspec.Raw = ABSENT
    ask_iv: msgspec.Raw = ABSENT


class _Greeks(msgspec.Struct):
    delta: msgspec.Raw = ABSENT
    gamma: msgspec.Raw = ABSENT
    vega: msgspec.Raw = ABSENT
    theta: msgspec.Raw = ABSENT
    rho: msgspec.Raw = ABSENT


class _Ticker(msgspec.Struct):
    timestamp: int
    mark_price: msgspec.Raw = ABSENT
    spot_price: msgspec.Raw = ABSENT
    mark_vol: msgspec.Raw = ABSENT
    quotes: _Quotes | None = None
    greeks: _Greeks | None = None


_head = msgspec.json.Decoder(_Head).decode
_book = msgspec.json.Decoder(_Book).decode
_trade = msgspec.json.Decoder(_Trade).decode
_ticker = msgspec.json.Decoder(_Ticker).decode


class DeltaDialect:
    """One connection's subscriptions: book, trades and ticker of each instrument."""

    venue = "delta"
    rest = ""
    overlaps = False

    def __init__(
        self, instruments: Sequence[Instrument], *, url: str = "wss://socket.delta.exchange"
    ) -> None:
        self.instruments, self.url = tuple(instruments), url
        self._index = Names(self.instruments)
        self._ticks = [JsonGrid(one.tick_size) for one in self.instruments]
        self._lots = [JsonGrid(one.lot_size) for one in self.instruments]
        self._e4, self._e6, self._e8 = (
            JsonGrid("0.0001"),
            JsonGrid("0.000001"),
            JsonGrid("0.00000001"),
        )

    def opening(self) -> Sequence[str]:
        """One subscription to all."""
        symbols = [one.symbol for one in self.instruments]
        channels = [
            {"name": name, "symbols": symbols}
            for name in ("l2_orderbook", "all_trades", "v2/ticker")
        ]
        return [json.dumps({"type": "subscribe", "payload": {"channels": channels}})]

    def ask(self, instrument: int) -> Ask:
        """Nothing: every message is a snapshot."""
        return Ask()

    def probe(self) -> str:
        """Answered by ``pong``."""
        return json.dumps({"type": "ping"})

    def snapshot(self, text: bytes, instrument: int) -> Levels:
        """Snapshots come on the websocket."""
        raise ValueError("Delta's snapshots come on the websocket")

    def hear(self, text: bytes) -> list[Heard]:
        """See `Dialect.hear`."""
        head = _head(text)
        if head.type == "subscriptions":
            return [Accepted()]
        if head.type == "error":
            return [Refused(text[:200].decode("utf-8", "replace"))]
        if head.type not in ("l2_orderbook", "all_trades", "v2/ticker"):
            return [Other()]
        index = self._index.get(head.symbol)
        if index is None:
            return [Other(foreign=True)]
        try:
            if head.type == "l2_orderbook":
                return [self._levels(index, _book(text))]
            if head.type == "all_trades":
                return [self._traded(index, _trade(text))]
            return self._quoted(index, _ticker(text))
        except (ValueError, msgspec.MsgspecError) as error:
            raise SpoiltError(index, head.type == "l2_orderbook", str(error)) from error

    def _levels(self, index: int, book: _Book) -> Levels:
        ticks, lots, levels = self._ticks[index], self._lots[index], book.buy + book.sell
        quantities = [lots[_text(level.size)] for level in levels]
        if quantities and min(quantities) <= 0:
            raise ValueError("a level without a quantity")
        return Levels(
            index,
            True,
            microseconds(book.timestamp),
            -1,
            book.last_sequence_no,
            -1,
            [BID] * len(book.buy) + [ASK] * len(book.sell),
            [ticks[_text(level.limit_price)] for level in levels],
            quantities,
        )

    def _traded(self, index: int, trade: _Trade) -> Said:
        if trade.buyer_role not in ("taker", "maker"):
            raise ValueError(f"{trade.buyer_role[:20]!r} is no role in a trade")
        side = BID if trade.buyer_role == "taker" else ASK
        prices, lots = (
            [self._ticks[index][_text(trade.price)]],
            [self._lots[index][_text(trade.size)]],
        )
        return Said(index, TRADE, microseconds(trade.timestamp), -1, (side,), prices, lots)

    def _quoted(self, index: int, one: _Ticker) -> list[Heard]:
        at, ticks, lots = microseconds(one.timestamp), self._ticks[index], self._lots[index]
        mark = _number(one.mark_price)
        heard: list[Heard] = [
            Said(index, MARK, at, -1, (NONE,), [ticks.nearest(mark)], [0]),
            Said(index, INDEX, at, -1, (NONE,), [self._e4.nearest(_number(one.spot_price))], [0]),
        ]
        if one.quotes is not None:
            q = one.quotes
            bid, ask = _number(q.best_bid), _number(q.best_ask)
            sizes = [lots[_number(q.bid_size)], lots[_number(q.ask_size)]]
            heard.append(Said(index, BEST, at, -1, (BID, ASK), [ticks[bid], ticks[ask]], sizes))
            sigmas = [self._e6.nearest(_number(iv)) for iv in (q.bid_iv, q.ask_iv, one.mark_vol)]
            prices = [self._e8.nearest(price) for price in (bid, ask, mark)]
            heard.append(Said(index, IMPLIED, at, -1, (BID, ASK, NONE), sigmas, prices))
        if one.greeks is not None:
            g = one.greeks
            first = [self._e8.nearest(_number(value)) for value in (g.delta, g.vega, g.rho)]
            second = [self._e8.nearest(_number(value)) for value in (g.gamma, g.theta)]
            heard.append(Said(index, GREEKS, at, -1, (NONE,) * 3, first, [*second, 0]))
        return heard


def _text(raw: msgspec.Raw) -> str:
    """A number's text, which the venue sends as a number or a string."""
    text = str(raw, "ascii")
    return text[1:-1] if text[:1] == '"' == text[-1:] and len(text) > 2 else text


def _number(raw: msgspec.Raw) -> str:
    """The same; 0 where the venue has none."""
    text = _text(raw)
    return "0" if text == "null" else text
