"""Features of the volatility surface say how it moved: planted moves, silence, resets, missing surfaces."""

from functools import cache

import numpy as np
import pytest

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Kind
from pyorch.contract.fixed import IntArray
from pyorch.features import batch, streaming
from pyorch.features.arithmetic import soft_log
from pyorch.features.dataset import build_dataset
from pyorch.features.definitions import SURFACE_LIMIT, surface_names, surface_schema
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape

SCHEMA = surface_schema()
AT = {name: SCHEMA.names.index(name) for name in surface_names(SCHEMA)}
BUCKETS = {"1s": 27, "8s": 30}
FIELDS = {"atm_volatility_change": "price_ticks", "skew_change": "quantity_lots"}


@cache
def market() -> Tape:
    """One segment: no reconnect."""
    tape = insert_timer_ticks(simulate(21, 40.0))
    assert tape.counts["reconnects"] == 0
    return tape


def changed(tape: Tape, events: EventArray) -> Tape:
    return Tape(events, tape.instruments, tape.name + "-changed", tape.counts)


def computed(tape: Tape) -> batch.FeatureTable:
    """By both implementations."""
    defined, streamed = batch.compute(tape, SCHEMA), streaming.compute(tape, SCHEMA)
    np.testing.assert_array_equal(streamed.raw, defined.raw)
    return defined


def moved(tape: Tape, table: batch.FeatureTable, field: str, bits: int) -> IntArray:
    """[ticks] what the surface's field moved by within the window, from its values at the two ends."""
    events = tape.events
    rows = np.flatnonzero(events["kind"] == Kind.SURFACE)
    values, bucket = events[field][rows], events["local_ns"][rows] >> bits
    last = np.searchsorted(rows, table.row, side="right") - 1
    before = np.searchsorted(bucket, (table.local_ns >> bits) - 7) - 1
    return np.where(last > 0, values[np.maximum(last, 0)] - values[np.maximum(before, 0)], 0)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("window", BUCKETS)
def test_a_change_is_the_value_now_less_the_value_before_the_window(kind: str, window: str) -> None:
    tape = market()
    table = computed(tape)
    expected = moved(tape, table, FIELDS[kind], BUCKETS[window])
    np.testing.assert_array_equal(table.raw[:, AT[f"{kind}_{window}"]], soft_log(expected, 0))
    assert len(np.unique(expected)) > 20


