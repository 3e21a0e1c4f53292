"""The state of a fabric through its registers: read as it is, staged as something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firmware.register_map import register_map
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import FixedFormat
from pyorch.inference.reference import Carried
from sim.bench.shell.model import ReferenceCore, ShellModel

if TYPE_CHECKING:
    from sim.bench.top.bench_ports import Ports

PLACE, FILL = register_map()["STATE_ADDRESS"], register_map()["WINDOW_FILL"]
State = list[list[int]]
"""h and c of every layer, or the kept vectors, oldest first."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A state that waits for COMMAND."""

    windowed: bool
    values: State

    def load(self, model: ShellModel) -> bool:
        """It is taken."""
        if self.windowed:
            model.take(None, self.values)
        else:
            rows = [np.array([row], dtype=np.int64) for row in self.values]
            model.take(Carried(rows[0::2], rows[1::2]), [])
        return True


class States:
    """Reads and stages the state of one fabric."""

    def __init__(self, ports: Ports, manifest: FabricManifest, rng: np.random.Generator) -> None:
        self.ports, self.manifest, self.rng = ports, manifest, rng
        self.windowed = manifest.mode == "window"

    def of(self, model: ShellModel) -> State:
        """The model's."""
        assert isinstance(model.core, ReferenceCore)
        if self.windowed:
            return [list(vector) for vector in model.kept][-(self.manifest.window - 1) :]
        state = model.core.state
        pairs = zip(state.hidden, state.cell, strict=True)
        return [row[0].tolist() for pair in pairs for row in pair]

    async def read(self) -> State:
        """The fabric's, which is held and drained."""
        if not self.windowed:
            return [
                [await self._read(layer=layer, cell=cell, unit=unit) for unit in range(units)]
                for layer, (units, _, _) in enumerate(self.manifest.state)
                for cell in (0, 1)
            ]
        word = await self.ports.read("WINDOW_FILL")
        count, oldest = FILL.get(word, "vectors"), FILL.get(word, "oldest")
        slots = [(oldest + k) % (self.manifest.window - 1) for k in range(count)]
        return [
            [await self._read(slot=slot, unit=unit) for unit in range(self.manifest.features)]
            for slot in slots
        ]

    async def _read(self, **place: int) -> int:
        await self.ports.write("STATE_ADDRESS", PLACE.put(**place))
        word = await self.ports.read("STATE_DATA")
        return word - (word >> 31 << 32)

    async def stage(self) -> Staged:
        """Any state, many elements at the ends of their formats."""
        manifest, values = self.manifest, State()
        if self.windowed:
            form = FixedFormat.parse(manifest.input)
            for slot in range(int(self.rng.integers(0, manifest.window))):
                values.append(self._any(form, manifest.features))
                await self._write(values[-1], slot=slot)
            await self.ports.write("WINDOW_FILL", len(values))
        else:
            for layer, (units, *names) in enumerate(manifest.state):
                for cell, name in enumerate(names):
                    values.append(self._any(FixedFormat.parse(str(name)), units))
                    await self._write(values[-1], layer=layer, cell=cell)
        return Staged(self.windowed, values)

    async def _write(self, values: list[int], **place: int) -> None:
        await self.ports.write("STATE_ADDRESS", PLACE.put(**place))
        for value in values:
            await self.ports.write("STATE_DATA", value)

    def _any(self, form: FixedFormat, count: int) -> list[int]:
        middle = self.rng.integers(form.minimum, form.maximum + 1, count)
        ends = self.rng.choice([form.minimum, form.maximum], count)
        found: list[int] = np.where(self.rng.random(count) < 0.5, ends, middle).tolist()
        return found
