"""Whatever parent orders, requests and takers come: what venues hold stays within the desk's limits."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch.contract.bundle import Bundle
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.controls import Order
from pyorch.trading.desk import Desk
from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.exchange.market import Exchange
from pyorch.trading.exchange.settings import (
    ExchangeSettings,
    FlowSettings,
    RequestFlowSettings,
    VenueSettings,
)
from pyorch.trading.execution import ExecutionSettings, ParentTable
from pyorch.trading.executor import Executor
from pyorch.trading.inputs import InputArray, InputKind
from pyorch.trading.log import LogWriter
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.request_quotes import RequestDesk, RequestSettings
from pyorch.trading.sample import random_quoting_bundle

OPTIONS = 20
SECONDS = 5.0
ROUND_TRIP_NS = 100_000_000
"""Longer than any message, or the second route, is on its way here."""


class Market(NamedTuple):
    tape: Tape
    bundle: Bundle
    plan: QuotingPlan


@pytest.fixture(scope="module")
def market() -> Market:
    tape = insert_timer_ticks(simulate(7, SECONDS))
    bundle = random_quoting_bundle(3, tape)
    return Market(tape, bundle, make_plan(load_config(), bundle, tape, acknowledged=True))


class Discard:
    """A disk that nobody reads."""

    def write(self, data: bytes) -> None:
        pass

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


class Watched(Exchange):
    """An exchange that looks at its books, and at nothing of the desk, whenever something has happened."""

    position_limit = lots_limit = 0
    killed_ns: int | None = None
    deals_seen = 0

    def kill(self, now_ns: int) -> int:
        self.killed_ns = now_ns
        return super().kill(now_ns)

    def advance(self, until_ns: int) -> InputArray:
        reports = super().advance(until_ns)
        positions, _, live = self.reconcile()
        bids, asks = [0] * OPTIONS, [0] * OPTIONS
        for option, side, _, lots in live:
            (bids, asks)[side][option] += lots
        for held, bid, ask in zip(positions, bids, asks, strict=True):
            assert held + bid <= self.position_limit and held - ask >= -self.position_limit
        assert sum(bids) + sum(asks) <= self.lots_limit
        fills = self.fills
        self.deals_seen = sum(fill.by == "request" for fill in fills)
        if self.killed_ns is not None and until_ns > self.killed_ns + ROUND_TRIP_NS:
            assert live == []
            assert all(fill.local_ns <= self.killed_ns + ROUND_TRIP_NS for fill in fills)
        return reports


PARENTS = st.lists(
    st.builds(
        ParentTable,
        at_s=st.sampled_from([2.5, 3.0]),
        over_s=st.sampled_from([0.5, 2.0]),
        option=st.integers(0, OPTIONS - 1),
        side=st.sampled_from(["buy", "sell"]),
        contracts=st.sampled_from([1.0, 5.0, 40.0]),
        schedule=st.sampled_from(["twap", "vwap", "impact"]),
    ),
    max_size=3,
    unique_by=lambda one: one.option,
)
SEEN = {"orders": 0, "deals": 0}


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    position=st.sampled_from([20, 35, 60]),
    lots=st.sampled_from([60, 300, 20_000]),
    parents=PARENTS,
    requests_per_s=st.sampled_from([0.0, 10.0, 40.0]),
    killed_s=st.none() | st.floats(2.0, 4.5),
    seed=st.integers(0, 1000),
)
def test_no_order_answer_or_quote_goes_round_the_limits(
    market: Market,
    position: int,
    lots: int,
    parents: list[Any],
    requests_per_s: float,
    killed_s: float | None,
    seed: int,
) -> None:
    limits = replace(market.plan.limits, position_limit_lots=position, notional_limit_lots=lots)
    plan = replace(market.plan, limits=limits)
    flow = FlowSettings(random_per_s=150.0, patience_bp=8.0, informed_ahead_ms=50.0)
    asked = RequestFlowSettings(
        per_s=requests_per_s,
        lots=40,
        patience_bp=40.0,
        reaction_ms=20.0,
        informed_shares=(0.0, 0.3),
    )
    exchange = Watched(
        ExchangeSettings(
            venues=(VenueSettings(name="VENUE"),), flow=flow, requests=asked, seed=seed
        ),
        plan,
        market.tape,
    )
    exchange.position_limit, exchange.lots_limit = position, lots
    first_ns = int(market.tape.events["local_ns"][0])
    execution = ExecutionSettings(interval_ms=100, slippage_cap_ticks=100)
    executor = Executor(execution, tuple(parents), None, plan.limits.venue_of, 0.1, first_ns)
    answers = RequestDesk(
        RequestSettings(scores=(1.0, 0.5), maximum_contracts=5.0),
        None,
        frozenset(one.option for one in parents),
        plan.terms.tick_nano,
        plan.universe.half_tick_usd,
    )
    orders = ()
    if killed_s is not None:
        orders = ((killed_s, Order(InputKind.KILL, "R. Officer", "drill")),)
    desk = Desk(
        market.bundle, plan, market.tape, exchange, LogWriter(Discard(), {"test": "limits"}),
        DeskSettings(), orders, activities=(executor, answers),
    )  # fmt: skip
    desk.run()
    exchange.advance(int(market.tape.events["local_ns"][-1]) + 10**9)
    SEEN["orders"] += sum(one.children for one in executor.parents)
    SEEN["deals"] += exchange.deals_seen


def test_the_runs_had_orders_and_deals_in_them() -> None:
    assert SEEN["orders"] > 0 and SEEN["deals"] > 0
