"""How far parent orders are: what a desk's log says of them, for the desk that goes on after it.

Each child's number is in the log before the child leaves, and each fill is an input; with what the log's
first block says of the time before, and what each decision says of the rest, nothing is bought twice. The
child that was alive is gone: venues cancel on disconnect.
"""

from __future__ import annotations

from typing import Any

from pyorch.contract.errors import DataError
from pyorch.trading.executor import PROGRESS, Executor, ParentState
from pyorch.trading.inputs import InputArray, InputKind

Progress = list[dict[str, Any]]
"""Per parent order its table and state, as JSON."""
_SUMS = ("done_lots", "paid_ticks", "children")


def progress_of(executor: Executor) -> Progress:
    """How far they are now."""
    return [
        _names(one)
        | one.progress()
        | {name: getattr(one, name) for name in _SUMS}
        | {"sent": sorted(one.sent)}
        for one in executor.parents
    ]


def go_on(executor: Executor, progress: Progress) -> None:
    """Take over where another desk stood.

    Raises:
        DataError: those are other parent orders.
    """
    found = [{name: one[name] for name in ("option", "side", "lots")} for one in progress]
    if found != [_names(one) for one in executor.parents]:
        raise DataError(
            f"the log has the parent orders {found}, the configuration others: go on with the configuration "
            "that the run began with, or begin in an empty folder"
        )
    for one, before in zip(executor.parents, progress, strict=True):
        for name in (*PROGRESS, *_SUMS):
            setattr(one, name, before[name])
        one.sent = set(before["sent"])


def progressed(before: Progress, texts: list[dict[str, Any]], inputs: list[InputArray]) -> Progress:
    """Where they stand after a log.

    Args:
        before: of the log's first block.
        texts, inputs: of the log, and inputs that only the sessions have seen.
    """
    after = [one | {"sent": list(one["sent"])} for one in before]
    for text in texts:
        if "parent" in text:
            one = after[text["parent"]]
            one |= text["progress"]
            one["children"] += 1
            one["sent"].append(_number(text["fix"]))
    for rows in inputs:
        fills = rows[(rows["kind"] == InputKind.FILLED) & (rows["value"] == 1)]
        for row in fills:
            for one in after:
                if one["option"] == row["option"] and int(row["sequence"]) in one["sent"]:
                    one["done_lots"] += int(row["lots"])
                    one["paid_ticks"] += int(row["lots"]) * int(row["price_ticks"])
    return after


def _names(one: ParentState) -> dict[str, Any]:
    return {"option": one.table.option, "side": one.table.side, "lots": one.lots}


def _number(message: str) -> int:
    """Of a logged order."""
    return int(message.split("\x0134=")[1].split("\x01")[0])
