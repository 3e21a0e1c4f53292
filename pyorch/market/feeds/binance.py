"""Recorded Binance streams (coin-margined, USD-margined, spot) → a tape.

A recording is text, one message a line, usually gzipped: ``<local time> <raw JSON>``, as the collector
of hftbacktest writes it. Local time is in ns, or in us in recordings of 2023; its magnitude tells. A line
without ``stream`` is a REST depth snapshot, which arrives in the middle of the diffs.

The venue's rule ("How to manage a local order book correctly" in its API documentation): diffs that come
before the snapshot wait; of those the ones that it contains are dropped, and the rest are applied, if the
first of them continues the snapshot. They stand on the tape at the snapshot's local time, since nobody
could have used them earlier. After a gap the book is void (a RESET row) until another snapshot.

Prices and quantities are decimal strings and become integer ticks and lots exactly.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pyorch.contract.errors import DataError, SequenceGapError, UsageError
from pyorch.contract.events import Instrument, Kind, Side
from pyorch.market.book import continues
from pyorch.market.feeds.binance_messages import (
    COUNTS,
    Depth,
    decode_best,
    decode_depth,
    decode_envelope,
    decode_mark,
    decode_snapshot,
    decode_trade,
    instrument_of,
)
from pyorch.market.feeds.grid import Grid
from pyorch.market.rows import RowBuffer
from pyorch.market.tape import Tape, merge_tapes

DEPTH, SNAPSHOT, BEST, TRADE = int(Kind.DEPTH), int(Kind.SNAPSHOT), int(Kind.BEST), int(Kind.TRADE)
MARK, RESET = int(Kind.MARK), int(Kind.RESET)
BID, ASK, NONE = int(Side.BID), int(Side.ASK), int(Side.NONE)

RATE_UNIT = 100_000_000
"""Funding rates are integers of 1e-8."""

Progress = Callable[[int], None]
Message = TypeVar("Message")


@dataclass(slots=True)
class _Place:
    """Where the reader is, for messages about what it met."""

    path: Path = field(default_factory=Path)
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}: line {self.line:,}"


def read_recordings(
    paths: Sequence[Path],
    second: Sequence[Path] = (),
    *,
    name: str | None = None,
    refuse_gaps: bool = False,
    on_bytes: Progress | None = None,
) -> Tape:
    """A tape from the files of one recording in order, and optionally of another market's.

    Args:
        paths: files of one instrument, first one first; the first holds a depth snapshot.
        second: files of a second instrument, merged by local time as instrument 1.
        name: of the tape; by default of the first file.
        refuse_gaps: raise on a gap instead of voiding the book until the next snapshot.
        on_bytes: called now and then with the (uncompressed) bytes read since the last call.

    Raises:
        DataError: a file is missing, truncated or garbled (named with its line), the files are out of
            order, hold several symbols or no snapshot, or the two recordings do not overlap in time.
        SequenceGapError: a diff does not continue the one before it, and gaps are refused.
        UsageError: no file was given.
    """
    if not paths:
        raise UsageError("no recording was given; name at least one file")
    readers = [_Reader(refuse_gaps, on_bytes) for _ in range(2 if second else 1)]
    tape = readers[0].read(paths, name)
    return merge_tapes(tape, readers[1].read(second, None)) if second else tape


def recorded_bytes(path: Path) -> int:
    """Bytes of a recording when unpacked, for progress; 0 where it cannot be told."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                return path.stat().st_size
            file.seek(-4, 2)  # gzip ends in the length, modulo 2^32
            return int.from_bytes(file.read(4), "little")
    except OSError:
        return 0


