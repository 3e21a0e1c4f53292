"""`pyorch run --venues`: a desk on live feeds and FIX sessions, that may be killed and begun anew.

The folder of a run holds the sessions' stores and one log for each time that the desk was begun. A desk
that begins anew replays the last log, adds the reports that the sessions had taken in and the log had not,
and goes on with the same numbers and positions; nothing is quoted before every venue has said what it has
taken in.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyorch.app.desk_config import DeskConfig
from pyorch.app.desk_run import begin_of, engines_of, market_of, plan_of
from pyorch.app.live_place import SECRETS, LivePlace, read_live_place
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, DeviceError
from pyorch.contract.events import Instrument, Kind
from pyorch.contract.exclusive import exclusively
from pyorch.market.feeds.process import FeedPlan, status_path
from pyorch.market.feeds.record import FeedKeeper, open_ring
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.far import (
    REPORTED,
    FarExchange,
    VenueAddress,
    taken_inputs,
)
from pyorch.trading.fix.dialects import deribit
from pyorch.trading.fix.store import DiskStore
from pyorch.trading.inputs import InputArray, InputKind
from pyorch.trading.json_rpc import DeribitRpc
from pyorch.trading.live_desk import LEAVER, LiveDesk
from pyorch.trading.live_market import LiveMarket, TickerOption, TickerSurface
from pyorch.trading.log import DiskFile, LogWriter, RunLog, read_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.plan import NANO, QuotingPlan
from pyorch.trading.recovery import Recovery, orders_in_force

ROWS = 1 << 22
"""Of a run's market; 256 MB."""
BEGINS_S = 60.0
"""For the first book to come."""
WATCH_S = 0.5


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
    seconds: float,
    on_progress: Callable[[float], None] | None = None,
    on_desk: Callable[[LiveDesk, str], object] | None = None,
) -> LiveResult:
    """Run for a time, then withdraw, end, replay the log and compare positions with the venues'.

    Args:
        venues: folder of whoever serves the venues.
        on_desk: called with the desk, and with its engine in words, before its first step.

    Raises:
        MismatchError: the log's replay sent other messages.
        DataError: the venues' positions are not the desk's, or the folder's logs and sessions do not agree.
    """
    place = read_live_place(venues)
    tape = market_of(config, beside)
    quoting, plan = plan_of(config, beside, bundle, tape, "model")
    if len(place.fix) != len(plan.targets):
        raise DataError(
            f"{len(place.fix)} venues are served, {len(plan.targets)} are quoted: give both the same file"
        )
    out.mkdir(parents=True, exist_ok=True)

    def clock() -> int:
        return time.time_ns() - place.shift_ns

    with ExitStack() as stack:
        stack.enter_context(exclusively(out / "lock"))
        opened = engines_of(config, beside, bundle)
        stack.callback(opened.close)
        if opened.pair is not None:
            plan = plan.with_caution(quoting.caution)
        recovery, taken, number = recover_run(out, bundle, plan)
        market = stack.enter_context(_live_market(place, plan, out, clock))
        path = out / f"run.{number}.log"
        begin = begin_of(bundle, config, quoting, tape, opened.in_words())
        begin |= {"run": number, "taken": taken}
        rpc = DeribitRpc(f"http://{place.host}:{place.rpc}", *SECRETS[:2])
        far = FarExchange(
            plan, deribit(*SECRETS), tuple(VenueAddress(place.host, port) for port in place.fix), out,
            rpc, clock,
        )  # fmt: skip
        stack.callback(far.close)
        table = config.desk
        desk = LiveDesk(
            bundle, plan, market.market, far,
            LogWriter(DiskFile(path), begin),
            DeskSettings(durable=table.durable, hedge_delta_btc=table.hedge_delta_btc, seed=table.seed),
            config.timed_orders, lot_btc=float(quoting.quoting.lot_btc), recovery=recovery,
            market=market.market, clock=clock, seconds=seconds, engine=opened.client,
        )  # fmt: skip
        if on_desk is not None:
            on_desk(desk, opened.in_words())

        def watch(_: float) -> None:
            market.watch()
            if on_progress is not None:
                on_progress(desk.done_share)

        result = desk.run(watch)
    written = read_log(path)
    check_replay(written, replay_log(written, bundle, plan).batch)
    booked = _booked(rpc, plan)
    if booked != result.positions_lots:
        raise DataError(
            f"the venues booked {sum(map(abs, booked))} lots, the desk "
            f"{sum(map(abs, result.positions_lots))}; the run's log is {path}"
        )
    figures: dict[str, float] = {
        "run": number,
        "ticks": result.ticks,
        "options": len(plan.universe.options),
        "quotes": len(written.batch.quotes),
        "fix_messages": result.messages,
        "surfaces_of_tickers": market.market.surfaces,
        "rows": market.market.filled,
        "rows_lost": market.market.lost,
        "feed_starts": market.starts,
        "held_lots": sum(map(abs, booked)),
    }
    if recovery is not None:
        figures["taken_over_lots"] = sum(map(abs, recovery.positions_lots))
        figures["unseen_lots"] = sum(map(abs, recovery.unseen_lots))
    for name, count in sorted(result.inputs.items()):
        figures[f"inputs_{name}"] = count
    for session in far.figures():
        for key in ("sent", "heard", "logons", "unsent", "rejects"):
            figures[f"fix_{session['name']}_{key}"] = session[key]
    return LiveResult(number, figures, path)


def logs_of(out: Path) -> list[Path]:
    """The logs of a run's folder, in order."""
    return sorted(out.glob("run.*.log"), key=lambda path: int(path.name.split(".")[1]))


