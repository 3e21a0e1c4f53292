"""Labels equal what a plain loop over the readable book says; sizes count overlap once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, Flag, Kind, Side
from pyorch.features.arithmetic import log2_256, micro_offset
from pyorch.features.definitions import default_schema
from pyorch.features.history import book_history
from pyorch.features.labels import (
    MILLISECOND_NS,
    LabelOptions,
    Thresholds,
    effective_size,
    episodes,
    make_labels,
    range_extreme,
)
from pyorch.features.streaming import compute_with_book
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape

OPTIONS = LabelOptions(
    direction_ns=300 * MILLISECOND_NS, direction_events=20, volatility_ns=700 * MILLISECOND_NS
)
LOTS = 900
NEAR = OPTIONS.near_levels


@pytest.fixture(scope="module")
def tape() -> Tape:
    """Twelve seconds, a reconnect (RESET row, a pause, a new snapshot), and six more of another seed."""
    first, second = simulate(11, 12.0), simulate(12, 6.0)
    later = second.events.copy()
    pause_ns = 250_000_000
    for clock in ("local_ns", "exchange_ns"):
        later[clock] += first.events[clock].max() - later[clock].min() + pause_ns
    reset = np.zeros(1, EVENT_DTYPE)
    reset["local_ns"] = first.events["local_ns"][-1]
    reset["kind"], reset["side"], reset["flags"] = Kind.RESET, Side.NONE, Flag.FIRST | Flag.LAST
    events = np.concatenate([first.events, reset, later])
    return insert_timer_ticks(Tape(events, first.instruments, "reconnected", {}))


def test_book_at_each_tick_equals_the_readable_book(tape: Tape) -> None:
    table, book = compute_with_book(tape, default_schema(), NEAR, LOTS)
    history = book_history(tape, 0, 200)
    at = np.searchsorted(history.rows, table.row, side="right") - 1
    ticks, lots = history.ticks[at], history.lots[at]
    np.testing.assert_array_equal(book.mid, history.mid[at])
    spread = ticks[:, 1, 0] - ticks[:, 0, 0]
    micro = 256 * book.mid + micro_offset(spread, lots[:, 0, 0], lots[:, 1, 0])
    np.testing.assert_array_equal(book.micro, micro)
    np.testing.assert_array_equal(book.near_lots, lots[:, :, :NEAR].sum(axis=2))
    for k in range(0, len(at), 7):
        for side in (Side.BID, Side.ASK):
            left, cost = LOTS, 0
            for price, quantity in zip(ticks[k, side], lots[k, side], strict=True):
                taken = min(left, int(quantity))
                cost += abs(2 * int(price) - int(book.mid[k])) * taken
                left -= taken
            assert book.cost[k, side] == (cost if left == 0 else -1)


def test_labels_equal_a_plain_loop(tape: Tape) -> None:
    table, book = compute_with_book(tape, default_schema(), NEAR, LOTS)
    count = len(table.row)
    labels, thresholds = make_labels(table, book, OPTIONS, LOTS, slice(0, count))
    now, mid, micro = table.local_ns, book.mid, book.micro
    starts = [*table.segments.tolist(), count]
    assert len(starts) > 2, "the tape holds a reconnect, so that horizons end at it"
    checked = 0
    for i in range(0, count, 5):
        t = now[i]
        begin, end = next((a, b) for a, b in pairwise(starts) if a <= i < b)

        def upto(horizon_ns: int, i: int = i, t: int = t, end: int = end) -> list[int]:
            return [k for k in range(i, end) if now[k] <= t + horizon_ns]

        for name, later, valid in (
            ("direction", upto(OPTIONS.direction_ns)[-1], t + OPTIONS.direction_ns <= now[end - 1]),
            ("direction_events", min(i + 20, end - 1), i + 20 < end),
        ):
            change = micro[later] - micro[i]
            expected = 1 if abs(change) <= thresholds[name] else 2 if change > 0 else 0
            assert labels[name].valid[i] == valid
            assert labels[name].values[i] == expected
        for ms in (50, 100):
            window = mid[upto(ms * MILLISECOND_NS)]
            size = thresholds[f"jump_{ms}ms"]
            assert labels[f"jump_up_{ms}ms"].values[i] == (max(window) - mid[i] >= size)
            assert labels[f"jump_down_{ms}ms"].values[i] == (mid[i] - min(window) >= size)
        future = upto(100 * MILLISECOND_NS)
        for side, name in enumerate(("bid", "ask")):
            lots = book.near_lots[:, side]
            assert labels[f"withdrawal_{name}"].values[i] == (5 * min(lots[future]) <= 4 * lots[i])
        cost = book.cost[future[-1]]
        if min(cost) >= 0 and labels["slippage"].valid[i]:
            exact = cost.sum() / (2 * LOTS) / 2
            assert 0 <= exact - labels["slippage"].values[i] < 1 / 256
            checked += 1
        horizon = OPTIONS.volatility_ns
        forward = np.diff(mid[upto(horizon)]).astype(np.int64)
        past = [k for k in range(begin, i + 1) if now[k] <= t - horizon]
        assert labels["volatility"].valid[i] == (
            t - horizon >= now[begin] and t + horizon <= now[end - 1]
        )
        if labels["volatility"].valid[i]:
            trailing = np.diff(mid[past[-1] : i + 1]).astype(np.int64)
            change = log2_256(1 + (forward**2).sum()) - log2_256(1 + (trailing**2).sum())
            assert labels["volatility"].values[i] == change / 512
    assert checked > 50


def test_thresholds_make_half_of_the_training_block_stable_and_one_percent_jump(
    tape: Tape,
) -> None:
    table, book = compute_with_book(tape, default_schema(), NEAR, LOTS)
    training = slice(0, len(table.row) * 2 // 3)
    labels, _ = make_labels(table, book, OPTIONS, LOTS, training)
    end = table.local_ns[training.stop - 1]
    inside = np.zeros(len(table.row), bool)
    inside[training] = True

    def used(name: str) -> np.ndarray:
        return inside & labels[name].valid & (labels[name].end_ns <= end)

    stable = labels["direction"].values[used("direction")] == 1
    assert 0.49 < stable.mean() < 0.56
    either = labels["jump_up_100ms"].values | labels["jump_down_100ms"].values
    assert 0.009 < either[used("jump_up_100ms")].mean() < 0.05


def test_given_thresholds_are_kept_and_bp_sets_the_jump(tape: Tape) -> None:
    table, book = compute_with_book(tape, default_schema(), NEAR, LOTS)
    everything = slice(0, len(table.row))
    _, chosen = make_labels(table, book, LabelOptions(jump_bp=2.0), LOTS, everything)
    price_ticks = float(np.median(book.mid)) / 2
    assert chosen["jump_50ms"] == pytest.approx(2 * price_ticks * 2e-4, rel=0.01)
    given = Thresholds(chosen, direction=77)
    labels, kept = make_labels(table, book, LabelOptions(), LOTS, None, given)
    assert kept == given
    assert labels["direction"].threshold == 77


def test_horizons_longer_than_the_training_block_are_refused(tape: Tape) -> None:
    table, book = compute_with_book(tape, default_schema(), NEAR, LOTS)
    with pytest.raises(
        UsageError, match="none of the 30 ticks of the training block has its whole"
    ):
        make_labels(table, book, LabelOptions(direction_ns=60 * 10**9), LOTS, slice(0, 30))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction_ns": 0}, "direction_ns is 0; it must be positive"),
        ({"jump_ns": ()}, "give at least one positive horizon"),
        ({"jump_bp": -1.0}, "jump_bp is -1.0"),
        ({"withdrawal_per_mille": 1000}, "it lies between 1 and 999"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LabelOptions(**options)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.data())
def test_range_extremes_equal_a_loop(values: list[int], data: st.DataObject) -> None:
    array = np.array(values, dtype=np.int64)
    begin = np.arange(len(values))
    end = np.array([data.draw(st.integers(k, len(values) - 1)) for k in begin])
    pairs = list(zip(begin, end, strict=True))
    largest = range_extreme(array, begin, end, largest=True)
    smallest = range_extreme(array, begin, end, largest=False)
    assert largest.tolist() == [max(values[a : b + 1]) for a, b in pairs]
    assert smallest.tolist() == [min(values[a : b + 1]) for a, b in pairs]


def test_overlapping_labels_count_once() -> None:
    apart = np.arange(10, dtype=np.int64) * 1_000
    everything = np.ones(10, bool)
    assert effective_size(apart, everything, 1_000) == 10.0
    assert effective_size(apart, everything, 100) == 10.0
    assert effective_size(apart, everything, 9_000) == 2.0
    assert effective_size(np.zeros(10, np.int64), everything, 5) == 1.0
    assert effective_size(apart, ~everything, 5) == 0.0


def test_consecutive_positives_are_one_episode() -> None:
    values = np.array([1, 1, 0, 1, 0, 0, 1, 1])
    assert episodes(values, np.ones(8, bool)) == 3
    assert episodes(values, np.array([1, 1, 0, 1, 1, 1, 0, 0], bool)) == 1
