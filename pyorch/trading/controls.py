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
from pyorch.trading.inputs import InputArray, InputKind, LimitName, make_input

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
    """Withdraws everything by a second route.

    Args:
        second_route: cancels everything at every venue, and has the session's messages dropped; called on
            the switch's own thread.
        raise_flag: tells the tick thread, which may be hung; called before.
    """

    def __init__(self, second_route: Callable[[], None], raise_flag: Callable[[], None]) -> None:
        self._second_route, self._raise_flag = second_route, raise_flag
        self._pulled = threading.Event()
        self._closed = False
        self.done = threading.Event()
        """The second route has been taken."""
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kill switch", daemon=True)
        self._thread.start()

    @property
    def down(self) -> bool:
        """Whether it was pulled and not re-armed."""
        return self._pulled.is_set() and not self._closed

    def pull(self) -> None:
        """From any thread; returns at once."""
        self._pulled.set()

    def rearm(self, order: Order) -> None:
        """A named person takes it back.

        Raises:
            UsageError: it is not down, has not finished, or the order is another.
        """
        if order.kind is not InputKind.REARM:
            raise UsageError(f"{order.kind.name.lower()} does not re-arm the kill switch")
        if not self.down or not self.done.is_set():
            raise UsageError(
                "the kill switch is not down, or still at work; there is nothing to re-arm"
            )
        self.done.clear()
        self._pulled.clear()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._pulled.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._pulled.wait()
            if self._closed:
                return
            try:
                self._raise_flag()
                self._second_route()
            except BaseException as error:  # shown by whoever looks; the flag is up all the same
                self.error = error
            self.done.set()
            while self._pulled.is_set() and not self._closed:
                threading.Event().wait(0.001)
