"""Inputs of the quoting path that no tape determines: what venues report, what operators order.

One row of `INPUT_DTYPE` (64 bytes, native twin `pyorch/native/inputs.hpp`) each, taken in between two rows
of the market: ``row`` says before which. Rows and texts (who ordered what, and why) lie in the run's log, so
that a replay takes them in at the same place.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class InputKind(IntEnum):
    """What a row says; the fields that it uses in brackets."""

    ACKNOWLEDGED = 1
    """The venue has taken in our message [venue, sequence]."""
    REJECTED = 2
    """One entry of a message was refused; the venue holds no quote of the option [venue, option, sequence,
    value: `Rejection`]."""
    FILLED = 3
    """A quote was hit [venue, option, side: 0 our bid, 1 our ask, price_ticks, lots, sequence: of its
    message, value: 1 for an order that is no quote]."""
    CANCELLED = 4
    """All quotes sent before our message are gone [venue, sequence]."""
    PROTECTION = 5
    """The venue's market-maker protection took all quotes away and refuses new ones [venue, sequence: the
    last message it had taken in]."""
    DISCONNECTED = 6
    """The session is down [venue]."""
    CONNECTED = 7
    """The session is up; the venue holds nothing of what it has taken in of us [venue, sequence: of the last
    message that it has taken in]."""
    OWN_ORDER = 8
    """An order of ours rests beside our quotes, the only one on its side [option, side, price_ticks, lots: 0
    when it is gone]."""
    SEQUENCE = 9
    """Messages are numbered on from here: a desk that goes on after another [venue, sequence]."""
    POSITION = 10
    """What is held, as the venues have booked it [option, value: lots, signed]."""
    ORDER_REJECTED = 11
    """An order of ours was refused; quotes stay as they are [venue, option, sequence, value: `Rejection`]."""
    REQUEST = 12
    """Somebody asks for a quote [option, side: 0 wants to sell to us, 1 to buy, lots, sequence: its number,
    value: the counterparty]."""
    ACCEPTANCE = 13
    """Our answer to a request is taken; the last look is ours [sequence: of the request]."""
    KILL = 16
    """Everything is withdrawn and nothing sent until `REARM`."""
    REARM = 17
    """A named person takes the kill back, for a reason."""
    PAUSE = 18
    """No quotes until `RESUME`."""
    RESUME = 19
    MODEL_OFF = 20
    """Quote as if the model said nothing."""
    MODEL_ON = 21
    WIDEN = 22
    """At least so much extra spread on both sides [value: bp × 100; 0 none]."""
    SIZE_CAP = 23
    """No quote is larger [value: lots; 0 none]."""
    LIMIT = 24
    """A limit of the risk gate becomes another [option: `LimitName`, value]."""
    RESET_PROTECTION = 25
    """Our market-maker protection, once it has acted, is taken back."""
    JOURNAL_FULL = 32
    """The journal could take no more: quoting stopped at this row [value: 0 the log, 1 the rings]."""
    JOURNAL_READY = 33
    """It could again [value: likewise]; quotes come back when both can."""
    ENGINE = 34
    """From this tick on another engine answers, or something else stands behind it [value:
    `pyorch.trading.stated_answer.engine_value`]."""
    DEADLINE_MISS = 35
    """The answer of this row's tick was late [value: ns after the features, 1 or more]."""


class Rejection(IntEnum):
    """Why a venue refuses an entry."""

    CHANCE = 1
    RATE = 2
    PROTECTED = 3
    UNKNOWN = 4
    CROSSED = 5


MAXIMUM_WIDENING_BP100 = 1_000_000
MAXIMUM_LOTS = 1_000_000_000
MAXIMUM_LIMIT = 1 << 60
"""The most that an operator may order, and that a venue may book."""


class LimitName(IntEnum):
    """Limits that an operator may change."""

    POSITION = 0
    DELTA = 1
    GAMMA = 2
    VEGA = 3
    NOTIONAL = 4


INPUT_DTYPE = np.dtype(
    [
        ("local_ns", "<i8"),
        ("sequence", "<i8"),
        ("value", "<i8"),
        ("price_ticks", "<i8"),
        ("row", "<i8"),
        ("kind", "<u4"),
        ("venue", "<u4"),
        ("option", "<u4"),
        ("side", "<u4"),
        ("lots", "<i4"),
        ("text", "<u4"),  # 1 + the number of the log's text that goes with it; 0 none
    ]
)
assert INPUT_DTYPE.itemsize == 64

InputArray = NDArray[Any]
"""Structured array of `INPUT_DTYPE`."""


def make_input(kind: InputKind, local_ns: int, **fields: int) -> InputArray:
    """One row; fields not given are 0."""
    row = np.zeros(1, INPUT_DTYPE)
    row["kind"], row["local_ns"] = kind, local_ns
    for name, value in fields.items():
        row[name] = value
    return row