def recover_run(
    out: Path, bundle: Bundle, plan: QuotingPlan
) -> tuple[Recovery | None, list[int], int]:
    """Where the last desk stood: what to go on from, reports taken in per venue, number of the next log.

    Raises:
        MismatchError: the last log does not replay.
        DataError: log and sessions do not agree.
    """
    taken = []
    for venue in range(len(plan.targets)):
        codec = plan.codec_of(venue)
        store = DiskStore(out / f"{codec.target}.session")
        store.close()
        taken.append(taken_inputs(store.records, venue, codec))
    counts = [len(reports) for reports in taken]
    logs = logs_of(out)
    if not logs:
        return None, counts, 1
    log = read_log(logs[-1])
    number = int(log.begin["run"])
    replayed = replay_log(log, bundle, plan)
    check_replay(log, replayed.batch)
    unseen = [0] * len(plan.universe.options)
    for venue, reports in enumerate(taken):
        for row in _unseen(log, venue, reports):
            if row["kind"][0] == InputKind.FILLED:
                lots = int(row["lots"][0])
                unseen[int(row["option"][0])] += lots if row["side"][0] == 0 else -lots
    positions = [a + b for a, b in zip(replayed.positions_lots, unseen, strict=True)]
    orders, killed = orders_in_force(log)
    by_people = [not _is_leaving(log, row) for row in orders]
    found = Recovery(
        tuple(positions), tuple(unseen), tuple(replayed.sequences), (), orders[by_people], killed
    )
    return found, counts, number + 1


def _is_leaving(log: RunLog, row: Any) -> bool:
    """Whether an order in force is the pause at a run's own end."""
    text = int(row["text"]) - 1
    return row["kind"] == InputKind.PAUSE and text >= 0 and log.texts[text].get("who") == LEAVER


def _unseen(log: RunLog, venue: int, reports: list[InputArray]) -> list[InputArray]:
    """Reports that a session took in after the last one in the log."""
    inputs = log.inputs
    mine = inputs[np.isin(inputs["kind"], REPORTED) & (inputs["venue"] == venue)]
    first = int(log.begin["taken"][venue])
    seen = reports[first : first + len(mine)]
    same = len(seen) == len(mine) and all(
        one["kind"][0] == other["kind"] and one["sequence"][0] == other["sequence"]
        for one, other in zip(seen, mine, strict=True)
    )
    if not same:
        raise DataError(
            f"the log holds {len(mine)} reports of venue {venue} from its report {first + 1} on, its session "
            f"has taken in others ({len(reports)} in all): the files are not of one run; compare positions "
            "with the venue, then begin in an empty folder"
        )
    return reports[first + len(mine) :]


def _booked(rpc: DeribitRpc, plan: QuotingPlan) -> list[int]:
    lot = plan.codec.size.units / 10**plan.codec.size.places
    sizes = {one.instrument: one.size for one in rpc.positions()}
    return [round(sizes.get(symbol, 0.0) / lot) for symbol in plan.codec.symbols]


class _Feeds:
    """A live market and the processes that feed it."""

    def __init__(self, market: LiveMarket, keepers: list[FeedKeeper]) -> None:
        self.market, self._keepers = market, keepers
        self._watched_s = 0.0

    @property
    def starts(self) -> int:
        """How often a feed's process was begun."""
        return sum(keeper.starts for keeper in self._keepers)

    def watch(self) -> None:
        """Begin a process that has ended anew."""
        now_s = time.monotonic()
        if now_s - self._watched_s >= WATCH_S:
            self._watched_s = now_s
            for keeper in self._keepers:
                keeper.watch()


@contextmanager
def _live_market(
    place: LivePlace, plan: QuotingPlan, out: Path, clock: Callable[[], int]
) -> Iterator[_Feeds]:
    """Feeds at work, and their market with its first book."""
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
    web = f"{place.host}:{place.binance}"
    plans = [
        _feed((place.underlying,), name, f"ws://{web}", f"http://{web}"),
        _feed(tuple(place.options), name, f"ws://{place.host}:{place.deribit}", ""),
    ]
    strikes = {option.symbol: option for option in plan.universe.options}
    heard = [strikes[one.symbol] for one in place.options]
    surface = TickerSurface(
        [
            TickerOption(
                option.strike_usd, plan.origin_ns + plan.universe.expiries_s[option.expiry] * NANO
            )
            for option in heard
        ]
    )
    with ExitStack() as stack:
        for one in plans:
            stack.callback(status_path(one.ring).unlink, missing_ok=True)
            stack.callback(one.ring.unlink, missing_ok=True)
        keepers = [stack.enter_context(FeedKeeper(one)) for one in plans]
        readers = [
            open_ring(one.ring, keeper.process) for one, keeper in zip(plans, keepers, strict=True)
        ]
        market = LiveMarket(readers[0], readers[1], surface, place.shift_ns, ROWS)
        feeds = _Feeds(market, keepers)
        until_s = time.monotonic() + BEGINS_S
        while not bool((market.events["kind"][: market.filled] == Kind.SNAPSHOT).any()):
            market.gather(clock())
            feeds.watch()  # one that met a ring whose writer was just dying is begun again
            if time.monotonic() > until_s:
                raise DeviceError(
                    f"no book of {place.underlying.symbol} in {BEGINS_S:.0f} s; `pyorch feed` tells what the "
                    "venue answers"
                )
            time.sleep(0.005)
        yield feeds


def _feed(instruments: tuple[Instrument, ...], name: str, url: str, rest: str) -> FeedPlan:
    venue = instruments[0].venue
    return FeedPlan(venue, instruments, Path(f"/dev/shm/pyorch-{name}-{venue}"), url, rest)
