"""The whole tick loop in readable Python and NumPy: the definition that the native loop equals.

Features come from the batch oracle, books from the readable book, the model from the golden reference,
the rest from `pyorch.trading.path_twin`; nothing is shared with the native loop but the definitions.
"""

from __future__ import annotations

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.events import Kind
from pyorch.features import batch
from pyorch.features.history import book_history
from pyorch.inference.reference import run_sequence
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.tape import Tape
from pyorch.trading.config import QuotingConfig
from pyorch.trading.path_records import TickInput
from pyorch.trading.path_twin import QuotingPathTwin
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.records import JournalBatch


def run_twin(
    bundle: Bundle, config: QuotingConfig, tape: Tape, plan: QuotingPlan | None = None
) -> JournalBatch:
    """The journal of a tape: equal to `pyorch.trading.loop.TickLoop`'s but for the stage durations.

    Raises:
        UsageError: the bundle has no feature schema.
    """
    if bundle.schema is None:
        raise UsageError(f"{bundle.spec.name}: the bundle has no feature schema")
    tape = insert_timer_ticks(tape)
    plan = plan if plan is not None else make_plan(config, bundle, tape)
    table = batch.compute(tape, bundle.schema)
    logits, scores = [], []
    for features in np.split(table.features, table.segments):
        if len(features):  # the model begins anew with each segment
            part = run_sequence(bundle, features.astype(np.int64))
            logits.append(part[0])
            scores.append(part[1])
    all_logits, all_scores = np.concatenate(logits), np.concatenate(scores)

    book = book_history(tape, 0, 1)
    before = np.concatenate([[False], book.quotable[:-1]])
    lost = set(book.rows[before & ~book.quotable].tolist())
    surfaces = set(np.flatnonzero(tape.events["kind"] == Kind.SURFACE).tolist())
    kinds, instruments = tape.events["kind"], tape.events["instrument"]
    trades = set(np.flatnonzero((kinds == Kind.TRADE) & (instruments == 0)).tolist())
    ticks = {row: k for k, row in enumerate(table.row.tolist())}
    state = np.searchsorted(book.rows, table.row, side="right") - 1
    forwards = book.mid[state]

    path = QuotingPathTwin(plan)
    for row in sorted(lost | surfaces | trades | ticks.keys()):
        event = tape.events[row]
        local_ns, sequence = int(event["local_ns"]), int(event["sequence"])
        if row in surfaces:
            path.surface(int(event["price_ticks"]), int(event["quantity_lots"]), local_ns)
        if row in trades:
            path.trade(int(event["price_ticks"]), local_ns)
        if row in lost:
            path.invalidate(row, local_ns, sequence)
        if row in ticks:
            k = ticks[row]
            path.tick(
                TickInput(
                    row,
                    local_ns,
                    sequence,
                    int(forwards[k]),
                    table.features[k],
                    all_logits[k],
                    all_scores[k],
                )
            )
    return path.drain()
