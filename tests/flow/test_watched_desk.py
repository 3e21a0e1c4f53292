"""A desk that is watched: the same run, its metrics, its page with the controls, in a browser too."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pyorch.app.desk_config import load_desk
from pyorch.app.desk_run import run_desk
from pyorch.app.journal import Journal
from pyorch.app.shipped import shipped_bundle
from pyorch.app.watch.pace import Pace
from pyorch.app.watch.snapshots import FeatureSnapshots, connect, read_snapshot
from pyorch.app.watch.view import FIGURES
from pyorch.app.watch.watching import TOKEN, Watching, watched
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, UsageError
from pyorch.trading.config import default_path
from pyorch.trading.desk import Desk
from pyorch.trading.records import TickFlag, without_clock

CONFIG = """
[market]
seconds = {seconds}
seed = 7
[desk]
quoting = "quoting.toml"
[exchange]
seed = 3
[exchange.flow]
random_per_s = 4.0
[[exchange.venues]]
name = "VENUE"
outages_s = [6.0]
outage_ms = 700
"""
GIVEN = "a-token-of-the-tests"


def configure(home: Path, seconds: float) -> None:
    """A desk that market-maker protection never stops: what the page shows is then up to the test."""
    (home / "desk.toml").write_text(CONFIG.format(seconds=seconds))
    quoting = default_path().read_text()
    assert quoting.count("lots = 400\n") == 1
    (home / "quoting.toml").write_text(quoting.replace("lots = 400\n", "lots = 1000000\n"))


class Run:
    """A desk at work on a thread of its own, with a page."""

    def __init__(self, home: Path, seconds: float, pace: float | None) -> None:
        configure(home, seconds)
        self.desk: Desk | None = None
        self.address = ""
        self.attached = threading.Event()
        self.go = threading.Event()
        self.failed: list[BaseException] = []
        self._home, self._pace = home, pace
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.attached.wait(120) and not self.failed, self.failed

    def _run(self) -> None:
        bundle = Bundle.load(shipped_bundle())
        try:
            with watched("a desk", self._home / "desk.jsonl", port=0) as watching:

                def attach(desk: Desk, engine: str) -> None:
                    self.desk = desk
                    self.address = watching.attach(desk, bundle, engine) or ""
                    self.attached.set()
                    self.go.wait(120)

                run_desk(
                    load_desk(self._home / "desk.toml"), self._home, bundle, self._home / "run",
                    on_desk=attach, pace=self._pace,
                )  # fmt: skip
                self.ended.wait(60)
        except BaseException as error:
            self.failed.append(error)
            self.attached.set()

    ended = threading.Event()

    def finish(self) -> Journal:
        """Let it run to its end as fast as it goes; its journal."""
        assert self.desk is not None
        for activity in self.desk.activities:
            if isinstance(activity, Pace):
                activity.speed = 1e9
        self.go.set()
        self.ended.set()
        self._thread.join(120)
        assert not self.failed, self.failed
        return Journal.load(self._home / "run")

    def ask(
        self, path: str, fields: Any = None, *, token: str = GIVEN, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of a request."""
        data = None if fields is None else json.dumps(fields).encode()
        kind = {"Content-Type": "application/json"} if fields is not None else {}
        request = Request(
            self.address.split("#")[0].rstrip("/") + path, data,
            kind | {"Authorization": f"Bearer {token}"} | headers,
        )  # fmt: skip
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def status(self) -> dict[str, Any]:
        """What the page shows now."""
        code, body = self.ask("/status")
        assert code == 200
        found: dict[str, Any] = json.loads(body)
        return found

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until the status is so."""
        wait = threading.Event()
        for _ in range(1200):
            found = self.status()
            if holds(found):
                return found
            wait.wait(0.05)
        raise AssertionError(f"never so: {found}")


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[float, float | None], Run]]:
    monkeypatch.setenv(TOKEN, GIVEN)
    Run.ended.clear()
    runs: list[Run] = []

    def begin(seconds: float, pace: float | None) -> Run:
        runs.append(Run(tmp_path, seconds, pace))
        return runs[-1]

    yield begin
    for run in runs:
        run.go.set()
        Run.ended.set()


def test_watching_changes_nothing_and_counts_what_the_journal_has(
    start: Callable[[float, float | None], Run], tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    configure(tmp_path / "alone", 10)
    alone = run_desk(
        load_desk(tmp_path / "alone" / "desk.toml"), tmp_path / "alone",
        Bundle.load(shipped_bundle()), tmp_path / "alone" / "run",
    )  # fmt: skip
    run = start(10, None)
    run.go.set()
    status = run.until(lambda found: found["state"] == "the run has ended")
    code, text = run.ask("/metrics")
    assert code == 200
    journal = run.finish()
    assert journal.fix == alone.fix
    assert (without_clock(journal.ticks) == without_clock(alone.ticks)).all()

    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    facts = journal.run.facts["desk"]
    real = journal.ticks[journal.ticks["flags"] & TickFlag.CANCELLED == 0]
    assert samples["pyorch_ticks_total",] == len(real) == status["counts"]["ticks"]
    assert samples["pyorch_quotes_total",] == len(journal.quotes)
    assert samples["pyorch_messages_total",] == journal.ticks["fix_messages"].sum()
    for kind, count in facts["inputs"].items():
        assert samples["pyorch_inputs_total", kind] == count
    for reason, count in journal.run.facts["refusals"].items():
        assert samples["pyorch_refusals_total", reason] == count
    total_s = real["total_ns"].astype(float).sum() * 1e-9
    assert samples["pyorch_stage_seconds_sum", "total"] == pytest.approx(total_s)
    assert samples["pyorch_stage_seconds_count", "total"] == np_count(real["total_ns"])
    for number, lots in enumerate(facts["positions_lots"]):
        option = status["quotes"][number]["option"]
        assert samples.get(("pyorch_position_lots", option), 0) == lots
    assert samples["pyorch_unseen_observations",] == 0
    for figure in FIGURES:
        assert (f"pyorch_{figure}",) in samples
    assert len(status["fills"]) == min(60, facts["inputs"]["filled"]) > 3
    raised = {a["name"]: a["times"] for a in status["alerts"]}
    assert raised["a session is down"] >= 1
    events = [json.loads(line) for line in (tmp_path / "desk.jsonl").open()]
    assert events[0]["event"] == "run begins" and events[-1]["event"] == "run ends"
    assert GIVEN not in (tmp_path / "desk.jsonl").read_text()


def np_count(durations: Any) -> int:
    return int((durations > 0).sum())


def test_requests_without_the_token_from_elsewhere_or_with_nonsense_are_refused(
    start: Callable[[float, float | None], Run],
) -> None:
    run = start(4, None)
    port = run.address.split(":")[2].split("/")[0]
    for path in ("/status", "/stream", "/metrics"):
        code, body = run.ask(path, token="wrong")
        assert code == 401 and b"open the address that the run printed" in body
    assert run.ask("/order", {"order": "kill", "who": "A", "why": "b"}, token="")[0] == 401
    assert run.ask("/status", Host=f"example.org:{port}")[0] == 403
    assert run.ask("/status", Origin="http://example.org")[0] == 403
    assert run.ask("/order", {"order": "kill", "who": "", "why": "b"})[0] == 400
    code, body = run.ask("/order", {"order": "sell", "who": "A", "why": "b"})
    assert code == 400 and b"no order 'sell'; choose kill" in body
    code, body = run.ask("/order", {"order": "kill"}, **{"Content-Type": "text/plain"})
    assert code == 415 and b"orders are application/json" in body
    code, page = run.ask("/", token="")
    assert code == 200 and b"<title>pyorch desk</title>" in page and GIVEN.encode() not in page
    assert run.desk is not None and run.desk.switch.pulls == 0
    with pytest.raises(UsageError, match=rf"port {port} of 127.0.0.1 cannot be served"):
        Watching("another", int(port)).attach(run.desk, Bundle.load(shipped_bundle()), "cpu")
    run.go.set()
    run.finish()


def test_orders_of_the_page_act_and_are_in_a_log_that_replays(
    start: Callable[[float, float | None], Run],
) -> None:
    run = start(12, 1.0)
    run.go.set()
    run.until(lambda found: found["state"] == "quoting" and found["counts"]["quotes"] > 0)
    assert run.ask("/order", {"order": "kill", "who": "R. Officer", "why": "drill"})[0] == 200
    killed = run.until(lambda found: found["state"].startswith("killed"))
    assert killed["level"] == "critical"
    run.until(lambda found: not any(q.get("bid_lots") for q in found["quotes"]))
    assert run.ask("/order", {"order": "rearm", "who": "R. Officer", "why": "over"})[0] == 200
    run.until(lambda found: not found["state"].startswith("killed"))
    said = run.until(lambda found: any(t.get("why") == "over" for t in found["texts"]))
    assert any(t.get("order") == "KILL" and t["who"] == "R. Officer" for t in said["texts"])
    journal = run.finish()  # run_desk replays the log, byte for byte
    orders = [t["order"] for t in journal.run.facts["desk"]["texts"] if "order" in t]
    assert orders == ["KILL", "REARM"]


def chromium() -> Any:
    """Debian's Chromium, headless, driven by Debian's chromedriver."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1500,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, Service(str(shutil.which("chromedriver"))))


