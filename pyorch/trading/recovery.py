"""After a crash: what the log says, what the venues say, and what a desk that begins anew must start from.

The log holds every message that was sent, since none is sent before it; the venues hold what happened to
them. Fills that the log has not seen are the venues' positions minus the replay's. Messages are numbered on
from the larger of both counts, so that nothing is sent twice under one number. What operators ordered stays
in force: a desk that was killed, or ended by itself, begins killed until a named person re-arms it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind, make_input
from pyorch.trading.log import RunLog
from pyorch.trading.log_replay import check_replay, replay_log
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import TickFlag


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where to begin anew.

    Attributes:
        positions_lots: the venues', which count.
        unseen_lots: per option what was filled without the log knowing.
        sequences: per venue the last number that is used up.
        to_cancel: (option, side, price in ticks, lots) that still rest at a venue.
        orders: inputs that put in force again what was in force: pause, model off, widening, size cap,
            limits, market-maker protection that had acted.
        killed: the kill switch was down, or the run ended by an error, which pulls it.
    """

    positions_lots: tuple[int, ...]
    unseen_lots: tuple[int, ...]
    sequences: tuple[int, ...]
    to_cancel: tuple[tuple[int, int, int, int], ...]
    orders: InputArray
    killed: bool


_TAKEN_BACK = {
    InputKind.RESUME: InputKind.PAUSE,
    InputKind.MODEL_ON: InputKind.MODEL_OFF,
    InputKind.REARM: InputKind.KILL,
}
"""Orders that end another one."""
_IN_FORCE = (
    InputKind.PAUSE, InputKind.MODEL_OFF, InputKind.WIDEN, InputKind.SIZE_CAP, InputKind.LIMIT,
    InputKind.KILL,
)  # fmt: skip


def orders_in_force(log: RunLog) -> tuple[InputArray, bool]:
    """What operators had ordered when the log ends, as inputs; and whether the kill switch was down."""
    latest: dict[tuple[InputKind, int], InputArray] = {}
    inputs = log.inputs
    for at in range(len(inputs)):
        kind = InputKind(int(inputs["kind"][at]))
        which = int(inputs["option"][at]) if kind is InputKind.LIMIT else 0
        if kind in _TAKEN_BACK:
            latest.pop((_TAKEN_BACK[kind], 0), None)
        elif kind in _IN_FORCE:
            latest[kind, which] = inputs[at : at + 1]
    killed = latest.pop((InputKind.KILL, 0), None) is not None
    killed |= any("ended_by" in text for text in log.texts)
    ticks = log.batch.ticks
    after = inputs["row"] > (int(ticks["row"][-1]) if len(ticks) else -1)
    kinds = inputs["kind"][after].tolist()
    frozen = bool(len(ticks)) and bool(int(ticks["flags"][-1]) & TickFlag.FROZEN)
    frozen = (frozen or InputKind.PROTECTION in kinds) and InputKind.RESET_PROTECTION not in kinds
    rows = list(latest.values())
    if frozen:
        rows.append(make_input(InputKind.PROTECTION, 0))
    return np.concatenate([np.zeros(0, INPUT_DTYPE), *rows]), killed


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
    orders, killed = orders_in_force(log)
    return Recovery(tuple(positions), unseen, sequences, tuple(live), orders, killed)
