"""What happens in the midst of an episode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware.register_map import register_map
from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import Code, WeightImage
from sim.bench.coverage import SWAPS
from sim.bench.shell.model import OWNED_BY_STREAM, ReferenceCore, ShellModel
from sim.bench.top.search import Happening
from sim.bench.top.states import States

if TYPE_CHECKING:
    from sim.bench.top.bench_episodes import Episodes

LATEST = 900
"""Cycles after the first beat within which an event begins."""
OWNED_BY_MAILBOX = 2
READ_ONLY = [r.offset for r in register_map().registers.values() if r.access == "ro"]
UNMAPPED = (0x034, 0x06C, 0x0F0, 0x10C, 0x800, 0xFFC)
Act = Callable[[], Awaitable[list[Happening]]]


class Events:
    """The events of one fabric's episodes; each says what the model must have seen."""

    def __init__(self, episodes: Episodes) -> None:
        self.all = episodes
        self.ports, self.rng, self.sets = episodes.ports, episodes.rng, episodes.sets
        self.at_once = False
        self.states = States(episodes.ports, episodes.manifest, episodes.rng)

    def of(self, event: str) -> Act:
        """The coroutine of an event."""
        named: dict[str, Act] = {
            "none": self.nothing, "hard reset": self.wait, "soft reset": self.wait, "clear": self.clear,
            **{policy: partial(self.swap, policy) for policy in SWAPS}, "take": self.take,
            "state": self.state, "hold": self.hold, "disable": self.disable, "release": self.release,
            "load": self.load, "bad load": self.bad_load, "registers": self.registers,
            "mailbox": self.mailbox,
        }  # fmt: skip
        return named[event]

    async def prepare(self, event: str) -> None:
        """What must be so before the frames of an episode come."""
        if event.startswith("swap") and self.sets.held[self.sets.inactive] is None:
            await self.put(self.other())
        if event == "mailbox":
            await self.ports.own(OWNED_BY_MAILBOX)
            for model in self.all.models:
                model.owner = OWNED_BY_MAILBOX
            self.all.excused.add("access")

    # ---- pieces
    async def wait(self) -> list[Happening]:
        """A random while, often a short one; none at first in an episode whose event comes first."""
        if self.at_once:
            self.at_once = False
            return []
        await self.ports.cycles(1 + int(self.rng.integers(0, int(self.rng.integers(1, LATEST)))))
        return []

    async def nothing(self) -> list[Happening]:
        """No event."""
        return []

    def happening(self, apply: Callable[[ShellModel], bool], per_tick: bool = True) -> Happening:
        """It is asked for now, so it comes after the good frames that are answered already.

        A bad frame is answered when its fault is seen; vectors of it may still wait for the core.
        """
        answered = self.ports.received
        good = [number for number, one in enumerate(answered, 1) if one.code is Code.OK]
        return Happening(apply, per_tick, max(good, default=0))

    def other(self) -> Bundle:
        """The bundle that the active set does not hold."""
        active = self.sets.held[self.sets.active]
        found = [
            b for b in self.all.bundles.values() if active is None or b.digest() != active.digest()
        ]
        return found[0]

    async def put(self, bundle: Bundle) -> None:
        """Load a bundle into the inactive set; it becomes valid."""
        number = self.sets.inactive
        await self.ports.load(self.all.images[bundle.digest()])
        self.sets.put(bundle)
        assert await self.ports.field("STATUS", f"set_{number}_valid") == 1
        assert await self.ports.read(f"SET_{number}_MODEL_0") == int(bundle.digest()[:8], 16)

    async def reload(self) -> None:
        """Set 0 is active and invalid: fill the other one and swap to it."""
        bundle = self.other()
        await self.put(bundle)
        await self.ports.command(swap_keep=1)
        await self.ports.until("STATUS", "active_set", 1 - self.sets.active)
        self.sets.active = 1 - self.sets.active
        self.all.models = [self.all.fresh()]

    async def reset(self, event: str) -> None:
        """The reset itself: a fresh model."""
        hard = event == "hard reset"
        if hard:
            await self.ports.hard_reset(int(self.rng.integers(0, 5)))
        else:
            await self.ports.soft_reset()
            self.all.excused.add("frame")  # of frames before it
        self.ports.forget()
        self.sets.reset(hard)
        self.all.models = [self.all.fresh()]
        if hard:
            await self.all.ready()

    # ---- events
    async def clear(self) -> list[Happening]:
        """COMMAND.clear."""
        await self.wait()

        def apply(model: ShellModel) -> bool:
            model.clear()
            return True

        found = [self.happening(apply)]
        await self.ports.command(clear=1)
        return found

    async def swap(self, policy: str) -> list[Happening]:
        """The other weight set, at a boundary between ticks, and what becomes of the state."""
        bundle, number = self.sets.held[self.sets.inactive], self.sets.inactive
        staged = await self.states.stage() if policy == "swap_load" else None
        await self.wait()

        def apply(model: ShellModel) -> bool:
            assert isinstance(model.core, ReferenceCore) and bundle is not None
            model.core.bundle, model.active_set = bundle, number
            if policy == "swap_clear":
                model.clear()
            return staged is None or staged.load(model)

        found = [self.happening(apply)]
        await self.ports.command(**{policy: 1})
        self.sets.active = number
        return found

    async def hold(self) -> list[Happening]:
        """Vectors wait for a while; nothing else is seen of it."""
        await self.wait()
        await self.ports.control(enable=1, hold=1)
        await self.wait()
        await self.ports.control(enable=1)
        return []

    async def take(self) -> list[Happening]:
        """A state is staged while ticks go on, then loaded."""
        staged = await self.states.stage()
        await self.wait()
        found = [self.happening(staged.load)]
        await self.ports.command(load=1)
        return found

    async def state(self) -> list[Happening]:
        """Held and drained: the state is read, another one loaded, and the stream goes on from it."""
        ports = self.ports
        await self.wait()
        await ports.control(enable=1, hold=1)
        await ports.until("STATUS", "drained")
        asked = self.happening(lambda _model: True).not_before
        read, staged = await self.states.read(), await self.states.stage()
        await ports.command(load=1)
        await ports.until("STATUS", "pending", 0)
        await ports.control(enable=1)

        def apply(model: ShellModel) -> bool:
            return self.states.of(model) == read and staged.load(model)

        return [Happening(apply, True, asked)]

    async def disable(self) -> list[Happening]:
        """CONTROL.enable low for a while: frames that begin meanwhile are answered NOT_READY."""
        await self.wait()

        def off(model: ShellModel) -> bool:
            model.enabled = False
            return True

        def on(model: ShellModel) -> bool:
            model.enabled = True
            return True

        found = [self.happening(off, per_tick=False)]
        await self.ports.control(enable=0)
        await self.wait()
        found.append(self.happening(on, per_tick=False))
        await self.ports.control(enable=1)
        return found

    async def release(self) -> list[Happening]:
        """The lock is released for a while: frames that begin meanwhile are answered OWNER."""
        await self.wait()

        def gone(model: ShellModel) -> bool:
            model.owner = 0
            return True

        def back(model: ShellModel) -> bool:
            model.owner = OWNED_BY_STREAM
            return True

        found = [self.happening(gone, per_tick=False)]
        await self.ports.write("OWNER", 0)
        await self.wait()
        found.append(self.happening(back, per_tick=False))
        await self.ports.own(OWNED_BY_STREAM)
        self.all.excused.add("access")
        return found

    async def load(self) -> list[Happening]:
        """A whole image, while the active set computes."""
        await self.put(list(self.all.bundles.values())[int(self.rng.integers(2))])
        return []

    async def bad_load(self) -> list[Happening]:
        """An image that must be refused; the swap to it too."""
        name = self.all.decks["refused"].deal()
        number, bundle = self.sets.inactive, self.other()
        await self.ports.load(
            self.all.images[bundle.digest()], **wrong(self.all.images[bundle.digest()])[name]
        )
        self.sets.put(None)
        assert await self.ports.field("STATUS", f"set_{number}_valid") == 0, name
        await self.ports.command(swap_keep=1)
        assert await self.ports.errors() >= {"load", "swap"}, name
        self.all.coverage.sample(refused=name)
        return []

    async def registers(self) -> list[Happening]:
        """Writes that mean nothing, parts of words, reads anywhere."""
        for _ in range(40):
            chosen, value = self.rng.random(), int(self.rng.integers(0, 1 << 32))
            anywhere = 4 * int(self.rng.integers(0, 1 << 10))
            if chosen < 0.4:
                await self.ports.write(int(self.rng.choice([*READ_ONLY, *UNMAPPED])), value)
            elif chosen < 0.7:
                part = bytes(int(self.rng.integers(1, 4)))
                await self.ports.write_part(anywhere, part)
                self.all.excused.add("access")
            else:
                await self.ports.read(anywhere)
        return []

    async def mailbox(self) -> list[Happening]:
        """Ticks by the mailbox, while the stream's frames are answered OWNER."""
        await self.all.mailbox_ticks(4)
        await self.ports.results()  # those of the frames that did not have the lock

        def back(model: ShellModel) -> bool:
            model.owner = OWNED_BY_STREAM
            return True

        found = [self.happening(back, per_tick=False)]
        await self.ports.own(OWNED_BY_STREAM)
        self.all.excused |= {"access", "doorbell"}
        return found


def wrong(image: WeightImage) -> dict[str, dict[str, Any]]:
    """Images that a loader must refuse."""
    addresses, data = image.addresses.tolist(), image.data.tolist()
    half, flipped = len(data) // 2, list(data)
    flipped[half] ^= 1
    short = WeightImage("", "", np.array(addresses[:-1], np.uint32), np.array(data[:-1], np.uint32))
    return {
        "bit flipped": {"data": flipped},
        "half": {"addresses": addresses[:half], "data": data[:half]},
        "word missing": {"addresses": addresses[:-1], "data": data[:-1], "crc": short.crc()},
        "word twice": {"addresses": [*addresses, addresses[-1]], "data": [*data, data[-1]]},
        "wrong CRC": {"crc": image.crc() ^ 1},
        "other format": {"format_digest": "0" * 64},
    }
