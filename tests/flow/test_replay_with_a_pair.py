"""A card that fails under the tick loop: the journal is that of a run without it, but for who answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyorch.app import answering
from pyorch.app.journal import Journal
from pyorch.app.replay import replay, replay_figures
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo
from pyorch.contract.errors import UsageError
from pyorch.inference.failover.configuration import EnginesConfig
from pyorch.inference.registry import open_engine
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.records import AnswerAssurance, AnsweredBy, RecordArray, without_clock
from sim.faults import Fault
from sim.native_world import SoftwarePair

PAIR = EnginesConfig(order=("card", "cpu"), retry_ms=5.0, probation_ticks=20, checkpoint_ticks=16)


class SoftwareEngine:
    """The card in software as an engine with a native client."""

    info = EngineInfo("card", "card in software", exact=True)

    def __init__(self, bundle: Bundle, faults: list[tuple[int, Fault]], **world: Any) -> None:
        self.world = SoftwarePair(bundle, faults, **world)
        self.closed = False

    def tick_engine(self) -> Any:
        return self.world.card

    def tick_clock(self) -> Any:
        return self.world.clock

    def close(self) -> None:
        self.closed = True


def with_card(
    monkeypatch: pytest.MonkeyPatch, faults: list[tuple[int, Fault]], **world: Any
) -> None:
    def opened(name: str, bundle: Bundle, **options: Any) -> Any:
        if name == "card":
            return SoftwareEngine(bundle, faults, **world)
        return open_engine(name, bundle, **options)

    monkeypatch.setattr(answering, "open_engine", opened)


def streams(journal: Journal) -> tuple[bytes, bytes, bytes]:
    return without_clock(journal.ticks).tobytes(), journal.quotes.tobytes(), journal.fix


def answered(ticks: RecordArray) -> set[int]:
    return set(ticks["answered_by"].tolist())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    bundle = Bundle.load(shipped_bundle())
    out = tmp_path_factory.mktemp("alone") / "journal"
    return replay(bundle, simulate(5, 12.0), load_config(None), "model", out)


def test_faults_of_the_card_change_no_byte_of_the_journal(
    alone: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, config, tape = Bundle.load(shipped_bundle()), load_config(None), simulate(5, 12.0)
    faults = [(150 * k, fault) for k, fault in enumerate(Fault, 1)]
    with_card(monkeypatch, faults)
    journal = replay(bundle, tape, config, "model", tmp_path / "pair", group=PAIR)
    assert streams(journal) == streams(alone) and len(alone.quotes) > 0
    assert journal.content_digest == alone.content_digest
    assert answered(alone.ticks) == {AnsweredBy.SOLE}
    assert answered(journal.ticks) == {AnsweredBy.CARD, AnsweredBy.SHADOW}
    assert not journal.ticks["late"].any() and not journal.ticks["inexact"].any()
    counts = journal.run.facts["failover"]["counts"]
    assert counts["ticks"] == len(journal.ticks) and counts["wrong_used"] == 0
    assert counts["hand_overs"] >= 6 and counts["wrong"] >= 1 and counts["hung"] >= 1
    incidents = journal.run.facts["failover"]["incidents"]
    assert [one["incident"] for one in incidents[:2]] == ["error", "retry"]
    assert journal.run.versions["engine"] == "card, card in software; shadow cpu"
    assert replay_figures(journal)["failover_hand_overs"] == counts["hand_overs"]


def test_late_answers_and_nothing_else_widen_the_quotes(
    alone: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, config, tape = Bundle.load(shipped_bundle()), load_config(None), simulate(5, 12.0)
    with_card(monkeypatch, [], access_ns=60_000)  # a dozen registers: past the deadline
    journal = replay(bundle, tape, config, "model", tmp_path / "late", group=PAIR)
    late = journal.ticks["late"] != 0
    assert np.count_nonzero(late) > 10
    bit = 1 << len(config.rules)
    caution = journal.ticks["fired"] & bit != 0
    assert np.count_nonzero(caution) > 0 and not np.any(caution & ~late)
    assert int(journal.ticks["extra_down_bp100"][caution].min()) >= 1500
    assert journal.ticks["logits"].tobytes() == alone.ticks["logits"].tobytes()
    assert journal.quotes.tobytes() != alone.quotes.tobytes()
    assert set(journal.ticks["assurance"].tolist()) <= set(map(int, AnswerAssurance))


@pytest.mark.parametrize(
    ("order", "mode", "message"),
    [
        (
            ("card", "onnxruntime"),
            "passive",
            "the tick loop takes cpu alone, or a card with cpu as its shadow",
        ),
        (("card",), "passive", "the tick loop takes cpu alone"),
        (("reference", "cpu"), "passive", "'reference' has no native client"),
        (("card", "cpu"), "fast", "mode fast: the tick loop's failover compares every tick"),
    ],
)
def test_groups_that_the_tick_loop_does_not_carry_are_refused(
    order: tuple[str, ...], mode: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_card(monkeypatch, [])
    with pytest.raises(UsageError, match=message):
        answering.open_answering(
            Bundle.load(shipped_bundle()), "cpu", EnginesConfig(order=order, mode=mode)
        )


def test_the_native_engine_alone_needs_no_shadow() -> None:
    found = answering.open_answering(
        Bundle.load(shipped_bundle()), "card", EnginesConfig(order=("cpu",))
    )
    assert found.client is None and found.pair is None and found.facts() == {}
    assert found.in_words().startswith("cpu, ")


@pytest.mark.full
def test_a_simulated_card_fails_and_comes_back_within_a_replay(
    alone: Journal, tmp_path: Path
) -> None:
    pytest.importorskip("pynq", reason="needs the extra `board`")
    bundle, config, tape = Bundle.load(shipped_bundle()), load_config(None), simulate(5, 12.0)
    options = {"card": {"faults": ["answer@100", "hang@500"]}}
    group = EnginesConfig(
        order=("card", "cpu"),
        retry_ms=0.1,
        probation_ticks=20,
        checkpoint_ticks=16,
        options=options,
    )
    journal = replay(bundle, tape, config, "model", tmp_path / "pair", group=group)
    assert streams(journal) == streams(alone)
    counts = journal.run.facts["failover"]["counts"]
    assert (counts["wrong"], counts["late"], counts["hung"], counts["wrong_used"]) == (1, 1, 1, 0)
    assert counts["clean"] >= 1 and counts["checkpoints"] > 10


def test_faults_inside_a_simulated_card_are_refused() -> None:
    with pytest.raises(UsageError, match="the fault 'weight' strikes inside a card"):
        open_engine("card", Bundle.load(shipped_bundle()), faults=["weight@3"])
