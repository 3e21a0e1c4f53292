"""A venue on the loopback: a stand-in behind a websocket and HTTP, at any speed, with faults."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from pyorch.contract.errors import EnvironmentMissingError
from sim.feeds.faults import Break, Faults
from sim.feeds.stand_in import StandIn

STILL_S = 0.02
"""How often a clock that stands still is looked at."""

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response


class ReplayServer:
    """Serves one client at a time; a new one ends the old one's session.

    Args:
        stand_in: the venue.
        faults: what happens to messages and connections.
        speed: times the recording's; texts before a client has subscribed wait for it.
        now_ns: a clock that the recording keeps to instead, whoever is there; it may stand still at first.

    Attributes:
        subscribed: somebody has asked for something; finished: the recording is over.
    """

    def __init__(
        self,
        stand_in: StandIn,
        faults: Faults,
        speed: float = 1.0,
        now_ns: Callable[[], int] | None = None,
    ) -> None:
        try:
            from websockets.asyncio.server import serve
        except ImportError as error:
            raise EnvironmentMissingError(
                "the server needs the package websockets, which is not installed; install the extra `feeds`"
            ) from error
        self._serve = serve
        self.stand_in, self.faults, self.speed = stand_in, faults, speed
        self._now_ns = now_ns
        self.finished = asyncio.Event()
        self.connections = 0
        self._socket: ServerConnection | None = None
        self._mute = False
        self.subscribed = asyncio.Event()
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._replay: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ReplayServer:
        self._loop = asyncio.get_running_loop()
        self._server = await self._serve(
            self._session,
            "127.0.0.1",
            0,
            process_request=self._request,
            ping_interval=None,
            compression=None,
        )
        self._replay = asyncio.ensure_future(self._replayed())
        return self

    async def __aexit__(self, *ended: object) -> None:
        assert self._server is not None and self._replay is not None
        self._replay.cancel()
        self._abort()
        self._server.close()
        await asyncio.gather(self._replay, return_exceptions=True)

    @property
    def port(self) -> int:
        """Of the websocket and of HTTP."""
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    def heal(self) -> None:
        """No more faults from now on; `break_connection` ends what a fault left mute."""
        self.faults = Faults(type(self.faults.rates)(), 0)

    def break_connection(self) -> None:
        """End the session that there is, without a closing handshake; from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    async def _session(self, socket: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        self._abort()
        self._socket, self._mute = socket, False
        self.connections += 1
        self.stand_in.connected()
        self.faults.connected()
        try:
            while True:
                text = await socket.recv(decode=True)
                for answer in self.stand_in.asked(text):
                    for one in self.faults.passed(answer):
                        await self._send(socket, one)
                self.subscribed.set()
        except ConnectionClosed:
            if self._socket is socket:
                self._socket = None

    async def _replayed(self) -> None:
        loop = asyncio.get_running_loop()
        late_s = 0.0
        if self._now_ns is None:
            await self.subscribed.wait()
        first_ns, began = self.stand_in.next_ns, loop.time()

        def ahead_s(next_ns: int) -> float:
            if self._now_ns is not None:
                return (next_ns - self._now_ns()) / 1e9 + late_s
            return began + (next_ns - first_ns) / 1e9 / self.speed + late_s - loop.time()

        while (next_ns := self.stand_in.next_ns) >= 0:
            while (wait_s := ahead_s(next_ns)) > 0.001:
                await asyncio.sleep(min(wait_s, STILL_S))
            for text in self.stand_in.advance():
                late_s += self.faults.stall_ns() / 1e9 / self.speed
                await self._sent(text)
        self.finished.set()

    async def say(self, text: bytes) -> None:
        """A text of now, beside the recording."""
        for one in self.stand_in.say(text):
            await self._sent(one)

    async def _sent(self, text: bytes) -> None:
        socket = self._socket
        if socket is None:
            return
        broken = self.faults.breaks()
        if broken is Break.CLOSED:
            socket.transport.abort()
            return
        self._mute |= broken is Break.MUTE
        for one in self.faults.passed(text):
            await self._send(socket, one)

    async def _send(self, socket: ServerConnection, text: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._mute:
            return
        try:
            await socket.send(text, text=_is_text(text))
        except ConnectionClosed:
            return  # the session ends by itself

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Anything with a symbol in its address is a fetch of a snapshot."""
        if "symbol=" not in request.path:
            return None
        body = self.stand_in.rest(request.path)
        status = HTTPStatus.SERVICE_UNAVAILABLE if body is None else HTTPStatus.OK
        return connection.respond(status, (body or b"").decode())


def _is_text(text: bytes) -> bool:
    """Whether it can be sent as text, which must be UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def served(server: Callable[[], ReplayServer]) -> Iterator[ReplayServer]:
    """A server on a thread of its own, so that the caller may wait for what it serves.

    Args:
        server: makes it; called on that thread.
    """
    there: queue.Queue[tuple[ReplayServer, asyncio.AbstractEventLoop, asyncio.Event]] = (
        queue.Queue()
    )

    async def serve() -> None:
        stop = asyncio.Event()
        async with server() as one:
            there.put((one, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="replay server")
    thread.start()
    one, loop, stop = there.get(timeout=30.0)
    try:
        yield one
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30.0)
