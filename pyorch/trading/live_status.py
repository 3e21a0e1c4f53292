"""How a live desk stands, in a small file written anew every second: what a page or an exporter reads.

The desk hands over the records of its ticks and a few facts and goes on; histograms and the file are made on
a thread of their own, so that nothing of it lies on the tick path.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.trading.records import STAGES, RecordArray, TickFlag

PERIOD_S = 1.0
BUCKETS = 33
"""Bucket k of a histogram holds durations below 2^k ns that are not in the bucket before."""


class Histogram(msgspec.Struct):
    """Durations since the run began; `counts` has `BUCKETS` buckets."""

    counts: list[int]
    sum_ns: int


class DeskStatus(msgspec.Struct):
    """What the file says.

    Attributes:
        ticks: taken so far; stages: of a tick, and ``total``.
        facts: of the desk: time, positions, messages, inputs by kind, sessions, whether the kill switch is
            down and whether the log holds it up.
    """

    ticks: int
    quotes: int
    stages: dict[str, Histogram]
    facts: dict[str, Any]


class StatusWriter:
    """Takes what a desk offers, and writes.

    Args:
        path: of the file.

    Attributes:
        error: what the last writing raised; the desk does not stop for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        names = (*STAGES, "total")
        self._status = DeskStatus(0, 0, {name: Histogram([0] * BUCKETS, 0) for name in names}, {})
        self._condition = threading.Condition()
        self._offered: list[RecordArray] = []
        self._facts: dict[str, Any] = {}
        self._closed = False
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="desk status", daemon=True)
        self._thread.start()

    def offer(self, ticks: Sequence[RecordArray], facts: dict[str, Any]) -> None:
        """Records since the last call, and facts that replace the former ones; returns at once."""
        with self._condition:
            self._offered += ticks
            self._facts = facts

    def close(self) -> None:
        """Write what is left, end."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            with self._condition:
                self._condition.wait_for(lambda: self._closed, PERIOD_S)
                closed = self._closed
                offered, self._offered = self._offered, []
                self._status.facts = self._facts
            try:
                for ticks in offered:
                    self._add(ticks)
                write_atomically(self._path, msgspec.json.encode(self._status))
            except Exception as error:  # a thread has nobody to raise to
                self.error = error

    def _add(self, ticks: RecordArray) -> None:
        made = ticks[(ticks["flags"] & TickFlag.BOOK_VALID) != 0]
        self._status.ticks += len(made)
        self._status.quotes += int(made["quotes"].sum())
        for name, histogram in self._status.stages.items():
            counts = buckets_of(made[f"{name}_ns"])
            histogram.counts = [a + b for a, b in zip(histogram.counts, counts, strict=True)]
            histogram.sum_ns += int(made[f"{name}_ns"].sum(dtype=np.int64))


def buckets_of(durations_ns: NDArray[Any]) -> list[int]:
    """How many durations of 32 bits fall into each bucket."""
    _, exponents = np.frexp(durations_ns.astype(np.float64))
    counts: list[int] = np.bincount(exponents, minlength=BUCKETS).tolist()
    return counts


def read_desk_status(path: Path) -> DeskStatus:
    """What a desk's file says.

    Raises:
        UsageError: there is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=DeskStatus)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path} is no status of a desk ({error}); `pyorch run --venues` writes one into its folder"
        ) from error
