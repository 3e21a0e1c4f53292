"""The simulated exchange in time: our messages on their way, takers and other makers, reports on theirs.

Everything is drawn from the seed, each process with a generator of its own: takers come at the same times
for the same options whatever the desk does, so that runs that differ in the desk alone can be compared.
The market that others see is the tape's, earlier than the desk by ``market_lead_us``:

- *random takers* without information, a Poisson process; one pays up to its patience;
- *stale takers* look at all our quotes a reaction after each move, and hit those beyond fair value;
- *informed takers* know some moves ``informed_ahead_ms`` before they happen;
- *other makers* quote around fair value, wider; who came first at a price trades first.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Sequence
from random import Random

import numpy as np

from pyorch.market.tape import Tape
from pyorch.trading.desk_settings import NEVER
from pyorch.trading.exchange.fair import FairValues, FloatArray
from pyorch.trading.exchange.matching import ASK, BID, Order
from pyorch.trading.exchange.requests import RequestFlow
from pyorch.trading.exchange.settings import ExchangeSettings
from pyorch.trading.exchange.venue import DESK, Fill, Venue
from pyorch.trading.fix.decode import Decoded, decode
from pyorch.trading.inputs import INPUT_DTYPE, InputArray
from pyorch.trading.plan import QuotingPlan

BP_BTC = 1e-4
MAKER = DESK + 1


class Exchange:
    """All venues of a run. Any thread may call it; a call never waits for anything but another call's end.

    Args:
        plan: universe, ticks and venues; tape: the market.
    """

    def __init__(self, settings: ExchangeSettings, plan: QuotingPlan, tape: Tape) -> None:
        self.settings = settings
        self.plan = plan
        self._lock = threading.Lock()
        options = len(plan.universe.options)
        self.tick_btc = plan.terms.tick_nano * 1e-9
        self.venue_of = plan.limits.venue_of
        self.venues = [
            Venue(one, number, options, settings.seed * 1000 + number, self._send_report)
            for number, one in enumerate(settings.venues)
        ]
        self._number = {one.name: number for number, one in enumerate(settings.venues)}
        lead_ns = round(settings.flow.market_lead_us * 1000)
        self.fair = FairValues(plan, tape, lead_ns)
        self._ahead = FairValues(plan, tape, lead_ns)
        self._delays = Random(settings.seed * 1000 + 100)
        self._makers = Random(settings.seed * 1000 + 101)
        self._maker_orders: dict[tuple[int, int], Order] = {}
        self._heap: list[tuple[int, int, str, tuple[object, ...]]] = []
        self._counter = 0
        self._out_ns = [0] * len(self.venues)
        self._in_ns = [0] * len(self.venues)
        self._second_ns = [0] * len(self.venues)
        self._delivered: list[InputArray] = []
        self._first_ns = int(tape.events["local_ns"][0])
        self._last_ns = int(tape.events["local_ns"][-1])
        self._draw_flow()
        self.requests = RequestFlow(
            settings.requests,
            options,
            settings.seed * 1000 + 104,
            (self._first_ns, self._last_ns),
            self.tick_btc,
            self._value_at,
            self._push,
            self._send_report,
            lambda option, *deal: self.venues[self.venue_of[option]].deal(option, *deal),
        )

    @property
    def fills(self) -> list[Fill]:
        """All trades of ours, in order of time."""
        every = [fill for venue in self.venues for fill in venue.fills]
        return sorted(every, key=lambda fill: fill.local_ns)

    def positions_lots(self) -> list[int]:
        """What the venues have booked for us."""
        return [
            sum(column) for column in zip(*(v.positions_lots for v in self.venues), strict=True)
        ]

    def logon(self, now_ns: int) -> None:
        """A desk begins: each venue cancels what it holds of it, and says what it has taken in."""
        with self._lock:
            for number, venue in enumerate(self.venues):
                self._push(now_ns + venue.settings.outward.draw_ns(self._delays), "logon", number)

    def break_session(self, number: int, now_ns: int) -> None:
        """A venue has lost its session: cancel on disconnect."""
        with self._lock:
            self._push(now_ns, "cut", number)

    def greet(self, number: int, now_ns: int) -> None:
        """A desk asks a venue what is open: it cancels what it holds, and says what it has taken in."""
        with self._lock:
            self._push(now_ns, "greet", number)

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""
        decoded = decode(message, self.plan.codec.price, self.plan.codec.size)
        number = self._number[decoded.target]
        with self._lock:
            delay_ns = self.settings.venues[number].outward.draw_ns(self._delays)
            self._out_ns[number] = max(self._out_ns[number], sent_ns + delay_ns)
            self._push(self._out_ns[number], "message", number, decoded)

    def kill(self, now_ns: int) -> int:
        """The second route to every venue; returns when the last one has cancelled everything."""
        return self._by_second_route(now_ns, "kill")

    def withdraw(self, now_ns: int) -> int:
        """Cancel everything by the second route; sessions stay open. Returns when the last one has."""
        return self._by_second_route(now_ns, "withdraw")

    def rearm(self, now_ns: int) -> None:
        """A named person took the kill back: sessions begin anew."""
        self._by_second_route(now_ns, "unlock")

    def _by_second_route(self, now_ns: int, what: str) -> int:
        done = now_ns
        with self._lock:
            for number, venue in enumerate(self.venues):
                arrives = now_ns + venue.settings.second_route.draw_ns(self._delays)
                # In order: what unlocks a session never overtakes a later kill's place.
                self._second_ns[number] = max(self._second_ns[number], arrives)
                self._push(self._second_ns[number], what, number)
                done = max(done, self._second_ns[number])
        return done

    def order_beside(self, option: int, side: int, price_ticks: int, lots: int, now_ns: int) -> int:
        """An order by the second route; 0 lots take the option's order back. Returns when it is there."""
        number = self.venue_of[option]
        with self._lock:
            arrives = now_ns + self.settings.venues[number].second_route.draw_ns(self._delays)
            kind = "D" if lots else "F"
            order = Decoded(kind, "", 0, order=(option, side, price_ticks, lots, True))
            self._push(arrives, "beside", number, order)
        return arrives

    def reset_protection(self) -> None:
        """Venues that protected us take quotes again."""
        with self._lock:
            for venue in self.venues:
                venue.reset_protection()

    def respond(
        self, request: int, option: int, side: int, price: int, until_ns: int, now_ns: int
    ) -> None:
        """Our answer to a request for a quote leaves."""
        with self._lock:
            delay_ns = self.settings.venues[0].outward.draw_ns(self._delays)
            self._push(now_ns + delay_ns, "answer", request, price, until_ns)

    def confirm(self, request: int, deal: bool, now_ns: int) -> None:
        """Our last look at an accepted answer leaves."""
        with self._lock:
            delay_ns = self.settings.venues[0].outward.draw_ns(self._delays)
            if deal:
                self._push(now_ns + delay_ns, "deal", request)

    def best(self, option: int, now_ns: int) -> tuple[int, int, int, int]:
        """Best bid, its lots, best ask and its lots of others; 0 lots: there is none."""
        with self._lock:
            index = self.fair.index_at(now_ns)
            if index >= 0:
                self._refresh_makers(option, self.fair.values(index))
            book = self.venues[self.venue_of[option]].books[option]
            return (*book.best_of_others(BID, DESK), *book.best_of_others(ASK, DESK))

    def levels(
        self, option: int, now_ns: int
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The whole book of an option, ours with it: (price in ticks, lots) of bids and asks, best first."""
        self.best(option, now_ns)
        with self._lock:
            book = self.venues[self.venue_of[option]].books[option]
            bids, asks = (
                sorted((price, sum(order.lots for order in level)) for price, level in side.items())
                for side in book.levels
            )
            return [one for one in reversed(bids) if one[1]], [one for one in asks if one[1]]

    def next_ns(self) -> int:
        """When something happens next, or a report arrives."""
        with self._lock:
            return self._heap[0][0] if self._heap else NEVER

    def advance(self, until_ns: int) -> InputArray:
        """Let everything up to ``until_ns`` happen; returns the reports that arrived, in order."""
        with self._lock:
            while self._heap and self._heap[0][0] <= until_ns:
                now_ns, _, what, given = heapq.heappop(self._heap)
                getattr(self, f"_on_{what}")(now_ns, *given)
            arrived, self._delivered = self._delivered, []
        return np.concatenate(arrived) if arrived else np.zeros(0, INPUT_DTYPE)

    def reconcile(self) -> tuple[list[int], list[int], list[tuple[int, int, int, int]]]:
        """What a desk that begins anew asks: positions, last sequence per venue, live orders of ours.

        A live order is (option, side, price in ticks, lots), of a quote or beside the quotes.
        """
        with self._lock:
            live = [
                (option, order.side, order.price_ticks, order.lots)
                for venue in self.venues
                for option, order in venue.live_orders()
            ]
            taken_in = [venue.last_sequence for venue in self.venues]
            return self.positions_lots(), taken_in, live

    def _push(self, when_ns: int, what: str, *given: object) -> None:
        heapq.heappush(self._heap, (when_ns, self._counter, what, given))
        self._counter += 1

    def _draw_flow(self) -> None:
        flow, seed = self.settings.flow, self.settings.seed
        draw = Random(seed * 1000 + 102)
        options = range(len(self.plan.universe.options))
        now_s = 0.0
        while flow.random_per_s > 0:
            now_s += draw.expovariate(flow.random_per_s)
            when = self._first_ns + int(now_s * 1e9)
            if when >= self._last_ns:
                break
            patience = draw.expovariate(1.0) * flow.patience_bp * BP_BTC
            side = BID if draw.random() < 0.5 else ASK
            lots = draw.randint(1, flow.random_lots)
            self._push(when, "random", draw.choice(options), side, patience, lots)
        moves = Random(seed * 1000 + 103)
        for index, at_ns in enumerate(self.fair.times_ns.tolist()):
            reaction = moves.expovariate(1.0) * flow.stale_reaction_us * 1000
            self._push(at_ns + int(reaction), "stale")
            if moves.random() < flow.informed_share and flow.informed_ahead_ms > 0:
                known_ns = at_ns - round(flow.informed_ahead_ms * 1e6)
                self._push(max(known_ns, self._first_ns), "informed", index)
        for number, venue in enumerate(self.settings.venues):
            for at_s in venue.outages_s:
                begins = self._first_ns + round(at_s * 1e9)
                self._push(begins, "outage", number)
                self._push(begins + venue.outage_ms * 1_000_000, "join", number)

    def _send_report(self, number: int, now_ns: int, row: InputArray) -> None:
        delay_ns = self.settings.venues[number].inward.draw_ns(self._delays)
        self._in_ns[number] = max(self._in_ns[number], now_ns + delay_ns)
        self._push(self._in_ns[number], "report", row)

    def _on_report(self, now_ns: int, row: InputArray) -> None:
        row["local_ns"] = now_ns
        self._delivered.append(row)

    def _on_message(self, now_ns: int, number: int, decoded: Decoded) -> None:
        index = self.fair.index_at(now_ns)
        if index >= 0:
            values = self.fair.values(index)
            for option, _ in decoded.entries:
                self._refresh_makers(option, values)
        self.venues[number].receive(decoded, now_ns)

    def _on_request(self, now_ns: int, number: int) -> None:
        self.requests.ask(now_ns, number)

    def _on_answer(self, now_ns: int, number: int, price: int, until_ns: int) -> None:
        self.requests.answered(now_ns, number, price, until_ns)

    def _on_take(self, now_ns: int, number: int) -> None:
        self.requests.take(now_ns, number)

    def _on_deal(self, now_ns: int, number: int) -> None:
        self.requests.confirmed(now_ns, number)

    def _value_at(self, option: int, at_ns: int) -> float:
        index = self._ahead.index_at(at_ns)
        return float(self._ahead.values(index)[option]) if index >= 0 else math.nan

    def _on_cut(self, now_ns: int, number: int) -> None:
        self.venues[number].cut(now_ns)

    def _on_outage(self, now_ns: int, number: int) -> None:
        self.venues[number].out = True
        self.venues[number].cut(now_ns)

    def _on_join(self, now_ns: int, number: int) -> None:
        self.venues[number].out = False
        self.venues[number].join(now_ns)

    def _on_kill(self, now_ns: int, number: int) -> None:
        self.venues[number].kill(now_ns)

    def _on_withdraw(self, now_ns: int, number: int) -> None:
        self.venues[number].withdraw(now_ns)

    def _on_logon(self, now_ns: int, number: int) -> None:
        self.venues[number].logon(now_ns)

    def _on_greet(self, now_ns: int, number: int) -> None:
        venue = self.venues[number]
        if not venue.out:
            (venue.logon if venue.connected else venue.join)(now_ns)

    def _on_beside(self, now_ns: int, number: int, order: Decoded) -> None:
        self.venues[number].order(order, now_ns)

    def _on_unlock(self, now_ns: int, number: int) -> None:
        self.venues[number].unlock(now_ns)

    def _on_random(self, now_ns: int, option: int, side: int, patience: float, lots: int) -> None:
        index = self.fair.index_at(now_ns)
        if index < 0:
            return
        values = self.fair.values(index)
        self._refresh_makers(option, values)
        value = float(values[option])
        if not math.isnan(value):
            limit = value - patience if side == BID else value + patience
            self._trade(option, side, limit, lots, "random", now_ns)

    def _on_stale(self, now_ns: int) -> None:
        index, flow = self.fair.index_at(now_ns), self.settings.flow
        if index >= 0 and flow.stale_lots > 0:
            edge = flow.stale_edge_bp * BP_BTC
            self._pick_off(self.fair.values(index), edge, flow.stale_lots, "stale", now_ns)

    def _on_informed(self, now_ns: int, index: int) -> None:
        flow = self.settings.flow
        edge = flow.informed_edge_bp * BP_BTC
        self._pick_off(self._ahead.values(index), edge, flow.informed_lots, "informed", now_ns)

    def _pick_off(
        self, values: FloatArray, edge_btc: float, lots: int, by: str, now_ns: int
    ) -> None:
        """Hit every quote of ours that lies beyond a value by more than the edge."""
        for venue in self.venues:
            for option, pair in enumerate(venue.quotes):
                value = float(values[option])
                for order in pair:
                    if order is None or order.lots == 0 or math.isnan(value):
                        continue
                    price = order.price_ticks * self.tick_btc
                    beyond = price - value if order.side == BID else value - price
                    if beyond > edge_btc:
                        self._trade(option, order.side, price, lots, by, now_ns)

    def _trade(
        self, option: int, side: int, limit_btc: float, lots: int, by: str, now_ns: int
    ) -> None:
        ticks = limit_btc / self.tick_btc
        limit = math.ceil(ticks - 1e-6) if side == BID else math.floor(ticks + 1e-6)
        self.venues[self.venue_of[option]].trade(option, side, limit, lots, by, now_ns)

    def _refresh_makers(self, option: int, values: Sequence[float] | FloatArray) -> None:
        """Other makers quote an option around its value, and keep their place while the price stands."""
        flow = self.settings.flow
        value = float(values[option])
        if flow.maker_lots == 0 or math.isnan(value):
            return
        half = flow.maker_half_spread_bp * BP_BTC
        book = self.venues[self.venue_of[option]].books[option]
        for side in (BID, ASK):
            raw = (value - half if side == BID else value + half) / self.tick_btc
            price = math.floor(raw) if side == BID else math.ceil(raw)
            held = self._maker_orders.get((option, side))
            if held is not None and held.lots > 0 and held.price_ticks == price:
                continue
            if held is not None:
                book.remove(held)
            across = book.best(1 - side)
            crossing = across is not None and (price >= across if side == BID else price <= across)
            if price >= 1 and not crossing:
                order = Order(side, price, self._makers.randint(1, flow.maker_lots), MAKER)
                book.add(order)
                self._maker_orders[option, side] = order
