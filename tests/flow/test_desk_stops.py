"""A desk stops, whatever hangs or fails: nothing of it stays live, and its log says what it did."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, EnvironmentMissingError
from pyorch.contract.events import EVENT_DTYPE, event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.controls import Order
from pyorch.trading.desk import Desk
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import ExchangeSettings, FlowSettings, VenueSettings
from pyorch.trading.inputs import INPUT_DTYPE, InputKind, LimitName, make_input
from pyorch.trading.log import LogWriter, RunLog, Stretch, parse_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch, TickFlag
from pyorch.trading.recovery import orders_in_force, recover
from pyorch.trading.sample import random_quoting_bundle

KILL, REARM = (Order(kind, "R. Officer", "drill") for kind in (InputKind.KILL, InputKind.REARM))
LATER_NS = 7_000_000_000


class Memory:
    """A disk that keeps everything, and stops taking anything when told to."""

    def __init__(self) -> None:
        self.data = b""
        self.go = threading.Event()
        self.go.set()
        self.fails = False

    def write(self, data: bytes) -> None:
        self.go.wait(30)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.data += data

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class Market(NamedTuple):
    tape: Tape
    bundle: Bundle
    plan: QuotingPlan

    def exchange(self) -> Exchange:
        settings = ExchangeSettings(
            venues=(VenueSettings(name="VENUE"),),
            flow=FlowSettings(random_per_s=60.0, patience_bp=6.0),
        )
        return Exchange(settings, self.plan, self.tape)

    def desk(self, exchange: Any, file: Memory, **settings: Any) -> Desk:
        log = LogWriter(file, {"test": "stops"}, capacity=8)
        return Desk(self.bundle, self.plan, self.tape, exchange, log, DeskSettings(**settings))

    def replays(self, log: RunLog) -> None:
        check_replay(log, replay_log(log, self.bundle, self.plan).batch)


@pytest.fixture(scope="module")
def market() -> Market:
    """Two markets, one after the other: the second begins with a snapshot."""
    tape = insert_timer_ticks(simulate(7, 6.0))
    again = tape.events.copy()
    for name in ("local_ns", "exchange_ns"):
        again[name] += LATER_NS
    both = replace(tape, events=np.concatenate([tape.events, again]))
    bundle = random_quoting_bundle(3, tape)
    return Market(both, bundle, make_plan(load_config(), bundle, tape, acknowledged=True))


class Watched:
    """An exchange with something done at a call; what it is asked."""

    def __init__(self, exchange: Exchange, at: dict[tuple[str, int], Callable[[], Any]]) -> None:
        self._exchange, self._at = exchange, at
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            self._at.get((name, self.calls[name]), lambda: None)()
            return getattr(self._exchange, name)(*arguments)

        return call


class Always(dict[tuple[str, int], Callable[[], Any]]):
    """Something done at every `next_ns`."""

    def __init__(self, action: Callable[[], Any]) -> None:
        super().__init__()
        self.action = action

    def get(self, key: Any, default: Any = None) -> Any:
        return self.action if key[0] == "next_ns" else super().get(key, default)


def left_live(exchange: Exchange) -> list[Any]:
    """What rests once everything that is on its way has arrived."""
    exchange.advance(exchange._last_ns + 60_000_000_000)
    return exchange.reconcile()[2]


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("call", "at", "error"),
    [("submit", 60, OSError("broken pipe")), ("advance", 600, DeviceError("gone"))],
)
def test_whatever_is_raised_in_a_run_everything_is_withdrawn_and_said(
    call: str, at: int, error: Exception, market: Market
) -> None:
    exchange, file = market.exchange(), Memory()
    desk = market.desk(Watched(exchange, {(call, at): raising(error)}), file)
    with pytest.raises(type(error)):
        desk.run()
    assert exchange.venues[0].last_sequence > 0 and left_live(exchange) == []
    log = parse_log(file.data)
    assert not log.ended and log.texts[-1]["ended_by"] == f"{type(error).__name__}: {error}"
    market.replays(log)


def test_a_disk_that_fails_withdraws_everything_and_a_failing_second_route_is_noted(
    market: Market,
) -> None:
    exchange, file = market.exchange(), Memory()
    watched = Watched(exchange, {("submit", 40): lambda: setattr(file, "fails", True)})
    with pytest.raises(EnvironmentMissingError, match="No space left"):
        market.desk(watched, file).run()
    assert left_live(exchange) == [] and watched.calls["kill"] == 1
    file = Memory()
    watched = Watched(
        market.exchange(),
        {("submit", 40): raising(OSError("pipe")), ("kill", 1): raising(OSError("no route"))},
    )
    with pytest.raises(OSError, match="pipe") as found:
        market.desk(watched, file).run()
    assert "second route failed (no route): quotes may be live" in str(found.value.__notes__)
    assert "no route" in parse_log(file.data).texts[0]["kill_switch"]


def test_the_kill_switch_works_while_the_tick_thread_hangs_in_a_blocked_socket(
    market: Market,
) -> None:
    exchange, file = market.exchange(), Memory()
    hangs, go = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go.wait(30)

    desk = market.desk(Watched(exchange, {("submit", 50): hang}), file)
    thread = threading.Thread(target=desk.run)
    thread.start()
    assert hangs.wait(30)
    desk.order(KILL)
    assert desk.switch.wait(30) and desk.switch.error is None
    exchange.advance(desk.now_ns + 1_000_000_000)
    assert exchange.reconcile()[2] == [] and exchange.venues[0].locked
    go.set()
    thread.join(60)
    assert left_live(exchange) == [] and desk.result.inputs["kill"] >= 1
    market.replays(parse_log(file.data))


def test_the_kill_switch_works_while_native_steps_hang(market: Market) -> None:
    exchange, file = market.exchange(), Memory()
    desk = market.desk(exchange, file)
    settings = native_settings(market.plan)
    settings.tick_ring = 2  # full at once, and nobody reads: the native code spins
    assert market.bundle.schema is not None
    desk.steps = _native.DeskSteps(
        settings,
        open_stream(market.bundle.schema),
        _native.LstmTickEngine(native_engine(market.bundle, "auto")),
        event_words(market.tape.events),
    )
    thread = threading.Thread(target=desk.steps.advance, args=(1 << 62, 100_000, False))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    desk.order(KILL)
    assert desk.switch.wait(30)
    exchange.advance(desk.now_ns + 1_000_000_000)
    assert exchange.venues[0].locked
    desk.steps.abandon()
    thread.join(60)
    assert not thread.is_alive()
    desk.switch.close()
    desk.log.close()


def test_a_kill_from_another_thread_at_any_row_is_in_the_log_and_replays(market: Market) -> None:
    exchange, file = market.exchange(), Memory()
    desk = market.desk(exchange, file)
    # The flag alone, as when the switch is pulled in the middle of native steps.
    desk.exchange = Watched(exchange, {("next_ns", 400): desk.switch.pull})
    desk.run()
    log = parse_log(file.data)
    kills = log.inputs[log.inputs["kind"] == InputKind.KILL]
    assert len(kills) == 1 and kills["row"][0] > 0
    flags = log.batch.ticks["flags"]
    assert (flags & TickFlag.KILLED).any() and left_live(exchange) == []
    market.replays(log)


def test_a_bad_re_arm_is_refused_into_the_log_and_the_run_goes_on(market: Market) -> None:
    exchange, file = market.exchange(), Memory()
    desk = market.desk(exchange, file)
    at = {
        ("next_ns", 100): lambda: desk.order(REARM),  # nothing is down
        ("next_ns", 300): lambda: desk.order(KILL),
        ("next_ns", 400): lambda: (desk.order(REARM), desk.order(KILL)),  # pulled again
        ("next_ns", 500): lambda: desk.order(REARM),
    }
    desk.exchange = Watched(exchange, at)
    desk.run()
    log = parse_log(file.data)
    refused = [text["refused"] for text in log.texts if "refused" in text]
    assert refused == desk.result.refused_orders and len(refused) == 2
    assert "nothing to re-arm" in refused[0] and "pulled again (pull 2" in refused[1]
    kinds = [k for k in log.inputs["kind"].tolist() if k in (InputKind.KILL, InputKind.REARM)]
    assert kinds.count(InputKind.REARM) == 1 and kinds[-1] == InputKind.REARM
    # The venue said what it had taken in before anything was quoted again.
    rearmed = int(np.flatnonzero(log.inputs["kind"] == InputKind.REARM)[-1])
    assert InputKind.CONNECTED in log.inputs["kind"][rearmed:]
    market.replays(log)


def test_when_writing_is_too_slow_quotes_are_withdrawn_and_come_back_when_it_has_caught_up(
    market: Market,
) -> None:
    exchange, file = market.exchange(), Memory()
    desk = market.desk(exchange, file, log_patience_s=0.05)
    began: list[int] = []
    live: list[Any] = []

    def look() -> None:
        """Every time that the desk asks: 3,000 rows into the stall nothing is live; the disk comes back,
        and the log's thread has written before the market is over."""
        if began and not file.go.is_set() and desk.steps.row > began[0] + 3000:
            live.append(exchange.reconcile()[2])
            file.go.set()
            assert desk.log.wait(desk.log.number, False, 30)

    at: Any = Always(look)
    at[("submit", 60)] = file.go.clear
    at[("withdraw", 1)] = lambda: began.append(desk.steps.row)
    desk.exchange = Watched(exchange, at)
    result = desk.run()
    assert live == [[]] and result.unsent > 0
    assert result.inputs["journal_full"] == result.inputs["journal_ready"] == 1
    log = parse_log(file.data)
    assert log.ended and any("log_too_slow" in text for text in log.texts)
    full, ready = (
        int(log.inputs["row"][log.inputs["kind"] == kind][0])
        for kind in (InputKind.JOURNAL_FULL, InputKind.JOURNAL_READY)
    )
    ticks = log.batch.ticks
    silent = (ticks["row"] > full) & (ticks["row"] < ready)
    assert not silent.any() and ready >= full + 3000
    assert ticks["quotes"][ticks["row"] > ready].any()
    market.replays(log)


