"""What venues add to FIX, as data: fields of the logon, of messages, limits.

- `deribit`: FIX 4.4 with a signed logon (RawData ``time.nonce``, Password
  ``base64(sha256(RawData + secret))``), cancel on disconnect always on (9001), mass quotes of at most 16
  entries in a market-maker-protection group (9019), and messages that take a triggered protection back (MZ,
  answered by MR). Source: the venue's documentation, "FIX API": Logon, Mass Quote, MMProtection Reset, of
  February 2026.
- `otc`: FIX 4.4 as it is: QuoteRequest (R), Quote (S), QuoteResponse (AJ), ExecutionReport (8).

Secrets come from whoever calls, who has them from the environment or a file; nothing here keeps or logs them.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pyorch.contract.errors import UsageError
from pyorch.trading.fix.dictionary import Dictionary, dictionary
from pyorch.trading.fix.message import Field
from pyorch.trading.fix.session_terms import no_fields
from pyorch.trading.quoting import MAXIMUM_ENTRIES

DERIBIT_FIELDS = {
    "A": "9001 9002 9004 9005 9007",
    "i": "9019!",
    "b": "9020 1167 54 192",
    "MZ": "20114! 15 9019",
    "MR": "20114! 20117! 58",
}
"""Message type → fields beside the standard's."""
NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a venue speaks.

    Attributes:
        book: its dictionary; logon_fields: of a logon at a time.
        quote_fields: added to each mass quote, behind its QuoteID.
        maximum_entries: of a mass quote.
    """

    name: str
    book: Dictionary
    logon_fields: Callable[[int], list[Field]] = no_fields
    quote_fields: tuple[Field, ...] = ()
    maximum_entries: int = MAXIMUM_ENTRIES

    def dress(self, kind: str, body: list[Field]) -> list[Field]:
        """A message's body as the venue wants it.

        Raises:
            UsageError: a mass quote has too many entries.
        """
        if kind != "i":
            return body
        entries = sum(tag == 299 for tag, _ in body)
        if entries > self.maximum_entries:
            raise UsageError(
                f"a mass quote of {entries} entries for {self.name}, which takes {self.maximum_entries}: "
                "send several messages"
            )
        at = next(k for k, one in enumerate(body) if one[0] == 117) + 1
        return [*body[:at], *self.quote_fields, *body[at:]]


def otc() -> Dialect:
    """Quotes on request, in plain FIX 4.4."""
    return Dialect("otc", dictionary(b"FIX.4.4"))


def deribit(
    user: str,
    secret: str,
    group: str,
    nonce: Callable[[], bytes] = lambda: secrets.token_bytes(NONCE_BYTES),
) -> Dialect:
    """Deribit's FIX 4.4.

    Args:
        user, secret: of the API key; group: of market-maker protection, made beforehand at the venue.
        nonce: fresh random bytes for each logon.
    """

    def logon_fields(now_ns: int) -> list[Field]:
        raw = b"%d.%b" % (now_ns // 1_000_000, base64.b64encode(nonce()))
        password = base64.b64encode(hashlib.sha256(raw + secret.encode()).digest())
        return [
            (95, b"%d" % len(raw)),
            (96, raw),
            (553, user.encode()),
            (554, password),
            (9001, b"Y"),
        ]

    book = dictionary(b"FIX.4.4").extended(DERIBIT_FIELDS)
    return Dialect("deribit", book, logon_fields, ((9019, group.encode()),))


def is_signed(raw: bytes, password: bytes, secret: str) -> bool:
    """Whether a logon's Password belongs to its RawData; for a venue's side in tests and simulation."""
    wanted = base64.b64encode(hashlib.sha256(raw + secret.encode()).digest())
    return secrets.compare_digest(wanted, password)


def protection_reset(request: str, group: str, currency: str = "BTC") -> list[Field]:
    """The body of an MZ: quotes of a group are to be taken again."""
    return [(20114, request.encode()), (15, currency.encode()), (9019, group.encode())]
