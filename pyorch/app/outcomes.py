"""What the market did after each tick of a run: the labels, for the report alone."""

from __future__ import annotations

import numpy as np

from pyorch.app.journal import OutcomeArray
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.features.labels import Label, LabelOptions, Thresholds, make_labels
from pyorch.features.streaming import compute_with_book
from pyorch.market.tape import Tape

UNKNOWN = -1
DIRECTIONS = ("down", "stable", "up")


def outcomes_at(rows: IntArray, tape: Tape, bundle: Bundle) -> OutcomeArray:
    """[len(rows), outputs] what happened: 1, 0, or -1 where it is not known or not an event.

    Sizes of significant moves are those that the bundle was trained with (``label_thresholds`` of its
    provenance); without them they are chosen from the whole run.

    Args:
        rows: of the tape, one for each record; rows that made no tick get -1.
        tape: with its timer ticks.
        bundle: names the outputs.
    """
    assert bundle.schema is not None
    options = LabelOptions()
    table, book = compute_with_book(tape, bundle.schema, options.near_levels, 1)
    stated = bundle.provenance.get("label_thresholds")
    thresholds = Thresholds(stated) if stated else None
    whole = slice(0, len(table.row))
    labels, _ = make_labels(table, book, options, 1, whole, thresholds)
    at = np.minimum(np.searchsorted(table.row, rows), len(table.row) - 1)
    found = table.row[at] == rows
    result = np.full((len(rows), len(bundle.spec.outputs)), UNKNOWN, np.int8)
    names = [(head.name, output) for head in bundle.spec.heads for output in head.outputs]
    for column, (head, output) in enumerate(names):
        events = _events(labels, head, output)
        if events is not None:
            result[found, column] = events[at[found]]
    return result


def _events(labels: dict[str, Label], head: str, output: str) -> OutcomeArray | None:
    """[ticks] of one output; None for outputs that are values, or that no label is about."""
    if head in labels and labels[head].kind == "direction" and output in DIRECTIONS:
        label = labels[head]
        happened = label.values == DIRECTIONS.index(output)
    elif f"{head}_{output}" in labels:
        label = labels[f"{head}_{output}"]
        happened = label.values > 0
    else:
        return None
    events: OutcomeArray = np.where(label.valid, happened, UNKNOWN).astype(np.int8)
    return events
