"""The simulated exchange matches by price and time, delays, refuses, protects, and cancels on disconnect."""

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from pyorch.contract.errors import DataError
from pyorch.trading.exchange.matching import ASK, BID, OptionBook, Order
from pyorch.trading.exchange.settings import Latency, VenueProtection, VenueSettings
from pyorch.trading.exchange.venue import Venue
from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.fix.decode import Decoded, decode, split_messages
from pyorch.trading.inputs import InputKind, Rejection
from pyorch.trading.quoting import Sent
from pyorch.trading.records import Reason
from pyorch.trading.risk import Quote


def test_the_best_price_trades_first_and_within_a_price_who_came_first() -> None:
    book = OptionBook()
    first, second, better = Order(BID, 10, 5, 1), Order(BID, 10, 5, 0), Order(BID, 11, 2, 1)
    for order in (first, second, better):
        book.add(order)
    assert book.ahead(second) == 5
    traded = [(order, lots) for order, lots in book.take(BID, 10, 9)]
    assert traded == [(better, 2), (first, 5), (second, 2)]
    assert second.lots == 3 and book.best(BID) == 10
    assert list(book.take(BID, 11, 1)) == []  # nobody pays that


class Heard:
    """A venue and what it said."""

    def __init__(self, **settings: Any) -> None:
        self.said: list[tuple[InputKind, Any]] = []
        given = VenueSettings(name="VENUE", reject_share=0.0)
        for name, value in settings.items():
            given = VenueSettings(
                **{f: getattr(given, f) for f in given.__struct_fields__} | {name: value}
            )
        self.venue = Venue(given, 0, 3, 1, self.listen)

    def listen(self, number: int, now_ns: int, row: Any) -> None:
        self.said.append((InputKind(int(row["kind"][0])), row[0]))

    def quote(self, sequence: int, option: int, *quote: int, now_ns: int = 0) -> list[str]:
        self.said.clear()
        self.venue.receive(Decoded("i", "VENUE", sequence, ((option, Quote(*quote)),)), now_ns)
        return [kind.name for kind, _ in self.said]


def test_a_quote_replaces_the_old_one_and_keeps_its_place_when_it_only_shrinks() -> None:
    heard = Heard()
    assert heard.quote(1, 0, 100, 110, 20, 20) == ["ACKNOWLEDGED"]
    book = heard.venue.books[0]
    behind = Order(BID, 100, 7, 1)
    book.add(behind)
    heard.quote(2, 0, 100, 111, 10, 20)
    mine = heard.venue.quotes[0][0]
    assert mine is not None and book.ahead(mine) == 0 and mine.sequence == 2
    heard.quote(3, 0, 100, 111, 15, 20)
    mine = heard.venue.quotes[0][0]
    assert mine is not None and book.ahead(mine) == 7
    heard.said.clear()
    assert heard.venue.trade(0, BID, 100, 10, "random", 5) == 3
    kind, row = heard.said[0]
    assert kind is InputKind.FILLED
    assert (row["lots"], row["side"], row["sequence"]) == (3, 0, 3)
    assert heard.venue.positions_lots == [3, 0, 0]
    assert heard.venue.fills[0].queue_lots == 7


def test_messages_that_come_twice_are_taken_in_once() -> None:
    heard = Heard()
    heard.quote(4, 0, 100, 110, 1, 1)
    assert heard.quote(4, 0, 101, 110, 1, 1) == [] and heard.venue.duplicates == 1
    assert heard.venue.quotes[0][0].price_ticks == 100  # type: ignore[union-attr]


def test_refused_entries_leave_no_quote_and_withdrawals_are_never_refused() -> None:
    heard = Heard(entries_burst=2, entries_per_s=1)
    for sequence in (1, 2):
        assert heard.quote(sequence, 0, 100, 110, 1, 1) == ["ACKNOWLEDGED"]
    assert heard.quote(3, 0, 100, 110, 1, 1) == ["REJECTED", "ACKNOWLEDGED"]
    assert heard.said[0][1]["value"] == Rejection.RATE
    assert heard.venue.live_orders() == []
    assert heard.quote(4, 0, 0, 0, 0, 0) == ["ACKNOWLEDGED"]
    assert heard.quote(5, 0, 100, 110, 1, 1, now_ns=3 * 10**9) == ["ACKNOWLEDGED"]
    heard.venue.books[1].add(Order(ASK, 99, 5, 1))
    assert heard.quote(6, 1, 99, 110, 1, 1, now_ns=6 * 10**9)[0] == "REJECTED"
    assert heard.said[0][1]["value"] == Rejection.CROSSED


def test_protection_withdraws_everything_until_it_is_reset() -> None:
    heard = Heard(protection=VenueProtection(interval_ms=100, lots=10))
    heard.quote(1, 0, 100, 110, 20, 20)
    heard.quote(2, 1, 100, 110, 20, 20)
    heard.venue.trade(0, BID, 100, 9, "random", 0)
    assert len(heard.venue.live_orders()) == 4
    heard.venue.trade(0, ASK, 110, 9, "random", 100_000_001)  # the first fill is too old to count
    assert len(heard.venue.live_orders()) == 4
    heard.venue.trade(1, ASK, 110, 1, "random", 100_000_002)
    assert heard.venue.live_orders() == [] and heard.said[-1][0] is InputKind.PROTECTION
    assert heard.quote(3, 0, 100, 110, 1, 1, now_ns=200_000_000)[0] == "REJECTED"
    heard.venue.reset_protection()
    assert heard.quote(4, 0, 100, 110, 1, 1, now_ns=200_000_000) == ["ACKNOWLEDGED"]


