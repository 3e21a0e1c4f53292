"""Where a live desk's venues are: a small file that whoever serves them writes, and the desk reads."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.trading.plan import QuotingPlan

SECRETS = ("simulated", "simulated", "desk")
"""User, secret and protection group of simulated venues; real ones' come from the environment or a file."""
SURFACE_OPTIONS = 3
SURFACE_STRIDE = 2
"""The surface is made of this many calls of the first expiry, so many strikes apart, around the opening."""


class LivePlace(msgspec.Struct, frozen=True):
    """Addresses.

    Attributes:
        process: of the server; shift_ns: our clock is so much later than the market's.
        binance, deribit: ports of the websockets (and of Binance's HTTP); rpc: of JSON-RPC; fix: per venue.
        underlying, options: what the feeds carry.
    """

    process: int
    shift_ns: int
    host: str
    binance: int
    deribit: int
    rpc: int
    fix: list[int]
    underlying: Instrument
    options: list[Instrument]


def live_place_path(folder: Path) -> Path:
    """The file in a folder."""
    return folder / "venues.json"


def read_live_place(folder: Path) -> LivePlace:
    """Where the venues are.

    Raises:
        UsageError: nobody has written it.
    """
    path = live_place_path(folder)
    try:
        return msgspec.json.decode(path.read_bytes(), type=LivePlace)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path} does not say where the venues are ({error}); start them with `pyorch serve-venues`"
        ) from error


def surface_options(plan: QuotingPlan) -> list[int]:
    """Options of the universe whose tickers the surface is made of.

    Raises:
        UsageError: the universe has too few strikes.
    """
    calls = [
        number
        for number, option in enumerate(plan.universe.options)
        if option.expiry == 0 and option.right == "call"
    ]
    reach = SURFACE_OPTIONS // 2 * SURFACE_STRIDE
    centre = len(calls) // 2
    if centre < reach or centre + reach >= len(calls):
        raise UsageError(
            f"{len(calls)} strikes are too few for a surface of {SURFACE_OPTIONS} options {SURFACE_STRIDE} "
            "strikes apart; give universe.strikes at least 5"
        )
    return [
        calls[centre + SURFACE_STRIDE * (k - SURFACE_OPTIONS // 2)] for k in range(SURFACE_OPTIONS)
    ]
