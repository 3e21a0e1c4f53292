"""`pyorch run` over sessions: a desk on live feeds and FIX sessions, that may be killed and begun anew.

The folder of a run holds the sessions' stores and one log for each time that the desk was begun. A desk
that begins anew replays the last log, adds the reports that the sessions had taken in and the log had not,
and goes on with the same numbers, positions, parent orders and operators' orders
(`pyorch.app.live_recovery`); nothing is quoted before every venue has said what it has taken in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from pyorch.app.beside_quotes import beside_quotes
from pyorch.app.desk_config import DeskConfig
from pyorch.app.desk_figures import beside_figures
from pyorch.app.desk_run import begin_of, engines_of, plan_of
from pyorch.app.live_feeds import live_feeds
from pyorch.app.live_place import SECRETS, read_live_place
from pyorch.app.live_recovery import recover_run
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.exclusive import exclusively
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.far import FarExchange
from pyorch.trading.exchange.far_sessions import VenueAddress
from pyorch.trading.executor import check_execution
from pyorch.trading.fix.dialects import deribit
from pyorch.trading.json_rpc import DeribitRpc
from pyorch.trading.listing import listed_of
from pyorch.trading.live_desk import LEAVES_NS, LiveDesk
from pyorch.trading.log import DiskFile, LogWriter, read_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.parent_progress import go_on, progress_of
from pyorch.trading.plan import QuotingPlan

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LiveResult:
    """How a live run ended, and the run's number in its folder."""

    number: int
    figures: dict[str, float]
    log: Path


def run_live(
    config: DeskConfig,
    beside: Path,
    bundle: Bundle,
    out: Path,
    venues: Path,
    seconds: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_desk: Callable[[LiveDesk, str], object] | None = None,
) -> LiveResult:
    """Run for a time, then withdraw, end, replay the log and compare positions with the venues'.

    Args:
        venues: folder of whoever serves the venues.
        seconds: None: until the market's end.
        on_desk: called with the desk, and with its engine in words, before its first step.

    Raises:
        UsageError: the venues, or the options that they list, are others than the configuration's; their
            market is over.
        MismatchError: the log's replay sent other messages.
        DataError: the venues' positions are not the desk's, or the folder's logs and sessions do not agree.
    """
    place = read_live_place(venues)
    rpc = DeribitRpc(f"http://{place.host}:{place.rpc}", *SECRETS[:2])
    listed = listed_of(rpc.instruments())
    quoting, plan = plan_of(config, beside, bundle, place.opening, "model", listed)
    if len(place.fix) != len(plan.targets):
        raise UsageError(
            f"{len(place.fix)} venues are served, {len(plan.targets)} are quoted: give both the same file"
        )
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(exclusively(out / "lock"))
        opened = engines_of(config, beside, bundle)
        stack.callback(opened.close)
        if opened.pair is not None:
            plan = plan.with_caution(quoting.caution)
        last = recover_run(out, place.market, bundle, plan)
        lot_btc, first_ns = float(quoting.quoting.lot_btc), place.opening.origin_ns
        executor, asked = beside_quotes(config, plan, bundle, "model", lot_btc, first_ns)
        if last.parents is not None:
            go_on(executor, last.parents)
        feeds = stack.enter_context(live_feeds(venues, place, plan, config, out))
        market, now_ns = feeds.market, feeds.now_ns()
        if now_ns + 2 * LEAVES_NS > place.last_ns:
            raise UsageError(
                f"the market of {venues} ends in {(place.last_ns - now_ns) / NANO:.1f} s, and a desk takes "
                "longer to begin and end; serve it anew, and give --out an empty folder"
            )
        end_ns = place.last_ns if seconds is None else now_ns + round(seconds * NANO)
        path = out / f"run.{last.number}.log"
        told = {
            "market": place.market, "opening": asdict(place.opening), "run": last.number,
            "taken": last.taken, "parents": progress_of(executor), "scheduled": last.scheduled,
        }  # fmt: skip
        far = FarExchange(
            plan, deribit(*SECRETS), tuple(VenueAddress(place.host, port) for port in place.fix),
            VenueAddress(place.host, place.requests), out, rpc, feeds.now_ns, market.books,
        )  # fmt: skip
        stack.callback(far.close)
        table = config.desk
        desk = LiveDesk(
            bundle, plan, market, far,
            LogWriter(DiskFile(path), begin_of(bundle, config, quoting, told, opened.in_words())),
            DeskSettings(durable=table.durable, hedge_delta_btc=table.hedge_delta_btc, seed=table.seed),
            sorted(config.timed_orders, key=lambda one: one[0])[last.scheduled :], first_ns=first_ns,
            lot_btc=lot_btc, recovery=last.recovery, activities=(executor, asked), engine=opened.client,
            market=market, clock=feeds.now_ns, end_ns=end_ns,
        )  # fmt: skip
        if on_desk is not None:
            on_desk(desk, opened.in_words())

        def watch(_: float) -> None:
            feeds.watch()
            if on_progress is not None:
                on_progress(desk.done_share)

        result = desk.run(watch)
    written = read_log(path)
    check_replay(written, replay_log(written, bundle, plan).batch)
    check_execution(written.texts, config.execution, lot_btc)
    booked = _booked(rpc, plan)
    if booked != result.positions_lots:
        raise DataError(
            f"the venues booked {sum(map(abs, booked))} lots, the desk "
            f"{sum(map(abs, result.positions_lots))}; the run's log is {path}"
        )
    figures: dict[str, float] = {
        "run": last.number,
        "ticks": result.ticks,
        "options": len(plan.universe.options),
        "quotes": len(written.batch.quotes),
        "fix_messages": result.messages,
        "surfaces_of_tickers": market.surfaces,
        "rows": market.filled,
        "rows_lost": market.lost,
        "feed_starts": feeds.starts,
        "held_lots": sum(map(abs, booked)),
    }
    if last.recovery is not None:
        figures["taken_over_lots"] = sum(map(abs, last.recovery.positions_lots))
        figures["unseen_lots"] = sum(map(abs, last.recovery.unseen_lots))
    figures |= beside_figures(executor.figures(), asked.counts)
    for name, count in sorted(result.inputs.items()):
        figures[f"inputs_{name}"] = count
    for session in far.figures():
        for key in ("sent", "heard", "logons", "unsent", "rejects"):
            figures[f"fix_{session['name']}_{key}"] = session[key]
    return LiveResult(last.number, figures, path)


def _booked(rpc: DeribitRpc, plan: QuotingPlan) -> list[int]:
    lot = plan.codec.size.units / 10**plan.codec.size.places
    sizes = {one.instrument: one.size for one in rpc.positions()}
    return [round(sizes.get(symbol, 0.0) / lot) for symbol in plan.codec.symbols]
