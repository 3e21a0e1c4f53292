"""A live feed without its socket: texts and times in, market events and what must be done next out.

`Feed` is the same for every venue; what differs is a `Dialect`. It owns the session (connecting with
back-off, subscriptions, signs of life, silence), the order of book messages, the books themselves (to find
crosses and to give snapshots to readers that need one), and counts everything. It reads no clock and opens
no socket: the same calls give the same events, byte for byte.

A book is void (a RESET row) from a gap, a spoilt book message, a cross, a doubt about its id, or the loss
of the connection until the next snapshot. Everything that cannot be used is counted and none of it changes
a book.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from pyorch import _native
from pyorch.contract.events import EVENT_DTYPE, EventArray, Kind, Side, event_words
from pyorch.market.feeds.book_channel import BookChannel, Verdict
from pyorch.market.feeds.dialect import (
    BID,
    NONE,
    Accepted,
    Answer,
    Dialect,
    Levels,
    Other,
    Refused,
    Said,
    SpoiltError,
)
from pyorch.market.feeds.feed_actions import (
    FeedSettings,
    Fetch,
    Send,
    SessionState,
    Step,
)
from pyorch.market.feeds.feed_rows import pack_message
from pyorch.market.feeds.feed_session import FeedSession, Out
from pyorch.market.feeds.streams import StreamTable

DEPTH, SNAPSHOT = int(Kind.DEPTH), int(Kind.SNAPSHOT)
TRADE, RESET = int(Kind.TRADE), int(Kind.RESET)

_MESSAGE_ERRORS = (ValueError, msgspec.MsgspecError, RecursionError, OverflowError)


@dataclass(slots=True)
class _Book:
    channel: BookChannel
    native: _native.Book
    attempts: int = 0
    since_ns: int = 0  # synchronised since
    request_ns: int = -1  # a snapshot is to be asked for; -1: not
    deadline_ns: int = -1  # one that was asked for must have come; -1: none was
    token: int = -1
    last_trade: int = -1
    old_trades: int = 0


class Feed(FeedSession):
    """One connection to one venue.

    Arguments are those of `FeedSession`.
    """

    def __init__(
        self, dialect: Dialect, settings: FeedSettings | None = None, seed: int = 0
    ) -> None:
        super().__init__(dialect, settings, seed)
        self.streams = StreamTable()
        self._books = [
            _Book(BookChannel(dialect.overlaps), _native.Book()) for _ in dialect.instruments
        ]
        self._unsettled: set[int] = set()
        self._token = 0

    def received(self, now_ns: int, text: bytes) -> Step:
        """A text has come."""
        out = self._begin(now_ns)
        if self.state is SessionState.OPEN:
            self.counts["messages"] += 1
            self._heard_ns, self._probed = self._now_ns, False
            try:
                _check_text(text)
                heard = self.dialect.hear(text)
            except SpoiltError as error:
                self._spoilt(out, error)
            except _MESSAGE_ERRORS as error:
                self._garbled(out, error)
            else:
                self._garbled_running = 0
                for one in heard:
                    if self.state is SessionState.OPEN:
                        self._one(out, one)
        return self._done(out)

    def fetched(self, now_ns: int, fetch: Fetch, body: bytes | None) -> Step:
        """A fetch has ended; ``body`` is None where it failed. One that came too late is ignored."""
        out = self._begin(now_ns)
        book = self._books[fetch.instrument]
        if self.state is SessionState.OPEN and book.token == fetch.token:
            book.token = -1
            if body is None:
                self._again(out, fetch.instrument)
            else:
                try:
                    _check_text(body)
                    snapshot = self.dialect.snapshot(body, fetch.instrument)
                except SpoiltError as error:
                    self._spoilt(out, error)
                except _MESSAGE_ERRORS as error:
                    self.counts["garbled"] += 1
                    self.last_error = str(error)
                    self._again(out, fetch.instrument)
                else:
                    self._levels(out, snapshot)
        return self._done(out)

    def synchronised(self, instrument: int) -> bool:
        """Whether the instrument's book is sound."""
        return self._books[instrument].channel.synchronised

    def book(self, instrument: int) -> _native.Book:
        """The instrument's book; valid where `synchronised`."""
        return self._books[instrument].native

    def snapshots(self, now_ns: int) -> EventArray:
        """Every sound book as a SNAPSHOT message, for readers that have lost theirs."""
        out = self._begin(now_ns)
        for index, book in enumerate(self._books):
            if book.channel.synchronised:
                bids, asks = (book.native.levels(side, 1 << 20) for side in (Side.BID, Side.ASK))
                levels = bids + asks
                sides = [BID] * len(bids) + [int(Side.ASK)] * len(asks)
                prices, lots = [price for price, _ in levels], [quantity for _, quantity in levels]
                self._pack(
                    out, index, SNAPSHOT, (-1, -1, book.channel.sequence, -1), sides, prices, lots
                )
        return self._done(out).events

    # -- one heard thing

    def _one(self, out: Out, heard: object) -> None:
        if isinstance(heard, Levels):
            self.streams.heard(heard.instrument, "book", self._now_ns, heard.exchange_ns)
            self._levels(out, heard)
        elif isinstance(heard, Said):
            self._said(out, heard)
        elif isinstance(heard, Answer):
            out.actions.append(Send(heard.text))
        elif isinstance(heard, Accepted):
            self._until_ns = -1
        elif isinstance(heard, Refused):
            self.counts["refused"] += 1
            self._lose(out, f"the venue refused: {heard.why}")
        elif isinstance(heard, Other):
            self.counts["foreign" if heard.foreign else "others"] += 1

    def _said(self, out: Out, said: Said) -> None:
        book = self._books[said.instrument]
        if said.kind == TRADE:
            self.streams.heard(said.instrument, "trades", self._now_ns, said.exchange_ns)
            if 0 <= said.sequence <= book.last_trade and book.old_trades < 16:
                book.old_trades += 1
                self.counts["duplicate_trades"] += 1
                return
            book.last_trade, book.old_trades = said.sequence, 0
            self.counts["trades"] += 1
        else:
            self.streams.heard(said.instrument, "ticker", self._now_ns, said.exchange_ns)
        stamp = said.exchange_ns, -1, said.sequence, -1
        try:
            self._pack(
                out,
                said.instrument,
                said.kind,
                stamp,
                said.sides,
                said.price_ticks,
                said.quantity_lots,
            )
        except _MESSAGE_ERRORS as error:
            self._spoilt(out, SpoiltError(said.instrument, False, str(error)))

    def _levels(self, out: Out, message: Levels) -> None:
        book = self._books[message.instrument]
        if message.sequence < 0:
            self._spoilt(
                out, SpoiltError(message.instrument, True, f"an update id of {message.sequence}")
            )
            return
        verdict, passed = book.channel.take(message)
        for levels in passed:
            if not book.channel.synchronised or not self._apply(out, levels):
                return
        if verdict is Verdict.TAKEN:
            if message.snapshot:
                book.since_ns = self._now_ns
                book.deadline_ns = book.request_ns = book.token = -1
                self._unsettled.discard(message.instrument)
        elif verdict is Verdict.STALE:
            self.counts["stale"] += 1
        elif verdict is Verdict.GAP:
            self.counts["gaps"] += 1
            self._resync(out, message.instrument, None if message.snapshot else message)
        elif verdict is Verdict.TOO_OLD:
            self.counts["too_old"] += 1
            self._again(out, message.instrument)
        elif verdict is Verdict.DOUBTED:
            self.counts["doubted"] += 1
            self._resync(out, message.instrument, None)

    def _apply(self, out: Out, levels: Levels) -> bool:
        """Pass a message on and to the book; False where the book is void after it."""
        book = self._books[levels.instrument]
        kind = SNAPSHOT if levels.snapshot else DEPTH
        stamp = levels.exchange_ns, levels.first, levels.sequence, levels.previous
        sides, prices, lots = levels.sides, levels.price_ticks, levels.quantity_lots
        try:
            rows = self._pack(out, levels.instrument, kind, stamp, sides, prices, lots)
        except _MESSAGE_ERRORS as error:
            self._spoilt(out, SpoiltError(levels.instrument, True, str(error)))
            return False
        self.counts["snapshots" if levels.snapshot else "diffs"] += 1
        book.native.apply_all(event_words(np.frombuffer(rows, EVENT_DTYPE)), levels.instrument)
        if book.native.valid:
            return True
        self.counts["crosses"] += 1
        self._resync(out, levels.instrument, None)
        return False

    def _pack(
        self,
        out: Out,
        instrument: int,
        kind: int,
        stamp: tuple[int, int, int, int],
        sides: Sequence[int],
        price_ticks: Sequence[int],
        quantity_lots: Sequence[int],
    ) -> bytes:
        rows = pack_message(
            (self._now_ns, *stamp), kind, instrument, sides, price_ticks, quantity_lots
        )
        out.rows.append(rows)
        return rows

    # -- what went wrong

    def _spoilt(self, out: Out, error: SpoiltError) -> None:
        self.counts["spoilt"] += 1
        self.last_error = str(error)
        if error.of_book:
            if self._books[error.instrument].channel.synchronised:
                self._resync(out, error.instrument, None)
            else:
                self._again(out, error.instrument)

    def _resync(self, out: Out, index: int, last: Levels | None) -> None:
        """Void a book and ask for a snapshot: at once, or later where that did not help before."""
        book = self._books[index]
        if self._now_ns - book.since_ns >= self.settings.settled_ns:
            book.attempts = 0
        book.channel.void(last)
        self._reset(out, index)
        self.counts["resyncs"] += 1
        self._again(out, index)

    def _again(self, out: Out, index: int) -> None:
        """Ask for a snapshot once more, later the more often it did not help."""
        book, settings = self._books[index], self.settings
        if book.request_ns >= 0:
            return
        book.attempts += 1
        if book.attempts > settings.snapshot_attempts:
            symbol = self.dialect.instruments[index].symbol
            self._lose(out, f"no sound book of {symbol} in {settings.snapshot_attempts} attempts")
            return
        self._unsettled.add(index)
        wait_ns = 0 if book.attempts == 1 else settings.least_wait_ns << (book.attempts - 2)
        book.request_ns, book.deadline_ns, book.token = self._now_ns + wait_ns, -1, -1
        if wait_ns == 0:
            self._ask(out, index)

    def _press_one(self, out: Out, index: int) -> None:
        book = self._books[index]
        if 0 <= book.request_ns <= self._now_ns:
            self._ask(out, index)
        elif 0 <= book.deadline_ns <= self._now_ns:
            book.deadline_ns = -1
            self._again(out, index)

    def _ask(self, out: Out, index: int) -> None:
        book, ask = self._books[index], self.dialect.ask(index)
        book.request_ns, book.deadline_ns = -1, self._now_ns + self.settings.snapshot_ns
        out.actions += [Send(text) for text in ask.texts]
        if ask.path:
            self._token += 1
            book.token = self._token
            out.actions.append(Fetch(self.dialect.rest + ask.path, index, book.token))

    def _reset(self, out: Out, index: int) -> None:
        rows = self._pack(out, index, RESET, (-1, -1, -1, -1), (NONE,), (0,), (0,))
        self._books[index].native.apply_all(event_words(np.frombuffer(rows, EVENT_DTYPE)), index)

    # -- of the session

    def _void(self, out: Out, everything: bool = False) -> None:
        for index, book in enumerate(self._books):
            if everything or book.channel.synchronised:
                self._reset(out, index)
            book.channel.void()
            book.request_ns = book.deadline_ns = book.token = -1
        self._unsettled.clear()

    def _joined(self, out: Out) -> None:
        for index, book in enumerate(self._books):
            book.attempts = 1
            self._unsettled.add(index)
            if self.dialect.rest:
                self._ask(out, index)
            else:
                book.request_ns, book.deadline_ns = -1, self._now_ns + self.settings.snapshot_ns

    def _press(self, out: Out) -> None:
        for index in sorted(self._unsettled):
            if self.state is SessionState.OPEN:
                self._press_one(out, index)

    def _deadlines(self) -> list[int]:
        unsettled = [self._books[index] for index in self._unsettled]
        times = [time for book in unsettled for time in (book.request_ns, book.deadline_ns)]
        return [time for time in times if time >= 0]


def _check_text(text: bytes) -> None:
    """Refuse what is not UTF-8: the decoder does not look into fields that it skips."""
    if not text.isascii():
        text.decode()
