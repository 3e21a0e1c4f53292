"""Messages of Binance's market streams, field by field as the venue names them, and its number grids.

Sources: the venue's API documentation, sections on "Diff. Book Depth Streams", "Individual Symbol Book
Ticker Streams", "Trade Streams", "Mark Price Stream" and "Order Book"; the exchange information of 2024
for tick and lot sizes.
"""

from __future__ import annotations

import re

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
        known = ", ".join(f"{symbol} of {at}" for at, symbol in _GRIDS)
        raise DataError(
            f"{source}: tick and lot size of {diff.s} of {venue} are not known; known are {known}; "
            "add it to pyorch/market/feeds/binance_messages.py"
        )
    return Instrument(diff.s, venue, *grid)


class Grid(dict[str, int]):
    """Decimal text → number of steps, exactly; a text that was seen before costs one look-up."""

    _NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")
    _DECIMALS = 18
    _KEPT = 1 << 20

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step
        self._scaled_step = self._scaled(step)

    def __missing__(self, text: str) -> int:
        """Steps in ``text``.

        Raises:
            ValueError: it is not a decimal number, or not a multiple of the step.
        """
        count, rest = divmod(self._scaled(text), self._scaled_step)
        if rest:
            raise ValueError(f"{text} is not a multiple of {self.step}")
        if len(self) >= self._KEPT:
            self.clear()
        self[text] = count
        return count

    def nearest(self, text: str) -> int:
        """Steps nearest to ``text``, half a step upwards."""
        return (2 * self._scaled(text) + self._scaled_step) // (2 * self._scaled_step)

    def _scaled(self, text: str) -> int:
        sign = -1 if text.startswith("-") else 1
        match = self._NUMBER.fullmatch(text[1:] if sign < 0 else text)
        if match is None or len(match[2] or "") > self._DECIMALS:
            raise ValueError(f"{text[:40]!r} is not a decimal number of at most 18 places")
        return sign * int(match[1] + (match[2] or "").ljust(self._DECIMALS, "0"))
