"""A seeded market: a perpetual's book, trades, best quotes and volatility surface, without recordings.

Shaped after the recorded BTCUSD perpetual of August 2024: a tick of 0.1 USD near 61,800, contracts of
100 USD, best queues near 1,000 contracts one tick apart, levels about every six ticks behind them, about
three moves a second with a median of some 20 ticks, 85 depth messages a second, silences and bursts.

What there is to learn (`pyorch.market.simulated_regimes`): informed flow builds up for most of a second,
when it shows only in displayed sizes, and then pushes the price. Displayed sizes side with the flow in
honest times and oppose it in spoofed ones, which show in how often small levels flicker behind the best:
imbalance alone predicts moves a little, imbalance with that much better. Pushes repeat or undo each other
by a slower state. Liquidity is withdrawn for 150 to 400 ms before a jump, and sometimes for nothing. A
linear function of the last feature vector sees a part of this; a memory sees more.

The same seed and arguments give the same bytes on every machine (exact fractions and integers only).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument, Kind, Side
from pyorch.market.rows import RowBuffer
from pyorch.market.simulated_book import SimulatedBook
from pyorch.market.simulated_regimes import Hidden, pick
from pyorch.market.simulated_second import SECOND, SecondInstrument
from pyorch.market.tape import Tape

PERPETUAL = Instrument("BTCUSD-SIM", "simulated", "0.1", "1", 100.0)
START_NS = 1_723_161_600_000_000_000
CLOCK_OFFSET_NS = -1_270_000_000
"""Local minus exchange clock: two clocks are never the same one."""

STEP_US = (5_000, 7_000, 8_500, 10_000, 11_000, 12_000, 13_000, 14_500, 16_500, 20_000)
BURST_STEP_US = (2_000, 3_000, 4_000, 6_000)
LATENCY_US = (2_600, 2_700, 2_800, 2_900, 3_000, 3_100, 3_300, 3_600, 4_500, 9_000)
SILENCES_PER_S = 1 / 40
RECONNECTS_PER_S = 1 / 600
SURFACE_PER_S = 2.5
TRADES_PER_S = 2.0
TRADE_LOTS = (1, 1, 1, 1, 2, 2, 4, 5, 10, 16, 25, 40, 80, 190, 470)

DEPTH, SNAPSHOT, BEST, TRADE = int(Kind.DEPTH), int(Kind.SNAPSHOT), int(Kind.BEST), int(Kind.TRADE)
RESET, SURFACE = int(Kind.RESET), int(Kind.SURFACE)
BID, ASK, NONE = int(Side.BID), int(Side.ASK), int(Side.NONE)


def simulate(
    seed: int,
    duration_s: float,
    *,
    second: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Tape:
    """A tape of ``duration_s`` simulated seconds.

    Args:
        seed: any integer; the same one gives the same tape.
        duration_s: length in seconds of exchange time.
        second: add instrument 1, a linear market that leads by a fraction of a second, for the basis.
        on_progress: called now and then with the seconds done.

    Raises:
        UsageError: the duration is not positive.
    """
    if not duration_s > 0:
        raise UsageError(
            f"a market of {duration_s:g} s cannot be simulated; write a positive duration"
        )
    market = _Market(seed, second)
    market.run(int(duration_s * 1_000_000), on_progress)
    instruments = (PERPETUAL, SECOND) if second else (PERPETUAL,)
    name = f"simulated-{seed}-{duration_s:g}s" + ("-second" if second else "")
    return Tape(market.rows.array(), instruments, name, market.counts)


class _Rows(RowBuffer):
    """Rows in receive order; local time never decreases."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._local_ns = 0

    def receive(self, exchange_us: int, earlier_us: int = 0) -> tuple[int, int]:
        """Local and exchange time of a message sent at ``exchange_us``."""
        exchange_ns = START_NS + exchange_us * 1_000
        delay_us = pick(self._random, LATENCY_US) - earlier_us
        jitter_ns = int(self._random.random() * 200_000)
        self._local_ns = max(
            self._local_ns, exchange_ns + CLOCK_OFFSET_NS + delay_us * 1_000 + jitter_ns
        )
        return self._local_ns, exchange_ns


