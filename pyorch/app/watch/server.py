"""The page's server: loopback only, behind a token, on a thread of its own.

``/`` is the page (it has no data); ``/stream`` gives a status a line, several times a second; ``/status``
one; ``/metrics`` is for Prometheus; ``/order`` takes an operator's order. All but the page want the token as
``Authorization: Bearer``: a browser keeps it from the address's fragment, which it never sends. Requests
for another host's name (DNS rebinding) and orders from another origin are refused.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyorch.app.watch.alerts import Alerts
from pyorch.app.watch.metrics import exposition
from pyorch.app.watch.status import status
from pyorch.app.watch.structured_log import LOGGER
from pyorch.app.watch.view import View
from pyorch.contract.errors import EnvironmentMissingError, PyorchError, UsageError
from pyorch.trading.controls import OPERATORS, Order
from pyorch.trading.inputs import InputKind, LimitName

if TYPE_CHECKING:
    from aiohttp import web

PAGE = Path(__file__).with_name("page.html")
PERIOD_S = 0.2
HOST = "127.0.0.1"
LARGEST_ORDER = 4096
"""Bytes of a request."""
Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
log = logging.getLogger(LOGGER)


def order_of(fields: Any) -> Order:
    """An order from the page's JSON.

    Raises:
        UsageError: something is missing, of another kind, or not an order; the message says what.
    """
    if not isinstance(fields, dict):
        raise UsageError("an order is a JSON object with order, who and why")
    allowed = {"order", "who", "why", "value", "limit"}
    unknown = sorted(fields.keys() - allowed)
    if unknown:
        raise UsageError(f"unknown {', '.join(unknown)}; an order has {', '.join(sorted(allowed))}")
    name, who, why = (fields.get(key) for key in ("order", "who", "why"))
    value, limit = fields.get("value", 0), fields.get("limit", "position")
    kinds = {kind.name.lower(): kind for kind in OPERATORS}
    if name not in kinds:
        raise UsageError(f"no order {name!r}; choose {', '.join(kinds)}")
    if not isinstance(who, str) or not isinstance(why, str):
        raise UsageError(f"{name}: who and why are texts; both go into the log")
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name}: the value {value!r} is no whole number")
    limits = {one.name.lower(): one for one in LimitName}
    if limit not in limits:
        raise UsageError(f"{name}: no limit {limit!r}; choose {', '.join(limits)}")
    return Order(kinds[name], who, why, value, limits[limit])


class WatchServer:
    """Serves a view from `start` to `close`.

    Args:
        order: passes an operator's order on; called on the server's thread, returns at once.
        token: what every request but that for the page must carry; None: a new one.
        port: 0: any free one.
    """

    def __init__(
        self,
        view: View,
        alerts: Alerts,
        order: Callable[[Order], None],
        *,
        token: str | None = None,
        port: int = 0,
    ) -> None:
        self.view, self.alerts, self._order = view, alerts, order
        self.token = token or secrets.token_urlsafe(24)
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._fresh: asyncio.Condition | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._started = threading.Event()
        self._failed: Exception | None = None
        self._looks = 0
        self._line = (-1, b"")

    @property
    def address(self) -> str:
        """For a browser, with the token."""
        return f"http://{HOST}:{self.port}/#{self.token}"

    def start(self) -> None:
        """Begin to serve.

        Raises:
            EnvironmentMissingError: aiohttp or prometheus-client is not installed.
            UsageError: the port is taken.
        """
        try:
            import aiohttp.web  # noqa: F401
            import prometheus_client  # noqa: F401
        except ImportError as error:
            raise EnvironmentMissingError(
                f"a page needs the extra `watch` ({error}): pip install 'pyorch[watch]', or run without "
                "--watch"
            ) from error
        self._thread.start()
        self._started.wait()
        if isinstance(self._failed, OSError):
            raise UsageError(
                f"port {self.port} of {HOST} cannot be served: {self._failed}; give another --watch, 0 "
                "for any free one"
            ) from self._failed
        if self._failed is not None:
            raise self._failed

    def close(self, timeout_s: float = 5.0) -> None:
        """Fold what is left, then stop."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # a thread has nobody to raise to
            self._failed = error
            log.error("the page has ended", extra={"fields": {"error": repr(error)}})
        finally:
            self._started.set()

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._fresh = asyncio.Condition()

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return self._refusal(request) or await handler(request)

        app = web.Application(middlewares=[guard], client_max_size=LARGEST_ORDER)
        app.add_routes(
            [
                web.get("/", self._page), web.get("/stream", self._stream),
                web.get("/status", self._status), web.get("/metrics", self._metrics),
                web.post("/order", self._take_order),
            ]
        )  # fmt: skip
        runner = web.AppRunner(app, access_log=None, logger=log, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            while not self._stop.is_set():
                await self._look()
                try:
                    await asyncio.wait_for(self._stop.wait(), PERIOD_S)
                except TimeoutError:
                    continue
            await self._look()
            await asyncio.sleep(PERIOD_S)  # the last status reaches pages
        finally:
            await runner.cleanup()

    async def _look(self) -> None:
        """Fold, judge, and wake the streams."""
        self._looks += 1
        self.view.fold()
        for state in self.alerts.judge(self.view.figures(), self.view.now_ns):
            fields = {key: value for key, value in state.to_json().items() if key != "raised"}
            level = logging.WARNING if state.raised else logging.INFO
            log.log(
                level, "alert raised" if state.raised else "alert over", extra={"fields": fields}
            )
        assert self._fresh is not None
        async with self._fresh:
            self._fresh.notify_all()

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        """Why a request is not answered; None: it is."""
        from aiohttp import web

        allowed = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        if request.host not in allowed:
            return web.json_response({"error": f"this is not {request.host}"}, status=403)
        origin = request.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in allowed:
            return web.json_response({"error": f"not for pages of {origin}"}, status=403)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path == "/" or hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        if given:
            log.warning("wrong token", extra={"fields": {"path": request.path}})
        words = "the token is missing or wrong: open the address that the run printed"
        return web.json_response({"error": words}, status=401)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        nonce = secrets.token_urlsafe(12)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return web.Response(
            text=PAGE.read_text().replace("{{nonce}}", nonce),
            content_type="text/html",
            headers={
                "Content-Security-Policy": policy, "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            },
        )  # fmt: skip

    def _now(self) -> bytes:
        """A line of JSON; made once a look, for however many pages."""
        if self._line[0] != self._looks:
            found = status(self.view, self.alerts)
            self._line = (self._looks, json.dumps(found, separators=(",", ":")).encode() + b"\n")
        return self._line[1]

    async def _status(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        return web.Response(body=self._now(), content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web
        from prometheus_client import CONTENT_TYPE_LATEST

        return web.Response(
            body=exposition(self.view, self.alerts), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        assert self._fresh is not None and self._stop is not None
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while True:
            try:
                await response.write(self._now())
            except ConnectionError:  # the page was closed
                return response
            if self._stop.is_set():
                return response
            async with self._fresh:
                await self._fresh.wait()

    async def _take_order(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if request.content_type != "application/json":
            return web.json_response({"error": "orders are application/json"}, status=415)
        try:
            order = order_of(json.loads(await request.text()))
        except json.JSONDecodeError as error:
            return web.json_response({"error": f"not JSON: {error}"}, status=400)
        except PyorchError as error:
            return web.json_response({"error": str(error)}, status=400)
        log.info("order", extra={"fields": order.to_json()})
        self._order(order)
        return web.json_response({"taken": InputKind(order.kind).name.lower()})
