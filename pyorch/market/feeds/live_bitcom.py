"""BIT.COM spot and derivatives: books by sequence, trades, tickers with volatilities and index.

Sources: two recorded sessions of 2024 (spot pairs, a linear perpetual). What they do not hold is not
compared with the venue's documentation: ``ping``, ``unsubscribe``, an option's ``sigma`` and Greeks. A new
snapshot comes with a new subscription. Depth updates name the sequence before them, also directly
after a snapshot.
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
    milliseconds,
)
from pyorch.market.feeds.grid import Grid

_SIDES = {"buy": BID, "sell": ASK}


class _Envelope(msgspec.Struct):
    channel: str
    timestamp: int = -1
    data: msgspec.Raw = ABSENT


class _Named(msgspec.Struct):
    instrument_id: str = ""
    pair: str = ""


class _Depth(msgspec.Struct):
    type: str
    sequence: int
    prev_sequence: int = -1
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    changes: list[tuple[str, str, str]] = []


class _Trade(msgspec.Struct):
    created_at: int
    trade_id: str
    price: str
    qty: str
    side: str
    instrument_id: str = ""
    pair: str = ""


class _Ticker(msgspec.Struct):
    time: int
    best_bid: str
    best_ask: str
    best_bid_qty: str
    best_ask_qty: str
    mark_price: str = ""
    index_price: str = ""
    underlying_price: str = ""
    funding_rate: str = ""
    sigma: str = ""
    bid_sigma: str = ""
    ask_sigma: str = ""
    delta: str = ""
    gamma: str = ""
    vega: str = ""
    theta: str = ""


class _Result(msgspec.Struct):
    code: int = 0


_envelope = msgspec.json.Decoder(_Envelope).decode
_named = msgspec.json.Decoder(_Named).decode
_depth = msgspec.json.Decoder(_Depth).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_result = msgspec.json.Decoder(_Result).decode


class BitComDialect:
    """One connection's subscriptions: depth, ticker and trades of spot pairs, or of other instruments.

    Args:
        instruments: what to subscribe to.
        pairs: the instruments are spot pairs, which the venue subscribes to by another name.
        url: by default the venue's of the kind.
    """

    venue = "bit.com"
    rest = ""
    overlaps = False

    def __init__(
        self, instruments: Sequence[Instrument], *, pairs: bool = False, url: str = ""
    ) -> None:
        self.instruments = tuple(instruments)
        self.url = url or ("wss://spot-ws.bit.com" if pairs else "wss://ws.bit.com")
        self._kind = "pairs" if pairs else "instruments"
        self._index = Names(self.instruments)
        self._ticks = [Grid(one.tick_size) for one in self.instruments]
        self._lots = [Grid(one.lot_size) for one in self.instruments]
        self._e4, self._e6, self._e8 = Grid("0.0001"), Grid("0.000001"), Grid("0.00000001")

    def opening(self) -> Sequence[str]:
        """A subscription a channel."""
        symbols = [one.symbol for one in self.instruments]
        return [
            self._request("subscribe", channel, symbols) for channel in ("depth", "ticker", "trade")
        ]

    def ask(self, instrument: int) -> Ask:
        """Leave the depth channel and join it again: a snapshot comes."""
        symbol = [self.instruments[instrument].symbol]
        return Ask(
            tuple(self._request(verb, "depth", symbol) for verb in ("unsubscribe", "subscribe"))
        )

    def probe(self) -> str:
        """Answered by ``pong``."""
        return json.dumps({"type": "ping"})

    def snapshot(self, text: bytes, instrument: int) -> Levels:
        """Snapshots come on the websocket."""
        raise ValueError("BIT.COM's snapshots come on the websocket")

    def hear(self, text: bytes) -> list[Heard]:
        """See `Dialect.hear`."""
        envelope = _envelope(text)
        if envelope.channel == "subscription":
            code = _result(envelope.data).code
            return [Refused(f"code {code}") if code else Accepted()]
        if envelope.channel == "trade":
            return [self._trade(one) for one in _trades(envelope.data)]
        if envelope.channel not in ("depth", "ticker"):
            return [Other()]
        named = _named(envelope.data)
        index = self._index.get(named.pair or named.instrument_id)
        if index is None:
            return [Other(foreign=True)]
        of_book = envelope.channel == "depth"
        try:
            if of_book:
                return [self._levels(index, envelope.timestamp, _depth(envelope.data))]
            return self._quoted(index, _ticker(envelope.data))
        except (ValueError, msgspec.MsgspecError) as error:
            raise SpoiltError(index, of_book, str(error)) from error

    def _levels(self, index: int, timestamp: int, depth: _Depth) -> Levels:
        snapshot = depth.type == "snapshot"
        if snapshot:
            sides = [BID] * len(depth.bids) + [ASK] * len(depth.asks)
            levels = depth.bids + depth.asks
        elif depth.type == "update" and depth.prev_sequence >= 0:
            if any(side not in _SIDES for side, _, _ in depth.changes):
                raise ValueError("a change of a side that is none")
            sides = [_SIDES[side] for side, _, _ in depth.changes]
            levels = [(price, quantity) for _, price, quantity in depth.changes]
        else:
            raise ValueError(f"a depth message of type {depth.type!r} after {depth.prev_sequence}")
        ticks, lots = self._ticks[index], self._lots[index]
        prices, quantities = (
            [ticks[price] for price, _ in levels],
            [lots[count] for _, count in levels],
        )
        if quantities and min(quantities) < 0:
            raise ValueError("a level with a negative quantity")
        before = -1 if snapshot else depth.prev_sequence
        at = milliseconds(timestamp)
        return Levels(index, snapshot, at, -1, depth.sequence, before, sides, prices, quantities)

    def _trade(self, trade: _Trade) -> Heard:
        index = self._index.get(trade.pair or trade.instrument_id)
        if index is None:
            return Other(foreign=True)
        try:
            if trade.side not in _SIDES or not (
                trade.trade_id.isascii() and trade.trade_id.isdigit()
            ):
                raise ValueError(
                    f"a trade of side {trade.side[:20]!r} and id {trade.trade_id[:40]!r}"
                )
            prices, lots = [self._ticks[index][trade.price]], [self._lots[index][trade.qty]]
            at, number = milliseconds(trade.created_at), int(trade.trade_id[:40])
        except ValueError as error:
            raise SpoiltError(index, False, str(error)) from error
        return Said(index, TRADE, at, number, (_SIDES[trade.side],), prices, lots)

    def _quoted(self, index: int, one: _Ticker) -> list[Heard]:
        at, ticks, lots = milliseconds(one.time), self._ticks[index], self._lots[index]
        prices = [ticks[one.best_bid or "0"], ticks[one.best_ask or "0"]]
        quantities = [lots[one.best_bid_qty or "0"], lots[one.best_ask_qty or "0"]]
        heard: list[Heard] = [Said(index, BEST, at, -1, (BID, ASK), prices, quantities)]
        if one.mark_price:
            rate = self._e8.nearest(one.funding_rate or "0")
            heard.append(
                Said(index, MARK, at, -1, (NONE,), [ticks.nearest(one.mark_price)], [rate])
            )
        if one.index_price:
            of = self._e4.nearest(one.index_price), self._e4.nearest(one.underlying_price or "0")
            heard.append(Said(index, INDEX, at, -1, (NONE,), of[:1], of[1:]))
        if one.sigma:
            sigmas = [
                self._e6.nearest(text or "0") for text in (one.bid_sigma, one.ask_sigma, one.sigma)
            ]
            of_prices = [
                self._e8.nearest(p or "0") for p in (one.best_bid, one.best_ask, one.mark_price)
            ]
            heard.append(Said(index, IMPLIED, at, -1, (BID, ASK, NONE), sigmas, of_prices))
        if one.delta:
            delta, gamma, vega, theta = (
                self._e8.nearest(text or "0")
                for text in (one.delta, one.gamma, one.vega, one.theta)
            )
            heard.append(
                Said(index, GREEKS, at, -1, (NONE,) * 3, (delta, vega, 0), (gamma, theta, 0))
            )
        return heard

    def _request(self, verb: str, channel: str, symbols: list[str]) -> str:
        return json.dumps({"type": verb, "channels": [channel], self._kind: symbols})
