"""Deribit's JSON-RPC over HTTP: the second route to a venue, for orders, mass cancel and what it has booked.

Source: the venue's API documentation ("JSON-RPC", "HTTP": a POST to ``/api/v2`` with ``jsonrpc``, ``id``,
``method``, ``params``; "Authentication": ``public/auth`` with ``client_credentials``, then ``Authorization:
Bearer``; ``private/cancel_all``, ``private/buy``, ``private/sell``, ``private/cancel_by_label``,
``private/get_open_orders_by_label``, ``private/get_positions``, ``public/get_instruments``). Not run against
the venue.

What brought no answer is sent again but for orders, which would do harm twice: they carry a label, by which
they are looked for and taken back.
"""

from __future__ import annotations

import itertools
import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from pyorch.contract.errors import DeviceError

TIMEOUT_S = 2.0
ATTEMPTS = 3
ONCE = frozenset({"private/buy", "private/sell"})
"""What may do harm twice."""
UNAUTHORISED = (13004, 13009)
"""Error codes: invalid credentials, unauthorised; a token that has run out."""
_MOST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Position:
    """What the venue has booked: amount in its unit, signed, as it wrote it."""

    instrument: str
    size: float


class RpcError(DeviceError):
    """The venue refused; ``code`` is its own."""

    def __init__(self, method: str, code: int, said: str) -> None:
        super().__init__(f"{method} was refused: {said} (code {code})")
        self.code = code


class DeribitRpc:
    """One account. Any thread may call it; each call is a connection of its own.

    Args:
        url: before ``/api/v2``.
        client, secret: of the API key, from the environment or a file; neither is logged.

    Raises:
        DeviceError: no answer in time, or a refusal (`RpcError`).
    """

    def __init__(self, url: str, client: str, secret: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._client, self._secret = url.rstrip("/") + "/api/v2", client, secret
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._token = ""
        self._numbers = itertools.count(1)

    def cancel_all(self) -> int:
        """Mass cancel; how many orders and quotes that were."""
        return int(self._private("private/cancel_all", {}))

    def order(
        self, instrument: str, side: int, amount: str, price: str, label: str
    ) -> dict[str, Any]:
        """A limit order, good till it is cancelled; the venue's order, with ``order_id`` and ``order_state``.

        Args:
            side: 0 buy, 1 sell; amount, price: decimal texts in the venue's units.
            label: our name of it; an order that got no answer is looked for by it, never sent again.
        """
        found = self._private(
            "private/sell" if side else "private/buy",
            {
                "instrument_name": instrument, "amount": float(amount), "type": "limit",
                "price": float(price), "label": label, "time_in_force": "good_til_cancelled",
            },
        )  # fmt: skip
        order: dict[str, Any] = found["order"]
        return order

    def cancel_labelled(self, label: str) -> int:
        """Take back the orders of a label; how many that were."""
        return int(self._private("private/cancel_by_label", {"label": label}))

    def open_orders(self, label: str) -> list[dict[str, Any]]:
        """What rests under a label."""
        found: list[dict[str, Any]] = self._private(
            "private/get_open_orders_by_label", {"currency": "BTC", "label": label}
        )
        return found

    def positions(self, currency: str = "BTC") -> list[Position]:
        """What the venue has booked for the account."""
        found = self._private("private/get_positions", {"currency": currency, "kind": "option"})
        return [Position(one["instrument_name"], float(one["size"])) for one in found]

    def instruments(self, currency: str = "BTC") -> list[dict[str, Any]]:
        """The options that the venue lists, as it writes them (`pyorch.trading.listing.listed_of`)."""
        asked = {"currency": currency, "kind": "option", "expired": False}
        found: list[dict[str, Any]] = self._called("public/get_instruments", asked)
        return found

    def _private(self, method: str, params: dict[str, Any]) -> Any:
        with self._lock:
            token = self._token or self._authorise()
        try:
            return self._called(method, params, token)
        except RpcError as error:
            if error.code not in UNAUTHORISED:
                raise
        with self._lock:  # the token ran out: the request was not carried out
            token = self._authorise()
        return self._called(method, params, token)

    def _authorise(self) -> str:
        found = self._called(
            "public/auth",
            {
                "grant_type": "client_credentials",
                "client_id": self._client,
                "client_secret": self._secret,
            },
        )
        self._token = str(found["access_token"])
        return self._token

    def _called(self, method: str, params: dict[str, Any], token: str = "") -> Any:
        number = next(self._numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        attempts = 1 if method in ONCE else ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                answer = self._posted(request)
                break
            except (OSError, ValueError) as error:
                if attempt == attempts:
                    raise DeviceError(
                        f"{method}: no answer of {self._url} in {attempts} × {self._timeout_s:g} s "
                        f"({error}): quotes and orders may be live, cancel them at the venue"
                    ) from error
        if "error" in answer:
            wrong = answer["error"]
            raise RpcError(method, int(wrong.get("code", 0)), str(wrong.get("message", "")))
        if answer.get("id") != number or "result" not in answer:
            raise DeviceError(
                f"{method}: an answer without our number {number} or without a result"
            )
        return answer["result"]

    def _posted(self, request: urllib.request.Request) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                text = response.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            text = error.read(_MOST_BYTES)  # refusals come with a status of 400
        answer = json.loads(text)
        if not isinstance(answer, dict):
            raise ValueError("the answer is no JSON object")
        return answer
