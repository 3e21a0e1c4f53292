"""A watched run: view, alerts, server and snapshots around a desk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyorch.app.watch.alerts import Alerts, load_alerts
from pyorch.app.watch.drift import Drift, Values
from pyorch.app.watch.server import WatchServer
from pyorch.app.watch.snapshots import FeatureSnapshots, connect
from pyorch.app.watch.structured_log import structured_log
from pyorch.app.watch.view import Names, View
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.trading.desk import Desk
from pyorch.trading.desk_observer import Observation, Observer
from pyorch.trading.records import TickFlag

TOKEN = "PYORCH_WATCH_TOKEN"
"""Environment variable with the token; without it each run has a new one."""
SHORTEST_TOKEN = 16


def token_of_environment() -> str | None:
    """The token that the environment gives.

    Raises:
        UsageError: it is too short to protect anything.
    """
    token = os.environ.get(TOKEN)
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"{TOKEN} has {len(token)} characters; give at least {SHORTEST_TOKEN}, or none for a new one"
        )
    return token


class Watching:
    """Becomes the observer of a desk; `pyorch.app.desk_run.run_desk` calls `attach` before the first step.

    Args:
        port: of the page; 0: any free one; None: no page.
        alerts: a file of rules; None: `pyorch.app.watch.alerts.DEFAULT`.
        snapshots: address of a Redis for the latest features; None: none.

    Raises:
        UsageError: alerts without a page, a file that cannot be read, or no such address.
        DeviceError: Redis does not answer.

    Attributes:
        view, snapshots: of the attached desk; None: there is no page, no Redis.
    """

    def __init__(
        self,
        title: str,
        port: int | None = None,
        alerts: Path | None = None,
        snapshots: str | None = None,
    ) -> None:
        if port is None and alerts is not None:
            raise UsageError("--alerts says what --watch looks for: give --watch PORT too")
        self._title, self._port = title, port
        self._token = token_of_environment()
        self._settings = load_alerts(alerts)
        self._beside = (alerts or Path()).parent
        self._redis = connect(snapshots) if snapshots is not None else None
        self._server: WatchServer | None = None
        self.view: View | None = None
        self.snapshots: FeatureSnapshots | None = None

    def attach(self, desk: Desk, bundle: Bundle, engine: str) -> str | None:
        """Watch a desk; the page's address, if there is a page."""
        observers: list[Observer] = []
        if self._redis is not None:
            self.snapshots = FeatureSnapshots(self._redis, self._title, bundle)
            observers.append(self.snapshots.observe)
        if self._port is not None:
            observers.append(self._serve(desk, bundle, engine, self._port))

        def observe(observation: Observation) -> None:
            for observer in observers:
                observer(observation)

        if observers:
            desk.observer = observe
        return self._server.address if self._server is not None else None

    def _serve(self, desk: Desk, bundle: Bundle, engine: str, port: int) -> Observer:
        names = Names.of(self._title, engine, bundle, desk.plan, desk.lot_btc)
        table = self._settings.drift
        drift = Drift(len(names.features), table.reference_ticks, table.window_ticks)
        if table.reference is not None:
            drift.reference = _features_of(self._beside / table.reference, bundle)
        self.view = view = View(names, drift)
        alerts = Alerts.of(self._settings)
        server = WatchServer(view, alerts, desk.order, token=self._token, port=port)
        server.start()
        self._server = server
        return view.observe

    def close(self) -> None:
        """The page says that the run has ended; the last snapshot is written."""
        if self._server is not None:
            self._server.close()
        if self.snapshots is not None:
            self.snapshots.close()


def _features_of(journal: Path, bundle: Bundle) -> Values:
    """Features of a journal's warm ticks.

    Raises:
        UsageError: too few ticks, or a journal of other features.
    """
    from pyorch.app.journal import Journal

    assert bundle.schema is not None
    loaded = Journal.load(journal)
    ticks = loaded.ticks[(loaded.ticks["flags"] & TickFlag.WARM) != 0]
    known = loaded.run.digests.get("schema")
    if known is not None and known != bundle.schema.digest():
        raise UsageError(f"{journal}: its features are of the schema {known}, the model's are not")
    if len(ticks) < 100:
        raise UsageError(f"{journal}: {len(ticks)} warm ticks; a reference needs 100")
    features: Values = ticks["features"][:, : len(bundle.schema.features)]
    return features


@contextmanager
def watched(
    title: str,
    log: Path | None = None,
    *,
    port: int | None = None,
    alerts: Path | None = None,
    snapshots: str | None = None,
) -> Iterator[Watching]:
    """A watch for the time of a run, with its structured log; the arguments are those of `Watching`."""
    with structured_log(log) as logger:
        logger.info("run begins", extra={"fields": {"run": title}})
        watching = Watching(title, port, alerts, snapshots)
        try:
            yield watching
        except BaseException as error:
            logger.error("run failed", extra={"fields": {"error": str(error)}})
            raise
        else:
            logger.info("run ends")
        finally:
            watching.close()
