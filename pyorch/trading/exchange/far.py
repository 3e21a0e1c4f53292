"""Venues in other processes: a FIX session over TCP to each, a second route beside them.

Sessions live on a thread of their own with an event loop; the desk hands messages over and picks reports up,
and neither waits for the other. What was sent and taken in is in each session's store before, so that a desk
that begins anew goes on with the same numbers, and finds reports that its log has not seen (`taken_inputs`).

Nothing old is sent again: quotes of before a break are covered by a gap fill, and a venue that has lost its
session has cancelled them (cancel on disconnect).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyorch.contract.errors import DeviceError
from pyorch.trading.exchange.reports import read_report
from pyorch.trading.fix.codec import SOH, FixCodec
from pyorch.trading.fix.dialects import Dialect, protection_reset
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Message, read_message
from pyorch.trading.fix.session_terms import SECOND_NS, Record, SessionSettings
from pyorch.trading.fix.store import DiskStore, taken_messages
from pyorch.trading.fix.transport import Initiator
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind, make_input
from pyorch.trading.plan import QuotingPlan

REPORTS = frozenset({"b", "8", "9", "MR"})
"""What a venue says."""
REPORTED = (
    InputKind.ACKNOWLEDGED,
    InputKind.REJECTED,
    InputKind.FILLED,
    InputKind.CANCELLED,
    InputKind.PROTECTION,
    InputKind.CONNECTED,
    InputKind.ORDER_REJECTED,
)
"""Inputs that stand for a venue's message."""
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
ENDS_S = 5.0


class SecondRoute(Protocol):
    """A way to a venue that no session is in; any thread may take it.

    Raises:
        DeviceError: the venue did not answer.
    """

    def cancel_all(self) -> int:
        """Everything of ours is gone when it returns; how many orders that were."""


@dataclass(frozen=True, slots=True)
class VenueAddress:
    """Where a venue's session listens."""

    host: str
    port: int


class FarVenue:
    """One venue's session at the desk's end.

    Args:
        heard: takes the inputs that its messages stand for, and how often the session broke.

    Attributes:
        logons: how often it came up; unsent: messages that met a session that was down, or were too old to
            be sent again; rejects: of our messages, by the venue's session.
    """

    def __init__(
        self,
        number: int,
        codec: FixCodec,
        dialect: Dialect,
        address: VenueAddress,
        store: DiskStore,
        clock: Callable[[], int],
        heard: Callable[[InputArray], None],
    ) -> None:
        self.number, self.codec, self.dialect, self.store = number, codec, dialect, store
        self.address = address
        self._clock, self._heard = clock, heard
        self.logons = self.unsent = 0
        self.rejects: list[str] = []
        self._was_up = False
        settings = SessionSettings(
            b"FIX.4.4",
            codec.sender,
            codec.target,
            initiator=True,
            heartbeat_s=5,
            resend_limit_ns=0,
            gap_patience_ns=SECOND_NS,
            supported=REPORTS,
            logon_fields=dialect.logon_fields,
        )
        self.initiator = Initiator(settings, self, store, pauses_s=PAUSES_S, book=dialect.book)

    @property
    def link(self) -> Link:
        """The session at work."""
        return self.initiator.link

    def submit(self, message: bytes) -> None:
        """A message of the desk leaves, under the session's number."""
        if not self.link.session.up:
            self.unsent += 1
            return
        found = read_message(message)
        body = [one for one in found.fields if not self.dialect.book.is_outer(one[0])]
        self.link.now_ns = time.time_ns()
        self.link.send(found.kind, self.dialect.dress(found.kind, body))

    def ask_status(self) -> None:
        """What is open there, before anything is quoted."""
        if self.link.session.up:
            self.link.now_ns = time.time_ns()
            request = b"S%d" % self.link.session.state.next_out
            self.link.send("AF", [(584, request), (585, b"7")])

    def reset_protection(self) -> None:
        """Quotes are to be taken again."""
        if self.link.session.up:
            self.link.now_ns = time.time_ns()
            request = f"M{self.link.session.state.next_out}"
            group = dict(self.dialect.quote_fields).get(9019, b"").decode()
            self.link.send("MZ", protection_reset(request, group))

    def watch(self) -> None:
        """Say that the session broke, once."""
        up = self.link.session.up
        if self._was_up and not up:
            self._heard(make_input(InputKind.DISCONNECTED, self._clock(), venue=self.number))
        self._was_up = up

    def logged_on(self, link: Link) -> None:
        """The session is up: nothing is quoted before the venue has said what it has taken in."""
        self.logons += 1
        if self._was_up:  # it broke and came back between two looks
            self._heard(make_input(InputKind.DISCONNECTED, self._clock(), venue=self.number))
        self._was_up = True
        self.ask_status()

    def hear(self, message: Message, link: Link) -> None:
        """A message in sequence."""
        if message.kind in ("3", "j"):
            self.rejects.append((message.get(58) or b"").decode("latin-1"))
        elif message.kind != "MR":
            self._heard(read_report(message, self.number, self.codec, self._clock()))

    def lapsed(self, message: Message, link: Link) -> None:
        """A message that the venue has missed, and that is not sent again."""
        self.unsent += 1


