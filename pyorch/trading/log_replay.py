"""A run log through the quoting path again: the same messages, byte for byte.

The log's first block names bundle, configuration and plan; its rows and inputs are all that a run depends on.
Nothing of the exchange, the disk, the clock or the engines is needed: the reference's bits are every exact
engine's, and which one answered, and what was late, are inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import MismatchError, UsageError
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.fix.decode import split_messages
from pyorch.trading.log import RunLog
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import JournalBatch, without_clock
from pyorch.trading.stated_answer import AnswerSource

ROWS = 512
"""Rows between two drains of the rings."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A log's run once more.

    Attributes:
        batch: what it did.
        positions_lots: what is held at its end; sequences: per venue of the last message; open_lots: per
            option what could still be bought and sold.
    """

    batch: JournalBatch
    positions_lots: list[int]
    sequences: list[int]
    open_lots: list[tuple[int, int]]


def replay_log(log: RunLog, bundle: Bundle, plan: QuotingPlan) -> Replayed:
    """Run the log's rows and inputs again.

    Raises:
        UsageError: the log begins in the middle of a market.
    """
    assert bundle.schema is not None
    events, inputs = log.events, log.inputs
    if log.stretches and log.stretches[0].first_row != 0:
        raise UsageError("the log begins in the middle of a market; give the one before it")
    steps = _native.DeskSteps(
        native_settings(plan, AnswerSource.INPUTS),
        open_stream(bundle.schema),
        _native.LstmTickEngine(native_engine(bundle, "auto")),
        event_words(events),
    )
    parts: list[JournalBatch] = []

    def reach(row: int) -> None:
        while steps.row < row:
            steps.advance(NEVER, min(row, steps.row + ROWS), False)
            parts.append(batch_of(*steps.drain()))

    for at in range(len(inputs)):
        reach(int(inputs["row"][at]))
        steps.take(input_words(inputs[at : at + 1]))
        parts.append(batch_of(*steps.drain()))
    reach(len(events))
    return Replayed(
        JournalBatch.join(parts),
        list(steps.positions_lots),
        [steps.sequence(venue) for venue in range(max(plan.limits.venue_of) + 1)],
        list(steps.open_lots),
    )


def check_replay(log: RunLog, again: JournalBatch) -> None:
    """Whether a replay says what the log says.

    Raises:
        MismatchError: a message, quote or record differs; the first one is named.
    """
    ours, theirs = split_messages(log.batch.fix), split_messages(again.fix)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            raise MismatchError(
                f"message {number + 1} of {len(ours)} differs: the log has {one!r}, the replay {other!r}"
            )
    if len(ours) != len(theirs):
        raise MismatchError(f"the log has {len(ours)} messages, the replay {len(theirs)}")
    if log.batch.quotes.tobytes() != again.quotes.tobytes():
        raise MismatchError("the messages are equal, quote records are not")
    if without_clock(log.batch.ticks).tobytes() != without_clock(again.ticks).tobytes():
        raise MismatchError("messages and quotes are equal, tick records are not")