class _Market:
    def __init__(self, seed: int, second: bool) -> None:
        self.random = Random(seed)
        self.hidden = Hidden(self.random)
        self.book = SimulatedBook(self.random)
        self.second = SecondInstrument(Random(seed ^ 0x5EC0)) if second else None
        self.rows = _Rows(Random(seed ^ 0xC10C))
        self.sequence, self.trade_id = 1_000_000, 500_000
        self.volatility, self.skew = self.hidden.regime.volatility, -60_000
        names = "messages", "trades", "silences", "reconnects", "jumps", "withdrawals", "moves"
        self.counts = dict.fromkeys(names, 0)

    def run(self, duration_us: int, on_progress: Callable[[float], None] | None) -> None:
        draw, hidden = self.random.random, self.hidden
        now_us, steps = 0, 0
        self._snapshot(now_us)
        while True:
            step_us = pick(self.random, BURST_STEP_US if hidden.jump_steps else STEP_US)
            quiet = hidden.withdrawing is None and hidden.jump_steps == 0
            if quiet and draw() < SILENCES_PER_S * step_us / 1e6:
                step_us += 400_000 + int(draw() * draw() * 3_600_000)
                self.counts["silences"] += 1
            now_us += step_us
            if now_us > duration_us:
                return
            if quiet and draw() < RECONNECTS_PER_S * step_us / 1e6:
                self.counts["reconnects"] += 1
                self._row(now_us, (-1, -1, -1), RESET, NONE, 0, 0)
                now_us += 250_000
                self._snapshot(now_us)
            self._step(now_us, min(step_us, 20_000) / 1e6)
            steps += 1
            if on_progress and steps % 2_000 == 0:
                on_progress(now_us / 1e6)

    def _step(self, now_us: int, step_s: float) -> None:
        hidden, book, draw = self.hidden, self.book, self.random.random
        before = hidden.withdrawing
        hidden.advance(step_s)
        self.counts["withdrawals"] += before is None and hidden.withdrawing is not None
        touch = book.touch()
        pace = hidden.regime.pace
        if hidden.jump_steps:
            self._jump(now_us)
        else:
            rate = 11.0 if hidden.pushing else 0.2
            if draw() < rate * pace * step_s:
                with_flow = hidden.pushing and draw() < 0.95
                self._move(now_us, hidden.direction if with_flow else 1 if draw() < 0.5 else -1)
            busy = 2.0 if hidden.honest else 0.5
            if draw() < TRADES_PER_S * pace * busy * step_s:
                up = draw() < 0.5 + (0.2 if hidden.pushing else 0.08) * hidden.direction
                self._trades(now_us, ASK if up else BID, 1 + int(draw() * draw() * 8))
        book.breathe(hidden)
        self._depth(now_us, touch)
        if draw() < SURFACE_PER_S * step_s:
            self._surface(now_us)
        if self.second:
            self.second.step(now_us, book.bid, book.ask, hidden.direction, self.rows)

    def _jump(self, now_us: int) -> None:
        hidden = self.hidden
        self._trades(
            now_us, ASK if hidden.jump_direction > 0 else BID, 2 + int(self.random.random() * 3)
        )
        self._move(now_us, hidden.jump_direction, wide=True)
        hidden.jump_steps -= 1
        if hidden.jump_steps == 0:
            self.counts["jumps"] += 1
            self.volatility += 1_500 if hidden.jump_direction < 0 else 300
            hidden.jumped()

    def _move(self, now_us: int, direction: int, wide: bool = False) -> None:
        self.counts["moves"] += 1
        if self.random.random() < 0.5 and not wide:
            self._trades(now_us, ASK if direction > 0 else BID, 1)
        self.book.move(direction, self.hidden, wide)
        self.skew += -40 if direction < 0 else 40

    def _trades(self, now_us: int, resting: int, fills: int) -> None:
        """Fills against the best level of side ``resting``, each a message of its own."""
        aggressor = BID if resting == ASK else ASK
        for _ in range(fills):
            wanted = pick(self.random, TRADE_LOTS)
            price_ticks, filled = self.book.fill(resting, wanted)
            if filled == 0:
                return
            self.trade_id += 1
            self.counts["trades"] += 1
            ids = -1, self.trade_id, -1
            self._row(now_us, ids, TRADE, aggressor, price_ticks, filled, earlier_us=900)

    def _depth(self, now_us: int, touch: tuple[int, int, int, int]) -> None:
        changes = self.book.take_changes()
        if not changes[0]:
            return
        first, previous = self.sequence + 1, self.sequence
        self.sequence += len(changes[0])
        after = self.book.touch()
        if after != touch:
            stamp = *self.rows.receive(now_us, earlier_us=500), -1, self.sequence, -1
            self.rows.add(stamp, BEST, 0, (BID, ASK), after[0::2], after[1::2])
        stamp = *self.rows.receive(now_us), first, self.sequence, previous
        self.rows.add(stamp, DEPTH, 0, *changes)
        self.counts["messages"] += 1

    def _snapshot(self, now_us: int) -> None:
        self.book.take_changes()
        stamp = *self.rows.receive(now_us), -1, self.sequence, -1
        self.rows.add(stamp, SNAPSHOT, 0, *self.book.all_levels())
        self.counts["messages"] += 1

    def _surface(self, now_us: int) -> None:
        self.volatility += (self.hidden.regime.volatility - self.volatility) >> 6
        self.volatility += int(self.random.random() * 401) - 200
        self.skew += ((-60_000 - self.skew) >> 5) + int(self.random.random() * 101) - 50
        self._row(now_us, (-1, -1, -1), SURFACE, NONE, self.volatility, self.skew)

    def _row(
        self,
        now_us: int,
        ids: tuple[int, int, int],
        kind: int,
        side: int,
        price_ticks: int,
        quantity_lots: int,
        earlier_us: int = 0,
    ) -> None:
        """A message of one row."""
        stamp = *self.rows.receive(now_us, earlier_us), *ids
        self.rows.add(stamp, kind, 0, (side,), (price_ticks,), (quantity_lots,))