def test_a_broken_session_and_the_second_route_cancel_and_drop_what_comes_after() -> None:
    heard = Heard()
    heard.quote(1, 0, 100, 110, 1, 1)
    heard.venue.cut(5)
    assert heard.venue.live_orders() == [] and heard.said[-1][0] is InputKind.DISCONNECTED
    assert heard.quote(2, 0, 100, 110, 1, 1) == [] and heard.venue.dropped == 1
    heard.venue.join(6)
    heard.quote(3, 0, 100, 110, 1, 1)
    heard.venue.kill(7)
    assert heard.quote(4, 0, 100, 110, 1, 1) == [] and heard.venue.live_orders() == []
    heard.venue.unlock(8)
    assert heard.quote(5, 0, 100, 110, 1, 1) == ["ACKNOWLEDGED"]


def test_a_venue_says_what_it_has_taken_in_when_it_is_up_and_not_before() -> None:
    heard = Heard()
    heard.quote(7, 0, 100, 110, 1, 1)
    heard.said.clear()
    heard.venue.logon(1)
    kind, row = heard.said[-1]
    assert (kind, row["sequence"]) == (InputKind.CONNECTED, 7) and heard.venue.live_orders() == []
    heard.venue.kill(2)
    heard.venue.cut(3)
    heard.said.clear()
    heard.venue.join(4)  # up, but the kill switch keeps it shut
    heard.venue.logon(5)
    assert heard.said == []
    heard.venue.unlock(6)
    assert [(kind, row["sequence"]) for kind, row in heard.said] == [(InputKind.CONNECTED, 7)]


def test_a_withdrawal_by_the_second_route_leaves_the_session_open() -> None:
    heard = Heard()
    heard.quote(7, 0, 100, 110, 1, 1)
    heard.venue.withdraw(1)
    assert heard.venue.live_orders() == []
    assert heard.quote(8, 0, 100, 110, 1, 1) == ["ACKNOWLEDGED"]


def test_an_order_of_ours_never_trades_with_our_quote() -> None:
    heard = Heard()
    heard.quote(1, 0, 100, 110, 5, 5)
    heard.said.clear()
    heard.venue.receive(Decoded("D", "VENUE", 2, order=(0, BID, 110, 5, True)), 0)
    assert [kind.name for kind, _ in heard.said] == ["ORDER_REJECTED", "ACKNOWLEDGED"]
    heard.venue.books[0].add(Order(ASK, 105, 3, 1))
    heard.venue.receive(Decoded("D", "VENUE", 3, order=(0, BID, 106, 5, True)), 0)
    assert heard.venue.positions_lots[0] == 3
    assert heard.venue.orders[0].lots == 2 and heard.venue.orders[0].price_ticks == 106
    heard.said.clear()
    heard.venue.trade(0, BID, 100, 2, "random", 5)  # what rests beside the quotes is told apart
    kind, row = heard.said[0]
    assert (kind, row["value"], row["sequence"]) == (InputKind.FILLED, 1, 3)


def test_delays_have_the_stated_median_and_99th_percentile() -> None:
    random = Random(1)
    drawn = [Latency(p50_us=1000, p99_us=3000).draw_ns(random) for _ in range(20_000)]
    median, p99 = np.percentile(drawn, [50, 99])
    assert median == pytest.approx(1e6, rel=0.02) and p99 == pytest.approx(3e6, rel=0.06)


CODEC = FixCodec("ME", "YOU", "A", "U", ("X-1", "X-2"), Decimals.of("0.0005"), Decimals.of("0.1"))


def test_the_venue_reads_what_the_codec_wrote_and_refuses_damage() -> None:
    sent = [Sent(k % 2, Reason.MOVE, Quote(10 + k, 20 + k, k, 30)) for k in range(20)]
    stream = b"".join([*CODEC.mass_quotes(7, 10**18, sent), CODEC.cancel_all(9, 10**18)])
    messages = split_messages(stream)
    read = [decode(message, CODEC.price, CODEC.size) for message in messages]
    assert [(m.kind, m.target, m.sequence) for m in read] == [
        ("i", "YOU", 7),
        ("i", "YOU", 8),
        ("Z", "YOU", 9),
    ]
    entries = [entry for m in read for entry in m.entries]
    assert entries == [(one.option, one.quote) for one in sent]
    broken = messages[0].replace(b"132=0.0050", b"132=0.0060")
    with pytest.raises(DataError, match=r"CheckSum .* is wrong"):
        decode(broken, CODEC.price, CODEC.size)
    with pytest.raises(DataError, match="BodyLength is not"):
        decode(messages[0][:-20] + messages[0][-8:], CODEC.price, CODEC.size)
    assert replace(CODEC, target="THEM").cancel_all(1, 0) != CODEC.cancel_all(1, 0)
