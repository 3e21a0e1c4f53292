"""Sessions with QuickFIX at the other end: an engine that shares no line with ours.

Its C++ library is Debian's; the program around it is `sim/venues/quickfix_peer.cpp`.
"""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pyorch.trading.fix.link import Link
from pyorch.trading.fix.orders import REPORT_TYPES, Fate, OrderClient
from pyorch.trading.fix.session_terms import SessionSettings
from pyorch.trading.fix.store import DiskStore, state_of
from pyorch.trading.fix.transport import Initiator

SOURCE = Path(__file__).resolve().parents[2] / "sim/venues/quickfix_peer.cpp"
HEADERS = Path("/usr/include/quickfix/Application.h")
VERSIONS = pytest.mark.parametrize("version", ["FIX.4.4", "FIX.4.2"])
ORDERS = 60

pytestmark = [
    pytest.mark.debian,
    pytest.mark.skipif(
        not HEADERS.exists() or shutil.which("g++") is None,
        reason="needs QuickFIX (Debian's libquickfix-dev; `./scripts/test --all` installs it)",
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer, compiled; its headers are of before C++17."""
    made = tmp_path_factory.mktemp("quickfix") / "quickfix_peer"
    command = ["g++", "-std=c++14", "-w", str(SOURCE), "-o", str(made), "-lquickfix", "-lpthread"]
    subprocess.run(command, check=True, timeout=300)
    return made


class QuickFix:
    """The peer as a process, through its lives; numbers and messages stay in its folder."""

    def __init__(self, program: Path, folder: Path, version: str, role: str, port: int) -> None:
        self.journal, self.folder, self.version = folder / "journal", folder, version
        settings = folder / "settings.cfg"
        ours = {"acceptor": f"SocketAcceptPort={port}"}.get(
            role,
            f"SocketConnectHost=127.0.0.1\nSocketConnectPort={port}\nHeartBtInt=1\nResetOnLogon=Y",
        )
        settings.write_text(
            f"[DEFAULT]\nConnectionType={role}\nFileStorePath={folder}/store\nStartTime=00:00:00\n"
            "EndTime=00:00:00\nUseDataDictionary=N\nReconnectInterval=1\nSocketReuseAddress=Y\n"
            f"[SESSION]\nBeginString={version}\nSenderCompID=VENUE\nTargetCompID=DESK\n{ours}\n"
        )
        self._command = [str(program), str(settings), str(self.journal), role]

    def begin(self, *more: str) -> subprocess.Popen[str]:
        """A life of it."""
        return subprocess.Popen([*self._command, *more], stdout=subprocess.PIPE, text=True)

    def orders(self) -> list[tuple[str, str]]:
        """ClOrdID and PossDupFlag of each order that its application was given."""
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        assert all(words[0] == "D" for words in lines), lines  # it rejected nothing of ours
        return [(words[1], words[-1]) for words in lines]

    def numbers(self) -> tuple[int, int]:
        """MsgSeqNum that it sends next, and that it expects next."""
        store = self.folder / "store" / f"{self.version}-VENUE-DESK.seqnums"
        sends, expects = store.read_text().split(":")
        return int(sends), int(expects)


class Line:
    """A connection between both that can be cut, with all that is on its way."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, back]
        with suppress(OSError):
            await asyncio.gather(_carried(reader, back), _carried(there, writer))


async def _carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def port() -> Iterator[int]:
    """One that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        found = one.getsockname()[1]
    yield found


async def settled(initiator: Initiator, client: OrderClient, port: int, until: int) -> None:
    """Run our end until it has sent so many orders and knows what became of each."""

    def send(link: Link) -> None:
        if client.ready and len(client.orders) < until:
            client.order(link, "BTC-28MAR25-50000-C", len(client.orders) % 2, 5, "0.05")
        client.chase(link, 1_000_000_000)

    running = asyncio.ensure_future(initiator.run("127.0.0.1", port, send))
    try:
        await reached(lambda: len(client.orders) >= until and client.ready and not waits(client))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def waits(client: OrderClient) -> bool:
    return any(one.fate is Fate.SENT for one in client.orders.values())


async def sent(client: OrderClient, count: int) -> None:
    await reached(lambda: len(client.orders) >= count)


async def reached(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60.0):
        while not what():
            await asyncio.sleep(0.005)


@VERSIONS
def test_no_order_is_lost_or_taken_twice_by_quickfix(
    program: Path, tmp_path: Path, version: str, port: int
) -> None:
    settings = SessionSettings(
        version.encode(), "DESK", "VENUE", True, heartbeat_s=1, gap_patience_ns=500_000_000,
        supported=REPORT_TYPES,
    )  # fmt: skip
    peer, records = QuickFix(program, tmp_path, version, "acceptor", port), tmp_path / "records"

    def our_end() -> tuple[Initiator, OrderClient]:
        store = DiskStore(records)
        client = OrderClient(store.records, "C")
        return Initiator(settings, client, store, pauses_s=(0.1,)), client

    async def world() -> None:
        process, line = peer.begin(), Line(port)
        try:
            async with await line.open():
                initiator, client = our_end()
                running = asyncio.ensure_future(settled(initiator, client, line.port, ORDERS // 2))
                for cut in (6, 12):
                    await sent(client, cut)
                    line.cut()
                await sent(client, 18)
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = peer.begin()
                await running
                assert initiator.connections > 3
                # Our end begins anew from its records, and goes on with the same numbers.
                initiator, client = our_end()
                assert len(client.orders) == ORDERS // 2
                await settled(initiator, client, line.port, ORDERS)
                assert initiator.link.session.counts.garbled == 0
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    asyncio.run(world())
    store = DiskStore(records)
    ours, taken = OrderClient(store.records, "C").orders, peer.orders()
    names = {name for name, _ in taken}
    once = [name for name, again in taken if again == "N"]
    assert len(once) == len(set(once))  # what came again was marked as possibly known
    for key, one in ours.items():
        known = key.decode() in names
        if one.fate is Fate.FILLED:
            assert known and one.filled == one.units == 5 and int(key[-1:]) % 2 == 0
        elif one.fate is Fate.LIVE:
            assert known and one.filled == 0 and int(key[-1:]) % 2 == 1
        else:
            assert one.fate is Fate.DEAD and not known
    assert len(ours) == ORDERS and len(names) > ORDERS // 2
    state = state_of(store.records)
    assert peer.numbers() == (state.next_in, state.next_out)


@VERSIONS
def test_quickfix_gets_every_order_back_from_the_acceptance_server(
    program: Path, tmp_path: Path, version: str
) -> None:
    command = [sys.executable, "-c", "from pyorch.app.cli import main; main()", "fix-acceptor"]
    command += ["--begin-string", version, "--sender", "DESK", "--target", "VENUE", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ours:
        try:
            assert ours.stdout is not None
            port = int(ours.stdout.readline().split(":")[1].split()[0])
            theirs = QuickFix(program, tmp_path, version, "initiator", port).begin("500")
            said, _ = theirs.communicate(timeout=90)
        finally:
            ours.terminate()
    assert (theirs.returncode, said) == (0, "echoes 500\n")
