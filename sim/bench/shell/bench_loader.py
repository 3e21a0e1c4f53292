"""cocotb bench of `loader`: images whole and broken, resets and aborts among them, against zlib's CRC."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb

from sim.bench.coverage import sample_block
from sim.bench.shell.bench_clocked import Clocked

SCRIPT = 1_500
INPUTS = (
    "abort", "active_set", "start", "commit", "expected_crc", "format_digest", "model_digest", "word",
    "address", "data",
)  # fmt: skip
PULSES = ("abort", "start", "commit", "word")


class LoaderBench(Clocked):
    """The loader and what it must say, after every operation.

    Attributes:
        built_in: digest of the weights that were there at first; None: they were written over.
    """

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.loadable = bool(self.case.number("LOADABLE"))
        self.words, self.format = self.case.number("IMAGE_WORDS"), self.case.number("FORMAT_DIGEST")
        self.first = int(next(iter(self.case.files.values())), 16)
        self.built_in: int | None = self.first
        self.active = 0
        self.reset_model()

    def reset_model(self) -> None:
        """After `rst`."""
        self.valid = [self.built_in is not None, False]
        self.models = [self.built_in or 0, 0]
        self.restart()

    def restart(self) -> None:
        """No word has come."""
        self.count, self.crc = 0, 0

    @property
    def inactive(self) -> int:
        """The set that is loaded."""
        return 1 - self.active

    async def pulse(self, refused: bool = False, **values: int) -> None:
        """One operation, then quiet until its CRC is done; everything is compared."""
        self.drive(**values)
        await self.look()
        assert self.see("load_write") == ("word" in values and self.loadable)
        if "word" in values:
            assert (self.see("load_address"), self.see("load_data")) == (
                values["address"], values["data"],
            )  # fmt: skip
        await self.edge()
        self.drive(**dict.fromkeys(PULSES, 0), rst=0)
        await self.look()
        assert self.see("refused") == refused, values
        busy = 0
        while self.see("busy"):
            await self.edge()
            await self.look()
            busy += 1
            assert busy <= 8
        assert busy == (8 if "word" in values and self.loadable else 0)
        await self.edge()
        await self.look()
        assert not self.see("refused")
        assert self.see("count") == self.count
        assert self.see("crc") == self.crc
        assert self.see("valid") == self.valid[0] | self.valid[1] << 1
        assert [self.see(f"set_{number}_model") for number in (0, 1)] == self.models

    async def word(self) -> None:
        """A word of an image."""
        address, data = (int(value) for value in self.rng.integers(0, 1 << 32, 2))
        if self.loadable:
            self.valid[self.inactive] = False
            if self.inactive == 0:
                self.built_in = None
            self.count += 1
            both = address.to_bytes(4, "little") + data.to_bytes(4, "little")
            self.crc = zlib.crc32(both, self.crc)
        await self.pulse(word=1, address=address, data=data, refused=not self.loadable)

    async def commit(self) -> None:
        """Often the right one."""
        crc, form, model = self.crc, self.format, int(self.rng.integers(1, 1 << 62))
        wrong = self.rng.random()
        if wrong < 0.15:
            crc ^= 1 << int(self.rng.integers(0, 32))
        elif wrong < 0.3:
            form ^= 1 << int(self.rng.integers(0, 64))
        right = (
            self.loadable and self.count == self.words and crc == self.crc and form == self.format
        )
        if right:
            self.valid[self.inactive], self.models[self.inactive] = True, model
        self.restart()
        await self.pulse(
            commit=1, expected_crc=crc, format_digest=form, model_digest=model, refused=not right
        )

    async def other(self) -> None:
        """Start, abort, reset, a swap of the sets."""
        chosen = self.rng.random()
        if chosen < 0.5:
            self.restart()
            if self.loadable:
                self.valid[self.inactive] = False
            await self.pulse(start=1)
        elif chosen < 0.7:
            self.restart()
            await self.pulse(abort=1)
        elif chosen < 0.8:
            self.active = 0
            self.drive(active_set=0)
            self.reset_model()
            await self.pulse(rst=1)
        elif self.valid[self.inactive] and self.count == 0:
            self.active = self.inactive
            await self.pulse(active_set=self.active)


@cocotb.test()
async def a_set_is_valid_only_after_its_own_whole_image(dut: Any) -> None:
    """Random operations; images of the right length are as frequent as others."""
    bench = LoaderBench(dut)
    await bench.start(*INPUTS)
    valid, invalid = 0, 0
    for _ in range(SCRIPT // (bench.words + 2)):
        missing = int(bench.rng.choice([0, 0, 0, 1, -1]))
        if bench.chance(0.7):
            bench.restart()
            if bench.loadable:
                bench.valid[bench.inactive] = False
            await bench.pulse(start=1)
        for _ in range(bench.words - missing):
            await bench.word()
            if bench.chance(0.01):
                await bench.other()
        before = bench.count
        await bench.commit()
        valid += before == bench.words and bench.valid[bench.inactive]
        invalid += not bench.valid[bench.inactive]
        await bench.other()
    assert invalid > 10
    assert (valid > 10) == bench.loadable
    sample_block(bench.case.block)
