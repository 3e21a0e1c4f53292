"""A market's busiest stretch as the line brings it: which, and when each beat comes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, Flag, Kind, Side
from pyorch.market.book import Book
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import write_tape
from pyorch.market.wire import encode
from pyorch.trading.sample import random_quoting_bundle
from sim.commands import simulate as command
from sim.event_burst import (
    SETTLED_CYCLES,
    SILENCE_CYCLES,
    Waterfall,
    arrivals,
    busiest,
    opening_frames,
)


def test_the_busiest_stretch_begins_with_the_book_before_it() -> None:
    events = simulate(3, 10.0).events
    burst = busiest(events, 50)
    snapshot = burst[burst["kind"] == Kind.SNAPSHOT]
    rest = burst[len(snapshot) :]
    assert (burst["kind"][: len(snapshot)] == Kind.SNAPSHOT).all() and (
        rest["flags"] & 1
    ).sum() == 50
    times = events["local_ns"][events["flags"] & 1 != 0]
    assert int(rest["local_ns"][-1]) - int(rest["local_ns"][0]) <= int(
        (times[50:] - times[:-50]).max()
    )
    at = int(np.flatnonzero(events == rest[0])[0])
    whole, given = Book(), Book()
    whole.apply_all(
        events[:at][np.isin(events["kind"][:at], (Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET))]
    )
    given.apply_all(snapshot)
    assert (
        given.levels(Side.BID, 20) == whole.levels(Side.BID, 20)
        and given.sequence == whole.sequence
    )
    with pytest.raises(DataError, match=r"messages; a burst of 1,000,000 needs more"):
        busiest(events, 1_000_000)


def test_the_line_brings_a_beat_a_cycle_and_no_frame_before_it_was_received() -> None:
    frames = encode(busiest(simulate(3, 4.0).events, 40))
    ends = np.flatnonzero(frames.ends)
    received = frames.beats[np.concatenate([[0], ends[:-1] + 1]) + 1].view(np.int64)
    due = arrivals(frames, received, 50.0)
    opening = opening_frames(frames)
    assert opening > 1 and (np.diff(due) >= 1).all()
    begins = np.concatenate([[0], ends[:-1] + 1])
    apart = np.minimum(np.diff(received) * 0.05, SILENCE_CYCLES)
    taken = begins[
        opening
    ]  # beats of the snapshot: one a cycle, and its rows take the book two each
    assert due[taken - 1] == taken - 1 and due[taken] >= 2 * taken + SETTLED_CYCLES
    later = np.cumsum(apart)[opening - 1 :] + 2 * taken + SETTLED_CYCLES - len(apart)
    assert (due[begins[opening:]] >= later).all()


def test_the_steps_of_a_waterfall_are_those_of_one_decision() -> None:
    steps = np.array([[1, 2, 3, 4], [0, 0, 0, 1], [5, 5, 5, 5]], np.int64)
    fall = Waterfall("burst", 3, 0.1, steps, 0)
    assert fall.at(0.0) == [0, 0, 0, 1, 1]
    assert fall.at(0.5) == [1, 2, 3, 4, 10] and fall.at(1.0) == [5, 5, 5, 5, 20]


def test_simulate_compares_market_spoilt_line_and_burst_and_says_where_the_cycles_go(
    tmp_path: Path,
) -> None:
    """The bundle and shape of the tests of decisions, so that all share one compiled fabric."""
    bundle = random_quoting_bundle(5, insert_timer_ticks(simulate(3, 20.0)), units=(4,))
    bundle.save(tmp_path / "bundle")
    words = f"{tmp_path / 'bundle'} --top events --style baked --instruments 2 --window-bits 11 --steps 60"
    run = CliRunner().invoke(
        command, [*words.split(), "--core-mhz", "40", "--json", "--out", str(tmp_path / "path"),
         "--page", str(tmp_path / "page.html")],
        catch_exceptions=False,
    )  # fmt: skip
    found = json.loads(run.output)
    figures = found["figures"]
    assert found["ok"] and run.exit_code == 0
    for name in ("market_events", "spoilt_line_events", "burst_events"):
        assert figures[f"{name}_mismatches"] == 0 and figures[f"{name}_steps"] > 20, name
    assert figures["burst_events_lost"] == 0 and figures["burst_events"] > 60
    for kind in ("trade", "levels"):
        whole = figures[f"{kind}_to_decision_cycles"]
        assert whole == figures[f"{kind}_to_decision_predicted_cycles"]
        assert whole == figures[f"idle_{kind}_worst_to_decision_cycles"]
    assert figures["burst_worst_to_decision_cycles"] >= figures["burst_median_to_decision_cycles"]
    assert figures["burst_median_to_decision_cycles"] >= figures["trade_to_decision_cycles"]
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 4 and "http" not in page.replace("http://www.w3.org", "")
    worst = figures["burst_worst_to_decision_cycles"]
    for words in (
        f"<b>{worst:,}</b>",
        "burst, p99",
        "Every decision and every predicted cycle is as",
    ):
        assert words in page, words
    with pytest.raises(UsageError, match=r"^--page belongs to --top events"):
        CliRunner().invoke(command, ["--page", "page.html"], catch_exceptions=False)
    with pytest.raises(
        UsageError, match=r"--aclk-mhz and --core-mhz are those of a fabric of two clocks"
    ):
        CliRunner().invoke(command, ["--core-mhz", "40"], catch_exceptions=False)


def test_a_tape_that_begins_with_a_deep_snapshot_is_simulated_like_any(tmp_path: Path) -> None:
    """As recordings do: a thousand rows and no decision; the idle path is measured all the same."""
    market = insert_timer_ticks(simulate(3, 20.0))
    random_quoting_bundle(5, market, units=(4,)).save(tmp_path / "bundle")
    deep = np.zeros(1000, EVENT_DTYPE)
    deep["kind"], deep["side"], deep["quantity_lots"] = Kind.SNAPSHOT, np.arange(1000) & 1, 1
    away = np.arange(1000) // 2 + 1
    deep["price_ticks"] = 618_000 + np.where(deep["side"] == Side.BID, -away, away)
    deep["local_ns"] = deep["exchange_ns"] = market.events["local_ns"][0]
    for name in ("sequence", "first_sequence", "previous_sequence"):
        deep[name] = -1
    deep["flags"][0], deep["flags"][-1] = Flag.FIRST, Flag.LAST
    end = int(np.flatnonzero(market.events["flags"][:4000] & Flag.LAST)[-1]) + 1
    tape = replace(market, events=np.concatenate([deep, market.events[:end]]))
    write_tape(tmp_path / "tape", tape)
    words = f"{tmp_path / 'bundle'} --top events --style baked --instruments 2 --window-bits 11 --steps 60"
    run = CliRunner().invoke(
        command, [*words.split(), "--tape", str(tmp_path / "tape"), "--json",
         "--out", str(tmp_path / "path")],
        catch_exceptions=False,
    )  # fmt: skip
    found = json.loads(run.output)
    assert found["ok"] and found["figures"]["burst_events_lost"] == 0
    assert found["figures"]["market_events_steps"] > 100
