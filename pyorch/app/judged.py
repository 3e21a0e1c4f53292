"""Which ticks of a run count when a model is judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch.app.journal import Journal
from pyorch.trading.records import TickFlag


def held_out_from(journal: Journal) -> int:
    """Index of the first record that the model has not seen in training; 0 on another tape than that.

    Training cuts its tape in order of time and keeps the end as test block; its record in the bundle's
    provenance says how many ticks that is.
    """
    provenance = journal.run.provenance
    trained_on = provenance.get("digests", {}).get("tape")
    if trained_on is None or trained_on != journal.run.digests["tape"]:
        return 0
    unseen = int(provenance["training"]["blocks"]["test"]["ticks"])
    made_a_tick = np.flatnonzero(journal.ticks["flags"] != TickFlag.CANCELLED)
    return int(made_a_tick[max(0, len(made_a_tick) - unseen)]) if len(made_a_tick) else 0


def judged(journal: Journal) -> NDArray[np.bool_]:
    """[ticks] whether a record counts: a tick, warm, and not seen in training."""
    flags = journal.ticks["flags"]
    counts: NDArray[np.bool_] = (flags & TickFlag.WARM != 0) & (flags & TickFlag.CANCELLED == 0)
    counts[: held_out_from(journal)] = False
    return counts
