"""Episodes: a few frames, how they are paced, and one event while they are under way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import Beats, Code, Kind, WeightImage
from pyorch.contract.fixed import FixedFormat
from sim.bench.coverage import POINTS, SWAPS, Coverage
from sim.bench.shell.model import OWNED_BY_STREAM, ReferenceCore, ShellModel
from sim.bench.top.bench_ports import Ports
from sim.bench.top.case import MARKET, OTHER_IMAGE, PROJECT, TopCase, manifest_of
from sim.bench.top.events import Events
from sim.bench.top.search import Happening, explain
from sim.bench.top.traffic import Traffic, decks, kind_of, pauses

FRAMES = (5, 11)
EARLY = 0.25
"""Share of the episodes whose event begins before their first frame."""
PLACED = ("clear", *SWAPS, "take", "state", "disable", "release")
"""Events whose moment the results tell."""


@dataclass(slots=True)
class Sets:
    """What the two weight sets hold; None: invalid.

    Attributes:
        built_in: set 0 is as the project's memories say.
    """

    first: Bundle
    held: list[Bundle | None] = field(default_factory=list)
    active: int = 0
    built_in: bool = True

    def __post_init__(self) -> None:
        self.held = [self.first, None]

    @property
    def inactive(self) -> int:
        """The set that can be loaded."""
        return 1 - self.active

    def put(self, bundle: Bundle | None) -> None:
        """The inactive set was written."""
        self.held[self.inactive] = bundle
        if self.inactive == 0:
            self.built_in = False

    def reset(self, hard: bool) -> None:
        """Set 0 is active again; a hard reset forgets all that was loaded."""
        self.active = 0
        if hard:
            self.held = [self.first if self.built_in else None, None]


class Episodes:
    """Plays episodes on a fabric and compares everything that comes back.

    Attributes:
        models: what the fabric may be after the last episode: the results may leave open when an event was.
        bad, steps: what BAD_FRAMES and STEPS must say.
    """

    def __init__(self, dut: Any, case: TopCase, folder: Path) -> None:
        self.case, self.manifest = case, manifest_of(folder)
        self.rng = np.random.default_rng(case.seed)
        self.ports = Ports(dut, self.manifest, case)
        self.traffic = Traffic(self.rng, self.manifest, np.load(folder / MARKET))
        self.coverage = Coverage()
        self.simulator = os.environ["PYORCH_SIMULATOR"]
        bundles = case.bundles
        self.images: dict[str, WeightImage] = {}
        if self.manifest.loadable:
            self.images = {
                bundles[0].digest(): WeightImage.load(folder / PROJECT / "image.bin"),
                bundles[1].digest(): WeightImage.load(folder / OTHER_IMAGE),
            }
        first = case.built_in
        self.bundles = {bundle.digest(): bundle for bundle in bundles}
        self.sets = Sets(first)
        self.models = [self.fresh()]
        self.bad = self.steps = 0
        self.decks = decks(self.rng, case.absent, "stimulus", "gaps", "pressure", "refused")
        self.excused: set[str] = set()
        self.events = Events(self)

    def fresh(self) -> ShellModel:
        """The reference after a reset, by the active set; without one it answers NOT_READY."""
        manifest, bundle = self.manifest, self.sets.held[self.sets.active]
        model = ShellModel(
            ReferenceCore(bundle or self.sets.first), manifest.features, manifest.input_lane,
            FixedFormat.parse(manifest.wire), FixedFormat.parse(manifest.input),
            manifest.window if manifest.mode == "window" else 0,
        )  # fmt: skip
        model.enabled, model.active_set = bundle is not None, self.sets.active
        return model

    def possible(self) -> list[str]:
        """Events that this fabric knows."""
        names = list(POINTS["event"])
        if not self.manifest.loadable:
            names = [n for n in names if n not in (*SWAPS, "load", "bad load")]
        return names

    async def begin(self) -> None:
        """Reset, enabled, owned by the stream."""
        await self.ports.start()
        await self.ready()

    async def ready(self) -> None:
        """Enabled and owned by the stream."""
        await self.ports.control(enable=1)
        await self.ports.own(OWNED_BY_STREAM)
        self.excused.add("access")  # the lock may have been asked for too early

    async def play(self, episodes: int) -> None:
        """So many episodes, the events dealt in random order."""
        await self.begin()
        left: list[str] = []
        for number in range(episodes):
            left = left or [str(name) for name in self.rng.permutation(self.possible())]
            event = left.pop()
            try:
                await self.episode(event)
            except AssertionError as error:
                raise AssertionError(
                    f"{self.case.name}, episode {number}, {event}: {error}"
                ) from error

    async def episode(self, event: str) -> None:
        """One episode; all its results are compared and sampled."""
        chosen = {name: self.decks[name].deal() for name in ("stimulus", "gaps", "pressure")}
        frames = [self.traffic.frame(chosen["stimulus"]) for _ in range(self.rng.integers(*FRAMES))]
        ports, act = self.ports, self.events.of(event)
        await self.events.prepare(event)
        ports.forget()
        ports.pace(pauses(self.rng, chosen["gaps"]), pauses(self.rng, chosen["pressure"]))
        early = self.events.at_once = bool(self.rng.random() < EARLY)
        sending = cocotb.start_soon(self.send(frames, early))
        happenings = await act()
        await sending
        if event in ("hard reset", "soft reset"):
            self.compare(event, chosen, frames[: len(ports.received)])
            await self.events.reset(event)
            self.bad = self.steps = 0
            frames = [self.traffic.frame(chosen["stimulus"]) for _ in range(FRAMES[0])]
            ports.pace(pauses(self.rng, chosen["gaps"]), pauses(self.rng, chosen["pressure"]))
            await self.send(frames)
        await ports.results()
        places = self.compare(event, chosen, frames, happenings)
        acted = {"before" if k == 0 else "after" if k == len(frames) else "amid" for k in places}
        if event in PLACED and len(acted) == 1:
            self.coverage.sample(event=event, acted=acted.pop())
        ports.pace(None, None)
        await self.settled()

    async def send(self, frames: list[Beats], early: bool = False) -> None:
        """Frames; ``early``: the event is, so they come after it has begun."""
        self.ports.expect(len(frames))
        if early:
            await self.ports.cycles(int(self.rng.integers(1, 80)))
        self.ports.send(frames)

    def compare(
        self,
        event: str,
        chosen: dict[str, str],
        frames: list[Beats],
        happenings: list[Happening] | None = None,
    ) -> set[int]:
        """Results against the reference, sampled; returns where the first event may have happened."""
        results = self.ports.received
        found = explain(self.models, frames, results, happenings or [])
        self.models = [history.model for history in found]
        met = {"input saturated"} if any(r.saturated for r in results) else set()
        cores = [m.core for m in self.models if isinstance(m.core, ReferenceCore)]
        met |= set.intersection(*(core.met for core in cores))
        for core in cores:
            core.met = set()
        for name in sorted(met):
            self.coverage.sample(extreme=name)
        for frame, result in zip(frames, results, strict=True):
            self.coverage.sample(
                style=self.case.style, serving=self.case.serving, simulator=self.simulator,
                clocks=self.case.clocks_bin,
                kind=kind_of(frame), code=result.code.name, event=event, **chosen,
            )  # fmt: skip
            self.bad += result.code is not Code.OK
            self.steps += result.stated
            self.excused |= {"frame"} if result.code is not Code.OK else set()
        return {history.places[0] for history in found if history.places}

    async def settled(self) -> None:
        """Nothing is under way: counters, sets and errors are what the model says."""
        ports = self.ports
        await ports.until("STATUS", "idle")
        assert await ports.read("BAD_FRAMES") == self.bad
        assert await ports.read("STEPS") == self.steps
        assert await ports.field("STATUS", "active_set") == self.sets.active
        for number, bundle in enumerate(self.sets.held):
            assert await ports.field("STATUS", f"set_{number}_valid") == (bundle is not None)
        found = await ports.errors()
        assert found <= self.excused, f"errors {found}, allowed are {self.excused}"
        self.excused = set()
        if not self.models[0].enabled:  # a reset made set 0 active, which had been written over
            await self.events.reload()

    async def mailbox_ticks(self, count: int) -> None:
        """Ticks by the mailbox, each compared."""
        ports, manifest = self.ports, self.manifest
        twins = [model.copy() for model in self.models]
        for twin in twins:
            twin.owner = OWNED_BY_STREAM
        for number in range(count):
            stimulus = self.decks["stimulus"].deal()
            sequence = int(self.rng.integers(1, 1 << 32))
            frame = manifest.encode(Kind.STEP, sequence, self.traffic.vectors(stimulus, 1))
            for k, word in enumerate(frame[1:].view("<u4").tolist()):
                await ports.write(0x200 + 4 * k, word)
            held = number == 0
            if held:
                await ports.control(enable=1, hold=1)
            await ports.write("MAILBOX_DOORBELL", sequence)
            if held:  # busy: the next one is refused, and counted
                before = await ports.read("REFUSED_DOORBELLS")
                await ports.write("MAILBOX_DOORBELL", sequence ^ 1)
                assert await ports.read("REFUSED_DOORBELLS") == before + 1
                assert await ports.errors() >= {"doorbell"}
                await ports.control(enable=1)

            async def answered(wanted: int = sequence) -> None:
                while await ports.read("MAILBOX_SEQUENCE") != wanted:
                    await ports.cycles(1)

            await ports.within("the mailbox's answer", answered())
            words = [await ports.read(0x400 + 4 * k) for k in range(2 * manifest.answer_beats)]
            raw = np.array(words, np.uint32).view(f"<i{manifest.output_lane // 8}")
            answer, flags = raw[: manifest.outputs].tolist(), await ports.read("MAILBOX_SET")
            wanted = [(twin, twin.frame([int(beat) for beat in frame])) for twin in twins]
            twins = [
                twin
                for twin, one in wanted
                if (answer, flags) == (one.answers[0], one.weight_set | 2 * one.saturated)
            ]
            assert twins, f"mailbox: {answer}, set and saturation {flags}; wanted {wanted[0][1]}"
            self.steps += 1
        for twin in twins:
            twin.owner = self.models[0].owner
        self.models = twins
