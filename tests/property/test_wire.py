"""Events on the wire: encoders and decoders of two languages agree on any rows and on any beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch import _native
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side, event_words
from pyorch.market.book import Book
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, Frames, encode, normal_form
from pyorch.market.wire_decoder import Decoded, WireDecoder
from sim.bench.events.line import joined, spoilt

TAPE = simulate(3, 4.0, second=True)
COUNTS = tuple(WireDecoder().count_table())


def decode_native(decoder: _native.WireDecoder, frames: Frames) -> Decoded:
    words, numbers, stale = decoder.push(frames.beats, frames.ends.astype(np.uint8))
    return Decoded(np.asarray(words).view(EVENT_DTYPE), np.asarray(numbers), np.asarray(stale) > 0)


def decode_both(
    frames: Frames, instruments: int = 2, stale_ns: int | None = 3_000_000
) -> tuple[Decoded, dict[str, int]]:
    """Decoded by both, which must agree in every row, number, mark and count."""
    twin = WireDecoder(instruments, stale_ns)
    native = _native.WireDecoder(instruments, stale_ns)
    ours, theirs = twin.push(frames.beats, frames.ends), decode_native(native, frames)
    np.testing.assert_array_equal(theirs.events, ours.events)
    np.testing.assert_array_equal(theirs.numbers, ours.numbers)
    np.testing.assert_array_equal(theirs.stale, ours.stale)
    assert native.counts == twin.count_table()
    return ours, twin.count_table()


@st.composite
def row_streams(draw: st.DrawFn) -> EventArray:
    """Rows of any content, in messages and torn ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = np.zeros(draw(st.integers(1, 400)), EVENT_DTYPE)
    rows["local_ns"] = np.cumsum(
        rng.integers(0, 2, len(rows)) * rng.integers(0, 1 << 31, len(rows))
    )
    rows["exchange_ns"] = np.where(
        rng.random() < 0.2, -1, rows["local_ns"] - rng.integers(0, 9_000_000)
    )
    for name in ("first_sequence", "sequence", "previous_sequence"):
        rows[name] = rng.integers(-1, 4) * (1 << int(rng.integers(0, 60)))
    reach = draw(st.sampled_from([1 << 20, 1 << 31, 1 << 40, 1 << 61]))
    for name in ("price_ticks", "quantity_lots"):
        rows[name] = rng.integers(-reach, reach, len(rows)) >> rng.integers(0, 60, len(rows))
    rows["kind"] = np.repeat(rng.integers(0, Kind.SURFACE + 1, len(rows)), 40)[: len(rows)]
    rows["side"], rows["instrument"] = rng.integers(0, 3, len(rows)), rng.random(len(rows)) < 0.02
    ends = rng.random(len(rows)) < draw(st.sampled_from([0.01, 0.3]))
    rows["flags"] = np.where(ends, int(Flag.LAST), 0) | np.roll(ends, 1) * int(Flag.FIRST)
    return rows


@settings(max_examples=150, deadline=None)
@given(row_streams(), st.sampled_from([0, 8, 60, FRAME_BEATS]), st.integers(0, 15))
def test_rows_come_back_in_normal_form_and_both_encoders_agree(
    rows: EventArray, beats_a_frame: int, session: int
) -> None:
    frames = encode(rows, session=session, first_number=2**32 - 3, beats_a_frame=beats_a_frame)
    beats, ends, events = _native.wire_encode(event_words(rows), session, 2**32 - 3, beats_a_frame)
    np.testing.assert_array_equal(np.asarray(beats), frames.beats)
    np.testing.assert_array_equal(np.asarray(ends) > 0, frames.ends)
    assert events == frames.events
    assert max(len(frame) for frame in frames.split()) <= FRAME_BEATS
    decoded, counts = decode_both(frames)
    assert (decoded.events["kind"][:2] == Kind.RESET).all()  # the session's first event
    expected = normal_form(rows)
    for name in ("local_ns", "exchange_ns", "sequence", "previous_sequence", "price_ticks",
                 "quantity_lots", "kind", "side", "flags", "instrument"):  # fmt: skip
        np.testing.assert_array_equal(decoded.events[name][2:], expected[name], err_msg=name)
    assert (counts["events"], counts["sessions"]) == (frames.events, 1)
    assert not any(counts[name] for name in ("duplicates", "gaps", "malformed", "truncated"))


