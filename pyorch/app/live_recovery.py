"""Where the last desk of a live run's folder stood: its log, and what its sessions have taken in since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.trading.desk import SCHEDULED
from pyorch.trading.exchange.far import REPORTED, taken_inputs
from pyorch.trading.fix.store import DiskStore
from pyorch.trading.inputs import InputArray, InputKind
from pyorch.trading.live_desk import LEAVER
from pyorch.trading.log import RunLog, read_log
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.parent_progress import Progress, progressed
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.recovery import Recovery, orders_in_force


@dataclass(frozen=True, slots=True)
class LastDesk:
    """What a desk goes on from.

    Attributes:
        recovery: None: there was no desk.
        taken: per venue how many reports the session has taken in.
        number: of the next log.
        parents: how far parent orders are.
        scheduled: how many of the configuration's orders were given.
    """

    recovery: Recovery | None
    taken: list[int]
    number: int = 1
    parents: Progress | None = None
    scheduled: int = 0


def logs_of(out: Path) -> list[Path]:
    """The logs of a run's folder, in order."""
    return sorted(out.glob("run.*.log"), key=lambda path: int(path.name.split(".")[1]))


def recover_run(out: Path, market: str, bundle: Bundle, plan: QuotingPlan) -> LastDesk:
    """Where the last desk stood.

    Args:
        market: name of the market that the venues serve now.

    Raises:
        UsageError: the folder's logs are of another market.
        MismatchError: the last log does not replay.
        DataError: log and sessions do not agree.
    """
    logs = logs_of(out)
    log = read_log(logs[-1]) if logs else None
    if log is not None and log.begin["market"] != market:
        raise UsageError(
            f"{logs[-1]} is of the market {log.begin['market']}, the venues serve {market}: positions and "
            "numbers of the one mean nothing in the other; give --out an empty folder"
        )
    taken = []
    for venue in range(len(plan.targets)):
        codec = plan.codec_of(venue)
        store = DiskStore(out / f"{codec.target}.session")
        store.close()
        taken.append(taken_inputs(store.records, venue, codec))
    counts = [len(reports) for reports in taken]
    if log is None:
        return LastDesk(None, counts)
    replayed = replay_log(log, bundle, plan)
    check_replay(log, replayed.batch)
    unseen = [0] * len(plan.universe.options)
    later = [row for venue, reports in enumerate(taken) for row in _unseen(log, venue, reports)]
    for row in later:
        if row["kind"][0] == InputKind.FILLED:
            lots = int(row["lots"][0])
            unseen[int(row["option"][0])] += lots if row["side"][0] == 0 else -lots
    positions = [a + b for a, b in zip(replayed.positions_lots, unseen, strict=True)]
    orders, killed = orders_in_force(log)
    by_people = [not _is_leaving(log, row) for row in orders]
    found = Recovery(
        tuple(positions), tuple(unseen), tuple(replayed.sequences), (), orders[by_people], killed
    )
    parents = progressed(log.begin["parents"], log.texts, [log.inputs, *later])
    scheduled = log.begin["scheduled"] + sum(SCHEDULED in text for text in log.texts)
    return LastDesk(found, counts, int(log.begin["run"]) + 1, parents, scheduled)


def _is_leaving(log: RunLog, row: Any) -> bool:
    """Whether an order in force is the pause at a run's own end."""
    text = int(row["text"]) - 1
    return row["kind"] == InputKind.PAUSE and text >= 0 and log.texts[text].get("who") == LEAVER


def _unseen(log: RunLog, venue: int, reports: list[InputArray]) -> list[InputArray]:
    """Reports that a session took in after the last one in the log."""
    inputs = log.inputs
    mine = inputs[np.isin(inputs["kind"], REPORTED) & (inputs["venue"] == venue)]
    first = int(log.begin["taken"][venue])
    seen = reports[first : first + len(mine)]
    same = len(seen) == len(mine) and all(
        one["kind"][0] == other["kind"] and one["sequence"][0] == other["sequence"]
        for one, other in zip(seen, mine, strict=True)
    )
    if not same:
        raise DataError(
            f"the log holds {len(mine)} reports of venue {venue} from its report {first + 1} on, its session "
            f"has taken in others ({len(reports)} in all): the files are not of one run; compare positions "
            "with the venue, then begin in an empty folder"
        )
    return reports[first + len(mine) :]
