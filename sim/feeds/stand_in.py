"""A venue's side of a session: recorded texts to whoever subscribed to them, and the books that they make.

What it answers is built from the venue's documentation (see the dialects), what it sends unasked is
recorded. Its books are the truth that a client's are compared with: they never miss a message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from pyorch.contract.errors import DataError
from pyorch.market.feeds.book_channel import BookChannel, Verdict
from pyorch.market.feeds.dialect import Dialect, Levels, Other, Said
from sim.feeds.recorded import Recorded

Book = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
"""Bids and asks, best first: (price_ticks, quantity_lots)."""


class Truth:
    """One instrument's book, never void once there is one."""

    def __init__(self, overlaps: bool) -> None:
        self._channel = BookChannel(overlaps)
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.exchange_ns = -1

    @property
    def known(self) -> bool:
        """There has been a snapshot."""
        return self._channel.synchronised

    @property
    def sequence(self) -> int:
        """The book's update id."""
        return self._channel.sequence

    def take(self, message: Levels) -> None:
        """Apply a recorded message.

        Raises:
            DataError: the recording itself has a gap.
        """
        verdict, passed = self._channel.take(message)
        if verdict not in (Verdict.TAKEN, Verdict.WAITING, Verdict.STALE):
            raise DataError(
                f"the recording breaks at update id {message.sequence:,} ({verdict.value})"
            )
        for levels in passed:
            if levels.snapshot:
                self.sides = ({}, {})
            self.exchange_ns = levels.exchange_ns
            for side, price, lots in zip(
                levels.sides, levels.price_ticks, levels.quantity_lots, strict=True
            ):
                if lots:
                    self.sides[side][price] = lots
                else:
                    self.sides[side].pop(price, None)

    def book(self) -> Book:
        """As `pyorch.market.book.Book.levels` gives both sides."""
        bids, asks = self.sides
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))


