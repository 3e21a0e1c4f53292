"""Answers to requests for quotes: a spread by size, predicted impact and counterparty; the desk looks last.

An answer holds for a stated time. When it is taken the desk looks again: it refuses when the answer has
expired, when the option's value has moved against it by more than a stated part of the underlying, or when
the risk gate refuses; `price_request` and `last_look` are pure functions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from pyorch.trading.desk_activity import ForecastReader, Hands
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.execution import Contracts, Forecast, Milliseconds
from pyorch.trading.inputs import InputArray, InputKind

BasisPoints = Annotated[float, Meta(ge=0.0, le=1e4)]
NANO_PER_BP = 100_000


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are answered; basis points are of the underlying.

    Attributes:
        half_spread_bp: of the smallest request of the best counterparty.
        size_bp_per_contract: added for each contract.
        impact_share: of the predicted slippage of the request's size, added.
        slippage_contracts: that the model's slippage is for.
        worst_score_bp: added for a score of 0, nothing for 1.
        scores: per counterparty 0 to 1: how harmless its trades were; unknown_score: of others.
        maximum_contracts: larger requests are not answered.
        valid_ms: how long an answer holds; last_look_bp: how far its value may move meanwhile.
    """

    half_spread_bp: BasisPoints = 3.0
    size_bp_per_contract: BasisPoints = 0.1
    impact_share: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.5
    slippage_contracts: Contracts = 10.0
    worst_score_bp: BasisPoints = 6.0
    scores: tuple[Annotated[float, Meta(ge=0.0, le=1.0)], ...] = ()
    unknown_score: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    maximum_contracts: Contracts = 50.0
    valid_ms: Milliseconds = 1000
    last_look_bp: BasisPoints = 1.0

    def score(self, counterparty: int) -> float:
        """Of a counterparty."""
        known = 0 <= counterparty < len(self.scores)
        return self.scores[counterparty] if known else self.unknown_score


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for.

    Attributes:
        side: 0 wants to sell to us, 1 to buy.
    """

    number: int
    option: int
    side: int
    lots: int
    counterparty: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that may still be taken."""

    request: Request
    price_ticks: int
    value_nano: int
    until_ns: int


def half_spread_bp(
    settings: RequestSettings, contracts: float, counterparty: int, slippage_bp: float | None
) -> float:
    """Half the spread of an answer; ``slippage_bp``: predicted, for `RequestSettings.slippage_contracts`."""
    impact = (slippage_bp or 0.0) * contracts / settings.slippage_contracts
    return (
        settings.half_spread_bp
        + settings.size_bp_per_contract * contracts
        + settings.impact_share * max(0.0, impact)
        + settings.worst_score_bp * (1.0 - settings.score(counterparty))
    )


