"""A desk over live feeds and FIX sessions, killed and begun anew: nothing is lost, nothing comes twice."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import simplefix
from click.testing import CliRunner

from pyorch.app.desk_commands import run
from pyorch.app.desk_config import load_desk
from pyorch.app.desk_run import plan_of
from pyorch.app.live_place import read_live_place, venues_lock
from pyorch.app.live_recovery import logs_of, recover_run
from pyorch.app.live_run import run_live
from pyorch.app.shipped import shipped_bundle
from pyorch.app.watch.watching import watched
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.exclusive import is_held
from pyorch.trading.desk import SCHEDULED
from pyorch.trading.fix.session_terms import RecordKind
from pyorch.trading.fix.store import DiskStore
from pyorch.trading.inputs import InputKind
from pyorch.trading.live_desk import LiveDesk
from pyorch.trading.log import RunLog, read_log
from sim.feeds.faults import FaultRates
from sim.venues.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = """
[market]
seconds = 240
seed = 7
[desk]
[exchange]
seed = 3
[exchange.flow]
random_per_s = 40.0
stale_lots = 0
informed_share = 0.0
[[exchange.venues]]
name = "VENUE"
outward = { p50_us = 300.0, p99_us = 900.0 }
inward = { p50_us = 300.0, p99_us = 900.0 }
"""
EAGER = """
[execution]
halt_volatility_percent = 1000.0
slippage_ticks = 1000.0
passive_probability = 1.0
aggressive_probability = 0.00001
slippage_cap_ticks = 600
interval_ms = 200
[[parents]]
at_s = 3.0
over_s = {over_s}
option = 4
side = "buy"
contracts = {contracts}
"""
BESIDE = """
outages_s = [2.6]
outage_ms = 300
[exchange.requests]
per_s = 4.0
[requests]
scores = [1.0, 0.2]
[[orders]]
at_s = 1.0
order = "kill"
who = "R. Officer"
why = "drill"
[[orders]]
at_s = 1.2
order = "rearm"
who = "R. Officer"
why = "drill over"
"""
PYORCH = [sys.executable, "-c", "from pyorch.app.cli import main; main()"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a configuration whose venues are served, with faults on the feeds."""
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "desk.toml").write_text(
        CONFIG
        + "outages_s = [12, 24, 36, 48, 60, 72, 84, 96, 108]\n"
        + EAGER.format(over_s=220.0, contracts=50.0)
    )
    words = ["serve-venues", str(folder / "desk.toml"), "--folder", str(folder / "venues")]
    world = subprocess.Popen(
        [*PYORCH, *words, "--faults", "0.0003"], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert world.stdout is not None and world.stderr is not None
    if not world.stdout.readline():
        pytest.fail(world.stderr.read().decode())
    yield folder
    world.terminate()
    assert world.wait(60) == 0


Begin = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins desks (folder, words of the command line); what is left of them ends with the test."""
    desks: list[subprocess.Popen[bytes]] = []
    places: list[Path] = []

    def start(folder: Path, *how: str) -> subprocess.Popen[bytes]:
        words = ["run", str(folder / "desk.toml"), "--out", str(folder / "out"), "--json", *how]
        pipe = subprocess.PIPE
        desks.append(subprocess.Popen([*PYORCH, *words], stdout=pipe, stderr=pipe))
        places.append(folder / "out" / "venues")
        return desks[-1]

    yield start
    for desk in desks:
        desk.kill()
        desk.communicate()
    for place in places:
        if is_held(venues_lock(place)):
            os.kill(read_live_place(place).process, signal.SIGTERM)


def venue_status(venues: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((venues / "status.json").read_text())
    return found


@pytest.mark.full
def test_a_desk_killed_twice_on_a_bad_line_goes_on(served: Path, begin: Begin) -> None:
    for _ in range(2):
        before = venue_status(served / "venues")
        desk = begin(served, "--venues", str(served / "venues"))

        def works(now: dict[str, Any], before: dict[str, Any] = before) -> bool:
            sent = now["venues"][0]["taken_in"] - before["venues"][0]["taken_in"]
            children = own_fills(now) - own_fills(before)
            return sent >= 25 and children >= 2 and bool(now["fills"] >= before["fills"] + 5)

        kill_when(desk, served / "venues", works)
    last = begin(served, "--venues", str(served / "venues"), "--seconds", "8")
    said, wrong = last.communicate(timeout=120)
    assert last.returncode == 0, wrong.decode()
    figures = json.loads(said)["figures"]
    assert figures["run"] == 3 and figures["fix_messages"] > 5 and figures["rows_lost"] == 0
    time.sleep(1.0)  # the last status is written
    logs = check_numbers_and_fills(served, served / "venues", figures, ["VENUE"])
    assert len(logs) == 3 and logs[-1].ended and not logs[0].ended

    # The parent order went on in each desk, and knows all that was done of it.
    done = [log.begin["parents"][0]["done_lots"] for log in logs]
    assert 0 == done[0] < done[1] < done[2]
    assert round(figures["parent_0_done_share"] * 500) == done[2] + own_lots(logs[2])
    assert all(
        now >= was + own_lots(log) for was, now, log in zip(done, done[1:], logs, strict=False)
    )
    numbers = logs[2].begin["parents"][0]["sent"]
    assert len(set(numbers)) == len(numbers) > 3

    # A store that is not the log's is refused, and so is another market.
    config, bundle = load_desk(served / "desk.toml"), Bundle.load(shipped_bundle())
    place = read_live_place(served / "venues")
    _, plan = plan_of(config, served, bundle, place.opening, "model")
    last_desk = recover_run(served / "out", place.market, bundle, plan)
    assert last_desk.recovery is not None and last_desk.number == 4
    assert not any(last_desk.recovery.unseen_lots)
    status = venue_status(served / "venues")
    assert list(last_desk.recovery.positions_lots) == status["positions_lots"]
    with pytest.raises(UsageError, match=r"the venues serve another: .*give --out an empty folder"):
        recover_run(served / "out", "another", bundle, plan)
    (served / "out" / "VENUE.session").unlink()
    with pytest.raises(DataError, match=r"its session has taken in others \(0 in all\)"):
        recover_run(served / "out", place.market, bundle, plan)


@pytest.mark.full
def test_the_example_over_sessions_killed_in_the_middle_goes_on_in_everything(
    tmp_path: Path, begin: Begin
) -> None:
    """`pyorch run examples/desk.toml` with parents, requests, operators, an outage, and the page."""
    for name in ("desk.toml", "desk-quoting.toml"):
        (tmp_path / name).write_bytes((EXAMPLES / name).read_bytes())
    venues = tmp_path / "out" / "venues"
    desk = begin(tmp_path, "--sessions", "--watch", "0")
    address = page_of(desk)

    def works(now: dict[str, Any]) -> bool:
        quotes = min(venue["taken_in"] for venue in now["venues"])
        return bool(quotes >= 30 and own_fills(now) >= 3)

    kill_when(desk, venues, works, lambda: assert_watched(address))
    place = read_live_place(venues)
    assert time.time_ns() - place.shift_ns < place.last_ns - 25 * 10**9, "too late to go on"
    desk = begin(tmp_path, "--sessions", "--watch", "0")
    address = page_of(desk)
    until_s = time.monotonic() + 60
    while not assert_watched(address):
        assert desk.poll() is None and time.monotonic() < until_s, desk.communicate()
    while (now := venue_status(venues))["venues"][0]["live"] == 0 and desk.poll() is None:
        assert time.monotonic() < until_s, now
        time.sleep(0.02)
    said, wrong = desk.communicate(timeout=120)
    assert desk.returncode == 0, wrong.decode()
    assert not is_held(venues_lock(venues)), "the venues end with the desk"
    figures = json.loads(said)["figures"]
    assert figures["run"] == 2 and figures["fix_messages"] > 20 and figures["rows_lost"] == 0
    logs = check_numbers_and_fills(tmp_path, venues, figures, ["VENUE-A", "VENUE-B"])

    # Operators' orders were given once each, over both desks.
    given = [text["order"] for log in logs for text in log.texts if SCHEDULED in text]
    assert given == ["WIDEN", "WIDEN", "KILL", "REARM"] and logs[1].begin["scheduled"] <= 2

    # Parent orders have done what both desks' logs say, and what only the sessions saw in between.
    before = logs[1].begin["parents"]
    at_kill = sum(one["done_lots"] for one in before)
    done = sum(figures[f"parent_{k}_done_share"] * one["lots"] for k, one in enumerate(before))
    assert at_kill >= own_lots(logs[0]) > 0 and round(done) == at_kill + own_lots(logs[1])
    answers = [text["answer"] for log in logs for text in log.texts if "answer" in text]
    assert any(isinstance(price, int) for price in answers)
    assert venue_status(venues)["requests"]["heard"] > 0


def own_fills(status: dict[str, Any]) -> int:
    """At the venues, of orders beside the quotes."""
    return int(status["fills_by"].get("own order", 0))


def own_lots(log: RunLog) -> int:
    """Filled of orders beside the quotes."""
    inputs = log.inputs
    own = (inputs["kind"] == InputKind.FILLED) & (inputs["value"] == 1) & (inputs["sequence"] > 0)
    return int(inputs["lots"][own].sum())


def test_a_desk_at_work_ends_flat_in_orders_and_agreed_on_positions(tmp_path: Path) -> None:
    beside = BESIDE + EAGER.format(over_s=2.5, contracts=2.0)
    (tmp_path / "desk.toml").write_text(CONFIG.replace("seconds = 240", "seconds = 9") + beside)
    config, bundle = load_desk(tmp_path / "desk.toml"), Bundle.load(shipped_bundle())
    world = World(config, tmp_path, bundle, tmp_path / "venues", FaultRates(), 1)
    with served_world(world):
        desks: list[LiveDesk] = []
        with watched("desk", port=0) as watching:

            def attach(desk: LiveDesk, engine: str) -> None:
                desks.append(desk)
                assert watching.attach(desk, bundle, engine) is not None

            found = run_live(
                config, tmp_path, bundle, tmp_path / "out", tmp_path / "venues", 6.0,
                on_desk=attach,
            )  # fmt: skip
        figures = found.figures
        # How much happens in six seconds is the machine's speed: at least once is asked for.
        assert figures["surfaces_of_tickers"] > 0 and figures["inputs_kill"] == 1
        assert figures["inputs_rearm"] == 1 and figures["fix_VENUE_rejects"] == 0
        assert figures["fix_messages"] > 0 and figures["fix_VENUE_logons"] == 2
        assert figures["rows_lost"] == 0 and figures["feed_starts"] == 2
        assert figures["inputs_disconnected"] == 1, "the outage"
        assert world.exchange.reconcile()[2] == []
        fills = world.exchange.fills
        own = sum(fill.lots for fill in fills if fill.by == "own order")
        assert own == round(figures["parent_0_done_share"] * 20) > 0
        assert figures["requests_requests"] > 0 and figures["requests_answered"] > 0
        dealt = sum(fill.by == "request" for fill in fills)
        assert dealt == figures.get("requests_dealt", 0)
        assert list(desks[0].steps.positions_lots) == world.exchange.positions_lots()
        with pytest.raises(UsageError, match=r"venues are served in .*venues already; end them"):
            asyncio.run(world.run(asyncio.Event(), lambda place: None))
    log = read_log(found.log)
    view = watching.view
    assert view is not None and view.ended and view.figures()["unseen_observations"] == 0
    assert view.counts["quotes"] == len(log.batch.quotes) and view.down == set()
    assert {name: view.inputs[name] for name in ("kill", "rearm")} == {"kill": 1, "rearm": 1}
    assert view.latest is not None
    assert list(view.latest.positions_lots) == list(desks[0].steps.positions_lots)
    assert log.ended and log.begin["run"] == 1 and log.begin["taken"] == [0]
    place = read_live_place(tmp_path / "venues")
    _, plan = plan_of(config, tmp_path, bundle, place.opening, "model")
    last = recover_run(tmp_path / "out", place.market, bundle, plan)
    assert last.recovery is not None and last.number == 2 and last.taken[0] > 0
    assert last.scheduled == 2 and last.parents is not None and last.parents[0]["done_lots"] == own
    # Takers may have set off protection, which stays; nobody else ordered anything.
    kept = set(last.recovery.orders["kind"].tolist())
    assert not last.recovery.killed and kept <= {InputKind.PROTECTION}, (
        "the pause of the end is not kept"
    )
    with pytest.raises(
        UsageError, match=r"does not say where the venues are .*pyorch serve-venues"
    ):
        run_live(config, tmp_path, bundle, tmp_path / "out", tmp_path / "nowhere", 5.0)


def test_what_a_run_over_sessions_cannot_have_is_said(tmp_path: Path) -> None:
    desk = str(EXAMPLES / "desk.toml")
    for words, said in (
        (["--sessions", "--venues", "V"], "--sessions begins venues of its own"),
        (["--sessions", "--pace", "2"], "--pace and --arm are for a market in this process"),
        (["--seconds", "5"], "--seconds is for a run over sessions"),
    ):
        found = CliRunner().invoke(run, [desk, *words])
        assert isinstance(found.exception, UsageError) and said in str(found.exception)


def check_numbers_and_fills(
    home: Path, venues: Path, figures: dict[str, float], names: list[str]
) -> list[RunLog]:
    """Every fill was heard once, no number was used twice, over all desks; both ends agree. Their logs."""
    status, logs = venue_status(venues), [read_log(path) for path in logs_of(home / "out")]
    heard = 0
    for name, venue in zip(names, status["venues"], strict=True):
        assert venue["duplicates"] == 0
        store = DiskStore(home / "out" / f"{name}.session")
        store.close()
        told = [
            one
            for one in store.records
            if one.kind is RecordKind.TAKEN and b"\x01150=F\x01" in one.raw
        ]
        reports = [one.raw.split(b"\x0117=")[1].split(b"\x01")[0] for one in told]
        assert len(set(reports)) == len(reports)
        heard += len(told)
        sent = [one for one in store.records if one.kind is RecordKind.SENT]
        numbers = [one.number for one in sent]
        assert numbers == sorted(set(numbers)) and venue["heard"] >= numbers[-1]
        parser = simplefix.FixParser()
        parser.append_buffer(b"".join(one.raw for one in sent))
        quotes = []
        while (message := parser.get_message()) is not None:
            if message.get(35) in (b"i", b"Z"):
                quotes.append(int(message.get(117)))
        assert quotes == sorted(set(quotes)) and quotes[-1] >= venue["taken_in"] - 5
        assert figures[f"fix_{name}_heard"] <= venue["sent"]
    # In a log, or taken over from the session by the next desk.
    assert heard == status["fills"] > 5
    assert sum(int((log.inputs["kind"] == InputKind.FILLED).sum()) for log in logs) <= heard
    assert figures["held_lots"] == sum(map(abs, status["positions_lots"]))
    return logs


def kill_when(
    desk: subprocess.Popen[bytes],
    venues: Path,
    works: Callable[[dict[str, Any]], bool],
    before: Callable[[], object] = lambda: None,
) -> None:
    """Kill a desk once the venues' status is so; nothing of it rests then."""
    until_s = time.monotonic() + 120
    while not works(now := venue_status(venues)):
        if desk.poll() is not None or time.monotonic() > until_s:
            desk.kill()
            pytest.fail(f"the desk sends nothing: {now}, {desk.communicate()[1].decode()}")
        time.sleep(0.05)
    before()
    os.kill(desk.pid, signal.SIGKILL)
    desk.communicate()
    while any(venue["live"] for venue in venue_status(venues)["venues"]):  # cancel on disconnect
        assert time.monotonic() < until_s
        time.sleep(0.05)


def page_of(desk: subprocess.Popen[bytes]) -> str:
    """The page's address, once the desk tells it."""
    assert desk.stderr is not None
    for line in desk.stderr:
        if line.startswith(b"page: "):
            return line.split()[1].decode()
    raise AssertionError(f"no page: {desk.communicate()[1].decode()}")


def assert_watched(address: str) -> bool:
    """The page tells of this run; whether quotes are among it."""
    url, _, token = address.partition("#")
    asked = Request(url + "status", headers={"Authorization": f"Bearer {token}"})
    with urlopen(asked, timeout=30) as answer:
        found = json.loads(answer.read())
    assert found["title"] == "desk-live" and len(found["features"]) > 0
    return bool(found["counts"].get("quotes", 0) > 0)


@contextmanager
def served_world(world: World) -> Iterator[None]:
    """On a thread of its own, until the end."""
    ready: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        await world.run(stop, lambda place: ready.put((loop, stop)))

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    loop, stop = ready.get(timeout=60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
