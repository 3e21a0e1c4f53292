"""What may work on a desk beside its quotes (parent orders, requests), and what the desk lends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pyorch.contract.bundle import Bundle
from pyorch.trading.arming import output_index
from pyorch.trading.execution import Forecast, OptionMarket
from pyorch.trading.inputs import InputArray
from pyorch.trading.records import TickFlag

FRESH_NS = 1_000_000_000
"""A forecast from an older tick is none."""


class Hands(Protocol):
    """What a desk does for an activity; everything goes through its risk gate and its log.

    Attributes:
        now_ns: local time; lot_btc: contracts a lot.
    """

    now_ns: int
    lot_btc: float

    @property
    def last_tick(self) -> Any:
        """The last tick's record (`pyorch.trading.records.TICK_DTYPE`), or None."""

    def option_market(self, option: int) -> OptionMarket:
        """The best prices of others."""

    def values_nano(self) -> list[int]:
        """Per option its value in 1e-9 BTC; empty before the first pricing."""

    def place(
        self, option: int, side: int, price: int, lots: int, rests: bool, why: dict[str, Any]
    ) -> int | str:
        """Send an order; its sequence, or why the risk gate refuses it."""

    def take_back(self, option: int, side: int, of: int) -> int:
        """Ask for an order back; the message's sequence."""

    def order_left(self, option: int, side: int, price: int, lots: int) -> None:
        """What still rests of an order; 0 lots: it is gone."""

    def allows(self, option: int, side: int, price: int, lots: int) -> str | None:
        """Why the risk gate refuses an order; None: it does not."""

    def answer(
        self, request: int, option: int, side: int, price: int, lots: int, until_ns: int
    ) -> None:
        """Answer a request for a quote."""

    def confirm(self, request: int, deal: bool) -> None:
        """The last look at an answer that was accepted."""

    def say(self, fields: dict[str, Any]) -> None:
        """Into the log."""


class Activity(Protocol):
    """Something that works on a desk."""

    def due_ns(self) -> int:
        """When it wants to act next."""

    def act(self, hands: Hands) -> None:
        """It is time."""

    def hear(self, row: InputArray, hands: Hands) -> None:
        """An input that the desk took in."""

    def leave(self, hands: Hands) -> None:
        """The run ends soon: what rests is taken back, nothing new is begun."""


@dataclass(frozen=True, slots=True)
class ForecastReader:
    """What a model's scores say; outputs that it does not have, or could not learn, say nothing.

    Attributes:
        outputs: down, up, stable, slippage, volatility: index or None.
        step: value of a linear output's last bit.
    """

    outputs: tuple[int | None, ...]
    step: float

    @classmethod
    def of(cls, bundle: Bundle) -> ForecastReader:
        """Of a bundle's heads."""
        spec = bundle.spec
        index = output_index(spec)
        linear = {
            head.name: f"{head.name}.{head.outputs[0]}"
            for head in spec.heads
            if head.kind == "linear"
        }
        learnt = {head.name for head in spec.heads if head.trainable}
        names = ("direction.down", "direction.up", "direction.stable")
        every = (*names, linear.get("slippage", "."), linear.get("volatility", "."))
        found = tuple(index.get(name) if name.split(".")[0] in learnt else None for name in every)
        return cls(found, 2.0**-spec.logits.fraction)

    def read(self, tick: Any, now_ns: int) -> Forecast:
        """Of the last tick's record; nothing from an old one, a cold, an invalid or a switched-off model."""
        wanted = TickFlag.MODEL_VALID | TickFlag.WARM | TickFlag.BOOK_VALID
        if tick is None or now_ns - int(tick["local_ns"]) > FRESH_NS:
            return Forecast()
        flags = int(tick["flags"])
        if flags & wanted != wanted or flags & TickFlag.MODEL_OFF:
            return Forecast()
        values = [None if k is None else int(tick["scores"][k]) for k in self.outputs]
        down, up, stable, slippage, octaves = values
        return Forecast(
            down,
            up,
            stable,
            None if slippage is None else slippage * self.step,
            None if octaves is None else 100 * (2 ** (octaves * self.step) - 1),
        )
