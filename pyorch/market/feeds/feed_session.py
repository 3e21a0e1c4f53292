"""The connection of a live feed: opening it, signs of life, giving it up, back-off. No socket, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyorch.contract.events import EVENT_DTYPE
from pyorch.market.feeds.back_off import BackOff
from pyorch.market.feeds.dialect import Dialect
from pyorch.market.feeds.feed_actions import (
    COUNTS,
    Action,
    Close,
    Connect,
    FeedSettings,
    Send,
    SessionState,
    Step,
)


@dataclass(slots=True)
class Out:
    """Rows and actions of the call that is being worked on."""

    rows: list[bytes] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


class FeedSession:
    """What of a feed knows of no market; `pyorch.market.feeds.live.Feed` adds the books.

    Args:
        dialect: the venue's texts and the instruments.
        settings: times and limits.
        seed: of the back-off's jitter, so that many feeds do not come back at once.
    """

    def __init__(
        self, dialect: Dialect, settings: FeedSettings | None = None, seed: int = 0
    ) -> None:
        self.dialect = dialect
        self.settings = settings or FeedSettings()
        self.state = SessionState.IDLE
        self.counts = dict.fromkeys(COUNTS, 0)
        self.last_error = ""
        self._wait = BackOff(self.settings.least_wait_ns, self.settings.most_wait_ns, seed)
        self._now_ns = 0
        self._until_ns = -1  # of connecting, of the confirmation, or of the back-off
        self._heard_ns = 0
        self._opened_ns = 0
        self._probed = False
        self._garbled_running = 0

    def start(self, now_ns: int) -> Step:
        """Begin: every book is void, and a connection is wanted."""
        out = self._begin(now_ns)
        self._void(out, everything=True)
        self._connect(out)
        return self._done(out)

    def opened(self, now_ns: int) -> Step:
        """The connection is open."""
        out = self._begin(now_ns)
        if self.state is SessionState.CONNECTING:
            self.state = SessionState.OPEN
            self.counts["connections"] += 1
            self._opened_ns = self._heard_ns = self._now_ns
            self._until_ns = self._now_ns + self.settings.connect_ns
            self._probed, self._garbled_running = False, 0
            out.actions += [Send(text) for text in self.dialect.opening()]
            self._joined(out)
        return self._done(out)

    def closed(self, now_ns: int, why: str) -> Step:
        """The connection was closed, or could not be opened."""
        out = self._begin(now_ns)
        if self.state in (SessionState.CONNECTING, SessionState.OPEN):
            self._lose(out, why, close=False)
        return self._done(out)

    def poll(self, now_ns: int) -> Step:
        """Time has passed; to be called at `wake_ns` at the latest."""
        out = self._begin(now_ns)
        now, settings = self._now_ns, self.settings
        if self.state is SessionState.WAITING and now >= self._until_ns:
            self._connect(out)
        elif self.state is SessionState.CONNECTING and now >= self._until_ns:
            self._lose(out, "the connection did not open in time")
        elif self.state is SessionState.OPEN:
            if 0 <= self._until_ns <= now:
                self._lose(out, "no subscription was confirmed in time")
            elif now >= self._heard_ns + 2 * settings.silence_ns:
                self._lose(out, "nothing was received, not even an answer to a probe")
            elif now >= self._heard_ns + settings.silence_ns and not self._probed:
                self._probed = True
                self.counts["probes"] += 1
                out.actions.append(Send(self.dialect.probe()))
            self._press(out)
        return self._done(out)

    @property
    def wake_ns(self) -> int:
        """When `poll` has something to do; -1 before `start`."""
        if self.state is SessionState.IDLE:
            return -1
        times = [self._until_ns] if self._until_ns >= 0 else []
        if self.state is SessionState.OPEN:
            times.append(self._heard_ns + (1 + self._probed) * self.settings.silence_ns)
            times += self._deadlines()
        return min(times)

    # -- what ends a connection

    def _garbled(self, out: Out, error: Exception) -> None:
        self.counts["garbled"] += 1
        self.last_error = str(error)
        self._garbled_running += 1
        if self._garbled_running >= self.settings.garbled_limit:
            self._lose(out, f"{self._garbled_running} garbled texts in a row, the last: {error}")

    def _connect(self, out: Out) -> None:
        self.state = SessionState.CONNECTING
        self._until_ns = self._now_ns + self.settings.connect_ns
        out.actions.append(Connect(self.dialect.url))

    def _lose(self, out: Out, why: str, close: bool = True) -> None:
        """Give the connection up: every book is void, and another one is opened after a while."""
        if self.state is SessionState.OPEN:
            self.counts["lost_connections"] += 1
            if self._now_ns - self._opened_ns >= self.settings.calm_ns:
                self._wait.forget()
        self.last_error = why
        if close:
            out.actions.append(Close(why))
        self._void(out)
        self.state = SessionState.WAITING
        self._until_ns = self._now_ns + self._wait.next_ns()

    # -- each call

    def _begin(self, now_ns: int) -> Out:
        if now_ns < self._now_ns:
            self.counts["out_of_order_local"] += 1
        else:
            self._now_ns = now_ns
        return Out()

    def _done(self, out: Out) -> Step:
        events = np.frombuffer(b"".join(out.rows), EVENT_DTYPE)
        self.counts["rows"] += len(events)
        return Step(events, out.actions)

    # -- what the books have to do with it

    def _void(self, out: Out, everything: bool = False) -> None:
        """No book is sound any more; ``everything``: nor was any before."""
        raise NotImplementedError

    def _joined(self, out: Out) -> None:
        """The subscriptions were sent: books will begin."""
        raise NotImplementedError

    def _press(self, out: Out) -> None:
        """Time has passed for snapshots that are waited for."""
        raise NotImplementedError

    def _deadlines(self) -> list[int]:
        """When `_press` has something to do."""
        raise NotImplementedError
