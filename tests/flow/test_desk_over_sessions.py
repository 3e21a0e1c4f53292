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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import simplefix

from pyorch.app.desk_config import load_desk
from pyorch.app.desk_run import market_of, plan_of
from pyorch.app.live_run import logs_of, recover_run, run_live
from pyorch.app.shipped import shipped_bundle
from pyorch.app.watch.watching import watched
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.trading.fix.session_terms import RecordKind
from pyorch.trading.fix.store import DiskStore
from pyorch.trading.inputs import InputKind
from pyorch.trading.live_desk import LiveDesk
from pyorch.trading.log import read_log
from sim.feeds.faults import FaultRates
from sim.venues.world import World

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
DRILL = """
[[orders]]
at_s = 2.0
order = "kill"
who = "R. Officer"
why = "drill"
[[orders]]
at_s = 3.0
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
        CONFIG + "outages_s = [12, 24, 36, 48, 60, 72, 84, 96, 108]\n"
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


def begin(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    words = ["run", str(folder / "desk.toml"), "--venues", str(folder / "venues")]
    words += ["--out", str(folder / "out"), "--seconds", str(seconds), "--json"]
    return subprocess.Popen([*PYORCH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def venue_status(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "venues" / "status.json").read_text())
    return found


@pytest.mark.full
def test_a_killed_desk_goes_on_with_numbers_positions_and_quotes(served: Path) -> None:
    for _ in range(2):
        before = venue_status(served)
        desk = begin(served, 600)
        until = time.monotonic() + 120
        while True:
            now = venue_status(served)
            sent = now["venues"][0]["taken_in"] - before["venues"][0]["taken_in"]
            if sent >= 25 and now["fills"] >= before["fills"] + 3:
                break
            if desk.poll() is not None or time.monotonic() > until:
                desk.kill()
                pytest.fail(f"the desk sends nothing: {now}, {desk.communicate()[1].decode()}")
            time.sleep(0.05)
        os.kill(desk.pid, signal.SIGKILL)
        desk.wait()
        while venue_status(served)["venues"][0]["live"]:  # cancel on disconnect
            assert time.monotonic() < until
            time.sleep(0.05)
    last = begin(served, 8)
    said, wrong = last.communicate(timeout=120)
    assert last.returncode == 0, wrong.decode()
    figures = json.loads(said)["figures"]
    assert figures["run"] == 3 and figures["fix_messages"] > 5 and figures["rows_lost"] == 0

    time.sleep(1.0)  # the last status is written
    status, logs = venue_status(served), [read_log(path) for path in logs_of(served / "out")]
    venue = status["venues"][0]
    assert venue["duplicates"] == 0 and len(logs) == 3 and logs[-1].ended and not logs[0].ended

    # Every fill was heard once: in a log, or taken over from the session by the next desk.
    store = DiskStore(served / "out" / "VENUE.session")
    store.close()
    heard = [
        one for one in store.records if one.kind is RecordKind.TAKEN and b"\x01150=F\x01" in one.raw
    ]
    assert len(heard) == status["fills"] > 5
    names = [one.raw.split(b"\x0117=")[1].split(b"\x01")[0] for one in heard]
    assert len(set(names)) == len(names)
    logged = sum(int((log.inputs["kind"] == InputKind.FILLED).sum()) for log in logs)
    assert logged <= status["fills"]
    assert figures["held_lots"] == sum(map(abs, status["positions_lots"]))

    # Session numbers and the desk's own never come twice, over all three desks; both ends agree.
    sent = [one for one in store.records if one.kind is RecordKind.SENT]
    numbers = [one.number for one in sent]
    assert numbers == sorted(set(numbers))
    parser = simplefix.FixParser()
    parser.append_buffer(b"".join(one.raw for one in sent))
    quotes = []
    while (message := parser.get_message()) is not None:
        if message.get(35) in (b"i", b"Z"):
            quotes.append(int(message.get(117)))
    assert quotes == sorted(set(quotes)) and quotes[-1] >= venue["taken_in"]
    assert venue["heard"] >= numbers[-1]
    assert figures["fix_VENUE_heard"] <= venue["sent"]

    # A store that is not the log's is refused.
    config = load_desk(served / "desk.toml")
    bundle = Bundle.load(shipped_bundle())
    _, plan = plan_of(config, served, bundle, market_of(config, served), "model")
    recovery, _, number = recover_run(served / "out", bundle, plan)
    assert recovery is not None and number == 4 and not any(recovery.unseen_lots)
    assert list(recovery.positions_lots) == status["positions_lots"]
    (served / "out" / "VENUE.session").unlink()
    with pytest.raises(DataError, match=r"its session has taken in others \(0 in all\)"):
        recover_run(served / "out", bundle, plan)


def test_a_desk_at_work_ends_flat_in_orders_and_agreed_on_positions(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(CONFIG.replace("seconds = 240", "seconds = 90") + DRILL)
    config, bundle = load_desk(tmp_path / "desk.toml"), Bundle.load(shipped_bundle())
    world = World(config, tmp_path, bundle, tmp_path / "venues", FaultRates(), 1)
    with served_world(world):
        desks: list[LiveDesk] = []
        with watched("desk", port=0) as watching:

            def attach(desk: LiveDesk, engine: str) -> None:
                desks.append(desk)
                assert watching.attach(desk, bundle, engine) is not None

            found = run_live(
                config, tmp_path, bundle, tmp_path / "out", tmp_path / "venues", 5.0,
                on_desk=attach,
            )  # fmt: skip
        assert found.figures["surfaces_of_tickers"] > 3 and found.figures["inputs_kill"] == 1
        assert found.figures["inputs_rearm"] == 1 and found.figures["inputs_connected"] == 2
        assert found.figures["fix_messages"] > 3 and found.figures["fix_VENUE_logons"] == 1
        assert found.figures["rows_lost"] == 0 and found.figures["feed_starts"] == 2
        assert world.exchange.reconcile()[2] == []
        assert list(desks[0].steps.positions_lots) == world.exchange.positions_lots()
    log = read_log(found.log)
    view = watching.view
    assert view is not None and view.ended and view.figures()["unseen_observations"] == 0
    assert view.counts["quotes"] == len(log.batch.quotes) and view.down == set()
    assert {name: view.inputs[name] for name in ("kill", "rearm")} == {"kill": 1, "rearm": 1}
    assert view.latest is not None
    assert list(view.latest.positions_lots) == list(desks[0].steps.positions_lots)
    assert log.ended and log.begin["run"] == 1 and log.begin["taken"] == [0]
    _, plan = plan_of(config, tmp_path, bundle, market_of(config, tmp_path), "model")
    recovery, taken, number = recover_run(tmp_path / "out", bundle, plan)
    assert recovery is not None and number == 2 and taken[0] > 3
    # Takers may have set off protection, which stays; nobody else ordered anything.
    kept = set(recovery.orders["kind"].tolist())
    assert not recovery.killed and kept <= {InputKind.PROTECTION}, (
        "the pause of the end is not kept"
    )
    with pytest.raises(
        UsageError, match=r"does not say where the venues are .*pyorch serve-venues"
    ):
        run_live(config, tmp_path, bundle, tmp_path / "out", tmp_path / "nowhere", 5.0)


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
