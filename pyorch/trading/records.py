"""The journal's binary records: fixed size, little-endian, written by the tick thread.

Two streams, in the order of the tape. `TICK_DTYPE`: one record a tick, and one (flag ``CANCELLED``)
whenever all quotes are withdrawn between ticks. `QUOTE_DTYPE`: one record a quote put into a message.
Together with the tape, the bundle and the configuration they explain every quote: the quote names its
tick, the tick its features, logits, scores, rules, forward, surface and adjustments. FIX bytes are a
third stream; ``fix_bytes`` of the tick says how many of them the tick appended. The native layout
(`pyorch/native/journal.hpp`) has the same offsets, compared when the native loop is made.

Everything but the ``*_ns`` durations and who answered is a function of tape, bundle and configuration
alone, as long as exact engines answer in time: `without_clock` removes those for comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAXIMUM_FEATURES = 32
MAXIMUM_OUTPUTS = 16
MAXIMUM_RULES = 32


class TickFlag(IntFlag):
    """What held at a tick, and what was done."""

    BOOK_VALID = 1
    """The book of instrument 0 had both sides and no gap."""
    MODEL_VALID = 2
    """The engine answered from a state that the bundle's digests vouch for."""
    WARM = 4
    """The stream's state is at least ``warm_up_ticks`` old."""
    PRICED = 8
    """The options were priced anew: forward, surface, expiry minute or model adjustment changed."""
    QUOTED = 16
    """At least one quote went out."""
    CANCELLED = 32
    """All quotes were withdrawn (35=Z). Without BOOK_VALID: between ticks, features and scores are 0."""
    KILLED = 64
    """The kill flag was up."""
    PENDING = 128
    """At least one changed quote waits for its throttle interval or message credit."""
    BLOCKED = 256
    """The risk gate refused at least one quote, or all of them."""
    SURFACE_STALE = 512
    """The volatility surface is older than its limit."""
    PAUSED = 1024
    """An operator paused quoting."""
    FROZEN = 2048
    """Market-maker protection keeps quotes away."""
    MODEL_OFF = 4096
    """An operator switched the model off: quotes as if it said nothing."""
    SESSION_DOWN = 8192
    """No venue's session is up."""
    JOURNAL_FULL = 16384
    """The journal could take no more, so quoting stopped."""


class Reason(IntEnum):
    """Why a quote was sent."""

    FIRST = 1
    """The option had no live quote."""
    WIDEN = 2
    """A rule's extra spread or size cut grew."""
    NARROW = 3
    """A rule's extra spread or size cut shrank."""
    MOVE = 4
    """Forward, surface or tenor moved the fair value."""
    WITHDRAW = 5
    """The option expired or the risk gate refused its quote: 0 at 0 replaces it."""
    REDUCE = 6
    """A fill, the market or an operator put the worst case beyond a limit: a side that adds is taken."""


class AnsweredBy(IntEnum):
    """Whose answer a tick used."""

    SOLE = 0
    """The loop's only engine."""
    CARD = 1
    SHADOW = 2
    """The native engine beside the card."""
    ARBITER = 3


class AnswerAssurance(IntEnum):
    """What stands behind an answer when it is used; `pyorch.inference.failover.group.Assurance`."""

    SOLE = 0
    CHECKED = 1
    SHADOWED = 2
    ALONE = 3
    UNVERIFIED = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """About the engines' answer of a tick.

    Attributes:
        late: the deadline had passed.
        inexact: within a bound, not the contract's bits.
        ns: from the features to the answer.
    """

    by: AnsweredBy = AnsweredBy.SOLE
    assurance: AnswerAssurance = AnswerAssurance.SOLE
    late: bool = False
    inexact: bool = False
    ns: int = 0

    @property
    def cautious(self) -> bool:
        """Whether quotes should be wider for it."""
        return self.late or self.inexact or self.assurance is AnswerAssurance.UNVERIFIED


class Refusal(IntEnum):
    """Reasons of the risk gate, in the order in which they are checked; indices of its counters."""

    KILLED = 0
    PAUSED = 1
    JOURNAL_FULL = 2
    SESSION_DOWN = 3
    INVALID_DATA = 4
    STALE_SURFACE = 5
    INVALID_MODEL = 6
    WARMING_UP = 7
    PROTECTED = 8
    PRICE_COLLAR = 9
    SELF_CROSS = 10
    POSITION_LIMIT = 11
    DELTA_LIMIT = 12
    GAMMA_LIMIT = 13
    VEGA_LIMIT = 14
    NOTIONAL_LIMIT = 15
    MESSAGE_RATE = 16


STAGES = ("book", "features", "engine", "policy", "pricing", "encode")
"""Stages of a tick, in order; the record has ``{stage}_ns`` for each."""

