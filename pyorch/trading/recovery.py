"""After a crash: what the log says, what the venues say, and what a desk that begins anew must start from.

The log holds every message that was sent, since none is sent before it; the venues hold what happened to
them. Fills that the log has not seen are the venues' positions minus the replay's. Messages are numbered on
from the larger of both counts, so that nothing is sent twice under one number.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError
from pyorch.trading.log import RunLog
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.plan import QuotingPlan


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where to begin anew.

    Attributes:
        positions_lots: the venues', which count.
        unseen_lots: per option what was filled without the log knowing.
        sequences: per venue the last number that is used up.
        to_cancel: (option, side, price in ticks, lots) that still rest at a venue.
    """

    positions_lots: tuple[int, ...]
    unseen_lots: tuple[int, ...]
    sequences: tuple[int, ...]
    to_cancel: tuple[tuple[int, int, int, int], ...]


def recover(
    log: RunLog,
    bundle: Bundle,
    plan: QuotingPlan,
    venues: tuple[list[int], list[int], list[tuple[int, int, int, int]]],
) -> Recovery:
    """Replay the log and reconcile it with the venues.

    Args:
        venues: positions, last sequence per venue and live orders, as `Exchange.reconcile` tells them.

    Raises:
        MismatchError: the log does not replay.
        DataError: a venue has taken in a message that the log does not hold.
    """
    replayed = replay_log(log, bundle, plan)
    check_replay(log, replayed.batch)
    positions, taken_in, live = venues
    for venue, (theirs, ours) in enumerate(zip(taken_in, replayed.sequences, strict=True)):
        if theirs > ours:
            raise DataError(
                f"venue {venue} has taken in message {theirs}, the log ends at {ours}: messages were sent "
                "that it does not hold; run with durable = true, and keep quotes withdrawn until a "
                "person has compared the positions"
            )
    unseen = tuple(a - b for a, b in zip(positions, replayed.positions_lots, strict=True))
    sequences = tuple(max(a, b) for a, b in zip(taken_in, replayed.sequences, strict=True))
    return Recovery(tuple(positions), unseen, sequences, tuple(live))