def test_rings_that_fill_up_again_and_again_lose_no_row_and_replay(market: Market) -> None:
    assert market.bundle.schema is not None

    def steps_of(ring: int, events: Any) -> Any:
        settings = native_settings(replace(market.plan, limits=plain))
        settings.tick_ring, settings.stop_when_full = ring, ring < 1000
        stream = open_stream(market.bundle.schema)
        engine = _native.LstmTickEngine(native_engine(market.bundle, "auto"))
        return _native.DeskSteps(settings, stream, engine, event_words(events))

    plain = replace(market.plan.limits, acknowledged=False)
    events = market.tape.events[:6000]
    steps, parts, noted = steps_of(8, events), [], []
    while not steps.done:
        steps.advance(1 << 62, steps.row + 40, False)
        noted.append(steps.take_noted())
        parts.append(batch_of(*steps.drain()))
    inputs = np.frombuffer(b"".join(noted), INPUT_DTYPE)
    assert len(inputs) > 64 and set(inputs["value"]) == {1}
    again, replayed = steps_of(1 << 12, events), []
    for one in range(len(inputs)):
        while again.row < inputs["row"][one]:
            again.advance(1 << 62, int(inputs["row"][one]), False)
            replayed.append(batch_of(*again.drain()))
        again.take(input_words(inputs[one : one + 1]))
        replayed.append(batch_of(*again.drain()))
    while not again.done:
        again.advance(1 << 62, again.row + 500, False)
        replayed.append(batch_of(*again.drain()))
    ours, theirs = JournalBatch.join(parts), JournalBatch.join(replayed)
    assert ours.fix == theirs.fix and len(ours.ticks) == len(theirs.ticks)
    assert ours.quotes.tobytes() == theirs.quotes.tobytes()


