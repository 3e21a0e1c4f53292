"""The register map, the mailbox, writes that mean nothing."""

import numpy as np

from firmware.register_map import generated
from pyorch.contract.fabric import Code, Kind
from sim.bench.shell.rig import MAP, agree, errors, lanes, malformed, model, status
from sim.library import SimulatedFabric
from sim.measure import address, command, settle, start


def test_the_generated_files_are_those_of_the_register_map() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"{path}: run `python -m firmware.register_map`"


def test_registers_do_not_overlap_and_fields_fit() -> None:
    words = [r.offset + 4 * k for r in MAP.registers.values() for k in range(r.words)]
    assert len(set(words)) == len(words)
    assert max(words) < 1 << 12
    for register in MAP.registers.values():
        bits = [low + k for low, count in register.fields.values() for k in range(count)]
        assert len(set(bits)) == len(bits) and max(bits, default=0) < 32, register.name


def test_the_mailbox_answers_and_counts_refused_doorbells(fabric: SimulatedFabric) -> None:
    rng, twin = np.random.default_rng(9), model()
    fabric.write(address("MAILBOX_DOORBELL"), 1)  # without the lock
    assert fabric.read(address("REFUSED_DOORBELLS")) == 1
    fabric.write(address("OWNER"), 2)  # the stream has it
    assert errors(fabric) == {"access", "doorbell"}
    fabric.write(address("OWNER"), 0)
    fabric.write(address("OWNER"), 2)
    assert status(fabric, "owner") == 2
    beats = fabric.manifest.vector_beats
    for sequence in range(1, 30):
        frame = fabric.manifest.encode(Kind.STEP, sequence, lanes(rng, 1))
        words = frame[1:].view("<u4").tolist()
        assert len(words) == 2 * beats
        for k, word in enumerate(words):
            fabric.write(address("MAILBOX_FEATURES") + 4 * k, word)
        fabric.write(address("MAILBOX_DOORBELL"), sequence)
        for _ in range(200):
            if fabric.read(address("MAILBOX_SEQUENCE")) == sequence:
                break
        twin.owner = 1
        wanted = twin.frame([int(beat) for beat in frame])
        answer = [
            fabric.read(address("MAILBOX_ANSWER") + 4 * k)
            for k in range(2 * fabric.manifest.answer_beats)
        ]
        got = np.array(answer, np.uint32).view(np.int16)[: fabric.manifest.outputs]
        assert got.tolist() == wanted.answers[0]
        assert fabric.read(address("MAILBOX_SET")) == 2 * wanted.saturated
    fabric.write(address("CONTROL"), MAP["CONTROL"].put(enable=1, hold=1))
    for sequence in (100, 101, 102):
        fabric.write(address("MAILBOX_DOORBELL"), sequence)
    assert fabric.read(address("REFUSED_DOORBELLS")) == 3
    assert fabric.read(address("MAILBOX_SEQUENCE")) == 29
    fabric.write(address("OWNER"), 0)  # refused: a tick is under way
    assert status(fabric, "owner") == 2
    fabric.write(address("CONTROL"), 1)
    settle(fabric)
    assert fabric.read(address("MAILBOX_SEQUENCE")) == 100


def test_ten_thousand_random_register_writes_neither_hang_nor_falsify(
    fabric: SimulatedFabric,
) -> None:
    rng, codes = np.random.default_rng(10), set()
    offsets = [r.offset + 4 * k for r in MAP.registers.values() for k in range(r.words)]
    favoured = [r.offset for r in MAP.registers.values() if r.words == 1]
    for number in range(10_000):
        at = int(rng.choice(favoured if rng.random() < 0.8 else [*offsets, 0x0F0, 0xFFC]))
        value = int(rng.integers(0, 2**32)) if rng.random() < 0.5 else int(rng.integers(0, 8))
        fabric.write(at, value)
        if number % 25 == 0:
            enable = int(rng.random() < 0.8)
            fabric.write(address("CONTROL"), enable)  # not held: a held fabric waits, as it should
            if rng.random() < 0.7:
                settle(fabric)
                fabric.write(address("OWNER"), 0)
                fabric.write(address("OWNER"), 1)
            command(fabric, clear=1)
            twin = model()
            twin.enabled, twin.owner = bool(enable), status(fabric, "owner")
            assert status(fabric, "active_set") == 0 and status(fabric, "set_0_valid")
            frames = [malformed(rng, fabric.manifest, k) for k in range(3)]
            codes |= {result.code for result in agree(fabric, twin, frames)}
    assert codes == set(Code)
    command(fabric, reset=1)
    fabric.write(address("OWNER"), 0)
    start(fabric)
    agree(fabric, model(), [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 50))])
