"""Sessions over TCP: an acceptor that listens, an initiator that connects again and again.

One thread runs an event loop; a session's messages, its clock and its application all live on it, so that
nothing is locked. A connection is given to a session only with its first whole message, so that whoever
connects and says nothing, or is somebody else, keeps nobody out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from pyorch.trading.fix.dictionary import Dictionary
from pyorch.trading.fix.link import Application, Link
from pyorch.trading.fix.message import Framer, Message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import SessionSettings
from pyorch.trading.fix.store import MemoryStore, Store, state_of

TICK_S = 0.02
FIRST_MESSAGE_S = 10.0


class _Wire(Protocol):
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class Acceptor:
    """Listens for one session.

    Args:
        clock: nanoseconds since 1970; book: with a dialect's fields; default: the version's.

    Attributes:
        port: where it listens, once started; link: the session at work.
        admits: whether a connection is given to the session; one that is not is closed.
    """

    def __init__(
        self,
        settings: SessionSettings,
        application: Application,
        store: Store | None = None,
        clock: Callable[[], int] = time.time_ns,
        book: Dictionary | None = None,
    ) -> None:
        self._clock = clock
        self._wire: _Wire | None = None
        store = store or MemoryStore()
        session = Session(settings, state_of(store.records), book)
        self.link = Link(session, store, application, self._write, self._hang_up)
        self.port = 0
        self.admits = True

    async def serve(
        self, host: str, port: int, on_listening: Callable[[int], None] | None = None
    ) -> None:
        """Listen until cancelled.

        Args:
            port: 0: any; on_listening: told the port.

        Raises:
            OSError: nobody can listen there.
        """
        server = await asyncio.start_server(self._connected, host, port)
        self.port = server.sockets[0].getsockname()[1]
        if on_listening is not None:
            on_listening(self.port)
        async with server:
            while True:
                await asyncio.sleep(TICK_S)
                self.link.tick(self._clock())

    def drop(self) -> None:
        """End the connection that there is, without a logout."""
        self.link.disconnected()
        self._hang_up("dropped")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            data = await asyncio.wait_for(_first_message(reader), FIRST_MESSAGE_S)
            if data is not None and self._wire is None and self.admits:
                self._wire = writer
                self.link.connected(self._clock())
                while data and self._wire is writer:
                    self.link.receive(data, self._clock())
                    data = await reader.read(65_536)
        except (OSError, TimeoutError):
            pass  # the other side sees the connection closed, and the session goes on with the next one
        finally:
            if self._wire is writer:
                self._wire = None
                self.link.disconnected()
            writer.close()

    def _write(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.write(data)

    def _hang_up(self, why: str) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()  # after what was written has left


class Initiator:
    """Connects one session, again and again with rising pauses, until it is stopped.

    Attributes:
        link: the session at work; connections: how often one stood.
    """

    def __init__(
        self,
        settings: SessionSettings,
        application: Application,
        store: Store | None = None,
        clock: Callable[[], int] = time.time_ns,
        pauses_s: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        book: Dictionary | None = None,
    ) -> None:
        self._clock = clock
        self._wire: _Wire | None = None
        self._pauses_s = pauses_s
        store = store or MemoryStore()
        session = Session(settings, state_of(store.records), book)
        self.link = Link(session, store, application, self._write, self._hang_up)
        self.connections = 0

    async def run(
        self, host: str, port: int, on_tick: Callable[[Link], None] | None = None
    ) -> None:
        """Connect, and again whenever the connection ends, until cancelled; a logout on the way out.

        Args:
            on_tick: called every `TICK_S` while the session is up, to send from.
        """
        attempt = 0
        try:
            while True:
                try:
                    reader, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(self._pauses_s[min(attempt, len(self._pauses_s) - 1)])
                    attempt += 1
                    continue
                if await self._session(reader, writer, on_tick):
                    attempt = 0
                await asyncio.sleep(self._pauses_s[min(attempt, len(self._pauses_s) - 1)])
                attempt += 1
        finally:
            self.link.logout(self._clock())

    async def _session(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_tick: Callable[[Link], None] | None,
    ) -> bool:
        """One connection; whether it was logged on."""
        self._wire = writer
        self.connections += 1
        was_up = False
        self.link.connected(self._clock())
        reading = asyncio.ensure_future(reader.read(65_536))
        try:
            while self._wire is writer:
                done, _ = await asyncio.wait({reading}, timeout=TICK_S)
                if done:
                    data = reading.result()
                    if not data:
                        break
                    self.link.receive(data, self._clock())
                    reading = asyncio.ensure_future(reader.read(65_536))
                self.link.tick(self._clock())
                if self.link.session.up:
                    was_up = True
                    if on_tick is not None:
                        on_tick(self.link)
        except OSError:
            pass  # as if the other side had closed
        finally:
            reading.cancel()
            if self._wire is writer:
                self._wire = None
            self.link.disconnected()
            writer.close()
        return was_up

    def _write(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.write(data)

    def _hang_up(self, why: str) -> None:
        self._wire = None


async def _first_message(reader: asyncio.StreamReader) -> bytes | None:
    """The bytes up to and with the first whole message; None: they are no message."""
    framer, data = Framer(), b""
    while True:
        more = await reader.read(65_536)
        if not more:
            return None
        data += more
        framer.feed(more)
        found = framer.next()
        if found is not None:
            return data if isinstance(found, Message) else None
