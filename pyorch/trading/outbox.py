"""Messages of a desk that wait for the block of its log that they are in: written before sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from pyorch.trading.desk_settings import DeskSettings
from pyorch.trading.log import LogWriter


class Outbox:
    """Sends in the order of writing, each message when the log holds it and its decision latency has passed.

    Args:
        submit: lets a message leave at a time.
    """

    def __init__(
        self, log: LogWriter, submit: Callable[[bytes, int], None], settings: DeskSettings
    ) -> None:
        self._log, self._submit, self._settings = log, submit, settings
        self._random = Random(settings.seed)
        self._waiting: deque[tuple[int, list[bytes], int]] = deque()

    def __len__(self) -> int:
        return sum(len(messages) for _, messages, _ in self._waiting)

    def put(self, block: int, messages: list[bytes], now_ns: int) -> None:
        """Messages that are in a block of the log."""
        delay_ns = self._settings.decision.draw_ns(self._random)
        self._waiting.append((block, messages, now_ns + delay_ns))

    def send(self, now_ns: int, wait: bool = False) -> int:
        """Send what the log holds, ``wait`` for the rest; how many messages."""
        sent = 0
        while self._waiting:
            block, messages, sent_ns = self._waiting[0]
            if not self._log.wait(block, self._settings.durable, None if wait else 0.0):
                break
            self._waiting.popleft()
            sent += len(messages)
            for message in messages:
                self._submit(message, max(sent_ns, now_ns))
        return sent

    def forget(self) -> int:
        """Nothing of what waits is sent any more; how many messages."""
        unsent = len(self)
        self._waiting.clear()
        return unsent
