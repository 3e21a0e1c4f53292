"""The arms of a report side by side, with the same simulated takers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyorch.app.arms import ArmResult, FillModel, Quotes, simulate_fills, summarise
from pyorch.app.fair import fair_values
from pyorch.app.journal import Journal
from pyorch.app.judged import held_out_from
from pyorch.app.resting import resting
from pyorch.contract.errors import DataError

ORDER = ("model", "no-model", "always-widen")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arms that were given, and the takers that they met."""

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
    arms = [summarise(j.run.arm, q, simulate_fills(q, fill_model)) for j, q in map(_pair, journals)]
    arms.sort(key=lambda arm: ORDER.index(arm.name) if arm.name in ORDER else len(ORDER))
    given = {arm.name for arm in arms}
    return Comparison(fill_model, tuple(arms), tuple(n for n in ORDER if n not in given))


def _pair(journal: Journal) -> tuple[Journal, Quotes]:
    return journal, quotes_of(journal)


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
