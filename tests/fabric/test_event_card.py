"""A card that decides on market events, Verilated, with the tick loop as its shadow in lockstep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hls.emit.events import EventShape
from hls.emit.events_project import emit_configured
from pyorch.app.answering import open_answering
from pyorch.app.replay import replay, replay_figures
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.inference.failover.configuration import EnginesConfig
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import Incident, MemberState
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.market.wire import encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.card_decisions import CardDecisions, Verdict, words_of
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.records import (
    AnswerAssurance,
    AnsweredBy,
    JournalBatch,
    RecordArray,
    TickFlag,
    without_clock,
)
from pyorch.trading.sample import random_quoting_bundle
from sim.bench.events.line import joined, with_snapshots
from sim.event_card import SimulatedEventPath
from sim.event_faults import planted

SHAPE = EventShape(instruments=2, window_bits=11)
SETTINGS = FailoverSettings(
    deadline_ns=80_000, patience_ns=40_000, hung_ns=400_000, probation_ticks=10, retry_ns=200_000,
    most_retry_ns=400_000,
)  # fmt: skip
FAULTS = (
    "answer@330", "kill@580", "lose@900", "slow@1500", "hang@1700", "twice@2050", "identity@2250",
    "flip@2520",
)  # fmt: skip
"""Each while card and loop are in step."""
SAME = (
    "fired", "active", "extra_down_bp100", "extra_up_bp100", "size_down_percent", "size_up_percent",
    "forecast_bp100",
)  # fmt: skip


@pytest.fixture(scope="module")
def config() -> QuotingConfig:
    loaded = load_config()
    return msgspec.structs.replace(
        loaded, quoting=msgspec.structs.replace(loaded.quoting, warm_up_ticks=10)
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """As in the tests of decisions, so that both share one compiled fabric."""
    return random_quoting_bundle(5, insert_timer_ticks(simulate(3, 20.0)), units=(4,))


@pytest.fixture(scope="module")
def tape() -> Tape:
    """A market of which every 150th event is lost; its book comes back with snapshots."""
    return broken(simulate(3, 30.0), 150)


def broken(market: Tape, every: int) -> Tape:
    frames = encode(with_snapshots(market.events, 25), session=1).split()
    kept = [frame for number, frame in enumerate(frames) if number % every != every - 1]
    line = joined(kept)
    rows = WireDecoder(1).push(line.beats, line.ends).events
    return insert_timer_ticks(replace(market, events=rows))


@pytest.fixture(scope="module")
def project(
    bundle: Bundle, config: QuotingConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("card") / "path"
    emit_configured(bundle, "baked", folder, config, SHAPE)
    return folder


def played(
    project: Path, bundle: Bundle, config: QuotingConfig, tape: Tape, faults: tuple[str, ...] = ()
) -> tuple[RecordArray, CardDecisions]:
    card = SimulatedEventPath(project, gap_us=1, slow_ns=60_000, faults=faults)
    try:
        beside = CardDecisions(bundle, card, SETTINGS)
        loop = TickLoop(bundle, config, tape, decisions=beside, caution=True)
        ticks = JournalBatch.join(list(loop.run())).ticks
        beside.records()
    finally:
        card.close()
    return ticks[ticks["features"].any(axis=1)], beside


def alone(bundle: Bundle, config: QuotingConfig, tape: Tape) -> RecordArray:
    ticks: RecordArray = JournalBatch.join(list(TickLoop(bundle, config, tape).run())).ticks
    made: RecordArray = ticks[ticks["features"].any(axis=1)]
    return made


def test_card_and_loop_decide_alike_through_lost_books_and_both_are_recorded(
    project: Path, bundle: Bundle, config: QuotingConfig, tape: Tape
) -> None:
    ticks, beside = played(project, bundle, config, tape)
    records = beside.records()
    words = words_of(records)
    made = ~words["void"]
    assert set(records["verdict"].tolist()) == {Verdict.AGREED}
    assert words["void"].sum() >= 5 and made.sum() == len(ticks) > 500
    by_row = {int(row): k for k, row in enumerate(ticks["row"])}
    same = ticks[[by_row[int(row)] for row in records["row"][made]]]
    for name in SAME:
        assert (words[name][made] == same[name]).all(), name
    outputs = len(bundle.spec.outputs)
    assert (words["scores"][made][:, :outputs] == same["scores"][:, :outputs]).all()
    assert (words["active"] != 0).any() and words["first"].sum() >= 5
    assert beside.state is MemberState.HEALTHY
    by = ticks["answered_by"]
    assert (by[: SETTINGS.probation_ticks] == AnsweredBy.SHADOW).all()
    assert (by[SETTINGS.probation_ticks :] == AnsweredBy.CARD).all()
    assert (ticks["assurance"] == AnswerAssurance.CHECKED).all()
    expected = alone(bundle, config, tape)
    assert without_clock(ticks).tobytes() == without_clock(expected).tobytes()


def test_every_fault_is_seen_and_written_down_and_the_loops_decision_stands(
    project: Path, bundle: Bundle, config: QuotingConfig, tape: Tape
) -> None:
    ticks, beside = played(project, bundle, config, tape, FAULTS)
    records, counts = beside.records(), beside.counts
    found = [Verdict(v).name for v in records["verdict"] if v != Verdict.AGREED]
    befallen = [one.incident for one in beside.incidents()]
    assert {"DIFFERS", "MISSING", "STRANGER", "AGREED_LATE"} <= set(found), found
    assert {
        Incident.WRONG, Incident.ERROR, Incident.LATE, Incident.HUNG, Incident.IDENTITY,
    } <= set(befallen), befallen  # fmt: skip
    assert counts["opened"] >= 5 and counts["clean"] >= 5
    expected = alone(bundle, config, tape)
    caution = 1 << len(config.rules)
    cautious = ticks["active"] & caution != 0
    for name in SAME:
        assert (ticks[name] == expected[name])[~cautious].all(), name
    for name in ("features", "logits", "scores"):
        assert (ticks[name] == expected[name]).all(), name
    assert (ticks["active"] & ~np.uint32(caution) == expected["active"]).all()
    unverified = ticks["assurance"] == AnswerAssurance.UNVERIFIED
    warm = (ticks["flags"] & TickFlag.WARM) != 0
    assert 2 <= unverified.sum() <= len(FAULTS), unverified.sum()
    assert (ticks["fired"][unverified & warm] & caution != 0).all() and cautious.any()
    assert (ticks["answered_by"][unverified] == AnsweredBy.SHADOW).all()
    differs = records[records["verdict"] == Verdict.DIFFERS]
    at = np.flatnonzero(ticks["row"] == differs["row"][0])[0]
    first = words_of(differs)[0]
    assert first["extra_down_bp100"] == int(expected["extra_down_bp100"][at]) ^ 1


def test_a_replay_with_a_card_that_decides_has_its_words_in_the_journal(
    bundle: Bundle, config: QuotingConfig, tmp_path: Path
) -> None:
    options = {"style": "baked", "instruments": 2, "window_bits": 11, "gap_us": 2.0}
    group = EnginesConfig(
        order=("events", "cpu"),
        probation_ticks=20,
        checkpoint_ticks=32,
        options={"events": options},
    )
    whole = simulate(3, 8.0)
    journal = replay(bundle, whole, config, "model", tmp_path / "card", group=group)
    lone = replay(bundle, whole, config, "model", tmp_path / "alone")
    assert journal.content_digest == lone.content_digest and lone.decisions is None
    assert journal.decisions is not None and len(journal.decisions) > 100
    assert journal.run.versions["engine"] == "events, simulated feature path, baked; shadow cpu"
    figures = replay_figures(journal)
    assert figures["failover_verdict_agreed"] == len(journal.decisions)
    assert figures["failover_by_card"] == np.count_nonzero(
        journal.ticks["answered_by"] == AnsweredBy.CARD
    )


def test_what_a_card_that_decides_cannot_do_is_refused(
    bundle: Bundle, config: QuotingConfig
) -> None:
    def opened(mode: str = "passive", every: int = 1, **options: object) -> None:
        group = EnginesConfig(order=("events", "cpu"), mode=mode, every=every, options={"events": options})  # type: ignore[arg-type]  # fmt: skip
        open_answering(bundle, "cpu", group, config).close()

    with pytest.raises(UsageError, match="the card events has no option 'colour'; it has style,"):
        opened(colour=3)
    with pytest.raises(UsageError, match="fault 'melt@3': write NAME@FRAME, NAME one of"):
        opened(faults=["melt@3"])
    with pytest.raises(UsageError, match="write NAME@FRAME"):
        planted(["kill@0"])


@pytest.mark.tape
@pytest.mark.full
def test_card_and_loop_decide_alike_on_a_recording(
    recordings: Path, config: QuotingConfig, tmp_path: Path
) -> None:
    tape = insert_timer_ticks(
        read_recordings([recordings / "binance" / "usdm_btcusdt_20240808.gz"])
    )
    part = replace(
        tape, events=tape.events[: int(np.flatnonzero(tape.events["flags"] & 1)[6000]) + 1]
    )
    bundle = random_quoting_bundle(6, part, units=(4,))
    emit_configured(bundle, "baked", tmp_path / "path", config, EventShape())
    ticks, beside = played(tmp_path / "path", bundle, config, part)
    assert set(beside.records()["verdict"].tolist()) == {Verdict.AGREED}
    assert np.count_nonzero(ticks["answered_by"] == AnsweredBy.CARD) > 1000
    print(f"{len(part.events):,} rows, {len(ticks):,} decisions of card and loop alike")
