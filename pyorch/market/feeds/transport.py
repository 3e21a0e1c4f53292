"""Sockets for a `Feed`: a websocket, fetches by HTTP, the clock. All decisions are the feed's."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyorch.contract.errors import EnvironmentMissingError
from pyorch.contract.events import EventArray
from pyorch.market.feeds.feed_actions import Close, Connect, Fetch, Send, Step
from pyorch.market.feeds.live import Feed

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

OnEvents = Callable[[EventArray], None]

_MESSAGE_BYTES = 1 << 24
_FETCH_S = 5.0


class Transport:
    """Carries out what a feed wants until it is stopped.

    Args:
        feed: not yet started.
        on_events: called with the events of each step that has some.
        clock: the receiver's, in ns since 1970.

    Raises:
        EnvironmentMissingError: the package ``websockets`` is not installed.
    """

    def __init__(
        self, feed: Feed, on_events: OnEvents, clock: Callable[[], int] = time.time_ns
    ) -> None:
        try:
            from websockets.asyncio.client import connect
        except ImportError as error:
            raise EnvironmentMissingError(
                "venues are reached with the package websockets, which is not installed; "
                "install the extra `feeds`"
            ) from error
        self._open = connect
        self.feed, self._on_events, self._clock = feed, on_events, clock
        self._socket: ClientConnection | None = None
        self._connection: asyncio.Task[None] | None = None
        self._to_send: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._failed: asyncio.Future[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; what the feed or ``on_events`` raises is raised here."""
        self._failed = asyncio.get_running_loop().create_future()
        self._did(self.feed.start(self._clock()))
        waits = asyncio.ensure_future(stop.wait())
        try:
            ends: set[asyncio.Future[Any]] = {waits, self._failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            waits.cancel()
            if self._timer is not None:
                self._timer.cancel()
            self._drop()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _did(self, step: Step) -> None:
        if len(step.events):
            self._on_events(step.events)
        for action in step.actions:
            if isinstance(action, Send):
                self._to_send.put_nowait(action.text)
            elif isinstance(action, Connect):
                self._drop()
                self._to_send = asyncio.Queue()
                self._connection = self._task(self._connected(action.url, self._to_send))
            elif isinstance(action, Fetch):
                self._task(self._fetched(action))
            elif isinstance(action, Close):
                self._drop()
        self._wake()

    def _wake(self) -> None:
        """Poll when the feed wants it."""
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max((self.feed.wake_ns - self._clock()) / 1e9, 0.0)
        self._timer = asyncio.get_running_loop().call_later(wait_s + 0.001, self._poll)

    def _poll(self) -> None:
        try:
            self._did(self.feed.poll(self._clock()))
        except Exception as error:  # raised where run() waits
            self._fail(error)

    async def _connected(self, url: str, to_send: asyncio.Queue[str]) -> None:
        """One connection, from its opening to its end."""
        from websockets.exceptions import WebSocketException

        why = "the connection ended"
        try:
            async with self._open(
                url, max_size=_MESSAGE_BYTES, ping_interval=None, compression=None, close_timeout=1
            ) as socket:
                self._socket = socket
                sends = asyncio.ensure_future(self._sends(socket, to_send))
                try:
                    self._did(self.feed.opened(self._clock()))
                    while True:
                        text = await socket.recv(decode=False)
                        self._did(self.feed.received(self._clock(), text))
                finally:
                    sends.cancel()
        except (OSError, WebSocketException, TimeoutError) as error:
            why = f"{type(error).__name__}: {error}"
        self._socket = None
        self._did(self.feed.closed(self._clock(), why))

    async def _sends(self, socket: ClientConnection, to_send: asyncio.Queue[str]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                await socket.send(await to_send.get())
        except ConnectionClosed:
            return  # the receiving side tells the feed

    async def _fetched(self, fetch: Fetch) -> None:
        body = await asyncio.to_thread(get, fetch.url)
        self._did(self.feed.fetched(self._clock(), fetch, body))

    def _drop(self) -> None:
        """Close at once: a half-closed peer would not answer a closing handshake."""
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None
        if self._connection is not None:
            if self._connection is not asyncio.current_task():
                self._connection.cancel()
            self._connection = None

    def _task(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)


def get(url: str) -> bytes | None:
    """A body by HTTP; None where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_S) as response:
            body: bytes = response.read(_MESSAGE_BYTES)
            return body
    except (OSError, urllib.error.URLError, ValueError):
        return None
