"""Replay: one run of the loop over a tape, written as a journal."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import pyorch
from pyorch import _native
from pyorch.app.answering import Answering, open_answering
from pyorch.app.journal import Journal, JournalWriter, QuotedOption, RuleInForce, RunDescription
from pyorch.app.outcomes import outcomes_at
from pyorch.app.report.latency import measure
from pyorch.app.report.rules import rule_rows
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.fixed import IntArray
from pyorch.inference.failover.configuration import EnginesConfig
from pyorch.market.tape import Tape
from pyorch.trading.config import QuotingConfig
from pyorch.trading.loop import TickLoop
from pyorch.trading.plan import QuotingPlan

ARMS = ("model", "no-model", "always-widen")
SHUFFLED = "shuffled"
"""The model's rules on scores of another time; they come as a table."""

Progress = Callable[[float], None]
"""Called now and then with the share done, 0 to 1."""


def arm_config(config: QuotingConfig, arm: str) -> QuotingConfig:
    """The configuration of an arm.

    ``model`` is the configuration itself. ``no-model`` has no rules and no forecast. ``always-widen``
    has neither, but the largest addition and the deepest cut of the rules hold at all times.

    Raises:
        UsageError: no such arm, or ``always-widen`` of a configuration without rules.
    """
    if arm in ("model", SHUFFLED):
        return config
    if arm == "no-model":
        return msgspec.structs.replace(config, rules=(), fair_shift=None)
    if arm != "always-widen":
        raise UsageError(f"there is no arm {arm!r}; choose {', '.join(ARMS)}")
    if not config.rules:
        raise UsageError(
            "always-widen takes its width from the rules, and the configuration has none"
        )
    quoting = config.quoting
    cut = max(rule.size_cut_percent for rule in config.rules)
    size = max(quoting.minimum_size_lots, quoting.size_lots * (100 - cut) // 100)
    spread = quoting.base_half_spread_bp + max(rule.widen_bp for rule in config.rules)
    wide = msgspec.structs.replace(quoting, base_half_spread_bp=spread, size_lots=size)
    return msgspec.structs.replace(config, rules=(), fair_shift=None, quoting=wide)


def replay(
    bundle: Bundle,
    tape: Tape,
    config: QuotingConfig,
    arm: str,
    out: Path,
    *,
    engine: str = "cpu",
    group: EnginesConfig | None = None,
    chain: Path | None = None,
    table: IntArray | None = None,
    seeds: dict[str, int] | None = None,
    on_progress: Progress | None = None,
) -> Journal:
    """Run the loop over a tape and write the journal ``out``, whole or not at all.

    Args:
        bundle: the model; it must be on features.
        tape: timer ticks are inserted where it has silences.
        config: before the arm is applied to it.
        arm: one of `ARMS`, or `SHUFFLED` with a table.
        engine: name of the engine that answers the ticks; it must have a native client.
        group: instead of it a card with the native engine, or the loop, as its shadow (docs/failover.md).
        out: the journal's folder.
        table: instead of an engine: int64 [ticks, outputs], the scores of each tick.
        chain: an option chain whose surface is transplanted to the tape; see `make_plan`.
        seeds: what drew random numbers on the way → its seed; for the manifest.
        on_progress: called with the share of the tape done.

    Raises:
        BundleError: the bundle has another feature schema than its model.
        MismatchError: the engine does not return the bundle's golden vectors.
        DataError: the tape has no valid book, or makes no tick.
        UsageError: the configuration does not fit the model, the model is not on
            features, or ``out`` exists and is not a journal.
    """
    used = arm_config(config, arm)
    answering = open_answering(bundle, engine, group, used)
    client = answering.client
    if table is not None:
        client = _native.TableTickEngine(bundle.spec.features, table)
    decisions = answering.decisions
    loop = TickLoop(
        bundle, used, tape, chain=chain, engine=client, decisions=decisions,
        caution=answering.beside is not None,
    )  # fmt: skip
    tape = loop.tape
    rows: list[IntArray] = []
    with JournalWriter(out) as writer:
        for batch in loop.run():
            writer.append(batch)
            rows.append(batch.ticks["row"].astype(np.int64))
            if on_progress is not None:
                on_progress(float(batch.ticks["row"][-1] + 1) / len(tape.events))
        if writer.ticks == 0:
            raise DataError(
                f"tape {tape.name} made no tick in {len(tape.events):,} rows: instrument 0 never had a "
                "valid book with both sides"
            )
        outcomes = outcomes_at(np.concatenate(rows), tape, bundle)
        run = _describe(bundle, config, used, arm, loop, answering, seeds or {})
        writer.finish(run, outcomes, decisions.records() if decisions else None)
    answering.close()
    return Journal.load(out)


def replay_figures(journal: Journal) -> dict[str, float]:
    """What a run did, name with unit → number."""
    ticks = journal.ticks
    latency = measure(ticks)
    figures: dict[str, float] = {
        "ticks": len(ticks),
        "quotes": len(journal.quotes),
        "fix_messages": int(ticks["fix_messages"].sum()),
        "fix_bytes": len(journal.fix),
        "quotes_refused": int(ticks["refused"].sum()),
        "events_per_s": round(float(journal.run.facts["events_per_s"])),
    }
    failover = journal.run.facts.get("failover")
    if failover is not None:
        figures |= {f"failover_{name}": value for name, value in failover["counts"].items()}
    for rule in rule_rows(journal):
        figures[f"{rule.name}_fired_percent"] = 100 * rule.fired
        figures[f"{rule.name}_acted_percent"] = 100 * rule.acted
    for stage in (*latency.stages, latency.total):
        figures[f"quoting_tick_{stage.name}_p50_us"] = stage.p50_us
        figures[f"quoting_tick_{stage.name}_p99_us"] = stage.p99_us
    return figures


def _describe(
    bundle: Bundle,
    config: QuotingConfig,
    used: QuotingConfig,
    arm: str,
    loop: TickLoop,
    answering: Answering,
    seeds: dict[str, int],
) -> RunDescription:
    summary = loop.summary()
    facts: dict[str, Any] = {
        "events_per_s": summary.events_per_s,
        "ring_waits": summary.ring_waits,
        "involuntary_switches": summary.involuntary_switches,
        "refusals": summary.refusals,
        "surfaces_refused": summary.surfaces_refused,
        "fair_shift": loop.plan.fair_shift.note,
    }
    digest, engine = config.digest(), answering.in_words()
    facts |= answering.facts()
    return describe_run(bundle, digest, used, arm, loop.plan, loop.tape, engine, seeds, facts)


def describe_run(
    bundle: Bundle,
    config_digest: str,
    used: QuotingConfig,
    arm: str,
    plan: QuotingPlan,
    tape: Tape,
    engine: str,
    seeds: dict[str, int],
    facts: dict[str, Any],
) -> RunDescription:
    """What ran on what, for a journal's manifest."""
    assert bundle.schema is not None
    universe = plan.universe
    local_ns = tape.events["local_ns"]
    return RunDescription(
        arm=arm,
        digests={
            "bundle": bundle.digest(),
            "config": config_digest,
            "tape": tape.digest(),
            "schema": bundle.schema.digest(),
            "surface": digest_of(plan.surface_ppm),
        },
        seeds=seeds,
        versions={
            "pyorch": pyorch.__version__,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "engine": engine,
        },
        model=bundle.spec.to_json(),
        schema=bundle.schema.to_json(),
        config=msgspec.to_builtins(used),
        tape={
            "name": tape.name,
            "instruments": [asdict(instrument) for instrument in tape.instruments],
            "counts": dict(tape.counts),
            "rows": len(tape.events),
            "first_ns": int(local_ns[0]),
            "last_ns": int(local_ns[-1]),
        },
        provenance=bundle.provenance,
        surface_ppm=plan.surface_ppm,
        surface_label=plan.surface_label,
        options=tuple(
            QuotedOption(o.symbol, o.right, o.strike_usd, o.expiry, universe.expiries_s[o.expiry])
            for o in universe.options
        ),
        rules=tuple(
            RuleInForce(
                rule.name,
                rule.endangered,
                rule.outputs,
                rule.thresholds,
                rule.widen_bp100 / 100,
                rule.size_percent,
                rule.armed,
                rule.note,
            )
            for rule in plan.rules
            if not rule.caution
        ),
        facts=facts,
    )
