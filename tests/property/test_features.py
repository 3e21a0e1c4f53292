"""Streaming features equal the batch definition bit for bit, on any stream of events."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch.contract.events import EVENT_DTYPE, Flag, Instrument, Kind, Side
from pyorch.contract.schema import FeatureSchema
from pyorch.features import batch, normalise, streaming
from pyorch.features.definitions import (
    SURFACE_FEATURES,
    extended_schema,
    schema_with_basis,
    with_knees,
)
from pyorch.market.tape import Tape

COARSE = Instrument("COARSE", "simulated", "0.1", "1", 100.0)
FINE = Instrument("FINE", "simulated", "0.02", "0.001")
HUGE = (1 << 62) - 1
SILENCES_NS = (0, 0, 1, 1_000, 900_000, 40_000_000, 134_217_728, 1_500_000_000, 3_600_000_000_000)
BUSY_NS = (0, 1, 1_000, 900_000, 20_000_000)
KINDS = (
    [Kind.DEPTH] * 10
    + [Kind.TRADE] * 6
    + [Kind.SURFACE] * 3
    + [Kind.TIMER] * 2
    + [Kind.SNAPSHOT, Kind.RESET, Kind.BEST]
)


def both_schemas() -> FeatureSchema:
    """All kinds of features: the extended ones, the basis, the surface's."""
    basis = schema_with_basis(COARSE, FINE)
    extended = extended_schema()
    further = tuple(one for one in basis.features if one.name not in extended.names)
    return FeatureSchema(extended.features + further + SURFACE_FEATURES, extended.format, 2)


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Two instruments and a surface; silences of hours, equal times, gaps, resets, one-sided books, huge
    numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gaps_ns = draw(st.sampled_from([SILENCES_NS, BUSY_NS]))
    base = draw(st.sampled_from([1_000, 610_000, -50, 1 << 41, -(1 << 50)]))
    width = draw(st.sampled_from([1, 8, 1 << 30]))
    largest = draw(st.sampled_from([3, 5_000, HUGE]))
    gap_share = draw(st.sampled_from([0.0, 0.05]))
    rows: list[tuple[int, ...]] = []
    sequences = [100, 100]
    now = draw(st.sampled_from([0, 1_723_075_200_000_000_000]))
    for k in range(draw(st.integers(1, 150))):
        now += int(rng.choice(gaps_ns))
        kind = Kind.SNAPSHOT if k < 2 else KINDS[rng.integers(len(KINDS))]
        instrument = k if k < 2 else int(rng.random() < 0.25)
        if kind == Kind.TIMER:
            instrument = 0
        skipped = int(rng.random() < gap_share)
        first, last = sequences[instrument] + 1 + skipped, sequences[instrument] + 1 + skipped
        if kind in (Kind.DEPTH, Kind.SNAPSHOT):
            sequences[instrument] = last
        count = 1 if kind in (Kind.TRADE, Kind.TIMER, Kind.RESET) else int(rng.integers(1, 14))
        for row in range(count):
            side = int(rng.integers(0, 2)) if rng.random() > 0.04 else int(Side.NONE)
            offset = int(rng.integers(1, 9)) * width * (-1 if side == Side.BID else 1)
            quantity = 0 if rng.random() < 0.25 else int(rng.integers(1, largest, endpoint=True))
            if kind == Kind.SURFACE:  # a skew has a sign
                quantity = int(rng.integers(-largest, largest, endpoint=True))
            flags = Flag.FIRST * (row == 0) | Flag.LAST * (row == count - 1)
            # A wandering middle: the mid moves, and some messages cross.
            price = base + offset + int(rng.integers(-1, 2)) * width * (rng.random() < 0.1)
            rows.append(
                (now, -1, first, last, first - 1, price, quantity, kind, side, flags, instrument, 0)
            )
    return Tape(np.array(rows, EVENT_DTYPE), (COARSE, FINE), "hypothesis")


def assert_same(tape: Tape, schema: FeatureSchema) -> batch.FeatureTable:
    defined, streamed = batch.compute(tape, schema), streaming.compute(tape, schema)
    for name in ("row", "local_ns", "segments", "raw", "features"):
        np.testing.assert_array_equal(
            getattr(streamed, name), getattr(defined, name), err_msg=name, strict=True
        )
    return defined


@settings(max_examples=60, deadline=None)
@given(tapes())
def test_streaming_equals_batch_on_any_stream(tape: Tape) -> None:
    table = assert_same(tape, both_schemas())
    assert set(np.unique(table.features)) <= set(range(-128, 128))


@settings(max_examples=25, deadline=None)
@given(tapes())
def test_streaming_equals_batch_after_fitting(tape: Tape) -> None:
    schema = both_schemas()
    raw = batch.compute(tape, schema).raw
    if len(raw) < normalise.MINIMUM_TICKS:
        return
    schema = normalise.fit_knees(schema, raw)
    schema = normalise.fit(schema, batch.compute(tape, schema).raw)
    assert_same(tape, schema)


@settings(max_examples=25, deadline=None)
@given(tapes(), st.integers(0, 40))
def test_streaming_equals_batch_for_every_knee(tape: Tape, knee: int) -> None:
    schema = both_schemas()
    knees = {one.name: knee for one in schema.features if "knee" in one.parameters}
    assert_same(tape, with_knees(schema, knees))


@settings(max_examples=25, deadline=None)
@given(tapes(), st.floats(0.0, 1.0))
def test_no_feature_knows_the_future(tape: Tape, share: float) -> None:
    """The ticks of a prefix of the tape are the first ticks of the whole."""
    ends = np.flatnonzero(tape.events["flags"] & Flag.LAST)
    events = tape.events[: ends[int(share * (len(ends) - 1))] + 1]
    schema = both_schemas()
    whole = batch.compute(tape, schema)
    prefix = batch.compute(Tape(events.copy(), tape.instruments, "prefix"), schema)
    np.testing.assert_array_equal(prefix.features, whole.features[: len(prefix.features)])
    np.testing.assert_array_equal(prefix.raw, whole.raw[: len(prefix.raw)])