def price_request(
    settings: RequestSettings,
    request: Request,
    lot_btc: float,
    value_nano: int,
    slippage_bp: float | None,
    tick_nano: int,
) -> int | str:
    """The price in option ticks, rounded away from the value; or why there is none."""
    contracts = request.lots * lot_btc
    if contracts > settings.maximum_contracts:
        return "too large"
    half = half_spread_bp(settings, contracts, request.counterparty, slippage_bp)
    half_nano = round(half * NANO_PER_BP)
    if request.side == 0:
        price = (value_nano - half_nano) // tick_nano
        return price if price >= 1 else "below one tick"
    return -((-value_nano - half_nano) // tick_nano)


def last_look(
    settings: RequestSettings, answered: Answered, value_nano: int, now_ns: int
) -> str | None:
    """Why an accepted answer is refused; None: it is not."""
    if now_ns > answered.until_ns:
        return "expired"
    moved = value_nano - answered.value_nano
    against = -moved if answered.request.side == 0 else moved
    return "moved" if against > settings.last_look_bp * NANO_PER_BP else None


def _value(hands: Hands, option: int) -> int:
    """Of the last pricing; 0 before the first."""
    values = hands.values_nano()
    return values[option] if values else 0


class RequestDesk:
    """Answers requests; see `pyorch.trading.desk_activity.Activity`.

    Args:
        reader: None: without forecasts.
        excluded: options that are not answered for, since a parent order is at work there.
        half_tick_usd: of the underlying.

    Attributes:
        counts: what became of requests.
    """

    def __init__(
        self,
        settings: RequestSettings,
        reader: ForecastReader | None,
        excluded: frozenset[int],
        tick_nano: int,
        half_tick_usd: float,
    ) -> None:
        self.settings, self._reader, self._excluded = settings, reader, excluded
        self._tick_nano, self._half_tick_usd = tick_nano, half_tick_usd
        self._answered: dict[int, Answered] = {}
        self._booking: dict[tuple[int, int], Answered] = {}
        self.counts: dict[str, int] = {}

    def due_ns(self) -> int:
        """Never by itself."""
        return NEVER

    def act(self, hands: Hands) -> None:
        """Nothing: it is asked."""

    def leave(self, hands: Hands) -> None:
        """Nothing: a desk that pauses answers nobody."""

    def hear(self, row: InputArray, hands: Hands) -> None:
        """Requests, acceptances, and deals that are booked."""
        kind, one = InputKind(int(row["kind"][0])), row[0]
        if kind is InputKind.REQUEST:
            fields = (int(one[name]) for name in ("sequence", "option", "side", "lots", "value"))
            self._answer(Request(*fields), hands)
        elif kind is InputKind.ACCEPTANCE:
            number = int(one["sequence"])
            answered = self._answered.pop(number, None)
            if answered is not None:
                self._look(answered, hands)
            else:  # of a desk before this one, or long expired: whoever waits is told
                self._refuse(number, "unknown", hands)
        elif kind is InputKind.FILLED and int(one["value"]) == 1 and int(one["sequence"]) == 0:
            booked = self._booking.pop((int(one["option"]), int(one["side"])), None)
            if booked is not None:
                request = booked.request
                hands.order_left(request.option, request.side, booked.price_ticks, 0)
                self._count("dealt")

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _slippage_bp(self, hands: Hands) -> float | None:
        if self._reader is None:
            return None
        forecast: Forecast = self._reader.read(hands.last_tick, hands.now_ns)
        if forecast.slippage_ticks is None:
            return None
        ticks = int(hands.last_tick["forward_half_ticks"]) / 2
        return 1e4 * forecast.slippage_ticks / ticks

    def _answer(self, request: Request, hands: Hands) -> None:
        self._count("requests")
        price: int | str = "no value"
        value = _value(hands, request.option)
        slippage_bp = self._slippage_bp(hands)
        if request.option in self._excluded:
            price = "a parent order is at work"
        elif hands.last_tick is not None and value > 0:
            price = price_request(
                self.settings, request, hands.lot_btc, value, slippage_bp, self._tick_nano
            )
        if isinstance(price, int):
            refused = hands.allows(request.option, request.side, price, request.lots)
            price = price if refused is None else refused
        said = {"request": asdict(request), "value_nano": value, "slippage_bp": slippage_bp}
        hands.say(said | {"answer": price, "local_ns": hands.now_ns})
        if isinstance(price, str):
            self._count(f"not answered: {price}")
            return
        self._count("answered")
        valid_ns = self.settings.valid_ms * 1_000_000
        until_ns = hands.now_ns + valid_ns
        old = [k for k, one in self._answered.items() if one.until_ns + valid_ns < hands.now_ns]
        for number in old:
            del self._answered[number]
        self._answered[request.number] = Answered(request, price, value, until_ns)
        hands.answer(request.number, request.option, request.side, price, request.lots, until_ns)

    def _refuse(self, number: int, why: str, hands: Hands) -> None:
        hands.say({"last_look": number, "refused": why, "local_ns": hands.now_ns})
        self._count("accepted")
        self._count(f"last look: {why}")
        hands.confirm(number, False)

    def _look(self, answered: Answered, hands: Hands) -> None:
        request = answered.request
        place = (request.option, request.side)
        value = _value(hands, request.option)
        why = last_look(self.settings, answered, value, hands.now_ns)
        if why is None and place in self._booking:
            why = "another deal is being booked"
        if why is None:
            why = hands.allows(*place, answered.price_ticks, request.lots)
        said = {"last_look": request.number, "value_nano": value, "refused": why}
        hands.say(said | {"local_ns": hands.now_ns})
        self._count("accepted")
        if why is None:
            # Until it is booked the worst case counts it like an order.
            self._booking[place] = answered
            hands.order_left(*place, answered.price_ticks, request.lots)
        else:
            self._count(f"last look: {why}")
        hands.confirm(request.number, why is None)
