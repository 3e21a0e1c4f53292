"""
Native stages of the tick path; each has a Python twin that defines it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray


class Book:
    """
    Level-2 book with venue sequence rules; twin of pyorch.market.book.Book.
    """

    def __init__(self, capacity: int = 8192) -> None: ...

    def apply_all(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], instrument: int = 0) -> None:
        """Apply the rows of one instrument; ``words`` is `event_words(events)`."""

    def trace(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], instrument: int = 0) -> Annotated[NDArray[numpy.int64], dict(shape=(None, None))]:
        """
        Apply the rows of one instrument; int64 [rows, 6] after each row of the array: best bid ticks and lots, best ask ticks and lots (0 where empty), valid, sequence.
        """

    def levels(self, side: int, n: int) -> list[tuple[int, int]]:
        """Up to n (price_ticks, quantity_lots), best first."""

    def depth(self, side: int) -> int:
        """Levels of a side."""

    @property
    def valid(self) -> bool:
        """After a snapshot, until a gap, reset or cross."""

    @property
    def two_sided(self) -> bool:
        """Both sides hold a level."""

    @property
    def sequence(self) -> int:
        """Update id of the book's state; -1 where there is none."""

    @property
    def counts(self) -> dict[str, int]:
        """
        Messages applied, gaps, crosses, stale, dropped, resets, discarded levels.
        """

class FeatureStream:
    """
    Streaming features with their books; twin of pyorch.features.batch.compute. Open one with pyorch.features.streaming.open_stream.
    """

    def __init__(self, features: Sequence[tuple[str, Mapping[str, int], int, int, int]], log2_table: Sequence[int], micro_table: Sequence[int], minimum: int, maximum: int, instruments: int, book_capacity: int = 8192) -> None: ...

    def run(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], near_levels: int = 5, slippage_lots: int = 1) -> dict[str, object]:
        """
        Apply events (`event_words(events)`); a dict of arrays, one row a tick: features int32 [ticks, F], raw, row, local_ns, segments, mid (half-ticks), micro (1/256 half-tick), near_lots [ticks, 2], cost [ticks, 2].
        """

    def time_events(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> tuple[float, int]:
        """Apply events and keep nothing: (nanoseconds, ticks)."""

    @property
    def size(self) -> int:
        """Features a tick."""

    @property
    def active(self) -> bool:
        """The book of instrument 0 is valid and two-sided."""
