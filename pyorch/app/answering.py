"""Who answers the ticks of a loop: one engine, or a card with the native engine as its hot shadow."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Engine
from pyorch.contract.errors import UsageError
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.failover.configuration import EnginesConfig
from pyorch.inference.failover.native import NativeFailover
from pyorch.inference.registry import open_engine
from pyorch.trading.card_decisions import CardDecisions, OpenedEventCard
from pyorch.trading.config import QuotingConfig, load_config

NATIVE = "cpu"
EVENT_CARDS = "pyorch.event_cards"
"""Entry points: name → class with ``open(bundle, config, **options)``, an `OpenedEventCard`."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Opened engines.

    Attributes:
        engine: the only one, or the card.
        client: for the tick loop; None: its own native engine.
        pair: the card and its shadow; None: there is only one engine.
        decisions: the card takes events and decides, the loop is its shadow; None: it does not.
    """

    engine: Engine | OpenedEventCard
    client: _native.TickEngine | None = None
    pair: NativeFailover | None = None
    decisions: CardDecisions | None = None

    @property
    def beside(self) -> NativeFailover | CardDecisions | None:
        """What holds a card against the native engine."""
        return self.pair or self.decisions

    def in_words(self) -> str:
        """``card, simulated card, folded; shadow cpu``."""
        info = self.engine.info
        return f"{info.name}, {info.device}" + (f"; shadow {NATIVE}" if self.beside else "")

    def facts(self) -> dict[str, Any]:
        """Counters of the pair and what befell the card; of a finished loop."""
        beside = self.beside
        if beside is None:
            return {}
        befallen = beside.records() if isinstance(beside, NativeFailover) else beside.incidents()
        incidents = [
            {
                "tick": one.sequence,
                "at_ns": one.at_ns,
                "engine": one.engine,
                "incident": one.incident.value,
                "state": one.state.value,
            }
            for one in befallen
        ]
        return {"failover": {"counts": beside.counts, "incidents": incidents}}

    def close(self) -> None:
        """Release the engine."""
        self.engine.close()


def open_answering(
    bundle: Bundle,
    engine: str,
    group: EnginesConfig | None = None,
    config: QuotingConfig | None = None,
) -> Answering:
    """Open an engine by name, or the pair of a configuration; golden vectors are replayed.

    Args:
        config: whose policy a card that takes events decides by.

    Raises:
        UsageError: no native client, or a group that the tick loop does not carry.
        PyorchError: as the engines' ``open``.
    """
    if group is None:
        return _single(bundle, engine, {})
    first, *others = group.order
    options = group.options.get(first, {})
    if first == NATIVE:
        return _single(bundle, first, options)
    if others != [NATIVE]:
        raise UsageError(
            f"order = {list(group.order)}: the tick loop takes {NATIVE} alone, or a card with {NATIVE} as "
            f'its shadow, as order = ["card", "{NATIVE}"]; other orders are for `open_group`'
        )
    if entry := next(iter(entry_points(group=EVENT_CARDS, name=first)), None):
        opened: OpenedEventCard = entry.load().open(bundle, config or load_config(), **options)
        try:
            decisions = CardDecisions(bundle, opened, group.settings())
        except UsageError:
            opened.close()
            raise
        return Answering(opened, decisions=decisions)
    card = _single(bundle, first, options)
    client, clock = card.client, getattr(card.engine, "tick_clock", None)
    if not isinstance(client, _native.Card):
        card.close()
        raise UsageError(f"the engine {first!r} is no card and cannot be shadowed; use {NATIVE}")
    try:
        pair = NativeFailover(bundle, client, group.settings(), clock() if clock else None)
    except UsageError:
        card.close()
        raise
    return Answering(card.engine, pair.engine, pair)


def _single(bundle: Bundle, name: str, options: dict[str, Any]) -> Answering:
    opened = open_engine(name, bundle, **options)
    if isinstance(opened, CpuEngine):
        return Answering(opened)
    if not hasattr(opened, "tick_engine"):
        opened.close()
        raise UsageError(
            f"the engine {name!r} has no native client and cannot answer the tick loop; use cpu or card"
        )
    return Answering(opened, opened.tick_engine())
