"""A feature path against the CPU loop: every decision of markets and of a spoilt line, every predicted cycle.

The same for the emitted sources, Verilated, and for the netlist that a build synthesised, cell by cell.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hls.emit.events import EventShape
from hls.emit.events_project import configured_policy, emit_configured
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import DECISION_DTYPE, Decisions
from pyorch.contract.errors import BuildError, UsageError
from pyorch.contract.events import Kind
from pyorch.contract.fabric import FabricManifest
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from pyorch.trading.config import QuotingConfig
from pyorch.trading.plan import QuotingPlan, make_plan
from sim.bench.events.decision_player import CLOCKED, TOP, DecisionPlayer, Stamp, decided
from sim.bench.events.line import joined, spoilt, with_snapshots
from sim.bench.events.player import STALE_NS
from sim.event_burst import Waterfall, busiest, play_burst, steps_of
from sim.netlist import Netlist
from sim.netlist_check import FABRIC, NETLIST, NetlistCheck
from sim.netlist_library import interpreter
from sim.verify import Comparison, Progress, Verification

TICKS_A_SECOND = 45
"""Of the simulated market, at least."""
NETLIST_TICKS = 400
"""On a netlist, at least: enough for the policy to be warm for half of them."""
NETLIST_PATIENCE = 5000
MEASURED_ROWS = 700
"""Each alone on an idle path, for the figures of cycles."""
BURST_MESSAGES, BURST_MHZ = 300, 50.0
SEED = 3
FIELDS = tuple(name for name in DECISION_DTYPE.names or () if name not in CLOCKED)


def verify_events(
    bundle: Bundle,
    style: str,
    project: Path,
    *,
    config: QuotingConfig,
    shape: EventShape,
    steps: int = 10_000,
    tape: Path | None = None,
    mhz: float = BURST_MHZ,
    progress: Progress = lambda _text, _share: None,
    **parameters: Any,
) -> Verification:
    """Emit a feature path into ``project``, compile, compare, measure.

    Args:
        config: whose policy is built in and decides on both sides.
        steps: decisions of each stimulus, about.
        tape: the market, and its burst; default: the simulated one, which the idle path is measured with.
        mhz: clock at which the busiest stretch of the market is played as it was received.
        parameters: of the style.

    Raises:
        ModelError, UsageError, BundleError: as `emit_configured`.
        EnvironmentMissingError, BuildError: no Verilator, or it refuses the project.
    """
    progress("emitting", 0)
    manifest = emit_configured(
        bundle, style, project, config, shape, tools=None, ingress=None, **parameters
    )
    found, market = Verification(manifest), _market(steps, tape)
    plan = make_plan(config, bundle, market)
    progress("compiling the RTL", 0.05)
    for number, (name, frames, idle, stall) in enumerate(stimuli(market, steps)):
        progress(name, 0.4 + 0.3 * number)
        player = DecisionPlayer(project)
        try:
            played = player.play(frames, idle=idle, stall=stall)
        finally:
            player.close()
        found.comparisons.append(compared(name, played.words, bundle, plan, manifest, frames))
        if name == "market":
            found.decisions = played.words
    progress("cycles", 0.9)
    found.cycles, falls = measured_cycles(project, manifest)
    progress("burst", 0.95)
    player = DecisionPlayer(project)
    try:
        rows = busiest(market.events, min(BURST_MESSAGES, steps))
        burst, words, frames = play_burst(player, "burst", rows, mhz)
    finally:
        player.close()
    found.comparisons.append(compared("burst", words, bundle, plan, manifest, frames))
    found.waterfalls = [*falls, burst]
    found.mhz = mhz
    return found


def stimuli(market: Tape, steps: int) -> Iterator[tuple[str, Frames, float, float]]:
    """Name, frames, and the shares of cycles in which nothing is offered, or taken."""
    yield "market", encode(market.events, beats_a_frame=FRAME_BEATS), 0.0, 0.0
    rows = with_snapshots(simulate(SEED + 1, _seconds(steps)).events, 40)
    frames = encode(rows, session=1).split()
    line = joined(spoilt(frames, np.random.default_rng(SEED), 0.005))
    yield "spoilt line", line, 0.1, 0.3


def compared(
    name: str,
    words: Decisions,
    bundle: Bundle,
    plan: QuotingPlan,
    manifest: FabricManifest,
    frames: Frames,
) -> Comparison:
    """Every field of every decision against the CPU loop's on the same events."""
    assert manifest.events is not None
    decoded = WireDecoder(manifest.events.instruments, STALE_NS).push(frames.beats, frames.ends)
    expected, _ = decided(bundle, plan, manifest, decoded.events, decoded.numbers)
    one = Comparison(name, "events", steps=len(words))
    for field in FIELDS:
        one.add(_integers(words, field), _integers(expected, field), f"{name}, {field}")
    return one


