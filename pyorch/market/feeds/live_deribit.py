"""Deribit: books by change id, trades, tickers with Greeks, volatilities, index and funding.

Sources: the venue's API documentation (JSON-RPC over websocket; ``public/subscribe``,
``book.{instrument}.{interval}``: "the first notification contains a full snapshot … If prev_change_id
equals the change_id of the previous message, it indicates that no messages were missed";
``public/set_heartbeat``: ``test_request`` is answered by ``public/test``; ``public/get_instruments``), and
a recorded session of 2021. A new snapshot comes with a new subscription.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from pyorch.contract.errors import DataError
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
    Answer,
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
from pyorch.market.feeds.grid import JsonGrid

_ACTIONS = frozenset(("new", "change", "delete"))


class _Envelope(msgspec.Struct):
    method: str = ""
    params: msgspec.Raw = ABSENT
    id: int = -1
    result: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT


class _Params(msgspec.Struct):
    channel: str = ""
    data: msgspec.Raw = ABSENT
    type: str = ""


class _Book(msgspec.Struct):
    instrument_name: str
    timestamp: int
    change_id: int
    bids: list[tuple[str, msgspec.Raw, msgspec.Raw]]
    asks: list[tuple[str, msgspec.Raw, msgspec.Raw]]
    type: str = "change"
    prev_change_id: int = -1


class _Trade(msgspec.Struct):
    instrument_name: str
    timestamp: int
    trade_seq: int
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str


class _Greeks(msgspec.Struct):
    delta: msgspec.Raw
    gamma: msgspec.Raw
    vega: msgspec.Raw
    theta: msgspec.Raw
    rho: msgspec.Raw


class _Ticker(msgspec.Struct):
    instrument_name: str
    timestamp: int
    mark_price: msgspec.Raw
    index_price: msgspec.Raw
    best_bid_price: msgspec.Raw = ABSENT
    best_bid_amount: msgspec.Raw = ABSENT
    best_ask_price: msgspec.Raw = ABSENT
    best_ask_amount: msgspec.Raw = ABSENT
    underlying_price: msgspec.Raw = ABSENT
    funding_8h: msgspec.Raw = ABSENT
    mark_iv: msgspec.Raw = ABSENT
    bid_iv: msgspec.Raw = ABSENT
    ask_iv: msgspec.Raw = ABSENT
    greeks: _Greeks | None = None


class _Step(msgspec.Struct):
    tick_size: msgspec.Raw


class _Instrument(msgspec.Struct):
    instrument_name: str
    kind: str
    tick_size: msgspec.Raw
    min_trade_amount: msgspec.Raw
    tick_size_steps: list[_Step] = []
    instrument_type: str = ""
    future_type: str = ""


class _Instruments(msgspec.Struct):
    result: list[_Instrument]


_envelope = msgspec.json.Decoder(_Envelope).decode
_params = msgspec.json.Decoder(_Params).decode
_book = msgspec.json.Decoder(_Book).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_instruments = msgspec.json.Decoder(_Instruments).decode


def instruments_of(text: bytes) -> list[Instrument]:
    """Instruments of an answer to ``public/get_instruments``.

    The tick is the smallest that the venue uses for the instrument at any price. Amounts of inverse futures
    are USD, of everything else base currency.

    Raises:
        DataError: it is not such an answer.
    """
    try:
        found = _instruments(text).result
        return [
            Instrument(
                one.instrument_name,
                "deribit",
                min(
                    (
                        _text(step)
                        for step in (one.tick_size, *(s.tick_size for s in one.tick_size_steps))
                    ),
                    key=JsonGrid("0.000000000001").__getitem__,
                ),
                _text(one.min_trade_amount),
                1.0 if one.kind == "future" and "_" not in one.instrument_name else 0.0,
            )
            for one in found
        ]
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(
            f"this is no answer to public/get_instruments: {error}; it begins {text[:60]!r}"
        ) from error


class DeribitDialect:
    """One connection's subscriptions: book, trades and ticker of each instrument.

    Args:
        instruments: what to subscribe to.
        interval: of books and tickers: ``100ms``, ``agg2``, or ``raw`` (for which the venue asks who one is).
    """

    venue = "deribit"
    rest = ""
    overlaps = False

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        interval: str = "100ms",
        url: str = "wss://www.deribit.com/ws/api/v2",
    ) -> None:
        self.instruments, self.interval, self.url = tuple(instruments), interval, url
        self._index = Names(self.instruments)
        self._ticks = [JsonGrid(one.tick_size) for one in self.instruments]
        self._lots = [JsonGrid(one.lot_size) for one in self.instruments]
        self._e4, self._e8 = JsonGrid("0.0001"), JsonGrid("0.00000001")
        self._id = 0

    def opening(self) -> Sequence[str]:
        """Heartbeats every 10 s, then one subscription to all."""
        channels = [
            f"{stream}.{one.symbol}.{self.interval}"
            for stream in ("book", "trades", "ticker")
            for one in self.instruments
        ]
        return [
            self._request("public/set_heartbeat", {"interval": 10}),
            self._request("public/subscribe", {"channels": channels}),
        ]

    def ask(self, instrument: int) -> Ask:
        """Leave the book's channel and join it again: its first message is a snapshot."""
        channels = {"channels": [f"book.{self.instruments[instrument].symbol}.{self.interval}"]}
        return Ask(
            (
                self._request("public/unsubscribe", channels),
                self._request("public/subscribe", channels),
            )
        )

    def probe(self) -> str:
        """``public/test`` is answered at once."""
        return self._request("public/test", {})

    def snapshot(self, text: bytes, instrument: int) -> Levels:
        """Snapshots come on the websocket."""
        raise ValueError("Deribit's snapshots come on the websocket")

    def hear(self, text: bytes) -> list[Heard]:
        """See `Dialect.hear`."""
        envelope = _envelope(text)
        if envelope.method == "subscription":
            return self._notified(_params(envelope.params))
        if envelope.method == "heartbeat":
            asked = _params(envelope.params).type == "test_request"
            return [Answer(self._request("public/test", {})) if asked else Other()]
        if bytes(envelope.error) != b"null":
            return [Refused(bytes(envelope.error)[:200].decode("utf-8", "replace"))]
        return [Accepted() if bytes(envelope.result)[:1] == b"[" else Other()]

    def _notified(self, params: _Params) -> list[Heard]:
        stream, _, rest = params.channel.partition(".")
        index = self._index.get(rest.rpartition(".")[0])
        if index is None:
            return [Other(foreign=True)]
        try:
            if stream == "book":
                return [self._levels(index, _book(params.data))]
            if stream == "trades":
                return [self._trade(index, one) for one in _trades(params.data)]
            if stream == "ticker":
                return self._quoted(index, _ticker(params.data))
        except (ValueError, msgspec.MsgspecError) as error:
            raise SpoiltError(index, stream == "book", str(error)) from error
        return [Other()]

    def _named(self, index: int, name: str) -> None:
        if name != self.instruments[index].symbol:
            raise ValueError(
                f"a message of {name} on the channel of {self.instruments[index].symbol}"
            )

    def _levels(self, index: int, book: _Book) -> Levels:
        self._named(index, book.instrument_name)
        snapshot = book.type == "snapshot"
        if not snapshot and (book.type != "change" or book.prev_change_id < 0):
            raise ValueError(f"a book message of type {book.type!r} after {book.prev_change_id}")
        ticks, lots = self._ticks[index], self._lots[index]
        prices, quantities = [], []
        for action, price, amount in book.bids + book.asks:
            if action not in _ACTIONS:
                raise ValueError(f"{action!r} is no action on a level")
            prices.append(ticks[_text(price)])
            count = lots[_text(amount)]
            if (count > 0) == (action == "delete") or count < 0:
                raise ValueError(f"{action} with an amount of {_text(amount)}")
            quantities.append(count)
        return Levels(
            index,
            snapshot,
            milliseconds(book.timestamp),
            -1,
            book.change_id,
            -1 if snapshot else book.prev_change_id,
            [BID] * len(book.bids) + [ASK] * len(book.asks),
            prices,
            quantities,
        )

    def _trade(self, index: int, trade: _Trade) -> Said:
        self._named(index, trade.instrument_name)
        if trade.direction not in ("buy", "sell"):
            raise ValueError(f"{trade.direction!r} is no direction of a trade")
        return Said(
            index,
            TRADE,
            milliseconds(trade.timestamp),
            trade.trade_seq,
            [BID if trade.direction == "buy" else ASK],
            [self._ticks[index][_text(trade.price)]],
            [self._lots[index][_text(trade.amount)]],
        )

    def _quoted(self, index: int, one: _Ticker) -> list[Heard]:
        self._named(index, one.instrument_name)
        at, ticks, lots, e8 = (
            milliseconds(one.timestamp),
            self._ticks[index],
            self._lots[index],
            self._e8,
        )
        bid, ask = _number(one.best_bid_price), _number(one.best_ask_price)
        bid_lots, ask_lots = lots[_number(one.best_bid_amount)], lots[_number(one.best_ask_amount)]
        mark = _number(one.mark_price)
        prices = [
            self._e4.nearest(_number(one.index_price)),
            self._e4.nearest(_number(one.underlying_price)),
        ]
        heard: list[Heard] = [
            Said(index, BEST, at, -1, (BID, ASK), [ticks[bid], ticks[ask]], [bid_lots, ask_lots]),
            Said(
                index,
                MARK,
                at,
                -1,
                (NONE,),
                [ticks.nearest(mark)],
                [e8.nearest(_number(one.funding_8h))],
            ),
            Said(index, INDEX, at, -1, (NONE,), prices[:1], prices[1:]),
        ]
        if bytes(one.mark_iv) != b"null":
            # Percent: 1e-4 of one are 1e-6.
            volatilities = [
                self._e4.nearest(_number(iv)) for iv in (one.bid_iv, one.ask_iv, one.mark_iv)
            ]
            of = [e8.nearest(price) for price in (bid, ask, mark)]
            heard.append(Said(index, IMPLIED, at, -1, (BID, ASK, NONE), volatilities, of))
        if one.greeks is not None:
            g = one.greeks
            first = [e8.nearest(_number(value)) for value in (g.delta, g.vega, g.rho)]
            second = [e8.nearest(_number(value)) for value in (g.gamma, g.theta)]
            heard.append(Said(index, GREEKS, at, -1, (NONE,) * 3, first, [*second, 0]))
        return heard

    def _request(self, method: str, params: Mapping[str, object]) -> str:
        self._id += 1
        return json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})


def _text(raw: msgspec.Raw) -> str:
    return str(raw, "ascii")


def _number(raw: msgspec.Raw) -> str:
    """A number's text; 0 where the venue has none."""
    text = str(raw, "ascii")
    return "0" if text == "null" else text
