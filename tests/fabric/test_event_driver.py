"""The driver of a feature path under pynq's own Overlay, MMIO and DMA, with a Verilated card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hls.emit.events import EventShape
from hls.emit.events_project import configured_policy, emit_configured
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, MismatchError, UsageError
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.wire import encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.plan import make_plan
from pyorch.trading.sample import random_quoting_bundle
from sim.bench.events.decision_player import DecisionPlayer, decided, differences
from sim.bench.events.player import STALE_NS

pytest.importorskip("pynq", reason="needs the extra `board`")
from firmware.event_driver import EventDriver
from sim.event_device import SimulatedEventDevice, open_events

SHAPE = EventShape(instruments=2, window_bits=11)


@pytest.fixture(scope="module")
def config() -> QuotingConfig:
    loaded = load_config()
    return msgspec.structs.replace(
        loaded, quoting=msgspec.structs.replace(loaded.quoting, warm_up_ticks=10)
    )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """As in the tests of decisions, so that all share one compiled fabric."""
    return random_quoting_bundle(5, insert_timer_ticks(simulate(3, 20.0)), units=(4,))


@pytest.fixture
def card(
    bundle: Bundle, config: QuotingConfig, tmp_path: Path
) -> Iterator[tuple[EventDriver, SimulatedEventDevice]]:
    emit_configured(bundle, "baked", tmp_path / "path", config, SHAPE)
    player = DecisionPlayer(tmp_path / "path")
    yield open_events(tmp_path / "path", player)
    player.close()


def test_events_by_dma_give_the_cpu_loops_decisions_and_one_of_them_is_kept_for_audit(
    card: tuple[EventDriver, SimulatedEventDevice], bundle: Bundle, config: QuotingConfig
) -> None:
    driver, _ = card
    market = insert_timer_ticks(simulate(3, 2.0))
    frames = encode(market.events)
    found = []
    for number, frame in enumerate(frames.split()):
        if number == 120:
            driver.freeze()
        driver.send(frame)
        while len(word := driver.take()):
            found.append(word)
    words = np.concatenate(found)
    decoded = WireDecoder(2, STALE_NS).push(frames.beats, frames.ends)
    plan = make_plan(config, bundle, market)
    expected, ticks = decided(bundle, plan, driver.manifest, decoded.events, decoded.numbers)
    assert len(words) > 60 and not differences(words, expected)
    assert driver.counters()["events"] == frames.events and driver.counters()["gaps"] == 0
    audit = driver.audit()
    assert audit is not None
    at = int(np.flatnonzero(words["number"] == audit.decision["number"][0])[0])
    assert audit.decision[0] == words[at] and words["number"][at] >= 120
    tick = ticks[int((~words["void"][:at]).sum())]
    raw = audit.features.view(np.int8)[: bundle.spec.features]
    assert raw.tolist() == tick["features"][: bundle.spec.features].tolist()


def test_a_policy_is_loaded_and_swapped_in_and_what_the_card_refuses_is_said(
    card: tuple[EventDriver, SimulatedEventDevice], bundle: Bundle, config: QuotingConfig
) -> None:
    driver, device = card
    other = configured_policy(bundle, load_config(), SHAPE.rules)
    assert driver.audit() is None
    with pytest.raises(
        DeviceError, match=r"refused the swap.*\(errors: a swap\); it decides as before"
    ):
        driver.swap(policy=True)
    driver.load_policy(other)
    driver.swap(policy=True)
    found = []
    for frame in encode(simulate(3, 0.5).events).split():
        driver.send(frame)
        found.append(driver.take())
    words = np.concatenate(found)
    assert len(words) and set(words["policy_digest"].tolist()) == {other.digest}
    with pytest.raises(UsageError, match=r"a frame of 185 beats; it has 1 to 184"):
        driver.send(np.zeros(185, np.uint64))
    device.stuck, driver.timeout_s = True, 0.01
    with pytest.raises(DeviceError, match=r"did not take a frame of events within 0\.01 s"):
        driver.send(np.zeros(3, np.uint64))
    manifest = msgspec.structs.replace(driver.manifest, format_digest="0" * 64)
    with pytest.raises(MismatchError, match=r"format digest 0x\w+ instead of 0x00000000: another"):
        driver.connect(manifest, driver.dma)
    with pytest.raises(MismatchError, match=r"was emitted with --top frames: it takes no events"):
        driver.connect(msgspec.structs.replace(driver.manifest, events=None), driver.dma)
