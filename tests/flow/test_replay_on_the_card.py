"""The quoting loop with the simulated card as its engine: the same predictions and quotes, byte for byte."""

from pathlib import Path

import pytest

from pyorch.app.replay import replay
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, UsageError
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.loop import TickLoop

pytest.importorskip("pynq", reason="needs the extra `board`")


def test_card_and_cpu_write_the_same_journal(tmp_path: Path) -> None:
    bundle, config, tape = Bundle.load(shipped_bundle()), load_config(None), simulate(5, 12.0)
    cpu = replay(bundle, tape, config, "model", tmp_path / "cpu")
    card = replay(bundle, tape, config, "model", tmp_path / "card", engine="card")
    assert len(cpu.ticks) > 500 and len(cpu.quotes) > 0
    for name in ("features", "logits", "scores"):
        assert cpu.ticks[name].tobytes() == card.ticks[name].tobytes(), name
    assert cpu.quotes.tobytes() == card.quotes.tobytes()
    assert bytes(cpu.fix) == bytes(card.fix)
    assert card.run.versions["engine"] == "card, simulated card, folded"


def test_a_card_that_stops_answering_ends_the_loop_with_an_error() -> None:
    from sim.engine import CardEngine

    bundle = Bundle.load(shipped_bundle())
    engine = CardEngine.open(bundle)
    client = engine.tick_engine()
    loop = TickLoop(bundle, load_config(None), simulate(5, 3.0), engine=client)
    engine.driver.own(1)  # the mailbox loses its lock: doorbells are refused from now on
    with pytest.raises(DeviceError, match="the engine did not answer a tick in time"):
        for _ in loop.run():
            pass
    engine.close()


def test_an_engine_without_a_native_client_is_refused(tmp_path: Path) -> None:
    bundle, config = Bundle.load(shipped_bundle()), load_config(None)
    with pytest.raises(UsageError, match="'reference' has no native client"):
        replay(bundle, simulate(5, 2.0), config, "model", tmp_path / "a", engine="reference")
