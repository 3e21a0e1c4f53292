"""Counterparties that ask the desk for quotes, beside the venues' books.

They come as a Poisson process, each about one option and one side. An answer is taken when it is within the
asker's patience of the option's value; an informed asker knows the value some time ahead, and takes what is
better. The deal is booked when the desk's last look confirms it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pyorch.trading.exchange.settings import RequestFlowSettings
from pyorch.trading.inputs import InputArray, InputKind, make_input

BP_BTC = 1e-4


@dataclass(slots=True)
class Asked:
    """A request on its way."""

    option: int
    side: int
    lots: int
    counterparty: int
    patience_btc: float
    informed: bool
    price_ticks: int = 0
    until_ns: int = 0
    dealt: bool = False


class RequestFlow:
    """All requests of a run.

    Args:
        value_at: an option's value in BTC at a time, NaN where there is none.
        span_ns: of the market; delay_ns: draws a delay to or from the desk.
        push: makes something happen at a time; report: sends a row to the desk.
        deal: books a trade (option, side, price, lots, time).
    """

    def __init__(
        self,
        settings: RequestFlowSettings,
        options: int,
        seed: int,
        span_ns: tuple[int, int],
        tick_btc: float,
        value_at: Callable[[int, int], float],
        push: Callable[..., None],
        report: Callable[[int, int, InputArray], None],
        deal: Callable[[int, int, int, int, int], None],
    ) -> None:
        self.settings, self._tick_btc = settings, tick_btc
        self._value_at, self._push, self._report, self._deal = value_at, push, report, deal
        self.asked: list[Asked] = []
        draw, now_s = Random(seed), 0.0
        while settings.per_s > 0:
            now_s += draw.expovariate(settings.per_s)
            when = span_ns[0] + int(now_s * 1e9)
            if when >= span_ns[1]:
                break
            counterparty = draw.randrange(len(settings.informed_shares))
            self.asked.append(
                Asked(
                    draw.randrange(options),
                    draw.randrange(2),
                    draw.randint(1, settings.lots),
                    counterparty,
                    draw.expovariate(1.0) * settings.patience_bp * BP_BTC,
                    draw.random() < settings.informed_shares[counterparty],
                )
            )
            push(when, "request", len(self.asked))

    def ask(self, now_ns: int, number: int) -> None:
        """Request ``number`` (from 1) leaves."""
        one = self.asked[number - 1]
        row = make_input(
            InputKind.REQUEST, 0, option=one.option, side=one.side, lots=one.lots, sequence=number,
            value=one.counterparty,
        )  # fmt: skip
        self._report(0, now_ns, row)

    def answered(self, now_ns: int, number: int, price_ticks: int, until_ns: int) -> None:
        """The desk's answer arrives; whoever asked takes it or does not."""
        one = self.asked[number - 1]
        one.price_ticks, one.until_ns = price_ticks, until_ns
        ahead_ns = round(self.settings.informed_ahead_ms * 1e6) if one.informed else 0
        value, price = self._value_at(one.option, now_ns + ahead_ns), price_ticks * self._tick_btc
        gain = price - value if one.side == 0 else value - price
        if not math.isnan(gain) and gain > (0.0 if one.informed else -one.patience_btc):
            self._push(now_ns + round(self.settings.reaction_ms * 1e6), "take", number)

    def take(self, now_ns: int, number: int) -> None:
        """The answer is taken."""
        if now_ns <= self.asked[number - 1].until_ns:
            row = make_input(InputKind.ACCEPTANCE, 0, sequence=number)
            self._report(0, now_ns, row)

    def confirmed(self, now_ns: int, number: int) -> None:
        """The desk's last look confirms the deal: it is booked once."""
        one = self.asked[number - 1]
        if not one.dealt:
            one.dealt = True
            self._deal(one.option, one.side, one.price_ticks, one.lots, now_ns)
