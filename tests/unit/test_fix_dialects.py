"""What venues add: the signed logon, protection groups, limits."""

import base64
import hashlib

import pytest

from pyorch.contract.errors import UsageError
from pyorch.trading.fix.dialects import deribit, is_signed, otc, protection_reset
from pyorch.trading.fix.dictionary import Fault, Reason
from pyorch.trading.fix.message import Framer, Message, read_message, write_message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import Send, SessionSettings

NOON = 1_700_000_000_000_000_000
HEAD = [(34, b"2"), (49, b"A"), (52, b"20231114-22:13:20"), (56, b"B")]


def mass_quote(entries: int) -> list[tuple[int, bytes]]:
    body = [(117, b"7"), (296, b"1"), (302, b"1"), (304, b"%d" % entries), (295, b"%d" % entries)]
    for entry in range(entries):
        body += [(299, b"%d" % entry), (55, b"BTC"), (132, b"0.1"), (134, b"1")]
    return body


def test_a_deribit_logon_is_signed_and_cancels_on_disconnect() -> None:
    dialect = deribit("user", "secret", "mm", nonce=lambda: b"\x01" * 32)
    settings = SessionSettings(b"FIX.4.4", "A", "B", True, logon_fields=dialect.logon_fields)
    session = Session(settings, book=dialect.book)
    [data] = [one.data for one in session.connect(NOON) if isinstance(one, Send)]
    assert b"secret" not in data
    framer = Framer()
    framer.feed(data)
    logon = framer.next()
    assert isinstance(logon, Message)
    assert dialect.book.check(logon) is None
    raw, password = logon.get(96), logon.get(554)
    assert raw is not None
    assert password is not None
    assert raw == b"1700000000000." + base64.b64encode(b"\x01" * 32)
    assert password == base64.b64encode(hashlib.sha256(raw + b"secret").digest())
    assert (logon.get(553), logon.get(9001)) == (b"user", b"Y")
    assert is_signed(raw, password, "secret")
    assert not is_signed(raw, password, "other")
    assert deribit("u", "s", "m").logon_fields(NOON) != deribit("u", "s", "m").logon_fields(NOON)


def test_mass_quotes_name_their_group_and_hold_sixteen_entries() -> None:
    dialect = deribit("user", "secret", "mm")
    body = dialect.dress("i", mass_quote(16))
    assert body[:2] == [(117, b"7"), (9019, b"mm")]
    assert (
        dialect.book.check(read_message(write_message(b"FIX.4.4", [(35, b"i"), *HEAD, *body])))
        is None
    )
    bare = read_message(write_message(b"FIX.4.4", [(35, b"i"), *HEAD, *mass_quote(1)]))
    assert dialect.book.check(bare) == Fault(Reason.REQUIRED_MISSING, 9019)
    with pytest.raises(
        UsageError, match="a mass quote of 17 entries for deribit, which takes 16: send"
    ):
        dialect.dress("i", mass_quote(17))
    assert otc().dress("i", mass_quote(3)) == mass_quote(3)
    assert dialect.dress("D", [(11, b"x")]) == [(11, b"x")]


def test_a_protection_is_taken_back_by_a_message_of_the_venues_own() -> None:
    dialect = deribit("user", "secret", "mm")
    body = protection_reset("r1", "mm")
    message = read_message(write_message(b"FIX.4.4", [(35, b"MZ"), *HEAD, *body]))
    assert dialect.book.check(message) is None
    assert otc().book.check(message) == Fault(Reason.MESSAGE_TYPE)
