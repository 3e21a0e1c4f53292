"""The Python book defines the native one: equal after every row of any stream."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side, event_words
from pyorch.market.book import Book

KINDS = [Kind.DEPTH] * 12 + [Kind.SNAPSHOT] * 2 + [Kind.RESET, Kind.BEST, Kind.TRADE, Kind.TIMER]


@st.composite
def event_streams(draw: st.DrawFn) -> EventArray:
    """Messages that mostly chain, with gaps, duplicates, resets, crosses, empty and torn messages."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    by_previous = draw(st.booleans())
    two_sides = draw(
        st.sampled_from([0.0, 0.02, 0.3])
    )  # how often a level lies on the other's side
    surprises = draw(st.sampled_from([0.0, 0.05, 0.3]))
    rows: list[tuple[int, ...]] = []
    sequence = 100
    for _ in range(draw(st.integers(1, 60))):
        kind = Kind.SNAPSHOT if not rows else KINDS[rng.integers(len(KINDS))]
        first, last, previous = sequence + 1, sequence + int(rng.integers(1, 4)), sequence
        if rng.random() < surprises:
            first, last, previous = (
                int(v) + int(rng.integers(-3, 4)) for v in (first, last, sequence)
            )
        if rng.random() < surprises / 3:
            first = last = previous = -1
        if kind in (Kind.DEPTH, Kind.SNAPSHOT):
            sequence = max(sequence, last)
        count = int(rng.integers(1, 9 if kind == Kind.SNAPSHOT else 4))
        for k in range(count):
            side = int(rng.integers(0, 2)) if rng.random() > 0.05 else Side.NONE
            other = rng.random() < two_sides
            offset = int(rng.integers(1, 9)) * (-1 if (side == Side.BID) != other else 1)
            flags = Flag.FIRST * (k == 0) | Flag.LAST * (
                k == count - 1 and rng.random() > surprises / 4
            )
            quantity = int(rng.integers(0, 4))
            instrument = int(rng.random() < 0.1)
            rows.append(
                (
                    len(rows),
                    -1,
                    first,
                    last,
                    previous if by_previous else -1,
                    1000 + offset,
                    quantity,
                    int(kind),
                    int(side),
                    int(flags),
                    instrument,
                    0,
                )
            )
    return np.array(rows, dtype=EVENT_DTYPE)


@settings(max_examples=300, deadline=None)
@given(event_streams(), st.sampled_from([1, 3, 8192]))
def test_native_book_equals_its_twin_after_every_row(events: EventArray, capacity: int) -> None:
    twin, native = Book(capacity), _native.Book(capacity)
    np.testing.assert_array_equal(native.trace(event_words(events), 0), twin.trace(events, 0))
    assert native.counts == twin.count_table()
    for side in (Side.BID, Side.ASK):
        assert native.levels(side, 99) == twin.levels(side, 99)
        assert native.depth(side) == twin.depth(side)
    assert (native.valid, native.two_sided) == (twin.valid, twin.two_sided)


@settings(max_examples=100, deadline=None)
@given(event_streams())
def test_a_valid_book_is_sorted_positive_and_not_crossed(events: EventArray) -> None:
    book = Book()
    for row in events.tolist():
        book.apply(row)
        bids, asks = book.levels(Side.BID, 99), book.levels(Side.ASK, 99)
        assert all(lots > 0 for _, lots in bids + asks)
        assert all(a > b for (a, _), (b, _) in pairwise(bids))
        assert all(a < b for (a, _), (b, _) in pairwise(asks))
        if book.valid and row[9] & Flag.LAST and bids and asks and row[7] == Kind.DEPTH:
            assert bids[0][0] < asks[0][0] or row[10]


def test_generated_streams_reach_every_count() -> None:
    """Streams that never meet a gap or a cross would prove little."""
    seen = dict.fromkeys(Book().count_table(), 0)

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(event_streams())
    def collect(events: EventArray) -> None:
        book = Book(3)
        book.apply_all(events)
        for name, count in book.count_table().items():
            seen[name] += count

    collect()
    assert all(count > 0 for count in seen.values()), seen
