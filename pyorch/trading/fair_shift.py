"""Where fair value is quoted from: the forecast's move and the inventory's skew, in integers.

Defines `pyorch/native/fair_shift.hpp`. Both are moves of the underlying in bp × 100, which an option takes
over by its premium-adjusted delta: its value is counted in coins, and for a relative move r of the forward
it changes by ``premium_adjusted_delta × r``. Divisions round towards 0, so that both signs are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyorch.contract.fixed import IntArray

PROBABILITY_ONE = 32768
"""1.0 in 15-bit probabilities."""
DELTA_ONE = 1_000_000
"""1.0 in deltas of 1e-6."""
NANO_PER_BP100 = 1000
"""A hundredth of a basis point of one bitcoin, in 1e-9 BTC."""


def towards_zero(numerator: int, denominator: int) -> int:
    """The quotient without its fraction, for a denominator above 0."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


@dataclass(frozen=True, slots=True)
class ArmedShift:
    """The forecast's move with everything resolved to integers.

    Attributes:
        up, down: indices into the model's outputs, probabilities.
        move_bp100: forecast at certainty: P(up) − P(down) = 1.
        deadband: differences of probabilities below it forecast nothing.
        maximum_bp100: the forecast stays within it, either way.
        step_bp100: a forecast that differs by less from the one in force is left; 0 is taken at once.
        armed: False: always 0; ``note`` says why.
    """

    up: int = 0
    down: int = 0
    move_bp100: int = 0
    deadband: int = 0
    maximum_bp100: int = 0
    step_bp100: int = 0
    armed: bool = False
    note: str = "disarmed: not configured"

    def raw_bp100(self, scores: IntArray) -> int:
        """The move that calibrated scores [O] forecast, without memory."""
        edge = int(scores[self.up]) - int(scores[self.down])
        if not self.armed or abs(edge) < self.deadband:
            return 0
        raw = towards_zero(self.move_bp100 * edge, PROBABILITY_ONE)
        return max(-self.maximum_bp100, min(self.maximum_bp100, raw))

    def next_bp100(self, current_bp100: int, scores: IntArray) -> int:
        """The move in force after these scores, when ``current_bp100`` was before."""
        raw = self.raw_bp100(scores)
        keep = raw != 0 and abs(raw - current_bp100) < self.step_bp100
        return current_bp100 if keep else raw


@dataclass(frozen=True, slots=True)
class InventorySkew:
    """Quotes lean against what is held.

    Attributes:
        delta_skew_bp100: move of the underlying at a portfolio of ``delta_scale_lots``, in proportion below,
            no more above.
        position_skew_bp100: what an option's own position at ``position_scale_lots`` adds, in bp × 100 of the
            underlying, in proportion below, no more above.
    """

    delta_skew_bp100: int = 0
    delta_scale_lots: int = 1
    position_skew_bp100: int = 0
    position_scale_lots: int = 1

    def underlying_bp100(self, deltas_ppm: Sequence[int], positions_lots: Sequence[int]) -> int:
        """The skew for the whole portfolio: long deltas lower all fair values that a rise would raise."""
        held = sum(d * p for d, p in zip(deltas_ppm, positions_lots, strict=True))
        scale = self.delta_scale_lots * DELTA_ONE
        held = max(-scale, min(scale, held))
        return -towards_zero(self.delta_skew_bp100 * held, scale)

    def own_nano(self, position_lots: int) -> int:
        """The skew for an option's own position, in 1e-9 BTC: long lowers."""
        scale = self.position_scale_lots
        held = max(-scale, min(scale, position_lots))
        return -towards_zero(self.position_skew_bp100 * NANO_PER_BP100 * held, scale)


def delta_ppm(delta: float) -> int:
    """A premium-adjusted delta in integers of 1e-6, rounded to the nearest."""
    return math.floor(delta * DELTA_ONE + 0.5)


def shift_nano(underlying_bp100: int, delta: int) -> int:
    """What an option of ``delta`` (1e-6) gains when the underlying moves, in 1e-9 BTC."""
    return towards_zero(underlying_bp100 * delta * NANO_PER_BP100, DELTA_ONE)
