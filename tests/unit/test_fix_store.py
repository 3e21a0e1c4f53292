"""A session's records on disk, cut off at every byte; an initiator over real sockets."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from pyorch.contract.errors import DataError
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Message, write_message
from pyorch.trading.fix.orders import OWN_TYPES, REPORT_TYPES, Fate, OrderClient, OrderServer
from pyorch.trading.fix.session_terms import Record, RecordKind, SessionSettings
from pyorch.trading.fix.store import DiskStore, MemoryStore, state_of, taken_messages
from pyorch.trading.fix.transport import Acceptor, Initiator

ORDER = write_message(b"FIX.4.4", [(35, b"D"), (34, b"2"), (52, b"20231114-22:13:20"), (11, b"a")])
RECORDS = [
    Record(RecordKind.NUMBERED, 1, 5),
    Record(RecordKind.SENT, 2, 7, ORDER),
    Record(RecordKind.TAKEN, 2, 8),
    Record(RecordKind.TAKEN, 3, 9, ORDER),
]


def test_a_store_that_is_cut_off_anywhere_holds_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = DiskStore(path)
    ends = []
    for record in RECORDS:
        store.keep(record)
        ends.append(path.stat().st_size)
    store.close()
    data = path.read_bytes()
    for size in {*range(0, len(data), 7), *ends, *(end - 1 for end in ends)}:
        path.write_bytes(data[:size])
        cut = DiskStore(path, durable=size in ends)
        whole = sum(end <= size for end in ends)
        assert cut.records == RECORDS[:whole]
        assert cut.lost == size - (ends[whole - 1] if whole else 0)
        cut.keep(RECORDS[-1])
        cut.close()
        assert DiskStore(path).records == [*RECORDS[:whole], RECORDS[-1]]
    state = state_of(RECORDS)
    assert (state.next_out, state.next_in, list(state.kept)) == (3, 3, [2])
    assert [one.raw for one in taken_messages(RECORDS)] == [ORDER]
    state.take(Record(RecordKind.RESET, 1, 10))
    assert (state.next_out, state.next_in, state.kept) == (1, 1, {})


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(
        DataError, match="5,000 bytes without a good first record; this is no session"
    ):
        DiskStore(path)
    assert path.read_bytes() == b"x" * 5000


class Watched(OrderServer):
    """Hangs up after some orders."""

    def __init__(self, cut_after: int) -> None:
        super().__init__([], lambda one: one.units)
        self.cut_after = cut_after

    def hear(self, message: Message, link: Link) -> None:
        super().hear(message, link)
        if message.kind == "D" and len(self.orders) == self.cut_after:
            link._hang_up("a test")


def test_an_initiator_connects_again_and_every_order_is_taken_once() -> None:
    settings = {
        initiator: SessionSettings(
            b"FIX.4.4", "AB"[initiator], "BA"[initiator], initiator, heartbeat_s=5,
            supported=REPORT_TYPES if initiator else OWN_TYPES,
        )
        for initiator in (True, False)
    }  # fmt: skip
    client, server = OrderClient([]), Watched(5)
    acceptor = Acceptor(settings[False], server, MemoryStore())
    initiator = Initiator(settings[True], client, MemoryStore(), pauses_s=(0.01,))

    def send(link: Link) -> None:
        if client.ready and len(client.orders) < 20:
            client.order(link, "BTC", 0, 3, "1.5")

    async def run() -> None:
        listening = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(acceptor.serve("127.0.0.1", 0, listening.set_result))
        working = asyncio.ensure_future(initiator.run("127.0.0.1", await listening, send))
        while len(client.orders) < 20 or client.open_orders():
            await asyncio.sleep(0.01)
        for task in (working, serving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(run(), 60))
    assert initiator.connections == 2
    assert {one.fate for one in client.orders.values()} == {Fate.FILLED}
    assert (list(server.orders), server.repeats) == (list(client.orders), 0)
