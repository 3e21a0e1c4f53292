"""Works parent orders on a desk: one child at a time, by `pyorch.trading.execution`.

Every decision that sends an order is in the log with all that it was made from, so that `check_execution`
can make it again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pyorch.contract.errors import MismatchError
from pyorch.trading.desk_activity import ForecastReader, Hands
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.execution import (
    Decision,
    ExecutionSettings,
    Forecast,
    OptionMarket,
    ParentTable,
    Schedule,
    Situation,
    decide,
    worst_price,
)
from pyorch.trading.inputs import InputArray, InputKind
from pyorch.trading.records import Refusal

ROOM_NS = 50_000_000
"""How soon a child follows when quotes made room for it."""
SELF_CROSS = Refusal.SELF_CROSS.name.lower()
PROGRESS = (
    "arrival_half_ticks", "last_half_ticks", "paper_lots", "paper_ticks", "halted_until_ns", "actions",
    "refused",
)  # fmt: skip
"""Of a parent order's state, what each logged decision holds."""
GONE = (InputKind.CANCELLED, InputKind.PROTECTION, InputKind.DISCONNECTED, InputKind.CONNECTED)
"""What a venue says when it holds nothing of ours any more."""


@dataclass(slots=True)
class Child:
    """The order that is alive.

    Attributes:
        waiting: of the message that the venue has not answered; 0: none.
    """

    sequence: int
    price_ticks: int
    left_lots: int
    rests: bool
    waiting: int


@dataclass(slots=True)
class ParentState:
    """A parent order at work.

    Attributes:
        arrival_half_ticks: bid + ask of others when it arrived; 0: not yet.
        paid_ticks: lots × price of what is done; paper_ticks, paper_lots: the same for its schedule,
            each part at the far side at its time.
        reserved: quotes that would meet the next child are told to make room for it.
        sent: numbers of all its children: a fill counts also when the venue was thought to hold nothing more.
        actions: decision → how often; refused: by the risk gate, reason → how often.
    """

    table: ParentTable
    lots: int
    schedule: Schedule
    begin_ns: int
    end_ns: int
    arrival_half_ticks: int = 0
    done_lots: int = 0
    paid_ticks: int = 0
    paper_lots: int = 0
    paper_ticks: int = 0
    halted_until_ns: int = 0
    children: int = 0
    child: Child | None = None
    reserved: bool = False
    sent: set[int] = field(default_factory=set)
    last_half_ticks: int = 0
    actions: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def progress(self) -> dict[str, Any]:
        """Beside children and fills what a desk that goes on needs (`pyorch.trading.parent_progress`)."""
        return {name: getattr(self, name) for name in PROGRESS}

    @property
    def side(self) -> int:
        """0 buys, 1 sells."""
        return 0 if self.table.side == "buy" else 1


