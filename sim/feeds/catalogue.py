"""The recorded sessions of the venues, with the instruments that they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyorch.contract.events import Instrument
from pyorch.market.feeds.binance_messages import instrument_named
from pyorch.market.feeds.dialect import Dialect
from pyorch.market.feeds.live_binance import BinanceDialect
from pyorch.market.feeds.live_bitcom import BitComDialect
from pyorch.market.feeds.live_delta import DeltaDialect
from pyorch.market.feeds.live_deribit import DeribitDialect, instruments_of
from sim.feeds.recorded import Recorded, read_session

Make = Callable[..., Dialect]


@dataclass(frozen=True, slots=True)
class RecordedVenue:
    """A recorded session and the dialect that speaks with it.

    Attributes:
        recorded: what the venue sent.
        dialect: makes the dialect; takes ``url`` and, for Binance, ``rest``.
    """

    recorded: list[Recorded]
    dialect: Make


_BINANCE = {
    "binance-coinm": ("coinm_btcusd_perp_20240808.gz", "BTCUSD_PERP"),
    "binance-usdm": ("usdm_btcusdt_20240808.gz", "BTCUSDT"),
    "binance-spot": ("spot_btcusdt_20240808.gz", "BTCUSDT"),
}
_SPOT_PAIRS = [
    "ORDI-USDT",
    "COMP-USD",
    "DOSE-USDT",
    "OMG-USDT",
    "BTC-USD",
    "TUSD-USDT",
    "YFI-USDT",
    "FTM-USDT",
    "LTC-USD",
]
_DELTA_OPTIONS = [
    "C-ETH-3200-311221",
    "P-BNB-600-291121",
    "C-ETH-4000-250322",
    "P-ETH-5600-311221",
    "C-BNB-540-031221",
    "P-ETH-3500-280122",
    "C-BNB-560-031221",
    "C-ETH-4450-301121",
    "P-BNB-560-031221",
    "P-ETH-4000-250322",
]
_DERIBIT_OPTIONS = [
    "BTC-24SEP21-8000-P",
    "BTC-30JUL21-24000-P",
    "ETH-30JUL21-2800-C",
    "BTC-31DEC21-34000-P",
    "BTC-24SEP21-34000-P",
    "BTC-24JUN22-15000-C",
    "BTC-31DEC21-300000-C",
    "ETH-27AUG21-4000-P",
    "BTC-25MAR22-30000-C",
    "ETH-23JUL21-2300-C",
]

VENUES = ("deribit", "bit.com", "bit.com-spot", "delta", *_BINANCE)


def recorded_venue(name: str, folder: Path, most: int | None = None) -> RecordedVenue:
    """A recorded session.

    Args:
        name: one of `VENUES`.
        folder: of the recordings, with ``ws_captures`` and ``binance``.
        most: texts to read.
    """
    captures = folder / "ws_captures"
    if name == "deribit":
        found: dict[str, Instrument] = {}
        for line in (captures / "DERIBIT.0").read_text().splitlines():
            if "get_instruments" in line:
                found |= {
                    one.symbol: one for one in instruments_of(line[line.index("{") :].encode())
                }
        options = tuple(found[symbol] for symbol in _DERIBIT_OPTIONS)
        return RecordedVenue(
            read_session(captures / "DERIBIT.ws.1.0", most),
            lambda **where: DeribitDialect(options, interval="raw", **where),
        )
    if name == "bit.com":
        perpetual = (Instrument("NEAR-USDT-PERPETUAL", "bit.com", "0.001", "10"),)
        return RecordedVenue(
            read_session(captures / "BIT.COM.ws.2.0", most),
            lambda **where: BitComDialect(perpetual, **where),
        )
    if name == "bit.com-spot":
        pairs = tuple(
            Instrument(symbol, "bit.com", "0.000001", "0.000001") for symbol in _SPOT_PAIRS
        )
        return RecordedVenue(
            read_session(captures / "BIT.COM.ws.1.0", most),
            lambda **where: BitComDialect(pairs, pairs=True, **where),
        )
    if name == "delta":
        calls = tuple(Instrument(symbol, "delta", "0.01", "1") for symbol in _DELTA_OPTIONS)
        return RecordedVenue(
            read_session(captures / "DELTA.ws.1.0", most),
            lambda **where: DeltaDialect(calls, **where),
        )
    file, symbol = _BINANCE[name]
    one = (instrument_named(name, symbol),)
    return RecordedVenue(
        read_session(folder / "binance" / file, most), lambda **where: BinanceDialect(one, **where)
    )