TICK_DTYPE = np.dtype(
    [
        (
            "tick",
            "<i8",
        ),  # 0, 1, ... within the run; a CANCELLED record carries the next tick's number
        ("row", "<i8"),  # row of the tape whose arrival made the tick (the message's LAST row)
        ("local_ns", "<i8"),  # of that row
        ("sequence", "<i8"),  # of that row
        ("forward_half_ticks", "<i8"),  # best bid + best ask of instrument 0, in ticks
        ("minutes", "<i8"),  # whole minutes since the tape began: the tenor's clock
        ("flags", "<u4"),  # TickFlag
        ("fired", "<u4"),  # bit r: the conditions of rule r hold at this tick
        ("active", "<u4"),  # bit r: rule r acts (fired now, or within its dwell)
        ("surface", "<u4"),  # how many SURFACE messages were taken in so far
        ("atm_volatility_ppm", "<i4"),  # of the first expiry, in 1e-6
        ("skew_ppm", "<i4"),  # of the first expiry, in 1e-6
        ("base_half_spread_bp100", "<i4"),  # bp of the underlying x 100, a side
        ("extra_down_bp100", "<i4"),  # the rules' addition on sides that a falling underlying hurts
        ("extra_up_bp100", "<i4"),  # the same for a rising underlying
        ("size_down_percent", "<i4"),  # what the rules leave of the size on those sides (100: all)
        ("size_up_percent", "<i4"),
        ("forecast_bp100", "<i4"),  # forecast move of the underlying, bp x 100
        ("inventory_bp100", "<i4"),  # the portfolio's skew of the underlying, bp x 100
        ("quotes", "<u4"),  # quotes sent: so many records of the other stream
        ("refused", "<u4"),  # quotes that the risk gate refused
        ("fix_bytes", "<u4"),  # bytes that the tick appended to the FIX stream
        ("fix_messages", "<u4"),
        ("book_ns", "<u4"),  # durations on the tick thread, by its own clock
        ("features_ns", "<u4"),
        ("engine_ns", "<u4"),
        ("policy_ns", "<u4"),
        ("pricing_ns", "<u4"),
        ("encode_ns", "<u4"),
        ("total_ns", "<u4"),  # the row taken from the tape → the last FIX byte written
        ("features", "<i2", (MAXIMUM_FEATURES,)),  # raw, in the schema's format; the first F
        ("logits", "<i4", (MAXIMUM_OUTPUTS,)),  # raw, in spec.logits; the first O
        (
            "scores",
            "<i4",
            (MAXIMUM_OUTPUTS,),
        ),  # calibrated, 15 fractional bits; linear heads: logits
        ("answered_by", "u1"),  # AnsweredBy
        ("assurance", "u1"),  # AnswerAssurance
        ("late", "u1"),  # 1: the answer came after the deadline
        ("inexact", "u1"),  # 1: within a bound, not the contract's bits
        ("answer_ns", "<u4"),  # from the features to the answer, by the clock of the failover
    ]
)
assert TICK_DTYPE.itemsize == 344

ANSWER_FIELDS = ("answered_by", "assurance", "late", "inexact", "answer_ns")

QUOTE_DTYPE = np.dtype(
    [
        ("tick", "<i8"),  # of the tick record
        ("local_ns", "<i8"),  # of the tick's row: also the message's SendingTime
        ("option", "<u4"),  # index into the universe
        ("reason", "<u4"),  # Reason
        ("bid_ticks", "<i4"),  # option price ticks; 0 with 0 lots: no bid
        ("ask_ticks", "<i4"),
        ("bid_lots", "<i4"),
        ("ask_lots", "<i4"),
        ("value_btc", "<f8"),  # theoretical value
        ("volatility", "<f8"),  # implied volatility used, 1 is 100 % a year
        ("delta", "<f8"),  # d(value in USD) / d(forward)
        ("gamma", "<f8"),  # d(delta) / d(forward), per USD
        ("vega", "<f8"),  # d(value in BTC) / d(volatility)
        ("theta", "<f8"),  # d(value in BTC) / d(time), a day
    ]
)
assert QUOTE_DTYPE.itemsize == 88

RecordArray = NDArray[Any]


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """A stretch of the journal: whole ticks with the quotes and FIX bytes that belong to them.

    Attributes:
        ticks: [n] of `TICK_DTYPE`.
        quotes: [m] of `QUOTE_DTYPE`; m is the sum of ``ticks["quotes"]``.
        fix: the FIX bytes; as many as the sum of ``ticks["fix_bytes"]``.
    """

    ticks: RecordArray
    quotes: RecordArray
    fix: bytes

    @classmethod
    def join(cls, batches: list[JournalBatch]) -> JournalBatch:
        """One batch from consecutive ones."""
        return cls(
            np.concatenate([np.empty(0, TICK_DTYPE), *(b.ticks for b in batches)]),
            np.concatenate([np.empty(0, QUOTE_DTYPE), *(b.quotes for b in batches)]),
            b"".join(b.fix for b in batches),
        )


def without_clock(ticks: RecordArray) -> RecordArray:
    """A copy of tick records without durations and who answered: what two runs must have equal."""
    copy = ticks.copy()
    for name in ANSWER_FIELDS:
        copy[name] = 0
    for stage in (*STAGES, "total"):
        copy[f"{stage}_ns"] = 0
    return copy


def rule_rates(ticks: RecordArray, rules: int) -> list[tuple[float, float]]:
    """Per rule the share of warm ticks at which it fired, and at which it acted.

    Args:
        ticks: [n] of `TICK_DTYPE`; ticks before warm-up and cancellations do not count.
        rules: how many rules the policy has.
    """
    flags = ticks["flags"]
    warm = ticks[((flags & TickFlag.WARM) != 0) & ((flags & TickFlag.CANCELLED) == 0)]
    total = max(1, len(warm))
    return [
        (
            float(np.count_nonzero(warm["fired"] >> r & 1) / total),
            float(np.count_nonzero(warm["active"] >> r & 1) / total),
        )
        for r in range(rules)
    ]
