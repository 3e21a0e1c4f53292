"""The arms of a report side by side, with the same simulated takers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyorch.app.arms import (
    ArmResult,
    FillModel,
    Quotes,
    mean_width_btc,
    simulate_fills,
    summarise,
)
from pyorch.app.fair import fair_values
from pyorch.app.journal import Journal
from pyorch.app.judged import held_out_from
from pyorch.app.resting import resting
from pyorch.contract.errors import DataError

ORDER = ("model", "no-model", "always-widen", "shuffled")
EVEN = "evenly wide"
"""The quotes of ``no-model``, moved outward at all times by what gives the model's average width."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms that were given, the even one made from them, and the takers that all met."""

    fill_model: FillModel
    arms: tuple[ArmResult, ...]
    missing: tuple[str, ...]


def compare(journals: Sequence[Journal], fill_model: FillModel) -> Comparison:
    """Meet each journal's quotes with the same takers.

    Raises:
        DataError: the journals are of different tapes: their arms cannot be compared.
    """
    tapes = {journal.run.digests["tape"] for journal in journals}
    if len(tapes) > 1:
        raise DataError(
            f"the {len(journals)} journals are of {len(tapes)} different tapes; "
            "give one report the journals of one tape"
        )
    quotes = {journal.run.arm: quotes_of(journal) for journal in journals}
    arms = {
        name: summarise(name, quotes[name], simulate_fills(quotes[name], fill_model))
        for name in sorted(quotes, key=ORDER.index)
    }
    if "model" in arms and "no-model" in arms:
        even = evenly_wide(quotes["no-model"], quotes["model"])
        arms[EVEN] = summarise(EVEN, even, simulate_fills(even, fill_model))
    missing = tuple(name for name in ORDER[:3] if name not in arms)
    return Comparison(fill_model, tuple(arms.values()), missing)


def evenly_wide(plain: Quotes, model: Quotes) -> Quotes:
    """The quotes without a model, moved outward by what gives the model's average width."""
    outward = (mean_width_btc(model) - mean_width_btc(plain)) / 2
    return replace(plain, bid=plain.bid - outward, ask=plain.ask + outward)


def quotes_of(journal: Journal) -> Quotes:
    """Everything that rested in the part of a run that counts, with fair values."""
    usable = journal.ticks["forward_half_ticks"] > 0
    usable[: held_out_from(journal)] = False
    ticks = journal.ticks[usable]
    rests = resting(journal)
    return Quotes(
        ticks["local_ns"].astype("int64"),
        rests.bid_btc[usable],
        rests.ask_btc[usable],
        rests.bid_lots[usable],
        rests.ask_lots[usable],
        fair_values(journal, ticks),
        float(journal.run.config["quoting"]["lot_btc"]),
    )
