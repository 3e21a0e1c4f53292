"""cocotb bench of stores and arbiter: schedules of two lines against `pyorch.market.lines`.

Frames are due every `PERIOD` cycles on each line, line B later or earlier by one of `SKEWS`; by their choice
no frame comes within 20 cycles of the end of a wait, so the time that frames take to go on decides nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from pyorch.contract.events import EVENT_DTYPE, Flag, Kind, Side
from pyorch.market.datagram import Verdict
from pyorch.market.lines import LineArbiter
from pyorch.market.wire import Beats, encode
from sim.bench.coverage import Coverage, sample_block

PERIOD, WAIT, QUIET = 48, 140, 1 << 10
SKEWS = (24, 72, -24, 408)
A, B = 0, 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame is whole.

    Attributes:
        cycle: of its verdict.
    """

    cycle: int
    line: int
    beats: Beats
    verdict: int = Verdict.ACCEPTED


def frames_of(firsts: Sequence[int], session: int, events: int = 1) -> list[Beats]:
    """Frames of so many events each, from these numbers on: trades, timers and levels."""
    kinds = (Kind.TRADE, Kind.TIMER, Kind.DEPTH)
    rows = np.zeros(len(firsts) * events, EVENT_DTYPE)
    rows["kind"] = [kinds[(first + k) % 3] for first in firsts for k in range(events)]
    rows["side"], rows["flags"] = Side.NONE, Flag.FIRST | Flag.LAST
    rows["local_ns"] = np.arange(len(rows))
    found = []
    for at, first in enumerate(firsts):
        part = rows[at * events : (at + 1) * events]
        made = encode(part, session=session, first_number=first % (1 << 32))
        found.append(made.beats)
    return found


class LinesTestBench:
    """Plays arrivals."""

    def __init__(self, dut: Any, wait: int = WAIT, on: int = 3) -> None:
        self.dut = dut
        dut.rst.value, dut.on.value, dut.wait_cycles.value, dut.m_axis_tready.value = 1, on, wait, 1
        dut.word_valid.value = dut.word_verdict.value = dut.word_a.value = dut.word_b.value = 0
        self.frames: list[list[int]] = []
        self.beats: list[int] = []
        self.first_cycles: list[int] = []
        self.overflows = [0, 0]
        self.crowded = False
        self.cycle = 0

    async def play(
        self, arrivals: Sequence[Arrival], stall: float = 0.0, rest: int = 2 * WAIT
    ) -> None:
        """All of them, and ``rest`` cycles more."""
        dut, rng = self.dut, np.random.default_rng(1)
        Clock(dut.clk, 10, unit="ns").start()
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        words: list[deque[tuple[int, int]]] = [deque(), deque()]
        due: list[deque[Arrival]] = [
            deque(sorted((a for a in arrivals if a.line == k), key=lambda a: a.cycle))
            for k in (A, B)
        ]
        end = max(a.cycle for a in arrivals) + rest
        while self.cycle < end:
            valid = verdict = 0
            for k in (A, B):
                if due[k] and due[k][0].cycle - len(due[k][0].beats) <= self.cycle:
                    one = due[k].popleft()
                    words[k].extend((0, beat) for beat in one.beats.tolist())
                    words[k].append((1, int(one.verdict)))
                if words[k]:
                    is_verdict, word = words[k].popleft()
                    valid |= 1 << k
                    verdict |= is_verdict << k
                    (dut.word_a, dut.word_b)[k].value = word
            dut.word_valid.value, dut.word_verdict.value = valid, verdict
            dut.m_axis_tready.value = int(rng.random() >= stall)
            await ReadOnly()
            self._observe()
            await FallingEdge(dut.clk)
            self.cycle += 1

    def _observe(self) -> None:
        dut = self.dut
        self.crowded |= int(dut.crowded.value) > 0
        for k in (A, B):
            self.overflows[k] += int(dut.counts.value[k]) & int(dut.overflows.value[k])
        if dut.m_axis_tvalid.value == 1 and dut.m_axis_tready.value == 1:
            if not self.beats:
                self.first_cycles.append(self.cycle)
            self.beats.append(dut.m_axis_tdata.value.to_unsigned())
            if dut.m_axis_tlast.value == 1:
                self.frames.append(self.beats)
                self.beats = []

    def counts(self) -> dict[str, tuple[int, ...]]:
        """At the ports."""
        dut = self.dut
        pairs = {
            name: getattr(dut, name).value.to_unsigned() for name in ("lost", "duplicates", "late")
        }
        found = {name: (both & 0xFFFFFFFF, both >> 32) for name, both in pairs.items()}
        return found | {n: (getattr(dut, n).value.to_unsigned(),) for n in ("filled", "unfilled")}


