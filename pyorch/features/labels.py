"""Labels: what the market did after each tick, in exact integers.

Features and labels are both made from the depth stream of instrument 0, on local (receive) time: the
best-quote stream has another delay, and labels from it would measure the delay. Only ticks after the
labelled one enter a label, by position in receive order and ``local_ns <= t + horizon``.

Names: ``i`` the labelled tick at time ``t``; ``j(h)`` the last tick with ``local_ns <= t + h``. A label is
valid where its whole horizon lies in one segment (no gap, no end of the tape).

- ``direction``: micro[j] - micro[i] in 1/256 half-tick; 0 down, 1 stable (size at most the threshold,
  the training block's median, so about half are stable), 2 up. ``direction_events``: the same over a
  number of ticks.
- ``jump_down_50ms`` and so on: the lowest (highest) mid of the ticks i…j is at least the threshold below
  (above) mid[i]. The threshold of each horizon is the training block's 99th percentile of the larger of
  both excursions, in half-ticks, at least 1; or a number of bp.
- ``withdrawal_bid``, ``withdrawal_ask``: the lots within the best N levels of the side fall, at some tick
  of i+1…j, to at most (1 - share) of those at i. The levels move with the best price.
- ``slippage``: of a market order of a BTC notional at j: the mean of buying and selling, average price
  against the mid, in ticks (half the spread is part of it).
- ``volatility``: ½·(log2(1 + Σ(forward mid changes²)) - log2(1 + Σ(trailing ones))), in octaves of
  realised volatility (mid changes in half-ticks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import IntArray
from pyorch.features.arithmetic import MOVE_LIMIT, log2_256
from pyorch.features.batch import FeatureTable
from pyorch.features.streaming import TickBook

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
DOWN, STABLE, UP = 0, 1, 2

LabelKind = Literal["direction", "event", "value"]


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """Horizons and sizes of the labels; thresholds come from the training block."""

    direction_ns: int = SECOND_NS
    direction_events: int = 100
    jump_ns: tuple[int, ...] = (50 * MILLISECOND_NS, 100 * MILLISECOND_NS)
    jump_bp: float | None = None
    """Size of a significant move; None: the training block's 99th percentile of each horizon."""
    withdrawal_ns: int = 100 * MILLISECOND_NS
    withdrawal_per_mille: int = 200
    """Share of the lots that must go: 200 is 20 %."""
    near_levels: int = 5
    """Levels of a side that withdrawal looks at."""
    slippage_ns: int = 100 * MILLISECOND_NS
    slippage_btc: float = 10.0
    """Notional of the market order: ten option contracts of one BTC."""
    volatility_ns: int = 10 * SECOND_NS
    """Forward and trailing span of realised volatility."""

    def __post_init__(self) -> None:
        for name in (
            "direction_ns",
            "direction_events",
            "withdrawal_ns",
            "near_levels",
            "slippage_ns",
            "slippage_btc",
            "volatility_ns",
        ):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be positive")
        if not self.jump_ns or min(self.jump_ns) <= 0:
            raise UsageError(f"jump_ns is {self.jump_ns}; give at least one positive horizon")
        if self.jump_bp is not None and not self.jump_bp > 0:
            raise UsageError(f"jump_bp is {self.jump_bp}; it must be positive, or None")
        if not 0 < self.withdrawal_per_mille < 1000:
            raise UsageError(
                f"withdrawal_per_mille is {self.withdrawal_per_mille}; it lies between 1 and 999"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """One label of every tick.

    Attributes:
        values: [ticks] int8 classes (direction: 0, 1, 2; event: 0, 1), or float32 values that are exact
            multiples of a power of two.
        valid: [ticks] whether the value is one.
        end_ns: [ticks] local time until which the label looks.
        horizon_ns: how far it looks, where that is fixed; the mean over valid ticks where it is not.
        threshold: in ``unit``; 0 where there is none.
        unit: of the threshold, or of the value.
    """

    name: str
    kind: LabelKind
    values: NDArray[Any]
    valid: NDArray[np.bool_]
    end_ns: IntArray
    horizon_ns: int
    threshold: int
    unit: str


class Thresholds(dict[str, int]):
    """Label → threshold; the part of the labels that the training block decides."""


def make_labels(
    table: FeatureTable,
    book: TickBook,
    options: LabelOptions,
    slippage_lots: int,
    training: slice | None,
    thresholds: Thresholds | None = None,
) -> tuple[dict[str, Label], Thresholds]:
    """All labels of a tape's ticks, by name, and their thresholds.

    Args:
        slippage_lots: the lots that ``book.cost`` trades.
        training: ticks that thresholds are chosen from, unless ``thresholds`` are given. Only labels that
            end within the block take part.

    Raises:
        UsageError: a threshold is needed and the training block holds no tick with a whole horizon.
    """
    ticks = _Ticks(table, book, training, thresholds)
    labels = [
        _direction(ticks, "direction", options.direction_ns, None),
        _direction(ticks, "direction_events", None, options.direction_events),
        *(label for horizon in options.jump_ns for label in _jumps(ticks, horizon, options)),
        *_withdrawals(ticks, options),
        _slippage(ticks, options, slippage_lots),
        _volatility(ticks, options),
    ]
    return {label.name: label for label in labels}, ticks.thresholds


class _Ticks:
    """What the labels of one tape share."""

    def __init__(
        self,
        table: FeatureTable,
        book: TickBook,
        training: slice | None,
        thresholds: Thresholds | None,
    ) -> None:
        self.now, self.book = table.local_ns, book
        self.index = np.arange(len(self.now))
        sizes = np.diff(np.append(table.segments, len(self.now)))
        self.first: IntArray = np.repeat(table.segments, sizes)
        """[ticks] first tick of the segment."""
        self.last: IntArray = np.repeat(table.segments + sizes - 1, sizes)
        """[ticks] last tick of the segment."""
        following = np.minimum(self.index + 1, self.last)
        self.lasting_ns: IntArray = self.now[following] - self.now
        """[ticks] time until the next tick of the segment."""
        self.training, self.given = training, thresholds
        self.thresholds = Thresholds()

    def after(self, horizon_ns: int) -> tuple[IntArray, NDArray[np.bool_]]:
        """j(h) of each tick, and whether the whole horizon lies in the segment."""
        latest = np.searchsorted(self.now, self.now + horizon_ns, side="right") - 1
        whole = self.now + horizon_ns <= self.now[self.last]
        return np.minimum(latest, self.last), whole

    def threshold(
        self,
        name: str,
        choose: Callable[[IntArray, IntArray], int],
        values: IntArray,
        valid: NDArray[np.bool_],
        end: IntArray,
    ) -> int:
        """Given, or chosen from the training block's valid values whose horizon ends inside it.

        ``choose`` gets the values, and for how long in ns each tick was the latest one.
        """
        if self.given is not None:
            self.thresholds[name] = self.given[name]
            return self.given[name]
        if self.training is None:
            raise UsageError(f"label {name} needs a training block or a threshold")
        block = self.training
        inside = valid[block] & ends_inside(end[block], self.now, block.stop)
        if not inside.any():
            raise UsageError(
                f"label {name}: none of the {block.stop - block.start:,} ticks of the training block has "
                "its whole horizon in it: use a longer tape or a shorter horizon"
            )
        self.thresholds[name] = choose(values[block][inside], self.lasting_ns[block][inside])
        return self.thresholds[name]


def quantile(values: IntArray, weights: IntArray | None, per_mille: int) -> int:
    """The smallest value that, with those below it, holds a share of the weight (None: equal weights)."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(np.ones_like(values) if weights is None else np.maximum(weights[order], 1))
    at = int(np.searchsorted(total * 1000, per_mille * int(total[-1])))
    return int(values[order[min(at, len(order) - 1)]])


def ends_inside(end_ns: IntArray, now_ns: IntArray, stop: int) -> NDArray[np.bool_]:
    """Whether labels that look until ``end_ns`` need no tick from ``stop`` on, nor its absence."""
    return np.asarray(end_ns <= now_ns[stop - 1])


def range_extreme(values: IntArray, begin: IntArray, end: IntArray, largest: bool) -> IntArray:
    """Largest or smallest of ``values[begin : end + 1]`` for every pair, in O(n log(longest range))."""
    choose = np.maximum if largest else np.minimum
    length = end - begin + 1
    level = np.frexp(length.astype(np.float64))[1] - 1
    result = values[begin]
    covered = values
    for power in range(int(level.max(initial=0)) + 1):
        chosen = level == power
        first, second = begin[chosen], end[chosen] - (1 << power) + 1
        result[chosen] = choose(covered[first], covered[second])
        step = 1 << power
        if step < len(values):
            covered = np.concatenate(
                [choose(covered[:-step], covered[step:]), covered[len(covered) - step :]]
            )
    return np.asarray(result)


def _direction(ticks: _Ticks, name: str, horizon_ns: int | None, events: int | None) -> Label:
    if events is None:
        assert horizon_ns is not None
        later, valid = ticks.after(horizon_ns)
        end = ticks.now + horizon_ns
    else:
        later = np.minimum(ticks.index + events, ticks.last)
        valid = ticks.index + events <= ticks.last
        end = ticks.now[later]
    change = ticks.book.micro[later] - ticks.book.micro
    threshold = ticks.threshold(
        name, lambda values, _: quantile(values, None, 500), np.abs(change), valid, end
    )
    values = np.where(change > threshold, UP, np.where(change < -threshold, DOWN, STABLE))
    if horizon_ns is None:
        horizon_ns = int(np.mean((end - ticks.now)[valid])) if valid.any() else 0
    return Label(
        name,
        "direction",
        values.astype(np.int8),
        valid,
        end,
        horizon_ns,
        threshold,
        "half-tick/256",
    )


def _jumps(ticks: _Ticks, horizon_ns: int, options: LabelOptions) -> tuple[Label, Label]:
    later, valid = ticks.after(horizon_ns)
    mid, end = ticks.book.mid, ticks.now + horizon_ns
    up = range_extreme(mid, ticks.index, later, largest=True) - mid
    down = mid - range_extreme(mid, ticks.index, later, largest=False)
    suffix = f"{horizon_ns // MILLISECOND_NS}ms"
    if options.jump_bp is None:
        threshold = ticks.threshold(
            f"jump_{suffix}",
            lambda values, lasting_ns: max(1, quantile(values, lasting_ns, 990)),
            np.maximum(up, down),
            valid,
            end,
        )
    else:
        bp = options.jump_bp
        threshold = ticks.threshold(
            f"jump_{suffix}",
            lambda values, _: max(1, round(bp * 1e-4 * quantile(values, None, 500))),
            mid,
            valid,
            end,
        )

    def event(side: str, move: IntArray) -> Label:
        values = (move >= threshold).astype(np.int8)
        return Label(
            f"jump_{side}_{suffix}", "event", values, valid, end, horizon_ns, threshold, "half-tick"
        )

    return event("down", down), event("up", up)


def _withdrawals(ticks: _Ticks, options: LabelOptions) -> tuple[Label, ...]:
    horizon_ns = options.withdrawal_ns
    later, valid = ticks.after(horizon_ns)
    labels = []
    for side, name in enumerate(("bid", "ask")):
        lots = ticks.book.near_lots[:, side]
        least = range_extreme(lots, ticks.index, later, largest=False)
        gone = 1000 * least <= (1000 - options.withdrawal_per_mille) * lots
        labels.append(
            Label(
                f"withdrawal_{name}",
                "event",
                (gone & (lots > 0)).astype(np.int8),
                valid,
                ticks.now + horizon_ns,
                horizon_ns,
                options.withdrawal_per_mille,
                f"‰ of the best {options.near_levels} levels",
            )
        )
    return tuple(labels)


def _slippage(ticks: _Ticks, options: LabelOptions, lots: int) -> Label:
    later, valid = ticks.after(options.slippage_ns)
    cost = ticks.book.cost[later]
    enough = np.all(cost >= 0, axis=1)
    # half-ticks·lots of both sides / (2 lots) / 2 half-ticks a tick, in 1/256 tick
    steps = (cost.sum(axis=1) * 64) // lots
    values = np.where(enough, steps, 0).astype(np.float32) / np.float32(256)
    return Label(
        "slippage",
        "value",
        values,
        valid & enough,
        ticks.now + options.slippage_ns,
        options.slippage_ns,
        0,
        f"ticks for {options.slippage_btc:g} BTC",
    )


def _volatility(ticks: _Ticks, options: LabelOptions) -> Label:
    horizon_ns = options.volatility_ns
    later, valid = ticks.after(horizon_ns)
    moves = np.clip(np.diff(ticks.book.mid, prepend=0), -MOVE_LIMIT, MOVE_LIMIT)
    moves[ticks.first == ticks.index] = 0
    total = np.cumsum(moves**2)
    earlier = np.searchsorted(ticks.now, ticks.now - horizon_ns, side="right") - 1
    valid = valid & (ticks.now - horizon_ns >= ticks.now[ticks.first])
    earlier = np.maximum(earlier, ticks.first)
    change = log2_256(1 + total[later] - total) - log2_256(1 + total - total[earlier])
    values = change.astype(np.float32) / np.float32(512)
    return Label(
        "volatility", "value", values, valid, ticks.now + horizon_ns, horizon_ns, 0, "octaves"
    )


def effective_size(now_ns: IntArray, valid: NDArray[np.bool_], horizon_ns: int) -> float:
    """How many labels without overlap the valid ones are worth.

    Labels that share their horizon share their outcome. Weighing each by its mean uniqueness (one over
    the number of labels alive, averaged over its life) sums to the time that is covered by at least one
    label, divided by the horizon. Source: M. López de Prado, "Advances in Financial Machine Learning"
    (2018), chapter 4.
    """
    times = now_ns[valid]
    if len(times) == 0 or horizon_ns <= 0:
        return 0.0
    covered = int(np.minimum(np.diff(times), horizon_ns).sum()) + horizon_ns
    return covered / horizon_ns


def episodes(values: NDArray[Any], valid: NDArray[np.bool_]) -> int:
    """Runs of consecutive positives among the valid ticks: overlapping positives are one event."""
    positive = values[valid] > 0
    return int(np.count_nonzero(positive & ~np.concatenate([[False], positive[:-1]])))
