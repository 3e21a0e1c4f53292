"""Two clocks: every beat of a sweep of phases, simulated against its prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

from hls.emit.clocks import crossing_cycles, figure, idle_tick_bounds, scenarios
from hls.emit.project import style_of
from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import Kind
from pyorch.contract.fixed import FixedFormat, IntArray
from sim.library import SimulatedFabric
from sim.measure import settle


@dataclass(slots=True)
class Crossing:
    """A figure at the ports of a fabric of two clocks, in cycles of aclk.

    Attributes:
        simulated, predicted: of each phase.
        bounds: of all phases, in closed form; None: there is none.
        wrong_beats: phases in which a beat was taken or given in another cycle than predicted.
    """

    name: str
    simulated: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    bounds: tuple[int, int] | None = None
    wrong_beats: int = 0

    @property
    def ok(self) -> bool:
        """Whether every beat is where it should be, and both bounds were met."""
        ends = (min(self.simulated), max(self.simulated))
        return (
            not self.wrong_beats
            and self.simulated == self.predicted
            and self.bounds in (None, ends)
        )


def crossings_of(
    fabric: SimulatedFabric, bundle: Bundle, vectors: IntArray, phases: int
) -> list[Crossing]:
    """All figures over a sweep of phases.

    Args:
        fabric: of two clocks, started; a windowed one gets T + 1 ticks first, so that its window is full.
        vectors: [at least T + 12, F].
    """
    manifest, clocks, spec = fabric.manifest, fabric.clocks, bundle.spec
    plan = style_of(manifest.style).plan(bundle, **manifest.parameters)
    sweep = clocks.phases(phases, manifest.vector_beats)
    wanted = crossing_cycles(spec, plan, FixedFormat.parse(manifest.wire), clocks, sweep)
    if spec.mode == "window":
        full = range(spec.window + 1)
        fabric.stream([manifest.encode(Kind.STEP, k, vectors[k : k + 1]) for k in full])
    found = []
    for name, frames in scenarios(spec.window).items():
        one = Crossing(name)
        if name == "idle_tick":
            one.bounds = idle_tick_bounds(
                manifest.cycles["idle_tick"], manifest.vector_beats, clocks
            )
        beats, at = [], 0
        for kind, count in frames:
            beats.append(manifest.encode(kind, at, vectors[at : at + count]))
            at += count
        for phase, expected in zip(sweep, wanted[name], strict=True):
            settle(fabric)
            fabric.align(phase)
            begin = fabric.cycles
            back = fabric.stream(beats)
            times = [
                [int(cycle) - begin for cycle in part] for part in (back.in_cycles, back.out_cycles)
            ]
            one.wrong_beats += times != list(expected)
            one.simulated.append(figure(name, times[0], times[1], manifest.answer_beats))
            one.predicted.append(figure(name, *expected, manifest.answer_beats))
        found.append(one)
    return found
