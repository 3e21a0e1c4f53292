"""Market events on 64-bit beats: how a normaliser sends them to a fabric, and the fast way to encode tapes.

`docs/wire_events.md` draws the layout; `pyorch.market.wire_decoder` defines what a receiver makes of any
beats; `pyorch/native/wire.hpp` and `firmware/rtl/event_decoder.sv` are its twins. An *event* is a header
and up to 255 rows of one message; events are numbered without holes, so that a receiver knows what it
missed. A *frame* holds one or more whole events; its last beat is marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind

VERSION = 1
HEADER_BEATS = 4
"""Beats before the rows; a DEPTH event has one more."""
FRAME_BEATS = 184
"""Most beats of a frame: the payload of a UDP datagram in an Ethernet frame of 1,500 bytes."""
SESSIONS = 16
NARROW_QUANTITY_BITS, WIDE_QUANTITY_BITS = 30, 62
_ONE = np.uint64(1)

Beats = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Beats as they lie on a stream.

    Attributes:
        beats: uint64 [n].
        ends: bool [n], the last beat of a frame (TLAST).
        events: how many events they hold.
    """

    beats: Beats
    ends: NDArray[np.bool_]
    events: int

    def split(self) -> list[Beats]:
        """The beats of each frame."""
        return np.split(self.beats, np.flatnonzero(self.ends)[:-1] + 1) if len(self.beats) else []


def normal_form(events: EventArray) -> EventArray:
    """What of the rows travels: a DEPTH row names the update id before it, in ``previous_sequence``.

    Books and features of the normal form are those of the rows (`pyorch.market.book.continues` asks for
    that one id). ``first_sequence`` is -1; so is ``previous_sequence`` of other kinds.
    """
    rows = events.copy()
    previous, first = events["previous_sequence"], events["first_sequence"]
    before = np.where(previous >= 0, previous, np.where(first >= 0, first - 1, -1))
    rows["previous_sequence"] = np.where(events["kind"] == Kind.DEPTH, before, -1)
    rows["first_sequence"] = -1
    rows["flags"] &= int(Flag.FIRST | Flag.LAST)
    rows["reserved"] = 0
    return rows


def encode(
    events: EventArray, *, session: int = 0, first_number: int = 0, beats_a_frame: int = 0
) -> Frames:
    """Rows as frames, in order.

    Args:
        events: rows of `EVENT_DTYPE`; messages that do not fit a frame become several events.
        session: changes whenever a sender begins numbering anew.
        first_number: of the first event.
        beats_a_frame: events are gathered up to so many beats; 0: a frame for each event.

    Raises:
        DataError: a row does not fit the layout.
        UsageError: session or beats_a_frame are out of range.
    """
    if not 0 <= session < SESSIONS:
        raise UsageError(f"session {session} is outside 0…{SESSIONS - 1}")
    if beats_a_frame and not 8 <= beats_a_frame <= FRAME_BEATS:
        raise UsageError(
            f"frames of {beats_a_frame} beats: give 8…{FRAME_BEATS}, or 0 for one event each"
        )
    if len(events) == 0:
        return Frames(np.zeros(0, np.uint64), np.zeros(0, bool), 0)
    _check(events)
    rows = normal_form(events)
    starts, wide = _packets(rows)
    counts = np.diff(starts, append=len(rows))
    head = rows[starts]
    depth = head["kind"] == Kind.DEPTH
    header_beats = HEADER_BEATS + depth
    sizes = header_beats + counts * (1 + wide)
    at = np.cumsum(sizes) - sizes
    beats = np.zeros(int(sizes.sum()), np.uint64)
    numbers = (first_number + np.arange(len(starts))) & 0xFFFFFFFF
    begins = (head["flags"] & Flag.FIRST) > 0
    finishes = (rows["flags"][starts + counts - 1] & Flag.LAST) > 0
    beats[at] = (
        head["kind"].astype(np.uint64)
        | begins.astype(np.uint64) << np.uint64(4)
        | finishes.astype(np.uint64) << np.uint64(5)
        | wide.astype(np.uint64) << np.uint64(6)
        | head["instrument"].astype(np.uint64) << np.uint64(8)
        | counts.astype(np.uint64) << np.uint64(16)
        | np.uint64(session << 24 | VERSION << 28)
        | numbers.astype(np.uint64) << np.uint64(32)
    )
    for beat, name in enumerate(("local_ns", "exchange_ns", "sequence"), 1):
        beats[at + beat] = head[name].view(np.uint64)
    beats[at[depth] + HEADER_BEATS] = head["previous_sequence"][depth].view(np.uint64)
    _fill_rows(beats, rows, at + header_beats, counts, wide)
    ends = np.zeros(len(beats), bool)
    ends[_frame_ends(at + sizes - 1, sizes, beats_a_frame)] = True
    return Frames(beats, ends, len(starts))