def defined(arrivals: Sequence[Arrival], arbiter: LineArbiter) -> dict[str, tuple[int, ...]]:
    """Play the definition; its counts."""
    for one in sorted(arrivals, key=lambda a: (a.cycle, a.line)):
        if one.verdict == Verdict.ACCEPTED:
            arbiter.arrive(one.line, one.beats, one.cycle)
    arbiter.advance(1 << 40)
    both = arbiter.counts
    found = {n: tuple(getattr(c, n) for c in both) for n in ("lost", "duplicates", "late")}
    return found | {"filled": (arbiter.filled,), "unfilled": (arbiter.unfilled,)}


def labels(frames: Sequence[Sequence[int]]) -> list[str]:
    """Session and first number of each."""
    return [f"{frame[0] >> 24 & 15}:{frame[0] >> 32}" for frame in frames]


def agreed(found: Sequence[str], wanted: Sequence[str]) -> int:
    """How many of them agree."""
    apart = [k for k, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other]
    return min([*apart, len(found), len(wanted)])


async def check(dut: Any, arrivals: Sequence[Arrival], stall: float = 0.0) -> LineArbiter:
    """Frames, their order and every count are the definition's."""
    bench, arbiter = LinesTestBench(dut), LineArbiter(WAIT, quiet=QUIET)
    await bench.play(arrivals, stall)
    wanted = defined(arrivals, arbiter)
    found, passed = labels(bench.frames), labels([b.tolist() for b in arbiter.passed])
    assert found == passed, f"from frame {agreed(found, passed)} on: {found[-9:]}, {passed[-9:]}"
    assert bench.frames == [beats.tolist() for beats in arbiter.passed]
    assert not bench.beats
    assert bench.counts() == wanted
    sample_block("line_arbiter")
    return arbiter


def sample(*bins: str) -> None:
    """Count what was compared."""
    coverage = Coverage()
    for one in bins:
        coverage.sample(line=one)
    coverage.save()


def schedule(rng: np.random.Generator, skew: int, count: int, at: int) -> list[Arrival]:
    """Frames of two sessions, each line with its own losses; foreign and wrong ones among them."""
    found = []
    turn = count // 2
    number = (1 << 32) - 7
    for k in range(count):
        if k == turn:
            number = 1_000
        beats = frames_of([number], 3 if k < turn else 4, 1 + k % 2)[0]
        number += 1 + k % 2
        if k > 0 and rng.random() < 0.05:
            beats = beats[: int(rng.integers(1, 4))]  # no whole header
        for line in (A, B):
            cycle = at + PERIOD * k + skew * line
            if rng.random() >= 0.2 or k in (0, turn):
                wrong = rng.random() < 0.1 and k not in (0, turn)
                verdict = Verdict.BAD_FCS if wrong else Verdict.ACCEPTED
                found.append(Arrival(cycle, line, beats, verdict))
    return found


