"""Drift, alerts, pace and the structured log of a watched desk."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pyorch.app.watch.alerts import Alerts, load_alerts
from pyorch.app.watch.drift import Drift, stability
from pyorch.app.watch.pace import STEP_NS, Pace
from pyorch.app.watch.server import order_of
from pyorch.app.watch.structured_log import structured_log
from pyorch.app.watch.view import FIGURES
from pyorch.app.watch.watching import TOKEN, token_of_environment, watched
from pyorch.contract.errors import UsageError
from pyorch.trading.inputs import InputKind, LimitName


def test_the_stability_index_is_siddiqi_s() -> None:
    reference = np.repeat(np.arange(10), 100)
    assert stability(reference, reference) == 0.0
    # Nine edges at 0..8: ten bins of a value each. All of "now" is in the last one.
    now = np.full(1000, 9)
    p, q = 100.5 / 1005, np.array([0.5 / 1005] * 9 + [1000.5 / 1005])
    assert stability(reference, now) == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    # Two values have one edge, two bins: 3/4 and 1/4 against a half each.
    half, more = np.repeat([0, 1], 4000), np.repeat([0, 1], [6000, 2000])
    assert stability(half, more) == pytest.approx(0.25 * math.log(3), rel=1e-3)


def test_drift_compares_the_latest_ticks_with_the_first_once_both_are_there() -> None:
    generator = np.random.default_rng(1)
    drift = Drift(2, reference_ticks=1000, window_ticks=500)
    for _ in range(7):
        drift.take(generator.integers(-50, 50, (200, 2)))
    assert drift.indices() == [0.0, 0.0]  # 400 after the reference
    drift.take(generator.integers(-50, 50, (200, 2)))
    same = drift.indices()
    assert all(0 < value < 0.1 for value in same)
    moved = generator.integers(-50, 50, (500, 2))
    moved[:, 1] += 40
    drift.take(moved)
    first, second = drift.indices()
    assert first < 0.1 and second > 0.25
    fixed = Drift(2, window_ticks=500, reference=generator.integers(-50, 50, (1000, 2)))
    fixed.take(moved)
    assert fixed.indices()[1] > 0.25


RULES = """
[[alerts]]
name = "slow"
figure = "tick_p99_us"
above = 40.0
for_s = 2.0
[[alerts]]
name = "few fills"
figure = "fills_per_min"
below = 1.0
"""


RULE = '[[alerts]]\nname = "a"\n'


def test_an_alert_is_raised_after_its_time_and_ends_when_the_figure_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "alerts.toml").write_text(RULES)
    alerts = Alerts.of(load_alerts(tmp_path / "alerts.toml"))
    calm = dict.fromkeys(FIGURES, 0.0) | {"fills_per_min": 5.0}
    slow = calm | {"tick_p99_us": 41.0}
    second = 1_000_000_000

    def changes(figures: dict[str, float], at_s: float) -> list[tuple[str, bool]]:
        return [(s.rule.name, s.raised) for s in alerts.judge(figures, int(at_s * second))]

    assert changes(calm, 0) == []
    assert changes(slow, 1) == []
    assert changes(slow, 2.9) == []
    assert changes(slow, 3) == [("slow", True)]
    assert changes(slow, 4) == []
    assert changes(calm, 5) == [("slow", False)]
    assert changes(slow, 6) == [] and changes(calm, 7) == [] and changes(slow, 7.5) == []
    assert changes(slow, 9.4) == []  # a break begins the time anew
    assert changes(slow | {"fills_per_min": 0.0}, 9.45) == [("few fills", True)]
    assert [state.times for state in alerts.states] == [1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULE + 'figure = "tick_p98_us"\nabove = 1', "no figure 'tick_p98_us'; choose tick_p50_us"),
        (RULE + 'figure = "killed"', "give one bound, above or below"),
        (RULE + 'figure = "killed"\nabove = 1\nbelow = 0', "give one bound"),
        (2 * (RULE + 'figure = "killed"\nabove = 1\n'), r"alerts\[1\] .*another rule has this name"),
        (RULE + 'figure = "killed"\nabov = 1', r"alerts.toml:4: .*unknown field `abov`"),
        ("[drift]\nwindow_ticks = 5", r"alerts.toml:2: .*>= 100"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_named_by_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "alerts.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_alerts(tmp_path / "alerts.toml")


def test_the_rules_that_come_along_look_at_latency_drift_gaps_failover_and_fills() -> None:
    figures = {rule.figure for rule in load_alerts().alerts}
    assert figures >= {
        "tick_p99_us", "drift_psi", "gaps_per_min", "failovers_per_min", "fills_per_min",
    }  # fmt: skip


class Hands:
    now_ns = 0
    lot_btc = 0.1


def test_a_paced_market_waits_for_the_wall_clock_and_catches_up_without_waiting() -> None:
    slept: list[float] = []
    clock = [100.0]
    pace = Pace(2.0, 1_000_000_000, lambda: clock[0], slept.append)
    hands = Hands()
    hands.now_ns = pace.due_ns()
    pace.act(hands)  # type: ignore[arg-type]
    assert slept == [] and pace.due_ns() == 1_000_000_000 + STEP_NS
    hands.now_ns = 2_000_000_000  # a second of market is half a second of wall clock
    clock[0] = 100.2
    pace.act(hands)  # type: ignore[arg-type]
    assert slept == [pytest.approx(0.3)]
    clock[0] = 103.0  # the desk is behind
    hands.now_ns = 3_000_000_000
    pace.act(hands)  # type: ignore[arg-type]
    assert len(slept) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([1], "an order is a JSON object"),
        ({"order": "kill", "who": "A", "why": "b", "force": 1}, "unknown force; an order has limit, order"),
        ({"order": "filled", "who": "A", "why": "b"}, "no order 'filled'; choose kill, rearm"),
        ({"order": "kill", "who": "A"}, "kill: who and why are texts"),
        ({"order": "kill", "who": " ", "why": "b"}, "needs a person's name and a reason"),
        ({"order": "widen", "who": "A", "why": "b", "value": 1.5}, "the value 1.5 is no whole number"),
        ({"order": "widen", "who": "A", "why": "b", "value": True}, "is no whole number"),
        ({"order": "widen", "who": "A", "why": "b", "value": 10**7}, "is above 1,000,000"),
        ({"order": "limit", "who": "A", "why": "b", "limit": "theta"}, "no limit 'theta'; choose position"),
    ],
)  # fmt: skip
def test_an_order_that_is_none_is_refused_in_words(fields: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        order_of(fields)


def test_an_order_keeps_its_value_its_limit_and_its_person() -> None:
    order = order_of({"order": "limit", "who": "A", "why": "b", "value": 7, "limit": "vega"})
    assert (order.kind, order.who, order.why, order.value, order.limit) == (
        InputKind.LIMIT, "A", "b", 7, LimitName.VEGA,
    )  # fmt: skip


def test_the_structured_log_has_an_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "desk.jsonl"
    with structured_log(path) as logger:
        logger.warning("alert raised", extra={"fields": {"name": "slow", "value": 1.5}})
    with structured_log(path) as logger:
        logger.info("run ends")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("warning", "alert raised"),
        ("info", "run ends"),
    ]
    assert lines[0]["name"] == "slow" and lines[0]["time"].endswith("Z")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match=r"the log cannot be opened.*give another --log"),
        structured_log(tmp_path / "file" / "desk.jsonl"),
    ):
        pass


def test_a_failed_run_is_in_the_structured_log(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="broken"),
        watched("a run", tmp_path / "desk.jsonl"),
    ):
        raise UsageError("broken")
    events = [json.loads(line)["event"] for line in (tmp_path / "desk.jsonl").open()]
    assert events == ["run begins", "run failed"]


def test_alerts_without_a_page_and_a_short_token_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(UsageError, match="give --watch PORT too"),
        watched("a run", alerts=tmp_path / "alerts.toml"),
    ):
        pass
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(UsageError, match="has 5 characters; give at least 16"):
        token_of_environment()