def test_a_second_desk_goes_on_with_positions_numbers_and_orders_and_stays_down_until_re_armed(
    market: Market,
) -> None:
    half = len(market.tape.events) // 2
    exchange, file = market.exchange(), Memory()
    first = market._replace(tape=replace(market.tape, events=market.tape.events[:half]))
    desk = first.desk(exchange, file)

    def die() -> None:
        if desk.steps.row > half // 2 and any(exchange.positions_lots()):
            raise OSError("killed")

    at: Any = Always(die)
    who = ("A. Trader", "news")
    for number, order in enumerate(
        (
            Order(InputKind.WIDEN, *who, 50), Order(InputKind.WIDEN, *who, 20),
            Order(InputKind.LIMIT, *who, 1 << 40, LimitName.VEGA),
            Order(InputKind.LIMIT, *who, 1 << 41, LimitName.DELTA),
            Order(InputKind.PAUSE, *who), Order(InputKind.RESUME, *who),
        )
    ):  # fmt: skip
        at[("advance", 100 + number)] = partial(desk.order, order)
    desk.exchange = Watched(exchange, at)
    with pytest.raises(OSError, match="killed"):
        desk.run()
    at_ns = int(market.tape.events["local_ns"][half])
    exchange.advance(at_ns - 1)
    found = recover(parse_log(file.data), market.bundle, market.plan, exchange.reconcile())
    assert found.sequences[0] > 1 and any(found.positions_lots)
    in_force = [(InputKind(k), v) for k, v in found.orders[["kind", "value"]].tolist()]
    assert in_force == [
        (InputKind.WIDEN, 20), (InputKind.LIMIT, 1 << 40), (InputKind.LIMIT, 1 << 41),
    ]  # fmt: skip
    assert found.killed and exchange.venues[0].locked
    log = LogWriter(second := Memory(), {"test": "second"})
    rest = replace(market.tape, events=market.tape.events[half:])
    desk = Desk(
        market.bundle, market.plan, rest, exchange, log, DeskSettings(), ((2.0, REARM),),
        recovery=found,
    )  # fmt: skip
    result = desk.run()
    exchange.advance(exchange._last_ns + 60_000_000_000)
    venue = exchange.venues[0]
    assert venue.duplicates == 0 and venue.last_sequence > found.sequences[0] + 10
    assert result.positions_lots == exchange.positions_lots() != list(found.positions_lots)
    read = parse_log(second.data)
    assert read.texts[0]["carried_over"] == ["WIDEN", "LIMIT", "LIMIT", "KILL"]
    quotes = read.batch.quotes
    assert len(quotes) > 100 and quotes["local_ns"].min() >= at_ns + 2_000_000_000
    market.replays(read)