class Executor:
    """All parent orders of a run; see `pyorch.trading.desk_activity.Activity`.

    Args:
        reader: None: without forecasts, the schedules alone.
        venues: per option its venue; first_ns: of the market.
    """

    def __init__(
        self,
        settings: ExecutionSettings,
        tables: tuple[ParentTable, ...],
        reader: ForecastReader | None,
        venues: tuple[int, ...],
        lot_btc: float,
        first_ns: int,
    ) -> None:
        self.settings, self._reader, self._venues, self._lot_btc = settings, reader, venues, lot_btc
        self._interval_ns = settings.interval_ms * 1_000_000
        self.parents: list[ParentState] = []
        for table in tables:
            begin = first_ns + round(table.at_s * 1e9)
            lots = max(1, round(table.contracts / lot_btc))
            end = begin + round(table.over_s * 1e9)
            schedule = Schedule(table, begin)
            self.parents.append(ParentState(table, lots, schedule, begin, end))
        self._due_ns = min((one.begin_ns for one in self.parents), default=NEVER)
        self._leaving = False

    def due_ns(self) -> int:
        """The next decision."""
        return self._due_ns

    def act(self, hands: Hands) -> None:
        """Decide for every parent order that has begun and has not ended."""
        now_ns = hands.now_ns
        forecast = Forecast()
        if self._reader is not None:
            forecast = self._reader.read(hands.last_tick, now_ns)
        for number, one in enumerate(self.parents):
            if one.begin_ns <= now_ns:
                self._work(number, one, forecast, hands)
        active = [one for one in self.parents if one.child or not self._over(one, now_ns)]
        hurry = self._leaving or any(one.reserved for one in active)
        pause_ns = ROOM_NS if hurry else self._interval_ns
        later = max(now_ns + pause_ns, min((p.begin_ns for p in active), default=NEVER))
        self._due_ns = later if active else NEVER

    def _over(self, one: ParentState, now_ns: int) -> bool:
        late = now_ns > one.end_ns + self._interval_ns
        return self._leaving or one.done_lots >= one.lots or late

    def leave(self, hands: Hands) -> None:
        """Children are taken back, and none follows."""
        self._leaving = True
        self._due_ns = min(self._due_ns, hands.now_ns)

    def _work(self, number: int, one: ParentState, forecast: Forecast, hands: Hands) -> None:
        now_ns, option = hands.now_ns, one.table.option
        market = hands.option_market(option)
        mid = market.mid_half_ticks
        if mid is not None:
            one.last_half_ticks = mid
            one.arrival_half_ticks = one.arrival_half_ticks or mid
        if one.arrival_half_ticks == 0:
            return
        wanted = round(one.lots * one.schedule.share(now_ns, forecast.slippage_ticks))
        self._trade_on_paper(one, wanted, market)
        if one.child is not None and one.child.waiting:
            return
        if self._over(one, now_ns):
            self._take_back(one, hands)
            self._make_room(one, None, hands)
            return
        situation = Situation(
            one.side, one.lots - one.done_lots, wanted - one.done_lots, one.arrival_half_ticks,
            now_ns, one.halted_until_ns,
        )  # fmt: skip
        decision = decide(self.settings, self._lot_btc, forecast, market, situation)
        one.halted_until_ns = decision.halted_until_ns
        name = decision.action.value
        one.actions[name] = one.actions.get(name, 0) + 1
        child = one.child
        if child is not None:
            kept = (child.price_ticks, child.rests) == (decision.price_ticks, decision.rests)
            if not (kept and decision.lots > 0):
                self._take_back(one, hands)  # and decide anew once it is gone
            return
        if decision.lots == 0:
            self._make_room(one, None, hands)
            return
        why = {
            "parent": number,
            "forecast": asdict(forecast),
            "market": asdict(market),
            "situation": asdict(situation),
            "decision": asdict(decision) | {"action": name},
            "progress": one.progress(),
        }
        sent = hands.place(
            option, one.side, decision.price_ticks, decision.lots, decision.rests, why
        )
        if isinstance(sent, str):
            one.refused[sent] = one.refused.get(sent, 0) + 1
            self._make_room(one, decision if sent == SELF_CROSS else None, hands)
            return
        one.children, one.reserved = one.children + 1, False
        one.sent.add(sent)
        one.child = Child(sent, decision.price_ticks, decision.lots, decision.rests, sent)

    def _make_room(self, one: ParentState, wanted: Decision | None, hands: Hands) -> None:
        """Quotes of ours that would meet a child are withdrawn, as if one rested at its worst price."""
        option, side = one.table.option, one.side
        if wanted is not None:
            price = worst_price(self.settings, side, one.arrival_half_ticks)
            hands.order_left(option, side, price, wanted.lots)
        elif one.reserved:
            hands.order_left(option, side, 0, 0)
        one.reserved = wanted is not None

    def _take_back(self, one: ParentState, hands: Hands) -> None:
        if one.child is not None:
            one.child.waiting = hands.take_back(one.table.option, one.side, one.child.sequence)

    def _trade_on_paper(self, one: ParentState, wanted: int, market: OptionMarket) -> None:
        """What the schedule alone pays: each part at the far side, however little it shows."""
        more = wanted - one.paper_lots
        if more > 0 and market.mid_half_ticks is not None:
            one.paper_lots = wanted
            one.paper_ticks += more * (market.ask_ticks if one.side == 0 else market.bid_ticks)

    def hear(self, row: InputArray, hands: Hands) -> None:
        """Fills, answers, and what a venue lost."""
        kind, sequence = InputKind(int(row["kind"][0])), int(row["sequence"][0])
        for one in self.parents:
            child, option = one.child, one.table.option
            if kind is InputKind.FILLED:
                # Venues number messages each for themselves: the option says whose number it is.
                if int(row["option"][0]) == option and int(row["value"][0]) == 1:
                    self._filled(one, sequence, row, hands)
                continue
            if child is None:
                continue
            if int(row["venue"][0]) != self._venues[option]:
                continue
            if kind is InputKind.ACKNOWLEDGED and 0 < child.waiting <= sequence:
                taken_back = child.waiting != child.sequence
                child.waiting = 0
                if taken_back or not child.rests:
                    self._left(one, 0, hands)
            elif kind is InputKind.ORDER_REJECTED and sequence == child.sequence:
                self._left(one, 0, hands)
            elif kind in GONE:
                known = kind in (InputKind.CANCELLED, InputKind.PROTECTION)
                if not known or child.sequence <= sequence:
                    self._left(one, 0, hands)

    def _filled(self, one: ParentState, sequence: int, row: InputArray, hands: Hands) -> None:
        if sequence not in one.sent:
            return
        lots = int(row["lots"][0])
        one.done_lots += lots
        one.paid_ticks += lots * int(row["price_ticks"][0])
        if one.child is not None and one.child.sequence == sequence:
            one.child.left_lots -= lots
            self._left(one, one.child.left_lots, hands)

    def _left(self, one: ParentState, lots: int, hands: Hands) -> None:
        assert one.child is not None
        hands.order_left(one.table.option, one.side, one.child.price_ticks, lots)
        if lots == 0:
            one.child = None

    def figures(self) -> list[dict[str, Any]]:
        """Per parent order what it did, and its implementation shortfall.

        ``shortfall_ticks``: what was paid above the mid at arrival (received below it), a lot, with what was
        not done valued at the last mid. ``baseline_ticks``: the same of the schedule, crossing the
        spread each time. Positive is a cost.
        """
        return [self._figures(one) for one in self.parents]

    def _figures(self, one: ParentState) -> dict[str, Any]:
        sign = 1 if one.side == 0 else -1
        arrival, last = one.arrival_half_ticks / 2, one.last_half_ticks / 2

        def shortfall(done: int, paid: int) -> float | None:
            if one.arrival_half_ticks == 0:
                return None
            missed = (one.lots - done) * (last - arrival)
            return sign * (paid - done * arrival + missed) / one.lots

        return {
            "option": one.table.option, "side": one.table.side, "schedule": one.table.schedule,
            "lots": one.lots, "done_lots": one.done_lots, "children": one.children,
            "arrival_ticks": arrival,
            "average_ticks": one.paid_ticks / one.done_lots if one.done_lots else None,
            "shortfall_ticks": shortfall(one.done_lots, one.paid_ticks),
            "baseline_ticks": shortfall(one.paper_lots, one.paper_ticks),
            "forecasts": self._reader is not None,
            "actions": one.actions, "refused": one.refused,
        }  # fmt: skip


def check_execution(
    texts: list[dict[str, Any]], settings: ExecutionSettings, lot_btc: float
) -> int:
    """Make every logged decision of parent orders again; how many there are.

    Raises:
        MismatchError: one comes out otherwise.
    """
    count = 0
    for text in texts:
        if "parent" not in text:
            continue
        again: Decision = decide(
            settings,
            lot_btc,
            Forecast(**text["forecast"]),
            OptionMarket(**text["market"]),
            Situation(**text["situation"]),
        )
        found = asdict(again) | {"action": again.action.value}
        if found != text["decision"]:
            raise MismatchError(
                f"decision {count + 1} of parent {text['parent']} was {text['decision']}, and is now "
                f"{found}"
            )
        count += 1
    return count
