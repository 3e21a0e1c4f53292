"""Who answers, as inputs: a log replays what a run's engines did, without them.

The scores are the same whoever answers, and whoever replays them computes them again; who it was, what stands
behind it and whether it came in time is in no row of the market, and widens quotes (`Answer.cautious`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from pyorch.trading.inputs import InputArray, InputKind, make_input
from pyorch.trading.records import Answer, AnswerAssurance, AnsweredBy


class AnswerSource(IntEnum):
    """Where a quoting path knows from who answered a tick, and whether in time."""

    ENGINES = 0
    """From the engines; only the tick records say it."""
    NOTED = 1
    """From the engines; what changes becomes an input, which the path notes."""
    INPUTS = 2
    """From inputs alone: a log is replayed."""


def engine_value(answer: Answer) -> int:
    """Of an ENGINE input: who, what stands behind it, whether it is inexact."""
    return int(answer.by) | int(answer.assurance) << 8 | int(answer.inexact) << 16


@dataclass(slots=True)
class StatedAnswer:
    """What inputs have said; the definition of `stated_answer.hpp`."""

    stated: Answer = Answer()
    late_ns: int = 0

    def inputs_of(self, answer: Answer, row: int, local_ns: int) -> list[InputArray]:
        """What a tick's answer makes: another engine, a deadline that it missed."""
        found = []
        if engine_value(answer) != engine_value(self.stated):
            value = engine_value(answer)
            found.append(make_input(InputKind.ENGINE, local_ns, row=row, value=value))
        if answer.late:
            value = max(answer.ns, 1)
            found.append(make_input(InputKind.DEADLINE_MISS, local_ns, row=row, value=value))
        return found

    def take(self, kind: InputKind, value: int) -> None:
        """An ENGINE or DEADLINE_MISS input."""
        if kind is InputKind.DEADLINE_MISS:
            self.late_ns = value
            return
        by, assurance = AnsweredBy(value & 255), AnswerAssurance(value >> 8 & 255)
        self.stated = Answer(by, assurance, inexact=value >> 16 != 0)

    def use(self, ns: int) -> Answer:
        """Of one tick: being late holds for it alone."""
        late = self.late_ns > 0
        answer = replace(self.stated, late=late, ns=self.late_ns if late else ns)
        self.late_ns = 0
        return answer