def test_a_planted_move_of_the_skew_shows_in_the_skew_alone_and_leaves_with_its_window() -> None:
    tape = market()
    events = tape.events.copy()
    surfaces = np.flatnonzero(events["kind"] == Kind.SURFACE)
    planted = surfaces[len(surfaces) // 2 :]
    events["quantity_lots"][planted] -= 8_000
    plain, steeper = computed(tape), computed(changed(tape, events))
    different = plain.raw != steeper.raw
    columns = {SCHEMA.names[k] for k in np.flatnonzero(different.any(axis=0))}
    assert columns == {"skew_change_1s", "skew_change_8s"}
    for window, bits in BUCKETS.items():
        name = f"skew_change_{window}"
        at = np.flatnonzero(different[:, AT[name]])
        began_ns = int(events["local_ns"][planted[0]])
        seen_ns = plain.local_ns[at]
        assert plain.row[at[0]] > planted[0] and plain.row[at[0] - 1] < planted[0]
        assert np.all(seen_ns >> bits <= (began_ns >> bits) + 7)
        assert seen_ns[-1] - began_ns > 6.5 * (1 << bits)
        before = moved(tape, plain, "quantity_lots", bits)[at]
        np.testing.assert_array_equal(steeper.raw[at, AT[name]], soft_log(before - 8_000, 0))
        assert np.all(steeper.raw[at, AT[name]] < 0), "puts gained on calls"


def test_a_fall_of_the_simulated_market_raises_volatility() -> None:
    """What the market was made with: a jump down lifts the at-the-money volatility, the next row tells."""
    tape = insert_timer_ticks(simulate(5, 240.0))
    events = tape.events
    volatility = events["price_ticks"][events["kind"] == Kind.SURFACE]
    assert np.diff(volatility).max() > 1_000, "the tape has such jumps"
    table, book = streaming.compute_with_book(tape, SCHEMA, 1, 1)
    rises = table.raw[:, AT["atm_volatility_change_1s"]] > soft_log(np.int64(1_000), 0)
    earlier = np.maximum(np.searchsorted(table.local_ns, table.local_ns - 1_500_000_000), 0)
    fell = book.mid - book.mid[earlier] < -200  # half-ticks within 1.5 s
    assert rises.sum() > 100
    assert fell[rises].mean() > 2 * fell[~rises].mean(), "many jumps come back within that time"


def test_without_a_surface_nothing_moved_and_its_age_grows() -> None:
    tape = market()
    table = computed(changed(tape, tape.events[tape.events["kind"] != Kind.SURFACE]))
    assert not table.raw[:, [AT[name] for name in AT if name != "surface_age"]].any()
    age = table.raw[:, AT["surface_age"]]
    assert np.all(np.diff(age) >= 0) and age[-1] > 15 * 256, "2^15 steps of 1.05 ms are 34 s"


def test_a_surface_of_another_instrument_is_not_read() -> None:
    tape = simulate(22, 10.0, second=True)
    events = tape.events.copy()
    events["instrument"][events["kind"] == Kind.SURFACE] = 1
    without = changed(tape, events[events["kind"] != Kind.SURFACE])
    assert len(events) > len(without.events)
    np.testing.assert_array_equal(computed(changed(tape, events)).raw, computed(without).raw)


def test_a_segment_begins_without_a_surface() -> None:
    """What the surface moved by while there was no book is not a change within the segment."""
    tape = market()
    events = tape.events
    surfaces = np.flatnonzero(events["kind"] == Kind.SURFACE)
    cut = int(surfaces[20])
    reset = np.zeros(1, EVENT_DTYPE)
    reset["kind"], reset["side"], reset["flags"] = Kind.RESET, 2, 3
    reset["local_ns"] = events["local_ns"][cut]
    snapshot = events[events["kind"] == Kind.SNAPSHOT].copy()
    snapshot["local_ns"], snapshot["sequence"] = events["local_ns"][int(surfaces[23])], -1
    later = events[int(surfaces[23]) + 1 :].copy()
    later = later[later["kind"] != Kind.DEPTH]
    dark = events[cut : int(surfaces[23]) + 1]
    whole = np.concatenate([events[:cut], reset, dark, snapshot, later])
    table = computed(changed(tape, whole))
    assert len(table.segments) == 2
    first = int(table.segments[1])
    rows = np.flatnonzero(whole["kind"] == Kind.SURFACE)
    seen = rows[rows > table.row[first]]
    name = AT["skew_change_8s"]
    until_second = table.row[first:] < seen[1]
    assert not table.raw[first:, name][until_second].any()
    at = first + int(np.argmax(table.row[first:] > seen[1]))
    latest = seen[np.searchsorted(seen, table.row[at]) - 1]
    step = np.int64(whole["quantity_lots"][latest] - whole["quantity_lots"][seen[0]])
    assert table.raw[at, name] == soft_log(step, 0) != 0


def test_values_beyond_their_limit_are_clamped() -> None:
    tape = market()
    events = tape.events.copy()
    surfaces = np.flatnonzero(events["kind"] == Kind.SURFACE)
    events["price_ticks"][surfaces[0::2]] = (1 << 63) - 1
    events["price_ticks"][surfaces[1::2]] = -(1 << 63)
    table = computed(changed(tape, events))
    largest = np.abs(table.raw[:, AT["atm_volatility_change_8s"]]).max()
    assert largest == soft_log(np.int64(2 * SURFACE_LIMIT), 0)


def test_a_model_is_not_trained_on_a_surface_that_its_tape_lacks() -> None:
    tape = market()
    without = changed(tape, tape.events[tape.events["kind"] != Kind.SURFACE])
    with pytest.raises(UsageError) as refused:
        build_dataset(without, SCHEMA)
    assert str(refused.value) == (
        "features atm_volatility_change_1s, atm_volatility_change_8s, skew_change_1s, skew_change_8s, "
        "surface_age read the volatility surface, and the tape simulated-21-40s-changed has no SURFACE row "
        "to learn from: leave them out, or take a tape with a surface"
    )
