"""Parent orders: what the next child order is, by forecast, market and schedule; a pure function.

The rows of the forecast table, first one first: halt, small children, fully passive, aggressive, baseline.
Written for who buys; who sells sees the mirror image (a fall for a rise, the ask for the bid). Where no row
holds flow is balanced: the baseline, in a wide spread a small passive child, in a wider one a pause.

A row whose forecast the model does not have never holds. Prices are option ticks, probabilities 15-bit
integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyorch.trading.fair_shift import PROBABILITY_ONE

Probability = Annotated[float, Meta(gt=0.0, le=1.0)]
Contracts = Annotated[float, Meta(gt=0.0, le=1e6)]
Ticks = Annotated[int, Meta(ge=0, le=1_000_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]


class ExecutionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table's thresholds and sizes.

    Attributes:
        interval_ms: between two decisions.
        halt_volatility_percent: forecast over trailing volatility minus 1; halts for ``halt_s``.
        slippage_ticks: of the underlying, for the notional of the model's head.
        passive_offset_ticks: how far below the market a fully passive bid lies.
        small_contracts, child_contracts, large_contracts: sizes of children.
        cross_behind_children: so many children behind its schedule the baseline crosses the spread.
        participation: most of what is shown at the far side that a crossing child takes; calm_participation
            where the spread is at most tight_spread_ticks and volatility is not forecast to rise.
        wide_spread_ticks, pause_spread_ticks: of balanced flow.
        slippage_cap_ticks: no child buys above the mid at the parent's arrival plus this.
    """

    interval_ms: Milliseconds = 500
    halt_volatility_percent: Annotated[float, Meta(gt=0.0)] = 2.0
    halt_s: Annotated[float, Meta(gt=0.0, le=86_400.0)] = 30.0
    slippage_ticks: Annotated[float, Meta(gt=0.0)] = 5.0
    passive_probability: Probability = 0.75
    aggressive_probability: Probability = 0.75
    baseline_probability: Probability = 0.80
    passive_offset_ticks: Ticks = 1
    small_contracts: Contracts = 2.0
    child_contracts: Contracts = 5.0
    large_contracts: Contracts = 10.0
    cross_behind_children: Annotated[float, Meta(ge=0.0, le=1000.0)] = 2.0
    participation: Probability = 0.5
    calm_participation: Probability = 1.0
    tight_spread_ticks: Ticks = 8
    wide_spread_ticks: Ticks = 20
    pause_spread_ticks: Ticks = 40
    slippage_cap_ticks: Ticks = 30


