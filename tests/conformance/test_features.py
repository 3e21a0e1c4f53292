"""Streaming features equal the batch definition on whole markets, simulated and recorded."""

import numpy as np
import pytest

from pyorch.contract.events import event_words
from pyorch.contract.schema import FeatureSchema
from pyorch.features import batch, streaming
from pyorch.features.definitions import default_schema, extended_schema, schema_with_basis
from pyorch.features.streaming import open_stream
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape


def assert_same(tape: Tape, schema: FeatureSchema) -> batch.FeatureTable:
    defined, streamed = batch.compute(tape, schema), streaming.compute(tape, schema)
    for name in ("row", "local_ns", "segments", "raw", "features"):
        np.testing.assert_array_equal(
            getattr(streamed, name), getattr(defined, name), err_msg=name, strict=True
        )
    return defined


@pytest.mark.parametrize("seed", [1, 2])
def test_streaming_equals_batch_on_a_simulated_market(seed: int) -> None:
    tape = insert_timer_ticks(simulate(seed, 60.0))
    assert len(assert_same(tape, extended_schema()).row) > 4_000


def test_streaming_equals_batch_with_a_second_instrument() -> None:
    tape = insert_timer_ticks(simulate(3, 30.0, second=True))
    table = assert_same(tape, schema_with_basis(*tape.instruments))
    basis = table.raw[:, -2:]
    assert np.count_nonzero(basis) > len(basis), "the basis moves against both of its averages"


def test_an_event_costs_less_than_microseconds_natively() -> None:
    """A bound that only a broken implementation misses on a busy machine."""
    tape = insert_timer_ticks(simulate(4, 20.0))
    words = event_words(tape.events)
    best = min(open_stream(default_schema()).time_events(words)[0] for _ in range(3))
    assert best / len(words) < 5_000.0
