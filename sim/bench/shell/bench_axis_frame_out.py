"""cocotb bench of `axis_frame_out`: answers and descriptors at any pace become result frames."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotbext.axi import AxiStreamBus, AxiStreamSink

from sim.bench.coverage import sample_block
from sim.bench.shell.bench_clocked import Clocked
from sim.bench.top.traffic import pauses

FRAMES = 300
PATIENCE = 40_000
MOST_ANSWERS = 4
INPUTS = (
    "active_set", "y_valid", "y", "d_valid", "d_code", "d_answers", "d_sequence", "d_saturated",
    "m_axis_tready",
)  # fmt: skip


class ResultBench(Clocked):
    """The block after a core that answers, and frames that end."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        number = self.case.number
        self.outputs, self.width, self.lane = number("OUTPUTS"), number("Y_WIDTH"), number("LANE")
        limit = 1 << self.width - 1
        shape = (MOST_ANSWERS, self.outputs)
        self.frames = [
            self.rng.integers(-limit, limit, shape)[: int(self.rng.integers(0, MOST_ANSWERS + 1))]
            for _ in range(FRAMES)
        ]
        self.heads = [
            (int(self.rng.choice([0, 0, 1, 2, 5])), int(self.rng.integers(0, 1 << 32)), int(self.chance(0.2)))
            for _ in range(FRAMES)
        ]  # fmt: skip
        self.answered, self.described = 0, 0
        self.at = 0
        self.sets: list[int] = []
        self.began = self.bad = 0

    def word(self, answer: Any) -> int:
        """An answer as the port carries it."""
        mask = (1 << self.width) - 1
        values = enumerate(answer.tolist())
        return sum((value & mask) << self.width * k for k, value in values)

    async def run(self) -> None:
        """Cycle after cycle; an answer belongs to the oldest frame that has not ended."""
        offered = ended = False
        while self.described < FRAMES or self.answered < FRAMES:
            if self.answered < FRAMES and self.at == len(self.frames[self.answered]):
                if ended:  # the next frame's answers come after this one's descriptor
                    self.answered, self.at, ended = self.answered + 1, 0, False
            else:
                offered = offered or self.chance(0.4)
            values = {"y_valid": int(offered), "y": 0, "d_valid": 0}
            if offered:
                values["y"] = self.word(self.frames[self.answered][self.at])
            if not ended and self.described <= self.answered < FRAMES:
                await self.look()
                if self.see("d_room") and self.chance(0.3):
                    code, sequence, saturated = self.heads[self.described]
                    count = len(self.frames[self.described])
                    values |= {"d_valid": 1, "d_code": code, "d_answers": count}
                    values |= {"d_sequence": sequence, "d_saturated": saturated}
                    self.described, ended = self.described + 1, True
            if self.chance(0.05) and not offered:
                values["active_set"] = int(self.chance(0.5))
            self.drive(**values)
            await self.look()
            self.began += self.see("began")
            self.bad += self.see("bad")
            taken = offered and self.see("y_ready")
            await self.edge()
            if taken:
                self.at, offered = self.at + 1, False
        self.drive(y_valid=0, d_valid=0)
        for _ in range(PATIENCE):
            await self.look()
            self.began += self.see("began")
            self.bad += self.see("bad")
            await self.edge()


@cocotb.test()
async def every_frame_is_its_answers_and_one_status(dut: Any) -> None:
    """Lanes sign-extended and padded, TLAST on the status alone, whatever the sink does."""
    bench = ResultBench(dut)
    await bench.start(*INPUTS)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, byte_lanes=8)
    sink.set_pause_generator(pauses(bench.rng, "some"))
    running = cocotb.start_soon(bench.run())
    beats = -(-bench.outputs * bench.lane // 64)
    for answers, (code, sequence, saturated) in zip(bench.frames, bench.heads, strict=True):
        frame = await sink.recv()
        found = np.frombuffer(bytes(frame.tdata), "<u8")
        assert len(found) == beats * len(answers) + 1
        lanes = found[:-1].view(f"<i{bench.lane // 8}").reshape(-1, 64 * beats // bench.lane)
        assert (lanes[:, : bench.outputs] == answers).all()
        assert not lanes[:, bench.outputs :].any()
        status = int(found[-1])
        assert status & ~(1 << 8) == sequence << 32 | len(answers) << 16 | saturated << 9 | code
    running.cancel()
    assert bench.began == sum(map(len, bench.frames))
    assert bench.bad == sum(code != 0 for code, _, _ in bench.heads)
    sample_block(bench.case.block)
