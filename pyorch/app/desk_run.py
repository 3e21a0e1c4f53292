"""`pyorch run`: a desk on a market with an exchange that answers; its log, its journal, its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pyorch.app.answering import Answering, open_answering
from pyorch.app.beside_quotes import beside_quotes
from pyorch.app.desk_config import DeskConfig
from pyorch.app.desk_figures import beside_figures, by_taker, fill_rows, marked_to_fair_btc
from pyorch.app.journal import Journal, JournalWriter
from pyorch.app.outcomes import outcomes_at
from pyorch.app.replay import arm_config, describe_run
from pyorch.app.watch.pace import Pace
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of
from pyorch.contract.errors import DataError, UsageError
from pyorch.inference.failover.configuration import load_engines
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape
from pyorch.trading.bench_tick import first_seconds
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.desk import Desk
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.over_fix import OverFix
from pyorch.trading.executor import check_execution
from pyorch.trading.listing import Listed
from pyorch.trading.log import DiskFile, LogWriter, read_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.plan import Opening, QuotingPlan, make_plan
from pyorch.trading.records import Refusal

DECIDED = {"fix", "request", "last_look"}
"""Texts with one of these keys are decisions; the others are for people."""
LOG = "run.log"
"""The run log's name in the journal's folder."""


def market_of(config: DeskConfig, beside: Path) -> Tape:
    """The market of a desk's configuration, with timer ticks."""
    source = config.market
    if source.tape is None:
        tape = simulate(source.seed, source.seconds)
    else:
        tape = first_seconds(read_tape(beside / source.tape), source.seconds)
    return insert_timer_ticks(tape)


def plan_of(
    config: DeskConfig,
    beside: Path,
    bundle: Bundle,
    market: Tape | Opening,
    arm: str,
    listed: Sequence[Listed] = (),
) -> tuple[QuotingConfig, QuotingPlan]:
    """Quoting configuration and plan of an arm; the venues that are quoted must be the exchange's.

    Args:
        listed: options that a venue lists, to choose the universe among.

    Raises:
        UsageError: they are not.
    """
    quoting = load_config(beside / config.desk.quoting if config.desk.quoting else None)
    quoting = arm_config(quoting, arm)
    chain = beside / config.market.chain if config.market.chain else None
    plan = make_plan(quoting, bundle, market, chain=chain, acknowledged=True, listed=listed)
    plan = replace(plan, cold_bp100=config.cold_bp100)
    names = tuple(venue.name for venue in config.exchange.venues)
    if names != plan.targets:
        raise UsageError(
            f"the exchange has the venues {list(names)}, quotes go to {list(plan.targets)}: give "
            "exchange.venues the targets of [fix], in their order"
        )
    return quoting, plan


def engines_of(config: DeskConfig, beside: Path, bundle: Bundle) -> Answering:
    """Who answers the desk's ticks; golden vectors are replayed.

    Raises:
        UsageError: a card that decides by itself, whose decisions no log replays.
    """
    engines = config.desk.engines
    opened = open_answering(
        bundle, "cpu", load_engines(beside / engines) if engines is not None else None
    )
    if opened.decisions is not None:
        opened.close()
        raise UsageError(
            f"{engines}: the card takes events and decides by itself, which a desk's log cannot replay; name "
            'a card that answers vectors, as order = ["card", "cpu"], or leave `engines` out'
        )
    return opened


def begin_of(
    bundle: Bundle, config: DeskConfig, quoting: QuotingConfig, market: dict[str, Any], engines: str
) -> dict[str, Any]:
    """The log's first block; ``market``: what is said of it there."""
    return {
        "bundle": bundle.digest(),
        **market,
        "desk": msgspec.to_builtins(config),
        "quoting": msgspec.to_builtins(quoting),
        "engine": engines,
    }


