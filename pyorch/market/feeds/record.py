"""Recording any feed: its process writes into a ring, this one reads it and keeps the rows for a tape."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np

from pyorch.contract.errors import DataError, DeviceError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Instrument, Kind
from pyorch.market.feeds.process import FeedPlan, feed_process, status_path
from pyorch.market.feeds.ring import FeedRingReader
from pyorch.market.tape import Tape

OPENS_S = 60.0
"""For a feed's process to make its ring."""
IDLE_S = 0.005
SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def feed_running(plan: FeedPlan) -> Iterator[SpawnProcess]:
    """A feed's process, ended on the way out."""
    process = SPAWN.Process(target=feed_process, args=(plan,), name=f"feed {plan.venue}")
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


class FeedKeeper:
    """A feed's process that is begun anew when it ends by itself; ended on the way out.

    Attributes:
        process: the present one; starts: how often one was begun.
    """

    def __init__(self, plan: FeedPlan) -> None:
        self._plan, self._stack = plan, ExitStack()
        self.starts = 0

    def __enter__(self) -> FeedKeeper:
        self._start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._stack.close()

    def watch(self) -> None:
        """Look after it."""
        if not self.process.is_alive():
            self._stack.close()
            self._start()

    def _start(self) -> None:
        self.process = self._stack.enter_context(feed_running(self._plan))
        self.starts += 1


def open_ring(ring: Path, process: SpawnProcess, *, oldest: bool = False) -> FeedRingReader:
    """A reader of a process's ring, once it is there.

    Raises:
        DeviceError: the process ended, or has not made it in time.
    """
    deadline = time.monotonic() + OPENS_S
    while True:
        try:
            return FeedRingReader(ring, oldest=oldest)
        except DataError:
            if not process.is_alive() or time.monotonic() > deadline:
                raise DeviceError(
                    f"the feed's process ({_said(process)}) has not made its ring {ring} in "
                    f"{OPENS_S:.0f} s; what it wrote to standard error says why"
                ) from None
            time.sleep(0.02)


def record_feed(
    plan: FeedPlan, seconds: float, name: str, *, on_seconds: Callable[[float], None] | None = None
) -> Tape:
    """Start a feed's process, record what it writes for a time, and end it; its ring is removed.

    Args:
        plan: with a ring of its own.
        seconds: from the first row.
        on_seconds: called with the time that has passed.

    Raises:
        DeviceError: the process ended by itself.
        DataError: it gave nothing.
    """
    rows: list[EventArray] = []
    try:
        with feed_running(plan) as process:
            reader = open_ring(plan.ring, process, oldest=True)
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                events = reader.read()
                if len(events):
                    rows.append(events)
                    continue
                if on_seconds is not None:
                    on_seconds(passed)
                if not process.is_alive():
                    raise DeviceError(
                        f"the feed's process ended ({_said(process)}) after {passed:.1f} of "
                        f"{seconds:g} s; what it wrote to standard error says why"
                    )
                time.sleep(IDLE_S)
        while len(events := reader.read()):
            rows.append(events)
    finally:
        plan.ring.unlink(missing_ok=True)
        status_path(plan.ring).unlink(missing_ok=True)
    return tape_of(rows, reader.instruments, name, {"lost_rows": reader.lost})


def tape_of(
    parts: list[EventArray], instruments: tuple[Instrument, ...], name: str, counts: dict[str, int]
) -> Tape:
    """A tape of what was read: up to the end of the last whole message, counted by kind.

    Raises:
        DataError: nothing but the reset of the beginning was received.
    """
    events = np.concatenate([np.zeros(0, EVENT_DTYPE), *parts])
    ends = np.flatnonzero(events["flags"] & int(Flag.LAST))
    if bool((events["kind"] == Kind.RESET).all()) or len(ends) == 0:
        raise DataError(
            f"{name}: no market event was received, so there is nothing to record; `pyorch feed` tells "
            "what the venue answers"
        )
    events = events[: int(ends[-1]) + 1].copy()
    kinds = np.bincount(events["kind"][events["flags"] & int(Flag.FIRST) > 0])
    named = {f"{Kind(k).name.lower()}_messages": int(n) for k, n in enumerate(kinds) if n}
    return Tape(events, instruments, name, counts | {"rows": len(events)} | named)


def _said(process: SpawnProcess) -> str:
    code = process.exitcode
    return "still running" if code is None else f"exit code {code}"
