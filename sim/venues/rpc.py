"""A stand-in for Deribit's JSON-RPC over HTTP, in front of the simulated exchange.

Built from the venue's documentation, as `pyorch.trading.json_rpc` is: errors come with HTTP status 400 and a
code; tokens run out; ``cancel_all`` answers when everything is gone.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
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
        self._labels: dict[int, str] = {}
        self.calls: dict[str, int] = {}
        self.mute = False

    def heard(self, method: str) -> None:
        """A call has come, answered or not."""
        with self._lock:
            self.calls[method] = self.calls.get(method, 0) + 1

    def answer(self, asked: dict[str, Any], token: str) -> dict[str, Any]:
        """A whole answer."""
        method, params = str(asked.get("method")), asked.get("params") or {}
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
        if method == "public/get_instruments":
            wanted = params.get("currency"), params.get("kind")
            return self._instruments() if wanted == ("BTC", "option") else []
        with self._lock:
            left = self._tokens.get(token, 0)
            if left <= 0:
                raise Refusal(13009, "unauthorized")
            self._tokens[token] = left - 1
        if method == "private/cancel_all":
            count = len(self._exchange.reconcile()[2])
            done_ns = self._exchange.withdraw(self._now_ns())
            self._wait(done_ns)
            return count
        if method == "private/get_positions":
            return self._positions()
        if method in ("private/buy", "private/sell"):
            return {"order": self._order(int(method.endswith("sell")), params), "trades": []}
        if method == "private/cancel_by_label":
            return self._cancelled(str(params.get("label")))
        if method == "private/get_open_orders_by_label":
            return [one for _, one in self._resting(str(params.get("label")))]
        raise Refusal(-32601, "Method not found")

    def _instruments(self) -> list[dict[str, Any]]:
        """What is traded here, and strikes around it that are listed without anybody's interest."""
        plan = self._plan
        universe, codec = plan.universe, plan.codec
        strikes = sorted({one.strike_usd for one in universe.options})
        steps = [b - a for a, b in itertools.pairwise(strikes)] or [1000]
        beyond = [strikes[0] - steps[0], strikes[0] + steps[0] // 2, strikes[-1] + steps[-1]]
        rows = [(one.symbol, one.expiry, one.strike_usd, one.right) for one in universe.options]
        rows += [
            (
                f"BTC-{universe.expiries_s[expiry]}-{strike}-{right[0].upper()}",
                expiry,
                strike,
                right,
            )
            for expiry in range(len(universe.expiries_s))
            for strike in beyond
            for right in ("call", "put")
        ]
        return [
            {
                "instrument_name": symbol, "kind": "option", "strike": float(strike),
                "option_type": right, "tick_size": float(codec.price.text(1)),
                "min_trade_amount": float(codec.size.text(1)),
                "expiration_timestamp": 1000
                * (plan.origin_ns // 1_000_000_000 + universe.expiries_s[expiry]),
            }
            for symbol, expiry, strike, right in rows
        ]  # fmt: skip

    def _order(self, side: int, params: dict[str, Any]) -> dict[str, Any]:
        codec, symbol = self._plan.codec, params.get("instrument_name")
        if symbol not in codec.symbols:
            raise Refusal(13020, "not_found")
        lots = _steps(params.get("amount"), codec.size)
        price = _steps(params.get("price"), codec.price)
        if lots < 1 or price < 1:
            raise Refusal(10043, "price_wrong_tick" if price < 1 else "invalid_amount")
        option = codec.symbols.index(symbol)
        self._wait(self._exchange.order_beside(option, side, price, lots, self._now_ns()))
        self._labels[option] = str(params.get("label", ""))
        rests = any(one == option for one, _ in self._resting(self._labels[option]))
        return {
            "order_id": f"BESIDE-{option}", "order_state": "open" if rests else "filled",
            "instrument_name": symbol, "label": self._labels[option],
        }  # fmt: skip

    def _cancelled(self, label: str) -> int:
        found = self._resting(label)
        for option, _ in found:
            self._wait(self._exchange.order_beside(option, 0, 0, 0, self._now_ns()))
        return len(found)

    def _resting(self, label: str) -> list[tuple[int, dict[str, Any]]]:
        codec = self._plan.codec
        return [
            (
                option,
                {
                    "instrument_name": codec.symbols[option], "label": label, "order_state": "open",
                    "direction": "sell" if side else "buy", "amount": _amount(lots, codec.size),
                    "price": float(codec.price.text(price)),
                },
            )
            for option, side, price, lots in self._exchange.reconcile()[2]
            if self._labels.get(option) == label
        ]  # fmt: skip

    def _wait(self, until_ns: int) -> None:
        while self._now_ns() <= until_ns:
            time.sleep(_POLL_S)

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
            stand_in.heard(str(asked.get("method")))
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


def _steps(value: object, step: Decimals) -> int:
    """A number in steps; 0 where it is none, or off the grid."""
    if not isinstance(value, int | float):
        return 0
    steps = Decimal(repr(value)) * 10**step.places / step.units
    return int(steps) if steps == int(steps) else 0
