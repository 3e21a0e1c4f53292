"""Messages of Binance's market streams, field by field as the venue names them.

Sources: the venue's API documentation, sections on "Diff. Book Depth Streams", "Individual Symbol Book
Ticker Streams", "Trade Streams", "Mark Price Stream" and "Order Book"; the exchange information of 2024
for tick and lot sizes.
"""

from __future__ import annotations

import msgspec

from pyorch.contract.errors import DataError
from pyorch.contract.events import Instrument

COUNTS = (
    "lines",
    "rows",
    "depth_messages",
    "snapshots",
    "trades",
    "best_quotes",
    "marks",
    "gaps",
    "duplicates",
    "duplicate_trades",
    "out_of_order_local",
    "contained",
    "waited",
    "snapshots_not_needed",
    "snapshots_too_old",
    "other_trades",
    "other_messages",
)
"""What a reader counts; ``contained``: diffs that the snapshot held already; ``waited``: diffs that came
before the snapshot and were applied after it."""

Levels = list[tuple[str, str]]


class Envelope(msgspec.Struct):
    """A line: a stream's message, or (without ``stream``) a snapshot."""

    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class Depth(msgspec.Struct):
    """A diff: new quantities of levels. Spot has neither ``T`` nor ``pu``; only coin-margined ``ps``."""

    s: str
    E: int
    U: int
    u: int
    b: Levels
    a: Levels
    T: int = -1
    pu: int = -1
    ps: str = ""


class Best(msgspec.Struct):
    """Best bid and ask. Spot has no times."""

    s: str
    u: int
    b: str
    B: str
    a: str
    A: str
    T: int = -1
    E: int = -1


class Trade(msgspec.Struct):
    """A trade; ``m``: the buyer was resting; ``X``: what kind of trade (futures)."""

    s: str
    t: int
    p: str
    q: str
    m: bool
    T: int
    X: str = "MARKET"


class Mark(msgspec.Struct):
    """Mark price and funding rate."""

    s: str
    p: str
    E: int
    r: str = ""


class Snapshot(msgspec.Struct):
    """A full book by REST. Spot has no times."""

    lastUpdateId: int
    bids: Levels
    asks: Levels
    T: int = -1
    E: int = -1


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_depth = msgspec.json.Decoder(Depth).decode
decode_best = msgspec.json.Decoder(Best).decode
decode_trade = msgspec.json.Decoder(Trade).decode
decode_mark = msgspec.json.Decoder(Mark).decode
decode_snapshot = msgspec.json.Decoder(Snapshot).decode

_GRIDS = {
    ("binance-coinm", "BTCUSD_PERP"): ("0.1", "1", 100.0),
    ("binance-coinm", "ETHUSD_PERP"): ("0.01", "1", 10.0),
    ("binance-usdm", "BTCUSDT"): ("0.1", "0.001", 0.0),
    ("binance-usdm", "ETHUSDT"): ("0.01", "0.001", 0.0),
    ("binance-spot", "BTCUSDT"): ("0.01", "0.00000001", 0.0),
    ("binance-spot", "ETHUSDT"): ("0.01", "0.00000001", 0.0),
}


def instrument_of(diff: Depth, source: str) -> Instrument:
    """The instrument that a diff belongs to, told by the fields that only one of the venues sends.

    Raises:
        DataError: its tick and lot sizes are not known.
    """
    venue = "binance-coinm" if diff.ps else "binance-usdm" if diff.pu >= 0 else "binance-spot"
    grid = _GRIDS.get((venue, diff.s))
    if grid is None:
        raise DataError(f"{source}: {_unknown_grid(venue, diff.s)}")
    return Instrument(diff.s, venue, *grid)


def instrument_named(venue: str, symbol: str) -> Instrument:
    """An instrument whose tick and lot sizes are known.

    Raises:
        DataError: they are not.
    """
    grid = _GRIDS.get((venue, symbol))
    if grid is None:
        raise DataError(_unknown_grid(venue, symbol))
    return Instrument(symbol, venue, *grid)


def _unknown_grid(venue: str, symbol: str) -> str:
    known = ", ".join(f"{symbol} of {at}" for at, symbol in _GRIDS)
    return (
        f"tick and lot size of {symbol} of {venue} are not known; known are {known}; "
        "add it to pyorch/market/feeds/binance_messages.py"
    )
