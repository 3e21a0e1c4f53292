"""A feed and a stand-in in one loop with a clock of its own: sessions of hours in seconds, the same every
time."""

from __future__ import annotations

from collections.abc import Callable

from pyorch.market.feeds.feed_actions import Close, Connect, Fetch, Send, Step
from pyorch.market.feeds.live import Feed
from sim.feeds.faults import Break, Faults
from sim.feeds.stand_in import StandIn

OnStep = Callable[[Step], None]
Mutate = Callable[[bytes], list[bytes]]

_FOREVER_NS = 1 << 62


class SimulatedSession:
    """Runs a feed against a stand-in.

    Args:
        feed: the client.
        stand_in: the venue.
        faults: what happens on the way.
        on_step: called with every step of the feed.
        mutate: what a fuzzer makes of each recorded text that is sent.
        delay_ns: each way.
    """

    def __init__(
        self,
        feed: Feed,
        stand_in: StandIn,
        faults: Faults,
        on_step: OnStep,
        mutate: Mutate | None = None,
        delay_ns: int = 1_000_000,
    ) -> None:
        self.feed, self.stand_in, self.faults = feed, stand_in, faults
        self._on_step, self._mutate, self._delay_ns = on_step, mutate, delay_ns
        self.now_ns = max(stand_in.next_ns, 0)
        self._offset_ns = 0  # by which the venue is late, from stalls
        self._way: list[
            tuple[int, int, bytes | Fetch, bytes | None]
        ] = []  # to the client, in order
        self._alive = False
        self._mute = False
        self._order = 0

    def run(self) -> None:
        """Until the recording is at its end and all that was on the way has come."""
        if self.feed.wake_ns < 0:
            self._did(self.feed.start(self.now_ns))
        while self.stand_in.next_ns >= 0 or self._way:
            self._next()

    def settle(self, seconds: int = 600) -> bool:
        """Until every known book is sound with nothing on the way; False where that takes too long."""
        end_ns = self.now_ns + seconds * 10**9
        while self.now_ns < end_ns:
            if self.settled:
                return True
            self._next()
        return self.settled

    @property
    def settled(self) -> bool:
        """Every book that the venue knows is sound with the client, and nothing is on the way."""
        return not self._way and all(
            self.feed.synchronised(index)
            for index, truth in enumerate(self.stand_in.truths)
            if truth.known
        )

    def break_connection(self) -> None:
        """The venue closes the connection, and all its faults end."""
        self._mute, self._alive = False, False
        self._way.clear()
        self._did(self.feed.closed(self.now_ns, "closed by the venue"))

    def _next(self) -> None:
        sends_ns = (
            self.stand_in.next_ns + self._offset_ns if self.stand_in.next_ns >= 0 else _FOREVER_NS
        )
        comes_ns = self._way[0][0] if self._way else _FOREVER_NS
        self.now_ns = max(self.now_ns, min(sends_ns, comes_ns, self.feed.wake_ns))
        if comes_ns <= self.now_ns:
            _, _, what, body = self._way.pop(0)
            if isinstance(what, Fetch):
                self._did(self.feed.fetched(self.now_ns, what, body))
            elif self._alive:
                self._did(self.feed.received(self.now_ns, what))
        elif sends_ns <= self.now_ns:
            self._send()
        else:
            self._did(self.feed.poll(self.now_ns))

    def _send(self) -> None:
        texts = self.stand_in.advance()
        if not self._alive:
            return
        for text in texts:
            broken = self.faults.breaks()
            if broken is Break.CLOSED:
                self.break_connection()
                return
            self._mute |= broken is Break.MUTE
            self._offset_ns += self.faults.stall_ns()
            for one in self.faults.passed(text):
                for arrives in [one] if self._mutate is None else self._mutate(one):
                    self._to_client(arrives)

    def _to_client(self, text: bytes) -> None:
        if not self._mute:
            self._put(text, None)

    def _put(self, what: bytes | Fetch, body: bytes | None) -> None:
        self._order += 1
        self._way.append((self.now_ns + self._delay_ns, self._order, what, body))

    def _did(self, step: Step) -> None:
        self._on_step(step)
        for action in step.actions:
            if isinstance(action, Connect):
                self._alive, self._mute = True, False
                self._way.clear()
                self.stand_in.connected()
                self.faults.connected()
                self._did(self.feed.opened(self.now_ns))
            elif isinstance(action, Send):
                for text in self.stand_in.asked(action.text) if self._alive else []:
                    for one in self.faults.passed(text):
                        self._to_client(one)
            elif isinstance(action, Fetch):
                self._put(action, self.stand_in.rest(action.url))
            elif isinstance(action, Close):
                self._alive = False
