"""Two sessions over a line that breaks, repeats, loses and garbles, between processes that are killed.

Everything is drawn from a seed, time included. Orders go one way, reports the other; both ends keep their
records in a file, and a kill may fall into the middle of a record, or between a record and its message.
"""

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pyorch.trading.fix.link import Application, Link
from pyorch.trading.fix.message import parse_fields, write_message
from pyorch.trading.fix.orders import (
    OWN_TYPES,
    REPORT_TYPES,
    Fate,
    OrderClient,
    OrderServer,
)
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import Record, SessionSettings
from pyorch.trading.fix.store import DiskStore, state_of, taken_messages

SECOND = 1_000_000_000
STEP = SECOND // 100
NOON = 1_700_000_000 * SECOND
BAD_FIELDS = {(b"371=40", b"373=5"), (b"371=55", b"373=1"), (b"371=999", b"373=0")}


class Killed(Exception):
    """A process ends here."""


class FragileStore(DiskStore):
    """Killed now and then, at times with half a record on the disk."""

    def __init__(self, path: Path, random: Random, rate: Callable[[], float]) -> None:
        super().__init__(path)
        self._path, self._random, self._rate = path, random, rate

    def keep(self, record: Record) -> None:
        if self._random.random() >= self._rate():
            super().keep(record)
            return
        before = self._path.stat().st_size
        if self._random.random() < 0.7:
            super().keep(record)
            whole = self._path.stat().st_size
            if self._random.random() < 0.5:
                with self._path.open("r+b") as file:
                    file.truncate(self._random.randint(before, whole))
        raise Killed


class End:
    """A process with one side of the session, through its lives."""

    def __init__(self, world: "World", path: Path, settings: SessionSettings) -> None:
        self.world, self.path, self.settings = world, path, settings
        self.garbled = self.kills = self.torn = self.resent = self.lapsed = 0
        self.rejects: list[frozenset[bytes]] = []
        self.begin()

    def begin(self) -> None:
        store = FragileStore(self.path, self.world.random, lambda: self.world.kill_rate)
        self.torn += store.lost > 0
        self.application: Application = (
            OrderClient(store.records, "C")
            if self.settings.initiator
            else OrderServer(store.records, lambda one: one.units - one.order.endswith(b"77"))
        )
        session = Session(self.settings, state_of(store.records))
        self.store = store
        self.link = Link(session, store, self.application, self._write, self._hang_up)
        self.away_until_ns = self.world.now_ns + self.world.random.randint(0, 2 * SECOND)

    def _write(self, data: bytes) -> None:
        if b"\x0135=3\x01" in data:
            self.rejects.append(frozenset(data.split(b"\x01")))
        self.world.carry(self, data)

    def _hang_up(self, why: str) -> None:
        self.world.cut()

    def guarded(self, what: Callable[[], object]) -> None:
        """Do it, and die if that is drawn."""
        try:
            what()
        except Killed:
            self.count()
            self.store.close()
            self.kills += 1
            self.world.cut()
            self.begin()

    def count(self) -> None:
        counts = self.link.session.counts
        self.garbled += counts.garbled
        self.resent += counts.resent
        self.lapsed += counts.lapsed


