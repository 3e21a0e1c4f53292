"""Figures are about ticks that training has not seen."""

from pathlib import Path
from typing import Any

import numpy as np

from pyorch.app.journal import Journal, RunDescription
from pyorch.app.judged import held_out_from, judged
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, TickFlag

WARM, CANCELLED = int(TickFlag.WARM), int(TickFlag.CANCELLED)


def journal(flags: list[int], provenance: dict[str, Any]) -> Journal:
    ticks = np.zeros(len(flags), TICK_DTYPE)
    ticks["flags"] = flags
    run = RunDescription("model", {"tape": "this"}, provenance=provenance)
    return Journal(Path(), run, ticks, np.zeros(0, QUOTE_DTYPE), b"", None, "")


def trained_on(tape: str, test_ticks: int) -> dict[str, Any]:
    return {"digests": {"tape": tape}, "training": {"blocks": {"test": {"ticks": test_ticks}}}}


def test_cold_ticks_and_withdrawals_do_not_count() -> None:
    found = judged(journal([0, WARM, CANCELLED, WARM | CANCELLED, WARM], {}))
    assert found.tolist() == [False, True, False, False, True]


def test_on_the_training_tape_only_the_test_block_counts() -> None:
    flags = [WARM] * 6
    assert judged(journal(flags, trained_on("this", 2))).tolist() == [False] * 4 + [True] * 2
    assert judged(journal(flags, trained_on("another", 2))).all()
    assert judged(journal(flags, {})).all()


def test_withdrawals_between_ticks_are_not_counted_as_ticks() -> None:
    flags = [WARM, WARM, CANCELLED, WARM, CANCELLED, WARM]
    assert held_out_from(journal(flags, trained_on("this", 2))) == 3
    assert held_out_from(journal(flags, trained_on("this", 99))) == 0
