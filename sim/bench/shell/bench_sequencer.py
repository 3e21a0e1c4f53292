"""cocotb bench of `sequencer` before a core that remembers which vectors made its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
import numpy as np

from sim.bench.coverage import sample_block
from sim.bench.shell.bench_clocked import Clocked

CYCLES = 9_000
PATIENCE = 600
"""Cycles in which a vector or a request may wait, or a hold may find the block not quiet."""
Vector = tuple[int, ...]
INPUTS = (
    "hold", "v_valid", "v", "v_step", "v_first", "v_inside", "v_answer", "in_window", "x_ready", "drained",
    "idle", "want_clear", "want_swap", "want_take", "taking", "kept_slot", "kept_feature", "stage_write",
    "stage_value", "stage_count_write", "stage_count",
)  # fmt: skip
REQUESTS = ("clear", "swap", "take")


@dataclass(slots=True)
class Core:
    """The state is the list of vectors since zero, each with the weight set that took it in."""

    state: list[tuple[Vector, int]] = field(default_factory=list)
    active: int = 0
    under_way: int = 0
    preparing: int = 0


class Source:
    """Vectors as `axis_frame_in` gives them: single ticks and windows, whole and broken."""

    def __init__(
        self, rng: np.random.Generator, features: int, width: int, steps_only: bool
    ) -> None:
        self.rng, self.features, self.steps_only = rng, features, steps_only
        self.limit = 1 << width - 1
        self.left: list[tuple[Vector, bool, bool, bool]] = []
        self.in_window = False
        self.offered: tuple[Vector, bool, bool, bool] | None = None

    def advance(self) -> None:
        """The next cycle: perhaps a frame begins, perhaps its next vector is offered."""
        if not self.left and self.rng.random() < 0.3:
            window = self.rng.random() < 0.4
            count = int(self.rng.integers(1, 7))
            whole = self.rng.random() < 0.8
            for number in range(count):
                row = self.rng.integers(-self.limit, self.limit, self.features)
                answer = not window or (whole and number == count - 1)
                self.left.append((tuple(row.tolist()), not window, window and not number, answer))
            self.in_window = window
        if self.offered is None and self.left and self.rng.random() < 0.5:
            self.offered = self.left.pop(0)
            self.in_window = self.in_window and bool(self.left)


class SequencerBench(Clocked):
    """The host, the source and the core around the block, and what must hold in every cycle.

    Attributes:
        kept: vectors of the last T ticks; window: those of the WINDOW frame under way.
        staged: what `take` brings.
        must: requests that wait.
    """

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.features, self.width = self.case.number("FEATURES"), self.case.number("X_WIDTH")
        self.length, self.windowed = self.case.number("WINDOW"), bool(self.case.number("WINDOWED"))
        self.core, self.source = Core(), Source(self.rng, self.features, self.width, False)
        self.kept: list[Vector] = []
        self.window: list[Vector] = []
        self.staged: list[Vector] = []
        self.must, self.taking, self.waiting = set[str](), 0, 0
        self.taken, self.done = 0, dict.fromkeys(REQUESTS, 0)
        self.host = self.requests()

    def packed(self, vector: Vector) -> int:
        """A vector as the port carries it."""
        mask = (1 << self.width) - 1
        return sum((value & mask) << self.width * k for k, value in enumerate(vector))

    # ---- the host
    def requests(self) -> Iterator[dict[str, int]]:
        """Inputs of the host, cycle after cycle."""
        while True:
            for _ in range(int(self.rng.integers(0, 60))):
                yield {}
            chosen = self.rng.random()
            if chosen < 0.3:
                yield {"hold": 1}
                while chosen < 0.2 and not self.see("quiet"):  # as a host that reads the state
                    yield {"hold": 1}
                for _ in range(int(self.rng.integers(1, 40))):
                    yield {"hold": 1}
                continue
            wanted = {name for name in ("clear", "swap") if self.rng.random() < 0.5}
            if chosen < 0.6:
                yield from self.stage()
                wanted = (wanted - {"clear"}) | {"take"}
            yield {f"want_{name}": 1 for name in wanted}
            if "take" in wanted and self.rng.random() < 0.2:
                yield {"want_clear": 1}  # later than the take: undoes it
            while self.must:
                yield {}

    def stage(self) -> Iterator[dict[str, int]]:
        """Vectors into the bank that is not in use, feature by feature, and their number."""
        self.staged = []
        if not self.windowed:
            return
        for slot in range(int(self.rng.integers(0, self.length))):
            row = self.rng.integers(-(1 << self.width - 1), 1 << self.width - 1, self.features)
            for feature, value in enumerate(row.tolist()):
                while self.see("stage_busy"):
                    yield {}
                place = {"kept_slot": slot, "kept_feature": feature}
                yield {"stage_write": 1, "stage_value": value & 0xFFFFFFFF, **place}
                yield {}
            self.staged.append(tuple(row.tolist()))
        while self.see("stage_busy"):
            yield {}
        yield {"stage_count_write": 1, "stage_count": len(self.staged)}
        yield {}

    # ---- a cycle
    def inputs(self) -> dict[str, int]:
        """All inputs of this cycle."""
        self.source.advance()
        core, offered = self.core, self.source.offered
        given: dict[str, int] = {name: 0 for name in INPUTS} | next(self.host)
        drained = core.under_way == 0
        given |= {
            "drained": drained, "idle": drained and not core.preparing, "taking": self.taking > 0,
            "in_window": self.source.in_window, "x_ready": core.under_way < 4 and self.chance(0.6),
        }  # fmt: skip
        if offered is not None:
            vector, step, first, answer = offered
            given |= {"v_valid": 1, "v": self.packed(vector)}
            given |= {"v_step": step, "v_first": first, "v_answer": answer}
            given |= {"v_inside": not step and not first}
        return {name: int(value) for name, value in given.items()}

    async def cycle_once(self) -> None:
        """Drive, look, compare, and what the block did becomes the model's."""
        given = self.inputs()
        self.drive(**given)
        await self.look()
        into_core = self.see("x_valid") and given["x_ready"]
        offered = self.source.offered if self.see("v_ready") and given["v_valid"] else None
        acts = bool(self.see("acts"))
        assert not (into_core and (acts or self.taking)), "a vector while a request is carried out"
        if self.see("prepared") and self.windowed and self.kept:
            assert self.vectors() == self.kept[1 - self.length :], "not what the next tick needs"
        self.core.under_way = max(0, self.core.under_way - 1)
        self.core.preparing = max(0, self.core.preparing - 1)
        self.taking = max(0, self.taking - 1)
        if into_core:
            self.give(offered)
        else:
            assert offered is None or not self.see("x_valid")
            assert offered is None, "taken, but not given to the core"
        assert self.see("pending") == bool(self.must or given["taking"])
        if acts:
            assert given["drained"]
            self.act()
        if given["want_clear"]:
            self.must = (self.must | {"clear"}) - {"take"}
        self.must |= {name for name in ("swap", "take") if given[f"want_{name}"]}
        waits = self.must or (not self.see("quiet") if given["hold"] else given["v_valid"])
        self.waiting = self.waiting + 1 if waits and not (acts or offered) else 0
        assert self.waiting < PATIENCE, (
            f"{PATIENCE} cycles without a vector, a request done, or quiet in a hold"
        )
        await self.edge()

    def vectors(self) -> list[Vector]:
        """What made the core's state."""
        return [vector for vector, _ in self.core.state]

    def give(self, offered: tuple[Vector, bool, bool, bool] | None) -> None:
        """A vector goes into the core: the source's, or one that is replayed."""
        core, word = self.core, self.see("x")
        mask = (1 << self.width) - 1
        raw = [word >> self.width * k & mask for k in range(self.features)]
        x = tuple(value - (value >> self.width - 1 << self.width) for value in raw)
        core.state = [*([] if self.see("x_first") else core.state), (x, core.active)]
        core.under_way = int(self.rng.integers(1, 7))
        if offered is None:
            assert self.windowed and not self.see("x_answer"), "a vector from nowhere"
            return
        vector, step, first, answer = offered
        assert x == vector and self.see("x_answer") == answer
        self.source.offered, self.taken = None, self.taken + 1
        if step:
            self.kept = [*self.kept, vector][-self.length :]
            wanted = self.kept
        else:
            self.window = [*([] if first else self.window), vector]
            wanted = self.window
        if self.windowed or not step:
            assert self.vectors() == wanted
            assert {number for _, number in core.state} == {core.active}, "mixed weights"
        else:
            assert not self.see("x_first")

    def act(self) -> None:
        """The requests that wait are carried out together."""
        core = self.core
        done = {name for name in REQUESTS if self.see(name)}
        assert done == self.must, f"{done} instead of {self.must}"
        if "clear" in done:
            core.state, self.kept = [], []
        if "swap" in done:
            core.active = 1 - core.active
        if "take" in done and self.windowed:
            self.kept = list(self.staged)
        elif "take" in done:
            core.state, self.taking = [], 4
        for name in done:
            self.done[name] += 1
        self.must, core.preparing = set(), int(self.rng.integers(0, 9))

    async def read_back(self) -> None:
        """At rest: the kept vectors as the host reads them."""
        self.source.left, self.source.rng = [], np.random.default_rng(0)
        self.drive(**dict.fromkeys(INPUTS, 0) | {"drained": 1, "idle": 1, "x_ready": 1})
        for _ in range(8 * self.length):
            await self.edge()
        await self.look()
        kept = self.kept[1 - self.length :]
        assert self.see("stored") == len(kept)
        for number, vector in enumerate(kept):
            slot = (self.see("oldest") + number) % (self.length - 1)
            for feature, value in enumerate(vector):
                self.drive(kept_slot=slot, kept_feature=feature)
                for _ in range(3):
                    await self.edge()
                await self.look()
                assert self.see("kept_there")
                assert self.dut.kept_value.value.to_signed() == value


@cocotb.test()
async def ticks_windows_and_requests_meet_between_ticks_alone(dut: Any) -> None:
    """Everything at random; at the end the host reads what was kept."""
    bench = SequencerBench(dut)
    await bench.start(*INPUTS)
    for _ in range(CYCLES):
        await bench.cycle_once()
    while bench.source.offered is not None or bench.source.left or bench.must or bench.taking:
        await bench.cycle_once()
    assert bench.taken > 400
    assert min(bench.done.values()) > 10
    if bench.windowed:
        await bench.read_back()
    sample_block(bench.case.block)