def test_what_was_in_force_at_a_log_s_end_is_what_was_ordered_last_and_not_taken_back() -> None:
    def log_of(kinds: list[InputKind], flags: int = 0, **text: str) -> RunLog:
        ticks = np.zeros(1, TICK_DTYPE)
        ticks["row"], ticks["flags"] = 5, flags
        rows = [make_input(kind, 0, row=6) for kind in kinds]
        batch = JournalBatch(ticks, np.zeros(0, QUOTE_DTYPE), b"")
        stretch = Stretch(0, np.zeros(0, EVENT_DTYPE), np.concatenate(rows), batch)
        return RunLog({}, [stretch], [text], False, 1, 0, 0)

    def in_force(log: RunLog) -> tuple[list[InputKind], bool]:
        orders, killed = orders_in_force(log)
        return [InputKind(kind) for kind in orders["kind"].tolist()], killed

    kinds = InputKind
    assert in_force(log_of([kinds.KILL, kinds.REARM, kinds.MODEL_OFF])) == (
        [kinds.MODEL_OFF],
        False,
    )
    assert in_force(log_of([kinds.KILL, kinds.REARM, kinds.KILL, kinds.PAUSE])) == (
        [kinds.PAUSE],
        True,
    )
    assert in_force(log_of([kinds.PAUSE, kinds.RESUME], ended_by="OSError")) == ([], True)
    assert in_force(log_of([kinds.PROTECTION])) == ([kinds.PROTECTION], False)
    assert in_force(log_of([kinds.FILLED], TickFlag.FROZEN)) == ([kinds.PROTECTION], False)
    assert in_force(log_of([kinds.RESET_PROTECTION], TickFlag.FROZEN)) == ([], False)


def test_an_unlocking_by_the_second_route_never_overtakes_a_later_kill(market: Market) -> None:
    exchange = market.exchange()
    now_ns = int(market.tape.events["local_ns"][0])
    for _ in range(50):  # delays of 4 ms, now and then 12
        now_ns += 100_000_000
        exchange.rearm(now_ns)
        done_ns = exchange.kill(now_ns + 1)
        exchange.advance(done_ns)
        assert exchange.venues[0].locked