class FarExchange:
    """A desk's `pyorch.trading.desk_settings.Counterparty` in other processes.

    Args:
        addresses: per venue; folder: of the sessions' stores; clock: the market's time.

    Attributes:
        venues: the sessions.
    """

    def __init__(
        self,
        plan: QuotingPlan,
        dialect: Dialect,
        addresses: tuple[VenueAddress, ...],
        folder: Path,
        second_route: SecondRoute,
        clock: Callable[[], int],
    ) -> None:
        self._second_route, self._clock = second_route, clock
        self._heard: deque[InputArray] = deque()
        self.venues = [
            FarVenue(
                number, plan.codec_of(number), dialect, address,
                DiskStore(folder / f"{plan.codec_of(number).target}.session"), clock, self._heard.append,
            )
            for number, address in enumerate(addresses)
        ]  # fmt: skip
        self._number = {venue.codec.target: venue for venue in self.venues}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="FIX sessions", daemon=True)

    def logon(self, now_ns: int) -> None:
        """Sessions begin; each asks what is open as soon as it is up."""
        self._thread.start()

    def close(self) -> None:
        """Log out and end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(ENDS_S)
        for venue in self.venues:
            venue.store.close()

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""
        at = message.index(b"\x0156=") + 4
        target = message[at : message.index(SOH, at)].decode()
        self._say(self._number[target].submit, message)

    def next_ns(self) -> int:
        """The present: reports come when they come."""
        return self._clock()

    def advance(self, until_ns: int) -> InputArray:
        """The reports that have come.

        Raises:
            DeviceError: the sessions' thread has failed.
        """
        if self._failed is not None:
            raise DeviceError(f"the FIX sessions ended: {self._failed}") from self._failed
        rows = [self._heard.popleft() for _ in range(len(self._heard))]
        return np.concatenate(rows) if rows else np.zeros(0, INPUT_DTYPE)

    def kill(self, now_ns: int) -> int:
        """The second route; the desk itself sends nothing more."""
        return self.withdraw(now_ns)

    def withdraw(self, now_ns: int) -> int:
        """The second route: everything is cancelled when it returns."""
        self._second_route.cancel_all()
        return self._clock()

    def rearm(self, now_ns: int) -> None:
        """Each venue is asked again what it has taken in, before anything is quoted."""
        for venue in self.venues:
            self._say(venue.ask_status)

    def best(self, option: int, now_ns: int) -> tuple[int, int, int, int]:
        """Prices of others are not listened to: there are none."""
        return 0, 0, 0, 0

    def respond(
        self, request: int, option: int, side: int, price: int, until_ns: int, now_ns: int
    ) -> None:
        """Nobody asks over these sessions."""
        raise DeviceError(f"request {request} for a quote: these sessions carry none")

    def confirm(self, request: int, deal: bool, now_ns: int) -> None:
        """Nobody asks over these sessions."""
        raise DeviceError(f"an acceptance of request {request}: these sessions carry none")

    def reset_protection(self) -> None:
        """Quotes are to be taken again."""
        for venue in self.venues:
            self._say(venue.reset_protection)

    def figures(self) -> list[dict[str, Any]]:
        """Per session: numbers used on both sides, logons, messages that were not sent."""
        return [
            {
                "name": venue.codec.target,
                "sent": venue.link.session.state.next_out - 1,
                "heard": venue.link.session.state.next_in - 1,
                "logons": venue.logons,
                "unsent": venue.unsent,
                "rejects": len(venue.rejects),
            }
            for venue in self.venues
        ]

    def _say(self, what: Callable[..., None], *given: Any) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(what, *given)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._sessions())
        except BaseException as error:  # a thread has nobody to raise to: `advance` does
            self._failed = error
        finally:
            self._loop.close()

    async def _sessions(self) -> None:
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(venue.initiator.run(venue.address.host, venue.address.port))
            for venue in self.venues
        ]
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            while not stop.done():
                await asyncio.wait([*tasks, stop], timeout=0.005, return_when="FIRST_COMPLETED")
                for venue, task in zip(self.venues, tasks, strict=True):
                    venue.watch()
                    if task.done():
                        task.result()
        finally:
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def taken_inputs(records: list[Record], venue: int, codec: FixCodec) -> list[InputArray]:
    """What a session has ever taken in for the desk, in order, as the desk's inputs."""
    return [
        read_report(message, venue, codec, 0)
        for message in taken_messages(records)
        if message.kind in ("b", "8", "9")
    ]
