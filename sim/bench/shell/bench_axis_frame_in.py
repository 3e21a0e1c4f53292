"""cocotb bench of `axis_frame_in`: frames good and bad, mailbox ticks among them, any pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSource

from pyorch.contract.fabric import Code
from pyorch.contract.fixed import FixedFormat, Rounding
from sim.bench.coverage import sample_block
from sim.bench.shell.bench_clocked import Clocked
from sim.bench.shell.model import OWNED_BY_STREAM, ShellModel
from sim.bench.top.traffic import pauses

ROUNDS, FRAMES = 40, 6
PATIENCE = 4_000
INPUTS = (
    "s_axis_tdata", "s_axis_tvalid", "s_axis_tlast", "enable", "owned", "mail_valid", "mail_beats", "v_ready",
    "d_room",
)  # fmt: skip
Given = tuple[tuple[int, ...], bool, bool]
"""A vector, whether it is a tick, whether it is the first of a window."""


class Listed:
    """A core that lists its vectors."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def clear(self) -> None:
        """Nothing."""

    def step(self, x: Sequence[int]) -> list[int]:
        """One more."""
        self.seen.append(tuple(x))
        return []

    def copy(self) -> Listed:
        """Itself: nothing is tried twice here."""
        return self

    def key(self) -> bytes:
        """Of no meaning."""
        return b""


class FrameBench(Clocked):
    """The block between a stream source and a sequencer that takes vectors at random."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        number = self.case.number
        self.features, self.width, self.lane = number("FEATURES"), number("X_WIDTH"), number("LANE")
        rounding = Rounding.RND if number("X_ROUND") else Rounding.TRN
        self.core = Listed()
        self.model = ShellModel(
            self.core, self.features, self.lane,
            FixedFormat(self.lane, self.lane - number("WIRE_FRACTION")),
            FixedFormat(self.width, self.width - number("X_FRACTION"), True, rounding),
        )  # fmt: skip
        self.vectors: list[Given] = []
        self.answers: list[bool] = []
        self.descriptors: list[tuple[int, int, int, int]] = []
        self.mail_taken = 0
        self.mail_left: list[list[int]] = []
        self.mail: list[tuple[int, ...]] = []
        self.mail_saturated: list[bool] = []

    async def run(self) -> None:
        """The other side, cycle after cycle."""
        held: tuple[int, ...] | None = None
        while True:
            offer = bool(self.mail_left) and (self.see("mail_valid") or self.chance(0.1))
            word = sum(b << 64 * k for k, b in enumerate(self.mail_left[0])) if offer else 0
            self.drive(
                v_ready=int(self.chance(0.5)), d_room=int(self.chance(0.8)),
                mail_valid=int(offer), mail_beats=word,
            )  # fmt: skip
            await self.look()
            if self.see("v_valid"):
                now = tuple(self.see(name) for name in ("v", "v_step", "v_first", "v_answer"))
                assert self.see("v_inside") == (not now[1] and not now[2])
                assert held is None or now == held, "v changed before it was taken"
                held = now
                if self.see("v_ready"):
                    self.vectors.append((self.unpacked(now[0]), bool(now[1]), bool(now[2])))
                    self.answers.append(bool(now[3]))
                    held = None
            if self.see("d_valid"):
                names = ("d_code", "d_answers", "d_sequence", "d_saturated")
                code, answers, sequence, saturated = (self.see(name) for name in names)
                self.descriptors.append((code, answers, sequence, saturated))
            if offer and self.see("mail_ready"):
                vector, saturated = self.model.vector(self.mail_left.pop(0))
                self.mail.append(tuple(vector))
                assert self.see("mail_saturated") == saturated
            await self.edge()

    def unpacked(self, word: int) -> tuple[int, ...]:
        """A vector of the port."""
        raw = [word >> self.width * k & (1 << self.width) - 1 for k in range(self.features)]
        return tuple(value - (value >> self.width - 1 << self.width) for value in raw)

    def frame(self) -> list[int]:
        """A frame, often a wrong one."""
        rng, beats = self.rng, self.model.beats
        kind = (
            int(rng.choice([1, 2, 3, 3, 3, 0, 9])) if self.chance(0.6) else int(rng.integers(1, 4))
        )
        count = 1 if kind == 1 and self.chance(0.8) else int(rng.integers(0, 5))
        length = count * beats + (0 if self.chance(0.6) else int(rng.integers(-2, 9)))
        header = kind | count << 16 | int(rng.integers(0, 1 << 32)) << 32
        body = rng.integers(0, 1 << 64, max(0, length), dtype=np.uint64)
        small = np.where(self.chance(0.5), body & np.uint64(0x0707070707070707), body)
        return [header, *small.tolist()]

    def expected(self, frame: list[int]) -> tuple[list[Given], int, tuple[int, int, int, int]]:
        """Vectors, how many of them are answered, and the descriptor."""
        self.core.seen = []
        wanted, kind = self.model.frame(frame), frame[0] & 0xFF
        window = kind == 2
        vectors = [(x, not window, window and not k) for k, x in enumerate(self.core.seen)]
        answers = len(wanted.answers)
        return vectors, answers, (wanted.code, answers, wanted.sequence, int(wanted.saturated))


async def send_round(bench: FrameBench, source: Any, mailbox: bool) -> None:
    """Some frames, all their vectors and descriptors, in order; mailbox ticks anywhere between."""
    frames = [bench.frame() for _ in range(FRAMES)]
    expected = [bench.expected(frame) for frame in frames]
    bench.vectors, bench.answers, bench.descriptors, bench.mail = [], [], [], []
    ticks = int(bench.rng.integers(1, 5)) if mailbox else 0
    bench.mail_left = [
        bench.rng.integers(0, 1 << 64, bench.model.beats, dtype=np.uint64).tolist()
        for _ in range(ticks)
    ]
    for frame in frames:
        data = b"".join(beat.to_bytes(8, "little") for beat in frame)
        source.send_nowait(AxiStreamFrame(data))
    vectors = [vector for found, _, _ in expected for vector in found]
    for _ in range(PATIENCE):
        await bench.edge()
        if len(bench.descriptors) == FRAMES and len(bench.vectors) == len(vectors) + ticks:
            break
    assert bench.descriptors == [descriptor for _, _, descriptor in expected]
    assert len(bench.mail) == ticks
    merged = list(bench.vectors)
    for tick in bench.mail:  # in their order, each once
        merged.remove((tick, True, False))
    assert merged == vectors
    assert sum(bench.answers) == ticks + sum(answers for _, answers, _ in expected)


@cocotb.test()
async def every_frame_has_its_vectors_and_one_descriptor(dut: Any) -> None:
    """Enabled and owned most of the time; else every frame is refused with its reason."""
    bench = FrameBench(dut)
    await bench.start(*INPUTS)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, byte_lanes=8)
    source.set_pause_generator(pauses(bench.rng, "some"))
    cocotb.start_soon(bench.run())
    codes: set[int] = set()
    for number in range(ROUNDS):
        bench.model.enabled = not bench.chance(0.1)
        bench.model.owner = OWNED_BY_STREAM if bench.chance(0.9) else 0
        bench.drive(
            enable=int(bench.model.enabled), owned=int(bench.model.owner == OWNED_BY_STREAM)
        )
        await send_round(bench, source, mailbox=number % 2 == 1)
        codes |= {code for code, _, _, _ in bench.descriptors}
    assert codes == {int(code) for code in Code}
    sample_block(bench.case.block)
