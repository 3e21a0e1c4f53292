"""The stages of an idle tick, read off the handshakes between blocks: of the automata, or of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from hls.emit.shell_cycles import ShellControl, has_automata, shell_of
from hls.emit.style import Block, StylePlan
from pyorch.contract.fabric import Kind, Stage
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import ModelSpec


@dataclass(slots=True)
class Activity:
    """Cycles in which something happens in an idle tick; in cycle 0 the last beat of its vector is taken.

    Attributes:
        taken: per LSTM layer, vectors are taken.
        pushed: per LSTM layer, chunks of h are pushed.
        answered: per dense layer, the first cycle of its answer.
        beats: beats of the result frame, the last of them the status.
        idle: per LSTM layer, the first cycle from which on R·h + b of the next tick is there.
        prepared: the first cycle in which all that can be done before the next tick is done.
    """

    taken: list[list[int]]
    pushed: list[list[int]]
    answered: list[int]
    beats: list[int]
    idle: list[int]
    prepared: int


def predicted_stages(spec: ModelSpec, plan: StylePlan, wire: FixedFormat) -> tuple[Stage, ...]:
    """The stages of an idle tick of a planned fabric; none for a style whose control has no automata."""
    if not has_automata(plan):
        return ()
    shell, windowed = shell_of(spec, plan, wire), spec.mode == "window"
    if windowed:  # the window is full
        shell.play([(Kind.STEP, 1)] * (spec.window + 1))
    return stages_of(watch(shell), plan, windowed)


def watch(shell: ShellControl) -> Activity:
    """One idle tick of the automata, until all is prepared for the next."""
    shell.settle()
    core, layers = shell.core, range(len(shell.core.lstms))
    taken: list[list[int]] = [[] for _ in layers]
    pushed: list[list[int]] = [[] for _ in layers]
    answered: list[int | None] = [None for _ in core.denses]
    beats: list[int] = []
    busy = [0 for _ in layers]
    shell.vector_ends.clear()
    shell.frames.append((Kind.STEP, 1))
    wanted = shell.results + 1
    while shell.results < wanted or not shell.sequencer.prepared:
        now = shell.cycle
        waiting = [gather.valid for gather in core.gathers]
        ticks, sent = len(core.taken), (shell.results, shell.sent, shell.out_beat)
        for number, lstm in enumerate(core.lstms):
            if lstm.output.valid:
                pushed[number].append(now)
            if not lstm.idle:
                busy[number] = now
        for number, dense in enumerate(core.denses):
            if dense.valid and answered[number] is None:
                answered[number] = now
        shell.step()
        if len(core.taken) > ticks:
            taken[0].append(now)
        for number in layers[1:]:
            if waiting[number - 1] and not core.gathers[number - 1].valid:
                taken[number].append(now)
        if (shell.results, shell.sent, shell.out_beat) != sent:
            beats.append(now)
    start = shell.vector_ends[0]
    return Activity(
        [[cycle - start for cycle in one] for one in taken],
        [[cycle - start for cycle in one] for one in pushed],
        [cycle - start for cycle in answered if cycle is not None],
        [cycle - start for cycle in beats],
        [cycle + 1 - start for cycle in busy],
        shell.cycle - start,
    )


def stages_of(activity: Activity, plan: StylePlan, windowed: bool) -> tuple[Stage, ...]:
    """The stages of a tick of a planned fabric, in the order in which they begin."""
    stages: list[Stage] = []
    lstms = [block for block in plan.blocks if block.kind == "lstm"]
    denses = [block for block in plan.blocks if block.kind == "dense"]
    tail_cycles = import_module(f"hls.emit.{plan.style}_cycles").tail_cycles
    now = 0

    def until(end: int, name: str, layer: str = "") -> None:
        nonlocal now
        if end > now:
            stages.append(Stage(name, layer, now, end, True))
            now = end

    complete = []  # the cycle after the last chunk of h of the tick
    for number, block in enumerate(lstms):
        pushed = activity.pushed[number]
        complete.append(pushed[_chunks(block) - 1] + 1)
        until(activity.taken[number][0], "gather" if number else "frame in")
        until(pushed[0] - tail_cycles(plan, number), "x·W", block.layer)
        until(pushed[0], "gates, c, h", block.layer)
        until(complete[-1], "h out", block.layer)
    for number, block in enumerate(denses):
        until(activity.answered[number], "dense", block.layer)
    until(activity.beats[0], "gather")
    until(activity.beats[-1], "answer out")
    until(activity.beats[-1] + 1, "status")
    if windowed and activity.prepared > complete[-1]:
        stages.append(Stage("next window", "", complete[0], activity.prepared, False))
    elif not windowed:
        stages += [
            Stage("next R·h + b", block.layer, begin, end, False)
            for block, begin, end in zip(lstms, complete, activity.idle, strict=True)
            if end > begin
        ]
    return tuple(stages)


def _chunks(block: Block) -> int:
    return -(-int(block.parameters.get("UNITS", block.chunk)) // block.chunk)