class World:
    """Time, the line, and both ends."""

    def __init__(
        self, seed: int, folder: Path, version: str, orders: int, resend_limit_s: float
    ) -> None:
        self.random = Random(seed)
        self.now_ns = NOON
        self.kill_rate, self.faults = min(0.003, 3.0 / orders), True
        self.harmed = Counter[str]()
        self.messages = 0
        self._lines: dict[bool, deque[tuple[int, bytes, bool]]] = {True: deque(), False: deque()}
        self.open = False
        self._next_ns = NOON
        self.delivered_garbled = 0
        settings = SessionSettings(
            version.encode(), "DESK", "VENUE", True, heartbeat_s=2, gap_patience_ns=SECOND // 2,
            resend_limit_ns=round(resend_limit_s * SECOND), supported=REPORT_TYPES,
        )  # fmt: skip
        other = SessionSettings(
            version.encode(), "VENUE", "DESK", False, gap_patience_ns=SECOND // 2,
            resend_limit_ns=round(resend_limit_s * SECOND), supported=OWN_TYPES,
        )  # fmt: skip
        self.client = End(self, folder / "client", settings)
        self.server = End(self, folder / "server", other)
        self._run(orders)

    @property
    def orders(self) -> OrderClient:
        assert isinstance(self.client.application, OrderClient)
        return self.client.application

    @property
    def taken(self) -> OrderServer:
        assert isinstance(self.server.application, OrderServer)
        return self.server.application

    def carry(self, sender: End, data: bytes) -> None:
        """Onto the line, harmed now and then."""
        harm = self.random.random() if self.faults else 1.0
        self.messages += 1
        line = self._lines[sender is self.client]
        arrives = self.now_ns + self.random.randint(1, 5) * STEP
        garbled = False
        if harm < 0.01:
            self.harmed["lost"] += 1
            return
        if harm < 0.014:
            self.harmed["repeated"] += 1
            line.append((arrives, data, False))
        elif harm < 0.03:
            self.harmed["garbled"] += 1
            data, garbled = self._garbled(data), True
        elif harm < 0.05 and b"\x0135=D\x01" in data and b"\x0143=Y" not in data:
            self.harmed["bad field"] += 1
            data = self._with_bad_field(data)
        line.append((arrives, data, garbled))

    def _garbled(self, data: bytes) -> bytes:
        """One byte of the body or of the checksum is another; the length still fits."""
        at = self.random.choice([*range(25, len(data) - 8), len(data) - 3])
        if data[at] in b"\x01=":
            at = len(data) - 2
        digit = bytes([data[at] ^ 1])
        return data[:at] + digit + data[at + 1 :]

    def _with_bad_field(self, data: bytes) -> bytes:
        fields = [one for one in parse_fields(data) or () if one[0] not in (8, 9, 10)]
        kind = self.random.randrange(3)
        if kind == 0:
            fields = [(tag, b"w" if tag == 40 else value) for tag, value in fields]
        elif kind == 1:
            fields = [one for one in fields if one[0] != 55]
        else:
            fields.append((999, b"x"))
        return write_message(data[2:9], fields)

    def cut(self) -> None:
        """The connection is gone for both, with all that was on its way."""
        if self.open:
            self.open = False
            for line in self._lines.values():
                line.clear()
            for end in (self.client, self.server):
                end.link.disconnected()
            self._next_ns = self.now_ns + self.random.randint(1, 100) * STEP

    def _run(self, orders: int) -> None:
        end_ns = NOON + orders * SECOND
        while len(self.orders.orders) < orders or not self._settled():
            assert self.now_ns < end_ns, "the sessions do not come to an end"
            self.now_ns += STEP
            if len(self.orders.orders) >= orders:
                self.kill_rate, self.faults = 0.0, False
            self._step(orders)
        self.client.count()
        self.server.count()

    def _settled(self) -> bool:
        return (
            self.open
            and self.orders.ready
            and not any(one.fate is Fate.SENT for one in self.orders.orders.values())
        )

    def _step(self, orders: int) -> None:
        ends = (self.client, self.server)
        if not self.open and self.now_ns >= max(self._next_ns, *(e.away_until_ns for e in ends)):
            self.open = True
            self.server.guarded(lambda: self.server.link.connected(self.now_ns))
            if self.open:
                self.client.guarded(lambda: self.client.link.connected(self.now_ns))
        if self.open and self.faults and self.random.random() < 0.004:
            self.harmed["cut"] += 1
            self.cut()
        for end in ends:
            line = self._lines[end is self.server]
            while self.open and line and line[0][0] <= self.now_ns:
                _, data, garbled = line.popleft()
                self.delivered_garbled += garbled
                end.guarded(lambda end=end, data=data: end.link.receive(data, self.now_ns))  # type: ignore[misc]
            end.guarded(lambda end=end: end.link.tick(self.now_ns))  # type: ignore[misc]
        client = self.client
        if client.link.session.up and self.orders.ready:
            if len(self.orders.orders) < orders and self.random.random() < 0.5:
                client.guarded(lambda: self.orders.order(client.link, "BTC", 0, 5, "0.05"))
            elif self.now_ns % SECOND == 0:
                client.guarded(lambda: self.orders.chase(client.link, SECOND))


def check(world: World, orders: int) -> None:
    """No order is lost, none is taken twice, and both ends agree."""
    sent, taken = world.orders.orders, world.taken.orders
    assert len(sent) == orders
    assert set(taken) <= set(sent)
    assert world.taken.repeats == 0
    arrived = [
        m.get(11) for m in taken_messages(DiskStore(world.server.path).records) if m.kind == "D"
    ]
    assert len(arrived) == len(set(arrived)) == len(taken)
    for name, one in sent.items():
        if one.fate in (Fate.LIVE, Fate.FILLED):
            assert (one.filled, one.units) == (taken[name].filled, taken[name].units)
        else:
            assert one.fate in (Fate.DEAD, Fate.REJECTED)
            assert name not in taken
    ends = (world.client, world.server)
    assert sum(end.garbled for end in ends) == world.delivered_garbled
    for reject in world.server.rejects:
        assert any(set(bad) <= reject for bad in BAD_FIELDS), reject
    # The run met what it is about.
    assert (
        min(world.harmed[name] for name in ("lost", "repeated", "garbled", "bad field", "cut")) > 0
    )
    assert min(end.kills for end in ends) > 0
    assert world.server.rejects
    again = OrderServer(
        DiskStore(world.server.path).records, lambda one: one.units - one.order.endswith(b"77")
    )
    assert again.orders == taken


@pytest.mark.parametrize(
    ("seed", "version", "orders", "resend_limit_s"),
    [
        (1, "FIX.4.4", 400, 3600.0),
        (7, "FIX.4.2", 200, 0.5),
        pytest.param(3, "FIX.4.4", 3400, 3600.0, marks=pytest.mark.full),
        pytest.param(4, "FIX.4.4", 3400, 0.5, marks=pytest.mark.full),
        pytest.param(5, "FIX.4.2", 3400, 2.0, marks=pytest.mark.full),
    ],
)
def test_no_order_is_lost_or_taken_twice(
    tmp_path: Path, seed: int, version: str, orders: int, resend_limit_s: float
) -> None:
    world = World(seed, tmp_path, version, orders, resend_limit_s)
    check(world, orders)
    assert world.messages > 3 * orders
    fates = Counter(one.fate for one in world.orders.orders.values())
    if resend_limit_s < 1:
        assert world.client.lapsed > 0
        assert fates[Fate.DEAD] > 0
    else:
        assert world.client.resent > 0
