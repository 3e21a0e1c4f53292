"""A tape in a venue's words: sessions for a stand-in where there is no recording.

What is said is what the tape holds: nothing is added, and prices keep the tape's own grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EventArray, Flag, Instrument, Kind, Side
from pyorch.market.tape import Tape
from pyorch.trading.surface import YEAR_SECONDS
from sim.feeds.recorded import Recorded

_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Message:
    kind: int
    milliseconds: int
    first: int
    sequence: int
    previous: int
    sides: list[int]
    prices: list[str]
    quantities: list[str]


def spoken(tape: Tape, index: int, called: Instrument) -> list[Recorded]:
    """An instrument's messages up to its first reset after the first snapshot.

    Args:
        index: of the tape's instrument; called: what the venue calls it; its venue says which words are
            used: ``binance-coinm``, ``binance-usdm`` or ``deribit``. Its grid must be the tape's.

    Raises:
        UsageError: another venue, or another grid.
    """
    own = tape.instruments[index]
    if (own.tick_size, own.lot_size) != (called.tick_size, called.lot_size):
        raise UsageError(
            f"{own.symbol} has ticks of {own.tick_size} and lots of {own.lot_size}, {called.symbol} of "
            f"{called.tick_size} and {called.lot_size}; call it by a name with the same sizes"
        )
    say = _WORDS.get(called.venue)
    if say is None:
        raise UsageError(f"no words of {called.venue!r}; choose {', '.join(_WORDS)}")
    texts: list[Recorded] = []
    for local_ns, message in _messages(tape.events, index, own):
        if message.kind == Kind.RESET and texts:
            break
        found = say(called.symbol, message)
        if found is not None:
            texts.append(Recorded(local_ns, msgspec.json.encode(found)))
    return texts


@dataclass(frozen=True, slots=True)
class SpokenOption:
    """An option whose ticker is spoken."""

    symbol: str
    strike_usd: int


def spoken_surface(
    tape: Tape, options: Sequence[SpokenOption], expiry_ns: int, curvature: float
) -> list[Recorded]:
    """A tape's surface rows as Deribit's tickers of options of one expiry.

    Args:
        curvature: of the volatility in standardised log-moneyness, beside the rows' volatility and skew.
    """
    tick = Decimal(tape.instruments[0].tick_size)
    texts, mid = list[Recorded](), 0.0
    of_first = tape.events["instrument"] == 0
    rows = tape.events[of_first & np.isin(tape.events["kind"], (Kind.BEST, Kind.SURFACE))]
    best = {int(Side.BID): 0, int(Side.ASK): 0}
    for row in rows:
        if row["kind"] == Kind.BEST:
            best[int(row["side"])] = int(row["price_ticks"])
            mid = float(sum(best.values()) * tick) / 2 if all(best.values()) else 0.0
        elif mid:
            local_ns = int(row["local_ns"])
            root_years = math.sqrt((expiry_ns - local_ns) * 1e-9 / YEAR_SECONDS)
            for one in options:
                y = math.log(one.strike_usd / mid) / root_years
                percent = (int(row["price_ticks"]) + int(row["quantity_lots"]) * y) / 10_000
                text = _ticker(one.symbol, local_ns, mid, percent + 100 * curvature * y * y)
                texts.append(Recorded(local_ns, text))
    return texts


class SpokenBook:
    """An option's book in Deribit's words, each time as it differs from the last time.

    Args:
        called: what the venue calls it; prices and amounts are written in its sizes.
    """

    def __init__(self, called: Instrument) -> None:
        self._called = called
        self._tick, self._lot = Decimal(called.tick_size), Decimal(called.lot_size)
        self._last: tuple[dict[int, int], dict[int, int]] | None = None
        self._number = 0

    def say(self, sides: Sequence[Sequence[tuple[int, int]]], local_ns: int) -> bytes | None:
        """A snapshot at first, then a change; None: nothing has changed.

        Args:
            sides: (price in ticks, lots) of bids and of asks.
        """
        now = dict(sides[0]), dict(sides[1])
        if now == self._last:
            return None
        before, kind = (({}, {}), Kind.SNAPSHOT) if self._last is None else (self._last, Kind.DEPTH)
        levels = [
            (int(side), price, now[side].get(price, 0))
            for side in (Side.BID, Side.ASK)
            for price in {**before[side], **now[side]}
            if before[side].get(price) != now[side].get(price)
        ]
        self._last, self._number = now, self._number + 1
        message = _Message(
            int(kind), local_ns // _MILLISECOND_NS, -1, self._number, self._number - 1,
            [side for side, _, _ in levels], [f"{price * self._tick:f}" for _, price, _ in levels],
            [f"{lots * self._lot:f}" for _, _, lots in levels],
        )  # fmt: skip
        return msgspec.json.encode(_deribit(self._called.symbol, message))


def _ticker(symbol: str, local_ns: int, underlying: float, percent: float) -> bytes:
    said = {"timestamp": local_ns // _MILLISECOND_NS, "instrument_name": symbol}
    prices = {"mark_price": 0.02, "index_price": round(underlying, 2)}
    prices |= {"underlying_price": round(underlying, 4), "mark_iv": round(percent, 4)}
    return msgspec.json.encode(_channel("ticker", symbol, said | prices))


def _messages(
    events: EventArray, index: int, instrument: Instrument
) -> Iterator[tuple[int, _Message]]:
    rows = events[events["instrument"] == index]
    begins = np.flatnonzero(rows["flags"] & int(Flag.FIRST))
    tick, lot = Decimal(instrument.tick_size), Decimal(instrument.lot_size)
    for start, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        part = rows[start:end]
        one = part[0]
        yield int(one["local_ns"]), _Message(
            int(one["kind"]), int(one["exchange_ns"]) // _MILLISECOND_NS, int(one["first_sequence"]),
            int(one["sequence"]), int(one["previous_sequence"]), part["side"].tolist(),
            [f"{price * tick:f}" for price in part["price_ticks"].tolist()],
            [f"{lots * lot:f}" for lots in part["quantity_lots"].tolist()],
        )  # fmt: skip


def _binance(symbol: str, one: _Message) -> dict[str, Any] | None:
    levels: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    if one.kind in (Kind.SNAPSHOT, Kind.DEPTH):
        for side, price, quantity in zip(one.sides, one.prices, one.quantities, strict=True):
            levels[side].append((price, quantity))
    at = {"E": one.milliseconds, "T": one.milliseconds}
    if one.kind == Kind.SNAPSHOT:
        return {"lastUpdateId": one.sequence, **at, "bids": levels[0], "asks": levels[1]}
    if one.kind == Kind.DEPTH:
        first = one.first if one.first >= 0 else one.sequence
        ids = {"U": first, "u": one.sequence, "pu": one.previous}
        return _stream(symbol, "depth@0ms", at | ids | {"b": levels[0], "a": levels[1]})
    if one.kind == Kind.BEST:
        bid, ask = one.sides.index(Side.BID), one.sides.index(Side.ASK)
        best = {"b": one.prices[bid], "B": one.quantities[bid], "a": one.prices[ask]}
        return _stream(
            symbol, "bookTicker", at | {"u": one.sequence, **best, "A": one.quantities[ask]}
        )
    if one.kind == Kind.TRADE:
        trade = {"t": one.sequence, "p": one.prices[0], "q": one.quantities[0], "X": "MARKET"}
        return _stream(symbol, "trade", at | trade | {"m": one.sides[0] == Side.ASK})
    return None


def _stream(symbol: str, stream: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"stream": f"{symbol.lower()}@{stream}", "data": {"s": symbol, **data}}


def _deribit(symbol: str, one: _Message) -> dict[str, Any] | None:
    at = {"timestamp": one.milliseconds, "instrument_name": symbol}
    prices = [msgspec.Raw(text.encode()) for text in one.prices]
    amounts = [msgspec.Raw(text.encode()) for text in one.quantities]
    if one.kind in (Kind.SNAPSHOT, Kind.DEPTH):
        whole = one.kind == Kind.SNAPSHOT
        sides: tuple[list[Any], list[Any]] = ([], [])
        for side, price, amount in zip(one.sides, prices, amounts, strict=True):
            action = "new" if whole else "change" if Decimal(bytes(amount).decode()) else "delete"
            sides[side].append((action, price, amount))
        book = at | {"type": "snapshot" if whole else "change", "change_id": one.sequence}
        book |= {"bids": sides[0], "asks": sides[1]}
        return _channel("book", symbol, book | ({} if whole else {"prev_change_id": one.previous}))
    if one.kind == Kind.TRADE:
        trade = {"trade_seq": one.sequence, "price": prices[0], "amount": amounts[0]}
        direction = "buy" if one.sides[0] == Side.BID else "sell"
        return _channel("trades", symbol, [at | trade | {"direction": direction}])
    return None


def _channel(stream: str, symbol: str, data: Any) -> dict[str, Any]:
    params = {"channel": f"{stream}.{symbol}.100ms", "data": data}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}


_WORDS: dict[str, Callable[[str, _Message], dict[str, Any] | None]] = {
    "binance-coinm": _binance,
    "binance-usdm": _binance,
    "deribit": _deribit,
}