class Action(Enum):
    """What a decision was for, in the table's precedence."""

    HALT = "halt"
    SMALL = "small"
    PASSIVE = "passive"
    AGGRESSIVE = "aggressive"
    BASELINE = "baseline"
    CAREFUL = "careful"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the model says; None: it does not, or must not be asked.

    Attributes:
        down, up, stable: of the underlying, 15-bit.
        slippage_ticks: of the head's notional.
        volatility_percent: forecast over trailing volatility minus 1.
    """

    down: int | None = None
    up: int | None = None
    stable: int | None = None
    slippage_ticks: float | None = None
    volatility_percent: float | None = None


@dataclass(frozen=True, slots=True)
class OptionMarket:
    """The best prices of others for an option; 0 lots: none."""

    bid_ticks: int = 0
    bid_lots: int = 0
    ask_ticks: int = 0
    ask_lots: int = 0

    @property
    def mid_half_ticks(self) -> int | None:
        """Bid + ask."""
        if self.bid_lots == 0 or self.ask_lots == 0:
            return None
        return self.bid_ticks + self.ask_ticks


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a parent order stands.

    Attributes:
        side: 0 buys, 1 sells.
        left_lots: still to do; due_lots: what the schedule wants done by now minus what is; may be negative.
        arrival_half_ticks: bid + ask when it arrived.
        halted_until_ns: of the last halt.
    """

    side: int
    left_lots: int
    due_lots: int
    arrival_half_ticks: int
    now_ns: int
    halted_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The next child: nothing where ``lots`` is 0.

    Attributes:
        rests: False: what is not filled at once is gone.
        halted_until_ns: for the next `Situation`.
    """

    action: Action
    lots: int = 0
    price_ticks: int = 0
    rests: bool = True
    halted_until_ns: int = 0


def decide(
    settings: ExecutionSettings,
    lot_btc: float,
    forecast: Forecast,
    market: OptionMarket,
    now: Situation,
) -> Decision:
    """The next child of a parent order."""
    action, until = act_by(settings, forecast, market, now)
    if action in (Action.HALT, Action.PAUSE):
        return Decision(action, halted_until_ns=until)
    sign = 1 if now.side == 0 else -1
    near, far, shown = market.bid_ticks, market.ask_ticks, market.ask_lots
    if now.side == 1:
        near, far, shown = far, near, market.bid_lots
    cap = worst_price(settings, now.side, now.arrival_half_ticks)
    size = {
        Action.SMALL: settings.small_contracts,
        Action.CAREFUL: settings.small_contracts,
        Action.AGGRESSIVE: settings.large_contracts,
    }.get(action, settings.child_contracts)
    child = max(1, round(size / lot_btc))

    def resting(lots: int, price: int) -> Decision:
        price = sign * min(sign * price, sign * cap)
        lots = max(0, min(lots, child, now.left_lots)) if price >= 1 else 0
        return Decision(action, lots, price if lots else 0, True, until)

    def crossing(lots: int) -> Decision:
        if sign * far > sign * cap:
            return resting(lots, near)
        most = max(1, int(shown * participation(settings, forecast, market)))
        lots = max(0, min(lots, child, now.left_lots, most))
        return Decision(action, lots, far if lots else 0, False, until)

    if action is Action.PASSIVE:
        return resting(child, near - sign * settings.passive_offset_ticks)
    if action is Action.CAREFUL:
        return resting(child, near)
    if action is Action.AGGRESSIVE:
        return crossing(child)
    if now.due_lots <= 0:
        return Decision(action, halted_until_ns=until)
    if now.due_lots >= settings.cross_behind_children * child:
        return crossing(now.due_lots)
    return resting(now.due_lots, near)


def worst_price(settings: ExecutionSettings, side: int, arrival_half_ticks: int) -> int:
    """The arrival's mid and the cap, rounded so that it is not exceeded."""
    sign = 1 if side == 0 else -1
    return sign * ((sign * arrival_half_ticks + 2 * settings.slippage_cap_ticks) // 2)


def act_by(
    settings: ExecutionSettings, forecast: Forecast, market: OptionMarket, now: Situation
) -> tuple[Action, int]:
    """The first row that holds, and until when a halt lasts."""

    def holds(probability: int | None, threshold: float) -> bool:
        return probability is not None and probability >= round(threshold * PROBABILITY_ONE)

    worse, better = (forecast.down, forecast.up) if now.side == 0 else (forecast.up, forecast.down)
    until = now.halted_until_ns
    rise = forecast.volatility_percent
    if rise is not None and rise >= settings.halt_volatility_percent:
        until = max(until, now.now_ns + round(settings.halt_s * 1e9))
    if now.now_ns < until:
        return Action.HALT, until
    if market.mid_half_ticks is None:
        return Action.PAUSE, until
    slippage = forecast.slippage_ticks
    if slippage is not None and slippage >= settings.slippage_ticks:
        return Action.SMALL, until
    if holds(worse, settings.passive_probability):
        return Action.PASSIVE, until
    if holds(better, settings.aggressive_probability):
        return Action.AGGRESSIVE, until
    if holds(forecast.stable, settings.baseline_probability):
        return Action.BASELINE, until
    spread = market.ask_ticks - market.bid_ticks
    if spread >= settings.pause_spread_ticks:
        return Action.PAUSE, until
    return (Action.CAREFUL if spread >= settings.wide_spread_ticks else Action.BASELINE), until


def participation(settings: ExecutionSettings, forecast: Forecast, market: OptionMarket) -> float:
    """Share of what the far side shows that a crossing child may take."""
    tight = market.ask_ticks - market.bid_ticks <= settings.tight_spread_ticks
    calm = forecast.volatility_percent is not None and forecast.volatility_percent <= 0
    return settings.calm_participation if tight and calm else settings.participation


ScheduleKind = Literal["twap", "vwap", "impact"]


class ParentTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parent order in a configuration.

    Attributes:
        at_s: after the market's first row; over_s: by when it should be done.
        option: its number in the universe.
        schedule: ``twap`` evenly in time; ``vwap`` along ``volume_weights``, one for each equal part of the
            time; ``impact`` evenly, but faster while the forecast slippage is below its running mean, and
            slower above.
    """

    at_s: Annotated[float, Meta(ge=0.0)]
    over_s: Annotated[float, Meta(gt=0.0, le=86_400.0)]
    option: Annotated[int, Meta(ge=0)]
    side: Literal["buy", "sell"]
    contracts: Contracts
    schedule: ScheduleKind = "twap"
    volume_weights: tuple[Annotated[float, Meta(ge=0.0)], ...] = (3.0, 2.0, 1.5, 1.5, 2.0, 4.0)


class Schedule:
    """How much of a parent order should be done by a time.

    The weights' cumulative sum runs in a clock of its own; an ``impact`` schedule's clock goes at most twice
    and at least half as fast as time, and never leaves more than the rest of the time can hold.
    """

    def __init__(self, table: ParentTable, begin_ns: int) -> None:
        self._kind = table.schedule
        self._begin_ns, self._length_ns = begin_ns, max(1, round(table.over_s * 1e9))
        weights = table.volume_weights if table.schedule == "vwap" else (1.0,)
        self._weights = weights if sum(weights) > 0 else (1.0,)
        self._clock, self._at_ns = 0.0, begin_ns
        self._mean: float | None = None

    def share(self, now_ns: int, slippage_ticks: float | None = None) -> float:
        """0 to 1; ``now_ns`` never falls."""
        passed = min(1.0, (now_ns - self._begin_ns) / self._length_ns)
        if self._kind == "impact":
            step = (now_ns - self._at_ns) / self._length_ns
            self._clock = min(1.0, self._clock + step * self._speed(slippage_ticks))
            # The second half at double speed is the most that can be made good.
            clock = max(self._clock, 2 * passed - 1)
        else:
            clock = passed
        self._at_ns = now_ns
        place = clock * len(self._weights)
        whole = min(int(place), len(self._weights) - 1)
        done = sum(self._weights[:whole]) + (place - whole) * self._weights[whole]
        return min(1.0, done / sum(self._weights))

    def _speed(self, slippage_ticks: float | None) -> float:
        if slippage_ticks is None:
            return 1.0
        now = max(slippage_ticks, 1e-3)
        self._mean = now if self._mean is None else self._mean + (now - self._mean) / 16
        return min(2.0, max(0.5, self._mean / now))
