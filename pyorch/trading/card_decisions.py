"""A card that decides on market events beside the tick loop, which decides on the same events as its shadow.

`pyorch/native/decision_pair.hpp` holds them against each other; docs/failover.md, "A card that decides".
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import HEAD_BEATS, MAXIMUM_OUTPUTS, Decisions, decode_decisions
from pyorch.contract.engine import EngineInfo
from pyorch.contract.errors import UsageError
from pyorch.inference.failover.group import Record
from pyorch.inference.failover.native import CARD, INCIDENT_DTYPE, INCIDENTS, STATES
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import MemberState

WORD_BEATS = HEAD_BEATS + MAXIMUM_OUTPUTS // 2


class Verdict(IntEnum):
    """What became of a decision of the loop, held against the card's."""

    AGREED = 0
    """Equal, and in time."""
    AGREED_LATE = 1
    """Equal, after the loop had stopped waiting."""
    DIFFERS = 2
    """The loop's was used."""
    MISSING = 3
    """The card had not decided when it was given up; the word, if there is one, is of a later event."""
    CARD_VOID = 4
    """The card's book had become void and the loop's had not: levels left its window."""
    UNEXPECTED = 5
    """The loop had nothing to decide there."""
    STRANGER = 6
    """Decided by another model or policy."""
    ASIDE = 7
    """The loop obeyed an operator, not its policy; nothing was compared."""


DECISION_RECORD_DTYPE = np.dtype(
    [
        ("tick", "<i8"),  # of the tick record; where the book became void, of the next one; -1: of none
        ("row", "<i8"),  # of the tape; -1: none
        ("number", "<u4"),  # of the event at the card
        ("ns", "<u4"),  # from its first row to the word, or to giving up
        ("verdict", "u1"),  # Verdict
        ("state", "u1"),  # of the card: index into `pyorch.inference.failover.native.STATES`
        ("answered_by", "u1"),  # pyorch.trading.records.AnsweredBy
        ("beats", "u1"),  # of the card's word; 0: none
        ("unused", "<u4"),
        ("word", "<u8", (WORD_BEATS,)),
    ]
)  # fmt: skip
assert DECISION_RECORD_DTYPE.itemsize == 152

DecisionRecords = NDArray[np.void]


class OpenedEventCard(Protocol):
    """A card that takes market events, opened with a bundle and a quoting policy.

    Attributes:
        policy_digest: first 64 bits, of the policy that it decides by.
        instruments: that it knows.
    """

    policy_digest: int
    instruments: int

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""

    def native_card(self) -> _native.EventCard:
        """For the tick thread; this object must stay open meanwhile."""

    def native_clock(self) -> _native.TickClock:
        """Time, for deadlines."""

    def close(self) -> None:
        """Release it."""


class CardDecisions:
    """The card's decisions beside those of a tick loop.

    Args:
        bundle: model of both.
        settings: mode ``passive``, ``every = 1``.

    Attributes:
        pair: for `pyorch.trading.loop.TickLoop`.

    Raises:
        UsageError: another mode.
    """

    def __init__(
        self, bundle: Bundle, card: OpenedEventCard, settings: FailoverSettings | None = None
    ) -> None:
        settings = settings or FailoverSettings()
        if settings.mode != "passive" or settings.every != 1:
            raise UsageError(
                f"mode {settings.mode}, every = {settings.every}: decisions are held against each other at "
                "every tick; passive with every = 1"
            )
        self._native = card.native_card()
        self.pair = _native.DecisionPair(
            card=self._native,
            clock=card.native_clock(),
            model_digest=int(bundle.digest()[:16], 16),
            policy_digest=card.policy_digest,
            instruments=card.instruments,
            deadline_ns=settings.deadline_ns,
            patience_ns=settings.patience_ns,
            hung_ns=settings.hung_ns,
            retry_ns=settings.retry_ns,
            most_retry_ns=settings.most_retry_ns,
            probation_ticks=settings.probation_ticks,
        )
        self._parts: list[DecisionRecords] = []
        self._incidents: list[Record] = []

    def drain(self) -> None:
        """Take in what the tick thread has recorded since; the loop calls this."""
        if data := self.pair.drain():
            self._parts.append(np.frombuffer(data, DECISION_RECORD_DTYPE))

    def records(self) -> DecisionRecords:
        """Every decision so far."""
        self.drain()
        return np.concatenate([np.empty(0, DECISION_RECORD_DTYPE), *self._parts])

    @property
    def state(self) -> MemberState:
        """How far the card is trusted; of a finished loop."""
        return STATES[self.pair.state]

    @property
    def counts(self) -> dict[str, int]:
        """Ticks, by whom they were answered, and each incident by its name; of a finished loop."""
        verdicts = np.bincount(self.records()["verdict"], minlength=len(Verdict))
        named = {f"verdict_{one.name.lower()}": int(verdicts[one]) for one in Verdict}
        return dict(self.pair.counts) | named

    def incidents(self) -> list[Record]:
        """What befell the card, oldest first."""
        for one in np.frombuffer(self.pair.drain_incidents(), INCIDENT_DTYPE):
            incident, state = INCIDENTS[one["incident"]], STATES[one["state"]]
            at = int(one["sequence"]), int(one["at_ns"])
            self._incidents.append(Record(*at, CARD, incident, state, ""))
        return self._incidents


def words_of(records: DecisionRecords) -> Decisions:
    """The card's words of the records that have one, decoded.

    Raises:
        DataError: a word is none.
    """
    sizes = records["beats"].astype(int)
    within = np.arange(WORD_BEATS) < sizes[:, None]
    ends = np.arange(WORD_BEATS) == sizes[:, None] - 1
    return decode_decisions(records["word"][within], ends[within])
