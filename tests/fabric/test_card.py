"""The simulated card under pynq's own Overlay, MMIO, DMA and parser; every fault is an error."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from firmware.block_design import DMA, FABRIC, FABRIC_VLNV, fabric_design, hwh_text
from hls.emit.project import image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, MismatchError, UsageError
from pyorch.contract.fabric import Kind, WeightImage
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_sequence
from pyorch.inference.registry import open_engine
from pyorch.inference.sample import random_bundle

pytest.importorskip("pynq", reason="needs the extra `board`")
from sim.engine import PATIENCE_S, CardEngine

BUNDLE = random_bundle(31, 6, (8,), window=5)
OTHER = random_bundle(32, 6, (8,), window=5)
# shapes and formats of the conformance suite's: one compilation for both
WINDOWED = random_bundle(3, 6, (12,), mode="window", window=5)
OTHER_WINDOWED = random_bundle(33, 6, (12,), mode="window", window=5)


@pytest.fixture(scope="module")
def engine() -> Iterator[CardEngine]:
    opened = CardEngine.open(BUNDLE, multipliers=28)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def windowed() -> Iterator[CardEngine]:
    opened = CardEngine.open(WINDOWED)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def fresh(engine: CardEngine) -> None:
    engine.pynq_device.stuck = False
    engine.driver.timeout_s = PATIENCE_S
    engine.driver.put("ERRORS", 0x1F)
    engine.driver.own(1)
    engine.reset()


def features(bundle: Bundle, ticks: int, seed: int = 1) -> np.ndarray:
    return random_features(np.random.default_rng(seed), bundle.spec, (ticks,))


def test_pynqs_parser_finds_drivers_and_addresses(tmp_path: Path) -> None:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynqmetadata.frontends import Metadata

    handoff = tmp_path / "fabric.hwh"
    handoff.write_text(hwh_text(fabric_design()))
    found = RuntimeMetadataParser(Metadata(input=str(handoff))).ip_dict
    assert found[FABRIC]["type"] == FABRIC_VLNV
    assert (found[FABRIC]["phys_addr"], found[FABRIC]["addr_range"]) == (0xA001_0000, 0x1000)
    assert found[DMA]["parameters"]["c_include_sg"] == "0"


PUBLISHED = {
    "EDKSYSTEM": ("", {"EDWVERSION", "TIMESTAMP", "VIVADOVERSION"}),
    "SYSTEMINFO": ("EDKSYSTEM", {"ARCH", "BOARD", "DEVICE", "NAME", "PACKAGE", "SPEEDGRADE"}),
    "EXTERNALPORTS": ("EDKSYSTEM", set()),
    "EXTERNALINTERFACES": ("EDKSYSTEM", set()),
    "MODULES": ("EDKSYSTEM", set()),
    "MODULE": ("MODULES", {
        "COREREVISION", "FULLNAME", "HWVERSION", "INSTANCE", "IPTYPE", "IS_ENABLE", "MODCLASS", "MODTYPE",
        "VLNV",
    }),
    "PARAMETERS": ("MODULE", set()),
    "PARAMETER": ("PARAMETERS", {"NAME", "VALUE"}),
    "PORTS": ("MODULE", set()),
    "BUSINTERFACES": ("MODULE", set()),
    "BUSINTERFACE": ("BUSINTERFACES", {"BUSNAME", "DATAWIDTH", "NAME", "TYPE", "VLNV"}),
    "MEMORYMAP": ("MODULE", set()),
    "MEMRANGE": ("MEMORYMAP", {
        "ADDRESSBLOCK", "BASENAME", "BASEVALUE", "HIGHNAME", "HIGHVALUE", "INSTANCE", "IS_DATA",
        "IS_INSTRUCTION", "MASTERBUSINTERFACE", "MEMTYPE", "SLAVEBUSINTERFACE",
    }),
}  # fmt: skip
"""Element → the one around it, its attributes: as files that Vivado 2017.4 and 2022.1 wrote have them."""


def test_the_handoff_is_built_like_published_ones() -> None:
    root = ElementTree.fromstring(hwh_text(fabric_design()).split("\n", 1)[1])
    around = {child: parent for parent in root.iter() for child in parent}
    for element in root.iter():
        inside, attributes = PUBLISHED[element.tag]
        assert inside == (around[element].tag if element in around else "")
        assert element.attrib.keys() <= attributes, element.attrib
    for region in root.iter("MEMRANGE"):
        assert region.attrib.keys() == PUBLISHED["MEMRANGE"][1]


def test_every_net_of_the_handoff_joins_a_master_and_a_slave() -> None:
    root = ElementTree.fromstring(hwh_text(fabric_design()).split("\n", 1)[1])
    sides: dict[str, set[str]] = {}
    for bus in root.iter("BUSINTERFACE"):
        sides.setdefault(bus.attrib["BUSNAME"], set()).add(bus.attrib["TYPE"])
    assert all(both == {"MASTER", "SLAVE"} for both in sides.values()), sides


@pytest.mark.parametrize("mailbox", [True, False])
def test_ticks_by_mailbox_and_by_dma_are_the_references(engine: CardEngine, mailbox: bool) -> None:
    engine._mailbox = mailbox
    x = features(BUNDLE, 40)
    expected = run_sequence(BUNDLE, x)
    for tick, vector in enumerate(x):
        outputs = engine.step(vector)
        np.testing.assert_array_equal(outputs.logits, expected[0][tick])
        np.testing.assert_array_equal(outputs.scores, expected[1][tick])


def test_weights_are_loaded_and_swapped_between_two_ticks(engine: CardEngine) -> None:
    driver, x = engine.driver, features(BUNDLE, 30, 2)
    image = image_for(OTHER, driver.manifest)
    before = driver.active_set
    driver.load(image)
    assert driver.model_digest(1 - before) == OTHER.digest()[:16]
    old, new = run_sequence(BUNDLE, x)[0], run_sequence(OTHER, x)[0]
    np.testing.assert_array_equal(engine.run(x)[0], old)
    driver.swap(clear=True)
    np.testing.assert_array_equal(engine.run(x)[0], new)
    assert driver.counters()["swaps"] >= 1
    driver.load(image_for(BUNDLE, driver.manifest))
    driver.swap(clear=True)
    np.testing.assert_array_equal(engine.run(x)[0], old)


def test_a_swap_takes_a_state_that_was_staged_while_ticks_went_on(engine: CardEngine) -> None:
    driver, x = engine.driver, features(BUNDLE, 30, 2)
    driver.load(image_for(OTHER, driver.manifest))
    reference = open_engine("reference", OTHER)
    expected = [reference.step(vector).logits for vector in x][10:]
    reference.reset()
    for vector in x[:10]:
        reference.step(vector)
    state = reference.state()
    driver.stage_state(list(state.hidden), list(state.cell))
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])
    with pytest.raises(UsageError, match="clears the state or loads one, not both"):
        driver.swap(clear=True, load=True)
    driver.swap(load=True)
    np.testing.assert_array_equal(engine.run(x[10:])[0], expected)
    driver.load(image_for(BUNDLE, driver.manifest))
    driver.swap(clear=True)


@pytest.mark.parametrize("ticks", [0, 3, 4, 5, 11])
def test_the_window_of_a_card_is_read_from_it_and_handed_over_with_a_swap(
    ticks: int, windowed: CardEngine
) -> None:
    x, driver = features(WINDOWED, 16, 3), windowed.driver
    windowed.reset()
    if ticks:
        windowed.run(x[:ticks])
    window = windowed.state().vectors
    np.testing.assert_array_equal(window, x[max(0, ticks - 4) : ticks])
    driver.load(image_for(OTHER_WINDOWED, driver.manifest))
    driver.stage_window(window)
    windowed.run(features(WINDOWED, 7, 4))  # ticks of another stream, then the first one goes on
    driver.swap(load=True)
    got = windowed.run(x[ticks:])[0]
    np.testing.assert_array_equal(got, run_sequence(OTHER_WINDOWED, x)[0][ticks:])
    np.testing.assert_array_equal(windowed.state().vectors, x[-4:])
    driver.load(image_for(WINDOWED, driver.manifest))
    driver.swap(clear=True)
    assert windowed.state().vectors.shape == (0, 6)


def test_more_vectors_than_a_window_keeps_are_refused(windowed: CardEngine) -> None:
    with pytest.raises(UsageError, match="5 vectors for a window of 5: the fabric keeps 4; give"):
        windowed.driver.stage_window(features(WINDOWED, 5))
    for wrong in ({"slot": 4, "unit": 0}, {"slot": 0, "unit": 6}):
        windowed.driver.put("STATE_ADDRESS", **wrong)
        windowed.driver.put("STATE_DATA", 1)
        assert windowed.driver.get("ERRORS", "access")
        windowed.driver.put("ERRORS", 0x1F)
    windowed.driver.put("WINDOW_FILL", 5)
    assert windowed.driver.get("ERRORS", "access")
    windowed.driver.put("ERRORS", 0x1F)


def test_half_loaded_and_changed_images_are_refused(engine: CardEngine) -> None:
    driver = engine.driver
    image = image_for(OTHER, driver.manifest)
    half = replace(image, addresses=image.addresses[:50], data=image.data[:50])
    with pytest.raises(DeviceError, match="refused the weights: 50 words written, errors 0x2"):
        driver.load(half)
    with pytest.raises(DeviceError, match=r"weight set \d is not valid: load an image first"):
        driver.swap()
    driver.put("COMMAND", swap_keep=1)  # by the register, past the driver
    assert driver.get("ERRORS", "swap") and driver.counters()["swaps"] == driver.get("SWAPS")
    with pytest.raises(UsageError, match="the image's format digest is 00000000"):
        driver.load(WeightImage("0" * 64, image.model_digest, image.addresses, image.data))
    x = features(BUNDLE, 20, 3)
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])


def test_another_fabric_on_the_card_is_refused(engine: CardEngine) -> None:
    driver = engine.driver
    ours = driver.manifest
    theirs = type(ours)(
        **{name: getattr(ours, name) for name in ours.__struct_fields__}
        | {"format_digest": "f" * 64}
    )
    with pytest.raises(
        MismatchError, match=r"the card's format digest is .*, the project's ffffffff"
    ):
        driver.connect(theirs, driver.dma)
    driver.manifest = ours


def test_a_bad_frame_is_answered_and_leaves_the_state_alone(engine: CardEngine) -> None:
    x = features(BUNDLE, 10, 4)
    expected = run_sequence(BUNDLE, x)[0]
    driver, manifest = engine.driver, engine.driver.manifest
    np.testing.assert_array_equal(engine.run(x[:5])[0], expected[:5])
    bad = manifest.encode(Kind.STEP, 9, x[5:6])[:-1]  # the vector's last beat is missing
    result = manifest.decode(driver.transfer(bad, 8))
    assert (result.code.name, result.stated, result.sequence) == ("SHORT", 0, 9)
    assert driver.get("ERRORS", "frame") and driver.get("BAD_FRAMES") == 1
    np.testing.assert_array_equal(engine.run(x[5:])[0], expected[5:])


def test_a_card_that_stops_answering_is_an_error_in_time(engine: CardEngine) -> None:
    engine._mailbox = False
    engine.driver.timeout_s = 0.05
    engine.pynq_device.stuck = True
    with pytest.raises(DeviceError, match=r"result channel: not done within 0\.05 s"):
        engine.step(features(BUNDLE, 1)[0])
    engine.pynq_device.stuck = False
    engine.driver.timeout_s = PATIENCE_S
    engine.driver.start()
    x = features(BUNDLE, 5)
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])


def test_a_result_longer_than_the_buffer_is_a_dma_error(engine: CardEngine) -> None:
    manifest = engine.driver.manifest
    frame = manifest.encode(Kind.SEQUENCE, 1, features(BUNDLE, 4))
    with pytest.raises(DeviceError, match="result channel: internal error"):
        engine.driver.transfer(frame, 2)
    engine.driver.start()
    x = features(BUNDLE, 5)
    np.testing.assert_array_equal(engine.run(x)[0], run_sequence(BUNDLE, x)[0])


def test_a_buffer_that_is_not_flushed_is_not_seen_by_the_card(engine: CardEngine) -> None:
    device = engine.pynq_device
    buffer = device.allocate((4,), "u8")
    buffer[:] = 7
    assert not device.memory[buffer.device_address].any()
    buffer.flush()
    assert device.memory[buffer.device_address][:32].view("<u8").tolist() == [7] * 4
    device.memory[buffer.device_address][:8] = 1
    assert int(buffer[0]) == 7
    buffer.invalidate()
    assert int(buffer[0]) == 0x0101010101010101


def test_doorbells_without_the_lock_are_refused_and_counted(engine: CardEngine) -> None:
    driver = engine.driver
    counted = driver.get("REFUSED_DOORBELLS")
    driver.put("MAILBOX_DOORBELL", 1)
    assert driver.get("REFUSED_DOORBELLS") == counted + 1
    assert driver.get("ERRORS", "doorbell")
    driver.put("ERRORS", 0x10)
    assert not driver.get("ERRORS")