def _check(events: EventArray) -> None:
    if events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise DataError(f"rows of {events.dtype} cannot be encoded; rows of EVENT_DTYPE can")
    limit = 1 << (WIDE_QUANTITY_BITS - 1)
    quantity = events["quantity_lots"]
    for name, wrong, allowed in (
        ("quantity_lots", (quantity < -limit) | (quantity >= limit), "-2^61 … 2^61 - 1"),
        ("kind", events["kind"] > Kind.SURFACE, f"0…{int(Kind.SURFACE)}"),
        ("side", events["side"] > 2, "0…2"),
    ):  # fmt: skip
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"row {row:,}: {name} is {events[name][row]}; the wire carries {allowed}"
            )


def _packets(rows: EventArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of each event, and whether its rows are wide (0 or 1)."""
    begins = np.ones(len(rows), bool)
    same = np.ones(len(rows) - 1, bool)
    for name in ("local_ns", "exchange_ns", "sequence", "previous_sequence", "kind", "instrument"):
        same &= rows[name][1:] == rows[name][:-1]
    flags = rows["flags"]
    begins[1:] = ~same | ((flags[1:] & Flag.FIRST) > 0) | ((flags[:-1] & Flag.LAST) > 0)
    messages = np.flatnonzero(begins)
    price, quantity = rows["price_ticks"], rows["quantity_lots"]
    reach = 1 << (NARROW_QUANTITY_BITS - 1)
    large = (price != price.astype(np.int32)) | (quantity < -reach) | (quantity >= reach)
    wide = np.maximum.reduceat(large.astype(np.int64), messages)
    sizes = np.diff(messages, append=len(rows))
    within = np.arange(len(rows)) - np.repeat(messages, sizes)
    room = (FRAME_BEATS - HEADER_BEATS - 1) // (1 + wide)
    splits = within % np.repeat(room, sizes) == 0
    return np.flatnonzero(splits), np.repeat(wide, sizes)[splits]


def _fill_rows(
    beats: Beats,
    rows: EventArray,
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    wide: NDArray[np.int64],
) -> None:
    starts = np.cumsum(counts) - counts
    of_row = np.repeat(wide, counts)
    at = np.repeat(first, counts) + (np.arange(len(rows)) - np.repeat(starts, counts)) * (
        1 + of_row
    )
    price, quantity = rows["price_ticks"].view(np.uint64), rows["quantity_lots"].view(np.uint64)
    side = rows["side"].astype(np.uint64) << np.uint64(62)
    narrow, broad = at[of_row == 0], at[of_row == 1]
    mask = (_ONE << np.uint64(NARROW_QUANTITY_BITS)) - _ONE
    packed = (
        (price & np.uint64(0xFFFFFFFF))
        | (quantity & mask) << np.uint64(32)
        | side
    )  # fmt: skip
    beats[narrow] = packed[of_row == 0]
    beats[broad] = price[of_row == 1]
    all_but_side = (_ONE << np.uint64(WIDE_QUANTITY_BITS)) - _ONE
    beats[broad + 1] = (quantity & all_but_side | side)[of_row == 1]


def _frame_ends(
    last_beats: NDArray[np.int64], sizes: NDArray[np.int64], beats_a_frame: int
) -> NDArray[np.int64]:
    if not beats_a_frame:
        return last_beats
    ends, length = [], 0
    for event, size in enumerate(sizes.tolist()):
        if length and length + size > beats_a_frame:
            ends.append(event - 1)
            length = 0
        length += size
    return last_beats[[*ends, len(sizes) - 1]]
