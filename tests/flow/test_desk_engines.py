"""A card and its shadow answer a desk: its log says who did and what was late, and replays without them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyorch.app import answering, desk_run
from pyorch.app.answering import Answering
from pyorch.app.desk_config import DeskConfig, load_desk
from pyorch.app.desk_run import run_desk
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo
from pyorch.contract.errors import MismatchError, UsageError
from pyorch.inference.registry import open_engine
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.desk import Desk
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import ExchangeSettings, FlowSettings, VenueSettings
from pyorch.trading.inputs import InputKind
from pyorch.trading.log import LogWriter, RunLog, Stretch, parse_log, read_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.records import AnsweredBy
from pyorch.trading.sample import random_quoting_bundle
from sim.faults import Fault
from sim.native_world import SoftwarePair

OF_ENGINES = (InputKind.ENGINE, InputKind.DEADLINE_MISS)


class Memory:
    """A disk that keeps everything."""

    data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class Market(NamedTuple):
    tape: Tape
    bundle: Bundle
    plan: QuotingPlan

    def run(self, engine: Any) -> RunLog:
        settings = ExchangeSettings(
            venues=(VenueSettings(name="VENUE"),), flow=FlowSettings(random_per_s=60.0)
        )
        exchange, file = Exchange(settings, self.plan, self.tape), Memory()
        log = LogWriter(file, {"test": "engines"})
        Desk(
            self.bundle, self.plan, self.tape, exchange, log, DeskSettings(), engine=engine
        ).run()  # fmt: skip
        return parse_log(file.data)


@pytest.fixture(scope="module")
def market() -> Market:
    tape = insert_timer_ticks(simulate(7, 8.0))
    bundle, config = random_quoting_bundle(3, tape), load_config()
    plan = make_plan(config, bundle, tape, acknowledged=True).with_caution(config.caution)
    return Market(tape, bundle, plan)


def without_engines(log: RunLog) -> RunLog:
    """As if nobody had written down who answered."""
    stretches = [
        Stretch(s.first_row, s.events, s.inputs[~np.isin(s.inputs["kind"], OF_ENGINES)], s.batch)
        for s in log.stretches
    ]
    return replace(log, stretches=stretches)


def test_a_desk_whose_card_fails_or_is_late_has_that_in_its_log_and_replays_without_it(
    market: Market,
) -> None:
    faults = [(60 * k, fault) for k, fault in enumerate(Fault, 1)]
    for pair in (
        SoftwarePair(market.bundle, faults),
        SoftwarePair(market.bundle, access_ns=60_000),  # a dozen registers: past the deadline
    ):
        log = market.run(pair.pair.engine)
        ticks, kinds = log.batch.ticks, log.inputs["kind"]
        assert (kinds == InputKind.ENGINE).any() and len(log.batch.quotes) > 0
        late = kinds == InputKind.DEADLINE_MISS
        assert np.count_nonzero(late) == np.count_nonzero(ticks["late"])
        assert set(ticks["answered_by"].tolist()) >= {AnsweredBy.CARD}
        again = replay_log(log, market.bundle, market.plan).batch
        check_replay(log, again)
        for name in ("answered_by", "assurance", "late", "inexact"):
            np.testing.assert_array_equal(again.ticks[name], ticks[name])
    assert late.sum() > 10
    with pytest.raises(MismatchError):
        bare = without_engines(log)
        check_replay(bare, replay_log(bare, market.bundle, market.plan).batch)


CONFIG = """
[market]
seconds = 8
seed = 7
[desk]
engines = "engines.toml"
[exchange.flow]
random_per_s = 20.0
[[exchange.venues]]
name = "VENUE"
"""


def desk_of(folder: Path) -> DeskConfig:
    (folder / "desk.toml").write_text(CONFIG)
    (folder / "engines.toml").write_text('order = ["card", "cpu"]\ncheckpoint_ticks = 16\n')
    return load_desk(folder / "desk.toml")


class SoftwareEngine:
    """The card in software as an engine with a native client."""

    info = EngineInfo("card", "card in software", exact=True)

    def __init__(self, bundle: Bundle) -> None:
        self.world = SoftwarePair(bundle, [(40, Fault.HANG)])
        self.closed = False

    def tick_engine(self) -> Any:
        return self.world.card

    def tick_clock(self) -> Any:
        return self.world.clock

    def close(self) -> None:
        self.closed = True


def test_engines_of_a_configuration_answer_the_run_and_are_named_in_log_and_journal(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[SoftwareEngine] = []

    def open_card(name: str, bundle: Bundle, **options: Any) -> Any:
        if name != "card":
            return open_engine(name, bundle, **options)
        opened.append(SoftwareEngine(bundle))
        return opened[0]

    monkeypatch.setattr(answering, "open_engine", open_card)
    journal = run_desk(desk_of(tmp_path), tmp_path, market.bundle, tmp_path / "run")
    log = read_log(tmp_path / "run" / "run.log")
    assert log.begin["engine"] == "card, card in software; shadow cpu"
    counts = journal.run.facts["failover"]["counts"]
    assert counts["hung"] == 1 and counts["ticks"] == len(set(journal.ticks["tick"].tolist()))
    assert journal.run.facts["desk"]["inputs"]["engine"] >= 2
    assert opened[0].closed


def test_a_card_that_decides_by_itself_is_refused(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = SoftwareEngine(market.bundle)
    decides: Any = object()
    monkeypatch.setattr(
        desk_run, "open_answering", lambda *given: Answering(engine, decisions=decides)
    )
    with pytest.raises(
        UsageError, match=r"engines.toml: the card takes events and decides by itself"
    ):
        run_desk(desk_of(tmp_path), tmp_path, market.bundle, tmp_path / "run")
    assert engine.closed and not (tmp_path / "run").exists()
