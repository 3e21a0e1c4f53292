"""A market's busiest stretch as the line brings it: which, and when each beat comes."""

from __future__ import annotations

import numpy as np
import pytest

from pyorch.contract.errors import DataError
from pyorch.contract.events import Kind
from pyorch.market.book import Book
from pyorch.market.simulate import simulate
from pyorch.market.wire import encode
from sim.event_burst import SETTLED_CYCLES, SILENCE_CYCLES, Waterfall, arrivals, busiest


def test_the_busiest_stretch_begins_with_the_book_before_it() -> None:
    events = simulate(3, 10.0).events
    burst = busiest(events, 50)
    snapshot = burst[burst["kind"] == Kind.SNAPSHOT]
    rest = burst[len(snapshot) :]
    assert (burst["kind"][: len(snapshot)] == Kind.SNAPSHOT).all() and (
        rest["flags"] & 1
    ).sum() == 50
    times = events["local_ns"][events["flags"] & 1 != 0]
    assert int(rest["local_ns"][-1]) - int(rest["local_ns"][0]) <= int(
        (times[50:] - times[:-50]).max()
    )
    at = int(np.flatnonzero(events == rest[0])[0])
    whole, given = Book(), Book()
    whole.apply_all(
        events[:at][np.isin(events["kind"][:at], (Kind.DEPTH, Kind.SNAPSHOT, Kind.RESET))]
    )
    given.apply_all(snapshot)
    assert given.levels(0, 20) == whole.levels(0, 20) and given.sequence == whole.sequence
    with pytest.raises(DataError, match=r"messages; a burst of 1,000,000 needs more"):
        busiest(events, 1_000_000)


def test_the_line_brings_a_beat_a_cycle_and_no_frame_before_it_was_received() -> None:
    frames = encode(busiest(simulate(3, 4.0).events, 40))
    ends = np.flatnonzero(frames.ends)
    received = frames.beats[np.concatenate([[0], ends[:-1] + 1]) + 1].view(np.int64)
    due = arrivals(frames, received, 50.0)
    assert (np.diff(due) >= 1).all() and due[0] == 0
    begins = np.concatenate([[0], ends[:-1] + 1])
    apart = np.minimum(np.diff(received) * 0.05, SILENCE_CYCLES)
    assert (np.diff(due[begins[1:]]) >= apart[1:] - 1).all() and due[begins[1]] >= SETTLED_CYCLES


def test_the_steps_of_a_waterfall_are_those_of_one_decision() -> None:
    steps = np.array([[1, 2, 3, 4], [0, 0, 0, 1], [5, 5, 5, 5]], np.int64)
    fall = Waterfall("burst", 3, 0.1, steps, 0)
    assert fall.at(0.0) == [0, 0, 0, 1, 1]
    assert fall.at(0.5) == [1, 2, 3, 4, 10] and fall.at(1.0) == [5, 5, 5, 5, 20]