def test_a_tape_comes_back_with_its_flags_and_its_book() -> None:
    for beats_a_frame in (0, FRAME_BEATS):
        frames = encode(TAPE.events, beats_a_frame=beats_a_frame)
        decoded, counts = decode_both(frames)
        np.testing.assert_array_equal(decoded.events[2:], normal_form(TAPE.events))
        np.testing.assert_array_equal(Book().trace(decoded.events[2:]), Book().trace(TAPE.events))
        assert 0 < counts["stale"] < counts["events"] == frames.events


def test_an_event_is_as_long_as_it_says() -> None:
    depth = TAPE.events[TAPE.events["kind"] == Kind.DEPTH]
    one = depth[: int(np.argmax(depth["flags"] & Flag.LAST > 0)) + 1]
    assert len(encode(one).beats) == 5 + len(one)
    trade = TAPE.events[TAPE.events["kind"] == Kind.TRADE][:1]
    assert len(encode(trade).beats) == 4 + 1
    trade = trade.copy()
    trade["quantity_lots"] = 1 << 29
    assert len(encode(trade).beats) == 4 + 2


# ---- what a line does to frames
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.1, 0.6]), st.sampled_from([0, FRAME_BEATS]))
def test_decoders_agree_on_any_beats(seed: int, share: float, beats_a_frame: int) -> None:
    rng = np.random.default_rng(seed)
    frames = encode(TAPE.events[:3000], beats_a_frame=beats_a_frame, session=seed & 15).split()
    decode_both(joined(spoilt(frames, rng, share)))
    decode_both(Frames(rng.integers(0, 2**63, 500, dtype=np.uint64) * 2, rng.random(500) < 0.1, 0))


def test_spoilt_streams_reach_every_count() -> None:
    total = dict.fromkeys(COUNTS, 0)
    for seed in range(6):
        frames = encode(TAPE.events[:3000], session=seed).split()
        counts = decode_both(joined(spoilt(frames, np.random.default_rng(seed), 0.2)))[1]
        total = {name: total[name] + counts[name] for name in COUNTS}
    assert all(total.values()), total


def test_a_lost_frame_resets_every_instrument_and_a_late_one_is_dropped() -> None:
    frames = encode(TAPE.events).split()
    swapped = [*frames[:10], frames[12], frames[10], frames[11], *frames[13:20]]
    decoded, counts = decode_both(joined(swapped))
    assert (counts["gaps"], counts["lost"], counts["duplicates"]) == (1, 2, 2)
    resets = np.flatnonzero(decoded.events["kind"] == Kind.RESET)
    np.testing.assert_array_equal(decoded.numbers[resets], [0, 0, 12, 12])
    np.testing.assert_array_equal(decoded.events["instrument"][resets], [0, 1, 0, 1])
    book = Book()
    book.apply_all(decoded.events)
    assert not book.valid


def test_a_doubled_stream_is_the_stream() -> None:
    frames = encode(TAPE.events).split()
    once = decode_both(joined(frames))[0]
    twice, counts = decode_both(joined([one for frame in frames for one in (frame, frame)]))
    np.testing.assert_array_equal(twice.events, once.events)
    assert counts["duplicates"] == len(frames) and counts["gaps"] == 0


def test_a_sender_that_begins_anew_is_followed() -> None:
    first = encode(TAPE.events[:100], session=1, first_number=900)
    second = encode(TAPE.events[:100], session=2)
    both = joined([*first.split(), *second.split()])
    decoded, counts = decode_both(both)
    assert counts["sessions"] == 2 and counts["gaps"] == counts["duplicates"] == 0
    assert (decoded.events["kind"] == Kind.RESET).sum() == 4


