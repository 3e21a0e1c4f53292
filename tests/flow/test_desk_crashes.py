"""Kills and losses of power at random points: the log begins as the run did, nothing is sent twice."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, EnvironmentMissingError
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.desk import Desk
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import ExchangeSettings, FlowSettings, VenueSettings
from pyorch.trading.inputs import InputKind
from pyorch.trading.log import DiskFile, LogWriter, RunLog, parse_log, read_log
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.recovery import Recovery, recover
from pyorch.trading.sample import random_quoting_bundle

SETTINGS = ExchangeSettings(
    venues=(VenueSettings(name="VENUE"),), flow=FlowSettings(random_per_s=60.0, patience_bp=6.0)
)


class Market(NamedTuple):
    tape: Tape
    bundle: Bundle
    plan: QuotingPlan

    def exchange(self) -> Exchange:
        return Exchange(SETTINGS, self.plan, self.tape)

    def desk(self, exchange: Any, log: LogWriter, durable: bool) -> Desk:
        settings = DeskSettings(durable=durable)
        return Desk(self.bundle, self.plan, self.tape, exchange, log, settings)


@pytest.fixture(scope="module")
def market() -> Market:
    tape = insert_timer_ticks(simulate(7, 7.0))
    bundle = random_quoting_bundle(3, tape)
    return Market(tape, bundle, make_plan(load_config(), bundle, tape, acknowledged=True))


def judge(market: Market, log: RunLog, exchange: Exchange) -> Recovery:
    """What must hold after any crash, with what was on its way having arrived."""
    exchange.advance(exchange._last_ns + 60_000_000_000)
    found = recover(log, market.bundle, market.plan, exchange.reconcile())
    venue = exchange.venues[0]
    assert venue.duplicates == 0
    # What the log has not seen are whole fills at the end of the venue's list.
    seen = int((log.inputs["kind"] == InputKind.FILLED).sum())
    unseen = [0] * len(found.unseen_lots)
    for fill in venue.fills[seen:]:
        unseen[fill.option] += fill.lots if fill.side == 0 else -fill.lots
    assert list(found.unseen_lots) == unseen
    assert found.sequences[0] >= venue.last_sequence
    # The desk is gone: the venue cancels on disconnect.
    venue.cut(exchange._last_ns)
    assert venue.live_orders() == []
    return found


class PowerLoss(Exception):
    """The power is gone."""


class FailingDisk:
    """Keeps what is synced; the rest is lost, or torn, when the power goes at operation ``last``."""

    def __init__(self, random: Random, last: int) -> None:
        self.random, self.left = random, last
        self.safe, self.unsafe = b"", b""

    def write(self, data: bytes) -> None:
        self.unsafe += data
        self._spend()

    def sync(self) -> None:
        self._spend()
        self.safe, self.unsafe = self.safe + self.unsafe, b""

    def close(self) -> None:
        self.sync()

    def _spend(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise PowerLoss

    def after(self) -> bytes:
        """What is found when the power is back: sectors of what was not synced may be there, or garbage."""
        kept = bytearray(self.unsafe[: self.random.randrange(len(self.unsafe) + 1)])
        for start in range(0, len(kept), 512):
            if self.random.random() < 0.3:
                end = min(start + 512, len(kept))
                kept[start:end] = self.random.randbytes(end - start)
        return self.safe + bytes(kept)


@pytest.mark.parametrize(
    "points", [pytest.param(3, id="few"), pytest.param(200, id="200", marks=pytest.mark.full)]
)
def test_a_loss_of_power_leaves_a_log_that_holds_every_message_that_was_sent(
    points: int, market: Market
) -> None:
    random = Random(points)
    lengths = []
    whole = FailingDisk(random, 1_000_000)
    market.desk(market.exchange(), LogWriter(whole, {"test": "power"}, sync_every=4), True).run()
    operations = 1_000_000 - whole.left
    for _ in range(points):
        exchange = market.exchange()
        disk = FailingDisk(random, random.randint(3, operations - 2))
        log = LogWriter(disk, {"test": "power"}, sync_every=4)
        with pytest.raises(EnvironmentMissingError, match="the run log could not be written"):
            market.desk(exchange, log, durable=True).run()
        found = disk.after()
        try:
            read = parse_log(found)
        except DataError:
            assert not exchange.venues[
                0
            ].last_sequence  # nothing reached the disk, nothing was sent
            continue
        assert read.size >= len(disk.safe)
        judge(market, read, exchange)
        lengths.append(read.blocks)
    assert max(lengths) > 5


class CountedExchange:
    """Counts what a desk asks of its exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.calls, self._exchange = 0, exchange

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._exchange, name)


class FarExchange:
    """The exchange in another process: it goes on when the desk is killed."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._line.send((name, arguments))
            return self._line.recv()

        return call


def serve(exchange: Exchange, line: Connection, calls: int, child: int) -> Iterator[str]:
    """Answer the desk, and kill it at its call number ``calls``; names the calls."""
    while True:
        try:
            name, arguments = line.recv()
        except EOFError:
            return
        calls -= 1
        if calls == 0:
            os.kill(child, signal.SIGKILL)
        result = getattr(exchange, name)(*arguments)
        yield name
        if calls <= 0:
            return
        line.send(result)


@pytest.mark.parametrize(
    "points", [pytest.param(3, id="few"), pytest.param(200, id="200", marks=pytest.mark.full)]
)
def test_a_kill_leaves_a_log_that_replays_and_nothing_is_sent_twice(
    points: int, market: Market, tmp_path: Path
) -> None:
    random = Random(points)
    lengths = []
    counted = CountedExchange(market.exchange())
    log = LogWriter(DiskFile(tmp_path / "whole.log"), {"test": "kill"})
    market.desk(counted, log, durable=False).run()
    for point in range(points):
        exchange, path = market.exchange(), tmp_path / f"{point}.log"
        near, far = Pipe()
        child = os.fork()
        if child == 0:
            near.close()
            try:
                log = LogWriter(DiskFile(path), {"test": "kill"})
                market.desk(FarExchange(far), log, durable=False).run()
            finally:
                os._exit(0)
        far.close()
        calls = list(serve(exchange, near, random.randint(5, counted.calls - 1), child))
        near.close()
        os.waitpid(child, 0)
        read = read_log(path)
        judge(market, read, exchange)
        assert calls and not read.ended
        lengths.append(read.blocks)
    assert max(lengths) > 5


def test_a_venue_that_knows_more_than_the_log_is_said_so(market: Market, tmp_path: Path) -> None:
    exchange, path = market.exchange(), tmp_path / "run.log"
    market.desk(exchange, LogWriter(DiskFile(path), {"test": "ahead"}), durable=False).run()
    positions, (last,), live = exchange.reconcile()
    read = read_log(path)
    found = recover(read, market.bundle, market.plan, (positions, [last], live))
    assert found.sequences == (last,) and set(found.to_cancel) == set(live)
    with pytest.raises(DataError, match=rf"taken in message {last + 9}, the log ends at {last}: "):
        recover(read, market.bundle, market.plan, (positions, [last + 9], live))