class StandIn:
    """A venue that replays a recording.

    Args:
        dialect: of the venue, with the instruments of the recording.
        recorded: what the venue sent.
    """

    def __init__(self, dialect: Dialect, recorded: Sequence[Recorded]) -> None:
        self.dialect = dialect
        self._recorded = recorded
        self._at = 0
        self.truths = [Truth(dialect.overlaps) for _ in dialect.instruments]
        self._streams: set[tuple[int, str]] = set()  # of the one connection that there is
        if (
            dialect.rest
        ):  # a snapshot is in the middle of the recording: begin where a book is known
            while not all(truth.known for truth in self.truths) and self.next_ns >= 0:
                self.advance()

    @property
    def next_ns(self) -> int:
        """Recorder's time of the next text; -1 after the last."""
        return self._recorded[self._at].local_ns if self._at < len(self._recorded) else -1

    def connected(self) -> None:
        """A new connection: nothing is subscribed to."""
        self._streams.clear()

    def advance(self) -> list[bytes]:
        """Apply the next recorded text; what of it goes to the client."""
        self._at += 1
        return self.say(self._recorded[self._at - 1].text)

    def say(self, text: bytes) -> list[bytes]:
        """Apply a text of now; what of it goes to the client."""
        if self.dialect.rest and b'"lastUpdateId"' in text[:40]:
            for index, truth in enumerate(self.truths):
                if not truth.known:
                    truth.take(self.dialect.snapshot(text, index))
            return []
        sent = False
        for one in self.dialect.hear(text):
            if isinstance(one, Levels):
                self.truths[one.instrument].take(one)
                sent |= (one.instrument, "book") in self._streams
            elif isinstance(one, Said):
                sent |= (one.instrument, "rest") in self._streams
            elif isinstance(one, Other):
                sent |= bool(self._streams)
        return [text] if sent else []

    def asked(self, text: str) -> list[bytes]:
        """What the venue answers to a text of the client."""
        asked = json.loads(text)
        verb = asked.get("method") or asked.get("type")
        if verb == "public/set_heartbeat":
            return [_json({"jsonrpc": "2.0", "id": asked["id"], "result": "ok"})]
        if verb == "public/test":
            return [_json({"jsonrpc": "2.0", "id": asked["id"], "result": {"version": "1.2.26"}})]
        if verb == "ping":
            return [
                _json(
                    {"channel": "pong", "timestamp": 0}
                    if self.dialect.venue == "bit.com"
                    else {"type": "pong"}
                )
            ]
        if verb == "LIST_SUBSCRIPTIONS":
            return [_json({"result": [], "id": asked["id"]})]
        leaves = "unsubscribe" in verb.lower()
        joined, book_first = self._wanted(asked)
        answers = [self._confirmed(asked, verb)]
        for stream in joined:
            if leaves:
                self._streams.discard(stream)
            else:
                self._streams.add(stream)
                if book_first and stream[1] == "book" and self.truths[stream[0]].known:
                    answers.append(self.snapshot_text(stream[0]))
        return answers

    def rest(self, path: str) -> bytes | None:
        """The answer to a fetch of a snapshot; None where there is none yet."""
        symbol = path.partition("symbol=")[2].partition("&")[0]
        for index, one in enumerate(self.dialect.instruments):
            if one.symbol == symbol and self.truths[index].known:
                return self.snapshot_text(index)
        return None

    def snapshot_text(self, index: int) -> bytes:
        """The truth as the venue would write it."""
        one, truth = self.dialect.instruments[index], self.truths[index]
        tick, lot = Decimal(one.tick_size), Decimal(one.lot_size)
        bids, asks = (
            [(f"{price * tick:f}", f"{lots * lot:f}") for price, lots in side]
            for side in truth.book()
        )
        milliseconds = truth.exchange_ns // 1_000_000
        if self.dialect.venue == "deribit":
            raw = [
                [["new", _number(price), _number(amount)] for price, amount in side]
                for side in (bids, asks)
            ]
            book = {
                "type": "snapshot",
                "timestamp": milliseconds,
                "instrument_name": one.symbol,
                "change_id": truth.sequence,
                "bids": raw[0],
                "asks": raw[1],
            }
            channel = f"book.{one.symbol}.{getattr(self.dialect, 'interval', 'raw')}"
            params = {"channel": channel, "data": book}
            return _json({"jsonrpc": "2.0", "method": "subscription", "params": params})
        if self.dialect.venue == "bit.com":
            name = "pair" if "spot" in self.dialect.url else "instrument_id"
            data = {
                "type": "snapshot",
                name: one.symbol,
                "sequence": truth.sequence,
                "bids": bids,
                "asks": asks,
            }
            return _json({"channel": "depth", "timestamp": milliseconds, "data": data})
        if self.dialect.venue == "delta":
            levels = [
                [{"limit_price": price, "size": _number(size)} for price, size in side]
                for side in (bids, asks)
            ]
            head = {
                "type": "l2_orderbook",
                "symbol": one.symbol,
                "last_sequence_no": truth.sequence,
            }
            return _json(
                head
                | {"timestamp": truth.exchange_ns // 1_000, "buy": levels[0], "sell": levels[1]}
            )
        return _json(
            {
                "lastUpdateId": truth.sequence,
                "E": milliseconds,
                "T": milliseconds,
                "bids": bids,
                "asks": asks,
            }
        )

    def _wanted(self, asked: dict[str, object]) -> tuple[list[tuple[int, str]], bool]:
        """Streams of a subscription, and whether a book's channel begins with a snapshot."""
        index = {one.symbol: k for k, one in enumerate(self.dialect.instruments)}
        params = asked.get("params")
        if isinstance(params, dict):  # Deribit
            names = [channel.split(".") for channel in params["channels"]]
            return [
                (index[n[1]], "book" if n[0] == "book" else "rest") for n in names if n[1] in index
            ], True
        if isinstance(params, list):  # Binance
            names = [stream.split("@") for stream in params]
            return [
                (index[n[0].upper()], "book" if n[1] == "depth" else "rest") for n in names
            ], False
        payload = asked.get("payload")
        if isinstance(payload, dict):  # Delta
            return [
                (index[symbol], "book" if channel["name"] == "l2_orderbook" else "rest")
                for channel in payload["channels"]
                for symbol in channel["symbols"]
            ], True
        symbols = asked.get("pairs") or asked.get("instruments")
        channels = asked.get("channels")
        assert isinstance(symbols, list) and isinstance(channels, list)  # BIT.COM
        return [
            (index[s], "book" if c == "depth" else "rest") for c in channels for s in symbols
        ], True

    def _confirmed(self, asked: dict[str, object], verb: str) -> bytes:
        venue = self.dialect.venue
        if venue == "deribit":
            params = asked["params"]
            assert isinstance(params, dict)
            return _json({"jsonrpc": "2.0", "id": asked["id"], "result": params["channels"]})
        if venue == "bit.com":
            data = {"code": 0, "subscription": asked["channels"]}
            return _json({"channel": "subscription", "timestamp": 0, "data": data})
        if venue == "delta":
            return _json({"type": "subscriptions", "channels": []})
        return _json({"result": None, "id": asked["id"]})


def _json(message: object) -> bytes:
    return msgspec.json.encode(message)


def _number(text: str) -> msgspec.Raw:
    """A number that is written digit by digit as it was given."""
    return msgspec.Raw(text.encode())
