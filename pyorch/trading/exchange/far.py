"""Venues in other processes: a FIX session over TCP to each, one for requests, a second route beside them.

Sessions live on a thread of their own with an event loop; the desk hands messages over and picks reports up,
and neither waits for the other. What was sent and taken in is in each session's store before, so that a desk
that begins anew goes on with the same numbers, and finds reports that its log has not seen (`taken_inputs`).

Nothing old is sent again: quotes of before a break are covered by a gap fill, and a venue that has lost its
session has cancelled them (cancel on disconnect).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyorch.contract.errors import DeviceError
from pyorch.trading.exchange.far_sessions import ASKS, FarSession, FarVenue, VenueAddress
from pyorch.trading.exchange.reports import read_report
from pyorch.trading.exchange.request_speech import REQUESTS, look_body, quote_body
from pyorch.trading.fix.codec import SOH, FixCodec
from pyorch.trading.fix.dialects import Dialect, otc
from pyorch.trading.fix.session_terms import Record
from pyorch.trading.fix.store import DiskStore, taken_messages
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind
from pyorch.trading.option_books import OptionBooks
from pyorch.trading.plan import QuotingPlan

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
ENDS_S = 5.0


class SecondRoute(Protocol):
    """A way to a venue that no session is in; any thread may take it.

    Raises:
        DeviceError: the venue did not answer.
    """

    def cancel_all(self) -> int:
        """Everything of ours is gone when it returns; how many orders that were."""


class FarExchange:
    """A desk's `pyorch.trading.desk_settings.Counterparty` in other processes.

    Args:
        addresses: per venue; requests: of those who ask for quotes.
        folder: of the sessions' stores; clock: the market's time.
        books: prices of others, as the venues' feed tells them.

    Attributes:
        venues: their sessions; requests: that of who asks for quotes.
    """

    def __init__(
        self,
        plan: QuotingPlan,
        dialect: Dialect,
        addresses: tuple[VenueAddress, ...],
        requests: VenueAddress,
        folder: Path,
        second_route: SecondRoute,
        clock: Callable[[], int],
        books: OptionBooks,
    ) -> None:
        self._second_route, self._clock, self._books = second_route, clock, books
        self._heard: deque[InputArray] = deque()
        self.venues = [
            FarVenue(
                number, plan.codec_of(number), dialect, address,
                DiskStore(folder / f"{plan.codec_of(number).target}.session"), clock, self._heard.append,
            )
            for number, address in enumerate(addresses)
        ]  # fmt: skip
        asked = replace(plan.codec, target=REQUESTS)
        self.requests = FarSession(
            0, asked, otc(), requests, DiskStore(folder / f"{REQUESTS}.session"), clock,
            self._heard.append, ASKS,
        )  # fmt: skip
        self._sessions = (*self.venues, self.requests)
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
        for session in self._sessions:
            session.store.close()

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""
        at = message.index(b"\x0156=") + 4
        target = message[at : message.index(SOH, at)].decode()
        self._books.sent(message, self._clock())
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
        """Of an option whose book the feed brings; of another there is none."""
        return self._books.best(option, now_ns)

    def respond(
        self, request: int, option: int, side: int, price: int, until_ns: int, now_ns: int
    ) -> None:
        """Our answer to a request for a quote leaves."""
        body = quote_body(request, option, side, price, until_ns, self.requests.codec)
        self._say(self.requests.say, "S", body)

    def confirm(self, request: int, deal: bool, now_ns: int) -> None:
        """Our last look leaves."""
        self._say(self.requests.say, "8", look_body(request, deal))

    def reset_protection(self) -> None:
        """Quotes are to be taken again."""
        for venue in self.venues:
            self._say(venue.reset_protection)

    def figures(self) -> list[dict[str, Any]]:
        """Per session: numbers used on both sides, logons, messages that were not sent."""
        return [
            {
                "name": session.codec.target,
                "sent": session.link.session.state.next_out - 1,
                "heard": session.link.session.state.next_in - 1,
                "logons": session.logons,
                "unsent": session.unsent,
                "rejects": len(session.rejects),
            }
            for session in self._sessions
        ]

    def _say(self, what: Callable[..., None], *given: Any) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(what, *given)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._at_work())
        except BaseException as error:  # a thread has nobody to raise to: `advance` does
            self._failed = error
        finally:
            self._loop.close()

    async def _at_work(self) -> None:
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(one.initiator.run(one.address.host, one.address.port))
            for one in self._sessions
        ]
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            while not stop.done():
                await asyncio.wait([*tasks, stop], timeout=0.005, return_when="FIRST_COMPLETED")
                for session, task in zip(self._sessions, tasks, strict=True):
                    session.watch()
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
