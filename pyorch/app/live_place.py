"""Where a live desk's venues are: a small file that whoever serves them writes, and the desk reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from pyorch.app.desk_config import DeskConfig
from pyorch.contract.errors import DeviceError, UsageError
from pyorch.contract.events import Instrument
from pyorch.trading.plan import Opening, QuotingPlan

SECRETS = ("simulated", "simulated", "desk")
"""User, secret and protection group of simulated venues; real ones' come from the environment or a file."""
SURFACE_OPTIONS = 3
SURFACE_STRIDE = 2
"""The surface is made of this many calls of the first expiry, so many strikes apart, around the opening."""
BEGINS_S = 60.0
"""For the market to begin once somebody listens."""


class LivePlace(msgspec.Struct, frozen=True):
    """Addresses, and which market is there.

    Attributes:
        market: a name that no other market served anywhere has.
        process: of the server.
        begun: the market's clock runs; it waits for somebody who listens. Until then ``shift_ns`` is 0.
        shift_ns: our clock is so much later than the market's; last_ns: the market's end.
        opening: where the market begins.
        binance, deribit: ports of the websockets (and of Binance's HTTP); rpc: of JSON-RPC; fix: per venue;
            requests: of those who ask for quotes.
        underlying, options: what the feeds carry.
    """

    market: str
    process: int
    begun: bool
    shift_ns: int
    last_ns: int
    opening: Opening
    host: str
    binance: int
    deribit: int
    rpc: int
    fix: list[int]
    requests: int
    underlying: Instrument
    options: list[Instrument]


def live_place_path(folder: Path) -> Path:
    """The file in a folder."""
    return folder / "venues.json"


def venues_lock(folder: Path) -> Path:
    """What whoever serves venues in a folder holds."""
    return folder / "lock"


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


def await_begin(folder: Path, watch: Callable[[], None]) -> LivePlace:
    """The same once the market has begun.

    Args:
        watch: called while it waits.

    Raises:
        DeviceError: it does not begin.
    """
    until_s = time.monotonic() + BEGINS_S
    while not (place := read_live_place(folder)).begun:
        watch()
        if time.monotonic() > until_s:
            raise DeviceError(
                f"the market of {folder} has not begun in {BEGINS_S:.0f} s, though its feed was asked for: "
                "the server's standard error says why"
            )
        time.sleep(0.005)
    return place


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


def listed_options(plan: QuotingPlan, config: DeskConfig) -> list[int]:
    """Options that the options' feed carries: the surface's, then those of parent orders."""
    return list(dict.fromkeys([*surface_options(plan), *(one.option for one in config.parents)]))
