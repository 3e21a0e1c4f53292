"""Is a tape's book right? It is rebuilt and compared with the venue's own best quotes.

A best quote can be compared where the book stands at the same update id; the two streams have delays of
their own, so anything else would compare two moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.events import Flag, Kind, Side, event_words
from pyorch.market.book import Book
from pyorch.market.tape import Tape


@dataclass(frozen=True, slots=True)
class Validation:
    """What rebuilding the book of one instrument showed.

    Attributes:
        book_messages: depth and snapshot messages that changed the book.
        gaps: breaks of the sequence.
        crosses: books whose best bid was not below the best ask.
        best_quotes: best-quote messages on the tape.
        comparable: of these, the ones whose update id the book stood at.
        agreeing: of these, the ones whose two prices and two quantities the book had.
    """

    book_messages: int
    gaps: int
    crosses: int
    best_quotes: int
    comparable: int
    agreeing: int

    @property
    def agreement_percent(self) -> float:
        """Share of the comparable points that agree; 0 where none could be compared."""
        return 100.0 * self.agreeing / self.comparable if self.comparable else 0.0

    @property
    def ok(self) -> bool:
        """No cross and every comparable best quote agrees; gaps are the recording's fault."""
        return self.crosses == 0 and self.agreeing == self.comparable


def validate(tape: Tape, instrument: int = 0, *, use_twin: bool = False) -> Validation:
    """Rebuild the book of one instrument and compare it with the best quotes at the same update ids.

    Args:
        tape: events of the session.
        instrument: which one.
        use_twin: rebuild with the Python definition instead of the native book; much slower.
    """
    events = tape.events
    if use_twin:
        twin = Book()
        trace, counts = twin.trace(events, instrument), twin.count_table()
    else:
        from pyorch import _native

        native = _native.Book()
        trace, counts = native.trace(event_words(events), instrument), native.counts
    of_instrument = events["instrument"] == instrument
    ends = of_instrument & (events["flags"] & int(Flag.LAST) > 0)
    stands = ends & np.isin(events["kind"], (Kind.DEPTH, Kind.SNAPSHOT)) & (trace[:, 4] == 1)
    ids, first = np.unique(trace[stands, 5], return_index=True)
    book = trace[stands][first][:, :4]

    best = events[of_instrument & (events["kind"] == Kind.BEST)]
    bids, asks = best[best["side"] == Side.BID], best[best["side"] == Side.ASK]
    at = np.minimum(np.searchsorted(ids, bids["sequence"]), max(len(ids) - 1, 0))
    same = ids[at] == bids["sequence"] if len(ids) else np.zeros(len(bids), bool)
    columns: list[NDArray[np.int64]] = [
        bids["price_ticks"], bids["quantity_lots"], asks["price_ticks"], asks["quantity_lots"]
    ]  # fmt: skip
    agrees = (book[at[same]] == np.column_stack(columns)[same]).all(axis=1)
    return Validation(
        book_messages=counts["messages"],
        gaps=counts["gaps"] + counts["resets"],
        crosses=counts["crosses"],
        best_quotes=len(bids),
        comparable=int(same.sum()),
        agreeing=int(agrees.sum()),
    )
