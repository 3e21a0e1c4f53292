"""What happens around a desk as JSON lines: one object a line, written on a thread of its own.

The run log (`pyorch.trading.log`) is the record that replays; this one is for people's log stores. A logger's
caller only puts a record into a queue. Fields go in as ``extra={"fields": {...}}``.
"""

from __future__ import annotations

import json
import logging
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path

from pyorch.contract.errors import UsageError

LOGGER = "pyorch.watch"


class JsonLines(logging.Formatter):
    """Time in UTC with milliseconds, level, event, then the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return json.dumps(line | getattr(record, "fields", {}), default=str)


class _Unchanged(QueueHandler):
    """Hands records on as they are: formatting is the listener's work."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


@contextmanager
def structured_log(path: Path | None) -> Iterator[logging.Logger]:
    """The logger `LOGGER`; it appends to ``path`` as long as the context lasts, with None nowhere.

    Raises:
        UsageError: the file cannot be opened.
    """
    logger = logging.getLogger(LOGGER)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    if path is None:
        quiet = logging.NullHandler()
        logger.addHandler(quiet)
        try:
            yield logger
        finally:
            logger.removeHandler(quiet)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: the log cannot be opened: {error}; give another --log"
        ) from error
    target.setFormatter(JsonLines())
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = _Unchanged(waiting)
    listener = QueueListener(waiting, target)
    logger.addHandler(handler)
    listener.start()
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        listener.stop()
        target.close()
