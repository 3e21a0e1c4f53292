"""The native part of ``pyorch bench failover``: the tick loop's own pair, card in software."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.inference.cpu import native_engine
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import FATAL
from pyorch.trading.records import AnsweredBy
from sim.failover_world import Ticks
from sim.faults import Fault
from sim.native_world import SoftwarePair

CHUNK = 4096
SETTLE_TICKS = 64
BASE = FailoverSettings(checkpoint_ticks=32, probation_ticks=16, retry_ns=50_000_000)
MODES = {"native_lockstep": (BASE, 0), "native_every_8th": (replace(BASE, every=8), 8)}
"""Mode → settings, and how many wrong answers a fault may bring into use."""


def strike_native(
    bundle: Bundle, ticks: Ticks, mode: str, fault: Fault, count: int, seed: int
) -> tuple[dict[str, float], bool]:
    """One fault in one mode at ``count`` random ticks, each after the pair has recovered."""
    settings, exposure = MODES[mode]
    golden = len(bundle.golden["sequence_features"])
    apart = golden + settings.probation_ticks + 2 * settings.checkpoint_ticks
    rng = np.random.default_rng([seed, list(Fault).index(fault)])
    doorbells = np.cumsum(apart + rng.integers(1, SETTLE_TICKS, count))
    world = SoftwarePair(bundle, [(int(at), fault) for at in doorbells], settings)
    wrong: list[IntArray] = []
    taken: list[IntArray] = []
    done, by_card = 0, True
    settle = 2
    for begin, logits, right, answers in _driven(world, ticks):
        wrong.append(begin + np.flatnonzero((logits != right).any(axis=1)))
        card = answers[:, 0] == AnsweredBy.CARD
        handed = ~card & np.concatenate([[by_card], card[:-1]])
        taken.append(answers[handed, 3])
        by_card, done = bool(card[-1]), begin + len(logits)
        settle -= world.card.struck == count
        if settle == 0:
            break
    at, ns = np.concatenate(wrong), np.concatenate(taken)
    counts = world.pair.counts
    most = _most_together(at, settings.every)
    found: dict[str, float] = {
        "ticks": done,
        "ticks_lost": done - counts["ticks"] + counts["late_answers"],
        "wrong_used": len(at),
        "most_wrong_used_a_fault": most,
        "stated_exposure_ticks": exposure,
        "hand_overs_to_the_shadow": len(ns),
    }
    if len(ns):
        found |= {
            "hand_over_tick_p50_ns": float(np.percentile(ns, 50)),
            "hand_over_tick_p99_ns": float(np.percentile(ns, 99)),
            "hand_over_tick_max_ns": float(ns.max()),
        }
    good = found["ticks_lost"] == 0 and most <= exposure and counts["wrong_used"] == len(at)
    return {f"{mode}_{fault.name.lower()}_{name}": value for name, value in found.items()}, good


def native_in_real_time(
    bundle: Bundle, ticks: Ticks, count: int, advance: Callable[[int], None]
) -> tuple[dict[str, float], bool]:
    """A healthy pair on the machine's clock."""
    world = SoftwarePair(bundle, real_time=True, settings=FailoverSettings())
    spent: list[IntArray] = []
    done = wrong = 0
    for _, logits, right, answers in _driven(world, ticks):
        wrong += int((logits != right).any(axis=1).sum())
        spent.append(answers[:, 3])
        done += len(logits)
        advance(len(logits))
        if done >= count:
            break
    ns, counts = np.concatenate(spent), world.pair.counts
    return {
        "native_real_ticks": done,
        "native_real_wrong": wrong,
        "native_real_false_failovers": sum(counts[incident.value] for incident in FATAL),
        "native_real_patience_missed": counts["late"],
        "native_real_late_answers": counts["late_answers"],
        "native_real_hand_overs": counts["hand_overs"],
        "native_real_tick_p50_ns": float(np.percentile(ns, 50)),
        "native_real_tick_p99_ns": float(np.percentile(ns, 99)),
        "native_real_tick_max_ns": float(ns.max()),
    }, wrong == 0


def _driven(
    world: SoftwarePair, ticks: Ticks
) -> Iterator[tuple[int, IntArray, IntArray, IntArray]]:
    """Stretches of the ticks, again and again: first tick, logits, the right ones, about the answers."""
    features = np.ascontiguousarray(ticks.features, np.int32)
    cuts = sorted({0, len(features), *range(0, len(features), CHUNK), *ticks.resets})
    right, done = native_engine(world.bundle), 0
    while True:
        for first, last in pairwise(cuts):
            if first in ticks.resets:
                world.pair.engine.reset()
                right.reset()
            logits, answers = world.pair.engine.run(features[first:last])
            yield done, logits, np.asarray(right.run(features[first:last])[0]), answers
            done += last - first


def _most_together(ticks: IntArray, every: int) -> int:
    """The most wrong ticks of one fault: those that lie within ``every`` of the one before."""
    if not len(ticks):
        return 0
    starts = np.flatnonzero(np.diff(ticks, prepend=ticks[0] - every - 1) > every)
    return int(np.diff(starts, append=len(ticks)).max())
