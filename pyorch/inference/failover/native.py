"""The tick loop's own failover: a card and the native engine as its hot shadow, on the tick thread.

`pyorch/native/failover_engine.hpp` does it; this builds it from a bundle and reads what it wrote down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.inference.cpu import native_engine
from pyorch.inference.failover.group import Record
from pyorch.inference.failover.settings import FailoverSettings
from pyorch.inference.failover.states import Incident, MemberState
from pyorch.inference.flat import flat_model

CARD, SHADOW = "card", "shadow"

STATES = tuple(MemberState)
INCIDENTS = tuple(Incident)
"""In the order of the native enumerations."""

INCIDENT_DTYPE = np.dtype(
    [
        ("sequence", "<i8"),
        ("at_ns", "<i8"),
        ("incident", "u1"),
        ("state", "u1"),
        ("shadow", "u1"),
        ("unused", "u1", (5,)),
    ]
)
assert INCIDENT_DTYPE.itemsize == 24


class NativeFailover:
    """A card beside the native engine.

    Args:
        bundle: model of both.
        card: an opened card's client.
        settings: mode ``passive``.
        clock: time; the core's cycle counter by default.

    Attributes:
        engine: for `pyorch.trading.loop.TickLoop`.
        shadow, arbiter: the native engines inside it.

    Raises:
        UsageError: another mode.
        ModelError: a value is wider than 32 bits.
    """

    def __init__(
        self,
        bundle: Bundle,
        card: _native.Card,
        settings: FailoverSettings | None = None,
        clock: _native.TickClock | None = None,
    ) -> None:
        settings = settings or FailoverSettings()
        if settings.mode != "passive":
            raise UsageError(
                f"mode {settings.mode}: the tick loop's failover compares every tick (passive, every = 1) or "
                "every so many (passive, every = N)"
            )
        golden = bundle.golden
        self.shadow, self.arbiter = native_engine(bundle), native_engine(bundle, "scalar")
        self.engine = _native.FailoverEngine(
            card=card,
            shadow=self.shadow,
            arbiter=self.arbiter,
            clock=clock or _native.CoreClock(),
            model=np.ascontiguousarray(flat_model(bundle)),
            golden_features=np.ascontiguousarray(golden["sequence_features"], np.int32),
            golden_logits=np.ascontiguousarray(golden["sequence_logits"], np.int64),
            deadline_ns=settings.deadline_ns,
            patience_ns=settings.patience_ns,
            hung_ns=settings.hung_ns,
            heartbeat_ns=settings.heartbeat_ns,
            retry_ns=settings.retry_ns,
            most_retry_ns=settings.most_retry_ns,
            every=settings.every,
            checkpoint_ticks=settings.checkpoint_ticks,
            probation_ticks=settings.probation_ticks,
        )
        self._records: list[Record] = []

    @property
    def state(self) -> MemberState:
        """How far the card is trusted; between ticks."""
        return STATES[self.engine.state]

    @property
    def counts(self) -> dict[str, int]:
        """Ticks, by whom they were answered, and each incident by its name; between ticks."""
        return dict(self.engine.counts)

    def records(self) -> list[Record]:
        """What befell the card, oldest first; of the shadow: `Incident.WRONG`, and it was repaired."""
        found: NDArray[np.void] = np.frombuffer(self.engine.drain(), INCIDENT_DTYPE)
        for one in found:
            who = SHADOW if one["shadow"] else CARD
            self._records.append(
                Record(
                    int(one["sequence"]),
                    int(one["at_ns"]),
                    who,
                    INCIDENTS[one["incident"]],
                    STATES[one["state"]],
                    "given the right state" if one["shadow"] else "",
                )
            )
        return self._records
