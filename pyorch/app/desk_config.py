"""The configuration of `pyorch run`: market, desk, exchange, operators' orders, in TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyorch.contract.settings_file import read_settings
from pyorch.trading.config import BasisPoints, bp100
from pyorch.trading.controls import Order
from pyorch.trading.exchange.settings import ExchangeSettings, Latency
from pyorch.trading.execution import ExecutionSettings, ParentTable
from pyorch.trading.inputs import InputKind, LimitName
from pyorch.trading.request_quotes import RequestSettings


class MarketSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated market of so many seconds, or a tape's first so many; paths are beside the file."""

    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] = 60.0
    seed: int = 1
    tape: str | None = None
    chain: str | None = None


class DeskTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `pyorch.trading.desk.DeskSettings`; ``quoting`` is a quoting configuration.

    Attributes:
        route: how desk and exchange speak; ``fix``: over FIX 4.4 sessions, both ends in this process.
        cold_widen_bp: while the model is cold, at the beginning or after a broken book, quotes go out without
            it, so much wider on both sides; 0: none do.
        engines: a configuration of engines (docs/failover.md) beside the file: a card with the native engine
            as its shadow; without one the native engine answers alone.
    """

    quoting: str | None = None
    decision: Latency = Latency(p50_us=15.0, p99_us=80.0)
    durable: bool = False
    hedge_delta_btc: Annotated[float, Meta(gt=0.0)] = 1e9
    seed: int = 1
    route: Literal["direct", "fix"] = "direct"
    cold_widen_bp: BasisPoints = 0.0
    engines: str | None = None


class OrderTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's order at a time after the market's first row."""

    at_s: Annotated[float, Meta(ge=0.0)]
    order: Literal[
        "kill", "rearm", "pause", "resume", "model_off", "model_on", "widen", "size_cap", "limit",
        "reset_protection",
    ]  # fmt: skip
    who: str
    why: str
    value: int = 0
    limit: Literal["position", "delta", "gamma", "vega", "notional"] = "position"

    def to_order(self) -> Order:
        """As the desk takes it."""
        kind, limit = InputKind[self.order.upper()], LimitName[self.limit.upper()]
        return Order(kind, self.who, self.why, self.value, limit)


class DeskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    market: MarketSource
    desk: DeskTable
    exchange: ExchangeSettings
    orders: tuple[OrderTable, ...] = ()
    execution: ExecutionSettings = ExecutionSettings()
    parents: tuple[ParentTable, ...] = ()
    requests: RequestSettings = RequestSettings()

    @property
    def cold_bp100(self) -> int:
        """Extra spread of a cold model's quotes."""
        return bp100(self.desk.cold_widen_bp)

    @property
    def timed_orders(self) -> tuple[tuple[float, Order], ...]:
        """(seconds, order)."""
        return tuple((one.at_s, one.to_order()) for one in self.orders)


def load_desk(path: Path) -> DeskConfig:
    """Read a desk's configuration.

    Raises:
        UsageError: unreadable, not TOML, an unknown key or a value outside its limits; the message names
            file, line and key.
    """
    config, _ = read_settings(path, DeskConfig)
    _ = config.timed_orders  # a missing name or reason is said before anything runs
    return config
