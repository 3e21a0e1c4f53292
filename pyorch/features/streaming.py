"""Streaming features: the native twin of `pyorch.features.batch`, opened from a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyorch._native import FeatureStream
from pyorch.contract.errors import UsageError
from pyorch.contract.events import event_words
from pyorch.contract.fixed import IntArray
from pyorch.contract.schema import FeatureSchema
from pyorch.features.arithmetic import LOG2_TABLE, MICRO_TABLE
from pyorch.features.batch import FeatureTable
from pyorch.features.definitions import check_schema
from pyorch.market.tape import Tape


@dataclass(frozen=True, slots=True, eq=False)
class TickBook:
    """What the book of instrument 0 is at each tick: what labels are made of.

    Attributes:
        mid: [ticks] half-ticks.
        micro: [ticks] micro-price, 1/256 half-tick.
        near_lots: [ticks, 2] lots within the best levels of each side.
        cost: [ticks, 2] of selling into the bids and buying from the asks a number of lots: the sum of
            half-ticks from the mid times lots; -1 where the side holds too little.
    """

    mid: IntArray
    micro: IntArray
    near_lots: IntArray
    cost: IntArray


def open_stream(schema: FeatureSchema) -> FeatureStream:
    """A stream without events so far.

    Raises:
        UsageError: the schema cannot be computed.
    """
    check_schema(schema)
    specs = [
        (one.kind, one.parameters, one.offset, one.multiplier, one.shift) for one in schema.features
    ]
    return FeatureStream(
        specs,
        LOG2_TABLE.tolist(),
        MICRO_TABLE.tolist(),
        schema.format.minimum,
        schema.format.maximum,
        schema.instruments,
    )


def compute(tape: Tape, schema: FeatureSchema) -> FeatureTable:
    """All features of a tape; equal to `pyorch.features.batch.compute`, faster."""
    return compute_with_book(tape, schema, 1, 1)[0]


def compute_with_book(
    tape: Tape, schema: FeatureSchema, near_levels: int, slippage_lots: int
) -> tuple[FeatureTable, TickBook]:
    """All features of a tape, and its book at each tick.

    Args:
        near_levels: how many levels ``near_lots`` sums.
        slippage_lots: how many lots ``cost`` trades, at most 2^34.

    Raises:
        UsageError: the schema cannot be computed, or reads more instruments than the tape has.
    """
    if schema.instruments > len(tape.instruments):
        raise UsageError(
            f"the schema reads {schema.instruments} instruments, the tape {tape.name} has "
            f"{len(tape.instruments)}: use default_schema(), or a tape with the second instrument"
        )
    found: dict[str, Any] = open_stream(schema).run(
        event_words(tape.events), near_levels, slippage_lots
    )
    table = FeatureTable(
        found["features"], found["raw"], found["row"], found["local_ns"], found["segments"]
    )
    return table, TickBook(found["mid"], found["micro"], found["near_lots"], found["cost"])