class _Reader:
    """Reads the files of one instrument."""

    def __init__(self, refuse_gaps: bool, on_bytes: Progress | None) -> None:
        self._refuse_gaps = refuse_gaps
        self._on_bytes = on_bytes
        self._rows = RowBuffer()
        self._place = _Place()
        self._counts = dict.fromkeys(COUNTS, 0)
        self._instrument: Instrument | None = None
        self._ticks = self._lots = Grid("1")
        self._local_ns = 0
        self._sequence = -1
        self._synchronised = False
        self._after_snapshot = False
        self._waiting: list[Depth] = []
        self._trade_id = -1

    def read(self, paths: Sequence[Path], name: str | None) -> Tape:
        for path in paths:
            self._instrument = self._identify(path)
            before_ns = self._local_ns
            for local_ns, text in self._lines(path):
                if self._place.line == 1 and local_ns < before_ns:
                    raise DataError(
                        f"{path}: begins {(before_ns - local_ns) / 1e9:,.3f} s before the end of the file "
                        "before it; give the files of a recording in order"
                    )
                self._message(local_ns, text)
        assert self._instrument is not None  # the caller gave at least one path
        if self._counts["snapshots"] == 0:
            raise DataError(
                f"{paths[0]}: no depth snapshot that the diffs continue, so no book can be built; give the "
                "files of a recording together, the one with the snapshot first"
            )
        events = self._rows.array()
        self._counts["rows"] = len(events)
        name = name or paths[0].name.partition(".")[0]
        return Tape(events, (self._instrument,), name, self._counts)

    def _identify(self, path: Path) -> Instrument:
        """The instrument of a file, told by its first depth diff."""
        for _, text in self._lines(path):
            envelope = self._decode(decode_envelope, text)
            if envelope.stream is not None and _kind_of(envelope.stream) == "depth":
                found = instrument_of(self._decode(decode_depth, envelope.data), str(path))
                break
        else:
            raise DataError(f"{path}: holds no depth diff; a book cannot be built from it")
        if self._instrument is not None and found != self._instrument:
            raise DataError(
                f"{path}: {found.symbol} of {found.venue}, the file before it {self._instrument.symbol} of "
                f"{self._instrument.venue}; a recording is of one instrument"
            )
        self._ticks, self._lots = Grid(found.tick_size), Grid(found.lot_size)
        return found

    def _lines(self, path: Path) -> Iterator[tuple[int, bytes]]:
        """Local time in ns and JSON text of each line."""
        place = self._place = _Place(path)
        if not path.is_file():
            raise DataError(f"{path}: no such recording")
        unreported = 0
        try:
            with path.open("rb") as probe:
                packed = probe.read(2) == b"\x1f\x8b"
            with gzip.open(path, "rb") if packed else path.open("rb") as file:
                for line in file:
                    place.line += 1
                    stamp, _, text = line.partition(b" ")
                    if not (stamp.isdigit() and text):
                        raise DataError(
                            f"{place}: begins {line[:40]!r}; a line is a local time in digits, a space, JSON"
                        )
                    yield _nanoseconds(int(stamp)), text
                    unreported += len(line)
                    if self._on_bytes and unreported > 1 << 20:
                        self._on_bytes(unreported)
                        unreported = 0
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(
                f"{place}: after it the file cannot be read ({error}): it is cut short or damaged; "
                "fetch it again"
            ) from error

    def _decode(self, decode: Callable[[bytes], Message], text: bytes) -> Message:
        try:
            return decode(text)
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{self._place}: {error}; the line begins {bytes(text)[:60]!r}: it is cut short or garbled"
            ) from error

    def _message(self, local_ns: int, text: bytes) -> None:
        self._counts["lines"] += 1
        if local_ns < self._local_ns:
            self._counts["out_of_order_local"] += 1
        else:
            self._local_ns = local_ns
        envelope = self._decode(decode_envelope, text)
        kind = _kind_of(envelope.stream) if envelope.stream is not None else "snapshot"
        try:
            if kind == "depth":
                self._depth(self._decode(decode_depth, envelope.data))
            elif kind == "bookTicker":
                self._best(envelope.data)
            elif kind == "trade":
                self._trade(envelope.data)
            elif kind == "snapshot":
                self._snapshot(text)
            elif kind == "markPrice":
                self._mark(envelope.data)
            else:
                self._counts["other_messages"] += 1
        except ValueError as error:  # a number that is not on the instrument's grid
            if isinstance(error, msgspec.MsgspecError):
                raise
            raise DataError(f"{self._place}: {error}") from error

    def _check_symbol(self, symbol: str) -> None:
        assert self._instrument is not None
        if symbol != self._instrument.symbol:
            raise DataError(
                f"{self._place}: a message of {symbol} in a recording of {self._instrument.symbol}; "
                "give one instrument a file"
            )

    def _depth(self, diff: Depth) -> None:
        self._check_symbol(diff.s)
        self._counts["depth_messages"] += 1
        if self._synchronised:
            self._apply(diff)
        else:
            self._waiting.append(diff)

    def _apply(self, diff: Depth) -> None:
        if diff.u <= self._sequence:
            self._counts["contained" if self._after_snapshot else "duplicates"] += 1
            return
        if not continues(self._sequence, diff.U, diff.pu, self._after_snapshot):
            if self._refuse_gaps:
                raise SequenceGapError(
                    f"{self._place}: the diff covers update ids {diff.U:,} to {diff.u:,} after "
                    f"{diff.pu if diff.pu >= 0 else diff.U - 1:,}, the book stands at {self._sequence:,}: "
                    "messages are missing; without --refuse-gaps the book is void until the next snapshot"
                )
            self._counts["gaps"] += 1
            self._synchronised = False
            self._waiting.append(diff)
            self._row(-1, -1, -1, -1, 0, 0, RESET, NONE)
            return
        self._sequence, self._after_snapshot = diff.u, False
        stamp = _exchange_ns(diff.T if diff.T >= 0 else diff.E), diff.U, diff.u, diff.pu
        self._levels(stamp, diff.b, diff.a, DEPTH)

    def _snapshot(self, text: bytes) -> None:
        snapshot = self._decode(decode_snapshot, text)
        if self._synchronised:  # the diffs have carried the book on without a gap: nothing to learn
            self._counts["snapshots_not_needed"] += 1
            return
        newer = [diff for diff in self._waiting if diff.u > snapshot.lastUpdateId]
        at = snapshot.lastUpdateId
        if newer and not continues(at, newer[0].U, newer[0].pu, True):
            self._counts["snapshots_too_old"] += 1
            return
        self._counts["snapshots"] += 1
        self._counts["contained"] += len(self._waiting) - len(newer)
        self._counts["waited"] += len(newer)
        self._waiting = []
        time = snapshot.T if snapshot.T >= 0 else snapshot.E
        self._levels((_exchange_ns(time), -1, at, -1), snapshot.bids, snapshot.asks, SNAPSHOT)
        self._sequence, self._synchronised, self._after_snapshot = at, True, True
        for diff in newer:
            if self._synchronised:
                self._apply(diff)
            else:
                self._waiting.append(diff)

    def _levels(
        self,
        stamp: tuple[int, int, int, int],
        bids: list[tuple[str, str]],
        asks: list[tuple[str, str]],
        kind: int,
    ) -> None:
        ticks, lots = self._ticks, self._lots
        levels = bids + asks
        if not levels:  # the sequence goes on without a level
            self._row(*stamp, 0, 0, kind, NONE)
            return
        self._rows.add(
            (self._local_ns, *stamp),
            kind,
            0,
            [BID] * len(bids) + [ASK] * len(asks),
            [ticks[price] for price, _ in levels],
            [lots[quantity] for _, quantity in levels],
        )

    def _best(self, text: bytes) -> None:
        best = self._decode(decode_best, text)
        self._check_symbol(best.s)
        self._counts["best_quotes"] += 1
        stamp = self._local_ns, _exchange_ns(best.T if best.T >= 0 else best.E), -1, best.u, -1
        prices = [self._ticks[best.b], self._ticks[best.a]]
        lots = [self._lots[best.B], self._lots[best.A]]
        self._rows.add(stamp, BEST, 0, (BID, ASK), prices, lots)

    def _trade(self, text: bytes) -> None:
        trade = self._decode(decode_trade, text)
        self._check_symbol(trade.s)
        if trade.X != "MARKET":  # insurance fund and auto-deleveraging: no one took the book
            self._counts["other_trades"] += 1
            return
        if trade.t <= self._trade_id:
            self._counts["duplicate_trades"] += 1
            return
        self._trade_id = trade.t
        self._counts["trades"] += 1
        aggressor = ASK if trade.m else BID  # m: the buyer was resting
        stamp = _exchange_ns(trade.T), -1, trade.t, -1
        self._row(*stamp, self._ticks[trade.p], self._lots[trade.q], TRADE, aggressor)

    def _mark(self, text: bytes) -> None:
        mark = self._decode(decode_mark, text)
        self._check_symbol(mark.s)
        self._counts["marks"] += 1
        rate = Grid("0.00000001")[mark.r] if mark.r else 0
        price_ticks = self._ticks.nearest(mark.p)
        self._row(_exchange_ns(mark.E), -1, -1, -1, price_ticks, rate, MARK, NONE)

    def _row(
        self,
        exchange_ns: int,
        first_sequence: int,
        sequence: int,
        previous_sequence: int,
        price_ticks: int,
        quantity_lots: int,
        kind: int,
        side: int,
    ) -> None:
        """A message of one row."""
        stamp = self._local_ns, exchange_ns, first_sequence, sequence, previous_sequence
        self._rows.add(stamp, kind, 0, (side,), (price_ticks,), (quantity_lots,))


def _kind_of(stream: str) -> str:
    return stream.split("@")[1] if "@" in stream else stream


def _nanoseconds(stamp: int) -> int:
    """A time since 1970 in ms, us or ns, told by its magnitude, in ns."""
    if stamp < 10**14:
        return stamp * 1_000_000
    return stamp * 1_000 if stamp < 10**17 else stamp


def _exchange_ns(stamp: int) -> int:
    return _nanoseconds(stamp) if stamp >= 0 else -1