@cocotb.test()
async def two_lossy_lines_are_sorted_as_defined(dut: Any) -> None:
    """Losses, wrong and foreign frames, a new session, numbers that wrap; four skews, stalls."""
    total = dict.fromkeys(("lost A", "lost B", "filled", "unfilled", "duplicates", "late"), 0)
    for seed, skew in enumerate(SKEWS):
        arrivals = schedule(np.random.default_rng(seed), skew, 60, 500)
        arbiter = await check(dut, arrivals, stall=0.1 * (seed == 0))
        first, second = arbiter.counts
        total["lost A"] += first.lost
        total["lost B"] += second.lost
        total["filled"] += arbiter.filled
        total["unfilled"] += arbiter.unfilled
        total["duplicates"] += first.duplicates + second.duplicates
        total["late"] += first.late + second.late
    assert all(total.values()), total
    sample("A lost", "B lost", "filled", "unfilled", "duplicate", "late", "foreign")


@cocotb.test()
async def a_gap_waits_as_long_as_it_must(dut: Any) -> None:
    """Neither line brings it: the wait and no longer; both are ahead, or the other is off: at once."""
    for on, ahead_on, cycles in ((3, (A,), WAIT), (3, (A, B), 0), (1, (A,), 0)):
        arrivals = [Arrival(40, A, frames_of([7], 3)[0])]
        arrivals += [Arrival(100, line, frames_of([9], 3)[0]) for line in ahead_on]
        bench = LinesTestBench(dut, on=on)
        await bench.play(arrivals)
        assert len(bench.frames) == 2
        assert bench.counts()["unfilled"] == (1,)
        # two cycles from the verdict to the first beat, as without a gap
        assert bench.first_cycles == [40 + 2, 100 + 2 + cycles]
    sample("waited in vain", "both ahead", "one line", "both lost")


@cocotb.test()
async def lines_that_pack_their_events_differently_lose_nothing(dut: Any) -> None:
    """Frames that overlap go on; the decoder drops what it has."""
    arrivals = []
    for k in range(12):
        one, other = frames_of([2 * k, 2 * k + 1], 5), frames_of([2 * k], 5, 2)
        arrivals.append(Arrival(100 + PERIOD * 2 * k, A, one[0]))
        arrivals.append(Arrival(100 + PERIOD * 2 * k + 12, A, one[1]))
        if k % 3:
            arrivals.append(Arrival(100 + PERIOD * 2 * k + (6, -24)[k % 2], B, other[0]))
    arbiter = await check(dut, arrivals)
    assert arbiter.unfilled == 0


@cocotb.test()
async def a_line_of_another_session_is_believed_once_nothing_went_on_for_long(dut: Any) -> None:
    """Line A begins a session and falls silent; B, still in the one before, is late first and then alone."""
    arrivals = [Arrival(40 + 12 * line, line, frames_of([3], 1)[0]) for line in (A, B)]
    arrivals.append(Arrival(100, A, frames_of([50], 2)[0]))
    for k in range(30):
        arrivals.append(Arrival(150 + PERIOD * k, B, frames_of([4 + k], 1)[0]))
    arbiter = await check(dut, arrivals)
    assert arbiter.counts[B].late == 21 and len(arbiter.passed) == 2 + 9


@cocotb.test()
async def a_full_store_drops_whole_frames_and_a_crowded_one_does_not_wait(dut: Any) -> None:
    """Nobody takes beats for long; then a gap that might wait for ever."""
    frames = frames_of(range(0, 80, 2), 2, 2)
    arrivals = [Arrival(40 + 14 * k, A, beats) for k, beats in enumerate(frames)]
    bench = LinesTestBench(dut, on=1)
    await bench.play(arrivals, stall=0.8, rest=1_200)
    sent = iter([beats.tolist() for beats in frames])
    assert all(any(one == other for other in sent) for one in bench.frames)  # in order, whole
    assert bench.overflows[A] > 5
    assert len(bench.frames) + bench.overflows[A] == len(frames)
    frames = frames_of([1, *range(3, 17)], 2)
    arrivals = [Arrival(40 + PERIOD * k, A, beats) for k, beats in enumerate(frames)]
    bench = LinesTestBench(dut, wait=1 << 30)
    await bench.play(arrivals)
    assert bench.crowded and bench.counts()["unfilled"] == (1,)
    assert bench.frames == [beats.tolist() for beats in frames]
    sample("overflow", "crowded")