def run_desk(
    config: DeskConfig,
    beside: Path,
    bundle: Bundle,
    out: Path,
    on_progress: Callable[[float], None] | None = None,
    arm: str = "model",
    on_exchange: Callable[[Exchange], object] | None = None,
    on_desk: Callable[[Desk, str], object] | None = None,
    pace: float | None = None,
) -> Journal:
    """Run, replay the log, and write the journal with the log in it.

    Args:
        on_exchange: called with the exchange before anything happens in it.
        on_desk: called with the desk, and with its engine in words, before its first step.
        pace: seconds of market a second of wall clock; None: as fast as it goes.
        arm: one of `pyorch.app.replay.ARMS`; all meet the same market and the same takers' arrivals.
        beside: the folder that relative paths of the configuration start from.

    Raises:
        MismatchError: the log's replay sent other messages.
        DataError: the venues' positions are not the desk's.
    """
    tape = market_of(config, beside)
    quoting, plan = plan_of(config, beside, bundle, tape, arm)
    opened = engines_of(config, beside, bundle)
    if opened.pair is not None:
        plan = plan.with_caution(quoting.caution)
    exchange = Exchange(config.exchange, plan, tape)
    if on_exchange is not None:
        on_exchange(exchange)
    lot_btc = float(quoting.quoting.lot_btc)
    table = config.desk
    first_ns = int(tape.events["local_ns"][0])
    executor, asked = beside_quotes(config, plan, bundle, arm, lot_btc, first_ns)
    settings = DeskSettings(
        decision=table.decision, durable=table.durable, hedge_delta_btc=table.hedge_delta_btc,
        seed=table.seed,
    )  # fmt: skip
    with (
        closing(opened),
        JournalWriter(out) as writer,
        tempfile.TemporaryDirectory(dir=out.parent) as folder,
    ):
        path = Path(folder) / LOG
        told = {"tape": {"name": tape.name, "digest": tape.digest(), "rows": len(tape.events)}}
        log = LogWriter(DiskFile(path), begin_of(bundle, config, quoting, told, opened.in_words()))
        over_fix = OverFix(exchange, plan, first_ns) if table.route == "fix" else None
        paced = () if pace is None else (Pace(pace, first_ns),)
        desk = Desk(
            bundle, plan, tape, over_fix or exchange, log, settings, config.timed_orders, lot_btc=lot_btc,
            activities=(executor, asked, *paced), engine=opened.client,
        )  # fmt: skip
        if on_desk is not None:
            on_desk(desk, opened.in_words())
        result = desk.run(on_progress)
        last_ns = int(tape.events["local_ns"][-1])
        exchange.advance(last_ns + 10_000_000_000)
        written = read_log(path)
        check_replay(written, replay_log(written, bundle, plan).batch)
        check_execution(written.texts, config.execution, lot_btc)
        booked = exchange.positions_lots()
        heard = result.inputs.get("filled", 0) == len(exchange.fills)
        if booked != result.positions_lots and heard:
            raise DataError(
                f"the venues booked {sum(map(abs, booked))} lots, the desk "
                f"{sum(map(abs, result.positions_lots))}; the run's log is {path}"
            )
        batch = written.batch
        writer.append(batch)
        tick_btc = exchange.tick_btc
        rows = fill_rows(exchange.fills, exchange.fair, tick_btc, last_ns)
        desk_facts = {
            "fills": rows,
            "takers": by_taker(rows, lot_btc),
            "pnl_btc": marked_to_fair_btc(
                exchange.fills, exchange.fair, tick_btc, lot_btc, last_ns
            ),
            "inputs": result.inputs,
            "texts": [text for text in written.texts if not text.keys() & DECIDED],
            "parents": executor.figures(),
            "requests": asked.counts,
            "proposals": len(result.proposals),
            "positions_lots": booked,
            "venues": [
                {
                    "name": venue.settings.name, "taken_in": venue.last_sequence,
                    "dropped": venue.dropped, "duplicates": venue.duplicates, "rejects": venue.rejects,
                    "fills": len(venue.fills),
                }
                for venue in exchange.venues
            ],
            "sessions": [] if over_fix is None else over_fix.figures(),
            "log": {"blocks": written.blocks, "bytes": written.size, "replayed": True},
        }  # fmt: skip
        facts = {
            "events_per_s": 0.0,
            "refusals": {
                refusal.name.lower(): count
                for refusal, count in zip(Refusal, desk.steps.refusals, strict=True)
            },
            "fair_shift": plan.fair_shift.note,
            "desk": desk_facts,
            **opened.facts(),
        }
        seeds = {"simulated market": config.market.seed, "exchange": config.exchange.seed}
        digest = digest_of([quoting.digest(), msgspec.to_builtins(config)])
        run = describe_run(
            bundle, digest, quoting, arm, plan, tape, opened.in_words(), seeds, facts
        )
        outcomes = outcomes_at(batch.ticks["row"].astype("int64"), tape, bundle)
        writer.finish(run, outcomes)
        path.rename(out / LOG)
    return Journal.load(out)


def desk_figures(journal: Journal) -> dict[str, float]:
    """What a desk's run did, name with unit → number."""
    facts = journal.run.facts["desk"]
    figures: dict[str, float] = {
        "ticks": len(journal.ticks),
        "options": len(journal.run.options),
        "quotes": len(journal.quotes),
        "fix_messages": int(journal.ticks["fix_messages"].sum()),
        "pnl_btc": facts["pnl_btc"],
        "log_blocks": facts["log"]["blocks"],
        "log_bytes": facts["log"]["bytes"],
        "hedge_proposals": facts["proposals"],
    }
    for row in facts["takers"]:
        figures[f"{row['by']}_fills"] = row["fills"]
        for key in ("edge_bp", "markout_1000_bp"):
            if row[key] is not None:
                figures[f"{row['by']}_{key}"] = row[key]
    figures |= beside_figures(facts["parents"], facts["requests"])
    for name, count in facts["inputs"].items():
        figures[f"inputs_{name}"] = count
    for session in facts["sessions"]:
        for key in ("sent", "heard", "logons"):
            figures[f"fix_{session['name']}_{key}"] = session[key]
    return figures