@pytest.mark.debian
@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs a browser (Debian: chromium, chromium-driver)",
)
def test_a_browser_shows_living_values_and_its_controls_work(
    start: Callable[[float, float | None], Run], tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    run = start(240, 0.5)  # eight minutes, for the slowest browser; the rest is run at once
    browser = chromium()
    try:
        browser.get(run.address)
        wait = WebDriverWait(browser, 180, 0.1)
        run.go.set()

        def text(element: str) -> str:
            return str(browser.find_element(By.ID, element).text)

        wait.until(lambda _: text("state") == "quoting" and not text("quoted").startswith("0 of"))
        clock, tiles = text("clock"), text("tiles")
        wait.until(lambda _: text("clock") != clock and text("tiles") != tiles)

        def order(name: str, why: str, value: str | None = None) -> None:
            browser.find_element(By.ID, f"order-{name}").click()
            confirm = browser.find_element(By.ID, "ask-yes")
            assert not confirm.is_enabled()  # a name and a reason first
            for field, words in (("who", "R. Officer"), ("why", why)):
                browser.find_element(By.ID, f"ask-{field}").clear()
                browser.find_element(By.ID, f"ask-{field}").send_keys(words)
            if value is not None:
                browser.find_element(By.ID, "ask-value").clear()
                browser.find_element(By.ID, "ask-value").send_keys(value)
            confirm.click()

        order("widen", "figures at 14:30", "5")
        wait.until(lambda _: "why: figures at 14:30" in text("texts"))
        folder = Path(os.environ.get("PYORCH_SCREENSHOTS", tmp_path))
        folder.mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(folder / "page.png"))
        order("kill", "drill")
        wait.until(lambda _: text("state").startswith("killed"))
        wait.until(lambda _: text("quoted").startswith("0 of 20"))
        order("rearm", "drill over")
        wait.until(lambda _: not text("state").startswith("killed"))
        for line in browser.get_log("browser"):
            assert line["level"] not in ("SEVERE", "WARNING"), line
    finally:
        browser.quit()
    texts = run.finish().run.facts["desk"]["texts"]
    assert [(t["order"], t.get("value", 0)) for t in texts if "order" in t] == [
        ("WIDEN", 500), ("KILL", 0), ("REARM", 0),
    ]  # fmt: skip


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[str]:
    """Debian's redis-server on a unix socket, without a port or files."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # a socket's path must be short
        place = f"{folder}/s"
        process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", place, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(600):
                if Path(place).exists():
                    break
                time.sleep(0.05)
            yield f"unix://{place}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server (Debian)")
def test_other_processes_read_the_latest_features_from_redis(
    redis_socket: str, tmp_path: Path
) -> None:
    configure(tmp_path, 8)
    bundle = Bundle.load(shipped_bundle())
    client = connect(redis_socket)
    assert read_snapshot(client, "a desk") is None
    with watched("a desk", tmp_path / "desk.jsonl", snapshots=redis_socket) as watching:
        journal = run_desk(
            load_desk(tmp_path / "desk.toml"), tmp_path, bundle, tmp_path / "run",
            on_desk=lambda desk, engine: watching.attach(desk, bundle, engine),
        )  # fmt: skip
    found = read_snapshot(client, "a desk")
    assert found is not None and bundle.schema is not None and watching.snapshots is not None
    last = journal.ticks[journal.ticks["flags"] & TickFlag.CANCELLED == 0][-1]
    assert (found["tick"], found["time_ns"]) == (int(last["tick"]), int(last["local_ns"]))
    count = len(bundle.schema.names)
    assert found["features"] == dict(
        zip(bundle.schema.names, last["features"][:count].tolist(), strict=True)
    )
    assert list(found["scores"].values()) == last["scores"][: len(found["scores"])].tolist()
    assert (found["schema"], found["model"]) == (bundle.schema.digest(), bundle.digest())
    assert 0 < client.ttl("pyorch:a desk") <= 10
    assert watching.snapshots.written >= 1 and watching.snapshots.failed == 0

    client.hset("pyorch:other", mapping={"tick": "x"})
    with pytest.raises(UsageError, match="pyorch:other is no snapshot of pyorch"):
        read_snapshot(client, "other")
    with pytest.raises(UsageError, match="has no user or password; set PYORCH_REDIS_PASSWORD"):
        connect("redis://me:secret@127.0.0.1")
    with pytest.raises(UsageError, match="is no address of Redis"):
        connect("127.0.0.1:6379")
    with pytest.raises(DeviceError, match=r"Redis at unix:///nowhere does not answer"):
        connect("unix:///nowhere")


def test_a_redis_that_fails_is_counted_and_the_desk_goes_on(tmp_path: Path) -> None:
    class Dead:
        def pipeline(self, transaction: bool) -> Any:
            raise ConnectionError("gone")

    configure(tmp_path, 4)
    bundle = Bundle.load(shipped_bundle())
    snapshots = FeatureSnapshots(Dead(), "desk", bundle)

    def attach(desk: Desk, engine: str) -> None:
        desk.observer = snapshots.observe

    journal = run_desk(
        load_desk(tmp_path / "desk.toml"), tmp_path, bundle, tmp_path / "run", on_desk=attach
    )
    snapshots.close()
    assert len(journal.quotes) and snapshots.failed >= 1 and snapshots.written == 0
