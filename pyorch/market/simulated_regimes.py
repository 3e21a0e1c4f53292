"""Hidden states of the simulated market: what its flow depends on and no single message shows.

All draws are comparisons of `random.Random.random` (exact 53-bit fractions) and integer arithmetic, so
a seed gives the same states on every machine: nothing depends on how a math library rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

BID, ASK = 0, 1


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
    Regime(0.5, 1400, 10, 480_000),
    Regime(1.0, 900, 16, 560_000),
    Regime(1.9, 450, 26, 700_000),
)
REGIME_CHANGES_PER_S = 1 / 45
HONEST_ENDS_PER_S, SPOOFED_ENDS_PER_S = 1 / 6.0, 1 / 4.0
TREND_ENDS_PER_S = 1 / 20
RUN_ENDS_PER_S, NEUTRAL_ENDS_PER_S = 1 / 1.6, 1 / 0.8
SAME_DIRECTION = 0.75
WITHDRAWALS_PER_S = 1 / 4.5


@dataclass(slots=True)
class Hidden:
    """Hidden states, advanced once a step.

    Attributes:
        regime: volatility regime; makes everything faster, larger and thinner.
        direction: -1, 0 or 1: where the informed flow pushes during a run of about a second.
        trending: whether the next run tends to repeat the last one's direction or to undo it.
        honest: whether displayed size sides with the flow; otherwise it is posted against it, to be
            pulled. Spoofed times show in large levels that flicker behind the best, and in fewer trades.
        withdrawing: side whose liquidity is being pulled, or None.
        thinning: per side, share of its usual liquidity that is there, in (0, 1].
        jump_steps: steps left of a jump, in direction ``jump_direction``.
    """

    random: Random
    regime: Regime = REGIMES[1]
    direction: int = 0
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
        self._advance_run(step_s)
        self._advance_withdrawal(step_s)

    def _advance_run(self, step_s: float) -> None:
        draw = self.random.random
        if self.direction:
            if draw() < RUN_ENDS_PER_S * step_s:
                self.last_direction, self.direction = self.direction, 0
        elif draw() < NEUTRAL_ENDS_PER_S * step_s:
            same = draw() < SAME_DIRECTION
            self.direction = self.last_direction if same == self.trending else -self.last_direction

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
        """The last step of a jump is done: the flow often goes on, and sometimes turns round."""
        self.direction = (
            self.jump_direction if self.random.random() < 0.65 else -self.jump_direction
        )


def pick(random: Random, table: tuple[int, ...]) -> int:
    """One entry of a table, each as likely."""
    return table[int(random.random() * len(table))]
