"""The latest features and predictions of a desk in Redis, for other processes; never on the tick's path.

One hash a desk, ``pyorch:KEY``: ``time_ns`` (local time of the tick), ``tick``, ``features`` and ``scores``
(JSON: name → raw integer), ``schema`` and ``model`` (digests: what the numbers mean), ``written_ns`` (the
machine's clock). It is replaced as a whole, ten times a second at most, and goes away by itself when nobody
has written for `KEPT_S`. The desk's thread hands over an observation and goes on; only the latest is kept.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from typing import Any

from pyorch.app.watch.structured_log import LOGGER
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, UsageError
from pyorch.trading.arming import output_index
from pyorch.trading.desk_observer import Observation
from pyorch.trading.records import TickFlag

PREFIX = "pyorch:"
PASSWORD = "PYORCH_REDIS_PASSWORD"
"""Environment variable; a password in an address is refused, since addresses end up in logs."""
PERIOD_S = 0.1
KEPT_S = 10
log = logging.getLogger(LOGGER)


def connect(address: str) -> Any:
    """A client of ``redis://HOST:PORT/DB`` or ``unix:///path/of/socket``.

    Raises:
        EnvironmentMissingError: the package ``redis`` is not installed.
        UsageError: no such address, or a password in it.
        DeviceError: nobody answers there.
    """
    try:
        import redis
    except ImportError as error:
        raise EnvironmentMissingError(
            "snapshots need the extra `redis`: pip install 'pyorch[redis]'"
        ) from error
    if "@" in address:
        raise UsageError(f"an address of Redis has no user or password; set {PASSWORD} instead")
    try:
        client = redis.Redis.from_url(
            address, password=os.environ.get(PASSWORD), socket_timeout=2.0, decode_responses=True
        )
        client.ping()
    except ValueError as error:
        raise UsageError(f"{address} is no address of Redis: {error}") from error
    except redis.RedisError as error:
        raise DeviceError(f"Redis at {address} does not answer: {error}") from error
    return client


class FeatureSnapshots:
    """Writes what a desk shows.

    Args:
        client: of `connect`; key: after `PREFIX`.

    Attributes:
        written, failed: snapshots, and attempts that Redis refused or did not answer.
    """

    def __init__(self, client: Any, key: str, bundle: Bundle) -> None:
        assert bundle.schema is not None
        self._client, self.key = client, PREFIX + key
        self._features = bundle.schema.names
        self._outputs = tuple(output_index(bundle.spec))
        self._digests = {"schema": bundle.schema.digest(), "model": bundle.digest()}
        self.written = self.failed = 0
        self._latest: Observation | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._thread.start()

    def observe(self, observation: Observation) -> None:
        """On the desk's thread; never waits."""
        if len(observation.batch.ticks):
            self._latest = observation

    def close(self, timeout_s: float = 5.0) -> None:
        """Write the last one, then stop."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._write()
        self._write()

    def _write(self) -> None:
        seen, self._latest = self._latest, None
        if seen is None:
            return
        ticks = seen.batch.ticks
        ticks = ticks[(ticks["flags"] & TickFlag.CANCELLED) == 0]
        if not len(ticks):
            return
        row = ticks[-1]
        fields = self._digests | {
            "time_ns": int(row["local_ns"]),
            "tick": int(row["tick"]),
            "features": _named(self._features, row["features"]),
            "scores": _named(self._outputs, row["scores"]),
            "written_ns": time.time_ns(),
        }
        try:
            with self._client.pipeline(transaction=True) as steps:
                steps.delete(self.key)
                steps.hset(self.key, mapping=fields)
                steps.expire(self.key, KEPT_S)
                steps.execute()
            self.written += 1
        except Exception as error:  # whatever Redis does, the desk goes on
            self.failed += 1
            if self.failed == 1:
                log.warning("snapshots fail", extra={"fields": {"error": str(error)}})


def _named(names: tuple[str, ...], values: Any) -> str:
    pairs = zip(names, values[: len(names)].tolist(), strict=True)
    return json.dumps(dict(pairs), separators=(",", ":"))


def read_snapshot(client: Any, key: str) -> dict[str, Any] | None:
    """A desk's latest snapshot, its JSON unpacked and its numbers integers; None: there is none.

    Raises:
        UsageError: the hash is not a snapshot.
    """
    found: dict[str, Any] = client.hgetall(PREFIX + key)
    if not found:
        return None
    try:
        numbers = {name: int(found[name]) for name in ("time_ns", "tick", "written_ns")}
        texts = {name: json.loads(found[name]) for name in ("features", "scores")}
    except (KeyError, ValueError) as error:
        raise UsageError(f"{PREFIX}{key} is no snapshot of pyorch: {error}") from error
    return found | numbers | texts
