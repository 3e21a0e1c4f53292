"""What a desk lends to activities: orders through its gate and log, market prices, its own values."""

from __future__ import annotations

from typing import Any

from pyorch import _native
from pyorch.trading.desk_settings import Counterparty
from pyorch.trading.execution import OptionMarket
from pyorch.trading.inputs import InputKind
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import Refusal


class Lent:
    """The part of `pyorch.trading.desk.Desk` that is a `pyorch.trading.desk_activity.Hands`."""

    plan: QuotingPlan
    exchange: Counterparty
    steps: _native.DeskSteps
    templates: list[_native.FixOrderTemplates]
    now_ns: int

    def say(self, fields: dict[str, Any]) -> None:
        """Into the log."""
        raise NotImplementedError

    def _note(self, kind: InputKind, **fields: int) -> None:
        raise NotImplementedError

    def _queue(self, messages: list[bytes]) -> int:
        raise NotImplementedError

    def _send(self, number: int) -> None:
        raise NotImplementedError

    def option_market(self, option: int) -> OptionMarket:
        """The best prices of others."""
        return OptionMarket(*self.exchange.best(option, self.now_ns))

    def values_nano(self) -> list[int]:
        """Per option its value in 1e-9 BTC, of the last pricing."""
        return list(self.steps.values_nano)

    def allows(self, option: int, side: int, price: int, lots: int) -> str | None:
        """Why the risk gate refuses an order; None: it does not."""
        found = self.steps.check_order(option, side, price, lots, self.now_ns)
        return None if found == len(Refusal) else Refusal(found).name.lower()

    def place(
        self, option: int, side: int, price: int, lots: int, rests: bool, why: dict[str, Any]
    ) -> int | str:
        """Send an order; its sequence, or why the risk gate refuses it."""
        refused = self.allows(option, side, price, lots)
        if refused is not None:
            return refused
        venue, sequence = self._next_message(option)
        message = self.templates[venue].order(
            sequence, self.now_ns, option, side, price, lots, rests
        )
        self._note(InputKind.OWN_ORDER, option=option, side=side, price_ticks=price, lots=lots)
        self._send_own(message, why)
        return sequence

    def take_back(self, option: int, side: int, of: int) -> int:
        """Ask for an order back; the message's sequence."""
        venue, sequence = self._next_message(option)
        message = self.templates[venue].take_back(sequence, self.now_ns, option, side, of)
        self._send_own(message, {})
        return sequence

    def order_left(self, option: int, side: int, price: int, lots: int) -> None:
        """What still rests of an order; 0 lots: it is gone."""
        self._note(InputKind.OWN_ORDER, option=option, side=side, price_ticks=price, lots=lots)

    def answer(
        self, request: int, option: int, side: int, price: int, lots: int, until_ns: int
    ) -> None:
        """Answer a request for a quote."""
        self.exchange.respond(request, option, side, price, until_ns, self.now_ns)

    def confirm(self, request: int, deal: bool) -> None:
        """The last look at an answer that was accepted."""
        self.exchange.confirm(request, deal, self.now_ns)

    def _next_message(self, option: int) -> tuple[int, int]:
        """Venue and number of a message beside the quotes; the quotes are numbered on after it."""
        venue = self.plan.limits.venue_of[option]
        sequence = self.steps.sequence(venue) + 1
        self._note(InputKind.SEQUENCE, venue=venue, sequence=sequence)
        return venue, sequence

    def _send_own(self, message: bytes, why: dict[str, Any]) -> None:
        self.say(why | {"fix": message.decode("latin-1"), "local_ns": self.now_ns})
        self._send(self._queue([message]))
