"""What the simulated exchange's books recorded, and hftbacktest's fills on it."""

import numpy as np
import pytest

from pyorch.app import bench_fills
from pyorch.app.bench_fills import Differences, differences, their_fills
from pyorch.contract.errors import EnvironmentMissingError
from pyorch.trading.exchange.matching import ASK, BID, Order
from pyorch.trading.exchange.random_flow import RandomFlow
from pyorch.trading.exchange.recording import ROW, Happened, RecordedBook
from pyorch.trading.exchange.venue import DESK


def test_a_recorded_book_says_depth_of_others_prints_and_what_befell_our_orders() -> None:
    book = RecordedBook(option=3)
    other, ours, second = Order(BID, 10, 5, 1), Order(BID, 10, 4, DESK), Order(BID, 10, 6, DESK)
    book.add(other)
    book.add(ours)
    assert list(book.take(BID, 10, 7)) == [(other, 5), (ours, 2)]
    book.add(Order(BID, 10, 9, 1))
    book.add(second)
    book.cut(second, 1)
    book.remove(ours)
    rows = book.recording.array()
    assert set(rows["option"]) == {3}
    fields = ["what", "lots", "ours", "order"]
    assert [(Happened(int(one["what"])).name, *one[fields].tolist()[1:]) for one in rows] == [
        ("DEPTH", 5, 0, 0),
        ("PLACED", 4, 0, 1),
        ("PRINT", 5, 0, 0),
        ("DEPTH", 0, 0, 0),
        ("PRINT", 2, 2, 1),
        ("DEPTH", 9, 0, 0),
        ("PLACED", 6, 0, 2),
        ("SHARES", 2, 0, 1),
        ("SHARES", 6, 0, 2),
        ("CUT", 1, 0, 2),
        ("REMOVED", 0, 0, 1),
    ]


def test_an_order_comes_forward_when_something_ahead_of_it_is_withdrawn() -> None:
    book = RecordedBook()
    ahead, ours, behind = Order(ASK, 10, 5, 1), Order(ASK, 10, 4, DESK), Order(ASK, 10, 6, 1)
    for order in (ahead, ours, behind):
        book.add(order)
    book.remove(behind)
    assert Happened.CAME_FORWARD not in book.recording.array()["what"]
    book.remove(ahead)
    rows = book.recording.array()
    assert rows["order"][rows["what"] == Happened.CAME_FORWARD].tolist() == [1]


def test_differences_are_told_apart_by_what_befell_the_order() -> None:
    def row(what: Happened, ours: int, order: int) -> tuple[int, ...]:
        return (0, what, 0, 100, 5, ours, order)

    recording = np.array(
        [
            row(Happened.PRINT, 5, 1),
            row(Happened.CAME_FORWARD, 0, 2),
            row(Happened.PRINT, 5, 2),
            row(Happened.SHARES, 0, 3),
            row(Happened.PRINT, 5, 3),
            row(Happened.PRINT, 5, 4),
        ],
        ROW,
    )
    fill = np.dtype([("row", "i8"), ("order", "i8"), ("lots", "i8"), ("price_ticks", "i8")])
    theirs = np.array([(0, 1, 5, 100), (4, 3, 2, 100), (5, 4, 5, 99)], fill)
    assert differences(recording, theirs) == Differences(4, 1, 1, 1, 1, 20, 12)


def test_without_hftbacktest_the_error_says_what_makes_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench_fills, "PEER", bench_fills.ROOT / "absent" / "bin" / "python")
    with pytest.raises(EnvironmentMissingError, match=r"absent; scripts/check_fills makes it"):
        their_fills([])


@pytest.mark.slow
def test_hftbacktest_fills_the_same_orders_at_the_same_prints() -> None:
    if not bench_fills.PEER.exists():
        pytest.skip("no hftbacktest (scripts/check_fills makes its environment)")
    flows = [RandomFlow(5, 2, 0.0, False), RandomFlow(6, 2, 0.3, False)]
    recordings = [flow.run(1500).array() for flow in flows]
    alone, withdrawn = map(differences, recordings, their_fills(recordings))
    assert alone.same == alone.ours > 20
    assert withdrawn.unexplained == 0 and withdrawn.moved > 0