def measured_cycles(
    project: Path, manifest: FabricManifest
) -> tuple[dict[str, int], list[Waterfall]]:
    """From the last beat of an event to its decision, all else idle: the least of each kind, and how.

    Of the simulated market: a recording begins with a snapshot of a thousand rows.
    """
    player = DecisionPlayer(project)
    try:
        gap = 4 * max(manifest.cycles.values()) + 400
        frames = encode(_market(1, None).events[:MEASURED_ROWS])
        played = player.play(frames, gap=gap)
        ends = np.flatnonzero(frames.ends)
        steps = steps_of(player, played.words, player.stamps(Stamp.TAKEN)[ends], ends)
    finally:
        player.close()
    cycles, falls = {}, []
    kinds = played.words["kind"][~played.words["void"]]
    for name, kind in (("trade", Kind.TRADE), ("levels", Kind.DEPTH)):
        own = steps[kinds == kind]
        fastest = own[own.sum(axis=1).argmin()][None]
        falls.append(Waterfall(f"idle, {name}", 1, 0.0, fastest, 0))
        cycles[f"{name}_to_decision"] = int(fastest.sum())
    return cycles, falls


def check_event_netlist(
    build: Path,
    bundle: Bundle,
    config: QuotingConfig,
    *,
    progress: Progress = lambda _text, _share: None,
) -> NetlistCheck:
    """Simulate ``netlist.json`` of a build folder with a stretch of the simulated market.

    Raises:
        BuildError: no netlist, the fabric dissolved in it, or a cell without a model.
        UsageError: another model or configuration than the fabric was emitted from.
    """
    manifest = FabricManifest.load(build / FABRIC)
    path = manifest.events
    assert path is not None
    if bundle.digest() != manifest.model_digest:
        raise UsageError(
            f"{build} was made of the model {manifest.model_digest[:12]}…, the bundle is "
            f"{bundle.digest()[:12]}…; give the bundle that it was made of"
        )
    policy = f"{configured_policy(bundle, config, path.rules).digest:016x}"
    if policy != path.policy_digest:
        raise UsageError(
            f"{build} has the policy {path.policy_digest} built in, the configuration says {policy}; give "
            "the one that it was made of (--config)"
        )
    progress("reading the netlist", 0)
    netlist = Netlist(build / NETLIST)
    found = NetlistCheck(manifest, "interpreter", dict(netlist.cells(manifest.top)))
    market = _market(NETLIST_TICKS, None)
    frames = encode(market.events, beats_a_frame=FRAME_BEATS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress("preparing (interpreter)", 0.1)
        library = interpreter(netlist, manifest.top, folder, TOP)
        player = DecisionPlayer(
            build / FABRIC, library=library, started_in=folder, patience=NETLIST_PATIENCE
        )
        try:
            progress("market", 0.5)
            words = player.play(frames).words
        finally:
            player.close()
    plan = make_plan(config, bundle, market)
    found.comparisons.append(compared("market", words, bundle, plan, manifest, frames))
    if not words["warm"].any():
        raise BuildError(
            f"none of {len(words)} decisions was warm: the check would not see a rule act; let the "
            f"configuration warm up in fewer than {NETLIST_TICKS} ticks"
        )
    return found


def _market(steps: int, tape: Path | None) -> Tape:
    return read_tape(tape) if tape else insert_timer_ticks(simulate(SEED, _seconds(steps)))


def _seconds(steps: int) -> float:
    return 2.0 + steps / TICKS_A_SECOND


def _integers(words: Decisions, field: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.asarray(words[field]).astype(np.int64).reshape(len(words), -1)
