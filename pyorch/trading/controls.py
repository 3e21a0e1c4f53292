"""What humans may do to a running desk: each order names who and why, and is in the log before it acts.

`KillSwitch` runs on a thread of its own with a second route to the venues: it needs neither the tick
thread nor the session's socket. It stays down until a named person re-arms it with a reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyorch.contract.errors import UsageError
from pyorch.trading.inputs import (
    MAXIMUM_LIMIT,
    MAXIMUM_LOTS,
    MAXIMUM_WIDENING_BP100,
    InputArray,
    InputKind,
    LimitName,
    make_input,
)

OPERATORS = (
    InputKind.KILL,
    InputKind.REARM,
    InputKind.PAUSE,
    InputKind.RESUME,
    InputKind.MODEL_OFF,
    InputKind.MODEL_ON,
    InputKind.WIDEN,
    InputKind.SIZE_CAP,
    InputKind.LIMIT,
    InputKind.RESET_PROTECTION,
)
"""What an operator may order."""
MOST = {
    InputKind.WIDEN: MAXIMUM_WIDENING_BP100,
    InputKind.SIZE_CAP: MAXIMUM_LOTS,
    InputKind.LIMIT: MAXIMUM_LIMIT,
}
"""The largest value of an order; of the others 0."""


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order.

    Attributes:
        value: bp × 100 of `InputKind.WIDEN`, lots of a size cap, the new limit.
        limit: which limit.

    Raises:
        UsageError: nobody's name, no reason, no order of an operator, or a value that it cannot have.
    """

    kind: InputKind
    who: str
    why: str
    value: int = 0
    limit: LimitName = LimitName.POSITION

    def __post_init__(self) -> None:
        name = self.kind.name.lower()
        if self.kind not in OPERATORS:
            allowed = ", ".join(kind.name.lower() for kind in OPERATORS)
            raise UsageError(f"{name} is not an operator's to order; choose {allowed}")
        if not self.who.strip() or not self.why.strip():
            raise UsageError(
                f"{name}: who = {self.who!r}, why = {self.why!r}; an order needs a person's name and a "
                "reason, both go into the log"
            )
        if self.value < 0:
            raise UsageError(f"{name}: the value {self.value} is negative; give 0 or more")
        if self.value > MOST.get(self.kind, 0):
            raise UsageError(
                f"{name}: the value {self.value:,} is above {MOST.get(self.kind, 0):,}, the most that "
                "this order takes; give less"
            )

    def to_input(self, local_ns: int, row: int, text: int) -> InputArray:
        """The row that the quoting path takes in."""
        return make_input(
            self.kind, local_ns, row=row, value=self.value, option=int(self.limit), text=text
        )

    def to_json(self) -> dict[str, Any]:
        """For the log."""
        fields: dict[str, Any] = {"order": self.kind.name, "who": self.who, "why": self.why}
        if self.value:
            fields["value"] = self.value
        if self.kind is InputKind.LIMIT:
            fields["limit"] = self.limit.name
        return fields


class KillSwitch:
    """Withdraws everything by a second route, each time it is pulled.

    Pulls are counted: none is lost while the switch is at work or being re-armed.

    Args:
        second_route: cancels everything at every venue, and has the session's messages dropped; called on
            the switch's own thread.
        raise_flag: tells the tick thread, which may be hung; called before.
    """

    def __init__(
        self, second_route: Callable[[], object], raise_flag: Callable[[], object]
    ) -> None:
        self._second_route, self._raise_flag = second_route, raise_flag
        self._condition = threading.Condition()
        self._pulls = self._taken = self._rearmed = 0
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kill switch", daemon=True)
        self._thread.start()

    @property
    def pulls(self) -> int:
        """How often it was pulled."""
        return self._pulls

    @property
    def down(self) -> bool:
        """Whether it was pulled and not re-armed."""
        return self._pulls > self._rearmed

    @property
    def error(self) -> BaseException | None:
        """What the second route raised when it was last taken."""
        return self._error

    def pull(self) -> None:
        """From any thread; returns at once."""
        with self._condition:
            self._pulls += 1
            self._condition.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until the second route was taken for every pull, or until the time is over; whether it was.

        A second route that raised counts as taken: see `error`.
        """
        with self._condition:
            return self._condition.wait_for(lambda: self._taken >= self._pulls, timeout_s)

    def rearm(
        self,
        order: Order,
        release: Callable[[], object],
        lower_flag: Callable[[], object],
        pull: int | None = None,
    ) -> None:
        """A named person takes it back.

        Args:
            release: opens the sessions; pulls never wait for it, however long it hangs. A pull meanwhile
                keeps the switch down, and everything is withdrawn once more after what was opened.
            lower_flag: quotes may come again; returns at once.
            pull: number of the pull that is taken back; default: the last one.

        Raises:
            UsageError: it is not down, has not finished, has failed, was pulled again, or the order is
                another; it stays as it is.
        """
        if order.kind is not InputKind.REARM:
            raise UsageError(f"{order.kind.name.lower()} does not re-arm the kill switch")
        with self._condition:
            if not self.down or self._taken < self._pulls:
                raise UsageError(
                    "the kill switch is not down, or still at work; there is nothing to re-arm"
                )
            if pull is not None and pull < self._pulls:
                raise UsageError(
                    f"the kill switch was pulled again (pull {self._pulls}, the order is about pull "
                    f"{pull}); look again, then order anew"
                )
            if self._error is not None:
                raise UsageError(
                    f"the second route failed ({self._error}): quotes may be live; cancel them at the "
                    "venues, pull again, then re-arm"
                )
            pulls = self._pulls
        release()
        with self._condition:
            if self._pulls > pulls:
                self._pulls += 1
                self._condition.notify_all()
                raise UsageError(
                    f"the kill switch was pulled again (pull {pulls + 1}) while it was re-armed; look again, "
                    "then order anew"
                )
            lower_flag()
            self._rearmed = pulls

    def close(self, timeout_s: float = 1.0) -> None:
        """End the thread, after pulls that wait; one whose route hangs is left behind."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._pulls > self._taken)
                if self._pulls == self._taken:
                    return
                pulls = self._pulls
            error: BaseException | None = None
            for action in (self._raise_flag, self._second_route):
                try:
                    action()
                except BaseException as raised:  # a thread has nobody to raise to: `error` says it
                    error = raised
            with self._condition:
                self._taken, self._error = pulls, error
                self._condition.notify_all()
