"""What a desk is told, what it needs of an exchange, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from pyorch.contract.events import EventArray
from pyorch.trading.exchange.settings import Latency
from pyorch.trading.inputs import InputArray

NEVER = 1 << 62
"""A time that does not come."""


class Counterparty(Protocol):
    """What a desk needs of an exchange: `pyorch.trading.exchange.market.Exchange`, or one far away.

    `kill` must not wait for any of the others: it is called while one of them hangs.
    """

    def logon(self, now_ns: int) -> None:
        """A desk begins; every venue cancels what it holds and reports `InputKind.CONNECTED`."""

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""

    def next_ns(self) -> int:
        """When something happens next."""

    def advance(self, until_ns: int) -> InputArray:
        """Let time pass; the reports that arrived."""

    def kill(self, now_ns: int) -> int:
        """The second route: everything is cancelled and sessions are shut; from any thread."""

    def withdraw(self, now_ns: int) -> int:
        """The second route: everything is cancelled, sessions stay open."""

    def rearm(self, now_ns: int) -> None:
        """Sessions begin anew."""

    def best(self, option: int, now_ns: int) -> tuple[int, int, int, int]:
        """Of others: bid, its lots, ask, its lots; 0 lots: none."""

    def respond(
        self, request: int, option: int, side: int, price: int, until_ns: int, now_ns: int
    ) -> None:
        """Our answer to a request for a quote leaves."""

    def confirm(self, request: int, deal: bool, now_ns: int) -> None:
        """Our last look at an accepted answer leaves."""

    def reset_protection(self) -> None:
        """Quotes are taken again."""


class Market(Protocol):
    """What a desk needs of a market: a tape's rows, or an array that rows are still written into."""

    @property
    def events(self) -> EventArray:
        """Rows; the first one is there."""


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """How a desk runs.

    Attributes:
        decision: from a row's arrival to its messages' departure, beside the wire.
        durable: a message waits until the log is on the disk, not only with the operating system.
        log_patience_s: when the log takes longer, quotes are withdrawn by the second route and what waits is
            not sent.
        hedge_delta_btc: a portfolio delta beyond it makes a hedge proposal, at most one a second; it is
            written into the log and never sent.
        seed: draws decision latencies.
    """

    decision: Latency = Latency(p50_us=10.0, p99_us=60.0)
    durable: bool = False
    log_patience_s: float = 5.0
    hedge_delta_btc: float = 1e9
    seed: int = 1


@dataclass
class DeskResult:
    """What a run counted; ``unsent``: messages that the log was too slow for."""

    ticks: int = 0
    messages: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    positions_lots: list[int] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)
    refused_orders: list[str] = field(default_factory=list)
    unsent: int = 0
    inputs: dict[str, int] = field(default_factory=dict)
