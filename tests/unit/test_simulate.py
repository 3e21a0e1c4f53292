"""The simulated market is repeatable, keeps a sound book, and holds what there is to learn."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from pyorch import _native
from pyorch.contract.errors import UsageError
from pyorch.contract.events import Flag, Kind, event_words
from pyorch.market.book import Book
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.commands import simulate_market
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape


@cache
def long_tape() -> Tape:
    return simulate(5, 900)


def states(tape: Tape) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local time and book trace after each depth message of instrument 0 with a valid book."""
    trace = _native.Book().trace(event_words(tape.events), 0)
    events = tape.events
    at = (events["flags"] & Flag.LAST > 0) & (events["kind"] == Kind.DEPTH) & (trace[:, 4] == 1)
    at &= events["instrument"] == 0
    return events["local_ns"][at], trace[at]


def later_moves(tape: Tape, horizon_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Imbalance of the best quotes, and the mid's move in ticks within the horizon."""
    local_ns, trace = states(tape)
    mid = (trace[:, 0] + trace[:, 2]) / 2
    then = np.searchsorted(local_ns, local_ns + horizon_ns, side="right") - 1
    imbalance = (trace[:, 1] - trace[:, 3]) / (trace[:, 1] + trace[:, 3])
    return imbalance, mid[then] - mid


def test_same_seed_gives_the_same_bytes() -> None:
    assert simulate(3, 20).digest() == simulate(3, 20).digest()
    assert simulate(3, 20, second=True).digest() == simulate(3, 20, second=True).digest()
    assert simulate(3, 20).digest() != simulate(4, 20).digest()


def test_bytes_are_the_same_on_every_machine() -> None:
    """Change this digest only together with the simulator's rules."""
    digest = "48061a8c766a6062432bdeb6335b3b93663bc6725258bb220ba96318c86030fb"
    assert simulate(7, 10, second=True).digest() == digest


def test_a_longer_market_begins_like_a_shorter_one() -> None:
    short, long = simulate(3, 10), simulate(3, 20)
    np.testing.assert_array_equal(short.events, long.events[: len(short.events)])


def test_book_is_sound_in_both_implementations() -> None:
    tape = simulate(9, 90, second=True)
    for instrument in (0, 1):
        twin, native = Book(), _native.Book()
        expected = twin.trace(tape.events, instrument)
        np.testing.assert_array_equal(native.trace(event_words(tape.events), instrument), expected)
        counts = twin.count_table()
        assert counts["messages"] > 500
        assert {counts[name] for name in ("gaps", "crosses", "stale", "dropped", "discarded")} == {
            0
        }
        assert twin.two_sided


def test_best_quotes_equal_the_book_at_the_same_update() -> None:
    tape = simulate(9, 60)
    events = tape.events
    trace = _native.Book().trace(event_words(events), 0)
    depth = (events["kind"] == Kind.DEPTH) & (events["flags"] & Flag.LAST > 0)
    book = dict(zip(events["sequence"][depth].tolist(), trace[depth].tolist(), strict=True))
    best = events[events["kind"] == Kind.BEST]
    assert len(best) > 2_000
    for row in best:
        at = book[int(row["sequence"])]
        side = int(row["side"])
        assert (at[2 * side], at[2 * side + 1]) == (row["price_ticks"], row["quantity_lots"])


def test_rates_are_those_of_a_perpetual() -> None:
    tape = long_tape()
    local_ns, trace = states(tape)
    assert 60 < len(local_ns) / tape.duration_s < 110
    moves = np.abs(np.diff((trace[:, 0] + trace[:, 2]) / 2))
    moves = moves[moves > 0]
    assert 1.0 < len(moves) / tape.duration_s < 4.0
    assert 10 <= np.median(moves) <= 30
    spread = trace[:, 2] - trace[:, 0]
    assert spread.min() == 1
    assert 0.9 < (spread == 1).mean() < 1
    gaps_ns = np.diff(tape.events["local_ns"])
    assert (gaps_ns > 400_000_000).sum() >= 5
    assert gaps_ns.max() > 1_000_000_000
    kinds = np.bincount(tape.events["kind"], minlength=len(Kind))
    assert kinds[Kind.TRADE] > 4_000
    assert kinds[Kind.SURFACE] > 1_500
    assert len(insert_timer_ticks(tape).events) > len(tape.events)


def test_imbalance_predicts_moves() -> None:
    imbalance, move = later_moves(long_tape(), 1_000_000_000)
    up, down = move[imbalance > 0.3].mean(), move[imbalance < -0.3].mean()
    assert up > 5
    assert down < -5


def test_jumps_are_frequent_enough_to_train_on() -> None:
    _, move = later_moves(long_tape(), 100_000_000)
    threshold = np.quantile(np.abs(move), 0.99)
    assert threshold > 50
    assert (move >= threshold).sum() > 200
    assert (move <= -threshold).sum() > 200


def test_withdrawn_liquidity_precedes_jumps() -> None:
    """A best queue at a third of its size 200 ms earlier makes a jump far more likely."""
    local_ns, trace = states(long_tape())
    _, move = later_moves(long_tape(), 100_000_000)
    before = np.searchsorted(local_ns, local_ns - 200_000_000)
    jump_up = move >= np.quantile(np.abs(move), 0.99)
    fallen = (trace[:, 3] * 3 < trace[before, 3]) & (trace[:, 2] == trace[before, 2])
    assert fallen.sum() > 500
    assert jump_up[fallen].mean() > 3 * jump_up.mean()


def test_volatility_comes_in_regimes() -> None:
    """Squared moves of neighbouring ten-second blocks are correlated."""
    local_ns, trace = states(long_tape())
    grid = np.arange(local_ns[0], local_ns[-1], 1_000_000_000)
    mid = trace[np.searchsorted(local_ns, grid, side="right") - 1][:, [0, 2]].mean(axis=1)
    size = np.abs(np.diff(mid))
    blocks = size[: len(size) // 10 * 10].reshape(-1, 10).mean(axis=1)
    assert np.corrcoef(blocks[:-1], blocks[1:])[0, 1] > 0.2


def test_second_instrument_has_a_book_and_trades_near_the_first() -> None:
    tape = simulate(2, 60, second=True)
    assert len(tape.instruments) == 2
    first = _native.Book().trace(event_words(tape.events), 0)
    second = _native.Book().trace(event_words(tape.events), 1)
    both = (first[:, 4] == 1) & (second[:, 4] == 1)
    basis = second[both, 0] - first[both, 0]
    assert -400 < np.median(basis) < 200
    assert basis.std() > 1


def test_duration_must_be_positive() -> None:
    with pytest.raises(UsageError, match="a market of -1 s cannot be simulated"):
        simulate(1, -1)


def test_verb_writes_the_same_tape_and_prints_its_digest(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    arguments = ["--seed", "3", "--minutes", "0.25", "--out", str(out), "--json"]
    result = CliRunner().invoke(simulate_market, arguments, catch_exceptions=False)
    tape = simulate(3, 15)
    assert json.loads(result.stdout)["digests"]["tape"] == tape.digest() == read_tape(out).digest()
