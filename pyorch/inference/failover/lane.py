"""Where an engine runs: calls go in, tickets come back, and a call that hangs hangs nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from pyorch.contract.engine import Engine
from pyorch.contract.errors import DeviceError
from pyorch.inference.failover.clock import Clock

Call: TypeAlias = Callable[[Engine], Any]
Opener: TypeAlias = Callable[[], Engine]


@dataclass(slots=True)
class Ticket:
    """A call on its way.

    Attributes:
        done_ns: when it was over; None: not yet.
        value: what it returned.
        error: what it raised instead.
    """

    done_ns: int | None = None
    value: Any = None
    error: Exception | None = None

    def ready(self, now_ns: int) -> bool:
        """Whether it is over."""
        return self.done_ns is not None and self.done_ns <= now_ns


class Lane(Protocol):
    """One engine, opened by the lane's first call; calls run in order."""

    def submit(self, call: Call) -> Ticket:
        """Hand a call to the engine; returns at once."""
        ...

    def abandon(self) -> None:
        """Take no more calls; close the engine if it can still be closed. Never waits."""
        ...


class InlineLane:
    """Calls run where they are made: for engines that cannot hang, such as the CPU's."""

    def __init__(self, opener: Opener, clock: Clock) -> None:
        self._opener, self._clock = opener, clock
        self._engine: Engine | None = None

    def submit(self, call: Call) -> Ticket:
        """Run it now."""
        ticket = Ticket()
        try:
            if self._engine is None:
                self._engine = self._opener()
            ticket.value = call(self._engine)
        except Exception as error:  # whatever a device's library raises must not end the loop
            ticket.error = error
        ticket.done_ns = self._clock.now_ns()
        return ticket

    def abandon(self) -> None:
        """Close the engine."""
        _close(self._engine)
        self._engine, self._opener = None, _abandoned


class ThreadLane:
    """Calls run on a thread of their own."""

    def __init__(self, opener: Opener, clock: Clock) -> None:
        self._clock, self._calls = clock, SimpleQueue[tuple[Call, Ticket] | None]()
        threading.Thread(target=self._work, args=(opener,), name="engine lane", daemon=True).start()

    def submit(self, call: Call) -> Ticket:
        """Queue it."""
        ticket = Ticket()
        self._calls.put((call, ticket))
        return ticket

    def abandon(self) -> None:
        """The thread ends after the call that it is in, if that one ends."""
        self._calls.put(None)

    def _work(self, opener: Opener) -> None:
        engine: Engine | None = None
        while (item := self._calls.get()) is not None:
            call, ticket = item
            try:
                if engine is None:
                    engine = opener()
                ticket.value = call(engine)
            except Exception as error:  # whatever a device's library raises must not end the loop
                ticket.error = error
            ticket.done_ns = self._clock.now_ns()
            self._clock.notify()
        _close(engine)


def _close(engine: Engine | None) -> None:
    if engine is not None:
        with suppress(Exception):  # a device that fails to close is given up anyway
            engine.close()


def _abandoned() -> Engine:
    raise DeviceError("the engine was given up")
