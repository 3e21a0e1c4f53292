"""No sequence of quotes, answers and fills breaks a limit; nothing lives on after the kill switch."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch.trading.exchange.matching import Order
from pyorch.trading.exchange.settings import Latency, VenueSettings
from pyorch.trading.exchange.venue import Venue
from pyorch.trading.fix.decode import Decoded
from pyorch.trading.risk import Greeks, Limits, Quote, RiskGate

OPTIONS = 4
GREEKS = [Greeks(500_000, 30, 9), Greeks(-400_000, 20, 5), Greeks(900_000, 0, 0), Greeks(0, 50, 7)]
LIMITS = Limits(
    1000, 60, 300, 10**6, 10**6, (5, -7, 0, 20), delta=60_000_000, gamma=3000, vega=900,
    acknowledged=True,
)  # fmt: skip
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("answer"), st.integers(0, 3), st.just(0), st.just(0)),
        st.tuples(st.just("fill"), st.integers(0, 3), st.integers(0, 1), st.integers(1, 40)),
        st.tuples(st.just("cancel"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=60,
)


class Adversary:
    """A venue that trades whatever hurts most, at any time before it must answer.

    Its messages wait in order; until one is taken in, what it replaces may trade, and then it may trade
    itself. It knows nothing of `Exposures`.
    """

    def __init__(self) -> None:
        self.held: dict[int, list[int]] = {}
        self.waiting: list[tuple[int, int, list[int]]] = []

    def could_trade(self, option: int, side: int) -> int:
        """Lots that could still be filled."""
        coming = sum(lots[side] for _, one, lots in self.waiting if one in (option, -1))
        return self.held.get(option, [0, 0])[side] + coming


@settings(max_examples=120, deadline=None)
@given(ACTIONS, st.booleans())
def test_whatever_could_be_filled_stays_within_every_limit(
    actions: list[tuple[str, int, int, int]], acknowledged: bool
) -> None:
    limits = replace(LIMITS, acknowledged=acknowledged)
    gate, venue, sequence = RiskGate(limits), Adversary(), 0
    for what, option, a, b in actions:
        gate.begin(GREEKS)
        if what == "send":
            wanted = Quote(10 if a else 0, 20, a, b)
            quote, _ = gate.check(option, wanted, 1500, 100)
            assert quote.bid_lots in (0, a) and quote.ask_lots in (0, b)
            sequence += 1
            gate.place(option, sequence, quote)
            venue.waiting.append((sequence, option, [quote.bid_lots, quote.ask_lots]))
            if not acknowledged:
                venue.held[option] = venue.waiting.pop()[2]
            if quote.bid_lots + quote.ask_lots > 0:
                assert_within(gate, venue, quote, option)
        elif what == "answer" and venue.waiting:
            number, one, lots = venue.waiting.pop(0)
            if one == -1:
                venue.held.clear()
                gate.exposures.cancelled(0, number)
            else:
                venue.held[one] = lots
                gate.exposures.taken_in(0, number)
        elif what == "cancel":
            sequence += 1
            venue.waiting.append((sequence, -1, [0, 0]))
        elif what == "fill":
            lots = min(b, venue.held.get(option, [0, 0])[a])
            if lots > 0:
                venue.held[option][a] -= lots
                numbers = [g.sequence for g in gate.exposures.generations[option]]
                gate.filled(option, a, lots, numbers[0], 0)
        # The gate's own count is never below what the venue could still do.
        for each in range(OPTIONS):
            counted = gate.exposures.open_lots(each)
            assert counted[0] >= venue.could_trade(each, 0)
            assert counted[1] >= venue.could_trade(each, 1)


def assert_within(gate: RiskGate, venue: Adversary, sent: Quote, option: int) -> None:
    """After a quote that adds: the venue fills what hurts most, for each limit."""
    for side, sign, lots in ((0, 1, sent.bid_lots), (1, -1, sent.ask_lots)):
        if lots > 0:
            held = sign * gate.positions_lots[option]
            assert held + venue.could_trade(option, side) <= LIMITS.position_limit_lots
        for index, limit in enumerate((LIMITS.delta, LIMITS.gamma, LIMITS.vega)):
            each = GREEKS[option][index]
            if lots == 0 or each == 0:
                continue
            upward = (each > 0) == (side == 0)
            worst = 0
            for other, greeks in enumerate(GREEKS):
                g = greeks[index] if upward else -greeks[index]
                bid, ask = (venue.could_trade(other, s) for s in (0, 1))
                worst += g * gate.positions_lots[other] + max(g, 0) * bid + max(-g, 0) * ask
            assert worst <= limit
    every = sum(venue.could_trade(o, s) for o in range(OPTIONS) for s in (0, 1))
    assert every <= LIMITS.notional_limit_lots


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 5000)), max_size=40),
    st.integers(0, 5000),
    st.integers(0, 2**16),
)
def test_nothing_lives_a_round_trip_after_the_kill_switch(
    quotes: list[tuple[int, int, int]], killed_us: int, seed: int
) -> None:
    """Messages are on their way when the second route cancels: none of them rests afterwards."""
    random, wire = Random(seed), Latency(p50_us=1500, p99_us=9000)
    venue = Venue(VenueSettings(name="V"), 0, 3, seed, lambda number, now_ns, row: None)
    arrivals: list[tuple[int, int, Decoded | None]] = []
    last = 0
    for number, (option, lots, sent_us) in enumerate(sorted(quotes, key=lambda q: q[2]), 1):
        last = max(last, sent_us * 1000 + wire.draw_ns(random))
        entry = ((option, Quote(100, 110, lots, lots)),)
        arrivals.append((last, number, Decoded("i", "V", number, entry)))
    round_trip_ns = wire.draw_ns(random)
    kill_ns = killed_us * 1000 + round_trip_ns
    arrivals.append((kill_ns, 0, None))
    lived: list[Order] = []
    for at_ns, _, message in sorted(arrivals, key=lambda one: one[:2]):
        if message is None:
            venue.kill(at_ns)
        else:
            venue.receive(message, at_ns)
        if at_ns >= kill_ns:
            lived += [order for _, order in venue.live_orders()]
    assert lived == []