def test_a_cut_event_resets_its_own_instrument_alone() -> None:
    frames = encode(TAPE.events).split()
    cut = next(k for k, frame in enumerate(frames) if k > 20 and len(frame) > 7)
    decoded, counts = decode_both(
        joined([*frames[:cut], frames[cut][:-1], *frames[cut + 1 : cut + 5]])
    )
    assert (counts["truncated"], counts["gaps"]) == (1, 0)
    assert (decoded.events["kind"] == Kind.RESET).sum() == 2 + 1
    _, counts = decode_both(joined([*frames[:cut], frames[cut][:3], *frames[cut + 1 : cut + 5]]))
    assert (counts["truncated"], counts["gaps"], counts["lost"]) == (1, 1, 1)


def test_a_foreign_frame_is_counted_and_harmless() -> None:
    frames = encode(TAPE.events).split()
    foreign = np.arange(1, 30, dtype=np.uint64) << np.uint64(33)
    decoded, counts = decode_both(joined([*frames[:20], foreign, *frames[20:40]]))
    assert counts["malformed"] == 1
    np.testing.assert_array_equal(decoded.events, decode_both(joined(frames[:40]))[0].events)


def test_an_unknown_instrument_or_side_is_malformed() -> None:
    frames = encode(TAPE.events).split()
    assert decode_both(joined(frames), instruments=1)[1]["malformed"] > 0
    bad = frames[5].copy()
    bad[-1] |= np.uint64(3) << np.uint64(62)
    decoded, counts = decode_both(joined([*frames[:5], bad, *frames[6:9]]))
    assert (counts["malformed"], counts["gaps"]) == (1, 0)
    assert (decoded.events["kind"] == Kind.RESET).sum() == 3


def test_stale_is_later_than_the_quickest_of_the_last_seconds_by_the_limit() -> None:
    rows = np.zeros(6, EVENT_DTYPE)
    rows["kind"], rows["side"], rows["flags"] = Kind.TIMER, Side.NONE, Flag.FIRST | Flag.LAST
    bucket = 1 << 33
    delays = np.array([-500, -400, -499, -399, -399, -300])
    rows["local_ns"] = [10, 20, bucket + 1, 2 * bucket, 2 * bucket + 1, 4 * bucket]
    rows["exchange_ns"] = rows["local_ns"] - delays
    decoded, counts = decode_both(encode(rows), 1, stale_ns=99)
    # against -500, -500, -500, -499 (twice), and nothing
    np.testing.assert_array_equal(decoded.stale[1:], [False, True, False, True, True, False])
    assert counts["stale"] == 3
    assert decode_both(encode(rows), 1, stale_ns=None)[1]["stale"] == 0


def test_what_the_wire_does_not_carry_is_an_error() -> None:
    row = TAPE.events[:1].copy()
    for name, value, text in (
        (
            "quantity_lots",
            1 << 61,
            r"row 0: quantity_lots is 2305843009213693952; .*carries -2\^61",
        ),
        ("kind", 8, r"row 0: kind is 8; the wire carries 0…7"),
        ("side", 3, r"row 0: side is 3; the wire carries 0…2"),
    ):
        wrong = row.copy()
        wrong[name] = value
        with pytest.raises(DataError, match=text):
            encode(wrong)
        with pytest.raises(IndexError, match="the wire carries"):
            _native.wire_encode(event_words(wrong))
    with pytest.raises(UsageError, match=r"session 16 is outside 0…15"):
        encode(row, session=16)
    with pytest.raises(UsageError, match=r"frames of 200 beats: give 8…184"):
        encode(row, beats_a_frame=200)
    with pytest.raises(ValueError, match="8 to 184 beats"):
        _native.wire_encode(event_words(row), beats_a_frame=200)
    assert encode(row[:0]).beats.size == 0 and encode(row[:0]).split() == []
