"""Hidden states of the simulated market: what its flow depends on and no single message shows.

All draws are comparisons of `random.Random.random` (exact 53-bit fractions) and integer arithmetic, so
a seed gives the same states on every machine: nothing depends on how a math library rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

BID, ASK = 0, 1
Entry = TypeVar("Entry", int, float)


@dataclass(frozen=True, slots=True)
class Regime:
    """A volatility regime.

    Attributes:
        pace: factor on rates of moves, trades and withdrawals.
        queue_lots: usual size of a best queue.
        move_stretch: move sizes, in sixteenths.
        volatility: at-the-money volatility that the surface is drawn to, in 1e-6.
    """

    pace: float
    queue_lots: int
    move_stretch: int
    volatility: int


REGIMES = (
    Regime(0.75, 1300, 11, 480_000),
    Regime(1.0, 900, 14, 560_000),
    Regime(1.35, 550, 18, 700_000),
)
REGIME_CHANGES_PER_S = 1 / 25
HONEST_ENDS_PER_S, SPOOFED_ENDS_PER_S = 1 / 4.2, 1 / 2.8
TREND_ENDS_PER_S = 1 / 20
REST_ENDS_PER_S = 1 / 1.0
BUILD_S, PUSH_S = (0.5, 0.65, 0.8, 0.95), (0.25, 0.3, 0.35, 0.4)
SAME_DIRECTION = 0.75
WITHDRAWALS_PER_S = 1 / 4


@dataclass(slots=True)
class Hidden:
    """Hidden states, advanced once a step.

    Attributes:
        regime: volatility regime; makes everything faster, larger and thinner.
        direction: -1, 0 or 1: where the informed flow goes. It rests (0), then builds up for some 700 ms,
            when it shows only in displayed sizes, then pushes the price for some 300 ms.
        pushing: whether it pushes.
        phase_s: seconds left of building up or pushing.
        trending: whether the next push tends to repeat the last one's direction or to undo it.
        honest: whether displayed size sides with the flow; otherwise it is posted against it, to be
            pulled. Spoofed times show in small levels that flicker behind the best, and in fewer trades.
        withdrawing: side whose liquidity is being pulled, or None.
        thinning: per side, share of its usual liquidity that is there, in (0, 1].
        jump_steps: steps left of a jump, in direction ``jump_direction``.
    """

    random: Random
    regime: Regime = REGIMES[1]
    direction: int = 0
    pushing: bool = False
    phase_s: float = 0.0
    last_direction: int = 1
    trending: bool = True
    honest: bool = True
    withdrawing: int | None = None
    withdrawal_steps: int = 0
    thinning: list[float] = field(default_factory=lambda: [1.0, 1.0])
    jump_steps: int = 0
    jump_direction: int = 0

    def advance(self, step_s: float) -> None:
        """Let ``step_s`` seconds pass."""
        draw = self.random.random
        if draw() < REGIME_CHANGES_PER_S * step_s:
            others = [one for one in REGIMES if one is not self.regime]
            self.regime = REGIMES[1] if self.regime is not REGIMES[1] else others[draw() < 0.5]
        if draw() < TREND_ENDS_PER_S * step_s:
            self.trending = not self.trending
        if draw() < (HONEST_ENDS_PER_S if self.honest else SPOOFED_ENDS_PER_S) * step_s:
            self.honest = not self.honest
        self._advance_flow(step_s)
        self._advance_withdrawal(step_s)

    @property
    def lean(self) -> float:
        """How far displayed sizes lean to the bid side, as a share of their usual size."""
        share = 0.0 if self.direction == 0 else 0.25 if self.pushing else 0.65
        return share * self.direction * (1 if self.honest else -1)

    def _advance_flow(self, step_s: float) -> None:
        draw = self.random.random
        self.phase_s -= step_s
        if self.direction == 0:
            if draw() < REST_ENDS_PER_S * self.regime.pace * step_s:
                same = draw() < SAME_DIRECTION
                last = self.last_direction
                self.direction = last if same == self.trending else -last
                self.phase_s = pick(self.random, BUILD_S)
        elif self.phase_s <= 0:
            if self.pushing:
                self.last_direction, self.direction, self.pushing = self.direction, 0, False
            else:
                self.pushing, self.phase_s = True, pick(self.random, PUSH_S)

    def _advance_withdrawal(self, step_s: float) -> None:
        draw = self.random.random
        if self.withdrawing is None:
            for side in (BID, ASK):
                self.thinning[side] += (1.0 - self.thinning[side]) * 0.04
            if draw() < WITHDRAWALS_PER_S * self.regime.pace * step_s:
                follows_flow = self.direction != 0 and draw() < 0.8
                up = self.direction > 0 if follows_flow else draw() < 0.5
                self.withdrawing = ASK if up else BID
                self.withdrawal_steps = 16 + int(draw() * 16)
            return
        self.thinning[self.withdrawing] *= 0.93
        self.withdrawal_steps -= 1
        if self.withdrawal_steps == 0:
            towards = 1 if self.withdrawing == ASK else -1
            if draw() < (0.9 if self.direction == towards else 0.45):
                self.jump_steps, self.jump_direction = 4 + int(draw() * 5), towards
            self.withdrawing = None

    def jumped(self) -> None:
        """The last step of a jump is done: the flow goes on or turns round."""
        on = self.random.random() < 0.5
        self.direction = self.jump_direction if on else -self.jump_direction
        self.pushing, self.phase_s = True, pick(self.random, PUSH_S)


def pick(random: Random, table: tuple[Entry, ...]) -> Entry:
    """One entry of a table, each as likely."""
    return table[int(random.random() * len(table))]
