"""Several instruments on one line and one core: each must decide as a CPU loop of its own does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hls.emit.banking import BLOCKS, banked_sources
from hls.emit.events import EventShape
from pyorch.contract.decision import Decisions
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import rtl_folder
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.events.decision_player import DecisionPlayer, Stamp, decided_alone, differences
from sim.bench.events.line import joined, spoilt, together, with_snapshots
from sim.bench.events.player import STALE_NS
from sim.bench.events.small import SmallDesk, emit_planned, small_desk


@pytest.fixture(scope="module")
def desk() -> SmallDesk:
    return small_desk()


@dataclass(frozen=True, slots=True)
class Played:
    """Decisions; of each tick among them, in order, the cycles that its features waited for their turn."""

    words: Decisions
    waited: NDArray[np.int64]

    def of(self, instrument: int) -> NDArray[np.int64]:
        made = self.words[~self.words["void"]]
        found: NDArray[np.int64] = self.waited[made["instrument"] == instrument]
        return found


def play(
    project: Path, desk: SmallDesk, frames: Frames, idle: float = 0.0,
    stall: float = 0.0,
) -> Played:  # fmt: skip
    """Through the fabric; the decisions of every instrument must be those of a CPU loop of its own."""
    player = DecisionPlayer(project)
    path = player.manifest.events
    assert path is not None
    try:
        words = player.play(frames, idle=idle, stall=stall).words
        waited = waits(player, words)
    finally:
        player.close()
    line = WireDecoder(path.instruments, STALE_NS).push(frames.beats, frames.ends)
    for instrument in range(path.paths):
        expected, _ = decided_alone(desk.bundle, desk.plan, player.manifest, line, instrument)
        own = words[words["instrument"] == instrument]
        assert not differences(own, expected), instrument
    return Played(words, waited)


def waits(player: DecisionPlayer, words: Decisions) -> NDArray[np.int64]:
    """Of each decision the cycles from its features to its turn at the core, in the order of the words."""
    queued = np.empty(len(words), np.int64)
    queued[np.argsort(words["number"], kind="stable")] = player.stamps(Stamp.QUEUED)
    made = ~words["void"]
    found: NDArray[np.int64] = player.stamps(Stamp.GIVEN) - queued[made]
    return found


def test_two_instruments_decide_as_two_cpu_loops_do(desk: SmallDesk, tmp_path: Path) -> None:
    """A third one is on the line and has no path; then frames are lost, doubled, swapped, cut, spoilt."""
    shape = EventShape(instruments=3, paths=2, window_bits=10)
    manifest = emit_planned(desk.bundle, desk.plan, tmp_path / "path", shape)
    rows = together([with_snapshots(simulate(seed, 6.0).events, 40) for seed in (1, 2, 3)])
    whole = play(tmp_path / "path", desk, encode(rows, beats_a_frame=FRAME_BEATS))
    counts = np.bincount(whole.words["instrument"])
    assert len(counts) == 2 and counts.min() > 200, counts
    assert whole.waited.min() >= 1 and whole.waited.max() <= manifest.cycles["turn_wait"]
    first = whole.words["first"] & ~whole.words["void"]
    assert len(set(whole.words["instrument"][first].tolist())) == 2
    line = joined(spoilt(encode(rows, session=2).split(), np.random.default_rng(4), 0.005))
    words = play(tmp_path / "path", desk, line, idle=0.1, stall=0.3).words
    assert words["void"].sum() > 5 and (words["active"] != 0).any()


@pytest.mark.full
def test_eight_instruments_share_the_core_in_turn_however_skewed_the_load(
    desk: SmallDesk, tmp_path: Path
) -> None:
    """Instrument 0 has ten times the events of each other one; nobody waits beyond the bound."""
    shape = EventShape(instruments=8, paths=8, window_bits=10)
    manifest = emit_planned(desk.bundle, desk.plan, tmp_path / "path", shape, "folded")
    markets = [
        with_snapshots(simulate(seed, 8.0 if seed == 0 else 0.8).events, 40) for seed in range(8)
    ]
    times = markets[0]["local_ns"]
    times[:] = times[0] + (times - times[0]) // 10
    rows = together(markets)
    played = play(tmp_path / "path", desk, encode(rows, beats_a_frame=FRAME_BEATS))
    counts = np.bincount(played.words["instrument"], minlength=8)
    assert counts.min() > 20 and counts[0] > 4 * counts[1:].max(), counts
    assert played.waited.max() <= manifest.cycles["turn_wait"]
    means = [float(played.of(k).mean()) for k in range(8)]
    fairness = sum(means) ** 2 / (8 * sum(mean**2 for mean in means))  # Jain's index, 1: all alike
    assert fairness > 0.9, means
    print(json.dumps({
        "decisions": counts.tolist(), "mean": means, "most": [int(played.of(k).max()) for k in range(8)],
        "fairness": fairness, "bound": manifest.cycles["turn_wait"], "cycles": manifest.cycles,
    }))  # fmt: skip


def test_a_block_for_one_instrument_and_for_several_differ_in_what_is_kept_alone(
    desk: SmallDesk, tmp_path: Path
) -> None:
    """Memories of one word an instrument, each with one read and one write: no registers by synthesis."""
    emit_planned(desk.bundle, desk.plan, tmp_path / "one", EventShape(instruments=2))
    several = banked_sources(3)
    for name, kept in BLOCKS.items():
        plain = (rtl_folder() / name).read_text()
        assert (tmp_path / "one" / name).read_text() == plain, name
        for register in kept.registers:
            memory = re.findall(rf"\b{register}_of\[.*", several[name])
            assert memory[0] == f"{register}_of[0:3];" and len(memory) == 3, (name, register)
            place = f"{register}_of[{kept.place(register)}]"
            assert memory[1].split(";")[0] == place, (name, register)
            assert memory[2] == f"{place} <= {register}_next;", (name, register)
        assert several[name].count("always @") >= plain.count("always @")


def test_more_paths_than_instruments_or_room_are_refused(desk: SmallDesk, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"--paths 3: of 2 instruments on the line 1 to 2 have a path"
    ):
        emit_planned(desk.bundle, desk.plan, tmp_path / "p", EventShape(instruments=2, paths=3))
    with pytest.raises(UsageError, match=r"--paths 17: of 99 instruments on the line 1 to 16 have"):
        emit_planned(desk.bundle, desk.plan, tmp_path / "p", EventShape(instruments=99, paths=17))
    assert not (tmp_path / "p").exists()
