"""Random words of venues and operators, for whoever drives a quoting path."""

from collections.abc import Iterator

import numpy as np

from pyorch.trading.inputs import InputArray, InputKind, make_input
from pyorch.trading.path_twin import QuotingPathTwin
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import Answer, AnswerAssurance, AnsweredBy

OPERATORS = (
    (InputKind.KILL, InputKind.REARM),
    (InputKind.PAUSE, InputKind.RESUME),
    (InputKind.MODEL_OFF, InputKind.MODEL_ON),
    (InputKind.WIDEN, InputKind.WIDEN),
    (InputKind.SIZE_CAP, InputKind.SIZE_CAP),
    (InputKind.LIMIT, InputKind.LIMIT),
    (InputKind.JOURNAL_FULL, InputKind.JOURNAL_READY),
    (InputKind.DISCONNECTED, InputKind.CONNECTED),
    (InputKind.OWN_ORDER, InputKind.OWN_ORDER),
)
"""What an operator or a venue begins, and what ends it."""


class RandomInputs:
    """What venues and operators may say, drawn at random but about messages that were sent.

    Args:
        rng: what is drawn from.
        plan: the options, venues and limits that are spoken of.
    """

    def __init__(self, rng: np.random.Generator, plan: QuotingPlan) -> None:
        self.rng = rng
        self.plan = plan
        self.open: list[tuple[int, ...]] = []

    @staticmethod
    def answer(rng: np.random.Generator, ns: int) -> Answer:
        """Now and then another engine, sometimes inexact or unverified, sometimes late."""
        if rng.random() < 0.9:
            return Answer(AnsweredBy.SHADOW, AnswerAssurance.ALONE, ns=ns)
        by, assurance = int(rng.integers(0, 4)), int(rng.integers(0, 5))
        late, inexact = rng.random() < 0.5, rng.random() < 0.5
        return Answer(AnsweredBy(by), AnswerAssurance(assurance), late, inexact, ns)

    def draw(self, row: int, local_ns: int, twin: QuotingPathTwin) -> Iterator[InputArray]:
        """What is said before a row of the market, given what the twin has sent."""
        rng, limits = self.rng, self.plan.limits
        options = len(self.plan.universe.options)
        for venue, session in enumerate(twin._sessions):
            if session.awaited and rng.random() < 0.3:
                sequence = max(0, session.sequence - int(rng.integers(0, 2)))
                yield make_input(
                    InputKind.CONNECTED, local_ns, row=row, venue=venue, sequence=sequence
                )
            if limits.acknowledged and session.connected and rng.random() < 0.3:
                sequence = max(0, session.sequence - int(rng.integers(0, 3)))
                kind = InputKind.CANCELLED if rng.random() < 0.05 else InputKind.ACKNOWLEDGED
                yield make_input(kind, local_ns, row=row, venue=venue, sequence=sequence)
            if rng.random() < 0.003:
                sequence = session.sequence
                yield make_input(
                    InputKind.PROTECTION, local_ns, row=row, venue=venue, sequence=sequence
                )
        if rng.random() < 0.1:
            option, side = int(rng.integers(0, options)), int(rng.integers(0, 2))
            live = twin.quoter._live[option]
            reject = limits.acknowledged and rng.random() < 0.3
            fields = {"option": option, "venue": limits.venue_of[option], "sequence": live.sequence}
            lots = int(rng.integers(1, 60))
            if reject:
                yield make_input(InputKind.REJECTED, local_ns, row=row, **fields)
            elif min(lots, live.quote[2 + side]) > 0:
                lots = min(lots, live.quote[2 + side])
                yield make_input(
                    InputKind.FILLED, local_ns, row=row, side=side, lots=lots, **fields
                )
        if rng.random() < 0.02:
            begin, end = OPERATORS[int(rng.integers(0, len(OPERATORS)))]
            value = int(rng.integers(0, 1000))
            if begin is InputKind.SIZE_CAP:
                value = int(rng.integers(1, 60))
            option = int(rng.integers(0, len(twin.gate.bounds)))
            if begin is InputKind.JOURNAL_FULL:
                value = int(rng.integers(0, 2))
            if begin is InputKind.LIMIT:
                value = twin.gate.bounds[option] * int(rng.integers(5, 12)) // 10
            fields = {"option": option, "value": value, "side": int(rng.integers(0, 2))}
            back = fields | {"value": 0}
            if begin is InputKind.OWN_ORDER:
                far = twin.quoter._live[option].quote[1 - fields["side"]]
                fields |= {"price_ticks": max(1, far + int(rng.integers(-3, 4))), "lots": 5}
            if begin is InputKind.JOURNAL_FULL:
                back["value"] = value
            if begin is InputKind.LIMIT:
                back["value"] = twin.gate.bounds[option]
            yield make_input(begin, local_ns, row=row, **fields)
            self.open.append((row + int(rng.integers(1, 40)), int(end), *back.values()))
        if rng.random() < 0.02:
            yield make_input(InputKind.RESET_PROTECTION, local_ns, row=row)
        if rng.random() < 0.005:
            option, lots = int(rng.integers(0, options)), int(rng.integers(-20, 21))
            yield make_input(InputKind.POSITION, local_ns, row=row, option=option, value=lots)
            sequence = twin._sessions[0].sequence + int(rng.integers(0, 3))
            yield make_input(InputKind.SEQUENCE, local_ns, row=row, sequence=sequence)
        for due in [one for one in self.open if one[0] <= row]:
            self.open.remove(due)
            _, end_kind, option, value, side = due
            fields = {"option": option, "value": value, "side": side}
            yield make_input(InputKind(end_kind), local_ns, row=row, **fields)
