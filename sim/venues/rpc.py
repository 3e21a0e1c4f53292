"""A stand-in for Deribit's JSON-RPC over HTTP, in front of the simulated exchange.

Built from the venue's documentation, as `pyorch.trading.json_rpc` is: errors come with HTTP status 400 and a
code; tokens run out; ``cancel_all`` answers when everything is gone.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pyorch.trading.exchange.market import Exchange
from pyorch.trading.fix.codec import Decimals
from pyorch.trading.plan import QuotingPlan

_POLL_S = 0.001


class Refusal(Exception):
    """An error answer: code and message."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class RpcStandIn:
    """What the methods do.

    Args:
        now_ns: the market's time.

    Attributes:
        calls: how often each method was called; mute: no call is answered any more.
    """

    def __init__(
        self,
        exchange: Exchange,
        plan: QuotingPlan,
        credentials: tuple[str, str],
        now_ns: Callable[[], int],
        token_uses: int = 1_000_000,
    ) -> None:
        self._exchange, self._plan, self._credentials = exchange, plan, credentials
        self._now_ns, self._token_uses = now_ns, token_uses
        self._tokens: dict[str, int] = {}
        self._lock = threading.Lock()
        self.calls: dict[str, int] = {}
        self.mute = False

    def answer(self, asked: dict[str, Any], token: str) -> dict[str, Any]:
        """A whole answer."""
        method, params = str(asked.get("method")), asked.get("params") or {}
        with self._lock:
            self.calls[method] = self.calls.get(method, 0) + 1
        try:
            result = self._result(method, params, token)
        except Refusal as refusal:
            wrong = {"code": refusal.code, "message": str(refusal)}
            return {"jsonrpc": "2.0", "id": asked.get("id"), "error": wrong}
        return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}

    def _result(self, method: str, params: dict[str, Any], token: str) -> Any:
        if method == "public/auth":
            given = params.get("client_id"), params.get("client_secret")
            if params.get("grant_type") != "client_credentials" or given != self._credentials:
                raise Refusal(13004, "invalid_credentials")
            made = secrets.token_urlsafe(16)
            with self._lock:
                self._tokens[made] = self._token_uses
            return {"access_token": made, "token_type": "bearer", "expires_in": 900}
        with self._lock:
            left = self._tokens.get(token, 0)
            if left <= 0:
                raise Refusal(13009, "unauthorized")
            self._tokens[token] = left - 1
        if method == "private/cancel_all":
            count = len(self._exchange.reconcile()[2])
            done_ns = self._exchange.withdraw(self._now_ns())
            while self._now_ns() <= done_ns:
                time.sleep(_POLL_S)
            return count
        if method == "private/get_positions":
            return self._positions()
        raise Refusal(-32601, "Method not found")

    def _positions(self) -> list[dict[str, Any]]:
        symbols, lot = self._plan.codec.symbols, self._plan.codec.size
        return [
            {"instrument_name": symbol, "kind": "option", "size": _amount(lots, lot)}
            for symbol, lots in zip(symbols, self._exchange.positions_lots(), strict=True)
            if lots
        ]


@contextmanager
def rpc_served(stand_in: RpcStandIn) -> Iterator[int]:
    """The stand-in behind HTTP on the loopback; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """One call."""
            length = int(self.headers.get("Content-Length", 0))
            try:
                asked = json.loads(self.rfile.read(length))
            except ValueError:
                asked = {}
            if stand_in.mute:
                self.close_connection = True
                return
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            answer = stand_in.answer(asked, token)
            text = json.dumps(answer).encode()
            self.send_response(400 if "error" in answer else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *given: object) -> None:
            """Nothing: tokens and secrets are not logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="JSON-RPC")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _amount(lots: int, lot: Decimals) -> float:
    sign = "-" if lots < 0 else ""
    return float(sign + lot.text(abs(lots)).decode())
